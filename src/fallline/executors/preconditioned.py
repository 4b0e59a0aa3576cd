"""L-BFGS in the curvature that a few rows show: for models with too many parameters for a matrix of their own."""

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.known import HEIGHT, known
from fallline.executors.lbfgs import two_loops
from fallline.executors.level import level_of
from fallline.executors.newton import AFFORDABLE, Point, at, direction, root_at, search
from fallline.executors.truncated import ENOUGH, conjugate, preconditioner
from fallline.objectives.coordinates import Coordinates, plain, standard
from fallline.objectives.floor import room_below
from fallline.objectives.passes import height_at_zero
from fallline.objectives.products import curvature_product, soothing
from fallline.objectives.variants import in_single
from fallline.rows import CSR, Dense
from fallline.samplers import Sketch

Array = np.ndarray[Any, Any]

HISTORY = 30  # steps remembered at most
REMEMBERED = 2_000_000  # numbers in them at most
FEW = 5  # steps remembered at least
REDRAWN = (2, 4, 8)  # segments after which the sketch is drawn again: at first, other rows bend at every point
FAR = 1e-4  # of the height: down to such an estimate products of float32 tables are made in float32
CENTRED = 100.0  # deviations between a column's mean and zero, up to which they may be
TELLING = 5  # steps, before which their falls tell little
LOOSE = 3.0  # times `tol`: a first guess of the excess that low is looked into
SPAN = 5  # steps whose fall is compared with that of as many before
SLOWEST = 0.9  # the largest share of a fall that the next is believed to be
PATIENT = 60  # steps, after which they are
FINE, LOWEST = 4, 5  # places in numbers
EVERYTHING = np.ones(1)  # is free to move


class Memory(NamedTuple):
    """What the solver remembers of its walk."""

    g: Array  # (size,) gradient here
    p: Array  # (size,) the step to take next
    steps: Array  # (remembered, size) the last steps, newest last
    turns: Array  # (remembered, size) how the gradient changed on each
    root: Array  # of the sketched curvature, see truncated.preconditioner
    centre: Array  # (d,) of each column
    spread: Array  # (d,)
    heights: Array  # of the last points, newest last
    numbers: Array  # height, estimated excess, length of the last step, visits in the last segment; 1 if in float64; F* if asked


class PreconditionedLBFGS(NamedTuple):
    """L-BFGS (Liu & Nocedal 1989) from a first guess of the inverse curvature that a sketch of the rows gives.

    One sketched matrix serves every class, or the curvature's diagonal where a matrix would be too large; it is scaled by the
    last step (Nocedal & Wright 2006, eq. 7.20). What conjugate gradients learn of the curvature they forget after each step of
    Newton's; this keeps it. A segment is one step, mostly one pass. Needs a smooth loss and a smooth penalty; no rate. Far
    from the optimum float32 tables are multiplied in float32, and summed in float64.

    The excess is estimated by what is still to fall if heights go on as in the last ten steps, which may be off by ten times.
    Once that is about `tol` of the height, conjugate gradients in the curvature that is known by then look how much the whole
    curvature promises, and with it how low the optimum is; and again once that has been come as close to as `tol`. A walk that
    is not there after 60 steps goes on with exact Newton steps where a matrix can be afforded.
    """

    tol: float = 1e-4

    def sampler(self, rows: int, seed: int = 0) -> Sketch:
        """The rows that it is meant for."""
        return Sketch(rows, passes=REDRAWN[0], growth=1, seed=seed)

    def start(self, objective: Any, w: Array) -> Memory:
        """Nothing known yet."""
        terms.rows_of_a_model(objective, "PreconditionedLBFGS")
        terms.smooth_loss(objective, "PreconditionedLBFGS")
        terms.no_prox(objective, "PreconditionedLBFGS")
        d, none, zero = objective.model.d, np.zeros((0, len(w))), np.zeros_like(w)
        height = math.nan if w.any() or objective.scores > 1 else height_at_zero(objective)
        nothing = np.array([height, math.inf, math.nan, 0.0, 0.0, math.nan])
        return Memory(zero, zero, none, none, np.zeros(0), np.zeros(d), np.ones(d), np.zeros(0), nothing)

    def readings(self, state: State) -> dict[str, float]:
        """What it knows at the state's point."""
        return known(state.memory[-1])

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment: one step (see descent.by_hand)."""
        terms.all_its_own("PreconditionedLBFGS", step, schedule, state, average)
        n, memory, visits = objective.n, Memory(*state.memory), 0.0
        steps, turns, root, fine = memory.steps, memory.turns, memory.root, memory.numbers[FINE] > 0.0
        own = plain(objective)._replace(centre=memory.centre, spread=memory.spread)
        rows = segment.order[: max(len(segment.order) - n, 0)]
        if not len(root):
            own, _ = standard(objective)
            own = own._replace(centre=np.zeros_like(own.centre)) if isinstance(objective.model.rows, CSR) else own
            fine = not fits_single(objective, own)
            w = level_of(objective) if not state.w.any() else state.w
            point = at(objective if fine else in_single(objective), w)
            root, visits = preconditioner(objective, w, rows, own)
            p, visits = -soothing(root, own)(point.g), visits + n
        else:
            point, p = Point(state.w, float(memory.numbers[HEIGHT]), memory.g), memory.p
        found = search(objective if fine else in_single(objective), point, p)
        visits += n * found.passes
        moved, turned = found.point.w - point.w, found.point.g - point.g
        if float(moved @ turned) > np.finfo(float).eps * float(turned @ turned) > 0.0:  # else no curvature to remember
            most = min(HISTORY, max(FEW, REMEMBERED // len(moved))) - 1
            steps, turns = np.vstack([steps[-most:], moved]), np.vstack([turns[-most:], turned])
        if state.segments in REDRAWN:
            root, sketched = preconditioner(objective, found.point.w, rows, own)
            visits += sketched
        heights = np.append(memory.heights if len(memory.heights) else point.height, found.point.height)[
            -2 * SPAN - 1 :
        ]
        point, lowest = found.point, float(memory.numbers[LOWEST])
        excess = still_to_fall(heights) if math.isnan(lowest) else point.height - lowest
        enough = (LOOSE if math.isnan(lowest) else 1.0) * self.tol * abs(point.height)
        slow = state.segments >= PATIENT and n * objective.size**2 <= AFFORDABLE
        settled = excess <= enough or still_to_fall(heights) <= self.tol * abs(point.height)  # F* was guessed too low
        asked = found.length == 0.0 or slow or (len(steps) >= TELLING and found.length >= 1.0 and settled)
        if not fine and (asked or excess <= FAR * abs(point.height)):
            point, fine, visits = at(objective, point.w), True, visits + n
        believed = partial(two_loops, steps=steps, turns=turns, first=soothing(root, own))
        if slow:
            p, excess = direction(objective, point, root_at(objective, point.w, own), own)
            lowest, visits = point.height - excess, visits + n
        elif asked:
            way = conjugate(curvature_product(objective, point.w, own), believed, point.g, EVERYTHING, ENOUGH)
            p, excess, lowest, visits = way.p, way.promised, point.height - way.promised, visits + n * way.passes
        else:
            p = -believed(point.g)
            excess = excess if excess > enough else math.inf  # too low to be said unasked
        excess = min(excess, room_below(objective, point.height)) if math.isfinite(excess) else excess
        numbers = np.array([point.height, excess, found.length, visits, fine, lowest])
        kept = Memory(point.g, p, steps, turns, root, own.centre, own.spread, heights, numbers)
        return State(point.w, kept, point.w, state.t + 1, state.segments + 1), point.w[None]


def fits_single(objective: Any, own: Coordinates) -> bool:
    """Whether float32 is worth while for the products, and right to five digits."""
    dense = objective.scores > 1 and isinstance(objective.model.rows, Dense)
    return (
        dense and objective.model.rows.X.dtype == np.float32 and bool((abs(own.centre) <= CENTRED * own.spread).all())
    )


def still_to_fall(heights: Array) -> float:
    """The sum of the falls to come, each the same share of the one before as the last fall was (Aitken 1926).

    heights: of an odd number of points or one more; a fall is that of half of them.
    """
    span = (len(heights) - 1) // 2
    if not span:
        return math.inf
    last, before = heights[-1 - span] - heights[-1], heights[-1 - 2 * span] - heights[-1 - span]
    share = min(max(last / before, 0.0), SLOWEST) if before > 0.0 else 0.0
    return float(max(last, 0.0) * share / (1.0 - share))
