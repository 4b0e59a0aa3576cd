"""A rate that sets itself: from how the gradient changed over the last step, with no line search and no second loop.

The gauges below put the two numbers that it needs into the trace, so the rate is a function of the trace alone, like
every schedule that reacts. They need an objective that remembers the gradient at the walk's last two points (`Watched`).
"""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.schedules import Constant

Array = np.ndarray[Any, Any]


class Curvature(NamedTuple):
    """‖Δg‖/‖Δw‖ over the last step: how fast the gradient turns. At the start, along the gradient; inf if nothing moved."""

    def name(self) -> str:
        return "curvature"

    def read(self, objective: Any, w: Array) -> float:
        moved, turned = last_step(objective, w)
        length = float(np.linalg.norm(moved))
        return float(np.linalg.norm(turned)) / length if length > 0.0 else math.inf


class SecantRate(NamedTuple):
    """Δw·Δg/‖Δg‖² over the last step: one over the curvature that it met (Barzilai & Borwein 1988, eq. 5).

    Where f bent down along the step, Δw·Δg ≤ 0, it is ‖Δw‖/‖Δg‖: the size of that curvature.
    """

    def name(self) -> str:
        return "secant_rate"

    def read(self, objective: Any, w: Array) -> float:
        moved, turned = last_step(objective, w)
        square, product = float(turned @ turned), float(moved @ turned)
        if not square > 0.0:
            return math.inf
        return product / square if product > 0.0 else float(np.linalg.norm(moved)) / math.sqrt(square)


def last_step(objective: Any, w: Array) -> tuple[Array, Array]:
    """What the last step changed in the point and in the gradient; at the start, what a tiny one would."""
    objective.gradient(w)
    (point, slope), *earlier = objective.last
    if earlier:
        return point - earlier[0][0], slope - earlier[0][1]
    return tiny_step(objective, point, slope)


def tiny_step(objective: Any, w: Array, direction: Array) -> tuple[Array, Array]:
    """A step against `direction` so short that only the second derivative shows: the move, and the gradient's change."""
    length = float(np.linalg.norm(direction))
    if length == 0.0:
        return np.zeros_like(w), np.zeros_like(w)
    move = -1e-5 * max(1.0, float(np.linalg.norm(w))) / length * direction
    return move, objective.probe(w + move) - objective.gradient(w)


class Secant(NamedTuple):
    """The rate that the last step recommends; bold while the loss keeps falling, cautious for a while after it rose.

    Bold: `secant_rate`, at most `growth` times the last rate (Barzilai & Borwein 1988). It lets the loss rise now and then
    and is many times as fast as any constant rate, but may run away where the curvature falls off (Burdakov, Dai & Huang
    2019). Cautious, when in the last `window` looks the loss stood above all of the `window` before it:
    min(√(1 + θ)·last rate, 1/(2·curvature)), with θ the last growth of the rate (Malitsky & Mishchenko 2020, alg. 1),
    which converges on every smooth convex function. For plain steps, looked at after every one. rate: of the first step.
    """

    rate: float = 0.01
    growth: float = 10.0
    window: int = 10

    def react(self, trace: Any) -> Constant:
        """The rate of the next step, from the trace's losses, rates, curvatures and secant rates."""
        if len(trace) < 2:
            return Constant(self.rate)
        rates = trace.columns["rate"]
        last = rates[-1]
        if self._rose(trace.columns["loss"][-2 * self.window :]):
            theta = last / rates[-2] if len(trace) > 2 else 1.0
            return Constant(min(math.sqrt(1.0 + theta) * last, 0.5 / max(trace.last("curvature"), 1e-300)))
        return Constant(min(trace.last("secant_rate") or last, self.growth * last))

    def _rose(self, losses: list[float]) -> bool:
        """Whether one of the last `window` losses stands above all of the `window` before it."""
        recent = range(max(1, len(losses) - self.window), len(losses))
        return any(losses[k] > max(losses[max(0, k - self.window) : k]) for k in recent)

    def at(self, t: float) -> float:
        return self.rate


def first_rate(objective: Any) -> float:
    """Half of one over the curvature along the gradient at the start, and no first step beyond the size of the point."""
    w = objective.start()
    slope = objective.gradient(w)
    moved, turned = tiny_step(objective, w, slope)
    length, reach = float(np.linalg.norm(slope)), max(1.0, float(np.linalg.norm(w)))
    if length == 0.0:
        return 1.0  # no step will be made
    bend = float(np.linalg.norm(turned))
    return min(0.5 * float(np.linalg.norm(moved)) / bend if bend > 0.0 else math.inf, reach / length)


def largest_curvature(objective: Any, rounds: int = 20) -> float:
    """The largest |second derivative| at the start in any direction: power iteration on differences of gradients."""
    w = objective.start()
    direction = np.random.default_rng(0).normal(size=len(w))
    curvature = 0.0
    for _ in range(rounds):
        moved, turned = tiny_step(objective, w, direction)
        curvature = float(np.linalg.norm(turned) / np.linalg.norm(moved))
        if not 0.0 < curvature < math.inf:
            break
        direction = turned
    return curvature
