"""Any function of a vector as an objective."""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Function:
    """A function of a vector and its gradient. `n` is 1: a pass is one look at the function."""

    n = 1

    def __init__(self, f: Callable[[Array], float], gradient: Callable[[Array], Array], w0: Any) -> None:
        self.f, self.slope = f, gradient
        self.w0 = np.atleast_1d(np.asarray(w0, dtype=float))

    def start(self) -> Array:
        """w0."""
        return self.w0

    def value(self, w: Array) -> float:
        """f(w)."""
        return float(self.f(w))

    def values(self, points: Array) -> Array:
        """f at each of `points` (k, size)."""
        return np.array([self.value(w) for w in points])

    def gradient(self, w: Array, rows: Any = slice(None)) -> Array:
        """The gradient at w; `rows` are of no account."""
        return np.asarray(self.slope(w), dtype=float)

    def prox(self, w: Array, rate: Any) -> Array:
        """w: there is no penalty."""
        return w
