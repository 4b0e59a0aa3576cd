"""What a path holds, seen in its first bytes rather than in its name, and the reader for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fallline.data.columnar import (
    ARROW,
    NPY,
    PARQUET,
    STREAM,
    ZIP,
    is_partitioned,
    read_arrow,
    read_numpy,
    read_parquet,
)
from fallline.data.content import lines_of, raw
from fallline.data.read import read
from fallline.data.sparse import Sparse
from fallline.data.table import Table


def read_path(
    path: Path,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    quote: str | None = None,
    missing: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Table | Sparse:
    """The table at a path: a text table, LIBSVM text, Parquet (a file or a folder), Arrow, Feather, .npz or .npy.

    The options are those of a text table; one that says how it is laid out makes a file one. `names` are columns that it is
    known to have. Raises InputError, naming the place, for what cannot be read.
    """
    if path.is_dir() and is_partitioned(path):
        return read_parquet(path)
    start = b"" if path.is_dir() else start_of(path)
    if start.startswith(PARQUET):
        return read_parquet(path)
    if start.startswith((ARROW, STREAM)):
        return read_arrow(path)
    if start.startswith(NPY) or (start.startswith(ZIP) and path.suffix == ".npz"):
        return read_numpy(path)
    held = raw(path)
    if (header, delimiter, quote) == (None, None, None):
        from fallline.data.libsvm import is_libsvm, read_libsvm  # compiles what it needs

        text = held.removeprefix(b"\xef\xbb\xbf")
        if is_libsvm(text):
            return read_libsvm(text, path)
    options: dict[str, Any] = {"header": header, "delimiter": delimiter, "quote": quote}
    return read(lines_of(held, path, encoding), path.name, missing=tuple(missing), names=names, **options)


def start_of(path: Path) -> bytes:
    """The first bytes of a file."""
    try:
        with open(path, "rb") as file:
            return file.read(8)
    except OSError:
        return b""  # the reader of text says what is wrong
