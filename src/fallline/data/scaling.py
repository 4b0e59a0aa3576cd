"""Centre and scale of a column."""

import math

import numpy as np

from fallline.data.dataset import FloatArray


def centre_and_scale(values: FloatArray) -> tuple[float, float]:
    """Mean and deviation √(Σ(x − mean)²/n) of finite values (n,); the deviation is 0 where rounding alone
    varies them.

    Worked out in units of a power of two near the largest value, which changes no bit of the result and keeps
    squares of 1e300 finite.
    """
    peak = float(np.abs(values).max())
    unit = math.ldexp(1.0, min(math.frexp(peak)[1], 1023))
    scaled = values / unit
    mean = float(scaled.mean())
    deviation = float(np.sqrt(np.square(scaled - mean).mean()))
    if deviation <= np.finfo(np.float64).eps * peak / unit:
        return mean * unit, 0.0
    return mean * unit, deviation * unit
