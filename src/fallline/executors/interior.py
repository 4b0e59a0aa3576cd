"""Losses with corners: a primal-dual interior point method, whose every point has a proven gap.

The objective is Σ over terms of mass·(low·r + jump·max(0, r))/n and ½λ₂‖w‖²: a term for every row and corner of its loss, with r
its score less the corner's place, and one for every coefficient under an L1 share. kernels/interior.py splits r = p − q and
gives each term a slope s between low and low + jump. With Δs = D(xᵀΔw − h) a Newton step on the central path is

    (λ₂I + XᵀDX/n)·Δw = −λ₂w − Xᵀ(s − Dh)/n,

a matrix of the parameters' size, D diagonal (Ferris & Munson 2002); target and second-order correction are Mehrotra's (1992). Any
slopes prove a bound (duality.py). Where rows are fewer than columns, coefficients are a sum of rows, and the table's own triangle
(X = LQ) stands for it.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from fallline.descent import State
from fallline.errors import InputError
from fallline.executors import terms
from fallline.executors.duality import gap_of
from fallline.executors.known import HEIGHT, known
from fallline.executors.level import level_of
from fallline.executors.newton import divided, lasso_of, spectral
from fallline.kernels import interior as kernels
from fallline.kernels.interior import Moves, Sides
from fallline.objectives.coordinates import WIDEST, Coordinates, plain, standard
from fallline.objectives.corners import CORNERS, corners_of
from fallline.objectives.hessian import matrix_of, pull_slope, table_rows
from fallline.objectives.passes import height_at_zero, moved_scores, row_sum
from fallline.objectives.variants import with_rows
from fallline.rows import CSR
from fallline.samplers import Batch

Array = np.ndarray[Any, Any]

BEGIN = 2.0  # of the mean jump·|r|: the first μ
FEW = 100  # rows a parameter
SHORT = 0.995  # of the way to the nearest wall
FIRM = 1e-13  # of its diagonal: joins the matrix, so that columns that are the same can be told apart
NOISE = 1e-6  # of the height: where the gap is less, a step that lowers neither height nor gap is rounding
PASSES = 6.0  # readings of the table in a step
FAINT = 3e-3  # of the gap: an excess that seems to be less was a step that went nowhere
EXCESS, LOW, PROVEN, AHEAD = 1, 4, 5, 6  # in numbers; LOW, PROVEN: the highest bounds, AHEAD: the lowest height


class Memory(NamedTuple):
    """What the solver remembers of its walk."""

    best: Array  # (size,) the lowest point so far, which is the next answer
    w: Array  # the point of the path, in the parameters of the table that is walked on
    p: Array  # (terms,) kernels/interior.py
    q: Array
    a: Array
    centre: Array  # (columns,) of that table
    spread: Array  # (columns,)
    triangle: Array  # (n, n) that table where it is L of X = LQ, else empty
    turn: Array  # (n, d) Q
    numbers: Array  # height of the answer, excess, length of the last step, visits; bounds, lowest height


class InteriorPoint(NamedTuple):
    """A primal-dual interior point method (Ferris & Munson 2002; predictor and corrector, Mehrotra 1992).

    For losses that are straight but for corners, one score a row, any penalty. A step takes one matrix of the size of the
    parameters, or of the rows where they are fewer; some fifteen steps come to any precision. Its answer is the lowest point
    before the last step, and the excess what that step gained, which is nearly all; the duality gap, which is some hundred times
    as much, is at least that and proven (`proven`), without a penalty once slopes even out. It takes no rate.
    """

    def sampler(self, seed: int = 0) -> Batch:
        """The rows that it is meant for: all."""
        return Batch()

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def start(self, objective: Any, w: Array) -> Memory:
        """Nothing known yet."""
        terms.one_score(objective, "InteriorPoint")
        if type(objective.loss) not in CORNERS:
            known_ones = ", ".join(loss.__name__ for loss in CORNERS)
            raise InputError(
                f"InteriorPoint knows the corners of {known_ones}, not of {type(objective.loss).__name__}: take L-BFGS."
            )
        none, square = np.zeros(0), np.zeros((0, 0))
        height = objective.value(w) if w.any() else height_at_zero(objective)
        numbers = np.array([height, math.inf, math.nan, 0.0, -math.inf, -math.inf, height])
        return Memory(w, w, none, none, none, none, none, square, square, numbers)

    def readings(self, state: State) -> dict[str, float]:
        """What it knows of its answer."""
        return known(state.memory[-1])

    def proven(self, state: State) -> float:
        """A bound that is proven for its answer."""
        numbers = state.memory[-1]
        return float(numbers[HEIGHT] - numbers[PROVEN])

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment: one step (see descent.by_hand)."""
        terms.all_its_own("InteriorPoint", step, schedule, state, average)
        memory, visits = Memory(*state.memory), PASSES * objective.n
        if not len(memory.p):
            memory, visits = begun(objective, state.w, memory), visits + 2.0 * objective.n
        table = with_rows(objective, memory.triangle) if len(memory.triangle) else objective
        own = plain(table)._replace(centre=memory.centre, spread=memory.spread)
        sides = sides_of(table, own, memory.p.copy(), memory.q.copy(), memory.a.copy())
        with np.errstate(all="ignore"):
            w, length = advanced(table, memory.w, sides, own)
        if not np.isfinite(w).all():
            w, length = memory.w, 0.0
            sides = sides._replace(p=memory.p, q=memory.q, a=memory.a)
        at, height = lowest(table, w, sides, own)
        slopes = by_row(table, sides.low + sides.a)
        proven = estimated = gap_of(table, at, height, -slopes, own)
        if estimated == math.inf:  # until slopes even out
            estimated = gap_of(table, at, height, -slopes, own, math.inf)
        ahead = float(memory.numbers[AHEAD])
        lows = np.maximum(memory.numbers[[LOW, PROVEN]], [height - estimated, height - proven])
        gap = max(ahead - lows[0], 0.0)
        if gap <= NOISE * ahead and not (height < ahead or (lows > memory.numbers[[LOW, PROVEN]]).any()):
            length = 0.0  # all is rounding
        gained = (ahead - height) / length**2 if height < ahead else float(memory.numbers[EXCESS])
        excess = min(max(gained, FAINT * gap), gap, ahead)
        numbers = np.array([ahead, excess, length, visits, *lows, min(ahead, height)])
        best = lifted(objective, memory, at) if height < ahead else memory.best
        kept = memory._replace(best=best, w=w, p=sides.p, q=sides.q, a=sides.a, numbers=numbers)
        return State(memory.best, kept, memory.best, state.t + 1, state.segments + 1), memory.best[None]


def few_rows(objective: Any) -> bool:
    """Whether the objective is one for this method: rows are few for its parameters, and a matrix of those can be held.

    Of more rows so many lie near corners that the rounded loss's curvature is learnt from a part of them, and sooner
    (rounded.py): measured on twelve tables, of 0.4 to 2,000 rows a parameter.
    """
    if objective.scores > 1 or type(objective.loss) not in CORNERS:
        return False
    return short(objective) or (objective.size <= WIDEST and objective.n <= FEW * objective.size)


def short(objective: Any) -> bool:
    """Whether the table's triangle takes its place."""
    straight = lasso_of(objective) <= 0.0 and not isinstance(objective.model.rows, CSR)
    return straight and objective.n < min(objective.model.d, WIDEST)


def begun(objective: Any, w: Array, memory: Memory) -> Memory:
    """On the central path of the table, or of its triangle, from w; μ as the rows' distance from their corners says."""
    table, d = objective, objective.model.d
    triangle, turn = memory.triangle, memory.turn
    w = w if w.any() else level_of(objective)
    if short(objective):
        Q, R = np.linalg.qr(table_rows(objective, 0, objective.n).T)
        triangle, turn = np.ascontiguousarray(R.T), np.ascontiguousarray(Q.T)
        table, w = with_rows(objective, triangle), np.append(turn @ w[:d], w[d:])
    own, _ = standard(table)
    model = table.model
    z = moved_scores(table, w) + model.offset
    away_from = [z - corner.place for corner in corners_of(model.loss, model.y)]
    r = np.concatenate([*away_from, own.into(w)[: model.d]] if lasso_of(table) > 0.0 else away_from)
    sides = sides_of(table, own, np.maximum(r, 0.0), np.maximum(-r, 0.0), np.empty_like(r))
    idle = sides.mass == 0.0
    sides.p[idle] = sides.q[idle] = (
        0.0  # such rows count for nothing, and far from their corners no digits would be left
    )
    away = float(sides.mass @ (sides.jump * abs(r))) / float(sides.mass.sum())
    kernels.centre(sides, BEGIN * away if away > 0.0 else 1.0)
    return memory._replace(
        w=w, p=sides.p, q=sides.q, a=sides.a, centre=own.centre, spread=own.spread, triangle=triangle, turn=turn
    )


def sides_of(table: Any, own: Coordinates, p: Array, q: Array, a: Array) -> Sides:
    """The terms of the objective: corner by corner the rows, then the coefficients if they have an L1 share."""
    corners, lasso, d = corners_of(table.loss, table.model.y), lasso_of(table), table.model.d
    mass, low = [table.model.weights] * len(corners), [corner.low for corner in corners]
    jump = [np.full(table.n, corner.jump) for corner in corners]
    if lasso > 0.0:
        pull = table.n * lasso / own.spread  # counts as one row, however strong
        mass, low, jump = [*mass, np.ones(d)], [*low, -pull], [*jump, 2.0 * pull]
    return Sides(np.concatenate(mass), np.concatenate(low), np.concatenate(jump), p, q, a)


def rows_in(table: Any, many: int) -> int:
    """How many of so many terms are rows'."""
    return many - (table.model.d if lasso_of(table) > 0.0 else 0)


def by_row(table: Any, values: Array) -> Array:
    """What the terms of a row have together, (n,)."""
    return np.asarray(values[: rows_in(table, len(values))].reshape(-1, table.n).sum(axis=0))


def advanced(table: Any, w: Array, sides: Sides, own: Coordinates) -> tuple[Array, float]:
    """The point after a step, and the step's length; `sides` go with it."""
    moves = Moves(*np.zeros((3, len(sides.p))))
    way = steps_at(table, w, sides, own)
    _, dr = way(0.0, moves)
    primal, dual = kernels.step(sides, 0.0, dr, moves)
    now, then = kernels.apart(sides, moves, 0.0, 0.0), kernels.apart(sides, moves, min(1.0, primal), min(1.0, dual))
    target = (then / now) ** 3 * now / (2.0 * float(sides.mass.sum()))
    p, dr = way(target, moves)
    primal, dual = kernels.step(sides, target, dr, moves)
    primal, dual = min(1.0, SHORT * primal), min(1.0, SHORT * dual)
    kernels.go(sides, moves, primal, dual, dr)
    return w + primal * p, primal


def steps_at(table: Any, w: Array, sides: Sides, own: Coordinates) -> Callable[[float, Moves], tuple[Array, Array]]:
    """(target, moves) → the Newton step of w toward that target, and how far it moves each r; one matrix, two passes a call."""
    n, d, ridge, many = table.n, table.model.d, pull_slope(table), len(sides.p)
    lasso, pull = many - rows_in(table, many), np.empty(many)
    kernels.bends(sides, pull)
    H = matrix_of(table, by_row(table, pull), own)
    H[np.arange(lasso), np.arange(lasso)] += pull[many - lasso :] / n
    divide = inverse(H)

    def way(target: float, moves: Moves) -> tuple[Array, Array]:
        kernels.pulls(sides, target, moves, pull)
        force = by_row(table, pull)
        g = np.append(row_sum(table, force), np.full(own.free, force.sum())) / n
        g[:d] += ridge * w[:d]
        slope = own.slope(g)
        slope[:lasso] += pull[many - lasso :] / n
        p = -divide(slope)
        step = own.step(p)
        return step, np.concatenate([np.tile(moved_scores(table, step), (many - lasso) // n), p[:lasso]])

    return way


def inverse(H: Array) -> Callable[[Array], Array]:
    """g → H⁻¹g, refined once: near the end some rows bend 10¹⁵ times as much as others."""
    diagonal = H.diagonal()
    H[np.diag_indices_from(H)] += np.where(diagonal > 0.0, FIRM * diagonal, diagonal.max() or 1.0)
    root, failed = lapack.dpotrf(H.T)
    if failed:
        root = spectral(H)

    def divide(g: Array) -> Array:
        p = divided(divided(g, root, transposed=True), root)
        return p + divided(divided(g - H @ p, root, transposed=True), root)

    return divide


def lowest(table: Any, w: Array, sides: Sides, own: Coordinates) -> tuple[Array, float]:
    """The point and its height; under an L1 share with the coefficients at zero that are on their way there, if that is lower."""
    d = table.model.d
    height = kernels.cost(sides) / table.n + 0.5 * pull_slope(table) * float(w[:d] @ w[:d])
    if lasso_of(table) <= 0.0:
        return w, height
    p, q, a, jump = sides.p[-d:], sides.q[-d:], sides.a[-d:], sides.jump[-d:]
    size = max(float(abs(p - q).max()), np.finfo(float).tiny)
    some = w.copy()
    some[:d][np.maximum(p, q) / size < np.minimum(a, jump - a) / jump] = 0.0
    if some[:d].any() and (lower := table.value(some)) <= height:
        return some, lower
    return w, height


def lifted(objective: Any, memory: Memory, w: Array) -> Array:
    """The point in the parameters of the objective."""
    if not len(memory.triangle):
        return w
    return np.append(w[: objective.n] @ memory.turn, w[objective.n :])
