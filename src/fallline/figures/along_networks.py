"""What a network's walk met: its noise scale beside the batch, and its rate beside the edge of stability."""

import math
from typing import Any

import numpy as np

from fallline import words
from fallline.figures.along import AlongFacts, Line


def scale_of(found: Any) -> AlongFacts:
    """The noise scale with its interval beside the rows a step, from a fallline.explain NetTrajectory."""
    rows = f"{words.count(found.size)} {'row' if found.size == 1 else 'rows'}"
    over = np.flatnonzero(found.low > found.size)
    moment = float(found.t[over[0]]) if len(over) and over[0] else math.nan
    known = np.flatnonzero(np.isfinite(found.middle))
    k = int(known[-1]) if len(known) else 0
    low, middle, high = (
        words.count(v) if v < math.inf else "any number" for v in (found.low[k], found.middle[k], found.high[k])
    )
    finding = f"A step takes {rows}; noise and signal are alike at {middle} ({low} to {high}) at update {words.count(found.t[k])}"
    how = (
        "The line is the noise scale tr C/‖g‖², from 512 rows in 16 parts, with the interval that holds it nine times in ten. "
        "Where it lies above the rows a step larger batches pay; where it lies far below, rows are spent on what is known "
        "already. One value says little, the curve much; late in a walk the signal vanishes and no upper end is known."
    )
    line = Line("noise scale", found.middle, band=(found.low, found.high))
    guides = (("rows a step", float(found.size)),)
    return AlongFacts(
        found.t,
        (line,),
        guides,
        moment,
        "surely more noise than signal",
        found.variant,
        "rows, log scale",
        False,
        finding,
        how,
    )


def edge_of(found: Any) -> AlongFacts:
    """The schedule's rate and the edge that the curvature sets where the walk is, from a fallline.explain NetTrajectory."""
    ratio = found.rate / found.local
    k = int(np.nanargmax(ratio))
    over = np.flatnonzero(ratio > 1.0)
    moment = float(found.t[over[0]]) if len(over) else math.nan
    text = f"The rate is at most {words.number(float(ratio[k]))} of the edge of stability, at update {words.count(found.t[k])}"
    if len(over):
        first = words.count(moment)
        text = f"The rate is above the edge of stability at {len(over)} of {len(ratio)} looks, first at update {first}"
    how = (
        "The dashed line is the rate at which curvature times rate is at its edge: 2(1 + β) for heavy ball, 38 on Adam's "
        "preconditioned curvature (Cohen et al. 2021, 2022). Networks come to walk near it, and the curvature then stays where "
        "the rate lets it; well above it the loss rises."
    )
    lines = (Line("rate", found.rate), Line("edge", found.local, dash="8px,4px", width=2, muted=True))
    return AlongFacts(
        found.t, lines, (), moment, "above the edge", found.variant, "learning rate, log scale", False, text, how
    )
