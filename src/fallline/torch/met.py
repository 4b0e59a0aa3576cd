"""What a network's walk met at points of its trace: the noise scale with its interval, and the curvature against its edge."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fallline.torch.gauges import PreconditionedCurvature, TopCurvature

Array = np.ndarray[Any, Any]

ADAMS = ("Adam", "AdamW")


class Met(NamedTuple):
    """(points,) each; NaN where a quantity is not known."""

    low: Array  # rows: the noise scale's interval, which holds it nine times in ten
    middle: Array
    high: Array
    limit: Array  # the rate at which curvature times rate is at its edge


def met(probing: Any, points: Sequence[Array], memory: Any) -> Met:
    """At those points, on the probe's rows; Adam's memory is taken as it is once settled at a point. memory: the optimizer's."""
    noise = [probing.noise(w) or (np.nan,) * 3 for w in points]
    low, middle, high = np.array(noise, float).reshape(-1, 3).T
    edge, adaptive = edge_of(memory)
    gauge = PreconditionedCurvature() if adaptive else TopCurvature()
    known = np.isfinite(edge)
    bends = np.array([gauge.read(probing.net, w) if known else np.nan for w in points])
    return Met(low, middle, high, edge / np.where(bends > 0.0, bends, np.nan))


def edge_of(memory: Any) -> tuple[float, bool]:
    """The edge of curvature times rate for the optimizer that remembers this, and whether it is of preconditioned curvature.

    2(1 + β) for heavy ball, 2(1 + β)/(1 + 2β) for Nesterov's; 2(1 + β₁)/(1 − β₁), 38 at β₁ = 0.9, for Adam (Cohen et al. 2021,
    2022). NaN where none is known: of other optimizers, and of tensors with rates of their own.
    """
    held, name = memory["optimizer"], memory["name"]
    groups = held["param_groups"] if isinstance(held, dict) else []
    if len(groups) != 1:
        return np.nan, False
    if name in ADAMS:
        beta = float(groups[0]["betas"][0])
        return 2.0 * (1.0 + beta) / (1.0 - beta), True
    if name != "SGD":
        return np.nan, False
    beta = float(groups[0].get("momentum", 0.0))
    return 2.0 * (1.0 + beta) / (1.0 + 2.0 * beta if groups[0].get("nesterov") else 1.0), False
