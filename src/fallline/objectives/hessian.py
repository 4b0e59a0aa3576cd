"""The curvature of a linear model's objective as a matrix, for tables narrow enough to hold it."""

import math
from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.errors import InputError
from fallline.kernels import gram as kernels
from fallline.losses import Softmax
from fallline.objectives.coordinates import Coordinates, plain
from fallline.objectives.passes import pieces
from fallline.objectives.variants import subset
from fallline.rows import CSR

Array = np.ndarray[Any, Any]

BLOCK = 1024  # rows multiplied at once: half a MB, whatever the table's length


def table_rows(objective: Any, first: int, last: int) -> Array:
    """Rows first … last of the table as a dense float64 array; a view where they are one already."""
    part = table_slice(objective, slice(first, last))
    return np.asarray(part.toarray() if sp.issparse(part) else part)


def table_slice(objective: Any, which: slice) -> Any:
    """Those rows in float64, sparse if the table is."""
    return table_whole(objective)[which].astype(float, copy=False)


def table_whole(objective: Any) -> Any:
    """The table as NumPy or SciPy knows it, nothing copied. Raises InputError for rows that are nowhere, see data/decoded.py."""
    rows = objective.model.rows
    if objective.disk is not None and not objective.disk.kept:
        raise InputError(
            "The rows are decoded as they are walked, and this needs them at hand: make room for a cache, without --no-cache."
        )
    if isinstance(rows, CSR):
        return sp.csr_array((rows.data, rows.indices, rows.indptr), shape=rows.shape())
    return rows.X


def hessian(objective: Any, w: Array) -> Array:
    """Second derivative of the loss and of the penalty's smooth share at w, (size, size)."""
    own = plain(objective)
    H, places = curvature_matrix(objective, w, own), own.places()
    out = np.empty_like(H)
    out[np.ix_(places, places)] = H
    return out


def curvature_matrix(
    objective: Any, w: Array, coordinates: Coordinates, most: int | None = None, ridge: float = 0.0
) -> Array:
    """The same in other coordinates, (scores·width, scores·width); of the rows that bend, `most` stand for all.

    ridge: how much of the loss's mean curvature joins the diagonal. The penalty has no part in that mean: on a column of
    deviation 1e-6 its curvature is 1e12 times what it is on others.
    """
    if isinstance(objective.loss, Softmax):
        H = _by_class(objective, w, coordinates) / objective.n
    else:
        H = _by_row(objective, objective.curvature(w), coordinates, most or objective.n) / objective.n
    _raise(H, ridge * np.trace(H) / len(H) + coordinates.each(pull_slope(objective), 2))
    return H


def matrix_of(objective: Any, bends: Array, coordinates: Coordinates) -> Array:
    """The same for one score a row, were `bends` (n,) the curvature of each row's loss times its weight."""
    H = _by_row(objective, bends, coordinates, objective.n) / objective.n
    _raise(H, coordinates.each(pull_slope(objective), 2))
    return H


def _raise(H: Array, by: Array) -> None:
    """Add to the diagonal."""
    H.reshape(-1)[:: len(H) + 1] += by


def pull_slope(objective: Any) -> float:
    """The penalty's curvature: its pull is linear in w."""
    return float(objective.penalty.pull(1.0))


def _by_row(objective: Any, curvature: Array, coordinates: Coordinates, most: int) -> Array:
    """Σ curvatureᵢ·xᵢxᵢᵀ, of at most `most` of the rows that bend."""
    bends = np.flatnonzero(curvature)
    if not len(bends):
        return np.zeros((coordinates.width, coordinates.width))
    some = bends[:: math.ceil(len(bends) / most)]
    if len(some) < 0.5 * objective.n:  # a loss with corners bends at few rows: leave out the others
        return _gram(subset(objective, some), curvature[some], coordinates) * (len(bends) / len(some))
    return _gram(objective, curvature, coordinates)


def _gram(objective: Any, curvature: Array, coordinates: Coordinates) -> Array:
    """The same of all rows, by as many threads as a pass."""
    rows, width, d = objective.model.rows, coordinates.width, objective.model.d
    scale = 1.0 / coordinates.spread
    if isinstance(rows, CSR):

        def entries(first: int, last: int, out: Array) -> None:
            kernels.outer(rows, first, last, curvature, scale, out[d:].reshape(d, d), out[:d])

        sums = pieces(objective, entries, d * (d + 1), None)
        return _centred(sums[d:].reshape(d, d), sums[:d], curvature.sum(), coordinates)
    roots = np.sqrt(curvature)

    def piece(first: int, last: int, out: Array) -> None:
        H, weighted = out.reshape(width, width), np.empty((min(BLOCK, last - first), width), objective.products)
        for start in range(first, last, BLOCK):
            some = slice(start, min(start + BLOCK, last))
            part = weighted[: some.stop - start]
            kernels.weigh(rows.X[some], roots[some], coordinates.centre, scale, part)
            H += part.T @ part

    return pieces(objective, piece, width * width, None).reshape(width, width)


def _centred(upper: Array, pulled: Array, whole: float, coordinates: Coordinates) -> Array:
    """Σ c·((x − mu)/s, 1)((x − mu)/s, 1)ᵀ from Σ c·xxᵀ/s², of which the upper half is given, Σ c·x/s and Σ c."""
    d, mean = len(pulled), coordinates.centre / coordinates.spread
    H = np.zeros((coordinates.width, coordinates.width))
    H[:d, :d] = upper + np.triu(upper, 1).T - np.outer(pulled, mean) - np.outer(mean, pulled - whole * mean)
    H[:d, d:] = (pulled - whole * mean)[:, None]
    H[d:, :d] = H[:d, d:].T
    H[d:, d:] = whole
    return H


def _by_class(objective: Any, w: Array, coordinates: Coordinates) -> Array:
    """Blocks Σ vᵢ·p_k([k = l] − p_l)·xᵢxᵢᵀ: outer products of all classes' p_k·xᵢ, and where k = l what does not cancel."""
    K, width = objective.classes, coordinates.width
    H, own = np.zeros((K, width, K, width)), np.zeros((K, width, width))
    for first in range(0, objective.n, BLOCK):
        p = class_chances(objective, w, first, first + BLOCK)
        X = coordinates.rows(table_rows(objective, first, first + BLOCK))
        weights = objective.model.weights[first : first + BLOCK, None]
        pulled = ((np.sqrt(weights) * p)[:, :, None] * X[:, None, :]).reshape(len(X), K * width)
        H -= (pulled.T @ pulled).reshape(H.shape)
        own += (X.T * (weights * p * (1.0 - p)).T[:, None, :]) @ X
    H[np.arange(K), :, np.arange(K)] = own
    return H.reshape(K * width, K * width)


def class_chances(objective: Any, w: Array, first: int, last: int) -> Array:
    """What a softmax model gives each class in rows first … last, (rows, classes); sparse rows are not filled."""
    model, K = objective.model, objective.classes
    W, rows = w[: K * model.d].reshape(K, model.d).T, slice(first, last)
    z = table_slice(objective, rows) @ W + model.offset[rows]
    if len(w) > K * model.d:
        z += w[K * model.d :]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))
