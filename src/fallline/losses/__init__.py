"""Losses: what one row costs, as a function of its target y and its score z = x·w + b + offset.

A loss is a part: `value(y, z)`, `derivative(y, z)` and `curvature(y, z)` in z, plain arithmetic on floats; `accepts(y)`, whether
it is defined for a target, or for each of an array; `mean(z)`, the prediction that a score stands for; `smooth()`, whether
its derivative is continuous. To add one: write the class, add the row.
"""

from fallline.losses.classification import Hinge, LogLoss, ModifiedHuber, Perceptron, SquaredHinge
from fallline.losses.positive import Gamma, Poisson, Tweedie
from fallline.losses.regression import (
    AbsoluteError,
    EpsilonInsensitive,
    Huber,
    Quantile,
    SquaredEpsilonInsensitive,
    SquaredError,
)
from fallline.losses.softmax import Softmax

REGRESSION = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
    "quantile": Quantile,
}
CLASSIFICATION = {
    "log_loss": LogLoss,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "modified_huber": ModifiedHuber,
    "perceptron": Perceptron,
}
POSITIVE = {
    "poisson": Poisson,
    "gamma": Gamma,
    "tweedie": Tweedie,
}
LOSSES = {**REGRESSION, **CLASSIFICATION, **POSITIVE}
"""Losses of one score a row, by scikit-learn's names where it has one."""

MULTICLASS = {"softmax": Softmax}
"""Losses of one score a class."""

__all__ = [
    "CLASSIFICATION",
    "LOSSES",
    "MULTICLASS",
    "POSITIVE",
    "REGRESSION",
    "AbsoluteError",
    "EpsilonInsensitive",
    "Gamma",
    "Hinge",
    "Huber",
    "LogLoss",
    "ModifiedHuber",
    "Perceptron",
    "Poisson",
    "Quantile",
    "Softmax",
    "SquaredEpsilonInsensitive",
    "SquaredError",
    "SquaredHinge",
    "Tweedie",
]
