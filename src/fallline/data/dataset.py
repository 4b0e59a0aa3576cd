"""What a table becomes before anything goes down it: numbers to learn from, numbers to learn, and what was decided."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

REGRESSION, BINARY, MULTICLASS = "regression", "binary", "multiclass"
TASKS = (REGRESSION, BINARY, MULTICLASS)


class Held(NamedTuple):
    """Of a table whose rows are on disk: who reads them (see cache.py), and their weights (n,)."""

    disk: Any
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """An encoded table.

    X: (n, d) C-contiguous float64 or float32, or a SciPy CSR matrix; no column is an intercept.
    y: (n,) float64. Regression: the target; two classes: -1 and +1; several classes: 0 ... K-1.
    columns: the d names, such as `age`, `ocean_proximity=INLAND`, `total_bedrooms is missing`.
    classes: the labels in the order of their codes, the second of two being +1; () for regression.
    target_mean, target_scale: `y * target_scale + target_mean` is in the user's units; 0 and 1 unless
    standardised.
    notes: what was inferred, a sentence each, naming the option that overrides it; `--rare` is `load(...,
    rare=...)`.
    source: the name of the file or of the bundled set, or "arrays".
    encoder: how the table became X, for new tables (see encoder.py).
    held: of a table that is larger than memory, what holds its rows (see stream.py); None of any other.
    """

    X: Any
    y: FloatArray
    columns: Sequence[str]
    target: str
    task: str
    classes: tuple[str, ...] = ()
    target_mean: float = 0.0
    target_scale: float = 1.0
    notes: tuple[str, ...] = ()
    source: str = "arrays"
    encoder: Any = None
    held: Held | None = None

    def __repr__(self) -> str:
        n, d = self.X.shape
        what = f"{len(self.classes)} classes" if self.classes else "regression"
        return f"Dataset({self.source}: {n} rows, {d} columns, target {self.target!r}, {what})"


def fingerprint_of(table: Dataset, weights: Any = None) -> str:
    """16 hexadecimal digits that change with any number that is learnt from or learnt, any weight and any column's name."""
    digest = hashlib.sha256("\0".join((*table.columns, table.target)).encode())
    parts = (table.X.data, table.X.indices, table.X.indptr) if hasattr(table.X, "indptr") else (table.X,)
    for part in (*parts, table.y, *(() if weights is None else (weights,))):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]
