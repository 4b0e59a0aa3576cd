"""SVRG: stochastic steps corrected by the whole gradient at a point passed not long ago."""

from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.passing import walk_of, walked
from fallline.executors.smoothness import row_smoothness
from fallline.kernels.variance_reduced import Snapshot, reduced
from fallline.samplers import WithReplacement

Array = np.ndarray[Any, Any]


class SVRG(NamedTuple):
    """Stochastic steps whose noise dies out, by a whole gradient now and then (Johnson & Zhang 2013; Xiao & Zhang 2014).

    w ← prox(w − rate·(∇fᵢ(w) − ∇fᵢ(point) + ∇f(point))); every `passes` passes' worth of steps the newest w becomes the point.
    Remembers two vectors, whatever the number of rows. One row a step; proximal; sparse rows as SAGA. A step visits its row
    twice, and the gradient at a point every row once.
    """

    passes: float = 2.0

    def sampler(self, seed: int = 0) -> WithReplacement:
        """The rows that it is meant for: independent draws."""
        return WithReplacement(1, seed)

    def rate(self, objective: Any) -> float:
        """1/(6L), L the largest row's smoothness (Kovalev, Horváth & Richtárik 2020)."""
        terms.smooth_loss(objective, "SVRG")
        return 1.0 / (6.0 * float(row_smoothness(objective, "SVRG").max()))

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """Room for the point and its gradient, taken at the first step; steps since then, and visits."""
        terms.rows_of_a_model(objective, "SVRG")
        terms.smooth_loss(objective, "SVRG")
        return np.zeros(objective.size), np.zeros(objective.size), np.zeros(2)

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: the row gradients taken in the last segment."""
        return {"visits": float(state.memory[2][1])}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "SVRG")
        terms.one_row(segment, "SVRG")
        walk = walk_of(state, segment, schedule, average, every)
        point, mean, counts = walk.memory
        counts[1] = 0.0
        snapshot = Snapshot(point, mean, counts, period=max(1, round(self.passes * objective.n)), share=0.0)
        reduced(objective.model, objective.penalty, snapshot, walk, np.empty(objective.scores))
        return walked(walk, state)
