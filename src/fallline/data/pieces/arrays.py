"""NumPy's arrays, some rows at a time: an .npy, or the members of an .npz side by side, packed or not."""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy

from fallline.data.columnar import NPY, SPARSE, damaged, row_place, table_of_arrays
from fallline.data.pieces.columnar import rows_of
from fallline.data.source import start_of
from fallline.data.table import Table
from fallline.errors import InputError

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
FORTRAN, SCIPY, OTHER = "an array in Fortran's order", "a sparse matrix of SciPy's", "NumPy data"  # what is read whole
INSTEAD = {  # what else can be done about it; of the last its reader says more
    FORTRAN: ", or write its rows one after the other (np.ascontiguousarray)",
    SCIPY: ", or write it as LIBSVM text",
    OTHER: "",
}
KINDS = "biufUS"  # of numbers and text; anything else is read whole, or refused
NUMBER = 8  # bytes
DAMAGES = (OSError, ValueError, EOFError, BadZipFile, KeyError, RuntimeError, zlib.error)  # NotImplementedError is one


class Member(NamedTuple):
    """An array in a file, its header read."""

    file: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_rows: bool  # whether its rows follow each other

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return int(np.prod(self.shape[1:]))

    def read(self, rows: int) -> np.ndarray[Any, Any]:
        """The next rows. Raises EOFError where they are missing."""
        size = rows * self.width * self.dtype.itemsize
        held = self.file.read(size)
        if len(held) < size:
            raise EOFError("its end is missing")
        return np.frombuffer(held, self.dtype).reshape(rows, *self.shape[1:])


class ArrayPieces:
    """An .npy or an .npz. room: bytes of a piece."""

    def __init__(self, path: Path, room: int) -> None:
        self.path, self.room = path, room

    def __iter__(self) -> Iterator[Table]:
        try:
            with ExitStack() as open_:
                members = _members(self.path, open_)
                numbers = sum(max(one.width * one.dtype.itemsize // NUMBER, one.width) for one in members.values())
                total, most = next(iter(members.values())).shape[0], rows_of(self.room, numbers)
                for first in range(0, total, most):
                    rows = min(most, total - first)
                    arrays = {name: one.read(rows) for name, one in members.items()}
                    yield table_of_arrays(arrays, self.path, row_place(self.path, first))
        except InputError:
            raise
        except DAMAGES as error:
            raise damaged(self.path, "NumPy", error) from None


def whole_arrays(path: Path) -> str:
    """What in NumPy's file is not read row by row, one of INSTEAD; "" where nothing is."""
    try:
        with ExitStack() as open_:
            members = _members(path, open_)
    except DAMAGES:
        return OTHER
    if members.keys() >= SPARSE:
        return SCIPY
    if not all(one.by_rows for one in members.values()):
        return FORTRAN
    plain = all(one.dtype.kind in KINDS and len(one.shape) in (1, 2) and all(one.shape) for one in members.values())
    return "" if plain and len({one.shape[0] for one in members.values()}) == 1 else OTHER


def _members(path: Path, open_: ExitStack) -> dict[str, Member]:
    """The arrays of a file, in their order, each at its first row."""
    if start_of(path).startswith(NPY):
        return {"X": _begun(open_.enter_context(open(path, "rb")))}
    archive = open_.enter_context(ZipFile(path))
    names = archive.namelist()
    return {name.removesuffix(".npy"): _begun(open_.enter_context(archive.open(name))) for name in names}


def _begun(file: Any) -> Member:
    version = npy.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"its header is of version {version[0]}.{version[1]}, which nobody has described")
    shape, fortran, dtype = HEADERS[version](file)
    return Member(file, shape, dtype, not fortran or min(shape) <= 1)
