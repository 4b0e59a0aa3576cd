"""The numbers behind the picture of sketched curvature: comparison/bowl.py works them out, figures/bowl.py draws them."""

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Panel(NamedTuple):
    """A surface with a walk on it."""

    x: Array  # (points,)
    y: Array  # (points,)
    heights: Array  # (points, points) above the bottom, a row one y
    path: Array  # (steps + 1, 2)
    arrived: bool  # whether it came near the bottom
    ratio: float  # how many times as long as wide the valley is at its bottom


class Bowl(NamedTuple):
    """The two surfaces, and what they are of."""

    names: tuple[str, str]
    valley: Panel  # the coefficients as they are
    bowl: Panel  # in the sketch's coordinates
    levels: tuple[float, ...]  # contour lines above the bottom; the lowest is where a walk ends
    share: float  # of the largest stable rate, that plain descent takes
    whole: float  # how many times as long as wide the valley is over all coefficients; NaN where that is not known
    rounded: bool  # whether the loss has corners, and is shown rounded as the solver rounds it
    sketched: int  # rows that the sketch's coordinates are from
    rows: int  # rows drawn on
    n: int
