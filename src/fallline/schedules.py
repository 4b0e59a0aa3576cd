"""Schedules: the rate of step t, counted from 1. A schedule is a function of the step alone.

`at(t)` is plain arithmetic. The first field is the rate that the schedule starts from (or climbs to). Where torch has
the same schedule, `at(t)` is its rate at epoch t − 1. One that reacts to the run is `ReduceOnPlateau`: before each
segment it looks at the trace and answers with a plain schedule. To add one: write the class, add the row.
"""

import math
from typing import Any, NamedTuple

from fallline.methods import at


class Constant(NamedTuple):
    """rate. With noise the walk ends in a ball around the optimum whose size grows with the rate."""

    rate: float = 0.01

    def at(self, t: float) -> float:
        return self.rate


class StepDecay(NamedTuple):
    """rate·factor^⌊(t−1)/every⌋: falls by a factor every so many steps (torch's StepLR)."""

    rate: float = 0.01
    every: int = 1000
    factor: float = 0.1

    def at(self, t: float) -> float:
        return self.rate * self.factor ** ((t - 1) // self.every)


class Exponential(NamedTuple):
    """rate·factor^(t−1) (torch's ExponentialLR)."""

    rate: float = 0.01
    factor: float = 0.999

    def at(self, t: float) -> float:
        return self.rate * self.factor ** (t - 1)


class InverseTime(NamedTuple):
    """rate/(1 + decay·(t−1)): the decay for which stochastic descent provably converges (Robbins & Monro 1951)."""

    rate: float = 0.01
    decay: float = 0.001

    def at(self, t: float) -> float:
        return self.rate / (1.0 + self.decay * (t - 1))


class InverseSqrt(NamedTuple):
    """rate/√t: the decay that needs no strong convexity, best with averaging (Nemirovski et al. 2009)."""

    rate: float = 0.01

    def at(self, t: float) -> float:
        return self.rate / math.sqrt(t)


class InverseScaling(NamedTuple):
    """rate/t^power: scikit-learn's "invscaling"."""

    rate: float = 0.01
    power: float = 0.25

    def at(self, t: float) -> float:
        return self.rate / t**self.power


class Polynomial(NamedTuple):
    """From rate to end in `steps` steps along (1 − (t−1)/steps)^power, then end (torch's PolynomialLR for end = 0)."""

    rate: float = 0.01
    steps: int = 1000
    power: float = 1.0
    end: float = 0.0

    def at(self, t: float) -> float:
        left = max(0.0, 1.0 - (t - 1) / self.steps)
        return self.end + (self.rate - self.end) * left**self.power


class Cosine(NamedTuple):
    """From rate to end in `steps` steps along half a cosine, then end (Loshchilov & Hutter 2017, eq. 5)."""

    rate: float = 0.01
    steps: int = 1000
    end: float = 0.0

    def at(self, t: float) -> float:
        done = min(1.0, (t - 1) / self.steps)
        return self.end + (self.rate - self.end) * 0.5 * (1.0 + math.cos(math.pi * done))


class WarmRestarts(NamedTuple):
    """Half a cosine again and again, each `growth` times as long as the last (SGDR, Loshchilov & Hutter 2017)."""

    rate: float = 0.01
    period: int = 1000
    growth: int = 2
    end: float = 0.0

    def at(self, t: float) -> float:
        since, length = t - 1, self.period
        while since >= length:
            since -= length
            length *= self.growth
        return self.end + (self.rate - self.end) * 0.5 * (1.0 + math.cos(math.pi * since / length))


class OneCycle(NamedTuple):
    """Up to rate in the first share of `steps`, then far below the start, both along cosines (Smith & Topin 2019).

    In the two-phase form of torch's OneCycleLR: starts at rate/start, ends at rate/start/finish.
    """

    rate: float = 0.01
    steps: int = 1000
    warm: float = 0.3
    start: float = 25.0
    finish: float = 1e4

    def at(self, t: float) -> float:
        low = self.rate / self.start
        peak = self.warm * self.steps - 1.0
        now = min(t - 1.0, self.steps - 1.0)
        if peak > 0.0 and now <= peak:  # a climb of one step has no length
            first, last, done = low, self.rate, now / peak
        else:
            first, last, done = self.rate, low / self.finish, (now - peak) / (self.steps - 1.0 - peak)
        return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * done))


class Cyclic(NamedTuple):
    """Up and down in a straight line between low and rate, `half` steps each way (Smith 2017; torch's CyclicLR)."""

    rate: float = 0.01
    low: float = 0.001
    half: int = 2000

    def at(self, t: float) -> float:
        place = (t - 1) / self.half % 2.0
        return self.low + (self.rate - self.low) * (place if place <= 1.0 else 2.0 - place)


class Optimal(NamedTuple):
    """1/(alpha·(t0 + t − 1)): Bottou's schedule for an objective with L2 penalty alpha, scikit-learn's "optimal".

    rate: of the first step, which sets t0 = 1/(alpha·rate) (Bottou 2012, §5.2).
    """

    rate: float = 0.01
    alpha: float = 1e-4

    def at(self, t: float) -> float:
        return self.rate / (1.0 + self.rate * self.alpha * (t - 1))


class Warmup(NamedTuple):
    """A straight line from 1/steps of `schedule`'s rate up to all of it, then `schedule` itself (Goyal et al. 2017)."""

    schedule: Any
    steps: int = 100

    def at(self, t: float) -> float:
        share: float = min(1.0, t / self.steps)
        return share * at(self.schedule, t)

    def react(self, trace: Any) -> "Warmup":
        """The same before what a reacting schedule answers."""
        return self._replace(schedule=self.schedule.react(trace)) if hasattr(self.schedule, "react") else self


class ReduceOnPlateau(NamedTuple):
    """rate·factor^k, where k counts the times that `patience` looks in a row brought no better loss.

    Better means below (1 − threshold) of the best so far (torch's ReduceLROnPlateau with threshold_mode "rel").
    """

    rate: float = 0.01
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4

    def react(self, trace: Any) -> Constant:
        """The constant rate that the trace calls for, computed afresh from its losses, so that a resumed run agrees."""
        best, waited, cuts = math.inf, 0, 0
        for loss in trace["loss"][1:]:
            if loss < best - self.threshold * abs(best) if best < math.inf else loss < best:
                best, waited = loss, 0
            else:
                waited += 1
            if waited > self.patience:
                waited, cuts = 0, cuts + 1
        return Constant(self.rate * self.factor**cuts)

    def at(self, t: float) -> float:
        return self.rate


SCHEDULES = {
    "constant": Constant,
    "step": StepDecay,
    "exponential": Exponential,
    "inverse_time": InverseTime,
    "inverse_sqrt": InverseSqrt,
    "inverse_scaling": InverseScaling,
    "polynomial": Polynomial,
    "cosine": Cosine,
    "warm_restarts": WarmRestarts,
    "one_cycle": OneCycle,
    "cyclic": Cyclic,
    "optimal": Optimal,
    "reduce_on_plateau": ReduceOnPlateau,
}
