"""Losses for counts and positive amounts, with a log link: the prediction is μ = exp(z).

Each is half the unit deviance less what does not depend on z, as in scikit-learn's generalised linear models
(Nelder & Wedderburn 1972).
"""

import math
from typing import Any, NamedTuple

LARGEST_EXPONENT = 700.0  # exp(709.8) is the largest float64; beyond, Python raises where compiled code gives infinity


class Poisson(NamedTuple):
    """exp(z) − y·z: counts, whose variance grows like their mean. Needs y ≥ 0."""

    def value(self, y: float, z: float) -> float:
        return math.exp(min(z, LARGEST_EXPONENT)) - y * z

    def derivative(self, y: float, z: float) -> float:
        return math.exp(min(z, LARGEST_EXPONENT)) - y

    def curvature(self, y: float, z: float) -> float:
        return math.exp(min(z, LARGEST_EXPONENT))

    def accepts(self, y: Any) -> Any:
        return y >= 0.0

    def mean(self, z: float) -> float:
        return math.exp(min(z, LARGEST_EXPONENT))

    def smooth(self) -> bool:
        return True


class Gamma(NamedTuple):
    """z + y·exp(−z): positive skewed amounts, whose deviation grows like their mean. Needs y > 0."""

    def value(self, y: float, z: float) -> float:
        return z + y * math.exp(min(-z, LARGEST_EXPONENT))

    def derivative(self, y: float, z: float) -> float:
        return 1.0 - y * math.exp(min(-z, LARGEST_EXPONENT))

    def curvature(self, y: float, z: float) -> float:
        return y * math.exp(min(-z, LARGEST_EXPONENT))

    def accepts(self, y: Any) -> Any:
        return y > 0.0

    def mean(self, z: float) -> float:
        return math.exp(min(z, LARGEST_EXPONENT))

    def smooth(self) -> bool:
        return True


class Tweedie(NamedTuple):
    """exp((2−p)z)/(2−p) − y·exp((1−p)z)/(1−p): amounts with many exact zeros, as in insurance (Tweedie 1984).

    power: p, the variance grows like μᵖ; between 1 (Poisson) and 2 (Gamma), both excluded. Needs y ≥ 0.
    """

    power: float = 1.5

    def value(self, y: float, z: float) -> float:
        a, b = 2.0 - self.power, 1.0 - self.power
        return math.exp(min(a * z, LARGEST_EXPONENT)) / a - y * math.exp(min(b * z, LARGEST_EXPONENT)) / b

    def derivative(self, y: float, z: float) -> float:
        a, b = 2.0 - self.power, 1.0 - self.power
        return math.exp(min(a * z, LARGEST_EXPONENT)) - y * math.exp(min(b * z, LARGEST_EXPONENT))

    def curvature(self, y: float, z: float) -> float:
        a, b = 2.0 - self.power, 1.0 - self.power
        return a * math.exp(min(a * z, LARGEST_EXPONENT)) - y * b * math.exp(min(b * z, LARGEST_EXPONENT))

    def accepts(self, y: Any) -> Any:
        return y >= 0.0

    def mean(self, z: float) -> float:
        return math.exp(min(z, LARGEST_EXPONENT))

    def smooth(self) -> bool:
        return True
