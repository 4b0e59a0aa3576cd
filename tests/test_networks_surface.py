"""The cost surface of a network: heights from some of the rows, as far off as they say, and directions of fair length."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fallline import Net, Plan
from fallline.figures import draw_relief, draw_surface
from fallline.plane import surface_of

OFF = 4.0
"""Standard errors that a height may be off by, at any of 441 points that share their rows."""


def task(rows, *, loader=False):
    chance = torch.Generator().manual_seed(0)
    X = torch.randn(rows, 6, generator=chance)
    y = (X[:, 0] * X[:, 1] + 0.1 * torch.randn(rows, generator=chance) > 0).long()
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 2))
    data = DataLoader(TensorDataset(X, y), batch_size=64) if loader else (X, y)
    return Net(module, data)


@pytest.fixture(scope="module")
def walked():
    net = task(20_000)
    return net, Plan(step="adam", rate=0.01, batch_size=256, amount=3).run(net, looks=6)


@pytest.mark.parametrize("loader", [False, True])
def test_heights_on_all_rows_are_the_loss(loader):
    net = task(200, loader=loader)
    points = net.start() + 0.3 * np.random.default_rng(0).standard_normal((5, net.size)).astype(np.float32)
    found = net.survey(points, 5, net.start())
    assert found.rows == 200
    np.testing.assert_allclose(
        found.heights, net.values(points), rtol=2e-2 if loader else 1e-3
    )  # chunks of 16, a short last one
    assert not found.errors.any()


def test_heights_on_some_rows_are_off_by_no_more_than_they_say_and_by_little_of_the_range(walked):
    net, run = walked
    surface = surface_of(net, [run.trace])
    assert surface.heights.shape == (21, 21)
    assert surface.rows == 453  # two epochs by 441 points, a row evaluated at a fifth of a row trained on
    basis = run.trace.path - run.w
    chosen = np.random.default_rng(0).choice(len(basis), 6)
    points = run.w + 0.7 * basis[chosen]
    found = net.survey(points, 441, run.w)
    apart = np.abs(found.heights - net.values(points))
    assert (apart <= OFF * found.errors + 1e-6).all()
    assert 0 < surface.error <= 0.03 * np.ptp(surface.heights)
    assert "mainly 0.weight" in surface.names[0]


def test_random_directions_are_as_long_as_the_filters_and_leave_vectors_alone(walked):
    net, run = walked
    first, second = net.filtered(run.w)
    assert abs(first @ second) < 0.5 * (first @ first)
    pieces = [net.flat.pieces(torch.from_numpy(vector)) for vector in (run.w, first, second)]
    for weights, *drawn in zip(*pieces, strict=True):
        for piece in drawn:
            if weights.ndim < 2:
                assert not piece.any()
            else:
                torch.testing.assert_close(piece.norm(dim=1), weights.norm(dim=1))
    surface = surface_of(net, [run.trace], directions=net.filtered(run.w))
    assert surface.kind == "directions"
    assert surface.x[-1] - surface.x[0] == pytest.approx(2 * np.linalg.norm(first), rel=1e-5)


def test_the_picture_says_what_was_measured_and_drops_lines_from_the_path(walked):
    net, run = walked
    surface = surface_of(net, [run.trace])
    for draw in (draw_surface, draw_relief):
        how = draw(surface).layout.meta["how"]
        assert "heights are taken on 453 of 20,000 rows and off by" in how
    relief = draw_relief(surface)
    drops = [trace for trace in relief.data if trace.type == "scatter3d" and None in tuple(trace.z)]
    assert len(drops) == 1
    assert all(high > low for high, low in zip(drops[0].z[::3], drops[0].z[1::3], strict=True))


def test_rows_that_a_function_makes_are_counted_as_rows_and_never_all():
    def play(module, seed):
        chance = torch.Generator().manual_seed(seed)
        while True:
            x = torch.randn(32, 4, generator=chance)
            yield x, (x[:, 0] > 0).long()

    torch.manual_seed(0)
    net = Net(nn.Linear(4, 2), play, batches=20)
    run = Plan(step="adam", rate=0.01, amount=2).run(net, looks=5)
    surface = surface_of(net, [run.trace], points=5)
    assert surface.rows == 256
    assert surface.of == np.inf
    assert 0.0 < surface.error < np.ptp(surface.heights)
    assert "heights are taken on 256 rows and off by" in draw_surface(surface).layout.meta["how"]
