"""Encoded rows in files that are mapped into memory: read from disk when they are used, and let go of in time.

The files have no names, so the system removes them when the process ends, whatever ends it.
"""

import mmap
import os
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TICK = 0.002  # seconds between two looks at what is resident: reading it takes 1 % of that
PAGE = mmap.PAGESIZE


class Disk:
    """The table X (n, d) and numbers a row, in files of a folder: written from front to end, then mapped.

    Pages that were read are let go of: by whoever goes over the rows (`let_go`), and where nobody does, by a thread as soon
    as more than `most` bytes are resident. They stay the system's as long as it has room. window: rows that a walk may copy
    out at a time.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.window = folder, 1
        self.files: dict[str, Any] = {}
        self.kinds: dict[str, Any] = {}
        self.maps: dict[str, mmap.mmap] = {}
        self.width = 1
        if resident() is not None and hasattr(mmap, "MADV_DONTNEED"):
            threading.Thread(target=_watch, args=(weakref.ref(self), most), daemon=True).start()

    def __del__(self) -> None:
        for file in self.files.values():
            file.close()

    def write(self, name: str, part: Array) -> None:
        """Add numbers to the end of an array. Raises OSError where the disk is full."""
        if name not in self.files:
            self.files[name] = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - held as long as its rows are
            self.kinds[name] = part.dtype
        self.files[name].write(np.ascontiguousarray(part, self.kinds[name]).data)

    def mapped(self, name: str, width: int | None = None) -> Array:
        """The whole array, (n,), or the table (n, width). To write to it changes no file."""
        file = self.files[name]
        file.flush()
        self.maps[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        array = np.frombuffer(self.maps[name], self.kinds[name])
        if width is None:
            return array
        self.width = width
        return array.reshape(-1, width)

    def rows(self, chosen: Array) -> Array:
        """Those rows of X, read from the file; neighbours together."""
        out = np.empty((len(chosen), self.width), self.kinds["X"])
        row, file, into = out.strides[0], self.files["X"].fileno(), out.data.cast("B")
        ends = np.append(np.flatnonzero(np.diff(chosen) != 1) + 1, len(chosen)).tolist()
        first = 0
        for last, start in zip(ends, chosen[[0, *ends[:-1]]].tolist(), strict=True):
            _fill(file, into[first * row : last * row], start * row)
            first = last
        return out

    def let_go(self, first: int, last: int) -> None:
        """Take the pages of rows first … last out of this process."""
        row = self.width * self.kinds["X"].itemsize
        begin, end = first * row // PAGE * PAGE, last * row // PAGE * PAGE
        if end > begin:
            self.maps["X"].madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def let_all_go(self) -> None:
        """Take the pages of all arrays out of it."""
        for held in self.maps.values():
            held.madvise(mmap.MADV_DONTNEED)


def resident() -> int | None:
    """Bytes of files that are mapped and resident; None where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[2]) * PAGE
    except OSError:
        return None


def _fill(file: int, into: memoryview, start: int) -> None:
    while into:
        got = os.preadv(file, [into], start)
        if not got:
            raise OSError("the file of encoded rows has lost its end")
        into, start = into[got:], start + got


def _watch(disk: "weakref.ref[Disk]", most: int) -> None:
    before, rest = resident() or 0, threading.Event()
    while (held := disk()) is not None:
        if (resident() or 0) - before > most:
            held.let_all_go()
        del held
        rest.wait(TICK)
