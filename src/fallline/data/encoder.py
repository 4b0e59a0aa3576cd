"""How a table became a matrix, as a value that serves again on new tables and goes into a model file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.data.coding import Coding, Numeric, as_dict, coding_from
from fallline.data.column import Column, Numbers, Text, column, first_word, plain, refuse_infinite
from fallline.data.dataset import FloatArray
from fallline.data.encode import encode_as
from fallline.data.handled import Handled
from fallline.data.numbered import Numbered
from fallline.data.sparse import Sparse, finite_csr
from fallline.data.table import Table
from fallline.data.wording import counted, listed, quoted
from fallline.errors import InputError

MEND = "delete the row"


@dataclass(frozen=True, eq=False)
class Encoder:
    """Of a table of columns.

    codings: of the columns that are learnt from. centre, scale: (d,), x becomes (x − centre)/scale.
    names: all columns of the table that was learnt from, in their order, the target among them.
    named: whether the table had names of its own; `missing`: its markers of missing values.
    """

    codings: tuple[Coding, ...]
    centre: FloatArray
    scale: FloatArray
    names: tuple[str, ...]
    target: str
    named: bool = True
    missing: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the matrix, (d,)."""
        return tuple(name for coding in self.codings for name in coding.columns())

    def matrix(self, table: Table | Sparse) -> tuple[Any, tuple[str, ...]]:
        """The matrix (n, d) of a new table, in float64, and sentences on what was handled on the way; see `handled`."""
        X, found = self.handled(table)
        return X, found.sentences()

    def handled(self, table: Table | Sparse) -> tuple[Any, Handled]:
        """The matrix (n, d) of a new table, or of a piece of one, in float64, and what was handled on the way.

        Columns are found by name. Missing numbers become the mean of those learnt from, levels never seen count as the
        rare ones if there were any, and otherwise as none of the known. Raises InputError for columns that are missing,
        for text where numbers were learnt from, and for infinite values.
        """
        if isinstance(table, Sparse):
            raise InputError(f"{table.called} is sparse, and the model was learnt from a table of columns: give one.")
        table = self.placed(table)
        wanted = [coding.name for coding in self.codings]
        absent = [quoted(name) for name in wanted if name not in table.names]
        if absent:
            plural, them = ("s", "them") if len(absent) > 1 else ("", "it")
            raise InputError(
                f"{table.called} lacks the column{plural} {listed(absent)}, which the model was learnt from: add {them}; its "
                f"columns are {listed([quoted(name) for name in table.names])}."
            )
        columns = [self._column(table, coding) for coding in self.codings]
        X = encode_as(self.codings, columns, self.centre, self.scale)
        if not np.isfinite(X).all():
            for made in columns:
                if isinstance(made, Numbers):
                    refuse_infinite(made, table.place, MEND)
        return X, self._found(table, columns)

    def fill(self, table: Table, into: Any) -> None:
        """The same rows into (n, d), for a piece of the table that was learnt from: nothing is looked for or counted."""
        columns = [self._column(table, coding) for coding in self.codings]
        encode_as(self.codings, columns, self.centre, self.scale, into)

    def placed(self, table: Table) -> Table:
        """The table with the names of the one learnt from where it has none of its own.

        A table without names may leave the target out: then the columns behind it stand one place earlier.
        """
        if self.named or table.named:
            return table
        without = tuple(name for name in self.names if name != self.target)
        if len(table.names) == len(without):
            return table.called_as(without)
        if len(table.names) != len(self.names):
            raise InputError(
                f"{table.called} has {counted(len(table.names), 'column')} and no names, and the model was learnt from "
                f"{len(without)} without the target: give the same columns in the same order."
            )
        return table.called_as(self.names)

    def _column(self, table: Table, coding: Coding) -> Column:
        position = table.names.index(coding.name)
        numeric = isinstance(coding, Numeric)
        made = (numeric and plain(table, position)) or column(
            table, position, self.missing, MEND, levels=not numeric, part=True
        )
        if numeric and isinstance(made, Text):
            if not made.levels:
                return Numbers(made.name, np.full(len(made.codes), np.nan))
            word, row = first_word(made)
            raise InputError(
                f"{quoted(word)} in column {quoted(coding.name)} at {table.place(row)} is text, and the model learnt numbers "
                f"there: correct it, or {MEND}."
            )
        return made

    def _found(self, table: Table, columns: Sequence[Column]) -> Handled:
        unseen = {coding.name: coding.unseen(made) for coding, made in zip(self.codings, columns, strict=True)}
        return Handled(
            missing=Counter({made.name: made.gone for made in columns}),
            unseen=Counter(unseen),
            extra=tuple(name for name in table.names if name not in self.names),
        )

    def as_dict(self) -> dict[str, Any]:
        """All but centre and scale, as JSON has it."""
        return {
            "kind": "table", "codings": [as_dict(coding) for coding in self.codings], "names": list(self.names),
            "target": self.target, "named": self.named, "missing": list(self.missing),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class SparseEncoder:
    """Of a sparse matrix: its columns `kept` (positions), each divided by its `scale`, both (d,).

    first: what its first column was counted as in its file; width: how many columns it had.
    """

    kept: Sequence[int]
    scale: FloatArray
    width: int
    first: int
    target: str
    label: str = "feature"

    @property
    def columns(self) -> Numbered:
        """The names of the columns of the matrix, (d,)."""
        return Numbered(self.label, self.kept, self.first)

    @property
    def centre(self) -> FloatArray:
        """Nothing is subtracted."""
        return np.zeros(len(self.kept))

    def matrix(self, table: Table | Sparse) -> tuple[Any, tuple[str, ...]]:
        """The matrix (n, d) of a new one as CSR, and sentences on what was handled on the way."""
        X, found = self.handled(table)
        return X, found.sentences()

    def handled(self, table: Table | Sparse) -> tuple[Any, Handled]:
        """The same, and what was handled: entries of columns beyond those learnt from."""
        if not isinstance(table, Sparse):
            raise InputError(
                f"{table.called} is a table of columns, and the model was learnt from a sparse matrix: give LIBSVM text "
                "or a SciPy matrix saved as .npz."
            )
        X = finite_csr(table.matrix, table.place).tocoo()
        written = X.col.astype(np.int64) + (table.first - self.first)
        known = (written >= 0) & (written < self.width)
        shape = (table.matrix.shape[0], self.width)
        X = sp.csr_array((X.data[known], (X.row[known], written[known])), shape=shape)
        X = X if len(self.kept) == self.width else X.tocsc()[:, list(self.kept)].tocsr()
        X.sort_indices()
        X.data /= self.scale[X.indices]
        return X, Handled(beyond=int((~known).sum()))

    def as_dict(self) -> dict[str, Any]:
        """All but the scale, as JSON has it."""
        every = len(self.kept) == self.width
        return {
            "kind": "sparse", "kept": None if every else list(self.kept), "width": self.width, "first": self.first,
            "target": self.target, "label": self.label,
        }  # fmt: skip


def encoder_from(values: Mapping[str, Any], centre: FloatArray, scale: FloatArray) -> Encoder | SparseEncoder:
    """The encoder that `as_dict` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    if values["kind"] == "sparse":
        width = int(values["width"])
        kept: Sequence[int] = range(width) if values["kept"] is None else tuple(map(int, values["kept"]))
        if any(not 0 <= position < width for position in kept):
            raise ValueError("a column beyond the last is kept")
        made: Any = SparseEncoder(kept, scale, width, int(values["first"]), str(values["target"]), str(values["label"]))
    elif values["kind"] == "table":
        texts = tuple(map(str, values["names"])), str(values["target"]), bool(values["named"])
        codings = tuple(coding_from(coding) for coding in values["codings"])
        made = Encoder(codings, centre, scale, *texts, tuple(map(str, values["missing"])))
    else:
        raise ValueError(f"an encoder of kind {values['kind']}")
    if not len(made.columns) == len(centre) == len(scale):
        raise ValueError("the encoder's columns and scales differ in number")
    return made
