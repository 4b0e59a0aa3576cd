"""What a model would cost that predicted every row perfectly: where the scale of relative excess begins."""

import math
from typing import Any

import numpy as np

from fallline.losses import POSITIVE


def floor_of(objective: Any) -> float:
    """The weighted mean over the rows of the lowest value that the loss can take for the row's y (docs/decisions/0004)."""
    loss = objective.loss
    if type(loss) not in POSITIVE.values():
        return 0.0
    targets, places = np.unique(objective.model.y, return_inverse=True)
    floors = np.array([loss.value(y, float(np.log(max(y, 1e-300)))) for y in targets.tolist()])
    return float((objective.model.weights * floors[places]).mean())


def room_below(objective: Any, height: float) -> float:
    """How far the objective can fall at most from that height; infinite where only the targets tell (counts, amounts)."""
    return math.inf if type(objective.loss) in POSITIVE.values() else height
