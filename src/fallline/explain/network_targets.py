"""Amounts that are far from zero beside their spread, or of another size than outputs begin with."""

from dataclasses import replace

import numpy as np

from fallline.explain.finding import Sign
from fallline.explain.networks import NetCase, Trial, advised
from fallline.words import number

OFF = 2.0  # the loss of outputs that know nothing over that of the targets' mean
BIG, SMALL = 10.0, 0.1  # deviations of targets; outputs begin near 1
LEFT = 0.9  # of the loss of the targets' mean: a run below it has learnt something


def scale(case: NetCase) -> Sign | None:
    """Amounts whose mean or size is not that of outputs, and a run that has not come below the loss of their mean."""
    mean, spread = case.probing.targets
    if not np.isfinite(spread) or not spread > 0.0 or not case.last > LEFT * case.chance:
        return None
    if not (case.unknowing > OFF * case.chance or spread > BIG or spread < SMALL):
        return None
    seen = (
        f"targets have mean {number(mean)} and deviation {number(spread)}, where outputs begin near 0 and 1; the loss is "
        f"{number(case.last)} at the end, and that of the targets' mean {number(case.chance)}."
    )
    text = (
        "take the mean off the targets and divide them by their deviation; turn answers back by the same two numbers."
    )
    sign = advised(case, seen, text, how="standardised")
    assert isinstance(sign.proof, Trial)
    return sign._replace(proof=replace(sign.proof, relative=True))
