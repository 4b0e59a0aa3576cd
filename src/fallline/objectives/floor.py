"""What a model would cost that predicted every row perfectly: where the scale of relative excess begins."""

import math
from typing import Any

import numpy as np

from fallline.losses import POSITIVE
from fallline.objectives.passes import height_of

LEAST = 1e-300  # the mean that stands for none


def floor_of(objective: Any) -> float:
    """The weighted mean over the rows of the lowest value that the loss can take for the row's y (docs/decisions/0004)."""
    if type(objective.loss) not in POSITIVE.values():
        return 0.0
    y = objective.model.y
    return height_of(objective, lambda part: np.log(np.maximum(y[part], LEAST)))


def room_below(objective: Any, height: float) -> float:
    """How far the objective can fall at most from that height; infinite where only the targets tell (counts, amounts)."""
    return math.inf if type(objective.loss) in POSITIVE.values() else height
