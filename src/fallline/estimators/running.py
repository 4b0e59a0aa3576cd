"""Means and deviations of columns whose rows come in pieces: of what has come up to and with each row."""

from typing import Any, NamedTuple

import numpy as np

from fallline.estimators.coefficients import Scales

Array = np.ndarray[Any, Any]


class Running(NamedTuple):
    """Weighted sums of what was seen, about an origin among them, so that little is lost where the mean is far from zero."""

    origin: Array  # (d,)
    weight: float
    total: Array  # (d,) of x − origin
    square: Array  # (d,) of (x − origin)²

    @classmethod
    def begin(cls, X: Array) -> "Running":
        """Nothing seen yet; the first row is the origin."""
        return cls(X[0].astype(float), 0.0, np.zeros(X.shape[1]), np.zeros(X.shape[1]))

    @classmethod
    def after(cls, scales: Scales, weight: float) -> "Running":
        """As if rows of that total weight had been seen, with those scales."""
        return cls(scales.centre, weight, np.zeros(len(scales.centre)), weight * scales.scale**2)

    def seen(self, X: Array, weights: Array) -> tuple[Array, "Running"]:
        """X (n, d), each row scaled by what has come up to and with it, and the sums after them.

        Sums go on from row to row, so that where the rows are cut into chunks makes no difference, not to the last bit.
        """
        away = X - self.origin
        share = weights[:, None]
        count = np.cumsum(np.append(self.weight, weights))[1:, None]
        total = np.cumsum(np.vstack([self.total, share * away]), axis=0)[1:]
        square = np.cumsum(np.vstack([self.square, share * away * away]), axis=0)[1:]
        mean = total / count
        scaled = (away - mean) / deviation(square / count - mean**2)
        return scaled, Running(self.origin, float(count[-1, 0]), total[-1], square[-1])

    @property
    def scales(self) -> Scales:
        """Those of all rows so far."""
        mean = self.total / self.weight
        return Scales(self.origin + mean, deviation(self.square / self.weight - mean**2))


def deviation(variance: Array) -> Array:
    """Its root; 1 for a column that has not varied."""
    return np.where(variance > np.finfo(float).tiny, np.sqrt(np.maximum(variance, 0.0)), 1.0)
