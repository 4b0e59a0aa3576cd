"""The curvature of a linear model's objective as a matrix, for tables narrow enough to hold it."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.losses import Softmax
from fallline.objectives.coordinates import Coordinates, plain
from fallline.rows import CSR

Array = np.ndarray[Any, Any]

BLOCK = 2048  # rows multiplied at once: a MB, whatever the table's length


def table_rows(objective: Any, first: int, last: int) -> Array:
    """Rows first … last of the table as a dense float64 array; a view where they are one already."""
    part = table_slice(objective, slice(first, last))
    return np.asarray(part.toarray() if sp.issparse(part) else part)


def _raw_rows(objective: Any, first: int, last: int) -> Array:
    """The same as they are kept, for what converts them while it works on them."""
    part = table_whole(objective)[first:last]
    return np.asarray(part.toarray() if sp.issparse(part) else part)


def table_slice(objective: Any, which: slice) -> Any:
    """Those rows in float64, sparse if the table is."""
    return table_whole(objective)[which].astype(float, copy=False)


def table_whole(objective: Any) -> Any:
    """The table as NumPy or SciPy knows it, nothing copied."""
    rows = objective.model.rows
    if isinstance(rows, CSR):
        return sp.csr_array((rows.data, rows.indices, rows.indptr), shape=rows.shape())
    return rows.X


def matrix_rows(objective: Any, first: int, last: int) -> Array:
    """The same with the column of ones where there is an intercept."""
    X = table_rows(objective, first, last)
    return np.column_stack([X, np.ones(len(X))]) if objective.size > objective.scores * objective.model.d else X


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
    H[np.diag_indices_from(H)] += ridge * np.trace(H) / len(H) + coordinates.each(pull_slope(objective), 2)
    return H


def matrix_of(objective: Any, bends: Array, coordinates: Coordinates) -> Array:
    """The same for one score a row, were `bends` (n,) the curvature of each row's loss times its weight."""
    H = _by_row(objective, bends, coordinates, objective.n) / objective.n
    H[np.diag_indices_from(H)] += coordinates.each(pull_slope(objective), 2)
    return H


def pull_slope(objective: Any) -> float:
    """The penalty's curvature: its pull is linear in w."""
    return float(objective.penalty.pull(1.0))


def _by_row(objective: Any, curvature: Array, coordinates: Coordinates, most: int) -> Array:
    """Σ curvatureᵢ·xᵢxᵢᵀ."""
    bends = np.flatnonzero(curvature)
    sparse = isinstance(objective.model.rows, CSR)
    some = bends[:: -(-len(bends) // most)] if len(bends) > most else bends
    H = np.zeros((coordinates.width, coordinates.width))
    if len(some) < 0.5 * objective.n and not sparse:  # a loss with corners bends at few rows: leave out the others
        for first in range(0, len(some), BLOCK):
            part = some[first : first + BLOCK]
            X = coordinates.rows(objective.model.rows.X[part])
            H += X.T @ (curvature[part][:, None] * X)
        return H * (len(bends) / max(len(some), 1))
    even = curvature.max() == curvature.min()  # least squares without weights: X'X alone, twice as fast
    for first in range(0, objective.n, BLOCK):
        X = coordinates.rows(_raw_rows(objective, first, first + BLOCK))
        c = curvature[first : first + len(X)]
        H += c[0] * (X.T @ X) if even else X.T @ (c[:, None] * X)
    return H


def _by_class(objective: Any, w: Array, coordinates: Coordinates) -> Array:
    """Blocks Σ vᵢ·p_k([k = l] − p_l)·xᵢxᵢᵀ."""
    K, width = objective.classes, coordinates.width
    H = np.zeros((K, width, K, width))
    for first in range(0, objective.n, BLOCK):
        p = class_chances(objective, w, first, first + BLOCK)
        X = coordinates.rows(table_rows(objective, first, first + BLOCK))
        weights = objective.model.weights[first : first + BLOCK]
        for k in range(K):
            for other in range(k + 1):
                c = weights * p[:, k] * ((k == other) - p[:, other])
                block = X.T @ (c[:, None] * X)
                H[k, :, other] += block
                if other < k:
                    H[other, :, k] += block.T
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
