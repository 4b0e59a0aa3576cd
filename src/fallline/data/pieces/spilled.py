"""Pieces that are decoded once: put down on a disk as they came while they are gone over, and read from there afterwards."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from fallline.data.cache import unnamed
from fallline.data.column import parsed
from fallline.data.table import Table

AWAY = pa.nulls(1)  # stands for columns that are not held
SPARE, SHARE = 1 << 30, 20  # a disk keeps so many bytes free, or one over this of its size: the copy is a convenience


class Spilled:
    """Those pieces, again: the second time without the work of decoding, if a folder's disk has room for them.

    Text of plain numbers becomes numbers. missing: its markers of missing values; asked: columns that are text whatever they
    look like, whose positions join `words`, the set of all such. The file has no name and is gone with this.
    """

    def __init__(
        self, pieces: Any, folder: Path, missing: Sequence[str], asked: Sequence[str | int], words: set[int]
    ) -> None:
        self.pieces, self.folder, self.missing, self.asked, self.words = pieces, folder, missing, asked, words
        self.schema: Any = None
        self.file: Any = None
        self.held: list[tuple[Table, int]] = []  # what to know of each piece in the file, and its bytes there
        self.whole = False

    def __del__(self) -> None:
        self.give_up()

    def __iter__(self) -> Iterator[Table]:
        return self._read() if self.whole else self._decoded()

    def again(self) -> Iterator[Table]:
        """The pieces decoded once more, nothing put down."""
        yield from map(self._in_numbers, self.pieces)

    def group(self, k: int, rows: int) -> Iterator[Table]:
        """The same of one row group, so many rows at a time."""
        yield from map(self._in_numbers, self.pieces.group(k, rows))

    def leave(self, room: int) -> None:
        """Give up where the disk has not that much room besides, bytes."""
        if _spare(self.folder) < room:
            self.give_up()

    def give_up(self) -> None:
        """Let the file go: the pieces are decoded from now on."""
        if self.file is not None:
            self.file.close()
            self.file, self.held, self.whole = None, [], False

    def _decoded(self) -> Iterator[Table]:
        self.give_up()
        self.file, self.schema = unnamed(self.folder), None
        for k, words in enumerate(self.pieces):
            if not k:
                self.words |= {words.find(name, "--text") for name in self.asked}
            table = self._in_numbers(words)
            if self.file is not None:
                try:
                    away = replace(table, arrays=(AWAY,) * len(table.arrays), place=partial(_place, self.pieces, k))
                    self.held.append((away, self._put_down(table)))
                except (OSError, pa.ArrowException):
                    self.give_up()
            yield table
        self.whole = self.file is not None

    def _in_numbers(self, table: Table) -> Table:
        made = [
            values if position in self.words else parsed(values, self.missing)
            for position, values in enumerate(table.arrays)
        ]
        return replace(table, arrays=tuple(made))

    def _put_down(self, table: Table) -> int:
        """Write a piece, and say how long it is. Raises OSError where the disk is nearly full, ArrowException for a piece of
        other types than the first, and for levels, which are not written with their batch.
        """
        arrays = [each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in table.arrays]
        batch = pa.record_batch(arrays, names=list(table.names))
        if (self.schema or batch.schema) != batch.schema or any(map(pa.types.is_dictionary, batch.schema.types)):
            raise pa.ArrowTypeError("the pieces are not of one kind")
        if _spare(self.folder) < batch.nbytes:
            raise OSError("the disk is nearly full")
        self.schema = batch.schema
        return int(self.file.write(batch.serialize()))

    def _read(self) -> Iterator[Table]:
        self.file.seek(0)
        for table, size in self.held:
            batch = pa.ipc.read_record_batch(pa.py_buffer(self.file.read(size)), self.schema)
            yield replace(table, arrays=tuple(batch.columns))


def _spare(folder: Path) -> int:
    """Bytes that the copy may take of the folder's disk."""
    disk = shutil.disk_usage(folder)
    return disk.free - max(SPARE, disk.total // SHARE)


def _place(pieces: Any, piece: int, row: int) -> str:
    """Where a row of a piece stands. It is decoded again for it: only errors ask, and to know it text must be there."""
    found: Table = next(islice(pieces, piece, None))
    return found.place(row)
