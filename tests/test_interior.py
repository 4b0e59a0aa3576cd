"""The interior point method: the optimum of losses with corners, against programs that others solve, and a bound that holds."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import svm

from fallline.errors import InputError
from fallline.executors.interior import InteriorPoint, few_rows
from fallline.losses import AbsoluteError, EpsilonInsensitive, Hinge, LogLoss, Perceptron, Quantile
from fallline.objectives import Linear
from fallline.objectives.corners import corners_of
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.solver import Solver, solve, stop_of, walked
from fallline.stops import AnyOf, Updates
from test_reference import linear_program
from test_solve import table, targets

ROWS = 200
ALPHA = 0.02
CLOSE = 1e-8  # of the height: heights of two exact solvers of one problem
NAMES = {"hinge": Hinge(), "absolute_error": AbsoluteError(), "quantile:level=0.9": Quantile(0.9),
         "epsilon_insensitive": EpsilonInsensitive(0.1)}  # fmt: skip
STORES = {"float64": np.array, "float32": lambda X: X.astype(np.float32), "sparse": sp.csr_array}
PENALTIES = {"none": NoPenalty(), "l2": L2(ALPHA), "l1": L1(ALPHA), "elasticnet": ElasticNet(ALPHA, 0.5)}


def walk(objective, tol=1e-9, **also):
    """The method alone, whatever the solver would take."""
    solver = Solver(InteriorPoint(), InteriorPoint().sampler(), "")
    return walked(objective, solver, AnyOf((*stop_of(objective, tol), *also.pop("also", ()))), also.pop("start", None))


def rows(name="hinge", few=ROWS):
    """Raw columns of unlike size, the second one twice, and a constant; targets that do not fit them."""
    X, z = table(few)
    X = np.column_stack([X, X[:, 1], np.full(few, 7.0)]).astype(np.float32).astype(float)
    return X, targets(name.partition(":")[0], z)


@pytest.mark.parametrize("loss", [*NAMES.values(), Perceptron()], ids=str)
def test_corners_add_up_to_the_loss(loss):
    z = np.linspace(-3.0, 3.0, 61)
    for y in (-1.0, 1.0):
        parts = corners_of(loss, np.full(61, y))
        total = sum(c.low * (z - c.place) + c.jump * np.maximum(z - c.place, 0.0) for c in parts)
        assert total == pytest.approx([loss.value(y, each) for each in z], abs=1e-14)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("name", NAMES)
def test_without_a_penalty_it_ends_where_the_linear_program_does(name, store):
    X, y = rows(name)
    objective = Linear(STORES[store](X), y, NAMES[name])
    exact = linear_program(name, X / abs(X).max(axis=0), y, 0.0)  # the same program in other units
    run = walk(objective)
    assert run.trace.last("loss") == pytest.approx(exact, rel=CLOSE)
    assert objective.value(run.w) == pytest.approx(run.trace.last("loss"), rel=1e-12)


@pytest.mark.parametrize("name", ["hinge", "quantile:level=0.9"])
def test_with_an_l1_share_it_ends_where_the_linear_program_does_with_the_same_zeros(name):
    X, y = rows(name)
    X = X[:, :4] / abs(X[:, :4]).max(axis=0)
    run = walk(Linear(X, y, NAMES[name], L1(ALPHA)))
    assert run.trace.last("loss") == pytest.approx(linear_program(name, X, y, ALPHA), rel=CLOSE)
    assert 0 < (run.w == 0.0).sum() < 4


@pytest.mark.parametrize("name", ["hinge", "absolute_error", "epsilon_insensitive"])
def test_with_weights_a_penalty_and_a_free_intercept_it_ends_where_libsvm_does(name):
    X, y = rows(name)
    X = X / X.std(axis=0).clip(1.0)
    weights = np.random.default_rng(4).exponential(size=ROWS)
    weights[::10] = 0.0
    objective = Linear(X, y, NAMES[name], L2(ALPHA), weights=weights)
    rest = {"kernel": "linear", "C": 1.0 / (ALPHA * weights.sum()), "tol": 1e-10}
    model = svm.SVC(**rest) if name == "hinge" else svm.SVR(epsilon=getattr(NAMES[name], "epsilon", 0.0), **rest)
    model.fit(X, y, sample_weight=weights)
    theirs = objective.value(np.append(model.coef_.ravel(), model.intercept_))
    run = walk(objective)
    assert run.trace.last("loss") <= theirs * (1.0 + CLOSE)
    assert theirs <= run.trace.last("loss") * (1.0 + 1e-6)  # and it is the same problem that they solve


def test_more_columns_than_rows_are_walked_on_the_triangle():
    X = np.random.default_rng(0).standard_normal((60, 900)) * np.geomspace(0.1, 1.0, 900)
    y = np.where(X[:, -5:].sum(axis=1) > 0, 1.0, -1.0)
    for intercept in (False, True):
        objective = Linear(X, y, Hinge(), L2(1.0), intercept=intercept)
        run = walk(objective)
        dual = svm.LinearSVC(loss="hinge", C=1.0 / 60, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(X, y)
        rest = svm.SVC(kernel="linear", C=1.0 / 60, tol=1e-10).fit(X, y)
        w = np.append(rest.coef_, rest.intercept_) if intercept else dual.coef_.ravel()
        assert run.trace.last("loss") == pytest.approx(objective.value(w), rel=1e-7)
        assert objective.value(run.w) == pytest.approx(run.trace.last("loss"), rel=1e-9)
        assert len(run.state.memory[1]) == 60 + intercept


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", [*NAMES, "perceptron"])
def test_every_bound_holds_and_the_loss_never_rises(name, penalty):
    X, y = rows(name, 120)
    offset, weights = 0.1 * X[:, 1], np.random.default_rng(5).exponential(size=120)
    objective = Linear(X, y, NAMES.get(name, Perceptron()), PENALTIES[penalty], offset=offset, weights=weights)
    whole = walk(objective, 0.0, also=(Updates(40),))
    lowest = whole.trace["loss"].min()
    assert (np.diff(whole.trace["loss"]) <= 0.0).all()
    for steps in (1, 4, 8, 12):
        run = walk(objective, 0.0, also=(Updates(steps),))
        true = objective.value(run.w) - lowest
        assert InteriorPoint().proven(run.state) >= true - 1e-12 * abs(whole.trace["loss"][0])
    assert whole.trace.last("excess") <= 1e-8 * whole.trace["loss"][0]


def test_classes_told_apart_without_a_penalty_are_fitted_without_an_error():
    X, z = table(ROWS)
    for loss in (Hinge(), Perceptron()):
        run = solve(Linear(X, np.where(z > 0, 1.0, -1.0), loss), 1e-6)
        assert run.trace.last("loss") <= 1e-8
    alone = solve(Linear(X, np.ones(ROWS), Hinge(), L2(ALPHA)))  # one class: the intercept does it all
    assert alone.trace.last("loss") <= 1e-6


@pytest.mark.parametrize("target", [-1e30, 1e200])
def test_a_row_without_weight_may_hold_any_target(target):
    X, y = rows("absolute_error")
    wild, weights = np.append(y, target), np.append(np.ones(ROWS), 0.0)
    run = walk(Linear(np.vstack([X, X[:1]]), wild, AbsoluteError(), weights=weights))
    assert run.trace.last("loss") == pytest.approx(walk(Linear(X, y, AbsoluteError())).trace.last("loss"), rel=CLOSE)


def test_resuming_equals_never_stopping():
    X, y = rows()
    for objective in (Linear(X, y, Hinge(), L2(ALPHA)), Linear(X[:4], y[:4], Hinge(), L2(ALPHA))):
        whole = walk(objective, 0.0, also=(Updates(7),))
        again = walk(objective, 0.0, also=(Updates(7),), start=walk(objective, 0.0, also=(Updates(3),)))
        assert np.array_equal(whole.w, again.w)
        assert np.array_equal(whole.trace["excess"], again.trace["excess"])


def test_a_start_is_not_left_for_anything_higher():
    X, y = rows()
    objective = Linear(X, y, Hinge(), L2(ALPHA))
    best = walk(objective)
    run = walk(objective, start=best.w * 1.001)
    assert (run.trace["loss"] <= run.trace["loss"][0]).all()
    assert run.trace.last("loss") == pytest.approx(best.trace.last("loss"), rel=1e-8)


def test_the_solver_takes_it_where_its_matrices_are_affordable_and_says_so():
    X, y = rows()
    run = solve(Linear(X, y, Hinge(), L2(ALPHA)), 1e-6, certify=True)
    assert run.trace.about["solver"] == "steps of a primal-dual interior point method"
    assert run.trace.about["proof"] == "duality"
    assert run.trace.about["bound"] <= 3.0 * run.trace.last("excess")
    assert not few_rows(Linear(np.ones((3, 1600)), y[:3], Hinge(), L1(ALPHA)))
    assert few_rows(Linear(np.ones((3, 1600)), y[:3], Hinge(), L2(ALPHA)))


def test_losses_without_corners_are_refused():
    X, y = rows()
    with pytest.raises(InputError, match="LogLoss"):
        walk(Linear(X, y, LogLoss()))
