"""Averages: which point a run answers with, the last one or a mean of those it passed.

An average is a part: `weight(t)`, the share of step t's point (t from 1) in the mean so far,
mean ← mean + weight·(w − mean). Averaging removes most of the noise of a stochastic walk without slowing it (Polyak &
Juditsky 1992). To add one: write the class, add the row.
"""

import math
from typing import NamedTuple


class Last(NamedTuple):
    """The last point: no averaging."""

    def weight(self, t: float) -> float:
        return 1.0


class PolyakRuppert(NamedTuple):
    """The mean of every point from step `start` on (Ruppert 1988; Polyak & Juditsky 1992)."""

    start: int = 1

    def weight(self, t: float) -> float:
        return 1.0 / max(1, t - self.start + 1)


class Tail(NamedTuple):
    """The mean of the last `share` of a walk of `steps` steps; before that, the last point (Rakhlin et al. 2012)."""

    steps: int = 1000
    share: float = 0.5

    def weight(self, t: float) -> float:
        passed: float = t - self.steps + math.floor(self.steps * self.share + 0.5)
        return 1.0 / max(1.0, passed)


class Fading(NamedTuple):
    """An exponential moving average: each step keeps `keep` of the old mean, with the bias of the start removed."""

    keep: float = 0.99

    def weight(self, t: float) -> float:
        return (1.0 - self.keep) / (1.0 - self.keep**t)


AVERAGES = {"none": Last, "polyak_ruppert": PolyakRuppert, "tail": Tail, "fading": Fading}
