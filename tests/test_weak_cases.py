"""Tables that break other solvers: rare, heavy, far, double and absurd columns, sorted and rare labels, few rows."""

import numpy as np
import pytest
import scipy.sparse as sp

from fallline.errors import InputError
from fallline.losses import Hinge, LogLoss, Poisson, SquaredError, SquaredHinge
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import L1, L2, NoPenalty
from fallline.reference import optimum_of
from fallline.solver import solve
from fallline.stops import Updates
from test_solve import SPREAD, WITHIN, share, table, targets


def test_a_rare_column_is_found():
    X, z = table(60_000)
    rare = np.zeros((len(z), 2))
    rare[[5, 70, 900, 20_000, 44_444], 0] = 50.0
    rare[[1, 2, 50_000], 1] = 1.0
    objective = Linear(np.hstack([X, rare]), targets("log_loss", z + 0.1 * rare[:, 0]), LogLoss(), L2(1e-5))
    run = solve(objective, tol=1e-6)
    assert share(objective, run, optimum_of(objective).value) <= 3e-6
    assert run.trace["visits"][-1] < 12 * objective.n


def test_a_column_far_from_zero_is_not_lost_in_single_precision():
    X, z = table(2000)
    far = (2e6 + np.random.default_rng(3).standard_normal((2000, 1)) * 2.0).astype(np.float32)
    y = targets("log_loss", z + (far[:, 0].astype(float) - 2e6))
    objective = Linear(np.hstack([X.astype(np.float32), far]), y, LogLoss(), L2(1e-3))
    run = solve(objective, tol=1e-8)
    assert share(objective, run, optimum_of(objective).value) <= 1e-7
    assert objective.value(run.w) < 0.9 * solve(Linear(X, y, LogLoss(), L2(1e-3))).trace["loss"][-1]


def test_double_and_constant_columns_do_no_harm():
    X, z = table()
    y = targets("log_loss", z)
    alone, doubled = Linear(X, y, LogLoss()), Linear(np.hstack([X, X, np.full((len(z), 1), 7.0)]), y, LogLoss())
    assert solve(doubled, 1e-8).trace["loss"][-1] == pytest.approx(solve(alone, 1e-8).trace["loss"][-1], rel=1e-7)
    assert abs(solve(doubled).w * np.append(np.tile(SPREAD, 2), [1.0, 1.0])).max() < 1e3


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 150))
    objective = Linear(X, np.sign(X[:, 0] + 0.1), LogLoss(), L2(0.01))
    assert share(objective, solve(objective), optimum_of(objective).value) <= WITHIN


def test_corners_and_few_coefficients_on_a_wide_table_are_walked_down():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 1600))
    y = np.where(X[:, :5].sum(axis=1) > 0, 1.0, -1.0)
    run = solve(Linear(X, y, Hinge(), L1(1e-2)), budget=Updates(20))
    assert run.trace.last("loss") < 0.5 * run.trace["loss"][0]


def test_separable_classes_without_a_penalty_are_named():
    X, z = table()
    run = solve(Linear(X, np.where(z > 0, 1.0, -1.0), LogLoss()))
    assert "separable" in run.reason
    assert np.isfinite(run.w).all()
    assert "separable" not in solve(Linear(X, np.where(z > 0, 1.0, -1.0), LogLoss(), L2(1e-3))).reason


def test_columns_with_heavy_tails_do_no_harm():
    X, z = table(20_000)
    rng = np.random.default_rng(5)
    heavy = np.column_stack([rng.lognormal(0.0, 3.0, len(z)), rng.standard_cauchy(len(z))])
    y = targets("log_loss", z + np.sign(heavy[:, 1]))
    for penalty in (L2(1e-5), NoPenalty()):
        objective = Linear(np.hstack([X, heavy]), y, LogLoss(), penalty)
        run = solve(objective, 1e-6)
        assert share(objective, run, optimum_of(objective).value) <= 3e-6
        assert run.trace["visits"][-1] < 30 * objective.n


def test_sorted_rows_are_as_good_as_shuffled_ones():
    X, z = table(40_000)
    y = targets("log_loss", z)
    order = np.lexsort([X[:, 0], y])
    shuffled, ordered = (Linear(X[rows], y[rows], LogLoss(), L2(1e-5)) for rows in (np.arange(len(y)), order))
    run = solve(ordered, 1e-6)
    assert share(ordered, run, optimum_of(shuffled).value) <= 3e-6
    assert run.trace["visits"][-1] < 10 * len(y)


@pytest.mark.parametrize("loss", [LogLoss(), Hinge(), SquaredHinge()], ids=str)
def test_one_positive_row_in_two_hundred_is_enough(loss):
    X, z = table(20_000)
    y = np.where(z + np.random.default_rng(6).logistic(size=len(z)) > np.quantile(z, 0.995) + 3.5, 1.0, -1.0)
    assert 0.001 < np.mean(y > 0) < 0.01
    objective = Linear(X, y, loss, L2(1e-5))
    assert share(objective, solve(objective), optimum_of(objective).value) <= 3.0 * WITHIN


def test_losses_that_separable_classes_bring_to_zero_find_that_optimum():
    X, z = table()
    for loss in (Hinge(), SquaredHinge()):
        run = solve(Linear(X, np.where(z > 0, 1.0, -1.0), loss))
        assert run.trace["loss"][-1] <= 1e-4
        assert "separable" not in run.reason  # the optimum is attained: there is nothing to warn of
    many = SoftmaxRegression(X, np.digitize(z, [0.0]), None, NoPenalty())
    assert "separable" in solve(many).reason


@pytest.mark.parametrize("store", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_five_thousand_columns_are_not_too_many(store):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5000)) * (rng.random((300, 5000)) < 0.05) * 10.0 ** rng.uniform(-1, 1, 5000)
    y = np.where(X[:, :20].sum(axis=1) + rng.standard_normal(300) > 0, 1.0, -1.0)
    objective = Linear(store(X), y, LogLoss(), L2(0.1))
    run = solve(objective, certify=True)
    assert run.trace.about["bound"] <= 3.0 * WITHIN * run.trace["loss"][-1]


SCALED = {
    "log_loss": (LogLoss(), L2(1e-3)),
    "hinge": (Hinge(), L2(1e-3)),
    "squared_error": (SquaredError(), NoPenalty()),
    "poisson": (Poisson(), L2(1e-3)),
}


@pytest.mark.parametrize("name", SCALED)
def test_no_scale_of_a_column_makes_a_fit_worse_than_a_constant(name):
    X, z = table()
    y, (loss, penalty) = targets(name, z), SCALED[name]
    for seed in range(4):
        scales = 10.0 ** np.random.default_rng(seed).uniform(-6, 6, X.shape[1])
        objective = Linear(X / SPREAD * scales, y, loss, penalty)
        constant = optimum_of(Linear(np.zeros((len(y), 1)), y, loss)).value
        run = solve(objective)
        assert run.trace["loss"][-1] <= constant * (1.0 + WITHIN)
        assert share(objective, run, optimum_of(objective).value) <= 3.0 * WITHIN


def test_free_scales_change_nothing_and_absurd_ones_are_refused():
    X, z = table()
    y, Z = targets("log_loss", z), X / SPREAD
    plain = solve(Linear(Z, y, LogLoss()), 1e-8).trace["loss"][-1]
    for scales in ([1e150, 1.0, 1e-150, 1e20], [1e-6, 1e6, 1.0, 1e-100]):
        assert solve(Linear(Z * scales, y, LogLoss()), 1e-8).trace["loss"][-1] == pytest.approx(plain, rel=1e-6)
    alone = solve(Linear(Z[:, [0, 1, 3]], y, LogLoss(), L2(1e-3)), 1e-8).trace["loss"][-1]
    for store in (np.asarray, sp.csr_array):
        for scale in (1e-160, 1e-300):  # no coefficient of ordinary size makes it count
            run = solve(Linear(store(Z * [1.0, 1.0, scale, 1.0]), y, LogLoss(), L2(1e-3)), 1e-8)
            assert run.trace["loss"][-1] == pytest.approx(alone, rel=1e-6)
        for scale in (1e160, 1e300):
            with pytest.raises(InputError, match=r"column 2 .* no float64 numbers"):
                solve(Linear(store(Z * [1.0, 1.0, scale, 1.0]), y, LogLoss(), L2(1e-3)))
