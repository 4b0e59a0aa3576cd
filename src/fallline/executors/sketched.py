"""Sketched curvature: Newton-like steps on all rows with a curvature learnt from a few of them."""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as la

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.known import HEIGHT, known
from fallline.executors.level import level_of
from fallline.executors.newton import Point, at, direction, least_squares_step, newton, root_at, search
from fallline.kernels import passes as kernels
from fallline.losses import SquaredError
from fallline.objectives.coordinates import Coordinates, plain, standard
from fallline.objectives.floor import room_below
from fallline.objectives.passes import height_at_zero
from fallline.objectives.products import curvature_product
from fallline.objectives.variants import subset
from fallline.samplers import Sketch

Array = np.ndarray[Any, Any]

PILOT = 20  # rows a parameter in the first rough fit
ROUGH = 1e-3  # of the height: how far the pilot goes
REFINED = 2  # Newton steps on the whole sketch, from where the pilot ended
PILOT_RIDGE = 1e-3  # of the mean curvature, times parameters over rows: a few rows may be separable where all are not
SKETCH_RIDGE = 1e-6  # the same, for the sketch
HEAVY = 0.1  # kurtosis over sketched rows: the sketch's variance of a column is then right to 30 % at best
LIGHT = 10.0  # kurtosis up to which a sketch tells the curvature well enough to say what is left after a step
FAR = 8.0  # deviations: a row so far out in a heavy column is sketched for itself
NEAR = 1e-2  # of the height: an estimate that low is looked into, where that costs less than the curvature did
SOUND = 1e-12  # of the modelled curvature along a step: less in the gradients' difference is rounding


class Memory(NamedTuple):
    """What the solver remembers of its walk."""

    g: Array  # (size,) gradient here
    p: Array  # (size,) the step to take next
    root: Array  # (width·scores, the same) of the curvature, in standardised coordinates
    centre: Array  # (d,) of each column
    spread: Array  # (d,)
    kurtosis: Array  # (d,)
    numbers: Array  # height, estimated excess, length of the last step, rows visited in the last segment


class Sketched(NamedTuple):
    """Gradient descent preconditioned by the curvature of a random sketch of the rows (Erdogdu & Montanari 2015; Roosta-
    Khorasani & Mahoney 2019), refined by the steps' own changes of gradient (BFGS, Nocedal & Wright 2006, eq. 6.19).

    A first segment fits a few rows by Newton's method, then more; from there every segment is one step on all rows, whose
    loss and gradient come from one pass. Where the sketch is all the rows, the steps are exact Newton steps. Columns are
    standardised by a change of variables; the table is not copied. Needs a loss with a curvature and a matrix of
    size × size; any penalty. It takes no rate, and cannot diverge.

    The excess over the optimum is estimated at every look for nothing: it is what the model of the next step promises,
    half the squared Newton decrement where there is no L1 share. Exact steps know the curvature at their beginning only, and
    sketches of heavy tails know it badly: there a low estimate is looked into with the curvature along the next step, two passes.
    """

    def sampler(self, seed: int = 0) -> Sketch:
        """The rows that it is meant for."""
        return Sketch(seed=seed)

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def start(self, objective: Any, w: Array) -> Memory:
        """Nothing known yet."""
        terms.rows_of_a_model(objective, "Sketched")
        terms.smooth_loss(objective, type(self).__name__)
        d = objective.model.d
        height = math.nan if w.any() or objective.scores > 1 else height_at_zero(objective)
        nothing = np.array([height, math.inf, math.nan, 0.0])
        g, p = np.zeros_like(w), np.zeros_like(w)
        return Memory(g, p, np.zeros((0, 0)), np.zeros(d), np.ones(d), np.zeros(d), nothing)

    def readings(self, state: State) -> dict[str, float]:
        """What it knows at the state's point."""
        return known(state.memory[-1])

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment: one step (see descent.by_hand)."""
        terms.all_its_own("Sketched", step, schedule, state, average)
        n, memory = objective.n, Memory(*state.memory)
        rows = segment.order[: max(len(segment.order) - n, 0)]
        fresh, exact = not len(memory.root), len(rows) == n
        own = plain(objective)._replace(centre=memory.centre, spread=memory.spread)
        w, kurtosis, root, visits, length = state.w, memory.kurtosis, memory.root, 0.0, math.nan
        if fresh:
            own, kurtosis = standard(objective)
            w = level_of(objective if exact else subset(objective, rows)) if not w.any() else w
        if fresh and not exact:
            w, root, visits = pilot(objective, w, rows, own, kurtosis)
            point = at(objective, w)
            visits += n
        else:
            point = at(objective, w) if fresh else Point(w, float(memory.numbers[HEIGHT]), memory.g)
            p = memory.p
            if len(rows):
                part = objective if exact else sketch(objective, rows, own, kurtosis)
                root = root_at(part, w, own, 0.0 if exact else SKETCH_RIDGE)
                straight = least_squares_step(objective, point, root, own) if exact else None
                p = direction(objective, point, root, own).p if straight is None else straight
                visits += part.n + n * fresh
            found = search(objective, point, p)
            if not exact:
                root = bent(root, own.into(found.point.w - w), own.slope(found.point.g - point.g))
            point, length = found.point, found.length
            visits += n * found.passes
        way = direction(objective, point, root, own)
        excess = way.promised
        if fresh and not exact and (kurtosis > HEAVY * len(rows)).any():
            excess = math.inf  # rows that were fitted do not tell how far others are out
        tails = not fresh and kurtosis.max(initial=0.0) > LIGHT
        unsure = not isinstance(objective.loss, SquaredError) if exact else tails
        if unsure and excess <= NEAR * abs(point.height):
            excess /= still_bent(objective, point, way.p, root, own)
            visits += 2 * n
        excess = min(excess, room_below(objective, point.height))
        numbers = np.array([point.height, excess, length, visits])
        kept = Memory(point.g, way.p, root, own.centre, own.spread, kurtosis, numbers)
        return State(point.w, kept, point.w, state.t + 1, state.segments + 1), point.w[None]


def pilot(objective: Any, w: Array, rows: Array, own: Coordinates, kurtosis: Array) -> tuple[Array, Array, float]:
    """Newton's method on the first few rows, roughly, and from there on all of `rows`; the point, its curvature, the visits."""
    few = min(len(rows), max(PILOT * objective.size, len(rows) // 10))
    part = sketch(objective, rows[:few], own, kurtosis)
    rough = newton(part, w, ROUGH, 15, own, PILOT_RIDGE * objective.size / few)
    part = sketch(objective, rows, own, kurtosis)
    fine = newton(part, rough.point.w, 0.0, REFINED, own, SKETCH_RIDGE)
    return fine.point.w, fine.root, rough.passes * few + fine.passes * part.n


def sketch(objective: Any, rows: Array, own: Coordinates, kurtosis: Array) -> Any:
    """The objective over those rows; and over every row, or many, that lie far out in a column with heavy tails.

    A column that few rows have is seldom sampled, and its curvature would be a matter of luck. Its rows, each for itself, and
    the random rows together, for the rest, are an unbiased sample of strata (Cochran 1977, ch. 5).
    """
    heavy = np.flatnonzero(kurtosis > HEAVY * len(rows))
    if not len(heavy):
        return subset(objective, rows)
    X = objective.model.rows.X
    out = np.zeros(objective.n, dtype=bool)
    kernels.far(X, heavy, own.centre, FAR * own.spread, out)
    away, rest = np.flatnonzero(out), rows[~out[rows]]
    if not len(away) or not len(rest):
        return subset(objective, rows)
    chosen = away[:: -(-len(away) // len(rows))]  # at most as many as the random ones, evenly over the table
    counts = np.concatenate([np.full(len(rest), (objective.n - len(away)) / len(rest)),
                             np.full(len(chosen), len(away) / len(chosen))])  # fmt: skip
    return subset(objective, np.concatenate([rest, chosen]), counts)


def still_bent(objective: Any, point: Point, p: Array, root: Array, own: Coordinates) -> float:
    """What share of the curvature along p that `root` knows is left at the point; at most 1.

    Where a class has a column to itself, chances come near 0 or 1 and each step leaves 1/e of the curvature, along that column
    and no other: the next step points along it.
    """
    modelled = float(np.square(root @ own.into(p)).sum())
    seen = float(p @ curvature_product(objective, point.w, own)(p)) if modelled > 0.0 else 0.0
    return min(seen / modelled, 1.0) if seen > SOUND * modelled else 1.0


def bent(root: Array, moved: Array, turned: Array) -> Array:
    """The root of the curvature that also explains why the gradient turned by `turned` on the step `moved` (BFGS)."""
    half = root @ moved
    modelled, seen = float(half @ half), float(moved @ turned)
    if not seen > SOUND * modelled or not modelled > 0.0:
        return root
    pulled = root.T @ half
    H = root.T @ root + np.outer(turned, turned) / seen - np.outer(pulled, pulled) / modelled
    try:
        return np.asarray(la.cholesky(H, check_finite=False))
    except la.LinAlgError:
        return root
