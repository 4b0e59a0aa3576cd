"""Pictures of what a network's walk met hold what its gauges read, and say where something is not known."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from fallline import InputError, Net, Plan
from fallline.figures import draw_noise, draw_rates, edge_of, scale_of
from fallline.torch.gauges import NoiseScale, PreconditionedCurvature, TopCurvature


def network(step="momentum", **settings):
    X, y = load_digits(return_X_y=True)
    torch.manual_seed(0)
    net = Net(nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)), (X / 16, y))
    return Plan(**{"step": step, "rate": 0.05, "batch_size": 64, "amount": 2, **settings}).run(net, looks=4)


def test_a_networks_noise_scale_is_drawn_beside_its_batch_and_its_rate_beside_the_edge():
    run = network()
    found = run.explain().trajectory()
    net, w = run.objective, run.trace.points[-1]
    ends = [NoiseScale(end).read(net, w) for end in ("low", "", "high")]
    np.testing.assert_allclose([found.low[-1], found.middle[-1], found.high[-1]], ends)
    assert (found.low <= found.middle).all()
    np.testing.assert_allclose(found.local[-1], 2 * 1.9 / TopCurvature().read(net, w))  # heavy ball of 0.9
    assert set(found.rate) == {0.05}
    scale = scale_of(found)
    assert scale.guides == (("rows a step", 64.0),)
    over = found.low > 64
    assert scale.moment == found.t[np.argmax(over)] or not over.any() or over[0]
    assert draw_noise(scale, "dark").data[1].line.color != draw_noise(scale).data[1].line.color
    assert edge_of(found).lines[1].values is found.local
    assert [line.name for line in draw_rates(edge_of(found), "dark").data] == ["rate", "edge"]
    assert [heading for heading, _ in run.explain().plots()] == [
        "Where it shows",
        "Noise and signal",
        "The rate and its limits",
    ]


def test_the_edge_of_adam_is_of_preconditioned_curvature():
    run = network("adam", rate=0.003, amount=1)
    found = run.explain().trajectory()
    np.testing.assert_allclose(
        found.local[-1], 38 / PreconditionedCurvature().read(run.objective, run.trace.points[-1])
    )


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"step": "auto", "rate": None, "batch_size": None}, {"rates": "heavy ball"}),
        ({"variant": "batch", "batch_size": None, "amount": 8}, {"noise": "no noise"}),
    ],
    ids=["default", "batch"],
)
def test_what_is_not_known_of_a_network_is_not_drawn_and_says_why(settings, missing):
    found = network(**settings).explain()
    assert found.trajectory().missing.keys() == missing.keys()
    pictures, undrawn = found.pictures()
    assert len(pictures) == 2
    assert len(undrawn) == 1
    assert next(iter(missing.values())) in undrawn[0]


def test_a_networks_trace_without_points_is_refused():
    run = network(amount=1)
    run.trace.points = []
    with pytest.raises(InputError, match="fewer looks"):
        run.explain().trajectory()
