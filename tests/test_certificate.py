"""Proven bounds of the excess: never below the truth, seldom far above, for every loss under every penalty."""

import numpy as np
import pytest
import scipy.sparse as sp

from fallline.executors.certificate import bound_of
from fallline.executors.duality import by_class
from fallline.losses import LOSSES, Hinge, LogLoss, Perceptron, Poisson, SquaredError
from fallline.objectives import Linear, SoftmaxRegression
from fallline.objectives.floor import floor_of
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.reference import optimum_of
from fallline.solver import solve
from test_solve import PENALTIES, table, targets

LOOSE = 10.0
SEEN = 1e-12  # of the height: a smaller excess is rounding


def objective_of(name: str, penalty, weights=None):
    """A loss by its name, or softmax, on raw columns with an offset."""
    X, z = table()
    if name == "softmax":
        classes = np.digitize(z + np.random.default_rng(3).logistic(size=len(z)), [-1.0, 1.0])  # not separable
        return SoftmaxRegression(X, classes, None, penalty, weights=weights, offset=np.outer(z, [0.1, 0.0, -0.1]))
    return Linear(X, targets(name, z), LOSSES[name](), penalty, weights=weights, offset=0.1 * z)


def lowest(objective) -> float:
    """The lowest height that anybody finds."""
    return min(optimum_of(objective).value, solve(objective, 1e-12).trace["loss"].min())


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", [*LOSSES, "softmax"])
def test_a_certificate_is_never_below_the_truth_and_seldom_far_above(name, penalty):
    weights = np.random.default_rng(2).exponential(size=400)
    objective = objective_of(name, PENALTIES[penalty], weights)
    run = solve(objective, 1e-3, certify=True)
    true, rounding = run.trace["loss"][-1] - lowest(objective), SEEN * abs(run.trace["loss"][-1])
    assert run.trace.about["proof"]
    assert true - rounding <= run.trace.about["bound"] <= LOOSE * true + 10.0 * rounding


@pytest.mark.parametrize("name", [*LOSSES, "softmax"])
def test_any_point_has_a_bound_above_the_truth(name):
    rng = np.random.default_rng(4)
    for penalty in (L2(0.01), ElasticNet(0.02, 0.5)):
        objective = objective_of(name, penalty)
        best = optimum_of(objective)
        for size in (1e-6, 1e-3, 0.1, 3.0):
            w = best.w * (1.0 + size * rng.standard_normal(len(best.w)))
            true = objective.value(w) - lowest(objective)
            window = 0.0 if LOSSES.get(name, LogLoss)().smooth() else 0.1
            assert bound_of(objective, w, window).value >= true * (1.0 - 1e-9) - SEEN * abs(objective.value(w))


@pytest.mark.parametrize("penalty", [L2(0.1), L1(0.01), ElasticNet(0.1, 0.3)], ids=str)
def test_softmax_too_wide_for_a_matrix_has_a_bound_by_duality(penalty):
    objective = objective_of("softmax", penalty, np.random.default_rng(2).exponential(size=400))
    for tol in (1e-3, 1e-6):
        run = solve(objective, tol)
        true = run.trace["loss"][-1] - lowest(objective)
        assert true - SEEN <= by_class(objective, run.w) < np.inf
    assert by_class(objective, solve(objective, 1e-13).w) <= 1e-4 * objective.value(run.w)


def test_a_wide_sparse_model_has_a_bound():
    rng = np.random.default_rng(0)
    X = sp.random_array((300, 2000), density=0.02, rng=rng, format="csr")
    objective = Linear(
        X, np.where(X[:, [0]].toarray()[:, 0] + 0.1 * rng.standard_normal(300) > 0, 1.0, -1.0), LogLoss(), L2(0.01)
    )
    run = solve(objective, 1e-4, certify=True)
    true = run.trace["loss"][-1] - optimum_of(objective).value
    assert true - SEEN <= run.trace.about["bound"] <= LOOSE * true + 1e-9


def test_the_gap_of_dual_ascent_is_a_bound_for_losses_with_corners():
    rng = np.random.default_rng(0)
    X = sp.random_array((400, 2000), density=0.01, rng=rng, format="csr")
    y = np.where(X[:, :200].sum(axis=1) + 0.1 * rng.normal(size=400) > 0, 1.0, -1.0)
    run = solve(Linear(X, y, Hinge(), L2(1e-2)), certify=True)
    assert run.trace.about["solver"] == "dual coordinate ascent"
    assert run.trace.about["bound"] <= run.trace.last("excess") + SEEN


def test_where_nothing_else_is_proven_the_loss_itself_is_a_bound():
    X, z = table()
    apart = Linear(X, np.where(z > 0, 1.0, -1.0), LogLoss())  # no optimum: the infimum is 0
    run = solve(apart, certify=True)
    assert run.trace.about["bound"] == pytest.approx(run.trace["loss"][-1], rel=1e-6)
    assert "perfect" in run.trace.about["proof"]
    counts = Linear(X, targets("poisson", z), Poisson(), NoPenalty())
    w = np.zeros(counts.size)
    assert bound_of(counts, w).value <= (counts.value(w) - floor_of(counts)) * (1.0 + 1e-8)


def test_a_fit_without_errors_is_proven_to_be_the_optimum():
    X, z = table()
    for loss in (Hinge(), Perceptron()):
        run = solve(Linear(X, np.where(z > 0, 1.0, -1.0), loss), certify=True)
        assert run.trace.about["bound"] <= 1e-4


def test_the_exact_decrement_is_exact():
    X, z = table()
    objective = Linear(X, targets("squared_error", z), SquaredError(), L2(0.1))
    for w in (np.zeros(objective.size), np.append(1.0 / np.arange(1, 5), 2.0)):
        true = objective.value(w) - optimum_of(objective).value
        assert bound_of(objective, w).value == pytest.approx(true, rel=1e-6)
