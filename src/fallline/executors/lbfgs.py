"""L-BFGS: Newton's method with a curvature that is remembered from the last steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.passing import Passing
from fallline.samplers import Batch

Array = np.ndarray[Any, Any]

TRIALS = 60  # of a line search; an interval halved that often is empty
ROUNDING = 1e-15  # of the height: a rise by less is no rise


class LBFGS(NamedTuple):
    """The direction that the last `history` steps' changes of the gradient call for (Liu & Nocedal 1989, alg. 2.1).

    Each step is searched for by doubling and halving until the height falls by `sufficient` of what the slope promises and the
    slope along it by at least `1 − flatter` (weak Wolfe conditions, Lewis & Overton 2013, alg. 2.6). Needs all rows a step, a
    smooth loss and a smooth penalty; no rate. Each height and each gradient taken visits every row; a step seldom takes more than
    one of each.
    """

    history: int = 10
    sufficient: float = 1e-4
    flatter: float = 0.9

    def sampler(self, seed: int = 0) -> Batch:
        """The rows that it is meant for."""
        return Batch()

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The gradient here; the last steps and changes of the gradient, newest last; how many there are; visits."""
        terms.smooth_loss(objective, "LBFGS")
        terms.no_prox(objective, "LBFGS")
        empty = np.zeros((self.history, len(w)))
        return objective.gradient(w, slice(None)), empty, empty.copy(), np.zeros(2)

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: visits in the last segment."""
        return {"visits": float(state.memory[3][1])}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_step(step, "LBFGS")
        terms.own_rate(schedule, state, "LBFGS")
        terms.every_row(objective, segment, "LBFGS")
        passing = Passing(state, segment, average, every)
        w, (g, steps, turns, kept) = state.w, state.memory
        many = int(kept[0])
        height, passes = objective.value(w), 1
        for _ in range(segment.length):
            direction = -two_loops(g, steps[self.history - many :], turns[self.history - many :])
            first = 1.0 if many else 1.0 / max(1.0, float(np.linalg.norm(g)))
            new, height, slope, looked = self.search(objective, w, height, g, direction, first)
            passes += looked
            moved, turned = new - w, slope - g
            if (
                float(moved @ turned) > np.finfo(float).eps * float(turned @ turned) > 0.0
            ):  # else no curvature to remember
                steps, turns = np.vstack([steps[1:], moved]), np.vstack([turns[1:], turned])
                many = min(many + 1, self.history)
            elif not moved.any():
                many = 0  # the search found nothing: start afresh along the gradient
            w, g = new, slope
            passing.note(w)
        return passing.end(w, g, steps, turns, np.array([float(many), float(passes * objective.n)]))

    def search(
        self, objective: Any, w: Array, height: float, g: Array, direction: Array, t: float
    ) -> tuple[Array, float, Array, int]:
        """A point along `direction` that meets the weak Wolfe conditions, its height and gradient, and the passes taken.

        w itself if none is found.
        """
        promised, passes = float(g @ direction), 0
        low, high = 0.0, np.inf
        for _ in range(TRIALS):
            new = w + t * direction
            value = objective.value(new)
            passes += 1
            if not value <= height + self.sufficient * t * promised + ROUNDING * abs(height):
                high = t
            else:
                slope = objective.gradient(new, slice(None))
                passes += 1
                if float(slope @ direction) >= self.flatter * promised:
                    return new, value, slope, passes
                low = t
            t = 2.0 * low if high == np.inf else 0.5 * (low + high)
        return w, height, g, passes


def two_loops(g: Array, steps: Array, turns: Array, first: Callable[[Array], Array] = lambda g: g) -> Array:
    """The inverse curvature that the steps (k, size) and turns (k, size) stand for, times g (Nocedal & Wright 2006, alg. 7.4).

    first: a first guess of it, but for its scale.
    """
    if not len(steps):
        return first(g)
    out, shares = g.copy(), []
    bends = np.einsum("ij,ij->i", steps, turns).tolist()
    for moved, turned, bend in zip(steps[::-1], turns[::-1], bends[::-1], strict=True):
        shares.append(float(moved @ out) / bend)
        out -= shares[-1] * turned
    out = first(out) * (bends[-1] / float(turns[-1] @ first(turns[-1])))
    for moved, turned, bend, share in zip(steps, turns, bends, shares[::-1], strict=True):
        out += (share - float(turned @ out) / bend) * moved
    return out
