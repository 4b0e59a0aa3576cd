"""Sums over rows: the loss of a model, its gradient.

A *model* is a part that holds rows, targets, weights and a loss; two exist, for one score a row and for one a class.
Parameters w are the coefficients, class by class, then the free ones (one intercept a class, or none). Weights have
mean one, so every sum here is divided by a number of rows.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.kernels.bridge import compiled, stands_for
from fallline.methods import derivative, dot, push, value

Array = np.ndarray[Any, Any]


class LinearModel(NamedTuple):
    """One score a row: z = x·w + b + offset."""

    rows: Any
    y: Array  # (n,) float64
    weights: Array  # (n,) float64, mean one
    offset: Array  # (n,) float64
    loss: Any
    d: int  # columns; w has d + free entries
    free: int  # 1 with an intercept, else 0: a factor, since a branch in the innermost loop costs more; 0.1 walks 1 % as far


class SoftmaxModel(NamedTuple):
    """One score a class: z_k = x·w_k + b_k + offset_k, under cross-entropy."""

    rows: Any
    y: Array  # (n,) int64, 0 … classes − 1
    weights: Array  # (n,) float64, mean one
    offset: Array  # (n, classes) float64
    classes: int
    d: int  # columns; w has classes·d or, with intercepts, classes·(d + 1)


def row_loss(model: Any, i: Any, w: Any, z: Any) -> Any:
    """Weighted loss of row i; z is room for a score a class."""


def row_slope(model: Any, i: Any, w: Any, z: Any, scale: Any, g: Any) -> Any:
    """g += scale · weighted gradient of row i's loss."""


@stands_for(row_loss)
def _row_loss(model: Any, i: Any, w: Any, z: Any) -> Any:
    if model.instance_class is LinearModel:

        def linear(model: Any, i: Any, w: Any, z: Any) -> Any:
            score = dot(model.rows, i, w) + model.free * w[w.shape[0] - 1] + model.offset[i]
            return model.weights[i] * value(model.loss, model.y[i], score)

        return linear

    def softmax(model: Any, i: Any, w: Any, z: Any) -> Any:
        top = scores(model, i, w, z)
        total = 0.0
        for k in range(model.classes):
            total += math.exp(z[k] - top)
        return model.weights[i] * (top - z[model.y[i]] + math.log(total))

    return softmax


@stands_for(row_slope)
def _row_slope(model: Any, i: Any, w: Any, z: Any, scale: Any, g: Any) -> Any:
    if model.instance_class is LinearModel:

        def linear(model: Any, i: Any, w: Any, z: Any, scale: Any, g: Any) -> Any:
            score = dot(model.rows, i, w) + model.free * w[w.shape[0] - 1] + model.offset[i]
            force = scale * model.weights[i] * derivative(model.loss, model.y[i], score)
            push(model.rows, i, force, g)
            g[w.shape[0] - 1] += model.free * force

        return linear

    def softmax(model: Any, i: Any, w: Any, z: Any, scale: Any, g: Any) -> Any:
        d, classes = model.d, model.classes
        top = scores(model, i, w, z)
        total = 0.0
        for k in range(classes):
            z[k] = math.exp(z[k] - top)
            total += z[k]
        for k in range(classes):
            chance = z[k] / total
            force = scale * model.weights[i] * (chance - 1.0 if k == model.y[i] else chance)
            push(model.rows, i, force, g[k * d : (k + 1) * d])
            if w.shape[0] > classes * d:
                g[classes * d + k] += force

    return softmax


@compiled
def scores(model: Any, i: Any, w: Any, z: Any) -> Any:
    """Put row i's score for every class into z; returns the largest."""
    d, top = model.d, -math.inf
    for k in range(model.classes):
        z[k] = dot(model.rows, i, w[k * d : (k + 1) * d]) + model.offset[i, k]
        if w.shape[0] > model.classes * d:
            z[k] += w[model.classes * d + k]
        top = z[k] if z[k] > top else top
    return top


@compiled
def mean_loss(model: Any, w: Any, z: Any) -> Any:
    """Mean weighted loss over all rows."""
    total, n = 0.0, model.y.shape[0]
    for i in range(n):
        total += row_loss(model, i, w, z)
    return total / n


@compiled
def mean_losses(model: Any, points: Any, z: Any) -> Any:
    """The same at many points (k, size), reading each row once."""
    n, many = model.y.shape[0], points.shape[0]
    totals = np.zeros(many)
    for i in range(n):
        for k in range(many):
            totals[k] += row_loss(model, i, points[k], z)
    return totals / n


@compiled
def mean_slope(model: Any, w: Any, z: Any, g: Any) -> Any:
    """g ← gradient of the mean loss over all rows."""
    n = model.y.shape[0]
    g[:] = 0.0
    for i in range(n):
        row_slope(model, i, w, z, 1.0 / n, g)


@compiled
def mean_slope_of(model: Any, w: Any, z: Any, order: Any, g: Any) -> Any:
    """g ← gradient of the mean loss over the rows in `order`."""
    n = order.shape[0]
    g[:] = 0.0
    for k in range(n):
        row_slope(model, order[k], w, z, 1.0 / n, g)


@compiled
def spread_of(model: Any, w: Any, z: Any, order: Any, mean: Any, g: Any) -> Any:
    """The mean over the rows in `order` of ‖gradient of the row's loss − mean‖². g: room for a gradient."""
    total = 0.0
    for k in range(order.shape[0]):
        g[:] = -mean
        row_slope(model, order[k], w, z, 1.0, g)
        for j in range(g.shape[0]):
            total += g[j] * g[j]
    return total / order.shape[0]
