"""What the steps with a model of the objective know of their point without another look, as columns of the trace."""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

HEIGHT = 0  # its place in numbers


def known(numbers: Array) -> dict[str, float]:
    """numbers: the loss (NaN: not known yet), the estimated excess, the length of the last step, the rows visited for it, …"""
    height, excess, length, visits = numbers.tolist()[:4]
    seen = {} if math.isnan(height) else {"loss": height, "visits": visits}
    return {**seen, "excess": excess, "length": length}
