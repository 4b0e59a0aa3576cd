"""A proven bound of how far a point is above the optimum, for a few passes more.

Smooth losses whose third derivative is at most their second, |ℓ‴| ≤ ℓ″ (logistic, Poisson, Gamma, Tweedie): with ν the
Newton decrement at w, √(gᵀH⁻¹g), and R the longest row in H⁻¹, self-concordance (Bach 2010, §2) gives, for x = Rν < 1,

    F(w) − F* ≤ (x + (1 − x)·log(1 − x))/R²,

which is ν²/2 for small x. For least squares the curvature does not change and ν²/2 is exact. Other losses have a bound by
duality (Rockafellar 1970, §31): slopes of the rows' losses, made to fit the free intercept and the L1 share by shrinking
them, give a height that no point can be below. It is as close as w is to the optimum in the penalty's own scale, which
may be far above the excess where the penalty is weak.
"""

import math
from typing import Any

import numpy as np
import scipy.linalg as la

from fallline.executors.newton import at, lasso_of, root_at
from fallline.kernels.conjugates import DUALS
from fallline.kernels.passes import conjugates, slopes
from fallline.losses import Gamma, LogLoss, Poisson, SquaredError, Tweedie
from fallline.losses.smoothed import Smoothed
from fallline.objectives.coordinates import WIDEST, standard
from fallline.objectives.hessian import table_rows, table_slice
from fallline.objectives.variants import with_loss

Array = np.ndarray[Any, Any]

SELF_CONCORDANT = (LogLoss, Poisson, Gamma, Tweedie)
STRIP = 8192  # rows multiplied at once
NEARLY_ONE = 0.99  # of x: beyond, the bound says nothing
SLACK = 1.0 + 1e-9  # for the rounding of the bound itself


def bound_of(objective: Any, w: Array, window: float = 0.0) -> float:
    """F(w) − F* is at most this; infinite where nothing can be proven.

    window: that of the rounding, for a loss with corners, whose slopes at w are then between the corner's two.
    """
    if objective.scores > 1:
        return math.inf
    smooth = lasso_of(objective) <= 0.0 and isinstance(objective.loss, (SquaredError, *SELF_CONCORDANT))
    if smooth and objective.size <= WIDEST:
        return by_decrement(objective, w)
    return by_duality(objective, w, window)


def by_decrement(objective: Any, w: Array) -> float:
    """The bound by the exact Newton decrement: a matrix of curvature, and another pass for the longest row."""
    own, _ = standard(objective)
    root = root_at(objective, w, own)
    half = la.solve_triangular(root, own.slope(at(objective, w).g), trans="T", check_finite=False)
    squared = float(half @ half)
    if isinstance(objective.loss, SquaredError):
        return 0.5 * squared * SLACK
    longest = 0.0
    for first in range(0, objective.n, STRIP):
        X = own.rows(table_rows(objective, first, first + STRIP))[objective.model.weights[first : first + STRIP] > 0.0]
        inner = la.solve_triangular(root, X.T, trans="T", check_finite=False)
        longest = max(longest, float((inner * inner).sum(axis=0).max(initial=0.0)))
    x = math.sqrt(longest * squared)
    if x > NEARLY_ONE:
        return math.inf
    if x < 1e-3:  # its series: the formula would lose its digits
        return squared * (0.5 + x / 6.0 + x * x) * SLACK
    return (x + (1.0 - x) * math.log1p(-x)) / longest * SLACK


def by_duality(objective: Any, w: Array, window: float = 0.0) -> float:
    """The duality gap with the losses' own slopes at w; needs a penalty and a loss whose conjugate is known."""
    model, penalty = objective.model, objective.penalty
    ridge, lasso = float(penalty.pull(1.0)), lasso_of(objective)
    if type(objective.loss) not in DUALS or not (ridge > 0.0 or lasso > 0.0):
        return math.inf
    u = np.empty(objective.n)
    rounded = with_loss(objective, Smoothed(objective.loss, window)) if window > 0.0 else objective
    slopes(rounded.model, w, u)
    u = -u
    if objective.intercept:
        u = balanced(u, model.weights)
    pulled = spread(objective, u)
    if ridge <= 0.0:
        share = min(1.0, lasso / max(float(abs(pulled).max(initial=0.0)), np.finfo(float).tiny))
        u, pulled = share * u, share * pulled
    over = np.maximum(abs(pulled) - lasso, 0.0)
    paid = 0.5 * float(over @ over) / ridge if ridge > 0.0 else 0.0
    dual = DUALS[type(objective.loss)](*objective.loss)
    low = (
        -conjugates(dual, model.y, model.weights, u) / objective.n
        - float((model.weights * u) @ model.offset) / objective.n
    )
    gap = objective.value(w) - (low - paid)
    return max(gap, 0.0) * SLACK


def balanced(u: Array, weights: Array) -> Array:
    """u with the side of more weight shrunk until Σ weight·u = 0, as a free intercept demands; 0 is always a slope."""
    up, down = float(weights @ np.maximum(u, 0.0)), float(weights @ np.maximum(-u, 0.0))
    if up > down:
        return np.where(u > 0.0, u * (down / up), u)
    return np.where(u < 0.0, u * (up / max(down, np.finfo(float).tiny)), u)


def spread(objective: Any, u: Array) -> Array:
    """Σ weight·u·x/n, (d,)."""
    total, model = np.zeros(objective.model.d), objective.model
    for first in range(0, objective.n, STRIP):
        rows = slice(first, first + STRIP)
        total += (model.weights[rows] * u[rows]) @ table_slice(objective, rows)
    return total / objective.n
