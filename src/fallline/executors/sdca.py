"""SDCA: stochastic dual coordinate ascent."""

from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.errors import InputError
from fallline.executors import terms
from fallline.executors.passing import walk_of, walked
from fallline.executors.smoothness import LARGEST_CURVATURE, ridge, squared_lengths
from fallline.kernels.conjugates import DUALS
from fallline.kernels.dual import GAP, LOSS, Dual, dual_ascent
from fallline.samplers import Shuffled

Array = np.ndarray[Any, Any]


FOLLOWS = (
    10.0  # how many times less the intercept is held by its centre than by the rows: 1/11 of its error stays a pass
)
PART = 0.25  # of the columns' lift is the intercept's at least, whatever their means; rows are solved that much slower


class SDCA(NamedTuple):
    """One row's dual variable at a time, solved exactly: no rate, corners of the loss or not (Shalev-Shwartz & Zhang 2013, 2014).

    Needs an L2 share λ > 0; an L1 share beside it is exact. Quick where weight·‖x‖²·curvature/(λ·n) is not much above one, as
    for rows of length one, and untouched by columns of unlike size. Remembers a number a row. One row a step; a step costs the
    row's entries. Starts from zero coefficients. After a segment the trace has its duality gap, a proven bound of
    the excess over the optimum: that is a look, and not counted as visits.
    """

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for: every row once a pass."""
        return Shuffled(1, seed)

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: the duality gap, which F(w) − F* is at most; and F(w), which comes with it, unless averaged."""
        gap, height = state.memory[2][[GAP, LOSS]].tolist()
        return {"gap": gap, "loss": height} if state.mean is state.w else {"gap": gap}

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """Duals of zero; their sum over rows; gap, height, centre of the intercept, steps since it moved; how much each row's
        score rises by a unit of its dual."""
        terms.one_score(objective, "SDCA")
        if type(objective.loss) not in DUALS:
            known = ", ".join(loss.__name__ for loss in DUALS)
            raise InputError(
                f"SDCA has no dual step for {type(objective.loss).__name__}: it has one for {known}; take L-BFGS or Armijo."
            )
        if not ridge(objective) > 0.0:
            name = type(objective.penalty).__name__
            raise InputError(
                f"SDCA needs an L2 penalty above zero, and {name} has none: take SAGA, or penalty=L2(1e-6)."
            )
        if w[: objective.penalised].any():
            raise InputError("SDCA starts from zero coefficients, and the start given has others: leave start out.")
        centre = w[-1] if objective.intercept else 0.0
        lengths = objective.model.weights * squared_lengths(objective.model.rows) / (objective.n * ridge(objective))
        return (
            np.zeros(objective.n),
            np.zeros(objective.penalised),
            np.array([np.inf, objective.value(w), centre, 0.0]),
            lengths,
        )

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "SDCA")
        terms.own_rate(schedule, state, "SDCA")
        terms.one_row(segment, "SDCA")
        walk = walk_of(state, segment, schedule, average, every)
        dual = Dual(DUALS[type(objective.loss)](*objective.loss), ridge(objective), lift(objective, walk.memory[3]))
        dual_ascent(objective.model, objective.penalty, dual, walk)
        return walked(walk, state)


def lift(objective: Any, lengths: Array) -> float:
    """How much the intercept rises by a unit of the dual of a row of weight one; 0 without one."""
    curvature = LARGEST_CURVATURE.get(type(objective.loss), np.inf)
    rise = max(FOLLOWS / (curvature * objective.n), PART * float(lengths.mean())) or 1.0
    return float(objective.intercept * rise)
