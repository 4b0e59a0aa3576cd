"""Gradient descent by Polyak's step: as far as would reach the lowest height if the slope went on."""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.passing import Passing
from fallline.samplers import Batch

Array = np.ndarray[Any, Any]

GROWTH, SHRINK = 1.5, 0.7  # of the estimate, when a step gets half-way to it and when none does


class Polyak(NamedTuple):
    """rate·(F(w) − F*)/‖g‖²: (sub)gradient descent that needs the lowest height instead of a rate (Polyak 1969).

    lowest: F*, where it is known, such as 0 where a model can fit perfectly. Left out, it is estimated: F* is taken to lie
    `ahead` below the best height so far; `ahead` grows by half when a step gets half-way there, and falls by 0.7 when none of
    the last `patience` did (a dynamic step size, Bertsekas 2015, §3.2). Losses with corners, smooth penalties. Needs all rows
    a step. The rate is a factor between 0 and 2. Answers with the best point so far. A step visits every row twice.
    """

    lowest: float = math.nan
    patience: int = 3

    def sampler(self, seed: int = 0) -> Batch:
        """The rows that it is meant for."""
        return Batch()

    def rate(self, objective: Any) -> float:
        """1: its steps as they are."""
        return 1.0

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The best height so far, how far below it F* is taken to lie, steps since that was half reached; visits."""
        terms.no_prox(objective, "Polyak")
        height = objective.value(w)
        return (np.array([height, 0.5 * abs(height) or 1.0, 0.0, 0.0]),)

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: visits in the last segment, and how low the lowest height is taken to be."""
        best, ahead, _, visits = state.memory[0].tolist()
        return {"visits": visits, "lowest": best - ahead if math.isnan(self.lowest) else self.lowest}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "Polyak")
        terms.own_average(average, "Polyak")
        terms.every_row(objective, segment, "Polyak")
        passing = Passing(state, segment, average, every)
        w, point, (best, ahead, waited, _) = state.w, state.mean, state.memory[0].tolist()
        height = objective.value(w)
        for k in range(1, segment.length + 1):
            g = objective.gradient(w, slice(None))
            target = best - ahead if math.isnan(self.lowest) else self.lowest
            square = float(g @ g)
            if square > 0.0:
                w = w - schedule.at(state.t + k) * max(height - target, 0.0) / square * g
            height = objective.value(w)
            if height <= best - 0.5 * ahead:
                ahead, waited = GROWTH * ahead, 0.0
            elif waited + 1.0 >= self.patience:
                ahead, waited = SHRINK * ahead, 0.0
            else:
                waited += 1.0
            if height < best:
                best, point = height, w
            passing.note(point)
        visits = (2 * segment.length + 1) * objective.n
        return passing.end(w, np.array([best, ahead, waited, float(visits)]))
