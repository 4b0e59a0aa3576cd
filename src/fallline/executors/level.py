"""The best constant model, near enough: where the intercept begins."""

from typing import Any

import numpy as np

from fallline.losses import POSITIVE, LogLoss, SquaredError

Array = np.ndarray[Any, Any]


def level_of(objective: Any) -> Array:
    """The objective's start with the intercept at the level of the targets.

    A Newton step from zero toward counts of ten thousand would overshoot to exp(10,000); from log(10,000) it does not.
    """
    w, model, kind = objective.start().copy(), objective.model, type(objective.loss)
    if objective.scores > 1 or not objective.intercept:
        return w
    mean = float((model.weights * (model.y - (0.0 if kind in POSITIVE.values() else model.offset))).mean())
    if kind in POSITIVE.values():
        w[-1] = np.log(mean) - float((model.weights * model.offset).mean()) if mean > 0 else 0.0
    elif kind is LogLoss:
        share = float((model.weights * (model.y > 0)).mean())
        w[-1] = np.log(share / (1.0 - share)) - float(model.offset.mean()) if 0.0 < share < 1.0 else 0.0
    elif kind is SquaredError:
        w[-1] = mean
    elif abs(model.y).max() > 1.0:
        w[-1] = float(np.median(model.y - model.offset))
    return w


def height_at_level(objective: Any) -> float:
    """The loss there; a pass."""
    return float(objective.value(level_of(objective)))
