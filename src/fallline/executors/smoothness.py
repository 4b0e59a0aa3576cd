"""What an objective can tell of its smoothness, from which the variance-reduced methods know their rate.

Row i's share of the objective has a gradient that turns by at most Lᵢ = weightᵢ·bound·(‖xᵢ‖² + 1) + λ, where `bound` is the
largest second derivative of the loss, the 1 stands for the intercept and λ for the L2 share.
"""

from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.executors.terms import rows_of_a_model
from fallline.kernels import entries
from fallline.losses import (
    Huber,
    LogLoss,
    ModifiedHuber,
    Softmax,
    SquaredEpsilonInsensitive,
    SquaredError,
    SquaredHinge,
)

Array = np.ndarray[Any, Any]

LARGEST_CURVATURE = {
    SquaredError: 1.0,
    Huber: 1.0,
    SquaredEpsilonInsensitive: 2.0,
    LogLoss: 0.25,
    SquaredHinge: 2.0,
    ModifiedHuber: 2.0,
    Softmax: 0.5,  # the largest eigenvalue of diag(p) − ppᵀ
}
"""The largest second derivative of each loss that has one."""


def squared_lengths(rows: Any) -> Array:
    """‖xᵢ‖² of every row, (n,), nothing copied."""
    out = np.empty(rows.shape()[0])
    entries.squared_lengths(rows, out)
    return out


def row_smoothness(objective: Any, name: str) -> Array:
    """Lᵢ of every row, (n,). Raises InputError for a loss whose curvature has no bound that is known."""
    rows_of_a_model(objective, name)
    loss = type(objective.loss)
    if loss not in LARGEST_CURVATURE:
        raise InputError(
            f"{name} has no rate of its own for {loss.__name__}, whose curvature has no bound that is known: "
            "give it schedule=Constant(rate), or take a method that needs none."
        )
    ones = float(objective.size > objective.penalised)
    lengths = squared_lengths(objective.model.rows) + ones
    largest: Array = objective.model.weights * LARGEST_CURVATURE[loss] * lengths + ridge(objective)
    return largest


def ridge(objective: Any) -> float:
    """λ, the penalty's L2 share: its pull is linear."""
    return float(objective.penalty.pull(1.0))
