"""The automatic solver on sparse tables: dual ascent or Newton's method by the rule, and the optimum either way."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Lasso

from fallline.executors.dual_first import LONGER, TIGHT, DualFirst
from fallline.executors.newton import lasso_of
from fallline.executors.preconditioned import PATIENT, PreconditionedLBFGS
from fallline.executors.rounded import Rounded
from fallline.executors.sdca import SDCA, bend
from fallline.executors.working_set import WorkingSet
from fallline.losses import CLASSIFICATION, LOSSES, POSITIVE, LogLoss, SquaredHinge
from fallline.objectives import Linear
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.reference import optimum_of
from fallline.solver import Solver, solve, stop_of, walked
from fallline.stops import AnyOf, Updates
from test_solve import ROUNDED, WITHIN, share

PENALTIES = {"none": NoPenalty(), "l2": L2(0.02), "l1": L1(0.01), "elasticnet": ElasticNet(0.04, 0.5)}
ROWS = 300


def rows(columns: int = 6, least: float = 0.6) -> Any:
    """Sparse rows of length one."""
    X = np.random.default_rng(0).standard_normal((ROWS, columns))
    X[abs(X) < least] = 0.0
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)


def targets(name: str, z: Any) -> Any:
    """Targets that a loss of that name takes, noisy enough not to be separable."""
    rng = np.random.default_rng(1)
    if name in CLASSIFICATION:
        return np.where(rng.random(len(z)) < 1.0 / (1.0 + np.exp(-z)), 1.0, -1.0)
    if name in POSITIVE:
        return rng.gamma(2.0, np.exp(0.5 * z)) + 0.1
    return z + rng.standard_t(4, len(z))


def problem(name: str, penalty: Any, sparse: bool = True, **rest: Any) -> Linear:
    X = rows()
    y = targets(name, X @ [3.0, -2.0, 1.0, 0.0, 2.0, 0.5])
    return Linear(sp.csr_array(X) if sparse else X, y, LOSSES[name](), penalty, **rest)


def first(objective: Linear, tol: float = 1e-4) -> DualFirst:
    """With the method to follow that the solver would take."""
    if not objective.loss.smooth():
        return DualFirst(Rounded())
    return DualFirst(WorkingSet() if lasso_of(objective) > 0.0 else PreconditionedLBFGS(tol))


def wide(objective: Linear, tol: float = 1e-4, **rest: Any) -> Any:
    """The walk that a table too wide for a matrix of curvature would get."""
    solver = Solver(first(objective, tol), DualFirst().sampler(objective.n), "")
    return walked(objective, solver, AnyOf((*stop_of(objective, tol), *rest.pop("also", ()))), rest.pop("start", None))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_reaches_the_optimum_of_its_dense_twin(name, penalty):
    weights = np.random.default_rng(2).exponential(size=ROWS)
    objective = problem(name, PENALTIES[penalty], weights=weights)
    lowest = optimum_of(problem(name, PENALTIES[penalty], sparse=False, weights=weights)).value
    assert share(objective, wide(objective), lowest) <= (WITHIN if objective.loss.smooth() else ROUNDED)


ASCENT, FOLLOWS = "dual coordinate ascent", "preconditioned L-BFGS steps"
RULE = {
    "rows of length one, C = 1": ("log_loss", L2(1 / ROWS), {}, ASCENT),
    "C = 15.9, q just below 4": ("log_loss", L2(1 / (15.9 * ROWS)), {}, ASCENT),
    "C = 16.1, just above": ("log_loss", L2(1 / (16.1 * ROWS)), {}, FOLLOWS),
    "a heavy row": ("log_loss", L2(1 / ROWS), {"weights": np.append(np.ones(ROWS - 1), 30.0)}, FOLLOWS),
    "the same of a larger curvature": ("squared_error", L2(1 / (4.1 * ROWS)), {}, FOLLOWS),
    "no L2 share": ("log_loss", L1(0.01), {}, "Newton steps on a working set"),
    "no dual": ("poisson", L2(0.1), {}, FOLLOWS),
    "an L1 share beside": ("log_loss", ElasticNet(0.1, 0.5), {}, ASCENT),
    "corners": ("hinge", L2(1 / (100 * ROWS)), {}, ASCENT),
    "corners without an L2 share": ("hinge", L1(0.01), {}, "Newton steps on the loss rounded at its corners"),
}


@pytest.mark.parametrize("case", RULE)
def test_the_rule_takes_what_it_says(case):
    name, penalty, rest, way = RULE[case]
    objective = problem(name, penalty, **rest)
    run = wide(objective, also=(Updates(1),))
    assert first(objective).way(run.state) == way


def test_a_wide_sparse_table_is_walked_by_the_rule_and_says_so():
    X = sp.csr_array(rows(400, least=2.0))
    y = targets("log_loss", 3.0 * X.toarray()[:, :100].sum(axis=1))
    run = solve(Linear(X, y, LogLoss(), L2(1 / ROWS)), 1e-2)
    assert run.trace.about["solver"] == ASCENT
    assert run.trace["visits"].tolist() == [ROWS * k for k in range(len(run.trace))]
    again = solve(Linear(X, y, LogLoss(), L2(1 / ROWS)), start=run.w)
    assert again.trace.about["solver"] == FOLLOWS
    assert again.trace["loss"][0] == pytest.approx(run.trace["loss"][-1], rel=1e-12)


def counts() -> Linear:
    """Few texts of many words, a word's frequency falling like its rank: rows pull hard, and their number is small."""
    rng, columns = np.random.default_rng(8), 3 * ROWS
    share = 1.0 / np.arange(1, columns + 1)
    texts = [rng.choice(columns, rng.integers(3, 40), p=share / share.sum()) for _ in range(ROWS)]
    X = sp.csr_array(np.array([np.bincount(text, minlength=columns) for text in texts], dtype=float))
    z = X @ rng.standard_normal(columns)
    y = np.where(z + 0.5 * rng.standard_normal(ROWS) > np.median(z) + 1.0, 1.0, -1.0)
    return Linear(X, y, SquaredHinge(), L2(1.0 / ROWS))


def test_fewer_rows_than_columns_are_climbed_in_the_dual_however_hard_they_pull():
    objective = counts()
    run, lowest = wide(objective), optimum_of(objective).value
    assert SDCA().start(objective, objective.start())[-1].max() * bend(objective) > 5.0 * TIGHT
    assert first(objective).way(run.state).startswith(ASCENT)
    begun = run.trace["excess"][1 : LONGER + 1]
    assert (begun >= run.trace["loss"][1 : LONGER + 1] - lowest).all()  # proven
    assert begun[-1] <= begun[0] / 4
    assert share(objective, run, lowest) <= WITHIN


def test_an_optimum_that_was_guessed_too_low_is_looked_at_again():
    objective = counts()
    method = PreconditionedLBFGS(1e-2)
    run = walked(objective, Solver(method, method.sampler(ROWS), ""), AnyOf(stop_of(objective, 1e-2)), None)
    assert "estimated excess" in run.reason
    assert len(run.trace) < PATIENT  # exact Newton steps need not end it
    assert share(objective, run, optimum_of(objective).value) <= 2e-2


def test_a_gap_that_no_longer_halves_hands_over():
    objective = problem("log_loss", L2(1 / (15.0 * ROWS)))
    run, lowest = wide(objective, 1e-8), optimum_of(objective).value
    gap, way = run.trace["excess"], DualFirst().way(run.state)
    passes = int(way.removeprefix(f"{ASCENT}, after ").removesuffix(f" passes {FOLLOWS}"))
    assert gap[passes] > gap[passes - 1] / 2
    assert (gap[2:passes] <= gap[1 : passes - 1] / 2).all()
    assert (gap[: passes + 1] >= run.trace["loss"][: passes + 1] - lowest).all()  # proven until then
    assert share(objective, run, lowest) <= 1e-7
    assert (np.diff(run.trace["loss"][passes:]) <= 1e-12).all()


def test_resuming_equals_never_stopping_across_the_hand_over():
    objective = problem("log_loss", L2(1 / (15.0 * ROWS)))
    whole = wide(objective, 1e-8)
    for after in (1, len(whole.trace) - 3):
        again = wide(objective, 1e-8, start=wide(objective, 1e-8, also=(Updates(after),)))
        assert np.array_equal(whole.w, again.w)
        assert np.array_equal(whole.trace["excess"], again.trace["excess"])


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_a_wide_lasso_is_solved_on_the_coefficients_that_move(sparse):
    X = np.random.default_rng(3).standard_normal((ROWS, 1600))
    X = np.where(abs(X) < 1.0, 0.0, X) + (0.0 if sparse else 2.0)
    y = targets("squared_error", X[:, :5].sum(axis=1))
    objective = Linear(sp.csr_array(X) if sparse else X, y, None, L1(0.3))
    run = solve(objective, 1e-6, certify=True)
    assert run.trace.about["solver"] == "Newton steps on a working set"
    other = Lasso(alpha=0.3, tol=1e-12, max_iter=100_000).fit(X, y)
    lowest = objective.value(np.append(other.coef_, other.intercept_))
    assert share(objective, run, lowest) <= 3e-6
    assert set(np.flatnonzero(run.w[:-1])) == set(np.flatnonzero(other.coef_))
    assert run.trace.last("loss") - lowest <= run.trace.about["bound"]
