"""A row's gradient in two parts: the forces on its scores, a number a score, and the row that they are spread over.

Methods that remember gradients remember the forces: a number a row (and class) instead of a vector.
"""

import math
from typing import Any

from fallline.kernels.bridge import stands_for
from fallline.kernels.sums import LinearModel, scores
from fallline.methods import derivative, dot


def forces(model: Any, i: Any, w: Any, z: Any) -> Any:
    """z ← weighted derivative of row i's loss in each of its scores."""


@stands_for(forces)
def _forces(model: Any, i: Any, w: Any, z: Any) -> Any:
    return _linear if model.instance_class is LinearModel else _softmax


def _linear(model: Any, i: Any, w: Any, z: Any) -> None:
    score = dot(model.rows, i, w) + model.free * w[w.shape[0] - 1] + model.offset[i]
    z[0] = model.weights[i] * derivative(model.loss, model.y[i], score)


def _softmax(model: Any, i: Any, w: Any, z: Any) -> None:
    top = scores(model, i, w, z)
    total = 0.0
    for k in range(model.classes):
        z[k] = math.exp(z[k] - top)
        total += z[k]
    for k in range(model.classes):
        chance = z[k] / total
        z[k] = model.weights[i] * (chance - 1.0 if k == model.y[i] else chance)
