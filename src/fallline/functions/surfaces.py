"""Named surfaces: functions with a gradient, known minima and a start, on which descent shows what it can and cannot do.

A maker returns a `Surface`; `minimize(s.f, s.start, s.gradient)` walks it. `f` takes a point (d,) or many, (..., d);
`gradient` takes one point. Every number that is claimed of a surface (slope, minima, where descent ends) is checked by a
test over the rows of `SURFACES`.
To add one: write the maker, add the row.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError

Array = np.ndarray[Any, Any]


class Surface(NamedTuple):
    """A function of a vector and what is known about it."""

    name: str
    source: str  # author and year
    f: Callable[[Array], Any]
    gradient: Callable[[Array], Array]
    minima: Array  # (minima, d): the points where f is lowest
    lowest: float  # f there
    start: Array  # (d,) the point from which it is usually walked
    bounds: tuple[float, float, float, float]  # low and high of the first two axes, for drawing
    ends: str  # where plain descent from the start ends: "minimum", "local minimum", "saddle", "plateau"


def bowl(condition: float = 10.0, size: int = 2, angle: float = 30.0) -> Surface:
    """½·wᵀHw with eigenvalues of H spaced evenly in logarithm from 1 to `condition`.

    angle: degrees by which each pair of neighbouring axes is turned; at 0 the axes are the eigenvectors. From the start
    every eigenvector is equally far from the minimum. Plain steps need about `condition` times ln(1/accuracy) updates.
    """
    if not condition >= 1.0:
        raise InputError(f"condition is {condition:g}: it is the largest curvature over the smallest, 1 or more.")
    turn = _turned(size, math.radians(angle))
    hessian = turn @ np.diag(np.geomspace(1.0, condition, size)) @ turn.T

    def f(w: Array) -> Any:
        return 0.5 * np.sum((w @ hessian) * w, axis=-1)

    def gradient(w: Array) -> Array:
        slope: Array = hessian @ w
        return slope

    start = turn @ np.full(size, 2.0)
    bounds = (-3.0, 3.0, -3.0, 3.0)
    return Surface("bowl", "Cauchy 1847", f, gradient, np.zeros((1, size)), 0.0, start, bounds, "minimum")


def _turned(size: int, angle: float) -> Array:
    """A rotation of `size` axes: by `angle` in the plane of each two neighbours, one after the other."""
    turn = np.eye(size)
    cos, sin = math.cos(angle), math.sin(angle)
    for j in range(size - 1):
        turn[:, [j, j + 1]] = turn[:, [j, j + 1]] @ np.array([[cos, -sin], [sin, cos]])
    return turn


def rosenbrock(size: int = 2) -> Surface:
    """Σ 100(wⱼ₊₁ − wⱼ²)² + (1 − wⱼ)²: a curved valley, 2,508 times as steep across as along at its end."""
    if size < 2:
        raise InputError(f"size is {size}: the Rosenbrock function couples neighbours and needs 2 coordinates or more.")

    def f(w: Array) -> Any:
        x, following = w[..., :-1], w[..., 1:]
        return np.sum(100.0 * (following - x**2) ** 2 + (1.0 - x) ** 2, axis=-1)

    def gradient(w: Array) -> Array:
        x, across = w[:-1], w[1:] - w[:-1] ** 2
        slope = np.zeros(size)
        slope[:-1] = -400.0 * x * across - 2.0 * (1.0 - x)
        slope[1:] += 200.0 * across
        return slope

    start = np.where(np.arange(size) % 2 == 0, -1.2, 1.0)
    bounds = (-2.0, 2.0, -1.0, 3.0)
    return Surface("rosenbrock", "Rosenbrock 1960", f, gradient, np.ones((1, size)), 0.0, start, bounds, "minimum")


def himmelblau() -> Surface:
    """(x² + y − 11)² + (x + y² − 7)²: four minima, all equally low; the start decides which one is reached."""

    def f(w: Array) -> Any:
        x, y = w[..., 0], w[..., 1]
        return (x**2 + y - 11.0) ** 2 + (x + y**2 - 7.0) ** 2

    def gradient(w: Array) -> Array:
        x, y = w
        first, second = x**2 + y - 11.0, x + y**2 - 7.0
        return np.array([4.0 * x * first + 2.0 * second, 2.0 * first + 4.0 * y * second])

    minima = np.array(
        [
            [3.0, 2.0],
            [-2.805118086952745, 3.131312518250573],
            [-3.779310253377747, -3.283185991286170],
            [3.584428340330492, -1.848126526964404],
        ]
    )
    bounds = (-5.0, 5.0, -5.0, 5.0)
    return Surface("himmelblau", "Himmelblau 1972", f, gradient, minima, 0.0, np.zeros(2), bounds, "minimum")


def beale() -> Surface:
    """Σ (cₖ − x(1 − yᵏ))² with c = 1.5, 2.25, 2.625: sharp corners round a flat middle, and a long valley."""
    targets, powers = np.array([1.5, 2.25, 2.625]), np.array([1, 2, 3])

    def f(w: Array) -> Any:
        x, y = w[..., :1], w[..., 1:]
        return np.sum((targets - x * (1.0 - y**powers)) ** 2, axis=-1)

    def gradient(w: Array) -> Array:
        x, y = w
        miss = targets - x * (1.0 - y**powers)
        return np.array([np.sum(-2.0 * miss * (1.0 - y**powers)), np.sum(2.0 * miss * x * powers * y ** (powers - 1))])

    bounds = (-1.0, 4.5, -2.0, 2.0)
    return Surface("beale", "Beale 1958", f, gradient, np.array([[3.0, 0.5]]), 0.0, np.ones(2), bounds, "minimum")


def styblinski_tang(size: int = 2) -> Surface:
    """½·Σ (wⱼ⁴ − 16wⱼ² + 5wⱼ): two valleys a coordinate, 2ᵈ minima in all, of which one is lowest."""

    def f(w: Array) -> Any:
        return 0.5 * np.sum(w**4 - 16.0 * w**2 + 5.0 * w, axis=-1)

    def gradient(w: Array) -> Array:
        slope: Array = 2.0 * w**3 - 16.0 * w + 2.5
        return slope

    minima = np.full((1, size), -2.903534027771177)
    source, bounds = "Styblinski & Tang 1990", (-5.0, 5.0, -5.0, 5.0)
    start = np.zeros(size)
    return Surface("styblinski_tang", source, f, gradient, minima, -39.16616570377141 * size, start, bounds, "minimum")


def rastrigin(size: int = 2) -> Surface:
    """10d + Σ (wⱼ² − 10·cos 2πwⱼ): a bowl with a dent at every whole number; descent ends in the nearest one."""

    def f(w: Array) -> Any:
        return 10.0 * size + np.sum(w**2 - 10.0 * np.cos(2.0 * np.pi * w), axis=-1)

    def gradient(w: Array) -> Array:
        slope: Array = 2.0 * w + 20.0 * np.pi * np.sin(2.0 * np.pi * w)
        return slope

    start = np.where(np.arange(size) % 2 == 0, 3.3, -2.2)
    bounds = (-5.12, 5.12, -5.12, 5.12)
    return Surface("rastrigin", "Rastrigin 1974", f, gradient, np.zeros((1, size)), 0.0, start, bounds, "local minimum")


def saddle() -> Surface:
    """½x² + ¼y⁴ − ½y²: from any point with y = 0 descent walks to the saddle (0, 0), between two minima (0, ±1)."""

    def f(w: Array) -> Any:
        x, y = w[..., 0], w[..., 1]
        return 0.5 * x**2 + 0.25 * y**4 - 0.5 * y**2

    def gradient(w: Array) -> Array:
        x, y = w
        return np.array([x, y**3 - y])

    minima = np.array([[0.0, 1.0], [0.0, -1.0]])
    source, bounds = "Nesterov 2004, example 1.2.2", (-1.5, 1.5, -1.5, 1.5)
    return Surface("saddle", source, f, gradient, minima, -0.25, np.array([1.0, 0.0]), bounds, "saddle")


def plateau() -> Surface:
    """−cos x·cos y·exp(−(x − π)² − (y − π)²): one narrow hole in a plain so flat that descent finds no slope on it."""
    top = np.pi

    def f(w: Array) -> Any:
        x, y = w[..., 0], w[..., 1]
        return -np.cos(x) * np.cos(y) * np.exp(-((x - top) ** 2) - (y - top) ** 2)

    def gradient(w: Array) -> Array:
        fading = np.exp(-np.sum((w - top) ** 2))
        along = np.sin(w) + 2.0 * (w - top) * np.cos(w)
        slope: Array = along * np.cos(w[::-1]) * fading
        return slope

    minima, start = np.full((1, 2), np.pi), np.array([-1.0, -1.0])
    return Surface("plateau", "Easom 1990", f, gradient, minima, -1.0, start, (-2.0, 6.0, -2.0, 6.0), "plateau")


def cliff(steps: int = 50) -> Surface:
    """(σ(xₜ) − 0.7)² with xₖ = w·σ(xₖ₋₁) + b from x₀ = ½: one recurrent unit over `steps` steps of time.

    The two coordinates are w and b. Where w is large the unit can rest in two states, and where one turns into the
    other the surface falls off a cliff: a plain step that meets its face is thrown far away, a clipped one is not. Its
    minima form a valley through the one known exactly, w = 0 and σ(b) = 0.7.
    """
    target = 0.7

    def f(w: Array) -> Any:
        x = np.full(np.shape(w)[:-1], 0.5)
        for _ in range(steps):
            x = w[..., 0] * _sigmoid(x) + w[..., 1]
        return (_sigmoid(x) - target) ** 2

    def gradient(w: Array) -> Array:
        weight, bias = float(w[0]), float(w[1])
        x, along_weight, along_bias = 0.5, 0.0, 0.0
        for _ in range(steps):
            out = float(_sigmoid(x))
            slope = weight * out * (1.0 - out)
            x, along_weight, along_bias = weight * out + bias, out + slope * along_weight, 1.0 + slope * along_bias
        out = float(_sigmoid(x))
        return 2.0 * (out - target) * out * (1.0 - out) * np.array([along_weight, along_bias])

    minima = np.array([[0.0, math.log(target / (1.0 - target))]])
    source = "Pascanu, Mikolov & Bengio 2013, figure 6"
    return Surface("cliff", source, f, gradient, minima, 0.0, np.array([5.2, -2.5]), (4.4, 6.4, -3.2, -2.0), "minimum")


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # the form that never overflows


SURFACES: dict[str, Callable[..., Surface]] = {
    "bowl": bowl,
    "rosenbrock": rosenbrock,
    "himmelblau": himmelblau,
    "beale": beale,
    "styblinski_tang": styblinski_tang,
    "rastrigin": rastrigin,
    "saddle": saddle,
    "plateau": plateau,
    "cliff": cliff,
}
