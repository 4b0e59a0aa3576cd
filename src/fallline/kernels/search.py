"""Stochastic steps whose length the step's own rows decide: by a line search, or by Polyak's rule."""

from typing import Any, NamedTuple

import numpy as np

from fallline.kernels.bridge import compiled, stands_for
from fallline.kernels.penalty import cost_of
from fallline.kernels.sums import row_loss
from fallline.kernels.walk import looked, note, slope_of, span

SHORTENINGS = 200  # of a step at most; 0.9 to this power is 7e-10


class ArmijoSearch(NamedTuple):
    """From the last step's length times growth^(batch/n), shortened until the rows' loss falls by sufficient·rate·‖g‖²."""

    sufficient: float
    shrink: float
    growth: float


class PolyakLength(NamedTuple):
    """(loss of the rows − lowest)/(share·‖g‖²)."""

    share: float
    lowest: float


@compiled
def height_of(model: Any, penalty: Any, walk: Any, k: Any, w: Any, z: Any) -> Any:
    """Mean loss at w of the rows of step k, and the penalty."""
    first, last = span(walk, k)
    total = 0.0
    for place in range(first, last):
        total += row_loss(model, walk.order[place], w, z)
    return total / (last - first) + cost_of(penalty, w, model.d * z.shape[0])


def length(rule: Any, model: Any, penalty: Any, walk: Any, k: Any, g: Any, square: Any, trial: Any, z: Any) -> Any:
    """How far step k goes along −g, whose squared length is `square`; at most the schedule's rate."""


@stands_for(length)
def _length(rule: Any, model: Any, penalty: Any, walk: Any, k: Any, g: Any, square: Any, trial: Any, z: Any) -> Any:
    return searched if rule.instance_class is ArmijoSearch else polyak


def searched(rule: Any, model: Any, penalty: Any, walk: Any, k: Any, g: Any, square: Any, trial: Any, z: Any) -> Any:
    """By backtracking; `trial` is room for the point tried. memory: the last step's length, 0 before the first."""
    last, share = walk.memory[0], walk.batch / model.y.shape[0]
    height = height_of(model, penalty, walk, k, walk.w, z)
    rate = min(walk.paces[k], last[0] * rule.growth**share) if last[0] > 0.0 else walk.paces[k]
    for _ in range(SHORTENINGS):
        for j in range(g.shape[0]):
            trial[j] = walk.w[j] - rate * g[j]
        if height_of(model, penalty, walk, k, trial, z) <= height - rule.sufficient * rate * square:
            break
        rate *= rule.shrink
    last[0] = rate
    return rate


def polyak(rule: Any, model: Any, penalty: Any, walk: Any, k: Any, g: Any, square: Any, trial: Any, z: Any) -> Any:
    """By Polyak's rule. memory: the last step's length."""
    rate = (height_of(model, penalty, walk, k, walk.w, z) - rule.lowest) / (rule.share * square)
    rate = min(walk.paces[k], max(rate, 0.0))
    walk.memory[0][0] = rate
    return rate


@compiled
def search(model: Any, penalty: Any, rule: Any, walk: Any, z: Any) -> Any:
    """Walk a segment by such a rule. Rows without a gradient are passed over."""
    w, g, trial = walk.w, np.empty_like(walk.w), np.empty_like(walk.w)
    for k in range(walk.paces.shape[0]):
        slope_of(model, penalty, walk, k, w, z, g)
        square = 0.0
        for j in range(g.shape[0]):
            square += g[j] * g[j]
        if square > 0.0:
            rate = length(rule, model, penalty, walk, k, g, square, trial, z)
            for j in range(g.shape[0]):
                w[j] -= rate * g[j]
        if looked(walk, k):
            note(walk, k)
