"""What one setting did, how far from the optimum that is, and what it is held against."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from fallline.plan import Plan
from fallline.trace import Trace

WITHIN = 0.01  # of the optimum: what "reached" means everywhere in a comparison
FINE = 1e-4  # of the optimum: nearly all of what there is to gain


@dataclass(frozen=True)
class Yardstick:
    """From loss to relative excess, (loss − optimum)/scale: 0.01 is one per cent above the optimum.

    The scale is the optimum's own height above the least that the loss can be on these targets; where the fit is all but
    perfect, a thousandth of the start's, since nothing is within 1 % of nought.
    """

    optimum: float
    scale: float
    start: float
    by: str
    goal: str = "the optimum"  # what excess is over, in words; of a network nobody knows the optimum

    def excess(self, loss: Any) -> Any:
        """Relative excess over the optimum."""
        return (np.asarray(loss, dtype=float) - self.optimum) / self.scale

    @property
    def idle(self) -> bool:
        """Whether the start is within 1 % of the optimum already: nobody can then be first to get there."""
        return bool(self.excess(self.start) <= WITHIN)


@dataclass(frozen=True)
class Entry:
    """One setting and its runs, a trace a seed."""

    plan: Plan
    traces: Sequence[Trace]
    yard: Yardstick
    limit: float | None  # the largest stable rate, where there is one
    final: bool = False  # what the verdict rests on: run on fresh seeds, with the best rate of its kind
    chance: bool = True  # whether another seed is another run
    again: Sequence[Trace] = ()  # the same run timed again, where there is no chance in it

    @property
    def diverged(self) -> int:
        """How many of its runs ran away."""
        return sum(trace.about["diverged"] for trace in self.traces)

    @property
    def excess(self) -> list[float]:
        """Relative excess at the end of each run; infinite where it diverged."""
        return [
            float("inf") if trace.about["diverged"] else float(self.yard.excess(trace.last("loss")))
            for trace in self.traces
        ]

    def reached(self, column: str, level: float = WITHIN) -> list[float]:
        """`column` (visits, seconds, t) at each run's first look within `level` of the optimum.

        Infinite where there is none, and where the run diverged: who passes by on the way out has not arrived. Seconds are
        those of every timing, also where the same run was timed several times.
        """
        return [
            float("inf") if trace.about["diverged"] else first_within(trace, self.yard, column, level)
            for trace in (*self.traces, *(self.again if column == "seconds" else ()))
        ]

    @property
    def estimate(self) -> list[float]:
        """Relative excess as each run itself estimates it at its end; empty where a run has no such estimate."""
        return [float(trace.last("excess")) / self.yard.scale for trace in self.traces if "excess" in trace.columns]

    @property
    def bound(self) -> list[float]:
        """The same proven: no run can be further above the optimum. Infinite where nothing is proven; empty if not asked for."""
        return [trace.about["bound"] / self.yard.scale for trace in self.traces if "bound" in trace.about]


@dataclass(frozen=True)
class Baseline:
    """What the user would otherwise use, on the same objective."""

    name: str
    seconds: float
    excess: float
    seconds_to_1pct: float
    passes: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """Two settings held against each other over their seeds."""

    a: str
    b: str
    p: float
    real: bool  # larger than seed-to-seed noise, at 5 % over all the pairs compared
    text: str


@dataclass(frozen=True)
class Verdict:
    """The outcome in plain words."""

    headline: str
    sentences: Sequence[str]
    differences: Sequence[Difference]
    better_tool: str | None = None


def first_within(trace: Trace, yard: Yardstick, column: str, level: float = WITHIN) -> float:
    """`column` at the first look within `level` of the optimum; infinite if there is none."""
    close = np.flatnonzero(yard.excess(trace["loss"]) <= level)
    return float(trace[column][close[0]]) if len(close) else float("inf")


def score(entry: Entry) -> tuple[float, float]:
    """What makes a setting better: fewer row visits to 1 %, then less excess at the end. Medians over seeds."""
    return median(entry.reached("visits")), median(entry.excess)
