"""Matrices of curvature: the rows made ready for a product of matrices, or multiplied entry by entry where they are sparse."""

from typing import Any

import numpy as np

from fallline.kernels.bridge import compiled


@compiled
def weigh(X: Any, roots: Any, centre: Any, scale: Any, out: Any) -> None:
    """out[i] ← rootsᵢ·((xᵢ − centre)·scale, 1), the one only if `out` has a column for it."""
    d = centre.shape[0]
    for i in range(X.shape[0]):
        x, row, root = X[i], out[i], roots[i]
        for j in range(d):
            row[j] = root * ((x[j] - centre[j]) * scale[j])
        if row.shape[0] > d:
            row[d] = root


@compiled
def outer(rows: Any, first: Any, last: Any, bends: Any, scale: Any, H: Any, pulled: Any) -> None:
    """H (d, d) += Σ bendsᵢ·(xᵢ·scale)(xᵢ·scale)ᵀ on and above the diagonal, pulled (d,) += Σ bendsᵢ·xᵢ·scale; sparse rows.

    The columns of a row ascend, as `rows.table` sees to.
    """
    for i in range(first, last):
        begin, end = rows.indptr[i], rows.indptr[i + 1]
        data, indices = rows.data[begin:end], rows.indices[begin:end]
        for k in range(data.shape[0]):
            j = np.uint64(indices[k])
            value = bends[i] * data[k] * scale[j]
            pulled[j] += value
            line = H[j]
            for m in range(k, data.shape[0]):
                other = np.uint64(indices[m])
                line[other] += value * data[m] * scale[other]
