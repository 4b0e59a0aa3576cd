"""Batches that data bring: tuples and dicts, weights of rows, and what is said about one that does not suit the others."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from fallline import InputError, Net, Plan
from fallline.explain.networks import NetCase
from fallline.plane import surface_of
from fallline.torch import find_rate
from fallline.torch.gauges import NETWORK_GAUGES

ROWS, WIDE, SIZE = 192, 6, 32
CHANCE = torch.Generator().manual_seed(3)
X = torch.randn(ROWS, WIDE, generator=CHANCE)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).long()
ADAM = Plan(step="Adam", rate=0.01, amount=2)


def batches(inputs, targets=Y):
    """In their order, SIZE rows each; inputs: of rows, what the module is given."""
    return [(inputs(X[k : k + SIZE]), targets[k : k + SIZE]) for k in range(0, ROWS, SIZE)]


class Halves(nn.Module):
    """Takes its columns in two parts, however they come, or all at once."""

    def __init__(self, *between):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(WIDE, 16), nn.ReLU(), *between, nn.Linear(16, 2))

    def forward(self, part):
        if isinstance(part, torch.Tensor):
            part = part[:, :3], part[:, 3:]
        parts = part.values() if isinstance(part, dict) else part
        return self.layers(torch.cat(list(parts), 1))


FORMS = {
    "a tuple": lambda x: (x[:, :3], x[:, 3:]),
    "a dict": lambda x: {"left": x[:, :3], "right": x[:, 3:]},
}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDE, 8), nn.Tanh(), nn.Linear(8, 2))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_found_out_about_inputs_in_parts_is_that_of_inputs_in_one(form):
    parts, one = (Net(Halves(), batches(inputs)) for inputs in (FORMS[form], lambda x: x))
    for gauge in NETWORK_GAUGES.values():
        assert gauge().read(parts, parts.start()) == pytest.approx(gauge().read(one, one.start()), rel=1e-5)
    assert NETWORK_GAUGES["noise_scale"]().read(parts, parts.start()) > 1.0
    runs = [ADAM.run(net, looks=3) for net in (parts, one)]
    assert np.array_equal(runs[0].w, runs[1].w)
    surfaces = [surface_of(net, [run.trace], points=3) for net, run in zip((parts, one), runs, strict=True)]
    np.testing.assert_allclose(surfaces[0].heights, surfaces[1].heights, rtol=1e-6)


def shuffled(part):
    return DataLoader(TensorDataset(X, Y), batch_size=SIZE, shuffle=True)


def made(part):
    def play(module, seed):
        chance = torch.Generator().manual_seed(seed)
        while True:
            rows = torch.randint(ROWS, (SIZE,), generator=chance)
            yield X[rows], Y[rows]

    return play


@pytest.mark.parametrize("data", [shuffled, made, *FORMS.values()])
def test_a_run_is_explained_whatever_brings_its_batches(data):
    """A rectifier whose units are all off is named, on rows that come in any form."""
    module = Halves(nn.Linear(16, 16), nn.ReLU())
    with torch.no_grad():
        module.layers[2].bias.fill_(-50.0)
    rows = batches(data) if data in FORMS.values() else data(None)
    run = Plan(step="Adam", rate=0.01, amount=3).run(Net(module, rows, batches=6))
    assert any("layers.3" in str(one) for one in run.explain().findings)


def test_targets_in_a_tuple_are_walked_explained_and_given_a_rate():
    """As policies have them: what was done, and what it was worth."""

    def loss(outputs, targets):
        done, worth = targets
        return (functional.cross_entropy(outputs, done, reduction="none") * worth).mean()

    worth = torch.rand(ROWS, generator=CHANCE)
    rows = [(X[k : k + SIZE], (Y[k : k + SIZE], worth[k : k + SIZE])) for k in range(0, ROWS, SIZE)]
    net = Net(network(), rows, loss)
    run = ADAM.run(net)
    assert run.trace.last("loss") < run.trace["loss"][0]
    case = NetCase(run, ADAM)
    assert np.isnan(case.unknowing)  # no rule that needs plain targets speaks
    assert np.isnan(case.chance)
    assert not run.explain().findings
    assert 1e-4 < find_rate(net, ADAM, seeds=1, race=False).pick < 10
    below = Net(network(), rows, lambda outputs, targets: loss(outputs, targets) - 9.0)
    with pytest.raises(InputError, match="above zero"):
        find_rate(below, ADAM, seeds=1, race=False)


def test_sequences_of_several_lengths_are_walked_and_explained():
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.inside, self.out = nn.Embedding(9, 8), nn.Linear(8, 2)

        def forward(self, x):
            return self.out(self.inside(x).mean(1))

    texts = [(torch.randint(9, (SIZE, length), generator=CHANCE), Y[:SIZE]) for length in (5, 7, 6)]
    run = ADAM.run(Net(Mean(), texts))
    assert run.state.t == 6
    assert run.explain().sentences


def test_weights_of_rows_may_come_with_every_batch():
    weights = torch.rand(ROWS, generator=CHANCE) + 0.5
    loaded = Net(network(), DataLoader(TensorDataset(X, Y, weights), batch_size=SIZE))
    listed = Net(network(), [(X, Y, weights)] * 3)
    held = Net(network(), (X, Y, weights))
    assert loaded.value(loaded.start()) == pytest.approx(held.value(held.start()), rel=1e-6)
    assert listed.value(listed.start()) == pytest.approx(held.value(held.start()), rel=1e-6)
    assert held.value(held.start()) != pytest.approx(Net(network(), (X, Y)).value(held.start()), rel=1e-3)
    assert ADAM.run(loaded).trace.last("loss") < loaded.value(loaded.start())
    wrong = [(X[:SIZE], Y[:SIZE], weights[:SIZE]), (X[:SIZE], Y[:SIZE], weights[:8])]
    with pytest.raises(InputError, match=r"Batch 2: the weights are \(8,\) in a batch of 32 rows"):
        ADAM.run(Net(network(), wrong))


LATER = {
    "a label too high": (X, Y + 5, None, "the target of row 0 .* the module has 2 outputs"),
    "other columns": (X[:, :3], Y, None, r"the module cannot take inputs of shape \(32, 3\)"),
    "fewer targets": (X, Y[: SIZE - 4], None, r"shapes do not meet: .* the targets are \(28,\)"),
    "no numbers": (X.to("meta"), Y, None, 'the data are on the device "meta"'),
    "amounts that broadcast": (X, X[:, 0], "mse", r"shapes do not meet: .* the targets are \(32,\)"),
    "a number missing": (X.clone().index_fill_(1, torch.tensor(2), torch.nan), Y, None, "have nan in row 0, number 2"),
    "parts": (X, None, None, "batch 2 has 1 parts"),
}  # fmt: skip


@pytest.mark.parametrize("played", [False, True])
@pytest.mark.parametrize("case", LATER)
def test_a_later_batch_that_does_not_suit_is_named(case, played):
    """Where the losses of the start are measured, and, of batches that are made on the way, at the step."""
    inputs, targets, loss, says = LATER[case]
    good = (X[:SIZE], X[:SIZE, :2] if loss else Y[:SIZE])
    rows = [good, tuple(part[:SIZE] for part in (inputs, targets) if part is not None)] + [good] * 2
    net = Net(network(), (lambda module, seed: iter(rows)) if played else rows, loss, batches=4)
    where = "" if case == "parts" else "Step 2, batch 2 of the pass: " if played else "Batch 2: "
    with pytest.raises(InputError, match=f"{where}.*{says}" if not where else f"^{where}.*{says}"):
        ADAM.run(net)


def test_a_walk_that_ran_away_is_not_blamed_on_the_batches_that_it_makes():
    def play(module, seed):
        while True:
            yield X[:SIZE] * module[0].weight.detach().sum(), X[:SIZE, :2]

    run = Plan(step="SGD", rate=1e6, amount=2).run(Net(network(), play, batches=8))
    assert run.diverged
    assert np.isnan(run.trace.steps["loss"]).any()


def test_an_error_of_the_modules_own_stays_what_it_is():
    class Odd(nn.Linear):
        def forward(self, x):
            if self.training:
                raise KeyError("mine")
            return super().forward(x)

    with pytest.raises(KeyError, match="mine"):
        ADAM.run(Net(Odd(WIDE, 2), (X, Y)))


def test_parts_of_a_short_last_batch_leave_no_row_alone_with_batch_norm():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(WIDE, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    rows = 2 * SIZE + 5
    run = Plan(step="Adam", rate=0.01, batch_size=SIZE, amount=2).run(Net(module, (X[:rows], Y[:rows]), accumulate=4))
    assert run.state.t == 6


def test_layers_in_half_the_bits_learn_in_weights_of_float32():
    plan = Plan(step="Adam", rate=0.01, batch_size=SIZE, amount=4)
    half, full = (plan.run(Net(network(), (X, Y), precision=kind)) for kind in ("bfloat16", None))
    assert half.w.dtype == np.float32
    assert half.trace.last("loss") < 0.9 * half.trace["loss"][0]
    assert not np.array_equal(half.w, full.w)
    assert half.trace.last("loss") == pytest.approx(full.trace.last("loss"), rel=0.02)
