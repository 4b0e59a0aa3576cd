"""Stochastic dual coordinate ascent: one row's dual variable at a time, each solved exactly; and what proves how close it is."""

from typing import Any, NamedTuple

import numpy as np

from fallline.kernels.bridge import compiled, stands_for
from fallline.kernels.conjugates import ascend
from fallline.kernels.entries import column, places
from fallline.kernels.vector import both
from fallline.kernels.walk import note, stride
from fallline.methods import dot, prox, push
from fallline.penalties import L2, NoPenalty

Array = np.ndarray[Any, Any]

GAP, LOSS, CENTRE, STEPS = 0, 1, 2, 3  # places in `numbers`
SMOOTH = (NoPenalty, L2)  # penalties whose prox moves nothing


class Dual(NamedTuple):
    """The problem as seen from the rows."""

    part: Any  # the loss's dual
    ridge: float  # λ of the L2 share
    lift: float  # how much the intercept rises by a unit of the dual of a row of weight one; 0 without one


def shift(penalty: Any, rows: Any, i: Any, scale: Any, rate: Any, v: Any, w: Any) -> None:
    """v += scale · row i and, in the columns that the row has, w ← prox(v, rate)."""


@stands_for(shift)
def _shift(penalty: Any, rows: Any, i: Any, scale: Any, rate: Any, v: Any, w: Any) -> Any:
    if penalty.instance_class in SMOOTH:
        return lambda penalty, rows, i, scale, rate, v, w: push(rows, i, scale, w)

    def rough(penalty: Any, rows: Any, i: Any, scale: Any, rate: Any, v: Any, w: Any) -> None:
        push(rows, i, scale, v)
        for place in places(rows, i):
            j = column(rows, place)
            w[j] = prox(penalty, v[j], rate)

    return rough


@compiled
def dual_ascent(model: Any, penalty: Any, dual: Any, walk: Any) -> Any:
    """Walk a segment of single rows. memory: the duals u (n,), v = Σ weight·u·x/(λ·n) (d,), four numbers, and
    weight·‖x‖²/(λ·n) (n,), how much a row's score rises by a unit of its dual, the intercept apart.

    w = prox(v, 1/λ); for a smooth penalty they are one, and v (0,). The intercept is a column of ones that pays
    λ·‖b − centre‖²/2 in units of its lift, and the centre follows it every n steps: the method of multipliers on
    Σ weight·u = 0 (Rockafellar 1976), which leaves b free in the end.
    """
    w, (u, v, numbers, lengths) = walk.w, walk.memory
    n, d, last, steps = model.y.shape[0], model.d, walk.w.shape[0] - 1, walk.paces.shape[0]
    order, between = walk.order, stride(walk)
    for k in range(steps):
        i = order[k % order.shape[0]]
        z = dot(model.rows, i, w) + model.free * w[last] + model.offset[i]
        rise = lengths[i] + model.weights[i] * dual.lift
        new = ascend(dual.part, model.y[i], z, u[i], rise)
        moved = model.weights[i] * (new - u[i])
        u[i] = new
        shift(penalty, model.rows, i, moved / (dual.ridge * n), 1.0 / dual.ridge, v, w)
        w[last] += moved * dual.lift  # without an intercept the lift is 0
        numbers[STEPS] += 1.0
        if numbers[STEPS] >= n and d < w.shape[0]:
            stretch = w[last] - numbers[CENTRE]
            numbers[CENTRE], numbers[STEPS] = w[last], 0.0
            w[last] += stretch  # the duals pull as before, now from the new centre
        if k + 1 == steps or (k + 1) % between == 0:
            note(walk, k)


@compiled
def sight(model: Any, first: Any, last: Any, w: Any, change: Any, out: Any) -> None:
    """Over rows first … last: out's last entry ← Σ weight·loss; its others ← Σ weight·change·x, where that is not zero."""
    total, shift = 0.0, model.free * w[w.shape[0] - 1]
    out[:] = 0.0
    for i in range(first, last):
        cost, _ = both(model.loss, model.y[i], dot(model.rows, i, w) + shift + model.offset[i])
        total += model.weights[i] * cost
        if change[i] != 0.0:
            push(model.rows, i, model.weights[i] * change[i], out)
    out[out.shape[0] - 1] = total
