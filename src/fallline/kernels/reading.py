"""Runs of a file into memory and back, one system call each, while other threads compute: in Python a call and the wait for
its lock take longer than the disk.
"""

import os
from typing import Any

import numpy as np
from numba import types

from fallline.kernels.bridge import exactly

Array = np.ndarray[Any, Any]

AT_ONCE = os.name == "posix"  # whether the system has pread and pwrite
CALL = types.intp(types.int32, types.uintp, types.uintp, types.int64)
pread, pwrite = types.ExternalFunction("pread", CALL), types.ExternalFunction("pwrite", CALL)


@exactly
def read_runs(file: int, starts: Array, ends: Array, address: int) -> bool:
    """Bytes starts[k] … ends[k] of a file, for each k in turn, to memory from `address` on; False where some are missing.

    starts, ends: (runs,) int64; file: its descriptor.
    """
    for k in range(len(starts)):
        start = starts[k]
        while start < ends[k]:
            got = pread(file, address, ends[k] - start, start)
            if got <= 0:
                return False
            start, address = start + got, address + got
    return True


@exactly
def write_runs(file: int, starts: Array, ends: Array, address: int) -> bool:
    """The same the other way; False where the system does not take them."""
    for k in range(len(starts)):
        start = starts[k]
        while start < ends[k]:
            put = pwrite(file, address, ends[k] - start, start)
            if put <= 0:
                return False
            start, address = start + put, address + put
    return True
