"""Tables with types of their own: Parquet (a file or a partitioned folder), Arrow and Feather, NumPy's .npz and .npy."""

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from fallline.data.frames import from_memory
from fallline.data.numbered import Numbered
from fallline.data.sparse import Sparse
from fallline.data.table import Place, Table, numbered
from fallline.data.wording import listed, quoted
from fallline.errors import InputError

PARQUET, ARROW, STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
NPY, ZIP = b"\x93NUMPY", b"PK"
SPARSE = {"data", "indices", "indptr", "shape", "format"}  # of an .npz that scipy.sparse.save_npz wrote
TARGETS = ("y", "target", "label", "labels")  # an array of that name in an .npz is the target unless told otherwise


def read_parquet(path: Path) -> Table:
    """A Parquet file, or all files of a folder; `key=value` folders within become columns."""
    try:
        if path.is_dir():
            from pyarrow.dataset import dataset

            table = dataset(path, format="parquet", partitioning="hive").to_table()
        else:
            from pyarrow.parquet import ParquetFile

            table = ParquetFile(path).read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, "Parquet", error) from None
    return _table(table, path)


def is_partitioned(folder: Path) -> bool:
    """Whether a folder holds Parquet files, in it or in its folders."""
    return next(folder.rglob("*.parquet"), None) is not None or next(folder.rglob("*.pq"), None) is not None


def read_arrow(path: Path) -> Table:
    """An Arrow file or stream, or a Feather file."""
    from pyarrow import feather, ipc

    try:
        with pa.memory_map(str(path)) as file:
            if file.read(4) == STREAM:
                file.seek(0)
                table = ipc.open_stream(file).read_all()
            else:
                table = feather.read_table(path, memory_map=False)
        table.validate(
            full=True
        )  # pyarrow takes what a file says of its offsets on trust, and reads beyond the memory's end
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, "Arrow", error) from None
    return _table(table, path)


def read_numpy(path: Path) -> Table | Sparse:
    """An .npy array, whose columns are numbered; or an .npz.

    Of an .npz: a matrix that SciPy saved, with an array y beside it or the target among its columns; or arrays of one length,
    a matrix of numbered columns and others that are columns under their own names, y the target.
    """
    try:
        with open(path, "rb") as raw:
            held: Any = np.load(raw, allow_pickle=False)
            arrays = {"X": held} if isinstance(held, np.ndarray) else dict(held)
    except (OSError, ValueError, EOFError, BadZipFile, KeyError, RuntimeError, MemoryError, zlib.error) as error:
        if "pickle" in str(error):
            raise InputError(
                f"{path.name} holds Python objects, which are not read, as they may run anything: save numbers or text "
                "(an array of another dtype than object)."
            ) from None
        raise damaged(path, "NumPy", error) from None
    if arrays.keys() >= SPARSE:
        return _sparse(arrays, path)
    return table_of_arrays(arrays, path, row_place(path))


def table_of_arrays(arrays: dict[str, Any], path: Path, place: Place) -> Table:
    """The table that arrays of one length make, or some of their rows; `place`: of a row."""
    lengths = {name: array.shape[:1] for name, array in arrays.items()}
    if not arrays or len(set(lengths.values())) != 1 or () in lengths.values():
        shapes = listed([f"{name} {array.shape}" for name, array in arrays.items()])
        raise InputError(f"{path.name} holds {shapes or 'no arrays'}: give arrays of one length, such as X and y.")
    names: list[str] = []
    columns: list[Any] = []
    for name, array in arrays.items():
        if array.ndim > 2:
            raise InputError(
                f"{quoted(name)} in {path.name} has {array.ndim} dimensions: reshape it to (rows, columns)."
            )
        found = from_memory(array)
        several = array.ndim == 2 and len(found.names) > 1
        names += [numbered(len(columns) + j) for j in range(len(found.names))] if several else [name]
        columns += found.arrays
    target = next((name for name in TARGETS if name in names), "")
    return Table(path.name, tuple(names), tuple(columns), place, target=target)


def _sparse(arrays: dict[str, Any], path: Path) -> Sparse:
    kind = arrays["format"].item()
    try:
        form = {"csr": sp.csr_array, "csc": sp.csc_array}[kind.decode() if isinstance(kind, bytes) else str(kind)]
        matrix = form((arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(arrays["shape"].tolist()))
        matrix.check_format(full_check=True)
    except (KeyError, ValueError, TypeError) as error:
        raise damaged(path, "SciPy", error) from None
    names = Numbered("column", range(matrix.shape[1]))
    own = next((name for name in TARGETS if name in arrays), "")
    label = (own, from_memory(arrays[own]).arrays[0]) if own else None
    return Sparse(matrix, names, label, path.name, row_place(path))


def _table(table: Any, path: Path) -> Table:
    return Table(path.name, tuple(map(str, table.column_names)), tuple(table.columns), row_place(path))


def row_place(path: Path, before: int = 0) -> Place:
    """Says where a row stands of which so many come before it."""
    return lambda row: f"row {before + row} of {path.name} (counted from 0)"


def damaged(path: Path, kind: str, error: Exception) -> InputError:
    """The sentence for a file that is not what it says."""
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError(f"{path.name} cannot be read as {kind} data ({why}): write or copy it again.")
