"""Rules that find their own step length, or need no schedule: each looks at the whole vector, so each moves it whole.

A rule is a part with two methods on arrays, changed in place: `move(g, w, memory, t, rate)`, step t (from 1) along the
gradient g, with `rate` the schedule's; and `aim(w, memory)`, where the next gradient is to be taken. `numbers`, the last
array of a memory, holds what the rule knows of the walk as a whole. Rules run as plain Python and compiled alike. To add
one: write the class here, and its executor in executors/rate_free.py.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.kernels.bridge import compiled, stands_for
from fallline.kernels.walk import note, slope_of, span, stride

Array = np.ndarray[Any, Any]


class DoGRule(NamedTuple):
    """rate·r̄/√(Σ‖g‖²), r̄ the largest distance from the start (Ivgi, Hinder & Carmon 2023)."""

    reach: float
    eps: float

    def aim(self, w: Any, memory: Any) -> Any:
        return w

    def move(self, g: Any, w: Any, memory: Any, t: Any, rate: Any) -> None:
        start, numbers = memory  # numbers: r̄, Σ‖g‖²
        far, length, size = 0.0, 0.0, 0.0
        for j in range(w.shape[0]):
            far += (w[j] - start[j]) * (w[j] - start[j])
            size += start[j] * start[j]
            length += g[j] * g[j]
        first = self.reach * (1.0 + math.sqrt(size))
        numbers[0] = max(numbers[0], math.sqrt(far), first)
        numbers[1] += length
        pace = rate * numbers[0] / math.sqrt(numbers[1] + self.eps)
        for j in range(w.shape[0]):
            w[j] -= pace * g[j]


class ProdigyRule(NamedTuple):
    """Adam in units of d, the distance to the optimum as estimated so far (Mishchenko & Defazio 2024, alg. 4).

    In the form of the authors' code: no bias correction, √beta2 for the estimate's own averages.
    """

    beta1: float
    beta2: float
    eps: float
    first: float

    def aim(self, w: Any, memory: Any) -> Any:
        return w

    def move(self, g: Any, w: Any, memory: Any, t: Any, rate: Any) -> None:
        start, m, v, s, numbers = memory  # numbers: d, numerator
        keep, d = math.sqrt(self.beta2), max(numbers[0], self.first)
        along, total = 0.0, 0.0
        for j in range(w.shape[0]):
            along += g[j] * (start[j] - w[j])
            m[j] = self.beta1 * m[j] + d * (1.0 - self.beta1) * g[j]
            v[j] = self.beta2 * v[j] + d * d * (1.0 - self.beta2) * g[j] * g[j]
            s[j] = keep * s[j] + d / self.first * d * rate * g[j]
            total += abs(s[j])
        numbers[1] = keep * numbers[1] + d / self.first * d * rate * along
        numbers[0] = max(d, numbers[1] / total) if total > 0.0 else d
        for j in range(w.shape[0]):
            size = math.sqrt(v[j]) + numbers[0] * self.eps
            w[j] -= d * rate * m[j] / size if size > 0.0 else 0.0


class DAdaptationRule(NamedTuple):
    """Adam times d, a lower bound of the distance to the optimum (Defazio & Mishchenko 2023, alg. 5)."""

    beta1: float
    beta2: float
    eps: float
    first: float

    def aim(self, w: Any, memory: Any) -> Any:
        return w

    def move(self, g: Any, w: Any, memory: Any, t: Any, rate: Any) -> None:
        m, v, s, numbers = memory  # numbers: d, numerator
        keep, d = math.sqrt(self.beta2), max(numbers[0], self.first)
        along, total = 0.0, 0.0
        for j in range(w.shape[0]):
            m[j] = self.beta1 * m[j] + (1.0 - self.beta1) * d * rate * g[j]
            v[j] = self.beta2 * v[j] + (1.0 - self.beta2) * g[j] * g[j]
            size = math.sqrt(v[j]) + self.eps
            along += g[j] * s[j] / size
            s[j] = keep * s[j] + (1.0 - keep) * d * rate * g[j]
            total += abs(s[j])
            w[j] -= m[j] / size
        numbers[1] = keep * numbers[1] + (1.0 - keep) * d * rate * along
        numbers[0] = max(d, numbers[1] / ((1.0 - keep) * total)) if total > 0.0 else d


class COCOBRule(NamedTuple):
    """A gambler a coordinate, betting on the gradient's sign with what it has won (Orabona & Tommasi 2017, alg. 2)."""

    alpha: float

    def aim(self, w: Any, memory: Any) -> Any:
        return w

    def move(self, g: Any, w: Any, memory: Any, t: Any, rate: Any) -> None:
        start, largest, lengths, won, tally = memory
        for j in range(w.shape[0]):
            largest[j] = max(largest[j], abs(g[j]))
            lengths[j] += abs(g[j])
            won[j] = max(won[j] - (w[j] - start[j]) * g[j], 0.0)
            tally[j] -= g[j]
            bound = largest[j] * max(lengths[j] + largest[j], self.alpha * largest[j])
            if bound > 0.0:  # a column that has had no gradient has nothing to bet on
                w[j] = start[j] + tally[j] / bound * (largest[j] + won[j])


class ScheduleFreeSGDRule(NamedTuple):
    """z walks with gradients taken between z and the mean x of its points, which is the answer (Defazio et al. 2024, eq. 3–5).

    Points count by the square of their rate, so that a warm-up does not weigh.
    """

    beta: float

    def aim(self, w: Any, memory: Any) -> Any:
        return memory[0]

    def move(self, g: Any, w: Any, memory: Any, t: Any, rate: Any) -> None:
        y, z, numbers = memory  # numbers: Σ rate²
        numbers[0] += rate * rate
        share = rate * rate / numbers[0]
        for j in range(w.shape[0]):
            z[j] -= rate * g[j]
            w[j] += share * (z[j] - w[j])
            y[j] = (1.0 - self.beta) * z[j] + self.beta * w[j]


class ScheduleFreeAdamWRule(NamedTuple):
    """The same with Adam's second moment, no first one, and weight decay at y (Defazio et al. 2024, alg. 1)."""

    beta1: float
    beta2: float
    eps: float
    decay: float

    def aim(self, w: Any, memory: Any) -> Any:
        return memory[0]

    def move(self, g: Any, w: Any, memory: Any, t: Any, rate: Any) -> None:
        y, z, v, numbers = memory  # numbers: Σ rate²
        pace = rate * math.sqrt(1.0 - self.beta2**t)
        numbers[0] += pace * pace
        share = pace * pace / numbers[0]
        for j in range(w.shape[0]):
            v[j] = self.beta2 * v[j] + (1.0 - self.beta2) * g[j] * g[j]
            z[j] -= pace * (g[j] / (math.sqrt(v[j]) + self.eps) + self.decay * y[j])
            w[j] += share * (z[j] - w[j])
            y[j] = (1.0 - self.beta1) * z[j] + self.beta1 * w[j]


def aim(self: Any, w: Any, memory: Any) -> Any:
    """Where a rule wants the next gradient."""
    return self.aim(w, memory)


def move(self: Any, g: Any, w: Any, memory: Any, t: Any, rate: Any) -> None:
    """One step of a rule."""
    self.move(g, w, memory, t, rate)


stands_for(aim)(lambda self, w, memory: self.instance_class.aim)
stands_for(move)(lambda self, g, w, memory, t, rate: self.instance_class.move)


@compiled
def wander(model: Any, penalty: Any, rule: Any, walk: Any, z: Any) -> Any:
    """Walk a segment by such a rule."""
    w, memory, g = walk.w, walk.memory, np.empty_like(walk.w)
    order, paces, between = walk.order, walk.paces, stride(walk)
    for k in range(paces.shape[0]):
        first, last = span(order.shape[0], walk.batch, k)
        slope_of(model, penalty, order[first:last], aim(rule, w, memory), z, g)
        move(rule, g, w, memory, walk.t + k + 1, paces[k])
        if k + 1 == paces.shape[0] or (k + 1) % between == 0:
            note(walk, k)
