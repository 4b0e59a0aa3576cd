"""From a file larger than memory to a Dataset whose rows stay on disk."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fallline.data.ahead import ahead
from fallline.data.cache import ADVISED, MAPPED, WINDOW, Disk, refuse_no_room, spare
from fallline.data.column import MISSING
from fallline.data.dataset import Dataset, Held
from fallline.data.decoded import Decoded, Source, returning
from fallline.data.encode import DTYPES, refuse_too_large
from fallline.data.pieces import pieces_of
from fallline.data.pieces.columnar import ParquetPieces
from fallline.data.pieces.libsvm import LibsvmPieces
from fallline.data.pieces.spilled import Spilled
from fallline.data.pieces.text import TextPieces
from fallline.data.sparse_stream import stream_sparse
from fallline.data.survey import Surveyed, Wanted, survey
from fallline.data.table import Table
from fallline.data.wording import listed, quoted
from fallline.errors import InputError

A_ROW = 16  # bytes on the disk for a row's target and weight
NUMBERS = 8  # a share of the memory is for pages of those: one over this
FEW = 8  # row groups side by side that make a window of a sorted table a sample of it
OTHERWISE = ", or take rows that are decoded as they are walked (--no-cache with --step quick, or with a step rule)"


@returning()
def stream(
    path: Path,
    target: str | int | None = None,
    *,
    memory: int,
    folder: Path,
    cache: bool | None = True,
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

    memory: bytes to get by with beside what the program itself takes. cache: whether there is one: if not, the rows are
    decoded from the file at every reading; None: only where the disk has no room. weights: a column of row weights. The
    rest is as in `load`. Raises InputError as `load` does, and where the disk has no room for the cache that there is to be.
    """
    if dtype not in DTYPES:
        raise InputError(f"--dtype {quoted(dtype)} is not one of {listed(DTYPES)}.")
    marks = (missing,) if isinstance(missing, str) else tuple(missing)
    layout: dict[str, Any] = {"header": header, "delimiter": delimiter, "encoding": encoding, "quote": quote}
    pieces = pieces_of(path, memory, missing=marks, **layout)
    several: dict[str, Any] = {name: _several(wanted.pop(name)) for name in ("text", "drop") if name in wanted}
    asked = Wanted(target, weights, marks, **several, memory=memory, **wanted)
    if isinstance(pieces, LibsvmPieces):
        if cache is False:
            raise InputError(
                f"{path.name} is LIBSVM text, whose rows are always kept under --memory: leave --no-cache out."
            )
        return stream_sparse(pieces, asked, memory, folder, dtype)
    words: set[int] = set()
    if isinstance(pieces, ParquetPieces | TextPieces):
        pieces = Spilled(pieces, folder, marks, asked.text, words)
    try:
        found = survey(pieces, asked, words)
        pa.default_memory_pool().release_unused()  # before the compiler comes in
        width = len(found.encoder.columns)
        needed = found.rows * (width * np.dtype(dtype).itemsize + A_ROW)
        if cache is None:
            cache = needed <= spare(folder)
        if not cache and ADVISED:
            return _decoded(pieces, found, memory, folder, dtype)
        if isinstance(pieces, Spilled):
            pieces.leave(needed)
        refuse_no_room(found.source, needed, folder, OTHERWISE)
        return _cached(pieces, found, memory, folder, dtype)
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read ({error.strerror or error}): see to its disk, and try again."
        ) from None
    finally:
        pa.default_memory_pool().release_unused()  # it would keep some 75 MB for the next table, and there is none


def _cached(pieces: Any, found: Surveyed, memory: int, folder: Path, dtype: str) -> Dataset:
    disk = Disk(folder, memory // MAPPED)
    for X, y, weights in ahead(_encoded(table, found, dtype) for table in pieces):
        disk.write("X", X)
        disk.write("y", y)
        disk.write("weights", weights)
    X = disk.mapped("X", len(found.encoder.columns))
    return _held(
        disk, found, memory, f"its encoded rows are {X.nbytes / 1e6:,.0f} MB on disk until the fit ends (--memory)."
    )


def _decoded(pieces: Any, found: Surveyed, memory: int, folder: Path, dtype: str) -> Dataset:
    """The rows stay where they are; one more pass sees that they can be encoded, and puts down targets and weights."""
    width = len(found.encoder.columns)
    refuse_no_room(found.source, found.rows * A_ROW, folder)
    groups, within = [found.rows], 0
    opened: Callable[[int, int], Iterator[Table]] = partial(_whole, pieces)
    if isinstance(pieces, Spilled) and isinstance(pieces.pieces, ParquetPieces) and pieces.pieces.groups()[0]:
        groups, within = pieces.pieces.groups()
        opened = pieces.group
    streams = min(max(memory // (MAPPED * max(within, 1)), 1), len(groups))
    disk = Decoded(folder, memory // NUMBERS, Source(opened, groups, found.encoder.fill), width, dtype, streams)
    digest = hashlib.blake2b(digest_size=16)
    for X, y, weights in ahead(_encoded(table, found, dtype) for table in pieces):
        digest.update(X.data)
        disk.write("y", y)
        disk.write("weights", weights)
    if isinstance(pieces, Spilled):
        pieces.give_up()
    disk.digest = digest.digest()
    where = f"its rows are decoded at every pass, and need no room on the disk.{_mixed(streams, groups)}"
    return _held(disk, found, memory, where)


def _whole(pieces: Any, group: int, rows: int) -> Iterator[Table]:
    """The pieces of a file that is not read by row groups, from the first."""
    return pieces.again() if isinstance(pieces, Spilled) else iter(pieces)


def _mixed(streams: int, groups: Sequence[int]) -> str:
    """What is to be said of how far rows in an order come to be mixed."""
    if streams >= FEW:
        return ""
    if len(groups) == 1:
        so, mend = "They come as they stand in the file, mixed within a window", "shuffle the file"
    else:
        so, mend = f"Of its {len(groups)} row groups {streams} are read side by side", "write smaller row groups"
    return f" {so}: if they are sorted by class or time, make room for a cache, or {mend}."


def _held(disk: Disk, found: Surveyed, memory: int, where: str) -> Dataset:
    """The data set whose rows a disk holds; `where` says how."""
    X, target = disk.X, found.target
    disk.window = max(memory // (WINDOW * (X.itemsize * X.shape[1] + 32)), 1)
    said = (
        f"{found.source} was read in pieces, to stay below {memory / 1e6:,.0f} MB beside the program itself; {where}",
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
    refuse_too_large(made, found.encoder.columns)
    return made


def _several(names: Sequence[str | int] | str | int) -> tuple[str | int, ...]:
    """One name is a list of one."""
    return (names,) if isinstance(names, str | int) else tuple(names)
