"""Gauges of networks against the slow and exact: the whole Hessian, every row's gradient, activations computed by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.functional import hessian
from torch.func import functional_call
from torch.nn import functional

from fallline import Net, Plan
from fallline.torch.gauges import (
    NETWORK_GAUGES,
    ActivationScale,
    DeadUnits,
    NoiseScale,
    PreconditionedCurvature,
    Saturation,
    TopCurvature,
)
from fallline.torch.probe import PARTS, Probe, probe_of
from fallline.torch.watching import Watching

ROWS, WIDE = 96, 5
CHANCE = torch.Generator().manual_seed(1)
X = torch.randn(ROWS, WIDE, generator=CHANCE, dtype=torch.float64)
Y = (X[:, 0] * X[:, 1] > 0).long()


def net_of(*layers):
    torch.manual_seed(0)
    return Net(nn.Sequential(nn.Linear(WIDE, 6), *layers, nn.Linear(6, 2)).double(), (X, Y))


def loss_at(net, w, inputs=X, targets=Y):
    named = dict(zip(net.layers, net.flat.pieces(w), strict=True))
    return functional.cross_entropy(functional_call(net.module, named, (inputs,)), targets)


def test_the_largest_curvature_is_that_of_the_whole_hessian():
    net = net_of(nn.Tanh())
    w = torch.tensor(net.start())
    H = hessian(lambda w: loss_at(net, w), w)
    assert TopCurvature().read(net, net.start()) == pytest.approx(float(torch.linalg.eigvalsh(H)[-1]), rel=0.01)
    parts = [torch.func.grad(lambda w, k=k: loss_at(net, w, X[k : k + 32], Y[k : k + 32]))(w) for k in (0, 32, 64)]
    root = (torch.stack(parts).pow(2).mean(0).sqrt() + 1e-8).rsqrt()
    exact = float(torch.linalg.eigvalsh(root[:, None] * H * root)[-1])
    assert PreconditionedCurvature().read(net, net.start()) == pytest.approx(exact, rel=0.02)


def test_the_noise_scale_is_that_of_every_rows_gradient_and_lies_in_its_interval():
    net = net_of(nn.Tanh())
    w = torch.tensor(net.start())
    each = torch.stack(
        [torch.func.grad(lambda w, i=i: loss_at(net, w, X[i : i + 1], Y[i : i + 1]))(w) for i in range(ROWS)]
    )
    spread = float(each.var(0).sum())
    exact = spread / (float(each.mean(0).pow(2).sum()) - spread / ROWS)
    assert Probe(net).noise(net.start(), parts=ROWS).middle == pytest.approx(exact, rel=1e-9)
    low, middle, high = (NoiseScale(end).read(net, net.start()) for end in ("low", "", "high"))
    assert low < middle < high
    assert low < exact < high


def test_dead_units_saturation_and_scale_are_those_of_activations_by_hand():
    net = net_of(nn.ReLU(), nn.Linear(6, 6), nn.Tanh())
    with torch.no_grad():
        net.module[0].bias[:3] = -50.0  # they never fire
        net.module[2].weight *= 30.0
    w = net.flat.read().detach().numpy().copy()
    net.module.requires_grad_(False)
    first = torch.relu(net.module[0](X))
    second = torch.tanh(net.module[2](first))
    assert DeadUnits().read(net, w) == pytest.approx(float((first == 0).all(0).double().mean()))
    assert DeadUnits().read(net, w) >= 0.5
    away = ((second > 0.94) | (second < -0.94)).double().mean()
    assert Saturation().read(net, w) == pytest.approx(float(away))
    assert float(away) > 0.2
    ratio = net.module[4](second).pow(2).mean().sqrt() / net.module[0](X).pow(2).mean().sqrt()
    assert ActivationScale().read(net, w) == pytest.approx(float(ratio))


def test_functions_are_seen_as_modules_are_and_named_by_where_they_are_called():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.Linear(WIDE, 3)

        def forward(self, x):
            return functional.dropout(torch.relu(self.inside(x)))

    module, rows = Own().eval(), X.float()
    with torch.inference_mode(), Watching(module) as watching:
        module(rows)
    assert [(one.module, one.operation) for one in watching.seen] == [
        ("inside (Linear)", "linear"), ("Own", "relu"), ("Own", "dropout"),
    ]  # fmt: skip
    assert [one.drops for one in watching.seen] == [False, False, True]
    assert np.isfinite(watching.seen[1].dead)


def test_looking_takes_batch_norm_by_the_rows_own_statistics_and_leaves_everything_as_it_was():
    net = net_of(nn.BatchNorm1d(6), nn.Dropout(0.5))
    before = {name: held.clone() for name, held in net.module.named_buffers()}
    outputs = probe_of(net).outputs(net.start())
    middle = net.module[0](X)
    normed = (middle - middle.mean(0)) / (middle.var(0, unbiased=False) + 1e-5).sqrt()
    assert torch.allclose(outputs, net.module[3](normed))
    assert all(torch.equal(held, before[name]) for name, held in net.module.named_buffers())


def test_a_plan_on_a_network_takes_all_of_them_and_each_has_a_price():
    net = net_of(nn.ReLU())
    gauges = [made() for made in NETWORK_GAUGES.values()]
    bare, seen = (
        Plan(step="adam", rate=0.01, amount=2).run(net),
        Plan(step="adam", rate=0.01, amount=2).run(net, gauges=gauges),
    )
    assert np.array_equal(bare.w, seen.w)  # looking changes nothing
    for gauge in gauges:
        assert np.isfinite(seen.trace[gauge.name()]).all()
        assert gauge.price(1000) > gauge.price(10_000) > 0.0
    assert len(probe_of(net)) == ROWS
    assert PARTS * 4 <= ROWS
