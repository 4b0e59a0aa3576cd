"""The entries of one row, one at a time, for methods that move only the columns that a row has."""

from typing import Any

from fallline.kernels.bridge import compiled, stands_for
from fallline.rows import CSR, Dense


def places(rows: Any, i: Any) -> Any:
    """Where row i's entries are kept."""


def column(rows: Any, place: Any) -> Any:
    """The column of the entry at a place."""


def number(rows: Any, i: Any, place: Any) -> Any:
    """Its value, in row i."""


def full(rows: Any) -> Any:
    """Whether every row has every column."""


PLACES = {
    Dense: lambda rows, i: range(rows.X.shape[1]),
    CSR: lambda rows, i: range(rows.indptr[i], rows.indptr[i + 1]),
}
COLUMN = {Dense: lambda rows, place: place, CSR: lambda rows, place: rows.indices[place]}
NUMBER = {Dense: lambda rows, i, place: rows.X[i, place], CSR: lambda rows, i, place: rows.data[place]}
FULL = {Dense: lambda rows: True, CSR: lambda rows: False}

stands_for(places)(lambda rows, i: PLACES[rows.instance_class])
stands_for(column)(lambda rows, place: COLUMN[rows.instance_class])
stands_for(number)(lambda rows, i, place: NUMBER[rows.instance_class])
stands_for(full)(lambda rows: FULL[rows.instance_class])


@compiled
def squared_lengths(rows: Any, out: Any) -> None:
    """out ← ‖xᵢ‖² of every row, summed in float64."""
    for i in range(out.shape[0]):
        total = 0.0
        for place in places(rows, i):
            x = 1.0 * number(rows, i, place)
            total += x * x
        out[i] = total
