"""Encoded rows that no disk has room for: decoded from their file again whenever they are asked for."""

import mmap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fallline.data.ahead import ahead
from fallline.data.cache import PAGE, Array, Disk
from fallline.data.table import Table

Groups = tuple[tuple[int, int], ...]  # of neighbouring row groups, the first row of each and the one behind its last
LEAST, MOST = 256, 1 << 15  # rows of a batch
UNBACKED = (
    mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
    if hasattr(mmap, "MAP_PRIVATE")
    else 0
)


@contextmanager
def returning() -> Iterator[None]:
    """Have Arrow ask the system's own allocator, which returns what is let go of: its usual one keeps some 20 MB of the text of a
    file until the solver has taken as much again.
    """
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


class Source:
    """Where the rows come from.

    open(k, rows): the tables of row group k, so many rows each; groups: the rows of each group; fill(table, out): encodes.
    """

    def __init__(self, open_: Callable[[int, int], Iterator[Table]], groups: Sequence[int], fill: Callable[..., Any]):
        self.open, self.fill = open_, fill
        self.starts = np.append(0, np.cumsum(groups))


class Decoded(Disk):
    """The table X (n, d), decoded and encoded anew at every reading, and numbers a row in files of a folder.

    X is memory that stands for the table and has nothing behind it: a full pass fills a piece (`bring`), and lets go of it. Who
    reads X in any other way sees zeros. digest: of all encoded rows. streams: row groups, from all over the file, that are
    gone through side by side, so that a window of a sorted table has rows of each.
    """

    kept = shuffles = False

    def __init__(self, folder: Path, most: int, source: Source, width: int, kind: Any, streams: int) -> None:
        super().__init__(folder, most)
        self.source, self.streams, self.digest = source, streams, b""
        self.width, self.kinds["X"] = width, np.dtype(kind)
        self.maps["X"] = mmap.mmap(-1, max(self.row * self.n, 1), flags=UNBACKED)
        self.X = np.frombuffer(self.maps["X"], kind, self.n * width).reshape(self.n, width)
        self.cursors: list[_Cursor] = []  # the one used last stands last
        self.lock = threading.Lock()

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.source.starts[-1])

    @property
    def stretches(self) -> tuple[Groups, ...]:
        """The row groups in `streams` parts of the file."""
        groups = list(pairwise(self.source.starts.tolist()))
        cuts = [len(groups) * k // self.streams for k in range(self.streams + 1)]
        return tuple(tuple(groups[first:last]) for first, last in pairwise(cuts))

    def rows(self, chosen: Array, into: Array | None = None) -> Array:
        """Those rows of X; neighbours together, and cheap where they go on from where a reading ended."""
        out = self.room(len(chosen)) if into is None else into[: len(chosen)]
        cuts = np.concatenate([[0], np.flatnonzero(np.diff(chosen) != 1) + 1, [len(chosen)]])
        first = chosen[cuts[:-1]]
        self._read([(int(first[k]), out[cuts[k] : cuts[k + 1]]) for k in np.argsort(first).tolist()])
        return out

    def bring(self, first: int, last: int) -> None:
        """Have rows first … last in X."""
        if not first:
            self.maps["X"].madvise(mmap.MADV_DONTNEED)
        self._read([(first, self.X[first:last])])

    def ask_for(self, chosen: Array) -> None:
        """Nothing: they are decoded when they are needed."""

    def let_go(self, first: int, last: int) -> None:
        """Forget those rows of X, but for pages that hold others, too."""
        begin, end = -(-first * self.row // PAGE) * PAGE, last * self.row // PAGE * PAGE
        if end > begin:
            self.maps["X"].madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def let_all_go(self) -> None:
        """Take the pages of the numbers a row out of this process."""
        for name, held in list(self.maps.items()):
            if name != "X":
                held.madvise(mmap.MADV_DONTNEED)

    def _read(self, runs: list[tuple[int, Array]]) -> None:
        """The rows from `first` on into out (m, d), for each of those pairs; a thread decodes while others are encoded."""
        with self.lock, returning():
            for table, out in ahead(part for run in runs for part in self._tables(*run)):
                self.source.fill(table, out)

    def _tables(self, first: int, out: Array) -> Iterator[tuple[Table, Array]]:
        """The rows from `first` on as they come, and where they belong."""
        while len(out):
            k = int(np.searchsorted(self.source.starts, first, "right")) - 1
            many = min(len(out), int(self.source.starts[k + 1]) - first)
            cursor = self._at(k, first, many)
            for table in cursor.take(many):
                yield table, out[: table.rows]
                out = out[table.rows :]
            first += many
            if cursor.at == self.source.starts[k + 1]:
                self.cursors.remove(cursor)
                del cursor
                pa.default_memory_pool().release_unused()  # what a group took, before the next takes as much

    def _at(self, k: int, first: int, many: int) -> "_Cursor":
        """A cursor in group k that stands at `first`."""
        near = [cursor for cursor in self.cursors if cursor.group == k and cursor.at <= first]
        if near:
            cursor = max(near, key=lambda each: each.at)
            self.cursors.remove(cursor)
        else:
            del self.cursors[: max(len(self.cursors) + 1 - self.streams, 0)]
            rows = min(max(many, LEAST), MOST)
            cursor = _Cursor(k, int(self.source.starts[k]), self.source.open(k, rows))
        self.cursors.append(cursor)
        for _ in cursor.take(first - cursor.at):
            pass
        return cursor


class _Cursor:
    """A row group that is read from front to end; at: the row that comes next."""

    def __init__(self, group: int, at: int, tables: Iterator[Table]) -> None:
        self.group, self.at, self.tables = group, at, tables
        self.left: Table | None = None

    def take(self, rows: int) -> Iterator[Table]:
        """The next rows, as tables. Raises OSError where the file has fewer than it had."""
        while rows:
            table = self.left or next(self.tables, None)
            if table is None:
                raise OSError("the file has lost its end")
            self.left = _part(table, rows, table.rows) if table.rows > rows else None
            table = _part(table, 0, rows) if table.rows > rows else table
            self.at, rows = self.at + table.rows, rows - table.rows
            yield table


def _part(table: Table, first: int, last: int) -> Table:
    return replace(table, arrays=tuple(values.slice(first, last - first) for values in table.arrays))
