"""Losses for a target that is a number. y and z in the target's units; r = z − y."""

from typing import Any, NamedTuple


class SquaredError(NamedTuple):
    """Half the squared error, ½(z − y)²: least squares (Legendre 1805). Its best constant is the mean."""

    def value(self, y: float, z: float) -> float:
        return 0.5 * (z - y) * (z - y)

    def derivative(self, y: float, z: float) -> float:
        return z - y

    def curvature(self, y: float, z: float) -> float:
        return 1.0

    def accepts(self, y: Any) -> Any:
        return True

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return True


class AbsoluteError(NamedTuple):
    """Absolute error |z − y|: least absolute deviations (Laplace 1793). Its best constant is the median."""

    def value(self, y: float, z: float) -> float:
        return abs(z - y)

    def derivative(self, y: float, z: float) -> float:
        return 1.0 if z > y else -1.0 if z < y else 0.0 * (z - y)  # 0·r: a NaN stays a NaN

    def curvature(self, y: float, z: float) -> float:
        return 0.0

    def accepts(self, y: Any) -> Any:
        return True

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return False


class Huber(NamedTuple):
    """½r² near zero, delta·|r| − ½delta² beyond delta (Huber 1964): outliers pull with bounded force.

    delta: where the square ends, in units of y. 1.35 of the noise's deviation keeps 95 % of least squares' efficiency
    on Gaussian noise.
    """

    delta: float = 1.35

    def value(self, y: float, z: float) -> float:
        r = abs(z - y)
        return 0.5 * r * r if r <= self.delta else self.delta * (r - 0.5 * self.delta)

    def derivative(self, y: float, z: float) -> float:
        r = z - y
        return self.delta if r > self.delta else -self.delta if r < -self.delta else r

    def curvature(self, y: float, z: float) -> float:
        return 1.0 if abs(z - y) <= self.delta else 0.0

    def accepts(self, y: Any) -> Any:
        return True

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return True


class EpsilonInsensitive(NamedTuple):
    """max(0, |r| − epsilon): errors below epsilon cost nothing (Vapnik 1995, support vector regression).

    epsilon: half the width of the free tube, in units of y.
    """

    epsilon: float = 0.1

    def value(self, y: float, z: float) -> float:
        r = abs(z - y) - self.epsilon
        return 0.0 if r < 0.0 else r

    def derivative(self, y: float, z: float) -> float:
        r = z - y
        return 1.0 if r > self.epsilon else -1.0 if r < -self.epsilon else 0.0 * r

    def curvature(self, y: float, z: float) -> float:
        return 0.0

    def accepts(self, y: Any) -> Any:
        return True

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return False


class SquaredEpsilonInsensitive(NamedTuple):
    """max(0, |r| − epsilon)²: the smooth relative of epsilon_insensitive, as in scikit-learn without a half.

    epsilon: half the width of the free tube, in units of y.
    """

    epsilon: float = 0.1

    def value(self, y: float, z: float) -> float:
        r = abs(z - y) - self.epsilon
        return 0.0 if r < 0.0 else r * r

    def derivative(self, y: float, z: float) -> float:
        r = z - y
        return (
            2.0 * (r - self.epsilon) if r > self.epsilon else 2.0 * (r + self.epsilon) if r < -self.epsilon else 0.0 * r
        )

    def curvature(self, y: float, z: float) -> float:
        return 2.0 if abs(z - y) > self.epsilon else 0.0

    def accepts(self, y: Any) -> Any:
        return True

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return True


class Quantile(NamedTuple):
    """Pinball loss, level·(y − z) below the target and (1 − level)·(z − y) above it (Koenker & Bassett 1978).

    level: which quantile of y given x to fit, between 0 and 1. Its best constant is that quantile.
    """

    level: float = 0.5

    def value(self, y: float, z: float) -> float:
        return (1.0 - self.level) * (z - y) if z >= y else self.level * (y - z)

    def derivative(self, y: float, z: float) -> float:
        return 1.0 - self.level if z > y else -self.level if z < y else 0.0 * (z - y)

    def curvature(self, y: float, z: float) -> float:
        return 0.0

    def accepts(self, y: Any) -> Any:
        return True

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return False
