"""The curvature of a linear model's objective as a matrix, for tables narrow enough to hold it."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.losses import Softmax
from fallline.objectives.coordinates import Coordinates, plain
from fallline.rows import CSR

Array = np.ndarray[Any, Any]

BLOCK = 8192  # rows multiplied at once: a few MB, whatever the table's length


def table_rows(objective: Any, first: int, last: int) -> Array:
    """Rows first … last of the table as a dense float64 array; a view where they are one already."""
    rows = objective.model.rows
    if isinstance(rows, CSR):
        whole = sp.csr_array((rows.data, rows.indices, rows.indptr), shape=rows.shape())
        return np.asarray(whole[first:last].toarray().astype(float, copy=False))
    return np.asarray(rows.X[first:last].astype(float, copy=False))


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


def curvature_matrix(objective: Any, w: Array, coordinates: Coordinates) -> Array:
    """The same in other coordinates, (scores·width, scores·width)."""
    made = _by_class if isinstance(objective.loss, Softmax) else _by_row
    H = made(objective, w, coordinates) / objective.n
    H[np.diag_indices_from(H)] += coordinates.each(pull_slope(objective), 2)
    return H


def pull_slope(objective: Any) -> float:
    """The penalty's curvature: its pull is linear in w."""
    return float(objective.penalty.pull(1.0))


def _by_row(objective: Any, w: Array, coordinates: Coordinates) -> Array:
    """Σ curvatureᵢ·xᵢxᵢᵀ."""
    curvature = objective.curvature(w)
    bends = np.flatnonzero(curvature)
    H = np.zeros((coordinates.width, coordinates.width))
    if len(bends) < 0.5 * objective.n and not isinstance(objective.model.rows, CSR):
        for first in range(0, len(bends), BLOCK):  # a loss with corners bends at few rows: leave out the others
            some = bends[first : first + BLOCK]
            X = coordinates.rows(objective.model.rows.X[some])
            H += X.T @ (curvature[some][:, None] * X)
        return H
    even = curvature.max() == curvature.min()  # least squares without weights: X'X alone, twice as fast
    for first in range(0, objective.n, BLOCK):
        X = coordinates.rows(table_rows(objective, first, first + BLOCK))
        c = curvature[first : first + len(X)]
        H += c[0] * (X.T @ X) if even else X.T @ (c[:, None] * X)
    return H


def _by_class(objective: Any, w: Array, coordinates: Coordinates) -> Array:
    """Blocks Σ vᵢ·p_k([k = l] − p_l)·xᵢxᵢᵀ."""
    K, width = objective.classes, coordinates.width
    H = np.zeros((K, width, K, width))
    for first in range(0, objective.n, BLOCK):
        X, p = class_chances(objective, w, first, first + BLOCK)
        weights, X = objective.model.weights[first : first + len(X)], coordinates.rows(X)
        for k in range(K):
            for other in range(k + 1):
                c = weights * p[:, k] * ((k == other) - p[:, other])
                block = X.T @ (c[:, None] * X)
                H[k, :, other] += block
                if other < k:
                    H[other, :, k] += block.T
    return H.reshape(K * width, K * width)


def class_chances(objective: Any, w: Array, first: int, last: int) -> tuple[Array, Array]:
    """Rows first … last of the table, and what a softmax model gives each class there, (rows, classes)."""
    model, K = objective.model, objective.classes
    X = table_rows(objective, first, last)
    z = X @ w[: K * model.d].reshape(K, model.d).T + model.offset[first:last]
    if len(w) > K * model.d:
        z += w[K * model.d :]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return X, p / p.sum(axis=1, keepdims=True)
