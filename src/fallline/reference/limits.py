"""The largest learning rate at which plain descent settles, for any batch size.

Batch descent settles below 2/λ₁, with λ₁ the largest curvature at the optimum (exact for least squares; for other losses
it is the limit near the optimum). With batches of B rows the noise must die out too: the mean-square limit is the largest
rate for which E‖w − w*‖² stays bounded, 1/ρ(L⁻¹K) with L(S) = HS + SH and
K(S) = (1 − 1/B)·HSH + (1/B)·E[cᵢ²·xᵢᵀSxᵢ·xᵢxᵢᵀ] (Défossez & Bach 2015). One row that is met rarely but lies far out can
set it, and a single run may not meet that row for long: it is the safe statement, not what every run experiences.
"""

from typing import Any, NamedTuple

import numpy as np

from fallline.executors.smoothness import squared_lengths
from fallline.losses import Softmax, SquaredError
from fallline.objectives.coordinates import WIDEST
from fallline.objectives.hessian import hessian, table_rows, table_whole
from fallline.objectives.variants import subset, with_loss

Array = np.ndarray[Any, Any]

SAMPLE = 2000  # rows that stand for the others in fourth moments
LONGEST = 500  # rows that stand for themselves, because the longest decide
ROUNDS = 30  # of power iteration; the limit is then right to about a percent


class Limits(NamedTuple):
    """The curvature at the optimum, from which the limit of every batch size follows."""

    values: Array  # eigenvalues of H, ascending
    scores: Array  # (m, size) rows times √curvature, in H's eigenvectors; empty where only lengths are used
    shares: Array  # (m,) which share of all rows each stands for
    reach: float  # E[c²‖x‖⁴]/E[c‖x‖²]: the curvature that single rows have on average, longer rows more often
    borrowed: bool  # the loss has no curvature, so this is that of least squares on the same rows: a scale, no limit
    vectors: Array  # of H, a column each; empty where there is no matrix

    @property
    def rough(self) -> bool:
        """Whether for few rows a step only a bound is known: several classes, and tables too wide for a matrix."""
        return not len(self.scores)

    @property
    def batch(self) -> float:
        """2/λ₁."""
        return float(2.0 / self.values[-1])

    @property
    def condition(self) -> float:
        """λ₁ over the smallest eigenvalue above rounding: how many times slower the slowest direction is.

        NaN where the table is too wide for more than λ₁.
        """
        if np.isnan(self.values[0]):
            return float("nan")
        live = self.values[self.values > self.values[-1] * 1e-13]
        return float(live[-1] / live[0])

    def of(self, batch: int, n: int) -> float:
        """The limit for steps of `batch` rows out of n; a rough one where only the rows' lengths are used."""
        if batch >= n:
            return self.batch
        if not len(self.scores):
            return min(self.batch, 2.0 / ((1 - 1 / batch) * self.values[-1] + self.reach / batch))
        lam, Z = np.maximum(self.values, self.values[-1] * 1e-12), self.scores
        S, rho = np.eye(len(lam)), 1.0
        for _ in range(ROUNDS):
            q = self.shares * ((Z @ S) * Z).sum(axis=1)
            S = ((1 - 1 / batch) * (lam[:, None] * S * lam) + (Z.T * q) @ Z / batch) / (lam[:, None] + lam)
            rho = float(np.linalg.norm(S))
            S /= rho
        return min(self.batch, 1.0 / rho)


def limits_of(objective: Any, w: Array) -> Limits:
    """Limits of plain descent on a Linear or SoftmaxRegression objective whose optimum is w."""
    if isinstance(objective.loss, Softmax):
        curvature = np.full(objective.n, 0.5) * objective.model.weights  # the largest that p_k(1 − p_k) blocks can have
        values = np.linalg.eigvalsh(hessian(objective, w)) if objective.size <= WIDEST else _largest(objective, w)
        return Limits(values, np.empty((0, 0)), np.empty(0), reach_of(objective, curvature), False, np.empty((0, 0)))
    borrowed = not objective.curvature(w).any()
    objective = with_loss(objective, SquaredError()) if borrowed else objective
    curvature = objective.curvature(w)
    reach = reach_of(objective, curvature)
    if objective.size > WIDEST:
        return Limits(_largest(objective, w), np.empty((0, 0)), np.empty(0), reach, borrowed, np.empty((0, 0)))
    values, vectors = np.linalg.eigh(hessian(objective, w))
    chosen, shares = telling(objective, curvature, SAMPLE)
    scores = np.sqrt(curvature[chosen])[:, None] * (gathered_rows(objective, chosen) @ vectors)
    return Limits(values, scores, shares, reach, borrowed, vectors)


def _lengths(objective: Any) -> Array:
    """‖x‖² of every row, the column of ones included."""
    table_whole(objective)  # refuses rows that are nowhere
    return squared_lengths(objective.model.rows) + float(objective.size > objective.scores * objective.model.d)


def reach_of(objective: Any, curvature: Array) -> float:
    """E[c²‖x‖⁴]/E[c‖x‖²] over the rows, c their curvature (n,)."""
    pull = curvature * _lengths(objective)
    return float((pull * pull).sum() / max(pull.sum(), 1e-300))


def telling(objective: Any, curvature: Array, sample: int) -> tuple[Array, Array]:
    """The rows that lie furthest out, for themselves, and a sample that stands for the rest; the share of all that each is."""
    n = objective.n
    if n <= sample + LONGEST:
        return np.arange(n), np.full(n, 1.0 / n)
    order = np.argsort(curvature * _lengths(objective))
    rest, longest = order[:-LONGEST], order[-LONGEST:]
    drawn = np.random.default_rng(0).choice(rest, sample, replace=False)
    shares = np.concatenate([np.full(sample, len(rest) / sample / n), np.full(LONGEST, 1.0 / n)])
    return np.concatenate([drawn, longest]), shares


def matrix_rows(objective: Any, first: int, last: int) -> Array:
    """Rows first … last as a dense matrix, with the column of ones where there is an intercept."""
    X = table_rows(objective, first, last)
    return np.column_stack([X, np.ones(len(X))]) if objective.size > objective.scores * objective.model.d else X


def gathered_rows(objective: Any, chosen: Array) -> Array:
    """Those rows as a dense matrix, with the column of ones where there is an intercept."""
    if len(chosen) == objective.n:
        return matrix_rows(objective, 0, objective.n)
    return matrix_rows(subset(objective, chosen), 0, len(chosen))


def _largest(objective: Any, w: Array) -> Array:
    """The largest eigenvalue, by power iteration on differences of gradients; NaN stands for the others."""
    v = np.random.default_rng(0).standard_normal(objective.size)
    largest = 0.0
    for _ in range(ROUNDS):
        v /= np.linalg.norm(v)
        h = 1e-4 * max(1.0, float(np.linalg.norm(w)))
        v = (objective.gradient(w + h * v) - objective.gradient(w - h * v)) / (2 * h)
        largest = float(np.linalg.norm(v))
    return np.array([np.nan, largest])
