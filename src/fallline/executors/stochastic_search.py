"""Stochastic descent whose step length is found on the step's own rows: Armijo's rule, or Polyak's."""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.errors import InputError
from fallline.executors import terms
from fallline.executors.passing import walk_of, walked
from fallline.executors.smoothness import LARGEST_CURVATURE, row_smoothness
from fallline.kernels.search import ArmijoSearch, PolyakLength, search
from fallline.losses import POSITIVE
from fallline.samplers import Shuffled

Array = np.ndarray[Any, Any]

BATCH = 16  # rows a step, unless told otherwise
CAP = 10.0  # times one over the typical row's curvature


class StochasticArmijo(NamedTuple):
    """SGD with a line search on each step's rows (SLS, Vaswani et al. 2019).

    Linear where one w fits every row (interpolation); elsewhere it ends in a ball, unless the schedule, which caps the length,
    falls: then with an average. Smooth losses and penalties. Each length tried looks at the step's rows once more.
    """

    sufficient: float = 0.5
    shrink: float = 0.8
    growth: float = 2.0

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for."""
        return Shuffled(BATCH, seed)

    def rate(self, objective: Any) -> float:
        """The cap: ten times one over the mean row's smoothness, 10 where that has no bound."""
        return cap_of(objective)

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The last step's length; visits."""
        terms.rows_of_a_model(objective, "StochasticArmijo")
        terms.smooth_loss(objective, "StochasticArmijo")
        terms.no_prox(objective, "StochasticArmijo")
        return (np.zeros(2),)

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: visits in the last segment, and how long its last step was."""
        return {"visits": float(state.memory[0][1]), "step_length": float(state.memory[0][0])}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "StochasticArmijo")
        walk = walk_of(state, segment, schedule, average, every)
        search(objective.model, objective.penalty, ArmijoSearch(*self), walk, np.empty(objective.scores))
        return walked(walk, state)


class StochasticPolyak(NamedTuple):
    """SGD by Polyak's step on each step's rows, (loss − lowest)/(share·‖g‖² + damping) (SPS_max, Loizou et al. 2021, eq. 3).

    lowest: a bound that the loss of any rows, penalty included, is never below; left out, 0, which errors and margins have.
    damping: 0 in that rule; 1/(2C) with share 1 is passive-aggressive II (Crammer et al. 2006, fig. 1).
    Where one w fits every row it needs nothing else; elsewhere as StochasticArmijo. The schedule caps the length. Losses with
    corners too; smooth penalties.
    """

    share: float = 0.5
    lowest: float = math.nan
    damping: float = 0.0

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for."""
        return Shuffled(BATCH, seed)

    def rate(self, objective: Any) -> float:
        """The cap: ten times one over the mean row's smoothness, 10 where that has no bound."""
        return cap_of(objective)

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The last step's length; visits."""
        terms.rows_of_a_model(objective, "StochasticPolyak")
        terms.no_prox(objective, "StochasticPolyak")
        if math.isnan(self.lowest) and type(objective.loss) in POSITIVE.values():
            name = type(objective.loss).__name__
            raise InputError(f"StochasticPolyak needs a bound below {name}, which may be negative: give it lowest=….")
        return (np.zeros(2),)

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: visits in the last segment, and how long its last step was."""
        return {"visits": float(state.memory[0][1]), "step_length": float(state.memory[0][0])}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "StochasticPolyak")
        walk = walk_of(state, segment, schedule, average, every)
        rule = PolyakLength(self.share, 0.0 if math.isnan(self.lowest) else self.lowest, self.damping)
        search(objective.model, objective.penalty, rule, walk, np.empty(objective.scores))
        return walked(walk, state)


def cap_of(objective: Any) -> float:
    """A length that steps of most rows stay below."""
    if type(objective.loss) not in LARGEST_CURVATURE:
        return CAP
    return CAP / float(row_smoothness(objective, "the cap").mean())
