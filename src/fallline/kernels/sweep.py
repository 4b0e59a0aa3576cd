"""A sweep: a segment of a walk, compiled. The same steps as `descent.by_hand`, for any model, penalty and step rule."""

from typing import Any

import numpy as np

from fallline.kernels.blocks import SOON, ahead
from fallline.kernels.bridge import compiled, stands_for
from fallline.kernels.sums import row_slope
from fallline.methods import at, begin, derivative, dot, gain, prox, pull, update, weight

Array = np.ndarray[Any, Any]


def recall(memory: Any, j: Any) -> Any:
    """What a step rule remembers of coordinate j: as many numbers as it keeps arrays."""


def remember(memory: Any, j: Any, numbers: Any) -> Any:
    """Put them back."""


@stands_for(recall)
def _recall(memory: Any, j: Any) -> Any:
    return (
        lambda memory, j: (),
        lambda memory, j: (memory[0][j],),
        lambda memory, j: (memory[0][j], memory[1][j]),
        lambda memory, j: (memory[0][j], memory[1][j], memory[2][j]),
    )[len(memory)]


@stands_for(remember)
def _remember(memory: Any, j: Any, numbers: Any) -> Any:
    def none(memory: Any, j: Any, numbers: Any) -> None:
        pass

    def one(memory: Any, j: Any, numbers: Any) -> None:
        memory[0][j] = numbers[0]

    def two(memory: Any, j: Any, numbers: Any) -> None:
        memory[0][j] = numbers[0]
        memory[1][j] = numbers[1]

    def three(memory: Any, j: Any, numbers: Any) -> None:
        memory[0][j] = numbers[0]
        memory[1][j] = numbers[1]
        memory[2][j] = numbers[2]

    return (none, one, two, three)[len(memory)]


@compiled
def rates(schedule: Any, t: Any, out: Any) -> Any:
    """out ← the rates of the steps after step t."""
    for k in range(out.shape[0]):
        out[k] = at(schedule, t + k + 1)


@compiled
def weights(average: Any, t: Any, out: Any) -> Any:
    """out ← the average's weights of the steps after step t."""
    for k in range(out.shape[0]):
        out[k] = weight(average, t + k + 1)


@compiled
def move(penalty: Any, step: Any, g: Any, w: Any, memory: Any, t: Any, rate: Any, penalised: Any) -> Any:
    """One step from a gradient of the mean loss: the penalty's pull, the rule, the penalty's prox."""
    for j in range(penalised):
        g[j] += pull(penalty, w[j])
    c = begin(step, t, g)
    for j in range(penalised):
        change, numbers = update(step, g[j], w[j], recall(memory, j), c)
        w[j] = prox(penalty, w[j] - rate * change, rate * gain(step, numbers, c))
        remember(memory, j, numbers)
    for j in range(penalised, w.shape[0]):
        change, numbers = update(step, g[j], w[j], recall(memory, j), c)
        w[j] -= rate * change
        remember(memory, j, numbers)


@compiled
def blend(mean: Any, w: Any, share: Any) -> Any:
    """mean ← the newest point's share of w and the rest of itself."""
    for j in range(w.shape[0]):
        mean[j] = w[j] if share == 1.0 else mean[j] + share * (w[j] - mean[j])


@compiled
def sweep(
    model: Any, penalty: Any, step: Any, segment: Any, paces: Any, shares: Any, state: Any, every: Any, looks: Any, z: Any
) -> Any:  # fmt: skip
    """Walk a segment, changing the arrays of `state` in place.

    paces: the rate of each step; shares: the newest point's share in the mean, or empty where the last point counts.
    looks (k, size): filled with the points after every `every` steps and at the end; z: room for a score a class.
    """
    w, memory, mean, order, batch = state.w, state.memory, state.mean, segment.order, segment.batch
    g = np.empty_like(w)
    n, steps, size = order.shape[0], paces.shape[0], w.shape[0]
    penalised, looked = model.d * z.shape[0], 0
    cycle = -(-n // batch)  # steps until the order begins again
    for k in range(steps):
        first = k % cycle * batch
        last = min(first + batch, n)
        g[:] = 0.0
        for place in range(first, last):
            ahead(model.rows, order[min(place + SOON, n - 1)])
            row_slope(model, order[place], w, z, 1.0 / (last - first), g)
        move(penalty, step, g, w, memory, state.t + k + 1, paces[k], penalised)
        if shares.shape[0] > 0:
            blend(mean, w, shares[k])
        if (k + 1) % every == 0 or k + 1 == steps:
            for j in range(size):
                looks[looked, j] = mean[j] if shares.shape[0] > 0 else w[j]
            looked += 1


@compiled
def sweep_single(
    model: Any, penalty: Any, step: Any, segment: Any, paces: Any, shares: Any, state: Any, every: Any, looks: Any
) -> Any:  # fmt: skip
    """The same as `sweep` for steps of one row, one score a row, on a dense table: the gradient is never written down.

    1.5 times as fast at 50 columns. Only for rules whose `begin` does not read the gradient.
    """
    w, memory, mean, order = state.w, state.memory, state.mean, segment.order
    X, d, n, size, steps = model.rows.X, model.d, segment.order.shape[0], state.w.shape[0], paces.shape[0]
    place, left, looked = 0, every, 0  # counted by hand: three divisions a step are a third of it
    for k in range(steps):
        i, rate, soon = order[place], paces[k], place + SOON
        ahead(model.rows, order[soon if soon < n else 0])
        place = place + 1 if place + 1 < n else 0
        x = X[i]
        score = dot(model.rows, i, w) + model.free * w[size - 1] + model.offset[i]
        force = model.weights[i] * derivative(model.loss, model.y[i], score)
        c = begin(step, state.t + k + 1, w)
        for j in range(d):
            change, numbers = update(step, force * x[j] + pull(penalty, w[j]), w[j], recall(memory, j), c)
            w[j] = prox(penalty, w[j] - rate * change, rate * gain(step, numbers, c))
            remember(memory, j, numbers)
        for j in range(d, size):
            change, numbers = update(step, force, w[j], recall(memory, j), c)
            w[j] -= rate * change
            remember(memory, j, numbers)
        if shares.shape[0] > 0:
            blend(mean, w, shares[k])
        left -= 1
        if left == 0 or k + 1 == steps:
            for j in range(size):
                looks[looked, j] = mean[j] if shares.shape[0] > 0 else w[j]
            left, looked = every, looked + 1
