"""Gauges: extra columns that a trace can carry, each read from the objective and the point at every look.

A gauge is a part: `name()`, its column, with the settings that are not the usual ones, so that two of a kind are two columns;
`price(n)`, what a look at n rows costs, in gradients of all rows; and what reads it,
`read(objective, w)`, or `since(objective, w, back)` where it takes the looks before, too. To add one: write the class, add the
row.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError
from fallline.losses import CLASSIFICATION

Array = np.ndarray[Any, Any]

SHIFT = 1e-6  # of a point's length: how far apart two gradients are taken, whose difference is the curvature


class Back(NamedTuple):
    """What a gauge may look back on. Looks are after every so many steps, not after each."""

    start: Array  # where the walk began
    before: Array  # the look before this
    earlier: Array | None  # the one before that
    steps: int  # between the last two
    rate: float  # at the last step


def _named(name: str, gauge: Any) -> str:
    """A gauge as text: `name`, or `name:field=value,…` of fields that are not at their defaults."""
    usual = gauge._field_defaults
    own = [f"{field}={value}" for field, value in gauge._asdict().items() if value != usual[field]]
    return f"{name}:{','.join(own)}" if own else name


def _length(v: Array) -> float:
    """‖v‖. NumPy's own takes five times as long on short vectors, and gauges are to cost next to nothing."""
    return math.sqrt(float(v @ v))


class GradientNorm(NamedTuple):
    """Length of the gradient; with an L1 share, of the gradient mapping w − prox(w − g, 1). Zero only at an optimum."""

    def name(self) -> str:
        return "gradient_norm"

    def price(self, n: int) -> float:
        return 1.0

    def read(self, objective: Any, w: Array) -> float:
        g = objective.gradient(w, slice(None))
        return _length(w - objective.prox(w - g, 1.0))


class Validation(NamedTuple):
    """Mean loss, penalty included, on rows that the walk does not see: another objective of the same shape."""

    objective: Any

    def name(self) -> str:
        return "validation_loss"

    def price(self, n: int) -> float:
        return float(self.objective.n / n)

    def read(self, objective: Any, w: Array) -> float:
        return float(self.objective.value(w))


class Distance(NamedTuple):
    """Distance from a point, such as a known optimum."""

    point: Array

    def name(self) -> str:
        return "distance"

    def price(self, n: int) -> float:
        return 0.0

    def read(self, objective: Any, w: Array) -> float:
        return _length(w - self.point)


class Travelled(NamedTuple):
    """Distance from where the walk began: √t in a random walk, t where it goes straight on."""

    def name(self) -> str:
        return "travelled"

    def price(self, n: int) -> float:
        return 0.0

    def since(self, objective: Any, w: Array, back: Back) -> float:
        return _length(w - back.start)


class UpdateRatio(NamedTuple):
    """‖w − before‖/‖w‖: how much of the weights a look's updates changed."""

    def name(self) -> str:
        return "update_ratio"

    def price(self, n: int) -> float:
        return 0.0

    def since(self, objective: Any, w: Array, back: Back) -> float:
        return _length(w - back.before) / max(_length(w), 1e-300)


class Turn(NamedTuple):
    """The angle in degrees between the last two displacements: 0 straight on, 90 by chance, 180 to and fro."""

    def name(self) -> str:
        return "turn"

    def price(self, n: int) -> float:
        return 0.0

    def since(self, objective: Any, w: Array, back: Back) -> float:
        if back.earlier is None:
            return math.nan
        new, old = w - back.before, back.before - back.earlier
        lengths = _length(new) * _length(old)
        return math.degrees(math.acos(max(-1.0, min(1.0, float(new @ old) / lengths)))) if lengths > 0.0 else math.nan


class GradientSpread(NamedTuple):
    """tr C: the variance of one row's gradient, added over coordinates, from `rows` rows; 0: from all."""

    rows: int = 256
    seed: int = 0

    def name(self) -> str:
        return _named("gradient_spread", self)

    def price(self, n: int) -> float:
        return _visits(self.rows, n)

    def read(self, objective: Any, w: Array) -> float:
        return _spread(objective, w, self.rows, self.seed)


class NoiseScale(NamedTuple):
    """tr C/‖g‖²: the rows a step at which noise and signal are alike (McCandlish et al. 2018, eq. 2.9); tr C from `rows` rows."""

    rows: int = 256
    seed: int = 0

    def name(self) -> str:
        return _named("noise_scale", self)

    def price(self, n: int) -> float:
        return 1.0 + _visits(self.rows, n)

    def read(self, objective: Any, w: Array) -> float:
        g = objective.gradient(w, slice(None))
        return _spread(objective, w, self.rows, self.seed) / max(float(g @ g), 1e-300)


class StepCurvature(NamedTuple):
    """Δw·Δg/‖Δw‖²: the curvature along the last displacement, on average over it."""

    def name(self) -> str:
        return "step_curvature"

    def price(self, n: int) -> float:
        return 2.0

    def since(self, objective: Any, w: Array, back: Back) -> float:
        move = w - back.before
        square = float(move @ move)
        return (
            float(move @ (objective.gradient(w) - objective.gradient(back.before))) / square
            if square > 0.0
            else math.nan
        )


class Reach(NamedTuple):
    """How far the last displacement went along its line, by the parabola with its slopes at both ends: 1 is its bottom.

    Below 1 it undershot; at 2 it is as high on the other side, and beyond 2 higher.
    """

    def name(self) -> str:
        return "reach"

    def price(self, n: int) -> float:
        return 2.0

    def since(self, objective: Any, w: Array, back: Back) -> float:
        move = w - back.before
        first, last = float(move @ objective.gradient(back.before)), float(move @ objective.gradient(w))
        return 1.0 - last / first if first != 0.0 else math.nan


class Sharpness(NamedTuple):
    """λ₁·rate/2, λ₁ the largest curvature here: plain steps on all rows run away where it stays above 1 (Cohen et al. 2021).

    λ₁ by `rounds` of power iteration, from below.
    """

    rounds: int = 20

    def name(self) -> str:
        return _named("sharpness", self)

    def price(self, n: int) -> float:
        return 1.0 + self.rounds

    def since(self, objective: Any, w: Array, back: Back) -> float:
        g, v = objective.gradient(w), np.random.default_rng(0).standard_normal(len(w))
        largest, shift = 0.0, SHIFT * max(1.0, _length(w))
        for _ in range(self.rounds):
            v /= max(_length(v), 1e-300)
            turned = (objective.gradient(w + shift * v) - g) / shift
            largest, v = float(v @ turned), turned
        return 0.5 * back.rate * largest


class EffectiveRate(NamedTuple):
    """−Δw·g/(‖g‖²·steps), g the gradient at the look before: the rate at which plain steps would have gone as far down it."""

    def name(self) -> str:
        return "effective_rate"

    def price(self, n: int) -> float:
        return 1.0

    def since(self, objective: Any, w: Array, back: Back) -> float:
        g = objective.gradient(back.before)
        return -float((w - back.before) @ g) / max(float(g @ g) * back.steps, 1e-300)


class WithinMargin(NamedTuple):
    """The share of rows with y·z < 1: those that a hinge still pulls at. For two classes; raises InputError for others."""

    def name(self) -> str:
        return "within_margin"

    def price(self, n: int) -> float:
        return 0.5

    def refuse(self, objective: Any) -> None:
        """Raise InputError for an objective that has no margin."""
        if type(objective.loss) not in CLASSIFICATION.values():
            raise InputError(
                f"within_margin is for two classes, and the loss is {type(objective.loss).__name__}: leave the gauge out."
            )

    def read(self, objective: Any, w: Array) -> float:
        self.refuse(objective)
        return float(np.mean(objective.margins(w) < 1.0))


def _visits(rows: int, n: int) -> float:
    """What the spread of so many rows' gradients costs, in gradients of all: their mean, and each once more."""
    return 2.0 * min((rows or n) / n, 1.0)


def _spread(objective: Any, w: Array, rows: int, seed: int) -> float:
    """mean ‖gᵢ‖² − ‖mean gᵢ‖² over drawn rows, made unbiased; what a penalty pulls is common to all and falls out."""
    n = objective.n
    chosen = np.arange(n) if not rows or rows >= n else np.random.default_rng(seed).choice(n, rows, replace=False)
    spread = float(objective.spread(w, chosen))
    return spread if len(chosen) == n else spread * len(chosen) / (len(chosen) - 1) if len(chosen) > 1 else math.nan


GAUGES = {
    "gradient_norm": GradientNorm,
    "validation_loss": Validation,
    "distance": Distance,
    "travelled": Travelled,
    "update_ratio": UpdateRatio,
    "turn": Turn,
    "gradient_spread": GradientSpread,
    "noise_scale": NoiseScale,
    "step_curvature": StepCurvature,
    "reach": Reach,
    "sharpness": Sharpness,
    "effective_rate": EffectiveRate,
    "within_margin": WithinMargin,
}
WRITTEN = {name: made for name, made in GAUGES.items() if made not in (Validation, Distance)}
"""Those that text can name: the others take an objective or a point."""
FREE = (Travelled(), UpdateRatio(), Turn())
"""Those that cost no gradient."""
