"""What the numbers of a column are, all of them present: enough to tell how they vary and to put pieces together."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fallline.data.dataset import FloatArray
from fallline.data.scaling import Moments, moments_of

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))  # types that are read as they are


class Facts(NamedTuple):
    """Of the numbers of one column, in the order of the rows."""

    first: float
    last: float
    constant: bool  # all of them the same
    counting: bool  # each one above the last
    moments: Moments


def facts_of(values: Any) -> Facts | None:
    """Of numbers (n,) of any type; None where there is a NaN or an infinity.

    By NumPy alone: while a file is decoded, the compiler is not in memory beside it.
    """
    x = values.astype(np.float64, copy=False)
    least, most = float(x.min()), float(x.max())
    peak = max(abs(least), abs(most))
    if not peak < math.inf:  # a NaN is both
        return None
    counting = most - least == len(x) - 1 and bool((np.diff(x) == 1.0).all())
    return Facts(float(x[0]), float(x[-1]), least == most, counting, moments_of(x, peak))


def in_rows(columns: Sequence[Any], centre: FloatArray, scale: FloatArray, into: Any = None) -> Any:
    """The table (n, d) of (x − centre)/scale, of columns x (n,) of any types; centre, scale: (d,). into: memory for it."""
    from fallline.kernels.turning import standardised  # compiles what it needs

    X = np.empty((len(columns[0]), len(columns))) if into is None else into
    kinds = [values.dtype if values.dtype in FLOATS else FLOATS[0] for values in columns]
    for kind in FLOATS:
        places = [k for k, each in enumerate(kinds) if each == kind]
        if places:
            standardised(np.stack([columns[k] for k in places], dtype=kind), np.array(places), centre, scale, X)
    return X
