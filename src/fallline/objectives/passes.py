"""A full pass over an objective's rows, on as many threads as there are cores, with the same bits on any number.

Rows are cut into PARTS pieces whatever the machine; threads take pieces as they come, and the pieces' sums are added in
the order of the rows.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from fallline.kernels import passes as kernels
from fallline.kernels import penalty as shrink
from fallline.rows import Dense

Array = np.ndarray[Any, Any]

PARTS = 16
STRIP = 1024  # rows multiplied at once
WORTHWHILE = 2_000_000  # entries; below, starting a thread costs more than it saves


def loss_and_gradient(objective: Any, w: Array, threads: int | None = None) -> tuple[float, Array]:
    """The objective at w, and the gradient of the mean loss and the penalty's smooth share, from one reading."""
    model = objective.model
    if objective.scores > 1 and isinstance(model.rows, Dense):
        return _by_class(objective, w, threads)

    def piece(first: int, last: int, out: Array) -> None:
        out[-1] = kernels.part_of_pass(model, first, last, w, kernels.room(model.rows, objective.scores), out[:-1])

    total = pieces(objective, piece, len(w) + 1, threads) / objective.n
    g = total[:-1].copy()
    shrink.pull_on(objective.penalty, w, objective.penalised, g)
    return float(total[-1]) + float(shrink.cost_of(objective.penalty, w, objective.penalised)), g


def _by_class(objective: Any, w: Array, threads: int | None) -> tuple[float, Array]:
    """The same for several scores a row of a dense table, by matrix products of strips in float64."""
    model, K, d = objective.model, objective.classes, objective.model.d
    W, free = w[: K * d].reshape(K, d).T, w[K * d :]

    def piece(first: int, last: int, out: Array) -> None:
        for begin in range(first, last, STRIP):
            rows = slice(begin, min(begin + STRIP, last))
            X = model.rows.X[rows].astype(float, copy=False)
            z = X @ W + model.offset[rows]
            if len(free):
                z += free
            z -= z.max(axis=1, keepdims=True)
            own = np.arange(len(z)), model.y[rows]
            out[-1] -= float(model.weights[rows] @ z[own])
            np.exp(z, out=z)
            whole = z.sum(axis=1)
            out[-1] += float(model.weights[rows] @ np.log(whole))
            z /= whole[:, None]
            z[own] -= 1.0
            z *= model.weights[rows, None]
            out[: K * d] += (z.T @ X).ravel()
            if len(free):
                out[K * d : -1] += z.sum(axis=0)

    total = pieces(objective, piece, len(w) + 1, threads) / objective.n
    g = total[:-1].copy()
    shrink.pull_on(objective.penalty, w, objective.penalised, g)
    return float(total[-1]) + float(shrink.cost_of(objective.penalty, w, objective.penalised)), g


def height_at_zero(objective: Any) -> float:
    """The objective of one score a row where all parameters are zero: the table need not be read."""
    model, z = objective.model, np.zeros(objective.n)
    return float(kernels.costs(model.loss, model.y, model.weights, model.offset, 0.0, z)) / objective.n


def curvature_times(objective: Any, bends: Array, v: Array, threads: int | None = None) -> Array:
    """The second derivative of the mean loss times v, for row curvatures `bends` (n,)."""

    def piece(first: int, last: int, out: Array) -> None:
        kernels.bent(objective.model, first, last, bends, v, out)

    return pieces(objective, piece, len(v), threads) / objective.n


def curvature_diagonal(objective: Any, bends: Array, free: int, threads: int | None = None) -> Array:
    """Its diagonal, (d + free,)."""
    d = objective.model.d

    def piece(first: int, last: int, out: Array) -> None:
        kernels.squares(objective.model.rows, first, last, bends, out)

    diagonal = pieces(objective, piece, d, threads) / objective.n
    return np.append(diagonal, np.full(free, bends.mean()))


def moments(objective: Any, threads: int | None = None) -> tuple[Array, Array, Array]:
    """Mean, standard deviation and kurtosis of each column of a dense table, weights left aside.

    Sums are taken of distances from a typical row, so that a mean of 2·10⁶ does not swallow a deviation of 1.
    """
    X, n = objective.model.rows.X, objective.n
    centre = np.median(X[:: max(1, n // 64)], axis=0).astype(float)
    d = len(centre)

    def piece(first: int, last: int, out: Array) -> None:
        kernels.powers(X, first, last, centre, out.reshape(3, d))

    shift, square, fourth = pieces(objective, piece, 3 * d, threads).reshape(3, d) / n
    variance = np.maximum(square - shift * shift, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = np.nan_to_num(fourth / (variance * variance), nan=0.0, posinf=0.0)
    return centre + shift, np.sqrt(variance), kurtosis


def pieces(objective: Any, piece: Callable[[int, int, Array], Any], size: int, threads: int | None) -> Array:
    """Σ over pieces of the rows of what piece(first, last, out) puts into out (size,)."""
    n = objective.n
    stored = getattr(objective.model.rows, "data", None)
    entries = n * objective.model.d * objective.scores if stored is None else len(stored) * objective.scores
    if entries < WORTHWHILE:
        out = np.zeros(size)
        piece(0, n, out)
        return out
    parts, cuts = np.zeros((PARTS, size)), np.linspace(0, n, PARTS + 1).astype(int).tolist()
    threads = threads or available()

    def work(thread: int) -> None:
        for k in range(thread, PARTS, threads):
            piece(cuts[k], cuts[k + 1], parts[k])

    if threads == 1:
        work(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
    return np.asarray(parts.sum(axis=0))


def available() -> int:
    """Cores that this process may use, at most one a piece."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, PARTS)
