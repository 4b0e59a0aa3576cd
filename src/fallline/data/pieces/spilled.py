"""Pieces that are decoded once: put down on a disk as they came while they are gone over, and read from there afterwards."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from fallline.data.cache import SPARE, unnamed
from fallline.data.table import Table

AWAY = pa.nulls(1)  # stands for columns that are not held


class Spilled:
    """Those pieces, again: the second time without the work of decoding, if a folder's disk has room for them.

    The file has no name and is gone with this.
    """

    def __init__(self, pieces: Any, folder: Path) -> None:
        self.pieces, self.folder = pieces, folder
        self.file: Any = None
        self.held: list[tuple[Table, int]] = []  # what to know of each piece in the file, and its bytes there
        self.whole = False

    def __del__(self) -> None:
        self._give_up()

    def __iter__(self) -> Iterator[Table]:
        return self._read() if self.whole else self._decoded()

    def leave(self, room: int) -> None:
        """Give up where the disk has not that much room besides, bytes."""
        if shutil.disk_usage(self.folder).free < SPARE + room:
            self._give_up()

    def _give_up(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file, self.held, self.whole = None, [], False

    def _decoded(self) -> Iterator[Table]:
        self._give_up()
        self.file = unnamed(self.folder)
        for table in self.pieces:
            if self.file is not None:
                try:
                    self.held.append((replace(table, arrays=(AWAY,) * len(table.arrays)), self._put_down(table)))
                except (OSError, pa.ArrowException):
                    self._give_up()
            yield table
        self.whole = self.file is not None

    def _put_down(self, table: Table) -> int:
        """Write a piece, and say how long it is. Raises OSError where the disk is nearly full."""
        batch = pa.record_batch(list(table.arrays), names=list(table.names))
        if any(map(pa.types.is_dictionary, batch.schema.types)):
            raise pa.ArrowNotImplementedError("levels are not written with their batch")
        if shutil.disk_usage(self.folder).free < SPARE + batch.nbytes:
            raise OSError("the disk is nearly full")
        self.schema = batch.schema
        return int(self.file.write(batch.serialize()))

    def _read(self) -> Iterator[Table]:
        self.file.seek(0)
        for table, size in self.held:
            batch = pa.ipc.read_record_batch(pa.py_buffer(self.file.read(size)), self.schema)
            yield replace(table, arrays=tuple(batch.columns))
