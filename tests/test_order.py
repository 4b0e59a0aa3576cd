"""Rows are moved in runs only where neighbours are no more alike than strangers."""

import numpy as np
import pytest
import scipy.sparse as sp

from fallline.losses import LogLoss
from fallline.objectives import Linear
from fallline.objectives.order import MANY, RUN, run_of
from fallline.plan import Plan


@pytest.fixture(scope="module")
def rows():
    chance = np.random.default_rng(0)
    X = chance.standard_normal((MANY, 3)).astype(np.float32)
    return X, np.where(X[:, 0] + chance.standard_normal(MANY) > 0, 1.0, -1.0)


def sparse(X):
    return sp.csr_array(np.where(X > 0.5, X, 0))


@pytest.mark.parametrize("store", [np.asarray, sparse], ids=["dense", "csr"])
@pytest.mark.parametrize("by", ["nothing", "class", "column", "day"])
def test_rows_are_moved_in_runs_unless_they_are_sorted(rows, by, store):
    X, y = rows
    day = np.arange(MANY) // 1000  # a level of its own for each day
    X = X + (by == "day") * np.float32(0.5) * np.random.default_rng(1).standard_normal((day[-1] + 1, 1))[day]
    keys = {"class": y, "column": X[:, 1]}
    order = np.argsort(keys[by], kind="stable") if by in keys else np.arange(MANY)
    assert run_of(Linear(store(X[order]), y[order], LogLoss())) == (RUN if by == "nothing" else 1)


@pytest.mark.parametrize(
    "tail", [lambda c, s: c.standard_cauchy(s), lambda c, s: c.random(s) < 1e-4], ids=["heavy", "rare"]
)
def test_heavy_tails_and_rare_entries_are_no_order(tail, rows):
    X = tail(np.random.default_rng(2), (MANY, 20)).astype(float)
    assert run_of(Linear(X, rows[1], LogLoss())) == RUN


def test_a_short_table_is_shuffled_row_by_row(rows):
    X, y = rows
    assert run_of(Linear(X[: MANY - 1], y[: MANY - 1], LogLoss())) == 1


def test_a_plan_moves_rows_in_runs_where_that_is_sound_and_as_it_is_told(rows):
    X, y = rows
    objective = Linear(X, y, LogLoss())
    plan = Plan(variant="stochastic", step="plain", rate=0.01, amount=1)
    usual, told = plan.run(objective).w, Plan(**{**plan.as_dict(), "sampler": f"shuffled:block={RUN}"}).run(objective).w
    single = Plan(**{**plan.as_dict(), "sampler": "shuffled:block=1"}).run(objective).w
    assert np.array_equal(usual, told)
    assert not np.array_equal(usual, single)
