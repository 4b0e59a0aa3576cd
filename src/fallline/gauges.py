"""Gauges: extra columns that a trace can carry, each read from the objective and the point at every look."""

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class GradientNorm(NamedTuple):
    """Length of the gradient; with an L1 share, of the gradient mapping w − prox(w − g, 1). Zero only at an optimum."""

    def name(self) -> str:
        return "gradient_norm"

    def read(self, objective: Any, w: Array) -> float:
        g = objective.gradient(w, slice(None))
        return float(np.linalg.norm(w - objective.prox(w - g, 1.0)))


class Validation(NamedTuple):
    """Mean loss, penalty included, on rows that the walk does not see: another objective of the same shape."""

    objective: Any

    def name(self) -> str:
        return "validation_loss"

    def read(self, objective: Any, w: Array) -> float:
        return float(self.objective.value(w))


class Distance(NamedTuple):
    """Distance from a point, such as a known optimum."""

    point: Array

    def name(self) -> str:
        return "distance"

    def read(self, objective: Any, w: Array) -> float:
        return float(np.linalg.norm(w - self.point))


GAUGES = {"gradient_norm": GradientNorm, "validation_loss": Validation, "distance": Distance}
