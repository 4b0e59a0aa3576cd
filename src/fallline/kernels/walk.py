"""What every compiled method fills in while it walks a segment, and the steps of that which are the same for all.

What is called once a step takes arrays and numbers, not the whole walk: handing on a tuple of arrays counts each of them.
"""

from typing import Any, NamedTuple

import numpy as np

from fallline.kernels.bridge import compiled
from fallline.kernels.sums import row_slope
from fallline.methods import pull

Array = np.ndarray[Any, Any]


class Walk(NamedTuple):
    """A segment being walked; its arrays are changed in place."""

    w: Array  # (size,) parameters
    memory: tuple[Array, ...]  # what the method remembers, arrays of any shape
    mean: Array  # (size,) the average of the points so far
    t: int  # steps taken before the segment
    order: Array  # (rows,) int64
    batch: int  # rows a step
    paces: Array  # (steps,) the schedule's rates
    shares: Array  # (steps,) the newest point's share in the mean; empty where the last point counts
    every: int  # steps between two looks
    looks: Array  # (looks, size) the points looked at


@compiled
def span(n: Any, batch: Any, k: Any) -> Any:
    """Where among n rows in order step k of the segment (from 0) begins and ends."""
    first = k % -(-n // batch) * batch
    return first, min(first + batch, n)


@compiled
def slope_of(model: Any, penalty: Any, rows: Any, w: Any, z: Any, g: Any) -> Any:
    """g ← gradient at w of the mean loss over `rows`, and the penalty's pull."""
    n = rows.shape[0]
    g[:] = 0.0
    for place in range(n):
        row_slope(model, rows[place], w, z, 1.0 / n, g)
    for j in range(model.d * z.shape[0]):
        g[j] += pull(penalty, w[j])


@compiled
def stride(walk: Any) -> Any:
    """After how many steps the next point is to be noted, again and again; the last point is, too."""
    return 1 if walk.shares.shape[0] > 0 else walk.every


@compiled
def note(walk: Any, k: Any) -> Any:
    """Take the point after step k (from 0) into the average, and down as a look where one is due."""
    w, mean, steps = walk.w, walk.mean, walk.paces.shape[0]
    averaged = walk.shares.shape[0] > 0
    if averaged:
        share = walk.shares[k]
        for j in range(w.shape[0]):
            mean[j] = w[j] if share == 1.0 else mean[j] + share * (w[j] - mean[j])
    if (k + 1) % walk.every == 0 or k + 1 == steps:
        row = walk.looks.shape[0] - 1 if k + 1 == steps else (k + 1) // walk.every - 1
        for j in range(w.shape[0]):
            walk.looks[row, j] = mean[j] if averaged else w[j]
