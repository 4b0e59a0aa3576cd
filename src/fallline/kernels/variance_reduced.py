"""Stochastic steps whose noise dies out: SAGA, SVRG and L-Katyusha, for any model, loss and penalty.

Each corrects a row's gradient by what it knew of that row before, and adds the mean of what it knew of all rows. What it
knew is its *anchor*: a table of the forces last seen (SAGA), or a point whose whole gradient was taken (SVRG).
"""

from typing import Any, NamedTuple

import numpy as np

from fallline.kernels.bridge import compiled, stands_for
from fallline.kernels.drift import drift, fill
from fallline.kernels.entries import column, full, number, places
from fallline.kernels.forces import forces
from fallline.kernels.sums import mean_slope, row_slope
from fallline.kernels.walk import note, span, stride
from fallline.methods import prox, pull

Array = np.ndarray[Any, Any]


class Table(NamedTuple):
    """SAGA's anchor: the forces that each row had when it was last met."""

    forces: Array  # (n, scores)
    mean: Array  # (size,) their mean gradient
    share: float  # 1/n: of a row's change in that mean


class Snapshot(NamedTuple):
    """SVRG's anchor: a point and the gradient there. Another point is taken every `period` steps."""

    point: Array  # (size,)
    mean: Array  # (size,) gradient of the mean loss at the point
    counts: Array  # (2,) steps since it was taken; row gradients taken in this segment
    period: int
    share: float  # 0: the mean stays until the next point


def due(anchor: Any) -> Any:
    """Whether the anchor wants a pass over all rows before the next step."""


def refresh(anchor: Any, model: Any, w: Any, z: Any) -> Any:
    """That pass, at w."""


def contrast(anchor: Any, model: Any, i: Any, z: Any, room: Any) -> Any:
    """z ← row i's forces less what the anchor knew of them."""


@stands_for(due)
def _due(anchor: Any) -> Any:
    if anchor.instance_class is Table:
        return lambda anchor: False
    return lambda anchor: anchor.counts[0] % anchor.period == 0


@stands_for(refresh)
def _refresh(anchor: Any, model: Any, w: Any, z: Any) -> Any:
    def table(anchor: Any, model: Any, w: Any, z: Any) -> None:
        pass

    def snapshot(anchor: Any, model: Any, w: Any, z: Any) -> None:
        anchor.point[:] = w
        anchor.counts[0] = 0.0
        anchor.counts[1] += model.y.shape[0]
        mean_slope(model, w, z, anchor.mean)

    return table if anchor.instance_class is Table else snapshot


@stands_for(contrast)
def _contrast(anchor: Any, model: Any, i: Any, z: Any, room: Any) -> Any:
    def table(anchor: Any, model: Any, i: Any, z: Any, room: Any) -> None:
        for k in range(z.shape[0]):
            new = z[k]
            z[k] -= anchor.forces[i, k]
            anchor.forces[i, k] = new

    def snapshot(anchor: Any, model: Any, i: Any, z: Any, room: Any) -> None:
        forces(model, i, anchor.point, room)
        for k in range(z.shape[0]):
            z[k] -= room[k]
        anchor.counts[0] += 1.0
        anchor.counts[1] += 2.0

    return table if anchor.instance_class is Table else snapshot


@compiled
def catch_up(penalty: Any, mean: Any, w: Any, met: Any, penalised: Any, rate: Any, lost: Any, k: Any) -> Any:
    """The steps before step k that the columns have missed, for the coefficients of every class. Needs `lost` filled."""
    d = met.shape[0]
    for q in range(penalised):
        w[q] = drift(penalty, w[q], mean[q], rate, lost, k - met[q % d])
    met[:] = k


@compiled
def reduced(model: Any, penalty: Any, anchor: Any, walk: Any, z: Any) -> Any:
    """Walk a segment of single rows: w ← prox(w − rate·((force − known)·x + mean + pull), rate).

    Columns that a sparse row lacks are caught up when they are next needed: by a row that has them, a look, a new
    rate. With an average or a rate that changes at every step that is at every step, and a step then costs the width.
    """
    w, mean, rows, d, classes = walk.w, anchor.mean, model.rows, model.d, z.shape[0]
    penalised, steps, share, rate, filled = d * classes, walk.paces.shape[0], anchor.share, 0.0, 1
    order, paces, between, room = walk.order, walk.paces, stride(walk), np.empty_like(z)
    met = np.zeros(d, np.int64)  # how many of the segment's steps each column has been through
    lost = np.zeros(1 if full(rows) else steps + 1)
    for k in range(steps):
        i = order[k % order.shape[0]]
        if paces[k] != rate:
            rate, filled = paces[k], 1
        if due(anchor):
            if not full(rows):
                filled = fill(penalty, rate, lost, filled, k - met.min())
                catch_up(penalty, mean, w, met, penalised, rate, lost, k)
            refresh(anchor, model, w, room)
        if not full(rows):
            for place in places(rows, i):
                j = column(rows, place)
                if k - met[j] >= filled:
                    filled = fill(penalty, rate, lost, filled, k - met[j])
                for q in range(j, penalised, d):
                    w[q] = drift(penalty, w[q], mean[q], rate, lost, k - met[j])
                met[j] = k + 1
        forces(model, i, w, z)
        contrast(anchor, model, i, z, room)
        for c in range(classes):
            part, slope = w[c * d : (c + 1) * d], mean[c * d : (c + 1) * d]
            for place in places(rows, i):
                j, change = column(rows, place), z[c] * number(rows, i, place)
                part[j] = prox(penalty, part[j] - rate * (slope[j] + change + pull(penalty, part[j])), rate)
                slope[j] += share * change
        for q in range(penalised, w.shape[0]):
            change = z[q - penalised]
            w[q] -= rate * (mean[q] + change)
            mean[q] += share * change
        if k + 1 == steps or (k + 1) % between == 0 or paces[k + 1] != rate:
            if not full(rows):
                filled = fill(penalty, rate, lost, filled, k + 1 - met.min())
                catch_up(penalty, mean, w, met, penalised, rate, lost, k + 1)
            note(walk, k)


class Momenta(NamedTuple):
    """What L-Katyusha is given: the numbers of its step, and which steps end with a new anchor."""

    convexity: float  # μ, of the objective
    passes: float  # 1/p: steps between two anchors, on average
    renew: Array  # (steps,) bool


@compiled
def katyusha(model: Any, penalty: Any, momenta: Any, walk: Any, z: Any) -> Any:
    """Walk a segment of L-Katyusha (Kovalev, Horváth & Richtárik 2020, alg. 2), with a prox; rate is 1/L.

    w is the paper's y, the answer; memory begins with z, the anchor, and the gradient of the mean loss there.
    """
    w, far, point, mean = walk.w, walk.memory[0], walk.memory[1], walk.memory[2]
    size, penalised = w.shape[0], model.d * z.shape[0]
    order, paces, between = walk.order, walk.paces, stride(walk)
    x, g = np.empty(size), np.empty(size)
    for k in range(paces.shape[0]):
        rate = paces[k]
        sigma = momenta.convexity * rate
        pull_far = min(0.5, (2.0 * sigma * momenta.passes / 3.0) ** 0.5)  # θ₁
        pull_back = 0.5  # θ₂
        eta = pull_back / ((1.0 + pull_back) * pull_far)
        for j in range(size):
            x[j] = pull_far * far[j] + pull_back * point[j] + (1.0 - pull_far - pull_back) * w[j]
            g[j] = mean[j]
        first, last = span(order.shape[0], walk.batch, k)
        for place in range(first, last):
            row_slope(model, order[place], x, z, 1.0 / (last - first), g)
            row_slope(model, order[place], point, z, -1.0 / (last - first), g)
        length = eta * rate / (1.0 + eta * sigma)
        for j in range(size):
            new = (eta * sigma * x[j] + far[j] - eta * rate * g[j]) / (1.0 + eta * sigma)
            if j < penalised:
                new = prox(penalty, new - length * pull(penalty, x[j]), length)
            moved = new - far[j]
            far[j] = new
            x[j] += pull_far * moved
        if momenta.renew[k]:
            point[:] = w  # the paper's old y
            mean_slope(model, point, z, mean)
        w[:] = x
        if k + 1 == paces.shape[0] or (k + 1) % between == 0:
            note(walk, k)
