"""How much memory there is, and how much a table would take."""

import re
from pathlib import Path

from fallline.data.columnar import PARQUET
from fallline.data.content import GZIP
from fallline.data.source import start_of
from fallline.data.wording import quoted
from fallline.errors import InputError

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
COPIES = 3  # the columns, the matrix, and what is in between
NUMBER = 8  # bytes
PACKED = 5  # times its size that packed text usually takes
SHARE = 4  # of the free memory, one over this is taken where nobody says how much
A_PARAMETER = 400  # bytes that a fit holds for each: its column's name, and some forty vectors of the parameters' size
A_COLUMN = 90_000  # bytes that each column of a dense table takes while its smallest pieces are decoded and encoded
LEAST = 1 << 22  # bytes: with less there is no piece to work on


def bytes_of(text: str) -> int:
    """The bytes that a text such as 500MB, 1.5 GB, 2GiB or 4G stands for. Raises InputError for any other."""
    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([KMGT]?I?)B?\s*", text.upper())
    if not found or found[2] not in UNITS:
        raise InputError(f"--memory {quoted(text)} is no amount of memory: write it as 500MB or 2GB.")
    amount = int(float(found[1]) * UNITS[found[2]])
    if amount < LEAST:
        raise InputError(f"--memory {quoted(text)} is too little to work with: give 4.2MB or more.")
    return amount


def free_memory() -> int | None:
    """Bytes that this process may still take; None where the system does not say."""
    found = []
    try:
        held = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(held["MemAvailable"].split()[0]) * 1024)
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        found.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, KeyError, ValueError):
        pass
    return min(found, default=None)


def needed_by(path: Path) -> int:
    """About the bytes that a file takes while it is read into memory whole and encoded, from its size and its own account."""
    if path.is_dir():
        return sum(needed_by(file) for file in path.rglob("*.p*q*") if file.is_file())
    try:
        start = start_of(path)
        if start.startswith(PARQUET):
            from pyarrow.parquet import read_metadata

            about = read_metadata(path)
            return COPIES * NUMBER * about.num_rows * about.num_columns
        packed = PACKED if start.startswith(GZIP) else 1
        return COPIES * packed * path.stat().st_size
    except (OSError, ValueError):  # its reader says what is wrong
        return 0


def refuse_wide(what: str, parameters: int, memory: int | None, fix: str) -> None:
    """Raise InputError where the parameters that something makes take more than so many bytes of memory alone."""
    if memory is not None and parameters * A_PARAMETER > memory:
        raise InputError(
            f"{what} makes {parameters:,} parameters, for which a fit holds some {parameters * A_PARAMETER / 1e6:,.0f} MB, and "
            f"there are {memory / 1e6:,.0f} MB {fix}."
        )


def refuse_columns(what: str, columns: int, memory: int) -> None:
    """Raise InputError where the smallest pieces of a dense table of so many columns take more than that memory."""
    needed = columns * A_COLUMN
    if needed > memory:
        raise InputError(
            f"{what} has {columns:,} columns, and to read it in pieces takes {needed / 1e6:,.0f} MB: give --memory "
            f"{-(-needed // 10**6)}MB or more, or leave out columns beforehand."
        )


def memory_for(path: Path) -> str:
    """What `--memory` is to be for a file that will not fit into what is free; "" where it fits or nobody knows."""
    free, needed = free_memory(), needed_by(path)
    if free is None or needed < free:
        return ""
    return f"{max(free // SHARE // 10**6, 5)}MB"
