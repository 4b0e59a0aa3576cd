"""SDCA: stochastic dual coordinate ascent."""

from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.errors import InputError
from fallline.executors import terms
from fallline.executors.passing import walk_of, walked
from fallline.executors.smoothness import LARGEST_CURVATURE, ridge, squared_lengths
from fallline.kernels import dual as kernels
from fallline.kernels.conjugates import DUALS
from fallline.kernels.dual import GAP, LOSS, SMOOTH, Dual, dual_ascent
from fallline.kernels.passes import conjugates
from fallline.kernels.penalty import cost_of
from fallline.objectives.passes import height_at_zero, pieces
from fallline.rows import CSR
from fallline.samplers import Shuffled

Array = np.ndarray[Any, Any]


SLACK = (
    3.0,
    100.0,
)  # least and most: times less is the intercept held by its centre than by the rows; 1/4, 1/101 of its error stays
SHARE = 128  # rows that raise that by one: the last rows of a pass leave the intercept unsteady by as much as each may lift it
STRIDES = (64, 16, 4)  # one row in so many, tried in turn, bears what the duals' sum is off
BORNE = 0.1  # of their duals at most; else all rows do
PART = 0.25  # of the columns' lift is the intercept's at least where tables are dense and have means; rows are that much slower


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
        height = objective.value(w) if w.any() else height_at_zero(objective)
        v = np.zeros(0 if type(objective.penalty) in SMOOTH else objective.penalised)
        return np.zeros(objective.n), v, np.array([np.inf, height, centre, 0.0]), lengths

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "SDCA")
        terms.own_rate(schedule, state, "SDCA")
        terms.one_row(segment, "SDCA")
        *changing, lengths = state.memory
        walk = walk_of(state._replace(memory=tuple(changing)), segment, schedule, average, every)
        walk = walk._replace(memory=(*walk.memory, lengths))
        dual = Dual(DUALS[type(objective.loss)](*objective.loss), ridge(objective), lift(objective, lengths))
        dual_ascent(objective.model, objective.penalty, dual, walk)
        after, looks = walked(walk, state)
        del walk  # its rates take as much room as the duals
        u, v, numbers, _ = after.memory
        numbers[[GAP, LOSS]] = gap_and_height(objective, dual.part, after.w, u, v if len(v) else after.w)
        return after, looks


def gap_and_height(objective: Any, dual: Any, w: Array, u: Array, v: Array) -> tuple[float, float]:
    """F(w) less the dual objective at u, which F is nowhere below (Fenchel 1949), and F(w); a pass. v: Σ weight·u·x/(λ·n)."""
    model, n, many, strength = objective.model, objective.n, objective.penalised, ridge(objective)
    fair = level(u, model.weights) if objective.intercept else u
    low = -(conjugates(dual, model.y, model.weights, fair) + float((model.weights * fair) @ model.offset)) / n
    change = fair - u
    del fair

    def piece(first: int, last: int, out: Array) -> None:
        kernels.sight(model, first, last, w, change, out)

    sums = pieces(objective, piece, many + 1, None) / n
    settled = objective.prox(v[:many] + sums[:-1] / strength, 1.0 / strength)
    height = float(sums[-1]) + float(cost_of(objective.penalty, w, many))
    return height - (low - 0.5 * strength * float(settled @ settled)), height


def level(u: Array, weights: Array) -> Array:
    """u with duals of the heavier sign scaled down until Σ weight·u = 0, as a free intercept demands.

    As few rows as can bear it, evenly over the table, lose at most a tenth: each that changes has to be read.
    """
    heavy = weights * u
    up, down = float(np.maximum(heavy, 0.0).sum()), -float(np.minimum(heavy, 0.0).sum())
    np.multiply(heavy, -1.0 if down > up else 1.0, out=heavy)
    np.maximum(heavy, 0.0, out=heavy)
    tilt = abs(up - down)
    stride = next((k for k in STRIDES if tilt <= BORNE * float(heavy[::k].sum())), 1)
    fair, whole = u.copy(), float(heavy[::stride].sum())
    fair[::stride] = np.where(heavy[::stride] > 0.0, (1.0 - tilt / whole if whole else 1.0) * u[::stride], u[::stride])
    return fair


def lift(objective: Any, lengths: Array) -> float:
    """How much the intercept rises by a unit of the dual of a row of weight one; 0 without one."""
    means = 0.0 if isinstance(objective.model.rows, CSR) else PART * float(lengths.mean())
    slack = min(max(objective.n / SHARE, SLACK[0]), SLACK[1])
    return float(objective.intercept * max(slack / (bend(objective) * objective.n), means))


def bend(objective: Any) -> float:
    """The loss's largest second derivative; with corners, that of a slope that turns by one over the targets' deviation."""
    return LARGEST_CURVATURE.get(type(objective.loss)) or 1.0 / (float(np.std(objective.model.y)) or 1.0)
