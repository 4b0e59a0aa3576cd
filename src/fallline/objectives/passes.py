"""A full pass over an objective's rows, on as many threads as there are cores, with the same bits on any number.

Rows are cut into PARTS pieces whatever the machine; threads take pieces as they come, and the pieces' sums are added in
the order of the rows.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np

from fallline.kernels import passes as kernels
from fallline.kernels import penalty as shrink
from fallline.kernels.blocks import room
from fallline.objectives.variants import gathered
from fallline.rows import Dense

Array = np.ndarray[Any, Any]

PARTS = 16
STRIP = 1024  # rows multiplied at once
ROOM = 16_384  # numbers copied at once
SHARE = 0.02  # of the table's bytes that the pieces' sums may take; beyond, there are fewer pieces, but no fewer than FEWEST
FEWEST = 4
HELD = 1 << 22  # bytes of a piece of a table on disk: so much of it is in memory for each thread
WORTHWHILE = 2_000_000  # entries; below, starting a thread costs more than it saves
_AT_MOST = ContextVar("_AT_MOST", default=PARTS)


def loss_and_gradient(objective: Any, w: Array, threads: int | None = None) -> tuple[float, Array]:
    """The objective at w, and the gradient of the mean loss and the penalty's smooth share, from one reading."""
    model = objective.model
    if objective.scores > 1 and isinstance(model.rows, Dense):
        return _by_class(objective, w, threads)

    def piece(first: int, last: int, out: Array) -> None:
        z = room(model.rows) if objective.scores == 1 else np.empty(objective.scores)
        out[-1] = kernels.part_of_pass(model, first, last, w, z, out[:-1])

    total = pieces(objective, piece, len(w) + 1, threads) / objective.n
    g = total[:-1].copy()
    shrink.pull_on(objective.penalty, w, objective.penalised, g)
    return float(total[-1]) + float(shrink.cost_of(objective.penalty, w, objective.penalised)), g


def _by_class(objective: Any, w: Array, threads: int | None) -> tuple[float, Array]:
    """The same for several scores a row of a dense table, by matrix products of strips, in float64 unless told otherwise."""
    model, K, d = objective.model, objective.classes, objective.model.d
    kind = np.result_type(model.rows.X, objective.products)
    W, free = w[: K * d].reshape(K, d).astype(kind), w[K * d :].astype(kind)
    offset, weights = model.offset.any(), model.weights.astype(kind)

    def piece(first: int, last: int, out: Array) -> None:
        for begin in range(first, last, STRIP):
            rows = slice(begin, min(begin + STRIP, last))
            X = model.rows.X[rows].astype(kind, copy=False)
            z = W @ X.T  # (classes, rows): what is done class by class runs along the rows
            if offset:
                z += model.offset[rows].T.astype(kind)
            if len(free):
                z += free[:, None]
            z -= z.max(axis=0)
            own = model.y[rows], np.arange(len(X))
            out[-1] -= float(model.weights[rows] @ z[own])
            np.exp(z, out=z)
            whole = z.sum(axis=0)
            out[-1] += float(model.weights[rows] @ np.log(whole))
            z /= whole
            z[own] -= 1.0
            z *= weights[rows]
            out[: K * d] += (z @ X).ravel()
            if len(free):
                out[K * d : -1] += z.sum(axis=1, dtype=float)

    total = pieces(objective, piece, len(w) + 1, threads) / objective.n
    g = total[:-1].copy()
    shrink.pull_on(objective.penalty, w, objective.penalised, g)
    return float(total[-1]) + float(shrink.cost_of(objective.penalty, w, objective.penalised)), g


def losses_at(objective: Any, points: Array, threads: int | None = None) -> Array:
    """The mean loss at each of `points` (k, size), (k,), for one score a row; from one reading."""

    def piece(first: int, last: int, out: Array) -> None:
        kernels.losses(objective.model, first, last, points, room(objective.model.rows), out)

    return pieces(objective, piece, len(points), threads) / objective.n


def height_at_zero(objective: Any) -> float:
    """The objective of one score a row where all parameters are zero: the table need not be read."""
    return height_of(objective, lambda part: objective.model.offset[part].copy())


def height_of(objective: Any, scores: Callable[[slice], Array]) -> float:
    """The mean loss were `scores(part)` those of a slice of the rows; they are overwritten."""
    model = objective.model

    def piece(first: int, last: int, out: Array) -> None:
        for begin in range(first, last, ROOM):
            part = slice(begin, min(begin + ROOM, last))
            out += kernels.costs(model.loss, model.y[part], model.weights[part], scores(part))

    return float(pieces(objective, piece, 1, None)[0]) / objective.n


def curvatures(objective: Any, w: Array, threads: int | None = None) -> Array:
    """The weighted second derivative of every row's loss in its score, (n,), for one score a row."""
    out = np.empty(objective.n)

    def piece(first: int, last: int) -> None:
        kernels.bends(objective.model, first, last, w, room(objective.model.rows), out)

    on_threads(cuts_of(objective, 0), piece, threads, objective.disk)
    return out


def curvature_times(objective: Any, bends: Array, v: Array, threads: int | None = None) -> Array:
    """The second derivative of the mean loss times v, for row curvatures `bends` (n,)."""
    model = objective.model

    def piece(first: int, last: int, out: Array) -> None:
        kernels.curved(model.rows, model.free, first, last, bends, v, room(model.rows), out)

    return pieces(objective, piece, len(v), threads) / objective.n


def row_sum(objective: Any, r: Array, threads: int | None = None) -> Array:
    """Σ rᵢ·xᵢ, (d,), for a number a row, r (n,): the table's transpose times r."""

    def piece(first: int, last: int, out: Array) -> None:
        kernels.folded(objective.model.rows, first, last, r, out)

    return pieces(objective, piece, objective.model.d, threads)


def moved_scores(objective: Any, v: Array, threads: int | None = None) -> Array:
    """How far each row's score goes on a step v of one score a row, (n,)."""
    model, out = objective.model, np.empty(objective.n)

    def piece(first: int, last: int) -> None:
        kernels.across(model.rows, model.free, first, last, v, out[first:last])

    on_threads(cuts_of(objective, 0), piece, threads, objective.disk)
    return out


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
    some = np.sort(gathered(objective, np.arange(0, n, max(1, n // 64))).X, axis=0)
    centre = some[len(some) // 2].astype(float)
    d = len(centre)

    def piece(first: int, last: int, out: Array) -> None:
        kernels.powers(X, first, last, centre, out.reshape(3, d))

    shift, square, fourth = pieces(objective, piece, 3 * d, threads).reshape(3, d) / n
    variance = np.maximum(square - shift * shift, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = np.nan_to_num(fourth / (variance * variance), nan=0.0, posinf=0.0)
    return centre + shift, np.sqrt(variance), kurtosis


def pieces(objective: Any, piece: Callable[[int, int, Array], Any], size: int, threads: int | None) -> Array:
    """Σ over pieces of the rows of what piece(first, last, out) puts into out (size,), added in the order of the rows."""
    cuts = cuts_of(objective, size)
    parts, places = np.zeros((len(cuts) - 1, size)), {first: k for k, first in enumerate(cuts)}
    on_threads(cuts, lambda first, last: piece(first, last, parts[places[first]]), threads, objective.disk)
    return np.asarray(parts.sum(axis=0))


def on_threads(cuts: list[int], piece: Callable[[int, int], Any], threads: int | None, disk: Any = None) -> None:
    """Call piece(first, last) for each piece of the rows, cut there; a thread takes the next when done with one.

    disk: of a table that is larger than memory, who brings what is to be read, and lets go of it.
    """
    if len(cuts) == 2 and disk is None:
        piece(*cuts)
        return
    turns, threads = iter(list(pairwise(cuts))), min(threads or available(), len(cuts) - 1)
    lock = Lock()

    def taken() -> tuple[int, int] | None:
        with lock:  # a disk brings the pieces in their order
            turn = next(turns, None)
            if turn and disk is not None:
                disk.bring(*turn)
        return turn

    def work() -> None:
        while turn := taken():
            piece(*turn)
            if disk is not None:
                disk.let_go(*turn)

    if threads == 1:
        work()
        return
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            other.result()


def cuts_of(objective: Any, size: int) -> list[int]:
    """Where the pieces of an objective's rows begin, and where the last one ends, if each has `size` sums to itself."""
    n, rows = objective.n, objective.model.rows
    stored = rows.X if isinstance(rows, Dense) else rows.data
    if stored.size * objective.scores < WORTHWHILE or n < PARTS:
        return [0, n]
    most = PARTS if objective.disk is None else max(stored.nbytes // HELD, PARTS)
    parts = min(max(int(SHARE * stored.nbytes / (8 * max(size, 1))), FEWEST), most)
    return [n * k // parts for k in range(parts + 1)]


def available() -> int:
    """Cores that this process may use, at most one a piece and as many as `threads_at_most` leaves."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _AT_MOST.get())


@contextmanager
def threads_at_most(threads: int) -> Iterator[None]:
    """A context in which a full pass takes no more threads than that: for timings beside something that has one."""
    token = _AT_MOST.set(threads)
    try:
        yield
    finally:
        _AT_MOST.reset(token)
