"""Gradient descent by Polyak's step: as far as would reach the lowest height if the slope went on."""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.passing import Passing
from fallline.samplers import Batch

Array = np.ndarray[Any, Any]

GROWTH, SHRINK = 1.5, 0.9  # of the estimate, when a step gets there and when none does


class Polyak(NamedTuple):
    """rate·(F(w) − F*)/‖g‖²: (sub)gradient descent that needs the lowest height instead of a rate (Polyak 1969).

    lowest: F*, where it is known: 0 where a model can fit perfectly. Left out, it is estimated: F* is taken to be `ahead`
    below the best height so far, and `ahead` grows by half when a step gets there and shrinks by a tenth when none of the
    last `patience` did (the dynamic rule of Bertsekas 2015, eq. 3.22). Losses with corners, smooth penalties. Needs all rows
    a step. The rate is a factor between 0 and 2.
    """

    lowest: float = math.nan
    patience: int = 1

    def sampler(self, seed: int = 0) -> Batch:
        """The rows that it is meant for."""
        return Batch()

    def rate(self, objective: Any) -> float:
        """1: its steps as they are."""
        return 1.0

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The best height so far, how far below it F* is taken to be, and steps since that was reached."""
        terms.no_prox(objective, "Polyak")
        height = objective.value(w)
        return (np.array([height, 0.5 * abs(height) or 1.0, 0.0]),)

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "Polyak")
        terms.every_row(objective, segment, "Polyak")
        passing = Passing(state, segment, average, every)
        w, (best, ahead, waited) = state.w, state.memory[0].tolist()
        for k in range(1, segment.length + 1):
            height, g = objective.value(w), objective.gradient(w, slice(None))
            if height <= best - ahead:
                ahead, waited = GROWTH * ahead, 0.0
            elif waited >= self.patience:
                ahead, waited = SHRINK * ahead, 0.0
            best = min(best, height)
            target = best - ahead if math.isnan(self.lowest) else self.lowest
            square = float(g @ g)
            if square > 0.0:
                w = w - schedule.at(state.t + k) * max(height - target, 0.0) / square * g
            waited += 1.0
            passing.note(w)
        return passing.end(w, np.array([best, ahead, waited]))
