"""Sparse matrices: taken apart into columns and target, and scaled, without ever being filled."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fallline.data.dataset import FloatArray
from fallline.data.encode import refuse_too_large
from fallline.data.frames import pair, refuse_other_target, row_of, target_of
from fallline.data.numbered import Numbered
from fallline.data.table import ARRAYS, Place, Table, find_column
from fallline.data.wording import counted, quoted
from fallline.errors import InputError

SCALED = (
    "Every column of the sparse matrix was divided by its root mean square and not centred, as that would fill the matrix "
    "(--no-standardise)."
)


class Sparse(NamedTuple):
    """A sparse matrix as it came, with the name and the values of the target where that came apart from it.

    first: what its first column is counted as where it comes from.
    """

    matrix: Any
    names: Sequence[str]
    label: tuple[str, Any] | None = None
    source: str = ARRAYS
    place: Place = row_of
    notes: tuple[str, ...] = ()
    first: int = 0

    @property
    def called(self) -> str:
        """The source as the subject of a sentence."""
        return "the matrix" if self.source == ARRAYS else self.source


class Apart(NamedTuple):
    """A sparse table taken apart: the matrix without the target, which columns those are, and a table of the target."""

    matrix: Any
    kept: Sequence[int]
    target: Table


def is_sparse(data: object) -> bool:
    """Whether the data, or the X of a pair, is a SciPy sparse matrix."""
    return bool(sp.issparse(data[0] if isinstance(data, tuple) and data else data))


def from_sparse(data: Any) -> Sparse:
    """A sparse matrix in memory, or a pair (X, y) with a sparse X."""
    matrix, y = pair(data) if isinstance(data, tuple) else (data, None)
    if matrix.ndim != 2:
        raise InputError("a sparse array of one dimension is not a table: reshape it to (rows, columns).")
    names = Numbered("column", range(matrix.shape[1]))
    return Sparse(matrix, names, None if y is None else target_of(y, names))


def apart(data: Sparse, target: str | int | None, drop: Sequence[str | int]) -> Apart:
    """The columns to learn from and the target."""
    matrix, names = data.matrix, data.names
    out = {find_column(names, name, "--drop", data.called) for name in drop}
    if data.label is None:
        goal = find_column(names, -1 if target is None else target, "--target", data.called)
        if goal in out:
            raise InputError(f"--drop {quoted(names[goal])} names the target: leave out another column.")
        out.add(goal)
        name, (_, values) = names[goal], target_of(matrix.tocsc()[:, [goal]].toarray(), ())
    else:
        name, values = data.label
        if data.source != ARRAYS:
            refuse_other_label(target, name, data.source)
        refuse_other_target(target, name)
        if len(values) != matrix.shape[0]:
            raise InputError(
                f"X has {counted(matrix.shape[0], 'row')} and y has {len(values)}: give one target for each row."
            )
    kept = kept_of(len(names), out, data.called, name)
    matrix = matrix.tocsc()[:, kept] if out else matrix
    alone = Table(data.source, (name,), (values,), data.place, data.notes, target="" if data.label is None else name)
    return Apart(matrix, kept, alone)


def refuse_other_label(target: str | int | None, own: str, source: str) -> None:
    """A file whose target stands apart from its columns says what the target is."""
    if target not in (None, own):
        raise InputError(
            f"--target {quoted(target)} does not go with {source}, whose {own} is the target: leave it out."
        )


def kept_of(width: int, out: Collection[int], source: str, target: str) -> Sequence[int]:
    """The positions of the columns but those. Raises InputError where none is left."""
    kept = [position for position in range(width) if position not in out] if out else range(width)
    if not kept:
        raise InputError(f"{source} has no column besides the target {quoted(target)}: add one to learn from.")
    return kept


def finite_csr(matrix: Any, place: Place) -> Any:
    """A copy as CSR float64 without stored zeros.

    Raises InputError for entries that are missing or infinite: a filled mean would not be sparse.
    """
    form = sp.csr_array if isinstance(matrix, sp.sparray) else sp.csr_matrix
    X = form(matrix, dtype=np.float64, copy=True)
    X.sum_duplicates()
    finite = np.isfinite(X.data)
    if not finite.all():
        entry = int(np.argmin(finite))
        row = int(np.searchsorted(X.indptr, entry, side="right")) - 1
        raise InputError(
            f"column {int(X.indices[entry])} of {place(row)} is {X.data[entry]:g}: a sparse matrix must "
            "hold finite numbers, so correct it, or leave the entry out to mean zero."
        )
    X.eliminate_zeros()
    return X


def in_type(X: Any, dtype: str, columns: Sequence[str]) -> Any:
    """CSR in that type. Raises InputError for a number that it cannot say."""
    with np.errstate(over="ignore"):
        made = X.astype(dtype, copy=False)
    refuse_too_large(made, columns)
    return made


def encode_sparse(matrix: Any, place: Place, standardise: bool) -> tuple[Any, FloatArray, tuple[str, ...]]:
    """The matrix as CSR, what its columns were divided by, and notes.

    Columns are divided by their root mean square; centring would fill the matrix.
    """
    X = finite_csr(matrix, place)
    rows, width = X.shape
    if not standardise:
        return X, np.ones(width), ()
    unit = np.zeros(width)
    np.maximum.at(unit, X.indices, np.abs(X.data))  # squares in units of the largest entry stay finite
    unit[unit == 0.0] = 1.0
    squares = np.bincount(X.indices, weights=np.square(X.data / unit[X.indices]), minlength=width)
    scale = np.where(squares > 0, np.sqrt(squares / rows) * unit, 1.0)
    X.data /= scale[X.indices]
    return X, scale, (SCALED,)
