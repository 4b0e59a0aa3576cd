"""A proven bound by the Newton decrement, for losses whose third derivative is at most their second.

|ℓ‴| ≤ ℓ″ holds for the logistic, Poisson, Gamma and Tweedie losses; for softmax the third derivative along a change of scores
r is at most (max r − min r) times the second, as a third cumulant is at most range times variance. With ν = √(vᵀH⁻¹v) and
R the longest row in H⁻¹ (for softmax the longest difference of two classes' rows), self-concordance (Bach 2010, §2) gives,
for x = Rν < 1,

    inf over h of v·h + f(w + h) − f(w) − g·h  ≥  −(x + (1 − x)·log(1 − x))/R²,

which is −ν²/2 for small x. For least squares the curvature does not change, R = 0, and ν²/2 is exact. Without an L1 share v
is the gradient g. With one, any q with |qⱼ| ≤ λ has λ|w + h|₁ ≥ q·(w + h): v is g + q and λ|w|₁ − q·w joins the bound. The best
q is that of the proximal Newton step p, −(g + Hp).
"""

import math
from typing import Any

import numpy as np
import scipy.linalg as la

from fallline.executors.newton import at, direction, factored, lasso_of, root_at, spectral
from fallline.losses import Gamma, LogLoss, Poisson, Softmax, SquaredError, Tweedie
from fallline.objectives.coordinates import Coordinates, standard
from fallline.objectives.hessian import curvature_matrix, pull_slope, table_rows

Array = np.ndarray[Any, Any]

SELF_CONCORDANT = (LogLoss, Poisson, Gamma, Tweedie, Softmax)
STRIP = 4096  # rows and classes multiplied at once
NEARLY_ONE = 0.99  # of x: beyond, the bound says nothing
SERIES = 1e-3  # of x: below, the formula would lose its digits


def by_decrement(objective: Any, w: Array) -> float:
    """The bound at w: a matrix of curvature and another pass for the longest row; infinite where w is too far away."""
    own, _ = standard(objective)
    point = at(objective, w)
    kept = told_apart(objective, own)
    v, left = own.slope(point.g), 0.0
    H = curvature_matrix(objective, w, own)
    if lasso_of(objective) > 0.0:
        p = own.into(direction(objective, point, root_at(objective, w, own), own).p)
        u, reach = own.point(w), own.each(lasso_of(objective), 1)
        q = -(v + H @ p) * (reach > 0.0)
        q *= min(1.0, float((reach[reach > 0.0] / np.maximum(abs(q[reach > 0.0]), 1e-300)).min()))
        v, left = v + q, float(reach @ abs(u) - q @ u)
    if objective.scores > 1:
        some = H[np.ix_(kept, kept)]
        root = factored(some)
        root = spectral(some) if root is None else root
    else:
        root = root_at(objective, w, own)
    half = la.solve_triangular(root, v[kept], trans="T", check_finite=False)
    squared = float(half @ half)
    return left + below(
        squared, 0.0 if isinstance(objective.loss, SquaredError) else longest(objective, root, own, kept)
    )


def below(squared: float, longest: float) -> float:
    """How far below w the model with that decrement, ν², may be, for that R²."""
    x = math.sqrt(longest * squared)
    if not x <= NEARLY_ONE:
        return math.inf
    if x < SERIES:
        return squared * (0.5 + x / 6.0 + x * x)
    return (x + (1.0 - x) * math.log1p(-x)) / longest


def told_apart(objective: Any, own: Coordinates) -> Array:
    """The entries of u in which softmax bends: what all classes' scores share moves no chance, so one class stands still."""
    kept = np.ones(own.scores * own.width, dtype=bool)
    if own.scores > 1 and pull_slope(objective) > 0.0:
        kept[len(kept) - own.free :] = False  # the penalty bends along all but the intercepts
    elif own.scores > 1:
        kept[len(kept) - own.width :] = False
    return np.flatnonzero(kept)


def longest(objective: Any, root: Array, own: Coordinates, kept: Array) -> float:
    """R², the largest ‖x‖² of a row in H⁻¹, or that of the difference of a row as two classes have it."""
    K, width, size = own.scores, own.width, len(kept)
    lift = np.zeros((K * width, size))
    lift[kept] = la.solve_triangular(root, np.eye(size), check_finite=False)
    largest, strip = 0.0, max(1, STRIP // K)
    for first in range(0, objective.n, strip):
        X = own.rows(table_rows(objective, first, first + strip))[objective.model.weights[first : first + strip] > 0.0]
        T = (X @ lift.reshape(K, width, size)).reshape(K, len(X), size)
        for k in range(K):
            others = T[k] - T[:k] if K > 1 else T
            largest = max(largest, float(np.square(others).sum(axis=-1).max(initial=0.0)))
    return largest
