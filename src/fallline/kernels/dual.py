"""Stochastic dual coordinate ascent: one row's dual variable at a time, each solved exactly; and the gap that it proves."""

from typing import Any, NamedTuple

import numpy as np

from fallline.kernels.bridge import compiled
from fallline.kernels.conjugates import ascend, conjugate
from fallline.kernels.entries import column, places
from fallline.kernels.penalty import cost_of
from fallline.kernels.sums import mean_loss
from fallline.kernels.walk import note, stride
from fallline.methods import dot, prox, push

Array = np.ndarray[Any, Any]

GAP, LOSS, CENTRE, STEPS = 0, 1, 2, 3  # places in `numbers`


class Dual(NamedTuple):
    """The problem as seen from the rows."""

    part: Any  # the loss's dual
    ridge: float  # λ of the L2 share
    lift: float  # how much the intercept rises by a unit of the dual of a row of weight one; 0 without one


@compiled
def dual_ascent(model: Any, penalty: Any, dual: Any, walk: Any) -> Any:
    """Walk a segment of single rows. memory: the duals u (n,), v = Σ weight·u·x/(λ·n) (d,), four numbers, and
    weight·‖x‖²/(λ·n) (n,), how much a row's score rises by a unit of its dual, the intercept apart.

    w = prox(v, 1/λ). The intercept is a column of ones that pays λ·‖b − centre‖²/2 in units of its lift, and the centre
    follows it every n steps: the method of multipliers on Σ weight·u = 0 (Rockafellar 1976), which leaves b free in the end.
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
        push(model.rows, i, moved / (dual.ridge * n), v)
        for place in places(model.rows, i):
            j = column(model.rows, place)
            w[j] = prox(penalty, v[j], 1.0 / dual.ridge)
        w[last] += moved * dual.lift  # without an intercept the lift is 0
        numbers[STEPS] += 1.0
        if numbers[STEPS] >= n and d < w.shape[0]:
            stretch = w[last] - numbers[CENTRE]
            numbers[CENTRE], numbers[STEPS] = w[last], 0.0
            w[last] += stretch  # the duals pull as before, now from the new centre
        if k + 1 == steps or (k + 1) % between == 0:
            note(walk, k)
    numbers[LOSS] = height(model, penalty, w)
    numbers[GAP] = numbers[LOSS] - bound(model, penalty, dual, w, u)


@compiled
def height(model: Any, penalty: Any, w: Any) -> Any:
    """F(w)."""
    return mean_loss(model, w, np.zeros(1)) + cost_of(penalty, w, model.d)


@compiled
def bound(model: Any, penalty: Any, dual: Any, w: Any, u: Any) -> Any:
    """A value that the objective is nowhere below: its dual at u (Fenchel 1949).

    That needs duals whose weighted sum is zero where there is an intercept; those of the heavier sign are scaled down
    until it is.
    """
    n, up, down = model.y.shape[0], 0.0, 0.0
    for i in range(n):
        if u[i] > 0.0:
            up += model.weights[i] * u[i]
        else:
            down -= model.weights[i] * u[i]
    free = model.d < w.shape[0]
    raised = down / up if free and up > down else 1.0
    lowered = up / down if free and down > up else 1.0
    v, low = np.zeros(model.d), 0.0
    for i in range(n):
        fair = u[i] * (raised if u[i] > 0.0 else lowered)
        low -= model.weights[i] * (conjugate(dual.part, model.y[i], fair) + fair * model.offset[i])
        push(model.rows, i, model.weights[i] * fair / (dual.ridge * n), v)
    low /= n
    for j in range(model.d):
        settled = prox(penalty, v[j], 1.0 / dual.ridge)
        low -= 0.5 * dual.ridge * settled * settled
    return low
