"""Sparse tables: dual coordinate ascent while it is quick, curvature of all rows from where it is not."""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.interior import InteriorPoint
from fallline.executors.level import level_of
from fallline.executors.preconditioned import PreconditionedLBFGS
from fallline.executors.rounded import Rounded
from fallline.executors.sdca import SDCA, bend
from fallline.executors.smoothness import ridge
from fallline.executors.truncated import Truncated
from fallline.executors.working_set import WorkingSet
from fallline.kernels.conjugates import DUALS
from fallline.kernels.dual import CENTRE, GAP
from fallline.objectives.coordinates import WIDEST
from fallline.samplers import Shuffled

Array = np.ndarray[Any, Any]

BLOCK = 64  # rows kept together while shuffling
TIGHT = 4.0  # of the largest q: rows that pull the score about by more than that wait long for each other
FALLS = 2.0  # times the gap must fall in PATIENCE passes
PATIENCE = 1  # for smooth losses on no more columns than rows
LONGER = 10  # for those with corners, whose gap falls by fits and starts, and on more columns than rows
LONGEST = 100  # with corners on wide tables, where the other method has no matrix and is slow
PASSES, MARK, SINCE = 0, 1, 2  # places in numbers: passes before the hand-over, −1 until then; a gap; passes since that
ASCENT = "dual coordinate ascent"
WAYS = {
    PreconditionedLBFGS: "preconditioned L-BFGS steps",
    Truncated: "Newton steps by conjugate gradients",
    WorkingSet: "Newton steps on a working set",
    InteriorPoint: "steps of a primal-dual interior point method",
    Rounded: "Newton steps on the loss rounded at its corners",
}


class DualFirst(NamedTuple):
    """SDCA (executors/sdca.py) as long as the duality gap halves with every pass, and then `then`, from the same w.

    Where q = max weight·‖x‖²·curvature/(λ·n) is above 4, `then` begins: q says how far a row's dual moves the row's own
    score, with the largest curvature of the loss, ¼ for the logistic. A loss with corners, and a table with more columns than
    rows, begin with SDCA whatever q, and have ten passes to halve the gap. A segment is a pass over the rows in blocks, or a
    step of `then`. The excess in the trace is the duality gap, a proven bound, until the hand-over; after it the estimate of
    `then`. Any loss and penalty that `then` can do; dual ascent needs an L2 share and a loss whose dual is known.
    """

    then: Any = PreconditionedLBFGS()

    def sampler(self, n: int, seed: int = 0) -> Shuffled:
        """The rows that it is meant for: a pass is one step."""
        return Shuffled(n, seed, BLOCK)

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """What the method that begins knows: `then` does from a point of the user's, and where rows pull too hard."""
        terms.one_score(objective, "DualFirst")
        if not w[: objective.penalised].any() and type(objective.loss) in DUALS and ridge(objective) > 0.0:
            inner = SDCA().start(objective, w)
            if inner[-1].max() * bend(objective) <= TIGHT or patience(objective) > PATIENCE:
                return np.array([-1.0, np.inf, 0.0]), *inner
        return np.zeros(3), *self.then.start(objective, w)

    def readings(self, state: State) -> dict[str, float]:
        """What the method in charge knows at the state's point; the proven bound while that is dual ascent."""
        inner = state._replace(memory=state.memory[1:])
        if handed_over(state):
            return dict(self.then.readings(inner))
        known = SDCA().readings(inner)
        return {"loss": known["loss"], "excess": known["gap"], "length": 1.0}

    def proven(self, state: State) -> float:
        """A bound that is proven for the state's point, infinite where the method in charge knows of none."""
        inner = state._replace(memory=state.memory[1:])
        if handed_over(state):
            return float(self.then.proven(inner)) if hasattr(self.then, "proven") else math.inf
        return float(self.readings(state)["excess"])

    def way(self, state: State) -> str:
        """Which methods took the walk to the state."""
        newton, passes = WAYS[type(self.then)], state.memory[0][PASSES]
        if not passes:
            return newton
        return f"{ASCENT}, after {passes:.0f} passes {newton}" if handed_over(state) else ASCENT

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment: a pass over the rows, or a step of `then` (see descent.by_hand)."""
        terms.own_average(average, "DualFirst")
        numbers, *memory = state.memory
        if not handed_over(state) and numbers[SINCE] >= patience(objective):
            numbers, memory = np.array([state.segments, 0.0, 0.0]), list(self.then.start(objective, state.w))
            state = state._replace(memory=(numbers, *memory))
        inner = state._replace(memory=tuple(memory))
        if handed_over(state):
            after, looks = self.then(objective, inner, segment, step, schedule, average, every)
            return after._replace(memory=(numbers, *after.memory)), looks
        if not state.segments and not state.w.any():
            inner = at_level(objective, inner)
        rows = segment._replace(batch=1, length=len(segment.order))
        after, looks = SDCA()(objective, inner, rows, step, schedule, average, 0)
        gap = after.memory[2][GAP]
        halved = gap * FALLS <= numbers[MARK]
        numbers = np.array([-1.0, gap if halved else numbers[MARK], 0.0 if halved else numbers[SINCE] + 1.0])
        return after._replace(memory=(numbers, *after.memory), t=state.t + 1), looks


def patience(objective: Any) -> int:
    """Passes that the gap has to halve in; the fewer rows, the fewer duals are to wait for each other."""
    if objective.loss.smooth():
        return PATIENCE if objective.n >= objective.model.d else LONGER
    return LONGER if objective.model.d <= WIDEST else LONGEST


def at_level(objective: Any, inner: State) -> State:
    """The state with the intercept at the level of the targets, and its centre there."""
    w, (u, v, numbers, lengths) = level_of(objective), inner.memory
    numbers = numbers.copy()
    numbers[CENTRE] = w[-1] if objective.intercept else 0.0
    return inner._replace(w=w, memory=(u, v, numbers, lengths))


def handed_over(state: State) -> bool:
    """Whether the other method is in charge."""
    return bool(state.memory[0][PASSES] >= 0.0)
