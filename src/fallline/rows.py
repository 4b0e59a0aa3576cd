"""Rows: the table that a linear model is fitted to, dense or sparse, behind one small interface.

`dot(i, w)` is row i times w, `push(i, scale, g)` adds scale times row i to g. Kernels see a table only through these,
so nothing is written twice for sparse data. Both are parts; `table(X)` makes one of whatever the user has.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fallline.errors import InputError

Array = np.ndarray[Any, Any]


class Dense(NamedTuple):
    """A C-ordered (n, d) array, float32 or float64."""

    X: Array

    def shape(self) -> tuple[int, int]:
        return self.X.shape[0], self.X.shape[1]

    def dot(self, i: int, w: Array) -> float:
        total, x = 0.0, self.X[i]
        for j in range(x.shape[0]):
            total += x[j] * w[j]
        return total

    def push(self, i: int, scale: float, g: Array) -> None:
        x = self.X[i]
        for j in range(x.shape[0]):
            g[j] += scale * x[j]


class CSR(NamedTuple):
    """A sparse (n, d) table in compressed rows: values, their columns, and where each row starts.

    Loops run over slices, and indices are cast to be unsigned: where an index may be negative, compiled code asks each time
    whether it counts from the end, and takes twice as long.
    """

    data: Array  # float32 or float64
    indices: Array  # int32 or int64, as SciPy gives them
    indptr: Array  # of the same kind
    d: int

    def shape(self) -> tuple[int, int]:
        return self.indptr.shape[0] - 1, self.d

    def dot(self, i: int, w: Array) -> float:
        total, begin, end = 0.0, self.indptr[i], self.indptr[i + 1]
        data, indices = self.data[begin:end], self.indices[begin:end]
        for k in range(data.shape[0]):
            total += data[k] * w[np.uint64(indices[k])]
        return total

    def push(self, i: int, scale: float, g: Array) -> None:
        begin, end = self.indptr[i], self.indptr[i + 1]
        data, indices = self.data[begin:end], self.indices[begin:end]
        for k in range(data.shape[0]):
            g[np.uint64(indices[k])] += scale * data[k]


Rows = Dense | CSR


def table(X: Any) -> Rows:
    """Rows of a NumPy array or a SciPy sparse matrix; floats as they are, anything else as float64. Rows are themselves."""
    if isinstance(X, Dense | CSR):
        return X
    if sp.issparse(X):
        _filled(X.shape)
        csr = X.tocsr()
        if not csr.has_canonical_format:
            csr = csr.copy()  # the user's own table stays as it is
            csr.sum_duplicates()
        data = _finite(
            _floating(csr.data), lambda k: (int(np.searchsorted(csr.indptr, k, "right")) - 1, csr.indices[k])
        )
        return CSR(data, csr.indices, csr.indptr, csr.shape[1])
    X = np.asarray(X)
    if X.ndim != 2:
        raise InputError(f"X has {X.ndim} dimension(s) where a table has two, rows and columns: try X.reshape(-1, 1).")
    _filled(X.shape)
    X = np.ascontiguousarray(_floating(X))
    _finite(X.reshape(-1), lambda k: divmod(k, X.shape[1]))
    return Dense(X)


def _filled(shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise InputError(f"X has no {'columns' if shape[0] else 'rows'} (its shape is {shape}): give at least one.")


def _floating(values: Array) -> Array:
    if values.dtype in (np.float32, np.float64):
        return values
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"X holds {values.dtype} where numbers belong ({error}): encode it first, as load does."
        ) from error


def _finite(values: Array, place: Callable[[int], tuple[int, int]]) -> Array:
    """`values`, or an InputError that names the first that is no finite number."""
    with np.errstate(over="ignore", invalid="ignore"):
        sound = bool(np.isfinite(values.sum()))  # a NaN or an infinity anywhere shows in the sum, at no memory
    if not sound and not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values))[0])
        row, j = place(at)
        raise InputError(f"X in row {row}, column {j} is {values[at]}: drop the row, or fill the value in.")
    return values
