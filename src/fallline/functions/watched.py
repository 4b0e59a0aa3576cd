"""A function given by a user as an objective: checked at the start, counted, and differentiated where it must be."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import approx_fprime

from fallline.errors import InputError
from fallline.objectives.function import Function

Array = np.ndarray[Any, Any]

NUMERICAL = "central differences (scipy.optimize.approx_fprime)"
NEAR = np.finfo(float).eps ** (1 / 3)  # the step at which central differences err least in float64
FAR = 1e-3  # a second step, at which a function computed in float32 still has a slope
WRONG = 0.05  # a slope off by this share of itself, at both steps, is a wrong formula and no rounding


class Watched(Function):
    """f as an objective to go down: sign·f. Counts every call, and remembers the gradient at the walk's last two points.

    Raises InputError for a start that is no vector of numbers, and for a function or gradient that is none there. A call
    that overflows later on is a height of infinity, so that the walk ends as diverged and not with an error.
    """

    def __init__(
        self, f: Callable[[Array], Any], w0: Any, gradient: Callable[[Array], Any] | None = None, sign: float = 1.0
    ) -> None:
        super().__init__(f, gradient or self._differences, _vector(w0))
        self.sign, self.given = sign, gradient is not None
        self.heights = self.slopes = 0  # calls of f, gradients taken
        self.last: tuple[tuple[Array, Array], ...] = ()  # up to two (point, gradient), the newest first
        self._refuse_height()
        self._refuse_slope()

    @property
    def source(self) -> str:
        """Where the gradient comes from, in words."""
        return "given" if self.given else NUMERICAL

    def value(self, w: Array) -> float:
        """sign·f(w)."""
        self.heights += 1
        try:
            return self.sign * float(np.asarray(self.f(w)).item())
        except (OverflowError, ZeroDivisionError):
            return math.inf

    def gradient(self, w: Array, rows: Any = slice(None)) -> Array:
        """sign·∇f(w); asked again at either of the last two points, it is remembered."""
        for point, slope in self.last:
            if np.array_equal(point, w):
                return slope
        slope = self.probe(w)
        self.last = ((w, slope), *self.last[:1])
        return slope

    def probe(self, w: Array) -> Array:
        """sign·∇f(w) at a point that the walk has not come to."""
        self.slopes += 1
        try:
            return self.sign * np.atleast_1d(np.asarray(self.slope(w), dtype=float))
        except (OverflowError, ZeroDivisionError):
            return np.full_like(w, math.nan)

    def _differences(self, w: Array) -> Array:
        """∇f by central differences: the mean of SciPy's forward and backward ones."""
        ahead, behind = self._sides(w, NEAR)
        return 0.5 * self.sign * (ahead + behind)

    def _sides(self, w: Array, step: float) -> tuple[Array, Array]:
        steps = step * np.maximum(1.0, np.abs(w))
        return approx_fprime(w, self.value, steps), approx_fprime(w, self.value, -steps)

    def _refuse_height(self) -> None:
        height = np.asarray(self.f(self.w0))
        if height.size != 1 or height.dtype.kind not in "biuf":
            what = f"an array of shape {height.shape}" if height.size != 1 else f"{height.item()!r}"
            raise InputError(f"f(w0) is {what}: a function to minimise must return one real number.")
        if not np.isfinite(height).all():
            raise InputError(f"f(w0) is {height.item()} at w0 = {_words(self.w0)}: start where f is a finite number.")

    def _refuse_slope(self) -> None:
        slope = self.gradient(self.w0)
        if slope.shape != self.w0.shape:
            raise InputError(
                f"gradient(w0) has shape {slope.shape}: it must have one number a coordinate of w0, {self.w0.shape}."
            )
        wrong = np.flatnonzero(~np.isfinite(slope))
        if len(wrong):
            j, whose = wrong[0], "gradient(w0)" if self.given else "the slope of f at w0, by differences,"
            raise InputError(f"{whose} is {slope[j]} in coordinate {j}: start where it is a finite number.")
        if self.given:
            self._refuse_wrong(slope)

    def _refuse_wrong(self, slope: Array) -> None:
        """Raise InputError for a gradient that the function clearly contradicts.

        The slope along one direction is compared first, whatever the size. At a kink anything between the slopes of the
        two sides is right; and it must be wrong at two step sizes, so that noise or float32 is not taken for a mistake.
        """
        direction = np.random.default_rng(0).choice([-1.0, 1.0], len(slope)) * np.maximum(1.0, np.abs(self.w0))
        line = Ray(self.value, self.w0, direction)
        if not all(_outside(float(slope @ direction), *line.sides(step)) for step in (NEAR, FAR)):
            return
        near, far = self._sides(self.w0, NEAR), self._sides(self.w0, FAR)
        gaps = [
            abs(given - 0.5 * (sides[0] + sides[1]))
            if all(_outside(given, *pair) for pair in (sides, far_sides))
            else 0.0
            for given, sides, far_sides in zip(slope, zip(*near, strict=True), zip(*far, strict=True), strict=True)
        ]
        if not any(gaps):
            return
        j = int(np.argmax(gaps))
        measured = 0.5 * (near[0][j] + near[1][j])
        raise InputError(
            f"gradient(w0) is {self.sign * slope[j]:.6g} in coordinate {j}, where f itself rises by"
            f" {self.sign * measured:.6g} a unit: correct the gradient, leave it out (it is then taken by differences),"
            " or, if it is meant to differ, walk it with descend(Function(f, gradient, w0), ...)."
        )


class Ray(NamedTuple):
    """A function along a line."""

    value: Callable[[Array], float]
    point: Array
    direction: Array

    def sides(self, step: float) -> tuple[float, float]:
        """Its slope a little ahead and a little behind."""
        middle = self.value(self.point)
        ahead = self.value(self.point + step * self.direction) - middle
        behind = middle - self.value(self.point - step * self.direction)
        return ahead / step, behind / step


def _outside(given: float, ahead: float, behind: float) -> bool:
    """Whether a slope is clearly outside the two one-sided ones. Never where these are no numbers."""
    room = WRONG * max(abs(given), abs(ahead), abs(behind))
    return bool(given > max(ahead, behind) + room or given < min(ahead, behind) - room)


def _vector(w0: Any) -> Array:
    try:
        w = np.atleast_1d(np.array(w0, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError(f"w0 is {w0!r}: it must be a vector of numbers.") from error
    if w.ndim > 1 or not w.size:
        raise InputError(f"w0 has shape {w.shape}: it must be a vector of one number or more; flatten it.")
    wrong = np.flatnonzero(~np.isfinite(w))
    if len(wrong):
        raise InputError(f"w0 is {w[wrong[0]]} in coordinate {wrong[0]}: every coordinate of a start must be finite.")
    return w


def _words(w: Array) -> str:
    shown = ", ".join(f"{number:.6g}" for number in w[:4])
    return f"({shown}{', ...' if len(w) > 4 else ''})"
