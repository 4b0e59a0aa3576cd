"""Losses that are straight but for corners, as sums of single corners: what a solver of linear and quadratic programs asks."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fallline.losses.classification import Hinge, Perceptron
from fallline.losses.regression import AbsoluteError, EpsilonInsensitive, Quantile

Array = np.ndarray[Any, Any]


class Corner(NamedTuple):
    """low·(z − place) + jump·max(0, z − place) for every row."""

    place: Array  # (n,) of the score
    low: Array  # (n,) slope below it
    jump: float  # of the slope, above zero


def corners_of(loss: Any, y: Array) -> tuple[Corner, ...]:
    """Corners that add up to the loss at each target of y (n,); the loss must be in CORNERS."""
    return CORNERS[type(loss)](loss, y)


def _hinge(loss: Hinge, y: Array) -> tuple[Corner, ...]:
    return (Corner(y, np.minimum(-y, 0.0), 1.0),)


def _perceptron(loss: Perceptron, y: Array) -> tuple[Corner, ...]:
    return (Corner(np.zeros_like(y), np.minimum(-y, 0.0), 1.0),)


def _absolute_error(loss: AbsoluteError, y: Array) -> tuple[Corner, ...]:
    return (Corner(y, np.full_like(y, -1.0), 2.0),)


def _quantile(loss: Quantile, y: Array) -> tuple[Corner, ...]:
    return (Corner(y, np.full_like(y, -loss.level), 1.0),)


def _epsilon_insensitive(loss: EpsilonInsensitive, y: Array) -> tuple[Corner, ...]:
    return Corner(y + loss.epsilon, np.zeros_like(y), 1.0), Corner(y - loss.epsilon, np.full_like(y, -1.0), 1.0)


CORNERS: dict[type, Callable[[Any, Array], tuple[Corner, ...]]] = {
    Hinge: _hinge,
    Perceptron: _perceptron,
    AbsoluteError: _absolute_error,
    Quantile: _quantile,
    EpsilonInsensitive: _epsilon_insensitive,
}
