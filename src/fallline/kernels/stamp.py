"""A digest of every formula that kernels compile, so that an edit is never answered from an old disk cache.

Numba's cache looks only at the file that a kernel stands in; `bridge.Cache` gives it this digest to look at instead.
"""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
SOURCES = (
    "methods.py",
    "penalties.py",
    "rows.py",
    "schedules.py",
    "averages.py",
    "losses/*.py",
    "steps/*.py",
    "kernels/*.py",
)


def digest() -> str:
    """Hex digest of the sources that kernels are compiled from."""
    files = sorted(path for pattern in SOURCES for path in PACKAGE.glob(pattern))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


STAMP = digest()
