"""The curvature of an objective times a vector, for models too wide for a matrix; and what stands in for the matrix."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as la
from scipy.linalg import lapack

from fallline.losses import Softmax
from fallline.objectives.coordinates import Coordinates
from fallline.objectives.hessian import class_chances, pull_slope, table_rows, table_whole
from fallline.objectives.passes import curvature_diagonal, curvature_times, pieces
from fallline.rows import CSR

Array = np.ndarray[Any, Any]
Product = Callable[[Array], Array]

STRIP = 2048  # rows multiplied at once
TINY = 1e-300
FAINT = 1e-8  # of the largest: a column that hardly bends is not stepped along 10⁸ times as far
SINGLE = 100.0  # deviations between a column's mean and zero, up to which products of float32 tables may be in float32


def curvature_product(objective: Any, w: Array, coordinates: Coordinates) -> Product:
    """v → the second derivative at w of the loss and of the penalty's smooth share, times v; a pass to make, a pass to use."""
    ridge, many = pull_slope(objective), objective.penalised
    times = _by_class(objective, w, coordinates) if isinstance(objective.loss, Softmax) else _by_row(objective, w)

    def product(v: Array) -> Array:
        out = times(v)
        out[:many] += ridge * v[:many]
        return out

    return product


def _by_row(objective: Any, w: Array) -> Product:
    bends = objective.curvature(w)
    return lambda v: curvature_times(objective, bends, v)


def _by_class(objective: Any, w: Array, coordinates: Coordinates) -> Product:
    """Σ vᵢ·(p∘s − p·(p·s)) with s the scores that v gives row i, spread over the row.

    The chances p are kept, (n, K), but for a table that is larger than memory, where they are worked out again each time.
    """
    model, K, d, n = objective.model, objective.classes, objective.model.d, objective.n
    sparse = isinstance(model.rows, CSR)
    whole = table_whole(objective)
    near = sparse or bool((abs(coordinates.centre) <= SINGLE * coordinates.spread).all())
    kind = whole.dtype if near else np.dtype(float)
    kept = np.empty((n if objective.disk is None else 0, K), dtype=kind)
    for first in range(0, len(kept), STRIP):
        kept[first : first + STRIP] = class_chances(objective, w, first, first + STRIP)
    weights = model.weights.astype(kind)[:, None] / n

    def product(v: Array) -> Array:
        V, free = v[: K * d].reshape(K, d).astype(kind), v[K * d :].astype(kind)

        def piece(first: int, last: int, out: Array) -> None:
            for begin in range(first, last, STRIP):
                rows = slice(begin, min(begin + STRIP, last))
                X = whole[rows] if near else whole[rows].astype(float)
                s = X @ V.T
                q = kept[rows] if len(kept) else class_chances(objective, w, begin, rows.stop).astype(kind)
                if len(free):
                    s += free
                s -= (q * s).sum(axis=1, keepdims=True)
                s *= q * weights[rows]
                out[: K * d] += np.asarray((X.T @ s).T if sparse else s.T @ X).ravel()
                if len(free):
                    out[K * d :] += s.sum(axis=0)

        return pieces(objective, piece, len(v), None)

    return product


def stand_in(objective: Any, w: Array, coordinates: Coordinates, ridge: float) -> Array:
    """The root of a matrix (width, width) that is near enough the curvature of every class, to precondition by."""
    model = objective.model
    if isinstance(objective.loss, Softmax):
        bends = np.concatenate([
            (p * (1.0 - p)).mean(axis=1)
            for p in (class_chances(objective, w, first, first + STRIP) for first in range(0, objective.n, STRIP))
        ]) * model.weights  # fmt: skip
    else:
        bends = objective.curvature(w)
    A = np.zeros((coordinates.width, coordinates.width))
    second, fourth = np.zeros(coordinates.width), np.zeros(coordinates.width)
    for first in range(0, objective.n, STRIP):
        X = coordinates.rows(table_rows(objective, first, first + STRIP))
        A += X.T @ (bends[first : first + STRIP, None] * X)
        X *= X
        second += X.sum(axis=0)
        fourth += np.square(X, out=X).sum(axis=0)
    A /= objective.n
    # a column that few rows have may be missing from the sketch, and would then seem not to bend at all; standardised, it bends
    # about as the others do
    A[np.diag_indices_from(A)] = np.maximum(A.diagonal(), bends.mean())
    # and of columns that few of these rows have, those few rows would say that they go together: so much is chance
    tails = np.maximum(fourth - 3.0 * second**2 / objective.n, 0.0) / objective.n**2
    A[np.diag_indices_from(A)] += tails * bends.mean()
    A[np.diag_indices_from(A)] += (
        coordinates.each(pull_slope(objective), 2)[: len(A)] + ridge * np.trace(A) / len(A) + TINY
    )
    return np.asfortranarray(la.cholesky(A, check_finite=False))


def stand_in_diagonal(objective: Any, w: Array, coordinates: Coordinates) -> Array:
    """The square roots of the curvature's diagonal in those coordinates, (scores·width,), near enough."""
    model, K = objective.model, objective.scores
    if isinstance(objective.loss, Softmax):
        bends = np.full(objective.n, (1.0 - 1.0 / K) / K) * model.weights
    else:
        bends = objective.curvature(w)
    if isinstance(model.rows, CSR):
        scale = np.concatenate([coordinates.spread, np.ones(coordinates.free)])
        own = curvature_diagonal(objective, bends, coordinates.free) / scale**2
    else:
        own = np.full(coordinates.width, bends.mean())  # columns are standardised
    diagonal = np.tile(own, K) + coordinates.each(pull_slope(objective), 2)
    largest = diagonal.max() or 1.0  # where no row bends at all, any length is as good
    return np.asarray(np.sqrt(np.maximum(diagonal, FAINT * largest + TINY)))


def soothing(root: Array, coordinates: Coordinates) -> Product:
    """g → the inverse of the curvature with that root, of a matrix or of a diagonal alone, times g."""

    def soothed(g: Array) -> Array:
        u = coordinates.slope(g)
        if root.ndim == 1:
            return coordinates.step(u / root**2)
        half = lapack.dtrtrs(root, u.reshape(coordinates.scores, -1).T, trans=1)[0]
        return coordinates.step(lapack.dtrtrs(root, half)[0].T.ravel())

    return soothed
