"""The optimum, the stable limits and the yardstick: what every walk is held against must itself be right."""

import functools

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog
from sklearn import datasets, linear_model, svm
from threadpoolctl import threadpool_limits

from fallline.comparison.run import yardstick
from fallline.descent import descend
from fallline.executors.compiled import compiled
from fallline.gauges import GradientNorm
from fallline.losses import LOSSES, MULTICLASS, Huber, Quantile, SquaredError
from fallline.objectives import Linear
from fallline.penalties import L2, PENALTIES, NoPenalty
from fallline.plan import objective_of
from fallline.reference import limits_of, optimum, optimum_of
from fallline.samplers import Batch, WithReplacement
from fallline.schedules import Constant
from fallline.solver import solve
from fallline.steps import Plain
from fallline.stops import AnyOf, Diverged, Updates
from oracle import ALL_LOSSES

FLAT = 1e-8  # length of a gradient that is zero but for the rounding of sums over a few hundred rows
LEAST = 1e-9  # heights of two exact solvers of one problem, as a share of it
CORNERED = 1e-6  # the same where ours rounds corners ever more finely instead of solving the linear program
ALPHA = 0.01


@pytest.fixture(autouse=True)
def _one_thread():
    """As in a comparison: threads that wait for each other on a busy machine take many times as long."""
    with threadpool_limits(1):
        yield


def scaled(X):
    return np.ascontiguousarray((X - X.mean(axis=0)) / X.std(axis=0))


@functools.cache
def table(kind):
    """A hundred or two rows of a bundled set, few columns, and a target of this kind."""
    X, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    X, y = scaled(X[:200, :6]), y[:200]
    if kind == "numbers":
        return X, (y - y.mean()) / y.std()
    if kind == "counts":
        return X, np.floor(y / 50.0)
    if kind == "amounts":
        return X, y / 100.0
    if kind == "classes":
        X, y = datasets.load_iris(return_X_y=True)
        return scaled(X), y.astype(float)
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return scaled(X[:300, 4:10]), np.where(y[:300] == 1, 1.0, -1.0)  # columns whose classes overlap


def kind_of(loss):
    if loss in MULTICLASS:
        return "classes"
    accepts = LOSSES[loss.partition(":")[0]]().accepts
    return next(
        kind for kind in ("numbers", "counts", "amounts", "signs") if all(map(accepts, table(kind)[1].tolist()))
    )


@functools.cache
def problem(loss, penalty):
    X, y = table(kind_of(loss))
    return objective_of(X, y, loss, penalty, ALPHA, 0.3, 3)


@functools.cache
def solved(loss, penalty):
    return optimum_of(problem(loss, penalty))


SMOOTH = [loss for loss, part in ALL_LOSSES.items() if part.smooth()]
CORNERS = [loss for loss in LOSSES if loss not in SMOOTH]


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", SMOOTH)
def test_at_the_optimum_of_a_smooth_loss_the_slope_is_zero(loss, penalty):
    objective = problem(loss, penalty)
    steep, flat = (GradientNorm().read(objective, w) for w in (objective.start(), solved(loss, penalty).w))
    assert steep > 0.05  # no empty victory: the start is no optimum
    assert flat <= FLAT * max(1.0, steep)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", [*SMOOTH, *CORNERS])
def test_nothing_near_the_optimum_is_lower(loss, penalty):
    objective, best = problem(loss, penalty), solved(loss, penalty)
    chance = np.random.default_rng(0)
    directions = [*np.eye(objective.size), *-np.eye(objective.size), *chance.normal(size=(40, objective.size))]
    around = np.array([best.w + far * p for p in directions for far in (1e-4, 1e-2, 1.0)])
    heights = objective.values(around)
    assert best.value == objective.value(best.w)
    assert heights.min() >= best.value - CORNERED * abs(best.value)
    assert heights.max() > best.value * 1.01 or loss == "perceptron"


def coefficients(model):
    return np.concatenate([np.ravel(model.coef_), np.ravel(model.intercept_)])


X, y = table("numbers")
n = len(y)
TIGHT = {"tol": 1e-12, "max_iter": 100_000}
GLM = {"alpha": ALPHA, "tol": 1e-10, "max_iter": 10_000}
EXACT = {"solver": "newton-cholesky", **TIGHT}
OUTSIDE = {  # what fits the same objective to n rows
    ("squared_error", "none"): lambda n: linear_model.LinearRegression(),
    ("squared_error", "l2"): lambda n: linear_model.Ridge(alpha=ALPHA * n, tol=1e-12),
    ("squared_error", "l1"): lambda n: linear_model.Lasso(alpha=ALPHA, **TIGHT),
    ("squared_error", "elasticnet"): lambda n: linear_model.ElasticNet(alpha=ALPHA, l1_ratio=0.3, **TIGHT),
    ("log_loss", "none"): lambda n: linear_model.LogisticRegression(C=np.inf, **EXACT),
    ("log_loss", "l2"): lambda n: linear_model.LogisticRegression(C=1 / (ALPHA * n), **EXACT),
    ("log_loss", "elasticnet"): lambda n: linear_model.LogisticRegression(
        C=1 / (ALPHA * n), l1_ratio=0.3, solver="saga", **TIGHT
    ),
    ("softmax", "l2"): lambda n: linear_model.LogisticRegression(C=1 / (ALPHA * n), **EXACT),
    ("poisson", "l2"): lambda n: linear_model.PoissonRegressor(**GLM),
    ("gamma", "l2"): lambda n: linear_model.GammaRegressor(**GLM),
    ("tweedie", "l2"): lambda n: linear_model.TweedieRegressor(power=1.5, link="log", **GLM),
    ("absolute_error", "l2"): lambda n: svm.SVR(kernel="linear", epsilon=0.0, C=1 / (ALPHA * n), tol=1e-10),
    ("epsilon_insensitive", "l2"): lambda n: svm.SVR(kernel="linear", epsilon=0.1, C=1 / (ALPHA * n), tol=1e-10),
    ("hinge", "l2"): lambda n: svm.SVC(kernel="linear", C=1 / (ALPHA * n), tol=1e-10),
    ("quantile", "l1"): lambda n: linear_model.QuantileRegressor(quantile=0.5, alpha=ALPHA),
}


@pytest.mark.parametrize(("loss", "penalty"), OUTSIDE)
def test_nobody_else_goes_lower(loss, penalty):
    objective, best = problem(loss, penalty), solved(loss, penalty)
    X, y = table(kind_of(loss))
    theirs = objective.value(coefficients(OUTSIDE[loss, penalty](len(y)).fit(X, y)))
    scale = yardstick(objective, best.value, "").scale
    assert best.value <= theirs + (CORNERED if loss in CORNERS else LEAST) * scale
    assert theirs <= best.value + 1e-4 * scale  # and it is the same problem that they solve


def test_huber_agrees_with_scikit_learn():
    # it finds a scale beside the coefficients; given that scale, the coefficients are those of a delta of so many scales
    theirs = linear_model.HuberRegressor(epsilon=1.2, alpha=0.0, tol=1e-10, max_iter=10_000).fit(X, y)
    ours = optimum_of(Linear(X, y, Huber(1.2 * theirs.scale_)))
    np.testing.assert_allclose(ours.w, coefficients(theirs), atol=1e-5)  # where its L-BFGS stops


def linear_program(loss, X, y, lasso):
    """min mean cost + lasso·‖w‖₁ exactly: cost = max over pieces (slope, height at zero) of slope·z + height."""
    (n, d), columns = X.shape, np.column_stack([X, np.ones(len(y))])
    pieces = {
        "absolute_error": [(1.0, -y), (-1.0, y)],
        "quantile:level=0.9": [(0.1, -0.1 * y), (-0.9, 0.9 * y)],
        "epsilon_insensitive": [(1.0, -y - 0.1), (-1.0, y - 0.1), (0.0, 0.0 * y)],
        "hinge": [(-1.0, 1.0 + 0 * y), (0.0, 0.0 * y)],  # of the margin y·z
    }[loss]
    design = columns * y[:, None] if loss == "hinge" else columns
    split = np.concatenate([design, -design], axis=1)  # w = u − v, both at least 0
    A = np.concatenate([np.concatenate([slope * split, -np.eye(n)], axis=1) for slope, _ in pieces])
    b = -np.concatenate([height for _, height in pieces])
    shrunk = np.r_[np.ones(d), 0.0]
    cost = np.concatenate([lasso * shrunk, lasso * shrunk, np.full(n, 1.0 / n)])
    return linprog(cost, A_ub=A, b_ub=b, bounds=(0, None)).fun


@pytest.mark.parametrize("penalty", ["none", "l1"])
@pytest.mark.parametrize("loss", ["absolute_error", "quantile:level=0.9", "epsilon_insensitive", "hinge"])
def test_losses_with_corners_agree_with_the_linear_program(loss, penalty):
    X, y = table(kind_of(loss))
    exact = linear_program(loss, X, y, ALPHA if penalty == "l1" else 0.0)
    assert solved(loss, penalty).value == pytest.approx(exact, rel=CORNERED)
    assert solved(loss, penalty).value >= exact * (1 - LEAST)


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_sparse_rows_have_the_same_optimum(loss):
    X, y = table(kind_of(loss))
    holed = np.where(np.abs(X) < 0.4, 0.0, X)
    dense, sparse = (
        optimum_of(objective_of(form(holed), y, loss, "l2", ALPHA, 0.3, 3)) for form in (np.array, sp.csr_array)
    )
    assert sparse.value == pytest.approx(dense.value, rel=LEAST)
    np.testing.assert_allclose(limits_of_at(sp.csr_array(holed), y, loss), limits_of_at(holed, y, loss), rtol=1e-6)


def limits_of_at(X, y, loss):
    objective = objective_of(X, y, loss, "l2", ALPHA, 0.3, 3)
    limits = limits_of(objective, optimum_of(objective).w)
    return [limits.of(batch, objective.n) for batch in (1, 32, objective.n)]


@pytest.mark.parametrize("loss", ["log_loss", "softmax", "squared_hinge", "hinge", "modified_huber"])
def test_separable_classes_without_penalty_end_at_a_number(loss):
    X = np.column_stack([np.r_[np.linspace(-2, -1, 20), np.linspace(1, 2, 20)], np.zeros(40)])
    codes = np.repeat([0.0, 1.0], 20)
    objective = objective_of(X, codes if loss == "softmax" else 2 * codes - 1, loss, "none", 0.0, 0.0, 2)
    best = optimum_of(objective)
    limits = limits_of(objective, best.w)
    assert np.isfinite(best.w).all()
    assert 0.0 <= best.value < 1e-8
    assert all(limits.of(batch, 40) > 0 for batch in (1, 8, 40))


@pytest.mark.parametrize("loss", ALL_LOSSES)
@pytest.mark.parametrize("size", [1e-150, 1e-6, 1e6])
def test_no_nan_comes_out_of_columns_of_any_size(loss, size):
    X, y = table(kind_of(loss))
    objective = objective_of(np.ascontiguousarray(X * size), y, loss, "l2", ALPHA, 0.3, 3)
    best = optimum_of(objective)
    assert np.isfinite([best.value, *best.w]).all()
    assert best.value <= objective.value(objective.start())


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_a_quantile_of_targets_in_thousands_is_found_from_far_below(level):
    """At zero hardly a row is in the first window, and those that are look alike."""
    rng = np.random.default_rng(0)
    u = rng.random(200)
    X = np.column_stack([0.15 * u + 0.2, 0.16 * u + 0.01 * rng.standard_normal(200), u < 0.1, rng.integers(1, 13, 200)])
    y = 20.0 + 8700.0 * np.clip(u + 0.1 * rng.standard_normal(200), 0.0, 1.0)
    for penalty in (NoPenalty(), L2(1.4e-3)):
        objective = Linear(X, y, Quantile(level), penalty)
        assert optimum_of(objective).value <= solve(objective, tol=1e-6).trace.last("loss") * (1.0 + CORNERED)
    outside = linear_model.QuantileRegressor(quantile=level, alpha=0.0, solver="highs").fit(X, y)
    objective = Linear(X, y, Quantile(level))
    there = objective.value(np.append(outside.coef_, outside.intercept_))
    assert optimum_of(objective).value == pytest.approx(there, rel=CORNERED)


def test_the_perceptron_is_told_that_zero_is_its_optimum():
    best = solved("perceptron", "l2")
    assert (best.value, np.abs(best.w).max()) == (0.0, 0.0)


@pytest.mark.parametrize(("loss", "penalty"), [("squared_error", "l1"), ("log_loss", "l1"), ("softmax", "elasticnet")])
def test_the_way_for_wide_tables_ends_at_the_same_height(loss, penalty, monkeypatch):
    narrow = solved(loss, penalty)
    monkeypatch.setattr(optimum, "WIDEST", 1)
    wide = optimum_of(problem(loss, penalty))
    assert wide.by == "L-BFGS"
    assert wide.value == pytest.approx(narrow.value, rel=1e-8)


# the stable limits


def runs(objective, rate, batch=None, seeds=1, updates=20_000, start=None):
    """Final distances from the optimum as shares of the start's."""
    best = optimum_of(objective).w
    ends = []
    for seed in range(seeds):
        run = descend(
            objective, sampler=Batch(500) if batch is None else WithReplacement(batch, seed), step=Plain(),
            schedule=Constant(rate), stop=AnyOf((Diverged(1e12), Updates(updates))), advance=compiled, start=start,
        )  # fmt: skip
        ends.append(np.linalg.norm(run.w - best) / np.linalg.norm(best))
    return ends


@pytest.mark.parametrize("penalty", [NoPenalty(), L2(0.5)])
def test_batch_descent_settles_below_its_limit_and_runs_away_above(penalty):
    objective = Linear(X, y, SquaredError(), penalty)
    limit = limits_of(objective, optimum_of(objective).w).batch
    (below,), (above,) = runs(objective, 0.99 * limit), runs(objective, 1.01 * limit)
    assert below < 1e-6
    assert above > 1e6


def exact_limit(X, batch):
    """The largest rate at which E‖w − w*‖² of least squares dies out, from the d²×d² operator of one step.

    With rows drawn afresh, w − w* is multiplied by I − (rate/B)·Σxxᵀ: its second moments by the mean of the square of
    that under the Kronecker product. Bisection for spectral radius one.
    """
    d, eye, H = X.shape[1], np.eye(X.shape[1]), X.T @ X / len(X)
    fourth = np.mean([np.kron(np.outer(x, x), np.outer(x, x)) for x in X], axis=0)
    mixed = (1 - 1 / batch) * np.kron(H, H) + fourth / batch

    def radius(rate):
        step = np.eye(d * d) - rate * (np.kron(H, eye) + np.kron(eye, H)) + rate**2 * mixed
        return np.abs(np.linalg.eigvals(step)).max()

    low, high = 0.0, 10.0 / np.linalg.eigvalsh(H)[-1]
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if radius(middle) < 1 else (low, middle)
    return low


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("batch", [1, 2, 8, 32])
def test_the_limit_of_small_batches_is_that_of_the_exact_second_moments(d, batch):
    chance = np.random.default_rng(d)
    X = chance.normal(size=(400, d)) * np.exp(chance.normal(size=(400, 1)))  # some rows lie far out
    objective = Linear(X, X @ np.ones(d), SquaredError(), intercept=False)
    limits = limits_of(objective, np.ones(d))
    assert limits.of(batch, 400) == pytest.approx(exact_limit(X, batch), rel=0.01)
    assert limits.of(1, 400) < limits.of(32, 400) < limits.of(400, 400) == limits.batch


def test_stochastic_walks_settle_below_the_limit_and_run_away_far_above_it():
    X = np.random.default_rng(3).normal(size=(200, 2))
    objective = Linear(X, X @ [1.0, -2.0], SquaredError(), intercept=False)  # all rows agree: the noise dies out too
    limits = limits_of(objective, np.array([1.0, -2.0]))
    for batch in (1, 32):
        limit = limits.of(batch, 200)
        assert max(runs(objective, 0.7 * limit, batch, seeds=10)) < 1e-6
        assert min(runs(objective, 3.0 * limit, batch, seeds=10)) > 1e6


def test_a_sample_of_the_rows_gives_the_limit_of_all(monkeypatch):
    X = np.random.default_rng(5).normal(size=(6000, 4)) ** 3
    objective = Linear(X, X[:, 0], SquaredError())
    w = optimum_of(objective).w
    sampled = limits_of(objective, w)
    monkeypatch.setattr("fallline.reference.limits.SAMPLE", 6000)
    whole = limits_of(objective, w)
    assert len(sampled.scores) < len(whole.scores) == 6000
    for batch in (1, 32):
        assert sampled.of(batch, 6000) == pytest.approx(whole.of(batch, 6000), rel=0.1)


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_only_losses_with_corners_borrow_their_limit(loss):
    limits = limits_of(problem(loss, "l2"), solved(loss, "l2").w)
    assert limits.borrowed == (loss in CORNERS)
    assert 0 < limits.of(1, 1000) <= limits.of(32, 1000) <= limits.batch
    assert limits.condition >= 1


def test_a_table_too_wide_for_its_curvature_still_has_a_limit(monkeypatch):
    objective = problem("log_loss", "l2")
    narrow = limits_of(objective, solved("log_loss", "l2").w)
    monkeypatch.setattr("fallline.reference.limits.WIDEST", 1)
    wide = limits_of(objective, solved("log_loss", "l2").w)
    assert wide.batch == pytest.approx(narrow.batch, rel=0.02)
    assert np.isnan(wide.condition)
    for batch in (1, 32):  # from the rows' lengths alone: a rough statement
        assert 0.5 < wide.of(batch, objective.n) / narrow.of(batch, objective.n) < 2.0


# the yardstick


@pytest.mark.parametrize("penalty", ["none", "l2", "l1"])
@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_excess_is_zero_at_the_optimum_and_positive_elsewhere(loss, penalty):
    objective, best = problem(loss, penalty), solved(loss, penalty)
    yard = yardstick(objective, best.value, best.by)
    away = best.w + np.random.default_rng(1).normal(size=objective.size)
    assert yard.scale > 0
    assert yard.excess(best.value) == 0.0
    assert yard.excess(objective.value(away)) > 0.01
    assert yard.idle == (loss == "perceptron")


def test_excess_in_percent_does_not_depend_on_the_unit_of_amounts():
    X, y = table("amounts")
    shares = []
    for unit in (1.0, 10.0):
        objective = objective_of(X, y * unit, "gamma", "none", 0.0, 0.0)
        best = optimum_of(objective)
        w = best.w + np.r_[0.1, np.zeros(len(best.w) - 1)]
        shares.append(yardstick(objective, best.value, "").excess(objective.value(w)))
    assert shares[0] == pytest.approx(shares[1], rel=1e-6)
