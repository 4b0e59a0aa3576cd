"""The duals of losses: what one step of dual coordinate ascent needs to know of each.

A row's dual variable u stands for minus the derivative of its loss in the score, so 0 is always allowed. Each part has
its loss's fields, and

- `conjugate(y, u)` = sup_z (−u·z − loss(y, z)), the loss's convex conjugate at −u; u must be in its domain;
- `ascend(y, z, u, q)`, the new u that solves u' = −derivative(y, z + q·(u' − u)) exactly: z is the row's score now and q
  how much the score rises by a unit of u.

(Shalev-Shwartz & Zhang 2013; for regression Ho & Lin 2012.) To add one: write the class,
add the row.
"""

import math
from typing import Any, NamedTuple

from fallline.kernels.bridge import stands_for
from fallline.losses import (
    AbsoluteError,
    EpsilonInsensitive,
    Hinge,
    Huber,
    LogLoss,
    ModifiedHuber,
    Perceptron,
    Quantile,
    SquaredEpsilonInsensitive,
    SquaredError,
    SquaredHinge,
)

TINY = 1e-300  # in place of q = 0, a row of zeros: its dual then goes to the end that its score asks for
NEAR = 1e-7  # of a root, in the score: one more step, on the slope alone, is right to the square of that
ROOT_STEPS = 100  # bisection alone would take 60; Newton takes 2 to 5


def ascend(self: Any, y: Any, z: Any, u: Any, q: Any) -> Any:
    """The row's dual after an exact step."""
    return self.ascend(y, z, u, q)


def conjugate(self: Any, y: Any, u: Any) -> Any:
    """The loss's conjugate at −u."""
    return self.conjugate(y, u)


stands_for(ascend)(lambda self, y, z, u, q: self.instance_class.ascend)
stands_for(conjugate)(lambda self, y, u: self.instance_class.conjugate)


class SquaredErrorDual(NamedTuple):
    """u = y − z."""

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        return (y - z + q * u) / (1.0 + q)

    def conjugate(self, y: float, u: float) -> float:
        return 0.5 * u * u - u * y


class HuberDual(NamedTuple):
    """The same within ±delta."""

    delta: float

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        return min(max((y - z + q * u) / (1.0 + q), -self.delta), self.delta)

    def conjugate(self, y: float, u: float) -> float:
        return 0.5 * u * u - u * y


class QuantileDual(NamedTuple):
    """u between level − 1 and level."""

    level: float

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        return min(max(u + (y - z) / max(q, TINY), self.level - 1.0), self.level)

    def conjugate(self, y: float, u: float) -> float:
        return -u * y


class AbsoluteErrorDual(NamedTuple):
    """u between −1 and 1."""

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        return min(max(u + (y - z) / max(q, TINY), -1.0), 1.0)

    def conjugate(self, y: float, u: float) -> float:
        return -u * y


class EpsilonInsensitiveDual(NamedTuple):
    """u between −1 and 1, zero inside the tube."""

    epsilon: float

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        pulled = q * u + y - z
        past = max(abs(pulled) - self.epsilon, 0.0) / max(q, TINY)
        return min(past, 1.0) if pulled > 0.0 else -min(past, 1.0)

    def conjugate(self, y: float, u: float) -> float:
        return self.epsilon * abs(u) - u * y


class SquaredEpsilonInsensitiveDual(NamedTuple):
    """Any u, zero inside the tube."""

    epsilon: float

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        pulled = q * u + y - z
        past = max(abs(pulled) - self.epsilon, 0.0) / (q + 0.5)
        return past if pulled > 0.0 else -past

    def conjugate(self, y: float, u: float) -> float:
        return 0.25 * u * u + self.epsilon * abs(u) - u * y


class HingeDual(NamedTuple):
    """y·u between 0 and 1."""

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        return y * min(max(y * u + (1.0 - y * z) / max(q, TINY), 0.0), 1.0)

    def conjugate(self, y: float, u: float) -> float:
        return -y * u


class PerceptronDual(NamedTuple):
    """y·u between 0 and 1."""

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        return y * min(max(y * u - y * z / max(q, TINY), 0.0), 1.0)

    def conjugate(self, y: float, u: float) -> float:
        return 0.0 * u


class SquaredHingeDual(NamedTuple):
    """y·u from 0 up."""

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        return y * max((1.0 - y * z + q * y * u) / (0.5 + q), 0.0)

    def conjugate(self, y: float, u: float) -> float:
        return 0.25 * u * u - y * u


class ModifiedHuberDual(NamedTuple):
    """y·u between 0 and 4."""

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        return y * min(max((1.0 - y * z + q * y * u) / (0.5 + q), 0.0), 4.0)

    def conjugate(self, y: float, u: float) -> float:
        return 0.25 * u * u - y * u


class LogLossDual(NamedTuple):
    """a = y·u between 0 and 1: a = σ(−s), with the margin s after the step the root of s − m − q·(σ(−s) − a) = 0.

    The root is between m − q·a and m + q·(1 − a), where m is the margin now. Newton's method alone leaves that bracket or
    runs in a circle for large q (seen at 100); where a step would, or is not half as long as the last, the bracket is halved.
    """

    def ascend(self, y: float, z: float, u: float, q: float) -> float:
        m, a = y * z, y * u
        low, high = m - q * a, m + q * (1.0 - a)
        s = min(max(m, low), high)
        new, last = a, high - low
        for _ in range(ROOT_STEPS):
            e = math.exp(-abs(s))
            new = (e if s > 0.0 else 1.0) / (1.0 + e)
            off = s - m - q * (new - a)
            if off > 0.0:
                high = s
            else:
                low = s
            falls = e / ((1.0 + e) * (1.0 + e))  # −dσ(−s)/ds
            move = -off / (1.0 + q * falls)
            if abs(move) <= NEAR:
                new -= falls * move
                break
            after = s + move
            if not low <= after <= high or abs(move) > 0.5 * last:
                after = 0.5 * (low + high)
            last = abs(after - s)
            s = after
        return y * new

    def conjugate(self, y: float, u: float) -> float:
        a = y * u
        rest = 1.0 - a
        return (a * math.log(a) if a > 0.0 else 0.0) + (rest * math.log(rest) if rest > 0.0 else 0.0)


DUALS = {
    SquaredError: SquaredErrorDual,
    AbsoluteError: AbsoluteErrorDual,
    Huber: HuberDual,
    EpsilonInsensitive: EpsilonInsensitiveDual,
    SquaredEpsilonInsensitive: SquaredEpsilonInsensitiveDual,
    Quantile: QuantileDual,
    LogLoss: LogLossDual,
    Hinge: HingeDual,
    SquaredHinge: SquaredHingeDual,
    ModifiedHuber: ModifiedHuberDual,
    Perceptron: PerceptronDual,
}
