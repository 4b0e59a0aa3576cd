"""Tables that are in memory already: NumPy arrays, pandas, polars and Arrow tables, pairs (X, y)."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from fallline.data.table import ARRAYS, Table, numbered
from fallline.data.wording import quoted
from fallline.errors import InputError

TARGET_NAMES = ("y", "target", "the target")  # for one without a name: the first that no column has


def from_memory(data: object, target: str | int | None = None) -> Table:
    """The table in an array, a frame, or a pair (X, y), whose y becomes the last column and the target."""
    if isinstance(data, tuple):
        X, y = pair(data)
        names, arrays = _columns(X)
        own, values = target_of(y, names)
        refuse_other_target(target, own)
        if len(values) != len(arrays[0]):
            raise InputError(f"X has {len(arrays[0])} rows and y has {len(values)}: give one target for each row.")
        return Table(ARRAYS, (*names, own), (*arrays, values), row_of, target=own, named=names[0] != numbered(0))
    names, arrays = _columns(data)
    return Table(ARRAYS, names, arrays, row_of, named=names[0] != numbered(0))


def pair(data: tuple[Any, ...]) -> tuple[Any, Any]:
    """X and y, or InputError where the tuple is something else."""
    if len(data) != 2:
        raise InputError(f"a tuple of {len(data)} is not a data set: give the pair (X, y).")
    return data


def target_of(y: Any, names: Sequence[str]) -> tuple[str, Any]:
    """The name and the values of a target that came apart from its table; `names` are taken."""
    series = nw.from_native(y, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        free = [name for name in (series.name, *TARGET_NAMES) if name and str(name) not in names]
        return str(free[0]), _arrow(series)
    if isinstance(y, pa.Array):
        y = pa.chunked_array([y])
    if not isinstance(y, pa.ChunkedArray):
        values = _plain(np.asanyarray(y))
        if values.ndim == 2 and values.shape[1] > 1:
            raise InputError(f"y has {values.shape[1]} columns: fallline learns one target at a time, so choose one.")
        y = _from_numpy(values.reshape(-1))
    return next(name for name in TARGET_NAMES if name not in names), y


def refuse_other_target(target: str | int | None, own: str) -> None:
    """A pair (X, y) says what its target is."""
    if target not in (None, own):
        raise InputError(
            f"--target {quoted(target)} does not go with a pair (X, y), whose y is the target: leave it out."
        )


def row_of(row: int) -> str:
    """Where a row of something in memory stands."""
    return f"row {row} (counted from 0)"


def _columns(data: Any) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    if isinstance(data, pa.RecordBatch):
        data = pa.table(data)
    if isinstance(data, pa.Table):  # before narwhals, which would refuse two columns of one name less clearly
        return tuple(data.column_names), tuple(data.columns)
    try:
        frame = nw.from_native(data, eager_only=True, pass_through=True)
        series = list(frame.iter_columns()) if isinstance(frame, nw.DataFrame) else None
    except Exception as error:  # narwhals passes on whatever the frame's own library raises
        why = " ".join(str(error).split())
        raise InputError(f"the {type(data).__name__} cannot be read as a table ({why}): mend it first.") from None
    if series is not None:
        return tuple(str(column.name) for column in series), tuple(_arrow(column) for column in series)
    if not isinstance(data, np.ndarray | list) and not hasattr(data, "__array__"):
        raise InputError(
            f"{type(data).__name__} is not a kind of data set: give the path of a file, the name of a bundled "
            "set, a pair (X, y), an array or an eager frame."
        )
    try:
        values = np.asanyarray(data)
    except ValueError as error:
        raise InputError(f"the rows do not make a table ({error}): give each row the same number of values.") from None
    values = _plain(values.reshape(-1, 1) if values.ndim == 1 else values)
    if values.ndim != 2:
        raise InputError(f"an array of {values.ndim} dimensions is not a table: reshape it to (rows, columns).")
    if not values.shape[1]:
        raise InputError("an array without columns is not a table: give one with some.")
    return tuple(map(numbered, range(values.shape[1]))), tuple(_from_numpy(column) for column in values.T)


def _plain(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array without masks (masked is missing), of a type that Arrow knows."""
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    if values.dtype.kind not in "biufOUSM":
        raise InputError(f"an array of {values.dtype} is not numbers or text: convert it to float64.")
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _from_numpy(values: np.ndarray[Any, Any]) -> Any:
    if values.dtype.kind in "OUS":
        return _words(values.tolist())
    return pa.chunked_array([pa.array(np.ascontiguousarray(values))])


def _arrow(series: Any) -> Any:
    """A frame's column as Arrow data; Python objects of several kinds are read as text, as from a file."""
    try:
        array = series.to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return _words(series.to_list())
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _words(values: Sequence[Any]) -> Any:
    """Python values as text, as they would stand in a file; None and NaN are missing."""
    words = [None if value is None or value != value else _word(value) for value in values]
    return pa.chunked_array([pa.array(words, pa.large_string())])


def _word(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
