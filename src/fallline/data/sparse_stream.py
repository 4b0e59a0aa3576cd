"""From LIBSVM text larger than memory to a Dataset whose compressed rows stay on disk."""

from pathlib import Path

import numpy as np

from fallline.data.cache import MAPPED, WINDOW, refuse_no_room
from fallline.data.column import Numbers, column
from fallline.data.dataset import Dataset, FloatArray, Held
from fallline.data.encoder import SparseEncoder
from fallline.data.libsvm import FEATURE, LABEL, features
from fallline.data.pieces.libsvm import LibsvmPieces
from fallline.data.room import refuse_wide
from fallline.data.seen import NumbersSeen
from fallline.data.sparse import SCALED, Sparse, finite_csr, in_type, kept_of, refuse_other_label
from fallline.data.sparse_cache import SparseDisk
from fallline.data.survey import MEND, Wanted, goal_of_numbers, joined
from fallline.data.table import Table, find_column, refuse_one_row
from fallline.data.task import Target, decided, refuse_missing
from fallline.data.wording import quoted
from fallline.errors import InputError

A_ROW = 48  # bytes for a row of a window beside its entries: its start, order, target and weight

CAP = "of --memory, so give it more, or leave it out"


class _Seen:
    """What was seen of the pieces so far: the labels, and of each feature, by its index, the largest entry and the squares."""

    def __init__(self) -> None:
        self.rows = self.entries = 0
        self.labels = NumbersSeen(LABEL)
        self.different: FloatArray | None = np.empty(0)
        self.unit = self.squares = np.zeros(1)  # squares are in units of the largest entry, which keeps them finite

    def add(self, piece: Sparse) -> None:
        labels = _labels(piece)
        self.labels.add(labels)
        self.different = joined(self.different, labels.values)
        X = finite_csr(piece.matrix, piece.place)
        self.rows, self.entries = self.rows + X.shape[0], self.entries + X.nnz
        largest = np.zeros(X.shape[1])
        np.maximum.at(largest, X.indices, np.abs(X.data))
        unit = np.zeros(max(len(self.unit), piece.first + X.shape[1]))
        unit[: len(self.unit)] = self.unit
        np.maximum(unit[piece.first :][: len(largest)], largest, out=unit[piece.first :][: len(largest)])
        some = np.where(unit > 0.0, unit, 1.0)
        squares = np.zeros(len(unit))
        squares[: len(self.unit)] = self.squares * np.square(self.unit / some[: len(self.unit)])
        written = X.indices + piece.first
        squares += np.bincount(written, weights=np.square(X.data / some[written]), minlength=len(unit))
        self.unit, self.squares = unit, squares

    def scale(self, kept: FloatArray) -> FloatArray:
        """The root mean square of those features, one where there is no entry."""
        squares = self.squares[kept]
        return np.where(squares > 0.0, np.sqrt(squares / self.rows) * self.unit[kept], 1.0)


def stream_sparse(pieces: LibsvmPieces, wanted: Wanted, memory: int, folder: Path, dtype: str) -> Dataset:
    """The data set in LIBSVM text, encoded as `load` does it; the rest is as in stream.stream."""
    name, seen = pieces.path.name, _Seen()
    refuse_other_label(wanted.target, LABEL, name)
    if wanted.weights is not None:
        raise InputError(
            f"--weights {quoted(wanted.weights)} does not go with {name}, which has labels and features only."
        )
    for piece in pieces.widening():
        refuse_wide(name, piece.matrix.shape[1], memory, CAP)
        seen.add(piece)
    refuse_one_row(seen.rows, name)
    target = decided(goal_of_numbers(seen.labels, seen.different), wanted.task, "", wanted.standardise_target)
    assert pieces.span is not None
    first, last = pieces.span
    names = features(first, last) if wanted.drop else ()
    kept = kept_of(last + 1 - first, {find_column(names, out, "--drop", name) for out in wanted.drop}, name, LABEL)
    refuse_wide(name, len(kept) * max(len(target.classes) - 1, 1), memory, CAP)
    scale = seen.scale(np.asarray(kept) + first) if wanted.standardise else np.ones(len(kept))
    encoder = SparseEncoder(kept, scale, last + 1 - first, first, LABEL, FEATURE)
    return _cached(pieces, encoder, target, seen, wanted.standardise, memory, folder, dtype)


def _cached(pieces: LibsvmPieces, encoder: SparseEncoder, target: Target, seen: _Seen, scaled: bool, memory: int,
            folder: Path, dtype: str) -> Dataset:  # fmt: skip
    kind = np.int32 if seen.entries <= np.iinfo(np.int32).max else np.int64
    entry, number = np.dtype(dtype).itemsize + np.dtype(kind).itemsize, np.dtype(kind).itemsize
    source, notes = pieces.path.name, tuple[str, ...]()
    refuse_no_room(source, seen.entries * entry + seen.rows * (number + 16), folder)
    disk = SparseDisk(folder, memory // MAPPED)
    for piece in pieces:
        X, _ = encoder.handled(piece)
        disk.add(in_type(X, dtype, encoder.columns), kind)
        disk.write("y", target.coded(_labels(piece)))
        disk.write("weights", np.ones(X.shape[0]))
        notes = piece.notes
    X = disk.matrix(len(encoder.kept))
    disk.window = max(memory // (WINDOW * (disk.row + A_ROW)), 1)
    said = (
        f"{source} was read in pieces, to stay below {memory / 1e6:,.0f} MB beside the program itself; its encoded rows are "
        f"{seen.entries * entry / 1e6:,.0f} MB on disk until the fit ends (--memory).",
    )
    return Dataset(
        X=X,
        y=disk.mapped("y"),
        columns=encoder.columns,
        target=LABEL,
        task=target.task,
        classes=target.classes,
        target_mean=target.mean,
        target_scale=target.scale,
        notes=(*notes, *target.notes, *((SCALED,) if scaled else ()), *said),
        source=source,
        encoder=encoder,
        held=Held(disk, disk.mapped("weights")),
    )


def _labels(piece: Sparse) -> Numbers:
    """The labels of some rows. Raises InputError for one that is missing or infinite, naming the line."""
    assert piece.label is not None
    table = Table(piece.source, (LABEL,), (piece.label[1],), piece.place, target=LABEL)
    found = column(table, 0, (), MEND, part=True)
    refuse_missing(found, table.place)
    assert isinstance(found, Numbers)
    return found
