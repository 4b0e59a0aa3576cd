"""Newton's method for wide models: the step by conjugate gradients, on as much curvature as a few passes show."""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.known import HEIGHT, known
from fallline.executors.level import level_of
from fallline.executors.newton import Found, Point, at, lasso_of
from fallline.losses import SquaredError
from fallline.objectives.coordinates import WIDEST, Coordinates, plain, standard
from fallline.objectives.floor import room_below
from fallline.objectives.passes import height_at_zero
from fallline.objectives.products import Product, curvature_product, soothing, stand_in, stand_in_diagonal
from fallline.objectives.variants import subset
from fallline.rows import CSR
from fallline.samplers import Sketch

Array = np.ndarray[Any, Any]

RIDGE = 1e-6  # of the mean curvature, added to the sketch's
ITERATIONS = 250  # of conjugate gradients in one step
ENOUGH = 0.1  # of what the step promises: once an iteration adds less, the step is taken
EXACT = 1e-3  # the same for least squares, whose curvature will be the same after the step
SOUND = 1e-12  # of a direction's squared length as the preconditioner sees it: a curvature below that is rounding
SLOWEST = 0.9  # fall of the gains from one iteration to the next that is believed
SUFFICIENT = 1e-4  # of what the slope promises (Armijo 1966)
FLAT = 0.1
ROUNDING = 1e-13  # of the height
TRIALS = 40


class Memory(NamedTuple):
    """What the solver remembers of its walk."""

    g: Array  # (size,) gradient here
    p: Array  # (size,) the step to take next
    root: Array  # (width, width) of the sketched curvature or, of its diagonal alone, (scores·width,)
    centre: Array  # (d,) of each column
    spread: Array  # (d,)
    numbers: Array  # height, estimated excess, length of the last step, rows visited in the last segment


class Truncated(NamedTuple):
    """Newton's method with steps by conjugate gradients (Dembo & Steihaug 1983), preconditioned by a sketch of the curvature.

    One sketched matrix serves every class. Sparse tables and those of more than 1,500 columns are preconditioned by the
    curvature's diagonal; sparse ones are neither centred nor filled. An L1 share is met by steps within an orthant, on the
    coefficients that are not held at zero (Byrd, Chin, Nocedal & Wu 2012). Needs a smooth loss; no rate.

    The excess is estimated by what the next step promises.
    """

    def sampler(self, seed: int = 0) -> Sketch:
        """The rows that it is meant for."""
        return Sketch(growth=1, seed=seed)

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def start(self, objective: Any, w: Array) -> Memory:
        """Nothing known yet."""
        terms.rows_of_a_model(objective, "Truncated")
        terms.smooth_loss(objective, "Truncated")
        d = objective.model.d
        height = math.nan if w.any() or objective.scores > 1 else height_at_zero(objective)
        nothing = np.array([height, math.inf, math.nan, 0.0])
        g, p = np.zeros_like(w), np.zeros_like(w)
        return Memory(g, p, np.zeros(0), np.zeros(d), np.ones(d), nothing)

    def readings(self, state: State) -> dict[str, float]:
        """What it knows at the state's point."""
        return known(state.memory[-1])

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment: one step (see descent.by_hand)."""
        terms.all_its_own("Truncated", step, schedule, state, average)
        n, memory = objective.n, Memory(*state.memory)
        own = plain(objective)._replace(centre=memory.centre, spread=memory.spread)
        w, p, root, visits = state.w, memory.p, memory.root, 0.0
        rows = segment.order[: max(len(segment.order) - n, 0)]
        if not len(root):
            own, _ = standard(objective)
            own = own._replace(centre=np.zeros_like(own.centre)) if isinstance(objective.model.rows, CSR) else own
            w = level_of(objective) if not w.any() else w
            point = at(objective, w)
            root, sketched = preconditioner(objective, w, rows, own)
            way = downhill(objective, point, root, own)
            p, visits, rows = way.p, n * (1.0 + way.passes) + sketched, rows[:0]
        else:
            point = Point(w, float(memory.numbers[HEIGHT]), memory.g)
        point, length, passes = search(objective, point, p)
        visits += n * passes
        if len(rows) or root.ndim == 1:
            root, sketched = preconditioner(objective, point.w, rows, own)
            visits += sketched
        way = downhill(objective, point, root, own)
        promised = min(way.promised, room_below(objective, point.height))
        numbers = np.array([point.height, promised, length, visits + n * way.passes])
        kept = Memory(point.g, way.p, root, own.centre, own.spread, numbers)
        return State(point.w, kept, point.w, state.t + 1, state.segments + 1), point.w[None]


def preconditioner(objective: Any, w: Array, rows: Array, own: Coordinates) -> tuple[Array, float]:
    """The root of what stands in for the curvature at w, and the visits that it took."""
    if isinstance(objective.model.rows, CSR) or own.width > WIDEST:
        return stand_in_diagonal(objective, w, own), float(objective.n)
    part = subset(objective, rows) if 0 < len(rows) < objective.n else objective
    return stand_in(part, w, own, RIDGE), float(part.n)


class Way(NamedTuple):
    """A step, what it promises, and the passes that it took to find."""

    p: Array
    promised: float
    passes: float


def downhill(objective: Any, point: Point, root: Array, own: Coordinates, times: Product | None = None) -> Way:
    """The step that conjugate gradients find, on the coefficients that are free to move; `times` if the curvature is known."""
    slope = pseudo_slope(objective, point)
    free, soothe = (slope != 0.0) | (point.w != 0.0), soothing(root, own)

    enough = EXACT if isinstance(objective.loss, SquaredError) else ENOUGH
    return conjugate(
        times or curvature_product(objective, point.w, own), lambda g: soothe(g) * free, slope, free, enough
    )


def conjugate(times: Product, soothed: Product, g: Array, free: Array, enough: float) -> Way:
    """argmin over p of g·p + ½ pᵀHp, nearly: preconditioned conjugate gradients (Nocedal & Wright 2006, alg. 5.3).

    What it promises is what the iterations gained and, for those not taken, as much again as if gains went on falling at
    their mean rate.
    """
    p, r = np.zeros_like(g), -g
    z = soothed(r)
    s, size, promised, first = z, float(r @ z), 0.0, 0.0
    reach = size  # the squared length of s as the preconditioner sees it
    for k in range(1, ITERATIONS + 1):
        bent = times(s) * free
        along = float(s @ bent)
        if not along > SOUND * reach or not size > 0.0:  # nothing bends along s, or rounding does
            return Way(p if k > 1 else z, promised or 0.5 * size, k + 1.0)
        share = size / along
        p, r = p + share * s, r - share * bent
        gain = 0.5 * share * size
        promised, first = promised + gain, first or gain
        if gain < enough * promised:
            break
        z = soothed(r)
        size, before = float(r @ z), size
        s = z + size / before * s
        reach = size + (size / before) ** 2 * reach  # z and the s before it are conjugate there
    fall = min((gain / first) ** (1.0 / max(k - 1, 1)), SLOWEST)
    return Way(p, promised + gain * fall / (1.0 - fall), k + 1.0)


def pseudo_slope(objective: Any, point: Point) -> Array:
    """The gradient with the L1 share; for a coefficient at zero the slope of the side that descends, or zero if none does."""
    lasso = lasso_of(objective)
    if lasso <= 0.0:
        return point.g
    out, many = point.g.copy(), objective.penalised
    part, g = point.w[:many], point.g[:many]
    held = np.sign(g) * np.maximum(abs(g) - lasso, 0.0)
    out[:many] = np.where(part == 0.0, held, g + lasso * np.sign(part))
    return out


def search(objective: Any, point: Point, p: Array) -> Found:
    """The first of w + p and ever shorter steps that descends enough.

    With an L1 share a coefficient that would change its sign stops at zero.
    """
    slope, lasso, many = pseudo_slope(objective, point), lasso_of(objective), objective.penalised
    side = np.where(point.w == 0.0, -np.sign(slope), np.sign(point.w))[:many]
    noise, t = ROUNDING * abs(point.height), 1.0
    for trial in range(1, TRIALS + 1):
        w = point.w + t * p
        if lasso > 0.0:
            w[:many] *= np.sign(w[:many]) == side
        steep = float(slope @ (w - point.w))
        if not steep < 0.0:
            t *= 0.1
            continue
        new = at(objective, w)
        after = float(pseudo_slope(objective, new) @ (w - point.w))
        enough = new.height <= point.height + SUFFICIENT * steep
        if enough or (new.height <= point.height + noise and abs(after) <= FLAT * abs(steep)):
            return Found(new, t, trial)
        sound = np.isfinite(new.height) and after > steep
        t *= min(max(steep / (steep - after), 0.1), 0.5) if sound else 0.1
    return Found(point, 0.0, TRIALS)
