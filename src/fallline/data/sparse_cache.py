"""Compressed rows in files that are mapped into memory, as cache.py has dense ones."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.data.cache import ADVISED, PAGE, Array, Disk
from fallline.kernels.reading import AT_ONCE, read_runs

ENTRIES = ("data", "indices")  # what an entry is: a number and its column


class SparseDisk(Disk):
    """The table X (n, d) as values, their columns and where each row starts, and numbers a row, in files of a folder."""

    shuffles = False

    def __init__(self, folder: Path, most: int) -> None:
        super().__init__(folder, most)
        self.whole: Any = None
        self.starts: Array = np.zeros(1, np.int64)
        self.filled = 0  # entries

    def add(self, X: Any, kind: Any) -> None:
        """Add rows (CSR) to the end, columns and starts as integers of that kind. Raises InputError where the disk is full."""
        if not self.files:
            self.write("starts", np.zeros(1, kind))
        self.write("data", X.data)
        self.write("indices", X.indices.astype(kind, copy=False))
        self.write("starts", X.indptr[1:].astype(kind) + kind(self.filled))
        self.filled += X.nnz

    def matrix(self, width: int) -> Any:
        """The whole table (n, width), nothing copied."""
        if not self.filled:  # nothing cannot be mapped
            for name in ENTRIES:
                self.write(name, np.zeros(1, self.kinds[name]))
        self.width, self.starts = width, self.mapped("starts")
        parts = self.mapped("data"), self.mapped("indices"), self.starts
        self.whole = sp.csr_array(parts, shape=(len(self.starts) - 1, width))
        return self.whole

    @property
    def row(self) -> int:
        """Bytes of a row on average."""
        return max((self.whole.data.nbytes + self.whole.indices.nbytes) // (len(self.starts) - 1), 1)

    def room(self, rows: int) -> Any:
        """None: how many entries so many rows have is known once they are read."""
        return None

    def rows(self, chosen: Array, into: Array | None = None) -> Any:
        """Those rows of X, read from the files; neighbours together."""
        if not AT_ONCE:
            return self.whole[chosen]
        begins, ends = self._spans(chosen)
        indptr = np.zeros(len(chosen) + 1, self.starts.dtype)
        np.cumsum(self.starts[chosen + 1] - self.starts[chosen], out=indptr[1:])
        parts = []
        for name in ENTRIES:
            size = np.dtype(self.kinds[name]).itemsize
            part = np.empty(int(indptr[-1]), self.kinds[name])
            if not read_runs(self.files[name].fileno(), begins * size, ends * size, part.ctypes.data):
                raise OSError("the file of encoded rows has lost its end")
            parts.append(part)
        return sp.csr_array((*parts, indptr), shape=(len(chosen), self.width))

    def ask_for(self, chosen: Array) -> None:
        """Have the system read those rows, neighbours together, while something else is done."""
        begins, ends = self._spans(chosen)
        for name in ENTRIES if ADVISED else ():
            size = np.dtype(self.kinds[name]).itemsize
            for first, last in zip((begins * size // PAGE * PAGE).tolist(), (ends * size).tolist(), strict=True):
                self.maps[name].madvise(mmap.MADV_WILLNEED, first, last - first)

    def let_go(self, first: int, last: int) -> None:
        """Take the pages of rows first … last out of this process."""
        for name in ENTRIES if ADVISED else ():
            size = np.dtype(self.kinds[name]).itemsize
            begin, end = (int(self.starts[row]) * size // PAGE * PAGE for row in (first, last))
            if end > begin:
                self.maps[name].madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def _spans(self, chosen: Array) -> tuple[Array, Array]:
        """Where each run of neighbouring rows begins and ends, in entries; runs without any are left out."""
        breaks = np.flatnonzero(np.diff(chosen) != 1)
        begins = self.starts[chosen[np.append(0, breaks + 1)]].astype(np.int64)
        ends = self.starts[chosen[np.append(breaks, -1)] + 1].astype(np.int64)
        filled = ends > begins
        return begins[filled], ends[filled]
