"""From a file larger than memory to a Dataset whose rows stay on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fallline.data.ahead import ahead
from fallline.data.cache import MAPPED, WINDOW, Disk, refuse_no_room, unkept
from fallline.data.column import MISSING
from fallline.data.dataset import Dataset, Held
from fallline.data.encode import DTYPES
from fallline.data.pieces import pieces_of
from fallline.data.pieces.columnar import ParquetPieces
from fallline.data.pieces.libsvm import LibsvmPieces
from fallline.data.pieces.spilled import Spilled
from fallline.data.pieces.text import TextPieces
from fallline.data.sparse_stream import stream_sparse
from fallline.data.survey import Surveyed, Wanted, survey
from fallline.data.wording import listed, quoted
from fallline.errors import InputError


def stream(
    path: Path,
    target: str | int | None = None,
    *,
    memory: int,
    folder: Path,
    weights: str | int | None = None,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    quote: str | None = None,
    missing: Sequence[str] = MISSING,
    dtype: str = "float64",
    **wanted: Any,
) -> Dataset:
    """The data set in a file, encoded as `load` does it; the rows are in a cache in `folder`, gone when nobody holds them.

    memory: bytes to get by with beside what the program itself takes. weights: a column of row weights. The rest is as in
    `load`. Raises InputError as `load` does, and where the disk has no room for the cache.
    """
    if dtype not in DTYPES:
        raise InputError(f"--dtype {quoted(dtype)} is not one of {listed(DTYPES)}.")
    marks = (missing,) if isinstance(missing, str) else tuple(missing)
    layout: dict[str, Any] = {"header": header, "delimiter": delimiter, "encoding": encoding, "quote": quote}
    pieces = pieces_of(path, memory, missing=marks, **layout)
    several: dict[str, Any] = {name: _several(wanted.pop(name)) for name in ("text", "drop") if name in wanted}
    asked = Wanted(target, weights, marks, **several, **wanted)
    if isinstance(pieces, LibsvmPieces):
        return stream_sparse(pieces, asked, memory, folder, dtype)
    words: set[int] = set()
    if isinstance(pieces, ParquetPieces | TextPieces):
        pieces = Spilled(pieces, folder, marks, asked.text, words)
    try:
        found = survey(pieces, asked, words)
        pa.default_memory_pool().release_unused()  # before the compiler comes in
        return _cached(pieces, found, memory, folder, dtype)
    finally:
        pa.default_memory_pool().release_unused()  # it would keep some 75 MB for the next table, and there is none


def _cached(pieces: Any, found: Surveyed, memory: int, folder: Path, dtype: str) -> Dataset:
    width = len(found.encoder.columns)
    needed = found.rows * (width * np.dtype(dtype).itemsize + 16)
    if isinstance(pieces, Spilled):
        pieces.leave(needed)
    refuse_no_room(found.source, needed, folder)
    disk = Disk(folder, memory // MAPPED)
    try:
        for X, y, weights in ahead(_encoded(table, found, dtype) for table in pieces):
            disk.write("X", X)
            disk.write("y", y)
            disk.write("weights", weights)
    except OSError as error:
        raise unkept(found.source, folder, error) from None
    X = disk.mapped("X", width)
    disk.window = max(memory // (WINDOW * (X.itemsize * width + 32)), 1)
    target = found.target
    said = (
        f"{found.source} was read in pieces, to stay below {memory / 1e6:,.0f} MB beside the program itself; its encoded rows "
        f"are {X.nbytes / 1e6:,.0f} MB on disk until the fit ends (--memory).",
    )
    return Dataset(
        X=X,
        y=disk.mapped("y"),
        columns=found.encoder.columns,
        target=found.encoder.target,
        task=target.task,
        classes=target.classes,
        target_mean=target.mean,
        target_scale=target.scale,
        notes=(*found.notes, *said),
        source=found.source,
        encoder=found.encoder,
        held=Held(disk, disk.mapped("weights")),
    )


def _encoded(table: Any, found: Surveyed, dtype: str) -> tuple[Any, Any, Any]:
    """The rows of a piece, their targets and weights."""
    X, _ = found.encoder.matrix(table)
    return _as(dtype, X, found), found.y(table), found.weight(table)


def _as(dtype: str, X: Any, found: Surveyed) -> Any:
    """The rows in the type of the cache; refuses a number that it cannot say."""
    with np.errstate(over="ignore"):
        made = X.astype(dtype, copy=False)
    if not np.isfinite(made).all():
        worst = found.encoder.columns[int(np.argmin(np.isfinite(made).all(axis=0)))]
        raise InputError(f"column {quoted(worst)} has values too large for {dtype}: use float64, or standardise.")
    return made


def _several(names: Sequence[str | int] | str | int) -> tuple[str | int, ...]:
    """One name is a list of one."""
    return (names,) if isinstance(names, str | int) else tuple(names)
