"""From features to the matrix: one C-contiguous block, standardised."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fallline.data.features import Feature
from fallline.data.scaling import centre_and_scale
from fallline.data.wording import counted, quoted
from fallline.errors import InputError

DTYPES = ("float64", "float32")
RAREST = 0.005  # a 0/1 column with fewer ones than this share is scaled as if it had as many


def encode(features: Sequence[Feature], dtype: str, standardise: bool) -> tuple[Any, tuple[str, ...]]:
    """The matrix (n, d) of the features, and notes. Standardised columns have mean 0 and deviation 1.

    0/1 columns are standardised like the rest, so that one rate fits all. Their deviation counts as at least
    that of a share of 0.5 %: a single missing value in 20 000 would otherwise be a 141 in its row, which then
    sets the largest rate at which stochastic descent holds.
    """
    X = np.empty((len(features[0].values), len(features)), dtype=dtype)
    floor = np.sqrt(RAREST * (1 - RAREST))
    floored = 0
    for j, feature in enumerate(features):
        values = feature.values
        if not standardise:
            with np.errstate(over="ignore"):  # refused below, by name
                X[:, j] = values
            continue
        if values.dtype == np.bool_:
            mean = float(values.mean())
            scale = float(np.sqrt(mean * (1 - mean)))
            floored += scale < floor
            scale = max(scale, float(floor))
        else:
            mean, scale = centre_and_scale(values.astype(np.float64, copy=False))
        X[:, j] = (values - mean) / (scale or 1.0)
    if dtype == "float32" and not np.isfinite(X).all():
        worst = features[int(np.argmin(np.isfinite(X).all(axis=0)))].name
        raise InputError(f"column {quoted(worst)} has values too large for float32: use float64, or standardise.")
    if not standardise:
        return X, ()
    note = "Every column was standardised to mean 0 and deviation 1, 0/1 columns too (--no-standardise)."
    few = (
        f"{counted(int(floored), 'column')} with a 1 or a 0 on fewer than 0.5 % of the rows got a deviation "
        "below 1, so that no single row outweighs the rest (--no-standardise)."
    )
    return X, (note, few) if floored else (note,)
