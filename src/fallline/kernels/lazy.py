"""Plain steps on sparse rows at the cost of their entries: a step does not touch the columns that its rows leave out.

Between two rows that have column j, its coefficient only pays the penalty: w ← soft(w·(1 − rate·λ), rate·α), soft(w, a) =
sign(w)·max(|w| − a, 0). With P = Π(1 − rate·λ) over the steps so far and S = Σ rate·α/P, that is v ← soft(v, ΔS) on v = w/P:
one number for all columns, caught up when a column is next met (Tsuruoka, Tsujii & Ananiadou 2009; the scale, Shalev-Shwartz,
Singer & Srebro 2007). The same walk as `sweep`, in another order of roundings.
"""

import math
from typing import Any

import numpy as np

from fallline.kernels.blocks import SOON, ahead
from fallline.kernels.bridge import compiled
from fallline.methods import cost, derivative, dot, pull, push

FAINT = 1e-100  # of a scale: below, everything is settled and the scale begins again at one


@compiled
def sweep_lazy(model: Any, penalty: Any, segment: Any, paces: Any, state: Any, every: Any, looks: Any) -> None:
    """Walk a segment of plain steps on a CSR table, one score a row, changing state.w in place; rate·λ must be below 1.

    looks (k, size): filled with the points after every `every` steps and at the end.
    """
    rows, order, batch, w = model.rows, segment.order, segment.batch, state.w
    n, d, last, steps, looked = order.shape[0], model.d, w.shape[0] - 1, paces.shape[0], 0
    ridge = pull(penalty, 1.0)
    lasso = cost(penalty, 1.0) - 0.5 * ridge
    scale, due = 1.0, 0.0  # P and S
    paid, forces = np.zeros(d if lasso > 0.0 else 0), np.empty(batch)  # paid[j]: S when v[j] was last settled
    v, intercept = w[:d], model.free * w[last]
    cycle = -(-n // batch)
    for k in range(steps):
        first = k % cycle * batch
        end = min(first + batch, n)
        for place in range(first, end):
            i = order[place]
            ahead(rows, order[min(place + SOON, n - 1)])
            if lasso > 0.0:
                catch_up(rows.indices[rows.indptr[i] : rows.indptr[i + 1]], due, paid, v)
            z = scale * dot(rows, i, v) + intercept + model.offset[i]
            forces[place - first] = model.weights[i] * derivative(model.loss, model.y[i], z) / (end - first)
        scale *= 1.0 - paces[k] * ridge
        for place in range(first, end):
            force = paces[k] * forces[place - first]
            push(rows, order[place], -force / scale, v)
            intercept -= model.free * model.free * force
        due += paces[k] * lasso / scale
        if (k + 1) % every == 0 or k + 1 == steps or scale < FAINT:
            settle_all(scale, due, paid, v)
            paid[:] = 0.0
            scale, due = 1.0, 0.0
            if model.free > 0:
                w[last] = intercept / model.free
            if (k + 1) % every == 0 or k + 1 == steps:
                looks[looked] = w
                looked += 1


@compiled
def soft(v: Any, owed: Any) -> Any:
    """v moved to zero by as much as is owed, at most all the way."""
    left = abs(v) - owed
    return math.copysign(left, v) if left > 0.0 else 0.0 * v


@compiled
def catch_up(columns: Any, due: Any, paid: Any, v: Any) -> None:
    """Settle what those columns owe."""
    for place in range(columns.shape[0]):
        j = np.uint64(columns[place])
        v[j] = soft(v[j], due - paid[j])
        paid[j] = due


@compiled
def settle_all(scale: Any, due: Any, paid: Any, v: Any) -> None:
    """v ← the coefficients, all that is owed settled."""
    for j in range(paid.shape[0]):
        v[j] = soft(v[j], due - paid[j])
    for j in range(v.shape[0]):
        v[j] *= scale
