"""What a path holds, as in data/source.py, and the reader of its pieces."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from fallline.data.columnar import ARROW, NPY, PARQUET, STREAM, ZIP, is_partitioned
from fallline.data.pieces.arrays import INSTEAD, ArrayPieces, whole_arrays
from fallline.data.pieces.columnar import ArrowPieces, ParquetPieces
from fallline.data.pieces.libsvm import LibsvmPieces, is_libsvm_file
from fallline.data.pieces.text import TextPieces
from fallline.data.source import start_of
from fallline.data.sparse import Sparse
from fallline.data.table import Table
from fallline.errors import InputError

SHARE = 24  # a piece, decoded and encoded, is held some ten times over while it is worked on
LARGE = 3  # times that for a file of columns: they are used as they lie there, while another piece is made


class WholeOnlyError(InputError):
    """A file of a kind that is read whole or not at all."""


class Pieces(Protocol):
    """A file as tables of some rows each, in the order of its rows; it may be gone over again."""

    def __iter__(self) -> Iterator[Table | Sparse]:
        """From the first row."""


def whole_only(path: Path) -> str:
    """What a file is that is read whole or not at all, such as "an array in Fortran's order"; "" of any other."""
    return whole_arrays(path) if is_arrays(path) else ""


def is_arrays(path: Path) -> bool:
    """Whether the file is NumPy's."""
    start = b"" if path.is_dir() else start_of(path)
    return start.startswith(NPY) or (start.startswith(ZIP) and path.suffix == ".npz")


def pieces_of(
    path: Path,
    memory: int,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    quote: str | None = None,
    missing: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Any:
    """The pieces of a file, each a small part of `memory` (bytes); the rest is as in source.read_path.

    LIBSVM text comes in sparse pieces. Raises WholeOnlyError for what is not read in pieces.
    """
    room = memory // SHARE
    start = b"" if path.is_dir() else start_of(path)
    if start.startswith(PARQUET) or (path.is_dir() and is_partitioned(path)):
        return ParquetPieces(path, LARGE * room)
    if start.startswith((ARROW, STREAM)):
        return ArrowPieces(path, LARGE * room)
    if is_arrays(path):
        if kind := whole_only(path):
            raise WholeOnlyError(
                f"{path.name} is {kind}, which is not read in pieces: leave --memory out{INSTEAD[kind]}."
            )
        return ArrayPieces(path, room)
    if (header, delimiter, quote) == (None, None, None) and is_libsvm_file(path):
        return LibsvmPieces(path, room)
    options: dict[str, Any] = {"header": header, "delimiter": delimiter, "quote": quote, "missing": tuple(missing)}
    options["names"] = names
    return TextPieces(path, LARGE * room, encoding, options)
