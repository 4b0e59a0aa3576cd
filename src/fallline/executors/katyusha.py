"""Katyusha: SVRG with momentum, in its form without an inner loop."""

from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.passing import walk_of, walked
from fallline.executors.smoothness import ridge, row_smoothness
from fallline.kernels.sums import mean_slope
from fallline.kernels.variance_reduced import Momenta, katyusha
from fallline.samplers import Shuffled

Array = np.ndarray[Any, Any]


class Katyusha(NamedTuple):
    """SVRG with a momentum that is held back by the anchor (Allen-Zhu 2017), loopless: L-Katyusha (Kovalev et al. 2020).

    About √(L/(nμ)) times the passes of SVRG where that is above one. The schedule's rate is 1/L. A step of any number of rows;
    proximal. A step costs the whole width, sparse or not, and visits its rows twice. After a step the newest point becomes the
    anchor with chance batch/n, drawn by `seed`, which visits every row.

    convexity: μ, the strong convexity of the objective; 0 takes the L2 share or, without one, L/n, at which it does as SVRG.
    """

    convexity: float = 0.0
    seed: int = 0

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for, one a step."""
        return Shuffled(1, seed)

    def rate(self, objective: Any) -> float:
        """1/L, L the largest row's smoothness."""
        terms.smooth_loss(objective, "Katyusha")
        return 1.0 / float(row_smoothness(objective, "Katyusha").max())

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The point that walks ahead, the anchor and its gradient; visits."""
        terms.rows_of_a_model(objective, "Katyusha")
        terms.smooth_loss(objective, "Katyusha")
        g = np.zeros(objective.size)
        mean_slope(objective.model, w, np.zeros(objective.scores), g)
        return w.copy(), w.copy(), g, np.array([float(objective.n)])

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: the row gradients taken in the last segment."""
        return {"visits": float(state.memory[3][0])}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "Katyusha")
        walk = walk_of(state, segment, schedule, average, every)
        convexity = self.convexity or ridge(objective) or 1.0 / (objective.n * float(walk.paces[0]))
        passes = objective.n / segment.batch
        renew = np.random.default_rng((self.seed, state.segments)).random(segment.length) < 1.0 / passes
        momenta = Momenta(convexity, passes, renew)
        katyusha(objective.model, objective.penalty, momenta, walk, np.empty(objective.scores))
        first = walk.memory[3][0] if state.t == 0 else 0.0
        walk.memory[3][0] = first + 2.0 * segment.visits(segment.length) + objective.n * float(renew.sum())
        return walked(walk, state)
