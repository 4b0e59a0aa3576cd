"""The loss of several classes: one score a class, so it has its own row-wise contract."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Softmax(NamedTuple):
    """Cross-entropy, log Σₖ exp(z_k) − z_y: minus the log-likelihood of P(y = k) ∝ exp(z_k) (McFadden 1973).

    y is the class's number, 0 … K−1; z its K scores.
    """

    def value(self, y: int, z: Sequence[float]) -> float:
        top = max(z)  # subtracted, so that the largest exponential is 1
        return top - z[y] + math.log(sum([math.exp(score - top) for score in z]))

    def chances(self, z: Sequence[float]) -> list[float]:
        """P(y = k) for every class k."""
        top = max(z)
        parts = [math.exp(score - top) for score in z]
        whole = sum(parts)
        return [part / whole for part in parts]

    def derivative(self, y: int, z: Sequence[float]) -> list[float]:
        """d value / dz_k = P(y = k) − [k = y] for every class k."""
        return [p - (k == y) for k, p in enumerate(self.chances(z))]

    def smooth(self) -> bool:
        return True
