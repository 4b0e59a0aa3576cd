"""Newton's method, one step at a time: curvature as a matrix, a direction, a search along it.

The matrix is kept as its root R, H = RᵀR, in standardised coordinates (objectives/coordinates.py). An L1 share stays
exact in each step's model, which coordinate descent solves (proximal Newton, Lee, Sun & Saunders 2014). Steps are
shortened until they descend (Boyd & Vandenberghe 2004, alg. 9.5), so a walk cannot diverge.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from fallline.kernels.coordinates import lasso_step
from fallline.losses import SquaredError
from fallline.objectives.coordinates import Coordinates, plain
from fallline.objectives.hessian import curvature_matrix, table_rows
from fallline.objectives.passes import loss_and_gradient
from fallline.rows import CSR

Array = np.ndarray[Any, Any]

SUFFICIENT = 1e-4  # of what the slope promises (Armijo 1966)
FLAT = 0.1  # of the first slope: along a convex function a point that flat is low enough where heights are all rounding
ROUNDING = 1e-13  # of the height: sums over a million rows are right to this
TRIALS = 40
HALVINGS = 8  # trials that may only halve the step: one that is still too long was chosen where nothing bent
LOST = 1e-6  # smallest over largest entry of the root's diagonal: below, Cholesky has lost half of the digits
NEAR = 1e-2  # the same: below, least squares is worth a factorisation of its own while the table is small
NEARER = 1e-4  # and here while it is not
REFINED = 4_000  # entries up to which more digits cost little
REFINEMENTS = 3  # each gains the digits that the condition leaves
BLIND = 1e-13  # of the largest singular value of the root: what bends less is not seen in float64
FAINT = 1e-5  # of the same, for what is not seen
SHARED = 1e-10  # of the mean curvature: scores of all classes may rise together, and softmax does not bend at all
AFFORDABLE = 5e9  # rows times squared parameters: an exact matrix costs that many multiplications, a tenth of a second
FACTORED = 2e9  # rows times squared width: so much an orthogonal factorisation may cost


class Point(NamedTuple):
    """A place on the way: where, how high, how steep."""

    w: Array
    height: float
    g: Array  # of the loss and of the penalty's smooth share


class Direction(NamedTuple):
    """Where a model of the objective has its lowest point, and how much lower it says that is."""

    p: Array
    promised: float


def at(objective: Any, w: Array) -> Point:
    """The point at w; a pass."""
    height, g = loss_and_gradient(objective, w)
    return Point(w, height, g)


def lasso_of(objective: Any) -> float:
    """The penalty's factor of Σ|w|."""
    return float(objective.penalty.cost(1.0) - 0.5 * objective.penalty.pull(1.0))


def root_at(objective: Any, w: Array, coordinates: Coordinates, ridge: float = 0.0, most: int | None = None) -> Array:
    """R with RᵀR the curvature at w plus `ridge` times its mean diagonal, upper triangular; of `most` rows that bend.

    Where columns are so nearly dependent that Cholesky would lose half of the digits, R comes from an orthogonal
    factorisation of the rows themselves.
    """
    H = curvature_matrix(objective, w, coordinates, most, max(ridge, SHARED if objective.scores > 1 else 0.0))
    size = len(H)
    R = factored(H)
    if R is not None:
        return R
    dense = objective.scores == 1 and not isinstance(objective.model.rows, CSR)
    return (
        seen(_rows_root(objective, w, coordinates)) if dense and objective.n * size * size <= FACTORED else spectral(H)
    )


def factored(H: Array) -> Array | None:
    """Its Cholesky factor, upper triangular, or None where that would lose half of the digits."""
    diagonal = H.diagonal()
    if not diagonal.min() > 0.0:
        H[np.diag_indices_from(H)] += np.where(diagonal > 0.0, 0.0, diagonal.max() or 1.0)
    R, failed = lapack.dpotrf(H.T)  # symmetric, and so in the order that LAPACK wants
    sound = not failed and (np.abs(R.diagonal()) / np.sqrt(H.diagonal())).min() > LOST
    return np.asarray(R) if sound else None


def divided(b: Array, root: Array, transposed: bool = False) -> Array:
    """R⁻¹b, or R⁻ᵀb, for a triangular R without a zero on its diagonal; SciPy's own wrapper costs ten times a small solve."""
    return np.asarray(lapack.dtrtrs(root, b, trans=int(transposed))[0])


def spectral(H: Array) -> Array:
    """A triangular root by eigenvalues, for any H without a negative one but for rounding."""
    size = np.sqrt(H.diagonal())
    values, vectors = np.linalg.eigh(H / np.outer(size, size))
    return seen(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T * size)


def _rows_root(objective: Any, w: Array, coordinates: Coordinates) -> Array:
    """A root of the curvature from the rows √curvature·x and the penalty's √ridge, by QR: right to cond, not to cond²."""
    bends = np.sqrt(objective.curvature(w) / objective.n)
    X = bends[:, None] * coordinates.rows(table_rows(objective, 0, objective.n))
    ridge = np.diag(np.sqrt(coordinates.each(float(objective.penalty.pull(1.0)), 2)))
    return np.asarray(np.linalg.qr(np.vstack([X, ridge]), mode="r"))


def least_squares_step(objective: Any, point: Point, root: Array, coordinates: Coordinates) -> Array | None:
    """The step to the optimum of least squares on nearly dependent columns, from the residuals themselves, or None elsewhere.

    By way of the gradient, rounding would be multiplied by the square of the condition number; by an orthogonal
    factorisation of table and residuals together (Golub 1965), by the number itself; and the rest is refined with residuals
    of more digits where the machine has them (Wilkinson 1963).
    """
    size, rows, diagonal = len(root), objective.model.rows, abs(root.diagonal())
    if not isinstance(objective.loss, SquaredError) or lasso_of(objective) > 0.0 or isinstance(rows, CSR):
        return None
    small = rows.X.size <= REFINED
    if diagonal.min() > (NEAR if small else NEARER) * diagonal.max() or objective.n * size * size > FACTORED:
        return None
    model, ridge = objective.model, np.sqrt(coordinates.each(float(objective.penalty.pull(1.0)), 2))
    kind = np.longdouble if small else np.float64
    share, X = np.sqrt(model.weights).astype(kind), rows.X.astype(kind)
    left = model.y - model.offset - X @ point.w[: model.d] - model.free * point.w[-1]
    table = np.vstack([share[:, None] * coordinates.rows(X), np.sqrt(objective.n) * np.diag(ridge)])
    both = np.column_stack(
        [table, np.concatenate([share * left, -np.sqrt(objective.n) * ridge * coordinates.point(point.w)])]
    )
    R = np.asarray(np.linalg.qr(both.astype(float), mode="r"))
    values = abs(np.linalg.svd(R[:size, :size], compute_uv=False))
    if values[-1] <= BLIND * values[0]:
        return None
    R, p = R[:size, :size], divided(R[:size, size], R[:size, :size])
    for _ in range(REFINEMENTS):
        still = np.asarray(table.T @ (both[:, -1] - table @ p), dtype=float)
        half = divided(still, R, transposed=True)
        p = p + divided(half, R)
    return coordinates.step(p)


def seen(R: Array) -> Array:
    """A triangular root in which no singular value is rounding.

    A direction that seems not to bend is given a faint curvature: a gradient that is itself rounding then moves nothing, and
    one that is not, as along the straight pieces of a loss with corners, moves far and promises much.
    """
    size = np.linalg.norm(
        R, axis=0
    )  # what is rounding is told from columns of one size: a penalty may make one 1e12 times larger
    size = np.where(size > 0.0, size, 1.0)
    _, values, vectors = np.linalg.svd(R / size, full_matrices=False)
    largest = values[0] or 1.0
    kept = np.where(values > BLIND * largest, values, FAINT * largest)
    return np.asarray(np.linalg.qr(kept[:, None] * vectors * size, mode="r"))


def direction(objective: Any, point: Point, root: Array, coordinates: Coordinates) -> Direction:
    """argmin over p of g·p + ½ pᵀHp and the L1 share at w + p."""
    slope = coordinates.slope(point.g)
    lasso = lasso_of(objective)
    if lasso <= 0.0:
        half = divided(slope, root, transposed=True)
        p = -divided(half, root)
        return Direction(coordinates.step(p), 0.5 * float(half @ half))
    u, reach, p = coordinates.point(point.w), coordinates.each(lasso, 1), np.empty_like(slope)
    if not lasso_step(u, slope, root.T @ root, reach, p):
        p = settled(u, slope, root, reach, p)
    bent = root @ p
    rough = float(reach @ (abs(u + p) - abs(u)))
    return Direction(coordinates.step(p), -(float(slope @ p) + 0.5 * float(bent @ bent) + rough))


def settled(u: Array, slope: Array, root: Array, reach: Array, p: Array) -> Array:
    """The lowest point of the model among those with the signs that u + p has; who would change sign on the way stops at zero.

    reach: the L1 share's factor of each entry. By a factorisation of the root, so right to cond, not to cond².
    """
    p, sign = p.copy(), np.where(reach > 0.0, np.sign(u + p), 1.0)
    for _ in range(len(p)):
        free = np.flatnonzero(sign)
        if not len(free):
            break
        R = np.asarray(np.linalg.qr(root[:, free], mode="r"))
        left = (slope + root.T @ (root @ p) + reach * sign)[free]
        step = -divided(divided(left, R, True), R)
        now, bound = (u + p)[free], reach[free] > 0.0
        crossing = bound & (np.sign(now + step) != sign[free])
        if not crossing.any():
            p[free] += step
            return p
        shares = np.where(crossing, -now / np.where(crossing, step, 1.0), np.inf)
        first = int(shares.argmin())
        p[free] += shares[first] * step
        sign[free[first]], p[free[first]] = 0.0, -u[free[first]]
    return p


class Found(NamedTuple):
    """What a search came to: the point, the length of the step (0: none descends), and the passes that it took."""

    point: Point
    length: float
    passes: int


def search(objective: Any, point: Point, p: Array) -> Found:
    """The first of w + p and ever shorter steps that descends enough."""
    lasso = lasso_of(objective)
    steep = slope_along(objective, point, p, lasso)
    if not steep < 0.0:
        return Found(point, 0.0, 0)
    noise, t = ROUNDING * abs(point.height), 1.0
    for trial in range(1, TRIALS + 1):
        new = at(objective, point.w + t * p)
        after = slope_along(objective, new, p, lasso)
        enough = new.height <= point.height + SUFFICIENT * t * steep
        level = abs(new.height - point.height) <= noise and -steep <= noise
        if (abs(after) <= FLAT * abs(steep) and new.height <= point.height + noise) or (enough and not level):
            return Found(new, t, trial)
        if level:  # neither height nor slope gets lower: all is rounding
            return Found(point, 0.0, trial)
        sound = np.isfinite(new.height) and after > steep
        t *= min(max(steep / (steep - after), 0.1), 0.5) if sound and trial <= HALVINGS else 0.1
    return Found(point, 0.0, TRIALS)


def slope_along(objective: Any, point: Point, p: Array, lasso: float) -> float:
    """Slope along p, the L1 share included (from the right)."""
    if lasso <= 0.0:
        return float(point.g @ p)
    part, along = point.w[: objective.penalised], p[: objective.penalised]
    return float(point.g @ p + lasso * np.where(part == 0, abs(along), np.sign(part) * along).sum())


class Settled(NamedTuple):
    """Where Newton's method came to rest: the point, the last curvature, and the passes it took."""

    point: Point
    root: Array
    passes: float


def newton(
    objective: Any, w: Array, enough: float, most: int = 100, coordinates: Coordinates | None = None, ridge: float = 0.0
) -> Settled:
    """Newton steps from w until one promises less than `enough` of the height, or none descends."""
    coordinates = coordinates or plain(objective)
    point, passes, root = at(objective, w), 1.0, np.empty(0)
    for _ in range(most):
        root = root_at(objective, point.w, coordinates, ridge)
        way = direction(objective, point, root, coordinates)
        passes += 1.0
        if not way.promised > enough * max(abs(point.height), np.finfo(float).tiny):
            break
        found = search(objective, point, way.p)
        point, passes = found.point, passes + found.passes
        if found.length == 0.0:
            break
    return Settled(point, root, passes)
