"""The curvature of a linear model's objective as a matrix, for tables narrow enough to hold it."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.losses import Softmax
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
    H = softmax_hessian(objective, w) if isinstance(objective.loss, Softmax) else linear_hessian(objective, w)
    ridge = pull_slope(objective)
    H[np.diag_indices(objective.penalised)] += ridge
    return H


def pull_slope(objective: Any) -> float:
    """The penalty's curvature: its pull is linear in w."""
    return float(objective.penalty.pull(1.0))


def linear_hessian(objective: Any, w: Array) -> Array:
    """Σ curvatureᵢ·xᵢxᵢᵀ/n."""
    curvature, d = objective.curvature(w), objective.model.d
    even = curvature.max() == curvature.min()  # least squares without weights: X'X alone, twice as fast
    H = np.zeros((objective.size, objective.size))
    for first in range(0, objective.n, BLOCK):
        X = table_rows(objective, first, first + BLOCK)
        c = curvature[first : first + len(X)]
        H[:d, :d] += c[0] * (X.T @ X) if even else X.T @ (c[:, None] * X)
        if objective.size > d:
            H[:d, d] += X.T @ c
            H[d, d] += c.sum()
    H[d:, :d] = H[:d, d:].T
    return H / objective.n


def softmax_hessian(objective: Any, w: Array) -> Array:
    """Blocks Σ vᵢ·p_k([k = l] − p_l)·xᵢxᵢᵀ/n, put into the order of w: coefficients class by class, then intercepts."""
    model, K = objective.model, objective.classes
    d, width = model.d, objective.size // K
    places = np.array([[k * d + j if j < d else K * d + k for j in range(width)] for k in range(K)])
    H = np.zeros((objective.size, objective.size))
    for first in range(0, objective.n, BLOCK):
        X = matrix_rows(objective, first, first + BLOCK)
        last = first + len(X)
        z = X @ w[places].T + model.offset[first:last]
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        for k in range(K):
            for other in range(k + 1):
                c = model.weights[first:last] * p[:, k] * ((k == other) - p[:, other])
                block = X.T @ (c[:, None] * X)
                H[np.ix_(places[k], places[other])] += block
                if other < k:
                    H[np.ix_(places[other], places[k])] += block.T
    return H / objective.n
