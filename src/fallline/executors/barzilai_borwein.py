"""Gradient descent whose step length comes from the last step: Barzilai–Borwein, with a safeguard."""

from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.line_search import first_length, shortened
from fallline.executors.passing import Passing
from fallline.samplers import Batch

Array = np.ndarray[Any, Any]


class BarzilaiBorwein(NamedTuple):
    """rate = s·s/s·y over the last step s and the gradient's change y on it (Barzilai & Borwein 1988, eq. 6).

    The loss may rise for a while, which is what makes it quick; each point must be below the highest of the last `window` by
    enough, or the step is shortened (Grippo, Lampariello & Lucidi 1986; Raydan 1997), and with an L1 share the step is proximal
    (SpaRSA, Wright, Nowak & Figueiredo 2009). Needs all rows a step, and no rate. Each gradient and each length tried visits
    every row.
    """

    window: int = 10
    sufficient: float = 1e-4
    shrink: float = 0.5

    def sampler(self, seed: int = 0) -> Batch:
        """The rows that it is meant for."""
        return Batch()

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The gradient here; the next step's length, and visits; the heights passed."""
        terms.smooth_loss(objective, "BarzilaiBorwein")
        heights = np.full(self.window, -np.inf)
        heights[-1] = objective.value(w)
        return objective.gradient(w, slice(None)), np.array([first_length(objective, w), 0.0]), heights

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: visits in the last segment, and how long the next step is to be."""
        return {"visits": float(state.memory[1][1]), "step_length": float(state.memory[1][0])}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "BarzilaiBorwein")
        terms.own_rate(schedule, state, "BarzilaiBorwein")
        terms.every_row(objective, segment, "BarzilaiBorwein")
        passing = Passing(state, segment, average, every)
        w, (g, last, heights) = state.w, state.memory
        rate, passes = float(last[0]), 0
        for _ in range(segment.length):
            highest = float(heights.max())
            new, height, taken, tried = shortened(objective, w, g, rate, highest, self.sufficient, self.shrink)
            passes += 1 + tried
            if taken > 0.0:
                slope = objective.gradient(new, slice(None))
                moved, turned = new - w, slope - g
                bend = float(moved @ turned)
                rate = float(moved @ moved) / bend if bend > 0.0 else 2.0 * taken
                w, g, heights = new, slope, np.append(heights[1:], height)
            passing.note(w)
        return passing.end(w, g, np.array([rate, float(passes * objective.n)]), heights)
