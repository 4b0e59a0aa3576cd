"""What a user hands to an estimator, made into a table, targets and weights, or refused by row and column."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted, validate_data

from fallline.errors import InputError
from fallline.objectives.linear import column

Array = np.ndarray[Any, Any]

ABSENT: Any = object()  # no targets are meant; None where they are is refused
FLOATS = (np.float64, np.float32)  # kept as they are; anything else becomes the first


def table_of(
    estimator: Any, X: Any, y: Any = ABSENT, *, reset: bool, numeric: bool = False, several: bool = False
) -> tuple[Any, Any]:
    """X as a C-ordered float array or CSR, and y, (n,), as it is or as numbers; what is no finite number is refused by place.

    X: an array, a pandas, polars or Arrow table, or a SciPy sparse matrix. reset: whether its columns are the ones to remember;
    otherwise they must be those remembered. several: whether y may be (n, outputs).
    """
    expected: dict[str, Any] = {
        "accept_sparse": "csr",
        "dtype": FLOATS,
        "order": "C",
        "ensure_all_finite": False,
        "reset": reset,
    }
    _refuse_dates(X)
    if y is ABSENT:
        X = validate_data(estimator, X, **expected)
    else:
        _refuse_holes(y)
        X, y = validate_data(estimator, X, y, y_numeric=numeric, multi_output=several, **expected)
    _refuse_infinite(X, getattr(estimator, "feature_names_in_", None))
    return X, y


def rows_to_predict(estimator: Any, X: Any) -> Any:
    """The table to predict for, with the columns that the estimator was fitted to."""
    check_is_fitted(estimator)
    return table_of(estimator, X, reset=False)[0]


def weights_for(sample_weight: Any, n: int, *, some: bool = True) -> Array:
    """Weights of rows, (n,) floats that are not negative and, if `some` must count, not all zero; ones where none are given."""
    if sample_weight is None:
        return np.ones(n)
    given = np.asarray(sample_weight)
    weights = column(np.full(n, given) if given.ndim == 0 else given, n, "sample_weight")
    if weights.min() < 0.0:
        row = int(weights.argmin())
        raise InputError(
            f"sample_weight in row {row} is {weights[row]:g}: a weight cannot be negative; use 0 to leave a row out."
        )
    if some and not weights.any():
        raise InputError("sample_weight is zero for every row: at least one row must count.")
    return weights


def _refuse_dates(X: Any) -> None:
    """Refuse dates and times, which NumPy would take for numbers of some unit."""
    kinds = [np.dtype(X.dtype)] if isinstance(X, np.ndarray) else list(getattr(X, "dtypes", ()))
    for j, kind in enumerate(kinds):
        if str(kind).lower().startswith(("datetime", "timedelta", "date", "duration", "time")):
            raise InputError(f"Input X holds {kind} in column {j}: make numbers of it first, such as days since a day.")


def _refuse_infinite(X: Any, names: Any) -> None:
    values = X.data if sp.issparse(X) else X
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()) or np.isfinite(values).all():
            return
    if sp.issparse(X):
        entry = int(np.flatnonzero(~np.isfinite(values))[0])
        row, j = int(np.searchsorted(X.indptr, entry, "right")) - 1, int(X.indices[entry])
        value = values[entry]
    else:
        row, j = (int(place) for place in np.argwhere(~np.isfinite(values))[0])
        value = values[row, j]
    where = f"column {j}" if names is None else f'column "{names[j]}"'
    raise InputError(f"Input X contains {_called(value)} in row {row}, {where}: drop the row, or fill the value in.")


def _refuse_holes(y: Any) -> None:
    """Refuse targets that are missing or infinite, by row; those of another kind are checked where they are coded."""
    values = np.zeros(0) if y is None or sp.issparse(y) else np.asarray(y)
    if values.dtype.kind == "O":
        bad = np.array([value is None or value != value for value in values.ravel().tolist()], dtype=bool)
    elif values.dtype.kind == "f":
        bad = ~np.isfinite(values.ravel())
    else:
        return
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = values.ravel()[row]
        raise InputError(f"Input y contains {_called(value)} in row {row}: drop the row, or fill the value in.")


def _called(value: Any) -> str:
    return "infinity" if isinstance(value, float | np.floating) and np.isinf(value) else "NaN"
