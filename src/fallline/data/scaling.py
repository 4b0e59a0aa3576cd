"""Centre and scale of a column."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fallline.data.dataset import FloatArray


class Moments(NamedTuple):
    """Of some values: how many, mean and deviation in units of 2**power, and the largest size."""

    rows: int
    mean: float
    deviation: float
    power: int
    peak: float


def moments_of(values: FloatArray, peak: float) -> Moments:
    """Of finite values (n,), the largest of size `peak`. In units of a power of two near it, which changes no bit of the
    result and keeps squares of 1e300 finite.
    """
    power = min(math.frexp(peak)[1], 1023)
    scaled = values / math.ldexp(1.0, power)
    mean = float(scaled.mean())
    return Moments(len(values), mean, float(np.sqrt(np.square(scaled - mean).mean())), power, peak)


def merged(parts: Sequence[Moments]) -> tuple[float, float]:
    """Mean and deviation √(Σ(x − mean)²/n) of all values together (Chan, Golub & LeVeque 1983); the deviation is 0 where
    rounding alone varies them.
    """
    peak, power = max(part.peak for part in parts), max(part.power for part in parts)
    unit, n = math.ldexp(1.0, power), sum(part.rows for part in parts)
    if len(parts) == 1:
        mean, deviation = parts[0].mean, parts[0].deviation
    else:
        means = [math.ldexp(part.mean, part.power - power) for part in parts]
        spreads = [math.ldexp(part.deviation, part.power - power) for part in parts]
        mean = math.fsum(part.rows * each for part, each in zip(parts, means, strict=True)) / n
        squares = (
            part.rows * (spread * spread + (each - mean) ** 2)
            for part, spread, each in zip(parts, spreads, means, strict=True)
        )
        deviation = math.sqrt(math.fsum(squares) / n)
    if deviation <= np.finfo(np.float64).eps * peak / unit:
        return mean * unit, 0.0
    return mean * unit, deviation * unit


def centre_and_scale(values: FloatArray) -> tuple[float, float]:
    """The same of finite values (n,) at once."""
    return merged([moments_of(values, float(np.abs(values).max()))])
