"""A linear model in the user's units, and as the parameters of an objective whose columns were brought to one scale."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fallline.errors import InputError

Array = np.ndarray[Any, Any]

BLOCK = 131_072  # numbers: what is made of a table on the way is a megabyte, neither as large as it is nor outside the cache


class Scales(NamedTuple):
    """What is taken from each column and what it is divided by, (d,) each."""

    centre: Array
    scale: Array

    @classmethod
    def of(cls, X: Any, weights: Array, centred: bool) -> "Scales":
        """Weighted mean and deviation of columns; of sparse ones, which must stay sparse, and where no intercept would undo it,
        mean 0 and root mean square.

        In units of the largest value, so that squares of 1e300 stay finite.
        """
        share = weights / weights.sum()
        d, sparse = X.shape[1], sp.issparse(X)
        parts = [(X[rows], share[rows]) for rows in blocks(*X.shape)]
        peak = np.max([_dense(abs(rows).max(axis=0)) for rows, _ in parts], axis=0)
        peak[peak < np.finfo(float).tiny] = 1.0
        centre = np.zeros(d)
        if centred and not sparse:
            for rows, part in parts:
                centre += part @ (rows / peak)
        square = np.zeros(d)
        for rows, part in parts:
            away = rows @ sp.diags_array(1.0 / peak, format="csr") if sparse else rows / peak - centre
            square += _dense(part @ (away.multiply(away) if sparse else away * away))
        scale = np.sqrt(square)
        return cls(centre * peak, peak * np.where(scale > np.finfo(float).eps, scale, 1.0))

    @classmethod
    def none(cls, d: int) -> "Scales":
        """Columns as they are."""
        return cls(np.zeros(d), np.ones(d))

    def apply(self, X: Any) -> Any:
        """The columns as the walk sees them."""
        if sp.issparse(X):
            return X @ sp.diags_array(1.0 / self.scale, format="csr")
        return (X - self.centre) / self.scale


class Coefficients(NamedTuple):
    """A linear model: coefficients (scores, d) and intercepts (scores,), zero where there are none."""

    coef: Array
    intercept: Array

    @classmethod
    def of(cls, w: Array, scores: int, scales: Scales) -> "Coefficients":
        """From an objective's parameters: score after score, and then the intercepts."""
        d = len(scales.scale)
        coef, free = w[: scores * d].reshape(scores, d) / scales.scale, w[scores * d :]
        return cls(coef, (free if len(free) else np.zeros(scores)) - coef @ scales.centre)

    def point(self, size: int, scales: Scales) -> Array:
        """And back, (size,). Raises InputError where the objective asks for another number of them."""
        if self.coef.shape[1] != len(scales.centre) or self.coef.size not in (size, size - len(self.intercept)):
            raise InputError(
                f"The model to go on with has {self.coef.size} coefficients, and this table asks for "
                f"{size - len(self.intercept)}: fit another estimator, or set warm_start=False."
            )
        free = self.intercept + self.coef @ scales.centre
        return np.concatenate([(self.coef * scales.scale).ravel(), free])[:size]

    def score(self, k: int) -> "Coefficients":
        """That of one score alone."""
        return Coefficients(self.coef[k : k + 1], self.intercept[k : k + 1])

    @classmethod
    def together(cls, parts: "list[Coefficients]") -> "Coefficients":
        """Several scores as one model."""
        return cls(np.vstack([part.coef for part in parts]), np.concatenate([part.intercept for part in parts]))


def blocks(n: int, d: int) -> Iterator[slice]:
    """All rows, some at a time, BLOCK numbers or one row."""
    count = max(1, BLOCK // max(d, 1))
    yield from (slice(first, first + count) for first in range(0, n, count))


def _dense(values: Any) -> Array:
    """A row of numbers, (d,) float64."""
    return np.asarray(values.todense() if sp.issparse(values) else values, float).ravel()
