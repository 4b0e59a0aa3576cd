"""What a network is to learn: rows and coded targets, those that are held out, and one scale for all columns."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fallline.errors import InputError
from fallline.estimators.coefficients import Scales, blocks

Array = np.ndarray[Any, Any]

FAR = 10.0  # deviations from the mean: what is farther is taken for this far
LARGE = 8e9  # bytes: a sparse table that would be larger than this when dense is refused


class Task(NamedTuple):
    """What a network is to learn: rows, and targets as its loss wants them."""

    X: Any
    y: Array  # (n,) class numbers, or (n, outputs) in units of their scales
    weights: Array
    labels: Array  # (n,) by which a validation split keeps the shares
    outputs: int
    loss: str
    targets: Scales | None = None  # None: classes

    def counting(self) -> "Task":
        """Without the rows of weight 0, which are as if they were not there."""
        rows = self.weights > 0.0
        if rows.all():
            return self
        return self._replace(X=self.X[rows], y=self.y[rows], weights=self.weights[rows], labels=self.labels[rows])


def scaled(X: Any, scales: Scales, kind: str) -> Array:
    """Rows as a network sees them, (n, d): of mean 0 and deviation 1, within ±10, dense. Raises InputError for too many."""
    n, d = X.shape
    size = np.dtype(kind).itemsize * n * d
    if sp.issparse(X) and size > LARGE:
        raise InputError(
            f"X is sparse, and a network's first layer takes dense rows: {n:,} × {d:,} would be {size / 1e9:.0f} GB. Bring it to "
            "fewer columns first, with TruncatedSVD or a hashing encoder of fewer features."
        )
    rows = np.empty((n, d), dtype=kind)
    for part in blocks(n, d):
        block = X[part].toarray() if sp.issparse(X) else X[part]
        away = block - scales.centre
        np.clip(np.divide(away, scales.scale, out=away), -FAR, FAR, out=away)
        rows[part] = away
    return rows


def held_out(labels: Array, fraction: float, seed: int) -> Array:
    """Which rows are held out, (n,) bool: every so many of them, label by label, in a random order; one at least.

    Systematic sampling keeps the labels' shares (Cochran 1977). A label's first row is always learnt from. Raises InputError
    where none could be held out.
    """
    n, chance = len(labels), np.random.default_rng(seed)
    order = np.lexsort((chance.permutation(n), labels))
    taken = np.diff(np.floor(np.arange(n + 1) * fraction + chance.random())) > 0.0
    taken[np.append(True, np.diff(labels[order]) != 0)] = False
    if not taken.any():
        raise InputError(
            f"There are {n} rows, and validation_fraction={fraction:g} of them is none that could be held out: set "
            "early_stopping=False, without tune, or give more rows."
        )
    held = np.zeros(n, dtype=bool)
    held[order[taken]] = True
    return held


def told_apart(task: Task, rows: Array, chosen: Array) -> tuple[Any, ...]:
    """The chosen rows as a Net takes them: inputs, targets, and weights of mean one where they differ."""
    from fallline.torch.batches import shared

    own = task.weights[chosen]
    inputs, targets = (rows, task.y) if chosen.all() else (rows[chosen], task.y[chosen])
    parts = (shared(inputs), targets)  # nobody else has these rows
    return parts if own.min() == own.max() else (*parts, own / own.mean())
