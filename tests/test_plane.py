"""The surface over two parameters, or over the plane that holds the most of the paths."""

import numpy as np
import pytest

from fallline.errors import InputError
from fallline.figures import draw_relief, draw_surface
from fallline.figures.style import counterparts
from fallline.figures.surface import STEPS, left_out
from fallline.objectives import Function, Linear
from fallline.plane import LEVELS, surface_of
from walks import a_walk


def recoloured(value, swap):
    """A figure with every light colour exchanged for its dark counterpart."""
    if isinstance(value, dict):
        return {name: recoloured(inner, swap) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [recoloured(inner, swap) for inner in value]
    return swap.get(value, value) if isinstance(value, str) else value


def bowl(*curvatures):
    scale = np.array(curvatures, float)
    return Function(lambda w: 0.5 * float(w @ (scale * w)), lambda w: scale * w, np.ones(len(scale)))


def walk_down(objective, start, rate=0.1, looks=40, **about):
    path = [np.asarray(start, float)]
    for _ in range(looks - 1):
        path.append(path[-1] - rate * objective.gradient(path[-1]))
    return a_walk(objective.values(np.array(path)), path=path, n=1, batch=1, rate=rate, **about)


def test_two_parameters_are_shown_exactly():
    objective = bowl(1, 4)
    surface = surface_of(objective, [walk_down(objective, (1.0, 1.0))], points=21, best=np.zeros(2))
    assert surface.kind == "exact"
    assert surface.left_out == 0.0
    assert surface.names == ("size", "intercept")
    assert surface.best == (0.0, 0.0)
    assert surface.start == (1.0, 1.0)
    expected = 0.5 * surface.x[None, :] ** 2 + 2.0 * surface.y[:, None] ** 2
    assert surface.heights == pytest.approx(expected)
    assert surface.lowest == 0.0
    assert len(surface.levels) == LEVELS
    assert np.ptp(np.diff(np.log(surface.levels))) == pytest.approx(0.0, abs=1e-9)


def test_every_sane_path_is_inside_the_picture():
    objective = bowl(1, 4)
    walks = [walk_down(objective, start) for start in ((1.0, 1.0), (-2.0, 0.5), (0.3, -3.0))]
    surface = surface_of(objective, walks)
    for path in surface.paths:
        assert not path.left
        assert surface.x[0] < path.x.min() <= path.x.max() < surface.x[-1]
        assert surface.y[0] < path.y.min() <= path.y.max() < surface.y[-1]


def test_a_path_that_runs_away_is_cut_on_the_edge():
    objective = bowl(1, 4)
    away = walk_down(objective, (1.0, 1.0), rate=0.6, looks=20, diverged=True)
    surface = surface_of(objective, [walk_down(objective, (1.0, 1.0)), away])
    path = surface.paths[1]
    assert path.left
    assert len(path.x) < 20
    edge = np.array([path.y[-1] - surface.y[0], surface.y[-1] - path.y[-1]])
    assert abs(edge).min() == pytest.approx(0.0, abs=1e-9)


def test_where_everything_runs_away_there_is_still_a_picture():
    objective = bowl(1, 4)
    surface = surface_of(objective, [walk_down(objective, (1.0, 1.0), rate=0.6, diverged=True)], best=np.zeros(2))
    assert surface.paths[0].left
    assert np.isfinite(surface.heights).all()
    assert draw_surface(surface).layout.meta["title"].startswith("Every path leaves the picture")


def test_the_plane_holds_a_path_that_lies_in_one():
    objective = bowl(1, 4, 9, 16)
    surface = surface_of(objective, [walk_down(objective, (1.0, 0.0, 2.0, 0.0), rate=0.05)], best=np.zeros(4))
    assert surface.kind == "plane"
    assert surface.left_out == pytest.approx(0.0, abs=1e-12)
    assert surface.paths[0].gap < 0.05  # only what the grid's corners cut off
    assert surface.start[0] <= 0.0 <= surface.start[1]
    assert surface.lowest == pytest.approx(0.0, abs=1e-9)


def test_the_share_left_out_is_that_of_the_third_direction():
    objective = bowl(1, 1, 1)
    path = np.array([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    walk = a_walk(objective.values(path), path=path, n=1, batch=1)
    surface = surface_of(objective, [walk], best=np.zeros(3))
    assert surface.left_out == pytest.approx(1 / 14)
    assert left_out(surface) == "this plane leaves out 7.14 % of the paths"
    off = surface.paths[0]
    assert off.heights[2] == pytest.approx(0.5)  # true, though its shadow lies at the optimum
    assert off.ground[2] == pytest.approx(0.0, abs=0.02)
    assert off.gap == pytest.approx(0.5, abs=0.02)


def test_two_chosen_parameters_leave_out_the_rest():
    objective = bowl(1, 1, 1)
    path = np.array([[3.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    walk = a_walk(objective.values(path), path=path, n=1, batch=1, columns=["a", "b"])
    by_name = surface_of(objective, [walk], choose=("a", "b"), best=np.zeros(3))
    by_place = surface_of(objective, [walk], choose=(0, 1), best=np.zeros(3))
    assert by_name.kind == "chosen"
    assert by_name.names == by_place.names == ("a", "b")
    assert by_name.left_out == pytest.approx(16 / 25)
    assert np.array_equal(by_name.heights, by_place.heights)


@pytest.mark.parametrize(
    ("size", "columns", "choose", "words"),
    [
        (1, ["a"], None, "one parameter"),
        (3, ["a", "b"], ("a", "c"), "no parameter 'c'"),
        (3, ["a", "b"], (0, 7), "no parameter 7"),
        (3, ["a", "b"], ("a", 0), "twice"),
    ],
)
def test_a_plane_that_cannot_be_is_refused(size, columns, choose, words):
    walk = a_walk([1.0, 0.5], path=np.ones((2, size)), n=1, columns=columns)
    with pytest.raises(InputError, match=words):
        surface_of(bowl(*[1.0] * size), [walk], choose=choose)


def test_without_paths_there_is_no_surface():
    with pytest.raises(InputError, match="keep no paths"):
        surface_of(bowl(1, 1), [a_walk([1.0, 0.5])])


def test_large_tables_are_seen_through_a_sample_of_their_rows(monkeypatch):
    chance = np.random.default_rng(0)
    X = chance.normal(size=(2000, 1))
    objective = Linear(X, 2 * X[:, 0] + 1 + 0.1 * chance.normal(size=2000))
    path = np.array([[0.0, 0.0], [2.0, 1.0]])
    walk = a_walk(objective.values(path), path=path, n=2000)
    full = surface_of(objective, [walk], points=11)
    assert (full.rows, full.n) == (2000, 2000)
    monkeypatch.setattr("fallline.plane.WORK", 500 * 11**2)
    sampled = surface_of(objective, [walk], points=11)
    assert sampled.rows == 500
    assert sampled.heights == pytest.approx(full.heights, rel=0.2, abs=0.05)
    assert not np.array_equal(sampled.heights, full.heights)
    assert "500 of 2,000 rows" in draw_surface(sampled).layout.meta["how"]


def test_contours_and_relief_carry_every_path_a_slider_and_the_share_left_out():
    objective = bowl(1, 4, 9)
    walks = [
        walk_down(objective, (1.0, 1.0, 1.0), name="batch · rate 0.1"),
        walk_down(objective, (1.0, 1.0, 1.0), rate=0.05, variant="mini-batch", name="mini-batch 8 · rate 0.05"),
    ]
    surface = surface_of(objective, walks, best=np.zeros(3))
    flat, relief = draw_surface(surface), draw_relief(surface, "dark")
    assert sum(trace.showlegend is not False for trace in flat.data if trace.type == "scatter") == 2
    assert sum(trace.showlegend is not False for trace in relief.data if trace.type == "scatter3d") == 2
    assert relief.data[0].type == "surface"
    for figure in (flat, relief):
        assert len(figure.frames) == len(figure.layout.sliders[0].steps) == STEPS
        last = figure.frames[-1]
        for index, trace in zip(last.traces, last.data, strict=True):
            assert list(trace.x) == pytest.approx(list(figure.data[index].x), abs=1e-4)
        assert len(figure.frames[0].data[0].x) == 1
    texts = [note.text for note in flat.layout.annotations]
    assert any("leaves out" in text for text in texts)
    assert "<b>start</b>" in texts
    assert "<b>optimum</b>" in texts
    swap = counterparts()
    for draw in (draw_surface, draw_relief):
        assert recoloured(draw(surface).to_plotly_json(), swap) == recoloured(
            draw(surface, "dark").to_plotly_json(), swap
        )
    # a path below the surface would be hidden by it
    heights = np.array(relief.data[1].z)
    assert (heights >= surface.paths[0].ground - 1e-4).all()
