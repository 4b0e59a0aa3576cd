"""Standardised coordinates: a change of variables that makes every column's scale one, without touching the table.

u_j = s_j·w_j and u_0 = b + Σ mu_j·w_j are what the coefficients would be on the table (x − mu)/s. Solvers choose their
steps in u, where a quadratic is as round as scales can make it, and walk in w, on the table as it is.
"""

from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError
from fallline.objectives.passes import curvature_diagonal, moments, row_sum
from fallline.rows import CSR

Array = np.ndarray[Any, Any]

WIDEST = 1500  # columns: a matrix of that size takes 18 MB and a second to factor a few times
SQUARABLE = 1.5e-154  # the square of anything less is no ordinary float64: to such a column a penalty is infinite
LARGEST = 1e151  # of a column: the squares of more add up to no float64
CONSTANT = 1e-10  # of a column's size: a deviation below this is rounding, and the column constant


class Coordinates(NamedTuple):
    """mu and s of each column. u is (scores, width) laid flat: the coefficients of a score, then its intercept."""

    centre: Array  # (d,), zero without an intercept
    spread: Array  # (d,), one for a constant column
    scores: int
    free: int  # 1 with intercepts, else 0

    @property
    def width(self) -> int:
        """Entries of u a score."""
        return len(self.spread) + self.free

    def rows(self, X: Array) -> Array:
        """(x − mu)/s and a column of ones, (rows, width), float64 or more if X has more."""
        out = np.empty((len(X), self.width), dtype=np.result_type(X, float))
        np.subtract(X, self.centre, out=out[:, : len(self.spread)])
        out[:, : len(self.spread)] /= self.spread
        out[:, len(self.spread) :] = 1.0
        return out

    def slope(self, g: Array) -> Array:
        """The gradient in u of what has the gradient g in w."""
        G, free = self._split(g)
        pulled = G - free * self.centre if self.free else G
        return np.hstack([pulled / self.spread, free]).ravel()

    def step(self, p: Array) -> Array:
        """The step in w that p is in u."""
        P = p.reshape(self.scores, self.width)
        W = P[:, : len(self.spread)] / self.spread
        return np.concatenate(
            [W.ravel(), (P[:, len(self.spread) :] - (W @ self.centre)[:, None])[:, : self.free].ravel()]
        )

    def into(self, p: Array) -> Array:
        """The step in u that p is in w."""
        W, free = self._split(p)
        return np.hstack([W * self.spread, free + (W @ self.centre)[:, None] * self.free]).ravel()

    def point(self, w: Array) -> Array:
        """The penalised entries of u at w, the intercepts left at zero: they do not matter to a penalty."""
        W, free = self._split(w)
        return np.hstack([W * self.spread, 0.0 * free]).ravel()

    def each(self, number: float, power: int) -> Array:
        """number/sᵖᵒʷᵉʳ for each penalised entry of u, zero for the intercepts: a penalty's factor in u."""
        one = np.concatenate([number / self.spread**power, np.zeros(self.free)])
        return np.tile(one, self.scores)

    def places(self) -> Array:
        """Which entry of w has the name of each entry of u."""
        d, K = len(self.spread), self.scores
        return np.hstack(
            [np.arange(K * d).reshape(K, d), K * d + np.arange(K * self.free).reshape(K, self.free)]
        ).ravel()

    def _split(self, w: Array) -> tuple[Array, Array]:
        d, K = len(self.spread), self.scores
        return w[: K * d].reshape(K, d), w[K * d :].reshape(K, self.free)


def plain(objective: Any) -> Coordinates:
    """The objective's own coordinates: mean zero, scale one."""
    d, K = objective.model.d, objective.scores
    return Coordinates(np.zeros(d), np.ones(d), K, int(objective.size > K * d))


def standard(objective: Any) -> tuple[Coordinates, Array]:
    """Coordinates in which a table is standardised, and each column's kurtosis; costs a reading of the table.

    A wide sparse table is scaled but not centred, and the kurtosis of a sparse one is left aside. A column whose squares
    vanish is left as it is, and then alone. Raises InputError for one whose squares overflow.
    """
    own, model = plain(objective), objective.model
    if isinstance(model.rows, CSR):
        size = np.sqrt(curvature_diagonal(objective, np.ones(objective.n), 0))
        refuse_sizes(size)
        if model.d > WIDEST:
            return own._replace(spread=np.where(size > 0, size, 1.0)), np.zeros(model.d)
        mean = row_sum(objective, np.ones(objective.n)) / objective.n
        deviation, kurtosis = np.sqrt(np.maximum(size**2 - mean**2, 0.0)), np.zeros(model.d)
    else:
        mean, deviation, kurtosis = moments(objective)
        size = np.hypot(mean, deviation)
        refuse_sizes(size)
    spread = deviation if own.free else size
    spread = np.where(spread > CONSTANT * size, spread, np.where(size > 0, size, 1.0))
    spread[size < SQUARABLE] = 1.0
    return own._replace(centre=mean if own.free else own.centre, spread=spread), kurtosis


def refuse_sizes(size: Array) -> None:
    """Raise InputError for the first column so large that its squares overflow."""
    wrong = np.flatnonzero(~(size < LARGEST))
    if len(wrong):
        raise InputError(
            f"column {wrong[0]} (counted from 0) has values beyond {LARGEST:g}, whose squares are no float64 numbers: "
            "measure it in a larger unit."
        )
