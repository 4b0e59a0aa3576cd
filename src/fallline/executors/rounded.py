"""Losses with corners: Newton-like steps on the loss rounded, more finely as the walk comes closer."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.known import HEIGHT, known
from fallline.executors.level import level_of
from fallline.executors.newton import Found, Point, at, direction, newton, root_at, search
from fallline.executors.sketched import PILOT_RIDGE
from fallline.executors.truncated import downhill
from fallline.executors.truncated import search as orthant
from fallline.kernels import passes as kernels
from fallline.losses import CLASSIFICATION
from fallline.losses.smoothed import Smoothed
from fallline.objectives.coordinates import WIDEST, Coordinates, plain, standard
from fallline.objectives.passes import height_at_zero
from fallline.objectives.products import curvature_product, stand_in_diagonal
from fallline.objectives.variants import subset, with_loss
from fallline.samplers import Sketch

Array = np.ndarray[Any, Any]

NARROWER = 0.4  # the next window over the last
STAGES = 4  # windows on the sketch, before all rows are read
ROUGH = 1e-3  # of the height: how far each of them goes, and how much rounding may add where a start is given
WINDOWS = 20  # at most, until one is narrow enough for a start
SETTLED = 0.3  # of the estimated excess: once a rounded step promises less, rounding is what is wrong
BENDING = 50  # rows a parameter that are read for the curvature, of those in the window
SINGLE = 1.5  # rows a parameter in the window, up to which duality leaves nothing open but the excess
TELLING = 30  # rows a parameter in the window, for the rounded curvature to tell how the loss itself bends
EVEN = 0.3  # of the variance that rows' places in the window have if they are spread evenly
WIDTH = 4  # in numbers, after those of the sketched solver


class Memory(NamedTuple):
    """What the solver remembers of its walk."""

    best: Array  # (size,) the lowest point so far
    centre: Array  # (d,) of each column
    spread: Array  # (d,)
    numbers: Array  # height of the best point, estimated excess, length of the last step, rows visited, the window


class Rounded(NamedTuple):
    """Newton's method on the loss averaged over a window of scores, which narrows (smoothing, Nesterov 2005; here Steklov's).

    Only rows whose score is within the window of a corner bend, and their curvature is what a step needs. Its answer is
    the lowest point met. The excess is estimated by the loss's own gradient in the rounded curvature, half its squared
    decrement; with few rows near corners by a geometric mean of that, twice, and what duality leaves open, which is mostly too
    high. One score a row; any penalty; no rate.
    """

    def sampler(self, seed: int = 0) -> Sketch:
        """The rows that it is meant for."""
        return Sketch(seed=seed)

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def start(self, objective: Any, w: Array) -> Memory:
        """Nothing known yet."""
        terms.one_score(objective, "Rounded")
        d = objective.model.d
        height = math.nan if w.any() else height_at_zero(objective)
        return Memory(w, np.zeros(d), np.zeros(d), np.array([height, math.inf, math.nan, 0.0, math.nan]))

    def readings(self, state: State) -> dict[str, float]:
        """What it knows at the best point."""
        return {**known(state.memory[-1]), "window": float(state.memory[-1][WIDTH])}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment: one step (see descent.by_hand)."""
        terms.all_its_own("Rounded", step, schedule, state, average)
        n, memory = objective.n, Memory(*state.memory)
        w, width, visits = state.w, float(memory.numbers[WIDTH]), 0.0
        best, height = memory.best, float(memory.numbers[HEIGHT])
        own = plain(objective)._replace(centre=memory.centre, spread=memory.spread)
        if not memory.spread.any():
            own, _ = standard(objective)
            rows = segment.order[: max(len(segment.order) - n, 0)]
            part = subset(objective, rows) if 0 < len(rows) < n else objective
            width = window(part)
            if w.any():
                height = objective.value(w)
                width, visits = fitting(objective, w, height, width)
            else:
                w, height = level_of(part), math.inf
                if not wide(own):
                    w, width, visits = pilot(part, w, width, own)
        rounded = with_loss(objective, Smoothed(objective.loss, width))
        point, model = at(rounded, w), model_of(rounded, w, own)
        found = (orthant if wide(own) else search)(rounded, point, model(point).p)
        true = at(objective, found.point.w)
        left, above, excess = estimates(rounded, point, found, true, model, own)
        visits += n * (found.passes + 5.0)
        if true.height < height:
            best, height = true.w, true.height
        numbers = np.array([height, min(excess, height), found.length, visits, width])
        if left < SETTLED * above or found.length == 0.0:
            numbers[WIDTH] = NARROWER * width
        kept = Memory(best, own.centre, own.spread, numbers)
        return State(true.w, kept, best, state.t + 1, state.segments + 1), best[None]


def estimates(
    rounded: Any, point: Point, found: Found, true: Point, model: Callable[[Point], Any], own: Coordinates
) -> tuple[float, float, float]:
    """What the rounded objective still promises after the step, the excess at most if that is right, and the excess about."""
    left, excess = model(found.point).promised, model(true).promised
    gap, many, evenly = kernels.shortfalls(rounded.model, true.w)
    heaped = evenly < EVEN  # a heap of rows on the corner itself is a corner of the objective, no curvature
    if many >= TELLING * rounded.size and not heaped:
        return left, excess, excess
    if found.length < 1.0:
        left = max(left, model(point).promised - (point.height - found.point.height))
    if left < SETTLED * gap:  # settled, if those rows that bend here say so too
        left = max(left, model_of(rounded, found.point.w, own)(found.point).promised)
    above = left + float(gap)
    return left, above, above if heaped or many < SINGLE * rounded.size else math.cbrt(excess * excess * above)


def fitting(objective: Any, w: Array, height: float, width: float) -> tuple[float, float]:
    """The widest window that leaves the height of a start that somebody gave nearly as it is, and the visits."""
    passes = 1.0
    while (
        with_loss(objective, Smoothed(objective.loss, width)).value(w) > (1.0 + ROUGH) * height > 0.0
        and passes < WINDOWS
    ):
        width, passes = NARROWER * width, passes + 1.0
    return width, passes * objective.n


def pilot(part: Any, w: Array, width: float, own: Coordinates) -> tuple[Array, float, float]:
    """Newton's method on a few rows under ever narrower windows, roughly; the point, the next window, the visits."""
    visits, ridge = 0.0, PILOT_RIDGE * part.size / part.n
    for _ in range(STAGES):
        settled = newton(with_loss(part, Smoothed(part.loss, width)), w, ROUGH, 10, own, ridge)
        w, width, visits = settled.point.w, NARROWER * width, visits + settled.passes * part.n
    return w, width, visits


def model_of(rounded: Any, w: Array, own: Coordinates) -> Callable[[Point], Any]:
    """point → the step and what it promises, under the curvature at w: by a matrix or, for wide models, without."""
    if not wide(own):
        root = root_at(rounded, w, own, most=BENDING * rounded.size)
        return lambda point: direction(rounded, point, root, own)
    diagonal, times = stand_in_diagonal(rounded, w, own), curvature_product(rounded, w, own)
    return lambda point: downhill(rounded, point, diagonal, own, times)


def wide(own: Coordinates) -> bool:
    """Whether a matrix would be too large."""
    return own.width > WIDEST


def window(objective: Any) -> float:
    """How wide to begin: as the targets spread; for two classes so wide that both corners are seen from a score of zero."""
    return 2.0 if type(objective.loss) in CLASSIFICATION.values() else float(np.std(objective.model.y)) or 1.0
