"""One pass that counts: stochastic steps in running scales, as long as the distance from the start says, averaged.

The walk is cut into steps of BATCH rows whatever the segments are; what a segment leaves of a step waits in the memory. So a
table, and the same rows in chunks, are walked to the same bits.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.kernels.blocks import SOON, ahead
from fallline.kernels.bridge import compiled, stands_for
from fallline.kernels.entries import full, number
from fallline.kernels.forces import forces
from fallline.kernels.sums import LinearModel
from fallline.losses import POSITIVE, Huber, LogLoss, ModifiedHuber
from fallline.methods import curvature, derivative, dot, prox, pull, push
from fallline.rows import Dense

Array = np.ndarray[Any, Any]

BATCH = 32  # rows a step: the bookkeeping of a step is then small beside its rows, and a pass still has many
FADE = 3  # of the polynomial weights: a step k counts (k/now)³ times as much as the newest in averages (Shamir & Zhang 2013)
REACH = 1e-3  # of the first Newton step: where the distance from the start is taken to begin
SEEN = 1e-16  # of a chance: what is less is no different from zero beside one
CONSTANT = (
    1e-10  # of a column's mean square: a variance below it is rounding, and the column no different from the intercept
)


class Memory(NamedTuple):
    """What the walk remembers; every array is changed in place."""

    w: Array  # (size,) the point that walks
    mean: Array  # (size,) the average of its points, which is the answer
    origin: Array  # (size,) where it began
    g: Array  # (size,) Σ gradient over the rows of the step in progress
    square: Array  # (d + 1,) mean of bend·x² about the pivot; the intercept's last
    first: Array  # (d + 1,) mean of bend·x about the pivot; the mean bend last
    squares: Array  # (d + 1,) Σ of the same over the rows of the step in progress
    firsts: Array  # (d + 1,)
    pivot: Array  # (d,) the first row, or zero where columns are not centred
    met: Array  # (d,) the step that last moved each column; this and the next two for sparse rows
    taken: Array  # (d,) the step that each column was last in, maybe that in progress
    among: Array  # (d,) the columns in the step in progress, as many as there are
    counts: Array  # rows in the step in progress, columns in it, steps made
    numbers: (
        Array  # r̄, Σ‖g‖², the squared distance from the origin along columns not in the step in progress, the last rate
    )


def bending(loss: Any, y: Any, z: Any) -> Any:
    """Curvature of a row's loss, as steps should take it.

    1 for losses made of lines, which have none to speak of. A row far on the wrong side of a classifier's loss has none
    either, nor a count where almost none is expected, yet their slopes are gone within |z| + 1, or |z − log y| + 1: the
    chord's counts.
    """


@stands_for(bending)
def _bending(loss: Any, y: Any, z: Any) -> Any:
    if loss.instance_class in (LogLoss, ModifiedHuber):
        return lambda loss, y, z: max(curvature(loss, y, z), abs(derivative(loss, y, z)) / (1.0 + abs(z)))
    if loss.instance_class in POSITIVE.values():
        return _of_positive
    if loss.instance_class is Huber or not loss.instance_class.smooth(None):
        return lambda loss, y, z: 1.0
    return lambda loss, y, z: curvature(loss, y, z)


def _of_positive(loss: Any, y: Any, z: Any) -> Any:
    if not y > 0.0:
        return curvature(loss, y, z)
    return max(curvature(loss, y, z), abs(derivative(loss, y, z)) / (1.0 + abs(z - math.log(y))))


def pulls(model: Any, i: Any, w: Any, z: Any) -> Any:
    """z ← weighted derivative of row i's loss in each of its scores; returns its weighted curvature, a mean over classes."""


@stands_for(pulls)
def _pulls(model: Any, i: Any, w: Any, z: Any) -> Any:
    return _of_row if model.instance_class is LinearModel else _of_classes


def _of_row(model: Any, i: Any, w: Any, z: Any) -> Any:
    score = dot(model.rows, i, w) + model.free * w[w.shape[0] - 1] + model.offset[i]
    z[0] = model.weights[i] * derivative(model.loss, model.y[i], score)
    return model.weights[i] * bending(model.loss, model.y[i], score)


def _of_classes(model: Any, i: Any, w: Any, z: Any) -> Any:
    forces(model, i, w, z)
    weight, total, own = model.weights[i], 0.0, 0.0
    if not weight > 0.0:
        return 0.0
    for k in range(model.classes):
        chance = z[k] / weight + (k == model.y[i])
        total += chance * (1.0 - chance)
        own = max(chance, SEEN) if k == model.y[i] else own
    chord = 2.0 * (1.0 - own) / (1.0 - math.log(own))  # as in `bending`: the slopes of the row are gone within that
    return weight * max(total, chord) / model.classes


@compiled
def faded(early: Any, late: Any) -> Any:
    """What is left at step `late` of an average's value at step `early`: the product of 1 − (FADE + 1)/(k + FADE)."""
    left, whole = 1.0, 1.0
    for u in range(FADE + 1 if late > 0 else 0):
        left *= early + u
        whole *= late + u
    return left / whole


@compiled
def rested(penalty: Any, w: Any, length: Any) -> Any:
    """w after an implicit step of the penalty alone: stable however long (Toulis & Airoldi 2017)."""
    return prox(penalty, w, length) / (1.0 + length * pull(penalty, 1.0))


@compiled
def bowl(square: Any, first: Any, base: Any, pivot: Any, ridge: Any) -> Any:
    """How strongly the objective bends along a column about its mean, base being the mean bend; 0 for a constant column."""
    shift = first / base if base > 0.0 else 0.0
    mean = pivot + shift
    variance = square - first * shift
    return variance + ridge if variance > CONSTANT * (square + base * mean * mean) else 0.0


def join(rows: Any, i: Any, bends: Any, pivot: Any, squares: Any, firsts: Any) -> None:
    """Row i's entries, weighted by its curvature, join the moments of the step in progress."""


@stands_for(join)
def _join(rows: Any, i: Any, bends: Any, pivot: Any, squares: Any, firsts: Any) -> Any:
    def dense(rows: Any, i: Any, bends: Any, pivot: Any, squares: Any, firsts: Any) -> None:
        x = rows.X[i]
        for j in range(x.shape[0]):
            away = x[j] - pivot[j]
            firsts[j] += bends * away
            squares[j] += bends * away * away

    def sparse(rows: Any, i: Any, bends: Any, pivot: Any, squares: Any, firsts: Any) -> None:
        begin, end = rows.indptr[i], rows.indptr[i + 1]
        data, indices = rows.data[begin:end], rows.indices[begin:end]
        for k in range(data.shape[0]):
            squares[np.uint64(indices[k])] += bends * data[k] * data[k]

    return dense if rows.instance_class is Dense else sparse


def meet(rows: Any, i: Any, ridge: Any, w: Any, mean: Any, origin: Any, square: Any, met: Any, taken: Any, among: Any,
         counts: Any, numbers: Any) -> None:  # fmt: skip
    """The columns of row i join the step in progress: their averages over the steps that they were not in come first."""


@stands_for(meet)
def _meet(rows: Any, i: Any, ridge: Any, w: Any, mean: Any, origin: Any, square: Any, met: Any, taken: Any, among: Any,
          counts: Any, numbers: Any) -> Any:  # fmt: skip
    return _all_are_there if rows.instance_class is Dense else _met


def _all_are_there(rows: Any, i: Any, ridge: Any, w: Any, mean: Any, origin: Any, square: Any, met: Any, taken: Any,
                   among: Any, counts: Any, numbers: Any) -> None:  # fmt: skip
    pass


def _met(rows: Any, i: Any, ridge: Any, w: Any, mean: Any, origin: Any, square: Any, met: Any, taken: Any, among: Any,
         counts: Any, numbers: Any) -> None:  # fmt: skip
    now, many, d, far = counts[2] + 1, counts[1], met.shape[0], numbers[2]
    penalised = w.shape[0] // d * d
    indices = rows.indices[rows.indptr[i] : rows.indptr[i + 1]]
    for k in range(indices.shape[0]):
        j = np.uint64(indices[k])
        if taken[j] == now:
            continue
        taken[j] = now
        among[many] = j
        many += 1
        left = faded(met[j], now - 1)
        steep = square[j] + ridge if square[j] > 0.0 else 0.0
        square[j] *= left
        for q in range(j, penalised, d):
            away = w[q] - origin[q]
            far -= steep * away * away
            mean[q] = w[q] + left * (mean[q] - w[q])
    counts[1] = many
    numbers[2] = far


@compiled
def step(memory: Any, penalty: Any, dense: Any, z: Any) -> Any:
    """The step on the rows taken: along each column g over its bend, times r̄/√Σ‖g‖² (DoG, Ivgi, Hinder & Carmon 2023).

    Lengths are in the bends' own metric: no scale of a column and none of the loss matters.
    """
    w, mean, origin, g, numbers, counts = (
        memory.w, memory.mean, memory.origin, memory.g, memory.numbers, memory.counts
    )  # fmt: skip
    square, first, squares, firsts, pivot = memory.square, memory.first, memory.squares, memory.firsts, memory.pivot
    d, scores, rows, k = pivot.shape[0], z.shape[0], counts[0], counts[2] + 1
    penalised, ridge, share, many = d * scores, pull(penalty, 1.0), (FADE + 1.0) / (k + FADE), d if dense else counts[1]
    free = w.shape[0] > penalised
    centred = dense and free
    square[d] += share * (squares[d] / rows - square[d])
    base = square[d]
    weight = base if centred else 0.0
    length, far = 0.0, 0.0 if dense else numbers[2]
    for c in range(scores):
        z[c] = w[penalised + c] - origin[penalised + c] if free else 0.0
        if free:
            g[penalised + c] /= rows
    for place in range(many):
        j = place if dense else memory.among[place]
        square[j] += share * (squares[j] / rows - square[j])
        first[j] += share * (firsts[j] / rows - first[j])
        steep = bowl(square[j], first[j] if centred else 0.0, weight, pivot[j], ridge)
        centre = pivot[j] + first[j] / base if weight > 0.0 else 0.0
        for c in range(scores):
            q = c * d + j
            away = w[q] - origin[q]
            g[q] /= rows
            if centred:
                g[q] -= centre * g[penalised + c]
                z[c] += centre * away
            far += steep * away * away
            slope = g[q] + ridge * w[q]
            length += slope * slope / steep if steep > 0.0 else 0.0
    if free and base > 0.0:
        for c in range(scores):
            length += g[penalised + c] * g[penalised + c] / base
            far += base * z[c] * z[c]
    numbers[1] += length
    numbers[0] = max(numbers[0], math.sqrt(max(far, 0.0)))
    numbers[0] = numbers[0] if numbers[0] > 0.0 else REACH * math.sqrt(length)
    rate = numbers[0] / math.sqrt(numbers[1]) if numbers[1] > 0.0 else 0.0
    numbers[3] = rate
    for place in range(many):
        j = place if dense else memory.among[place]
        steep = bowl(square[j], first[j] if centred else 0.0, weight, pivot[j], ridge)
        centre = pivot[j] + first[j] / base if weight > 0.0 else 0.0
        away = centre - pivot[j]
        own = squares[j] - away * (2.0 * firsts[j] - away * squares[d]) if centred else squares[j]
        pace = (
            rate / (steep + rate * max(own, 0.0) / rows) if steep > 0.0 else 0.0
        )  # implicit: no overshooting where few rows bend
        missed = 1 if dense else k - memory.met[j]
        for c in range(scores):
            q = c * d + j
            moved = rested(penalty, w[q] - pace * g[q], pace * missed) - w[q]
            w[q] += moved
            if centred:
                w[penalised + c] -= centre * moved
            if not dense:
                away = w[q] - origin[q]
                numbers[2] += steep * away * away
            mean[q] += share * (w[q] - mean[q])
            g[q] = 0.0
        squares[j] = 0.0
        firsts[j] = 0.0
        memory.met[j] = k
    for q in range(penalised, w.shape[0]):
        now = base + rate * squares[d] / rows
        w[q] -= rate * g[q] / now if now > 0.0 else 0.0
        mean[q] += share * (w[q] - mean[q])
        g[q] = 0.0
    squares[d] = 0.0
    counts[0], counts[1], counts[2] = 0, 0, k


@compiled
def skim(model: Any, penalty: Any, memory: Any, order: Any, z: Any) -> None:
    """Walk over the rows in `order`."""
    rows, w, mean, origin, g, d = model.rows, memory.w, memory.mean, memory.origin, memory.g, memory.pivot.shape[0]
    square, pivot, squares, firsts = memory.square, memory.pivot, memory.squares, memory.firsts
    met, taken, among, counts, numbers = memory.met, memory.taken, memory.among, memory.counts, memory.numbers
    dense, ridge, penalised, n = full(rows), pull(penalty, 1.0), d * z.shape[0], order.shape[0]
    if dense and w.shape[0] > penalised and counts[0] == 0 and counts[2] == 0:
        for j in range(d):
            pivot[j] = number(rows, order[0], j)
    for place in range(n):
        i = order[place]
        ahead(rows, order[min(place + SOON, n - 1)])
        meet(rows, i, ridge, w, mean, origin, square, met, taken, among, counts, numbers)
        bends = pulls(model, i, w, z)
        join(rows, i, bends, pivot, squares, firsts)
        for c in range(z.shape[0]):
            push(rows, i, z[c], g[c * d : (c + 1) * d])
        for q in range(penalised, w.shape[0]):
            g[q] += z[q - penalised]
        squares[d] += bends
        counts[0] += 1
        if counts[0] == BATCH:
            step(memory, penalty, dense, z)
