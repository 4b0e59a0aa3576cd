"""The picture of sketched curvature: its two panels are one surface, and its numbers are those of the objective."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from fallline.comparison.bowl import bowl_of
from fallline.figures import draw_bowl
from fallline.losses import CLASSIFICATION, LOSSES, POSITIVE, Huber, LogLoss, SquaredError
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import L1, L2, ElasticNet
from fallline.reference import optimum_of
from fallline.solver import solve

n, d = 300, 4
chance = np.random.default_rng(0)
shared = chance.normal(size=n)
X = np.column_stack(
    [shared + 0.3 * chance.normal(size=n), shared + 0.3 * chance.normal(size=n), chance.normal(size=(n, 2))]
)
z = X @ [1.0, 0.8, -0.5, 0.0] + 0.4
NAMES = ["a", "b", "c", "d", "intercept"]


def targets(loss):
    if loss in CLASSIFICATION:
        return np.where(z + 1.5 * chance.normal(size=n) > 0, 1.0, -1.0)
    return np.exp(0.3 * z) * chance.gamma(2.0, size=n) + 0.1 if loss in POSITIVE else z + chance.normal(size=n)


def bowl(objective, **settings):
    return bowl_of(objective, optimum_of(objective).w, NAMES * 3, **settings)


def test_the_most_entangled_coefficients_are_shown_at_their_optimum():
    objective = Linear(X, targets("squared_error"), SquaredError(), L2(1e-4))
    best = optimum_of(objective).w
    found = bowl(objective, condition=100.0)
    assert found.names == ("b", "a") or found.names == ("a", "b")
    assert found.whole == 10.0
    pair = [NAMES.index(name) for name in found.names]
    middle = [found.valley.x.mean(), found.valley.y.mean()]
    np.testing.assert_allclose(middle, best[pair], rtol=1e-6)
    w = best.copy()
    w[pair] = found.valley.x[7], found.valley.y[50]
    assert found.valley.heights[50, 7] == pytest.approx(objective.value(w) - objective.value(best), rel=1e-6)
    w[pair] = found.valley.path[3]
    assert objective.value(w) > objective.value(best)


def test_the_sketch_makes_the_valley_round_and_one_step_of_least_squares_goes_to_the_middle():
    found = bowl(Linear(X, targets("squared_error"), SquaredError(), L2(1e-4)))
    assert found.valley.ratio > 3.0
    assert found.bowl.ratio == pytest.approx(1.0)
    assert len(found.bowl.path) == 2
    assert len(found.valley.path) > 8  # it takes the ratio's square and more
    np.testing.assert_allclose(found.bowl.path[-1], 0.0, atol=1e-6)
    radius = np.hypot(*np.meshgrid(found.bowl.x, found.bowl.y))
    np.testing.assert_allclose(found.bowl.heights, 0.5 * radius**2, rtol=1e-6, atol=1e-9)


def test_a_sketch_of_some_rows_is_said_to_be_one_and_nearly_round():
    rows = np.random.default_rng(1).normal(size=(30_000, 3)) @ [[1.0, 0.9, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 1.0]]
    noise = np.random.default_rng(2).normal(size=30_000)
    objective = Linear(rows, rows.sum(axis=1) + noise, Huber(1.0), L2(1e-4))
    found = bowl(objective)
    assert (found.sketched, found.rows, found.n) == (10_000, 20_000, 30_000)
    assert 1.0 < found.bowl.ratio < 1.05 < found.valley.ratio
    how = draw_bowl(found).layout.meta["how"]
    assert "the curvature of 10,000 of 30,000 rows" in how
    assert "heights are taken on 20,000 rows" in how


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "perceptron"])  # which has nothing to descend
def test_every_loss_has_a_bowl(loss):
    found = bowl(Linear(X, targets(loss), LOSSES[loss](), L2(1e-3)))
    assert found.rounded == (not LOSSES[loss]().smooth())
    assert found.bowl.arrived
    assert len(found.bowl.path) <= len(found.valley.path) or found.valley.ratio < 1.5
    figure = draw_bowl(found, theme="dark")
    assert f"{len(found.bowl.path) - 1} step" in figure.layout.meta["title"]


def test_one_class_of_several_is_shown_against_the_others():
    y = np.digitize(z + chance.normal(size=n), [-1.0, 1.0])
    objective = SoftmaxRegression(X, y, 3, L2(1e-3))
    best = optimum_of(objective).w
    names = [f"{name}{k}" for k in range(3) for name in "abcd"] + ["i"] * 3
    found = bowl_of(objective, best, names)
    w = best.copy()
    pair = [names.index(name) for name in found.names]
    w[pair] = found.valley.x[10], found.valley.y[40]
    rise = objective.value(w) - objective.value(best)
    assert found.valley.heights[40, 10] == pytest.approx(rise, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("penalty", [L1(0.02), ElasticNet(0.02, 0.5)])
def test_coefficients_that_a_penalty_sets_to_nought_are_not_shown(penalty):
    found = bowl(Linear(X, targets("squared_error"), SquaredError(), penalty))
    assert "d" not in found.names
    assert found.bowl.arrived
    assert found.valley.arrived


def test_sparse_rows_have_the_same_bowl_as_dense():
    y = targets("log_loss")
    holed = np.where(np.abs(X) < 0.3, 0.0, X)
    dense, sparse = (bowl(Linear(rows, y, LogLoss(), L2(1e-3))) for rows in (holed, sp.csr_array(holed)))
    np.testing.assert_allclose(dense.valley.heights, sparse.valley.heights, rtol=1e-4, atol=1e-9)


def test_a_wide_sparse_table_that_is_not_sketched_has_a_bowl_of_all_rows():
    rows = sp.random_array((3000, 1500), density=0.004, rng=np.random.default_rng(5), format="csr")
    y = np.where(rows[:, :40].sum(axis=1) > 0.05, 1.0, -1.0)
    objective = Linear(rows, y, LogLoss(), L2(1e-3))
    found = bowl_of(objective, solve(objective, 1e-6).w, [f"x{j}" for j in range(1501)])
    assert found.sketched == found.n == 3000
    assert found.bowl.arrived


def test_where_fewer_than_two_coefficients_matter_there_is_no_bowl():
    y = targets("squared_error")
    assert bowl(Linear(X[:, :1], y, SquaredError(), L2(1e-4))) is None
    assert bowl(Linear(X, y, SquaredError(), L1(100.0))) is None
    assert bowl(Linear(X, np.zeros(n), SquaredError(), L2(1e-4))) is None


def test_the_drawing_has_two_panels_with_equal_axes_and_both_walks():
    found = bowl(Linear(X, targets("squared_error"), SquaredError(), L2(1e-4)))
    figure = draw_bowl(found)
    assert [trace.type for trace in figure.data].count("contour") == 2
    assert (figure.layout.yaxis.scaleanchor, figure.layout.yaxis2.scaleanchor) == ("x", "x2")
    assert figure.layout.xaxis.title.text == found.names[0]
    assert f"becomes a round bowl: 1 step down instead of {len(found.valley.path) - 1}" in figure.layout.meta["title"]
    assert math.isnan(found.whole)
    assert "over all" not in figure.layout.meta["how"]
