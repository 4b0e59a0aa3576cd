"""Stochastic steps whose length the step's own rows decide: by a line search, or by Polyak's rule."""

from typing import Any, NamedTuple

import numpy as np

from fallline.kernels.bridge import compiled, stands_for
from fallline.kernels.penalty import cost_of
from fallline.kernels.sums import row_loss
from fallline.kernels.walk import note, slope_of, span, stride

SHORTENINGS = 200  # of a step at most; 0.9 to this power is 7e-10


class ArmijoSearch(NamedTuple):
    """From the last step's length times growth^(batch/n), shortened until the rows' loss falls by sufficient·rate·‖g‖²."""

    sufficient: float
    shrink: float
    growth: float


class PolyakLength(NamedTuple):
    """(loss of the rows − lowest)/(share·‖g‖² + damping)."""

    share: float
    lowest: float
    damping: float


@compiled
def height_of(model: Any, penalty: Any, rows: Any, w: Any, z: Any) -> Any:
    """Mean loss at w of `rows`, and the penalty."""
    total = 0.0
    for place in range(rows.shape[0]):
        total += row_loss(model, rows[place], w, z)
    return total / rows.shape[0] + cost_of(penalty, w, model.d * z.shape[0])


def length(
    rule: Any, model: Any, penalty: Any, rows: Any, w: Any, g: Any, cap: Any, numbers: Any, trial: Any, z: Any
) -> Any:
    """How far a step on `rows` goes along −g, at most `cap`. numbers: the last step's length, visits; trial: room for a point."""


@stands_for(length)
def _length(
    rule: Any, model: Any, penalty: Any, rows: Any, w: Any, g: Any, cap: Any, numbers: Any, trial: Any, z: Any
) -> Any:
    return searched if rule.instance_class is ArmijoSearch else polyak


def searched(
    rule: Any, model: Any, penalty: Any, rows: Any, w: Any, g: Any, cap: Any, numbers: Any, trial: Any, z: Any
) -> Any:
    """By backtracking from the last step's length, or from the cap before the first."""
    height, square = height_of(model, penalty, rows, w, z), squared(g)
    rate = min(cap, numbers[0] * rule.growth ** (rows.shape[0] / model.y.shape[0])) if numbers[0] > 0.0 else cap
    for _ in range(SHORTENINGS):
        numbers[1] += rows.shape[0]
        for j in range(g.shape[0]):
            trial[j] = w[j] - rate * g[j]
        if height_of(model, penalty, rows, trial, z) <= height - rule.sufficient * rate * square:
            break
        rate *= rule.shrink
    return rate


def polyak(
    rule: Any, model: Any, penalty: Any, rows: Any, w: Any, g: Any, cap: Any, numbers: Any, trial: Any, z: Any
) -> Any:
    """By Polyak's rule."""
    rate = (height_of(model, penalty, rows, w, z) - rule.lowest) / (rule.share * squared(g) + rule.damping)
    return min(cap, max(rate, 0.0))


@compiled
def squared(g: Any) -> Any:
    """‖g‖²."""
    total = 0.0
    for j in range(g.shape[0]):
        total += g[j] * g[j]
    return total


@compiled
def search(model: Any, penalty: Any, rule: Any, walk: Any, z: Any) -> Any:
    """Walk a segment by such a rule. Rows without a gradient are passed over. memory: the last step's length, and visits."""
    w, numbers, g, trial = walk.w, walk.memory[0], np.empty_like(walk.w), np.empty_like(walk.w)
    order, paces, between = walk.order, walk.paces, stride(walk)
    numbers[1] = 0.0
    for k in range(paces.shape[0]):
        first, last = span(order.shape[0], walk.batch, k)
        rows = order[first:last]
        numbers[1] += 2 * rows.shape[0]  # for a height and a gradient
        slope_of(model, penalty, rows, w, z, g)
        if squared(g) > 0.0:
            rate = length(rule, model, penalty, rows, w, g, paces[k], numbers, trial, z)
            numbers[0] = rate
            for j in range(g.shape[0]):
                w[j] -= rate * g[j]
        if k + 1 == paces.shape[0] or (k + 1) % between == 0:
            note(walk, k)
