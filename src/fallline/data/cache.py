"""Encoded rows in files that are mapped into memory: read from disk when they are used, and let go of in time.

The files have no names, so the system removes them when the process ends, whatever ends it.
"""

import mmap
import os
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from fallline.data.ahead import ahead
from fallline.errors import InputError
from fallline.kernels.reading import AT_ONCE, read_runs, write_runs
from fallline.samplers import Streamed

Array = np.ndarray[Any, Any]

TICK = 0.002  # seconds between two looks at what is resident: reading it takes 1 % of that
PAGE = mmap.PAGESIZE
MAPPED = 2  # a share of the memory is for pages of the cache: one over this
WINDOW = 5  # and for the rows that a walk holds in its own order; there are two such windows
RUNS = 256  # of neighbouring rows, from all over the table, that are shuffled among their places at a time
BLOCK = 1 << 21  # bytes written at once: the system then maps them as one large page, as it does memory, and not as 512
BLOCKS = 4  # of which so many may be resident, or they are smaller
SPARE = 64 << 20  # bytes of the disk that are left to others
ADVISED = hasattr(mmap, "MADV_DONTNEED")  # whether the system takes advice on what is mapped; Windows does not


class Disk:
    """The table X (n, d) and numbers a row, in files of a folder: written from front to end, then mapped.

    Pages that were read are let go of: by whoever goes over the rows (`let_go`), and where nobody does, by a thread as soon
    as more than `most` bytes are resident. They stay the system's as long as it has room. window: rows that a walk may copy
    out at a time.
    """

    kept = True  # whether the rows are in a file as they are walked
    shuffles = AT_ONCE  # whether they can be shuffled there
    shuffled = False

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.window = folder, 1
        self.files: dict[str, Any] = {}
        self.block = min(BLOCK, 1 << (most // BLOCKS).bit_length() - 1)
        self.tails: dict[str, Array] = {}  # bytes that do not make a block yet
        self.kinds: dict[str, Any] = {}
        self.maps: dict[str, mmap.mmap] = {}
        self.width = 1
        if ADVISED and resident() is not None:
            threading.Thread(target=_watch, args=(weakref.ref(self), most), daemon=True).start()

    def __del__(self) -> None:
        for file in self.files.values():
            file.close()

    def write(self, name: str, part: Array) -> None:
        """Add numbers to the end of an array. Raises InputError where the disk is full."""
        if name not in self.files:
            self.files[name] = unnamed(self.folder)
            self.kinds[name], self.tails[name] = part.dtype, np.empty(0, np.uint8)
        tail, new = self.tails[name], np.ascontiguousarray(part, self.kinds[name]).reshape(-1).view(np.uint8)
        whole = (len(tail) + len(new)) // self.block * self.block
        if whole:
            self._put(name, tail, new[: whole - len(tail)])
            self.tails[name] = new[whole - len(tail) :].copy()
        else:
            self.tails[name] = np.concatenate([tail, new])

    def mapped(self, name: str, width: int | None = None) -> Array:
        """The whole array, (n,), or the table (n, width). To write to it changes no file."""
        self._put(name, self.tails.pop(name))
        self.maps[name] = mmap.mmap(self.files[name].fileno(), 0, access=mmap.ACCESS_COPY)
        array = np.frombuffer(self.maps[name], self.kinds[name])
        if width is None:
            return array
        self.width, self.X = width, array.reshape(-1, width)
        return self.X

    @property
    def row(self) -> int:
        """Bytes of a row."""
        return max(self.width * int(self.kinds["X"].itemsize), 1)

    def room(self, rows: int) -> Any:
        """Memory for so many rows at a time, (rows, d)."""
        return np.empty((rows, self.width), self.kinds["X"])

    def rows(self, chosen: Array, into: Array | None = None) -> Array:
        """Those rows of X, read from the file; neighbours together. into: memory that has room for them, (m, d)."""
        out = np.empty((len(chosen), self.width), self.kinds["X"]) if into is None else into[: len(chosen)]
        if not AT_ONCE:
            return np.take(self.X, chosen, axis=0, out=out, mode="clip")
        if not read_runs(self.files["X"].fileno(), *self._runs(chosen), out.ctypes.data):
            raise OSError("the file of encoded rows has lost its end")
        return out

    def shuffle(self) -> None:
        """Bring all arrays, which are mapped, into an order drawn at random, by one pass over the files.

        Short runs of rows from all over the table, as many as a window holds, are permuted among their places. Neighbouring runs
        belong to different windows, so each stretch of the file is a sample of all of them afterwards, and each window
        was one of the table (stratified sampling, Cochran 1977).
        """
        n, run = len(self.X), max(self.window // RUNS, 1)
        for chosen, order in ahead(Streamed(window=self.window, run=run).segment(n, 0).windows()):
            breaks = np.flatnonzero(np.diff(chosen) != 1)
            starts, ends = chosen[np.append(0, breaks + 1)], chosen[np.append(breaks, -1)] + 1
            for name, file in self.files.items():
                size = len(self.maps[name]) // n
                held = np.empty((len(chosen), size), np.uint8)
                whole = read_runs(file.fileno(), starts * size, ends * size, held.ctypes.data)
                held = np.take(held, order, axis=0)
                if not (whole and write_runs(file.fileno(), starts * size, ends * size, held.ctypes.data)):
                    raise OSError("the file of encoded rows cannot be written")
        self.let_all_go()
        self.shuffled = True

    def ask_for(self, chosen: Array) -> None:
        """Have the system read those rows, neighbours together, while something else is done."""
        if not ADVISED:
            return
        starts, ends = self._runs(chosen)
        for first, last in zip((starts // PAGE * PAGE).tolist(), ends.tolist(), strict=True):
            self.maps["X"].madvise(mmap.MADV_WILLNEED, first, last - first)

    def bring(self, first: int, last: int) -> None:
        """Have rows first … last where they are mapped: the system does so when they are read."""

    def let_go(self, first: int, last: int) -> None:
        """Take the pages of rows first … last out of this process."""
        begin, end = first * self.row // PAGE * PAGE, last * self.row // PAGE * PAGE
        if ADVISED and end > begin:
            self.maps["X"].madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def let_all_go(self) -> None:
        """Take the pages of all arrays out of it."""
        for held in self.maps.values() if ADVISED else ():
            held.madvise(mmap.MADV_DONTNEED)

    def _put(self, name: str, *parts: Array) -> None:
        """Write bytes to a file's end, in one call of the system."""
        file = self.files[name]
        try:
            done = os.writev(file.fileno(), [part.data for part in parts]) if AT_ONCE else 0
            for part in parts:
                left = part[done:]
                while len(left):  # what the disk had no room for, so that the system says so
                    left = left[file.write(left.data) :]
                done = max(done - len(part), 0)
            file.flush()
        except OSError as error:
            raise InputError(
                f"the encoded rows cannot be kept in {self.folder} ({error.strerror}): make room, or name a folder on another "
                "disk with -o."
            ) from None

    def _runs(self, chosen: Array) -> tuple[Array, Array]:
        """Where each run of neighbouring rows begins and ends, in bytes of the file."""
        row, breaks = self.row, np.flatnonzero(np.diff(chosen) != 1)
        return chosen[np.append(0, breaks + 1)] * row, (chosen[np.append(breaks, -1)] + 1) * row


def refuse_no_room(source: str, needed: int, folder: Path, otherwise: str = "") -> None:
    """Raise InputError where the folder's disk has less room than the encoded rows need, bytes. otherwise: what else helps."""
    free = spare(folder)
    if needed > free:
        raise InputError(
            f"the encoded rows of {source} take {needed / 1e6:,.0f} MB, and {folder} has {max(free, 0) / 1e6:,.0f} MB "
            f"to spare: make room, or name a folder on another disk with -o{otherwise}."
        )


def spare(folder: Path) -> int:
    """Bytes that a cache may take of the folder's disk."""
    return shutil.disk_usage(folder).free - SPARE


def unnamed(folder: Path) -> Any:
    """A new file of a folder that has no name there, open for as long as whoever asked for it uses its rows."""
    return tempfile.TemporaryFile(dir=folder)


def resident() -> int | None:
    """Bytes of files that are mapped and resident; None where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[2]) * PAGE
    except OSError:
        return None


def _watch(disk: "weakref.ref[Disk]", most: int) -> None:
    before, rest = resident() or 0, threading.Event()
    while (held := disk()) is not None:
        if (resident() or 0) - before > most:
            held.let_all_go()
        del held
        rest.wait(TICK)
