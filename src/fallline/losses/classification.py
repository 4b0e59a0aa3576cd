"""Losses for two classes. y is −1 or +1, z the score, y·z the margin: positive where the row is on its right side."""

import math
from typing import Any, NamedTuple


class LogLoss(NamedTuple):
    """Logistic loss, log(1 + exp(−y·z)): minus the log-likelihood of P(y = 1) = 1/(1 + exp(−z)) (Cox 1958)."""

    def value(self, y: float, z: float) -> float:
        s = y * z  # the exponential is taken of −|s| only, so nothing overflows
        e = math.exp(-abs(s))
        u = 1.0 + e
        log1p = e if u == 1.0 else math.log(u) * (e / (u - 1.0))
        return log1p + (0.0 if s > 0.0 else -s)

    def derivative(self, y: float, z: float) -> float:
        s = y * z
        e = math.exp(-abs(s))
        return -y * (e if s > 0.0 else 1.0) / (1.0 + e)

    def curvature(self, y: float, z: float) -> float:
        e = math.exp(-abs(y * z))
        return e / ((1.0 + e) * (1.0 + e))

    def accepts(self, y: Any) -> Any:
        return abs(y) == 1.0

    def mean(self, z: float) -> float:
        e = math.exp(-abs(z))
        return (1.0 if z > 0.0 else e) / (1.0 + e)

    def smooth(self) -> bool:
        return True


class Hinge(NamedTuple):
    """max(0, 1 − y·z): the margin loss of support vector machines (Cortes & Vapnik 1995)."""

    def value(self, y: float, z: float) -> float:
        r = 1.0 - y * z
        return 0.0 if r < 0.0 else r

    def derivative(self, y: float, z: float) -> float:
        r = 1.0 - y * z
        return -y if r > 0.0 else 0.0 * r

    def curvature(self, y: float, z: float) -> float:
        return 0.0

    def accepts(self, y: Any) -> Any:
        return abs(y) == 1.0

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return False


class SquaredHinge(NamedTuple):
    """max(0, 1 − y·z)²: hinge made smooth; outliers weigh more (L2-loss SVM)."""

    def value(self, y: float, z: float) -> float:
        r = 1.0 - y * z
        return 0.0 if r < 0.0 else r * r

    def derivative(self, y: float, z: float) -> float:
        r = 1.0 - y * z
        return -2.0 * y * r if r > 0.0 else 0.0 * r

    def curvature(self, y: float, z: float) -> float:
        return 2.0 if y * z < 1.0 else 0.0

    def accepts(self, y: Any) -> Any:
        return abs(y) == 1.0

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return True


class ModifiedHuber(NamedTuple):
    """max(0, 1 − y·z)² for y·z ≥ −1, −4·y·z below (Zhang 2004): smooth, robust, and it gives probabilities."""

    def value(self, y: float, z: float) -> float:
        s = y * z
        return 0.0 if s > 1.0 else -4.0 * s if s < -1.0 else (1.0 - s) * (1.0 - s)

    def derivative(self, y: float, z: float) -> float:
        s = y * z
        return 0.0 if s > 1.0 else -4.0 * y if s < -1.0 else -2.0 * y * (1.0 - s)

    def curvature(self, y: float, z: float) -> float:
        s = y * z
        return 2.0 if -1.0 < s < 1.0 else 0.0

    def accepts(self, y: Any) -> Any:
        return abs(y) == 1.0

    def mean(self, z: float) -> float:
        return 0.5 * (1.0 + (1.0 if z > 1.0 else -1.0 if z < -1.0 else z))  # P(y = 1), Zhang 2004, table 1

    def smooth(self) -> bool:
        return True


class Perceptron(NamedTuple):
    """max(0, −y·z): only rows on the wrong side cost (Rosenblatt 1958). w = 0 is optimal for it."""

    def value(self, y: float, z: float) -> float:
        r = -y * z
        return 0.0 if r < 0.0 else r

    def derivative(self, y: float, z: float) -> float:
        r = -y * z
        return -y if r >= 0.0 else 0.0 * r  # at z = 0 a row counts as wrong: otherwise nobody would leave w = 0

    def curvature(self, y: float, z: float) -> float:
        return 0.0

    def accepts(self, y: Any) -> Any:
        return abs(y) == 1.0

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return False
