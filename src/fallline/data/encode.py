"""From columns and their codings to the matrix: one C-contiguous block, standardised."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.data.coding import Coding, Values
from fallline.data.column import Column
from fallline.data.dataset import FloatArray
from fallline.data.facts import in_rows
from fallline.data.scaling import centre_and_scale
from fallline.data.wording import counted, quoted
from fallline.errors import InputError

DTYPES = ("float64", "float32")
RAREST = 0.005  # a 0/1 column with fewer ones than this share is scaled as if it had as many
FLOOR = float(np.sqrt(RAREST * (1 - RAREST)))


def encode(
    codings: Sequence[Coding], columns: Sequence[Column], dtype: str, standardise: bool
) -> tuple[Any, FloatArray, FloatArray, tuple[str, ...]]:
    """The matrix (n, d) of the columns, what was subtracted and what it was divided by, each (d,), and notes.

    Standardised columns have mean 0 and deviation 1. 0/1 columns are standardised like the rest, so that one rate fits
    all. Their deviation counts as at least that of a share of 0.5 %: a single missing value in 20 000 would otherwise be a
    141 in its row, which then sets the largest rate at which stochastic descent holds.
    """
    width = sum(len(coding.columns()) for coding in codings)
    X = np.empty((len(columns[0].missing), width), dtype=dtype)
    centre, scale = np.zeros(width), np.ones(width)
    floored = 0
    for j, values in enumerate(_all(codings, columns)):
        if standardise:
            centre[j], scale[j], low = _standard(values)
            floored += low
        write(X, j, values, centre[j], scale[j])
    if dtype == "float32":
        refuse_too_large(X, [name for coding in codings for name in coding.columns()])
    return X, centre, scale, notes_of(standardise, int(floored))


def refuse_too_large(X: Any, columns: Sequence[str]) -> None:
    """Raise InputError where numbers (n, d) were too large for their type, dense or CSR."""
    numbers = X.data if sp.issparse(X) else X
    finite = np.isfinite(numbers)
    if not finite.all():
        column = int(X.indices[np.argmin(finite)] if sp.issparse(X) else np.argmin(finite.all(axis=0)))
        raise InputError(
            f"column {quoted(columns[column])} has values too large for {X.dtype}: use float64, or standardise."
        )


def notes_of(standardise: bool, floored: int) -> tuple[str, ...]:
    """What is to be said of the scales; `floored` columns got one below their deviation's."""
    if not standardise:
        return ()
    note = "Every column was standardised to mean 0 and deviation 1, 0/1 columns too (--no-standardise)."
    few = (
        f"{counted(floored, 'column')} with a 1 or a 0 on fewer than 0.5 % of the rows got a deviation "
        "below 1, so that no single row outweighs the rest (--no-standardise)."
    )
    return (note, few) if floored else (note,)


def encode_as(
    codings: Sequence[Coding], columns: Sequence[Column], centre: FloatArray, scale: FloatArray, into: Any = None
) -> Any:
    """The matrix (n, d) of columns, with the centre and the scale of the table that the codings were made for. into: memory
    for it, of any type of floats.
    """
    return in_rows(list(_all(codings, columns)), centre, scale, into)


def write(X: Any, j: int, values: Values, centre: float, scale: float) -> None:
    """Column j of the matrix: (values − centre)/scale."""
    with np.errstate(over="ignore"):  # refused by name where it matters
        X[:, j] = values if (centre, scale) == (0.0, 1.0) else (values - centre) / scale


def _all(codings: Sequence[Coding], columns: Sequence[Column]) -> Iterable[Values]:
    return (values for coding, column in zip(codings, columns, strict=True) for values in coding.values(column))


def _standard(values: Values) -> tuple[float, float, bool]:
    """Mean, deviation, and whether that was raised to the floor."""
    if values.dtype != np.bool_:
        mean, scale = centre_and_scale(values.astype(np.float64, copy=False))
        return mean, scale or 1.0, False
    return share_standard(float(values.mean()))


def share_standard(share: float) -> tuple[float, float, bool]:
    """The same of a 0/1 column with that share of ones."""
    scale = float(np.sqrt(share * (1 - share)))
    return share, max(scale, FLOOR), scale < FLOOR
