"""Penalties: what the size of a coefficient costs, added to the mean loss. The intercept is never penalised.

A penalty is a part, one coordinate at a time: `cost(w)`, what it adds; `pull(w)`, the derivative of its smooth share,
which joins the gradient; `prox(w, rate)` = argmin_u ½(u − w)² + rate·(its other share at u), taken after the step.
Together they are alpha·(l1_ratio·|w| + (1 − l1_ratio)·½w²), scikit-learn's elastic net.
"""

import math
from typing import Any, NamedTuple

from fallline.errors import InputError


class NoPenalty(NamedTuple):
    """Nothing."""

    def cost(self, w: float) -> float:
        return 0.0

    def pull(self, w: float) -> float:
        return 0.0

    def prox(self, w: float, rate: float) -> float:
        return w


class L2(NamedTuple):
    """alpha·½w²: small coefficients, ridge (Hoerl & Kennard 1970). Smooth, so it is all in the gradient."""

    alpha: float = 1e-4

    def cost(self, w: float) -> float:
        return 0.5 * self.alpha * w * w

    def pull(self, w: float) -> float:
        return self.alpha * w

    def prox(self, w: float, rate: float) -> float:
        return w


class L1(NamedTuple):
    """alpha·|w|: few coefficients, lasso (Tibshirani 1996). Its prox is soft thresholding, with exact zeros."""

    alpha: float = 1e-4

    def cost(self, w: float) -> float:
        return self.alpha * abs(w)

    def pull(self, w: float) -> float:
        return 0.0

    def prox(self, w: float, rate: float) -> float:
        threshold = rate * self.alpha
        return w - threshold if w > threshold else w + threshold if w < -threshold else 0.0 * w


class ElasticNet(NamedTuple):
    """alpha·(l1_ratio·|w| + (1 − l1_ratio)·½w²): few coefficients, correlated ones together (Zou & Hastie 2005)."""

    alpha: float = 1e-4
    l1_ratio: float = 0.15

    def cost(self, w: float) -> float:
        return self.alpha * (self.l1_ratio * abs(w) + (1.0 - self.l1_ratio) * 0.5 * w * w)

    def pull(self, w: float) -> float:
        return self.alpha * (1.0 - self.l1_ratio) * w

    def prox(self, w: float, rate: float) -> float:
        threshold = rate * self.alpha * self.l1_ratio
        return w - threshold if w > threshold else w + threshold if w < -threshold else 0.0 * w


PENALTIES = {"none": NoPenalty, "l2": L2, "l1": L1, "elasticnet": ElasticNet}


def refuse_penalty(penalty: Any) -> None:
    """Raise InputError for what is no penalty, and for one that rewards size or mixes beyond its parts."""
    if isinstance(penalty, type) or not all(hasattr(penalty, part) for part in ("cost", "pull", "prox")):
        raise InputError(f"penalty is {penalty!r}, which is none: give one of fallline.penalties, such as L2(1e-4).")
    alpha, ratio = getattr(penalty, "alpha", 0.0), getattr(penalty, "l1_ratio", 0.0)
    if not (math.isfinite(alpha) and alpha >= 0.0):
        raise InputError(f"{penalty}: alpha must be a finite number, zero or more.")
    if not 0.0 <= ratio <= 1.0:
        raise InputError(f"{penalty}: l1_ratio must be from 0, all squares, to 1, all absolute values.")
