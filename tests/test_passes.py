"""Full passes: the same bits on any number of threads, and forms for vectors that are right wherever a score may be."""

from typing import Any

import numpy as np
import pytest

from fallline.losses import LogLoss, Poisson, SquaredError
from fallline.objectives import Linear, passes
from fallline.rows import CSR, Dense
from oracle import ALL_LOSSES, Problem, csr32, csr64, dense32, dense64
from tolerances import EXACT

STORAGES = {"dense": dense64, "csr": csr64}
ROWS = 331  # no multiple of the pieces, of four, or of a block


@pytest.fixture
def in_pieces(monkeypatch):
    monkeypatch.setattr(passes, "WORTHWHILE", 0)


def bits(problem: Problem, storage: Any, threads: int) -> list[bytes]:
    objective = problem.objective(storage)
    height, g = passes.loss_and_gradient(objective, problem.start, threads)
    found = [np.array(height), g, passes.row_sum(objective, problem.weights, threads)]
    if objective.scores == 1:
        found.append(passes.losses_at(objective, np.array([problem.start, 0 * problem.start]), threads))
        found.append(passes.curvature_times(objective, problem.weights, problem.start, threads))
        found.append(passes.curvature_diagonal(objective, problem.weights, 1, threads))
    return [part.tobytes() for part in found]


@pytest.mark.parametrize("storage", STORAGES.values(), ids=list(STORAGES))
@pytest.mark.parametrize("loss", ALL_LOSSES.values(), ids=list(ALL_LOSSES))
def test_a_pass_has_the_same_bits_on_any_number_of_threads(loss, storage, in_pieces):
    problem = Problem(loss, n=ROWS)
    once = bits(problem, storage, 1)
    assert all(bits(problem, storage, threads) == once for threads in (2, 3, 16))


def test_wide_tables_are_cut_into_fewer_pieces_so_that_their_sums_stay_small(monkeypatch):
    monkeypatch.setattr(passes, "WORTHWHILE", 0)
    objective = Problem(SquaredError(), n=4000, d=10).objective(dense64)  # 320,000 bytes
    cuts = [passes.cuts_of(objective, size) for size in (1, 100, 10_000)]
    assert [len(cut) - 1 for cut in cuts] == [passes.PARTS, 8, passes.FEWEST]  # 8 pieces' sums are 2 % of the table
    assert all(cut[0] == 0 and cut[-1] == 4000 and sorted(set(cut)) == cut for cut in cuts)


@pytest.mark.parametrize("storage", [dense32, csr32, dense64, csr64])
def test_sums_over_pieces_and_blocks_are_those_of_numpy(storage, in_pieces, monkeypatch):
    problem = Problem(LogLoss(), n=ROWS, d=7)
    objective = problem.objective(storage)
    X = np.column_stack([storage(problem.X).astype(float) @ np.eye(7), np.ones(ROWS)])
    r, v = problem.weights, problem.start
    np.testing.assert_allclose(passes.row_sum(objective, r), X[:, :7].T @ r, rtol=EXACT, atol=EXACT)
    np.testing.assert_allclose(
        passes.curvature_times(objective, r, v), X.T @ (r * (X @ v)) / ROWS, rtol=EXACT, atol=EXACT
    )
    diagonal = passes.curvature_diagonal(objective, r, 1)
    np.testing.assert_allclose(diagonal, (X**2).T @ r / ROWS, rtol=EXACT, atol=EXACT)
    if isinstance(objective.model.rows, Dense):
        mean, deviation, _ = passes.moments(objective)
        np.testing.assert_allclose(mean, X[:, :7].mean(0), rtol=EXACT, atol=EXACT)
        np.testing.assert_allclose(deviation, X[:, :7].std(0), rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize(
    ("loss", "y", "reach"), [(LogLoss(), -1.0, 700.0), (LogLoss(), 1.0, 700.0), (Poisson(), 3.0, 300.0)], ids=str
)
def test_forms_for_vectors_equal_the_parts_wherever_a_score_may_be(loss, y, reach):
    scores = np.concatenate([np.linspace(-reach, reach, 41), np.linspace(-3, 3, 41), [1e-9, -1e-9, 0.0]])
    for z in scores.tolist():
        objective = Linear(np.zeros((1, 1)), [y], loss, offset=[z])
        w, part = objective.start(), objective.loss
        found = [objective.value(w), objective.gradient(w)[1], objective.curvature(w)[0]]
        wanted = [part.value(y, z), part.derivative(y, z), part.curvature(y, z)]
        np.testing.assert_allclose(found, wanted, rtol=EXACT, atol=1e-300)


@pytest.mark.parametrize("loss", [LogLoss(), Poisson(), SquaredError()], ids=str)
def test_a_point_that_is_not_a_number_has_no_height(loss):
    objective = Linear(np.ones((3, 1)), [1.0, 1.0, 1.0], loss)
    assert np.isnan(objective.value(np.array([np.nan, 0.0])))


def test_a_sparse_table_is_kept_as_scipy_has_it():
    X = csr32(Problem(LogLoss()).X)
    rows = Linear(X, np.ones(12)).model.rows
    assert isinstance(rows, CSR)
    assert np.shares_memory(rows.data, X.data)
    assert np.shares_memory(rows.indices, X.indices)
    assert np.shares_memory(rows.indptr, X.indptr)
