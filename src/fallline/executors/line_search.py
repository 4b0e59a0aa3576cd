"""Gradient descent whose step length is searched for: Armijo's rule, with the penalty's proximal step."""

from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.passing import Passing
from fallline.samplers import Batch

Array = np.ndarray[Any, Any]

PROBE = 1e-6  # of the size of w: how far the gradient is looked at to guess the first step
SHORTENINGS = 60  # halvings at most; shorter steps change nothing
ROUNDING = 1e-15  # of the height: a rise by less is no rise


class Armijo(NamedTuple):
    """Gradient descent that shortens each step until it pays, and tries a longer one next (Armijo 1966).

    A step to u = prox(w − rate·g, rate) is taken when F(u) ≤ F(w) − sufficient/rate·‖u − w‖², which without an L1 share is
    Armijo's F(w) − sufficient·rate·‖g‖². Needs all rows a step, and no rate; `growth` is by how much each search begins longer
    than the last one ended. Each gradient and each length tried visits every row.
    """

    sufficient: float = 0.25
    shrink: float = 0.5
    growth: float = 2.0

    def sampler(self, seed: int = 0) -> Batch:
        """The rows that it is meant for."""
        return Batch()

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The length to be tried first; visits."""
        terms.smooth_loss(objective, "Armijo")
        return (np.array([first_length(objective, w), 0.0]),)

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: visits in the last segment, and how long its last step was."""
        return {"visits": float(state.memory[0][1]), "step_length": float(state.memory[0][0]) / self.growth}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "Armijo")
        terms.own_rate(schedule, state, "Armijo")
        terms.every_row(objective, segment, "Armijo")
        passing = Passing(state, segment, average, every)
        w, rate = state.w, float(state.memory[0][0])
        height, passes = objective.value(w), 1
        for _ in range(segment.length):
            g = objective.gradient(w, slice(None))
            w, height, taken, tried = shortened(objective, w, g, rate, height, self.sufficient, self.shrink)
            rate, passes = self.growth * taken if taken > 0.0 else rate, passes + 1 + tried
            passing.note(w)
        return passing.end(w, np.array([rate, float(passes * objective.n)]))


def shortened(
    objective: Any, w: Array, g: Array, rate: float, height: float, sufficient: float, shrink: float
) -> tuple[Array, float, float, int]:
    """The first point of w − rate·g, rate·shrink, … that is below `height` by enough.

    Returns it, its height, the rate it took, and how many were tried. Where none is, w itself and a rate of 0: w is the
    optimum to rounding.
    """
    for tried in range(1, SHORTENINGS):
        new = objective.prox(w - rate * g, rate)
        value = objective.value(new)
        if value <= height - sufficient / rate * float((new - w) @ (new - w)) + ROUNDING * abs(height):
            return new, value, rate, tried
        rate *= shrink
    return w, objective.value(w), 0.0, SHORTENINGS


def first_length(objective: Any, w: Array) -> float:
    """One over the curvature along the gradient at w, from how the gradient changes on a tiny step; 1 where it does not."""
    g = objective.gradient(w, slice(None))
    length = float(np.linalg.norm(g))
    if not 0.0 < length < np.inf:
        return 1.0
    tiny = PROBE * max(1.0, float(np.linalg.norm(w))) / length
    turned = float(np.linalg.norm(objective.gradient(w - tiny * g, slice(None)) - g))
    return tiny * length / turned if turned > 0.0 else 1.0
