"""SAGA: stochastic steps corrected by a table of what each row last said."""

from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.passing import walk_of, walked
from fallline.executors.smoothness import ridge, row_smoothness
from fallline.kernels.variance_reduced import Table, reduced
from fallline.samplers import WithReplacement

Array = np.ndarray[Any, Any]


class SAGA(NamedTuple):
    """Stochastic steps whose noise dies out, by a table of each row's last force (Defazio, Bach & Lacoste-Julien 2014).

    w ← prox(w − rate·((f − f_old)·x + mean + pull)), then f_old ← f in the table and in the mean, which both start at zero.
    Remembers a number a row and score. One row a step; proximal; on sparse rows a step costs the row's entries. The mean
    drifts with a rate that changes or an average, which cost the whole width a step.
    """

    def sampler(self, seed: int = 0) -> WithReplacement:
        """The rows that it is meant for: independent draws."""
        return WithReplacement(1, seed)

    def rate(self, objective: Any) -> float:
        """1/(2L + min(2nμ, L)), L the largest row's smoothness and μ the L2 share: the larger of 1/(3L) and 1/(2(L + nμ))."""
        terms.smooth_loss(objective, "SAGA")
        largest = float(row_smoothness(objective, "SAGA").max())
        return 1.0 / (2.0 * largest + min(2.0 * objective.n * ridge(objective), largest))

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """An empty table and its mean."""
        terms.rows_of_a_model(objective, "SAGA")
        terms.smooth_loss(objective, "SAGA")
        return np.zeros((objective.n, objective.scores)), np.zeros(objective.size)

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "SAGA")
        terms.one_row(segment, "SAGA")
        walk = walk_of(state, segment, schedule, average, every)
        forces, mean = walk.memory
        table = Table(forces, mean, share=1.0 / objective.n)
        reduced(objective.model, objective.penalty, table, walk, np.empty(objective.scores))
        return walked(walk, state)
