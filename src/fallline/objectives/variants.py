"""The same objective with one thing different: another loss, or a part of its rows. The table is not copied."""

import copy
from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.rows import CSR, Dense, table

Array = np.ndarray[Any, Any]


def with_loss(objective: Any, loss: Any) -> Any:
    """The same rows and penalty under another loss."""
    other = copy.copy(objective)
    other.loss, other.model = loss, objective.model._replace(loss=loss)
    return other


def with_weights(objective: Any, weights: Array) -> Any:
    """The same rows with weights (n,) as they are, not brought to mean one: for a walk over rows that are not all there yet."""
    other = copy.copy(objective)
    other.model = objective.model._replace(weights=weights)
    return other


def with_rows(objective: Any, X: Array) -> Any:
    """As many rows of another dense table, for one score a row."""
    other, d = copy.copy(objective), X.shape[1]
    other.disk, other.penalised, other.size = None, d, d + objective.size - objective.penalised
    other.model = objective.model._replace(rows=Dense(X), d=d)
    return other


def in_single(objective: Any) -> Any:
    """The same, with the products of a dense float32 table by several classes made in float32; sums stay in float64."""
    other = copy.copy(objective)
    other.products = np.dtype(np.float32)
    return other


def subset(objective: Any, rows: Array, shares: Array | None = None) -> Any:
    """The objective over those rows alone, copied out; `shares` multiply their weights, which then get mean one again."""
    model = objective.model
    weights = model.weights[rows] if shares is None else model.weights[rows] * shares
    whole = weights.sum()
    other = copy.copy(objective)
    other.disk = None
    other.model = model._replace(
        rows=gathered(objective, rows),
        y=model.y[rows],
        weights=weights * (len(rows) / whole) if whole > 0 else weights,
        offset=model.offset[rows],
    )
    return other


def in_order(objective: Any, rows: Array, into: Array | None = None) -> Any:
    """The objective over those rows, copied out, with the weights that they have. into: memory for a table from a disk."""
    model, other = objective.model, copy.copy(objective)
    other.disk = None
    other.model = model._replace(
        rows=gathered(objective, rows, into),
        y=model.y.take(rows, axis=0),
        weights=model.weights.take(rows),
        offset=model.offset.take(rows, axis=0),
    )
    return other


def gathered(objective: Any, chosen: Array, into: Array | None = None) -> Any:
    """Those rows of its table, as a table; from a disk they are read, as to touch a mapped row brings its neighbours."""
    rows = objective.model.rows
    if objective.disk is not None:
        part = objective.disk.rows(chosen, into)
    elif isinstance(rows, CSR):
        part = sp.csr_array((rows.data, rows.indices, rows.indptr), shape=rows.shape())[chosen]
    else:
        part = rows.X[chosen]
    return table(part) if isinstance(rows, CSR) else Dense(part)
