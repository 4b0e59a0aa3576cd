"""A proven bound by duality: slopes of the rows' losses are a height that no point can be below (Rockafellar 1970, §31).

For any u with uᵢ = −slope of ℓᵢ somewhere, and pulled = Σ vᵢuᵢxᵢ/n,

    F*  ≥  −Σ vᵢ·(ℓᵢ*(−uᵢ) + uᵢ·offsetᵢ)/n − Σⱼ max(0, |pulledⱼ| − λ₁)²/(2λ₂),

if Σ vᵢuᵢ = 0 where there is an intercept and, where λ₂ = 0, |pulledⱼ| ≤ λ₁. The losses' own slopes at w give a bound as close
as w is to the optimum in the penalty's scale, which may be far above the excess where the penalty is weak. So the
slopes are first moved to where a Newton step from w would have them, u − ℓ″·(x·p): the gap is then half the squared
decrement, as long as each stays a slope of its loss. One that would not is put at its end, and the step taken anew.
"""

import math
from typing import Any

import numpy as np
from scipy.special import softmax, xlogy

from fallline.executors.newton import Point, direction, factored, lasso_of, newton, spectral
from fallline.kernels.conjugates import DUALS
from fallline.kernels.passes import conjugates, slopes
from fallline.losses.smoothed import Smoothed
from fallline.objectives.coordinates import WIDEST, Coordinates, standard
from fallline.objectives.hessian import class_chances, matrix_of, table_slice
from fallline.objectives.passes import moved_scores, row_sum
from fallline.objectives.variants import with_loss

Array = np.ndarray[Any, Any]

STRIP = 8192  # rows multiplied at once
MOVES = 20  # Newton steps of the slopes at most
ANYWHERE = 1e150  # a score so far out that a loss has the slope of its end there
EVEN = 1e-9  # of the slopes' own size: what a sum of them that must be zero may be for rounding
STEPS = 20  # Newton steps to where a rounded loss, or the intercepts of a softmax, come to rest
RESTING = 1e-14  # of the height: what the last of them promises
LONGEST = 1.0  # of them, in units of the score


def by_duality(objective: Any, w: Array, window: float = 0.0) -> float:
    """The bound at w, for one score a row and a loss whose conjugate is known; infinite where the slopes do not even out.

    window: that of the rounding, for a loss with corners, whose slopes at w are then between the corner's two.
    """
    rounded = with_loss(objective, Smoothed(objective.loss, window)) if window > 0.0 else objective
    if objective.size > WIDEST:
        return gap_of(objective, w, objective.value(w), minus_slopes(rounded.model, w))
    height, (own, _) = objective.value(w), standard(objective)
    w = newton(rounded, w, RESTING, STEPS, own).point.w if window > 0.0 else w
    u = moved(objective, w, minus_slopes(rounded.model, w), rounded.curvature(w), own)
    return gap_of(objective, w, height, u, own)


def gap_of(
    objective: Any, w: Array, height: float, u: Array, own: Coordinates | None = None, even: float = EVEN
) -> float:
    """`height` less what the slopes −u, (n,), prove that no point is below.

    Without a penalty they must even out: `even` says how nearly, own in which coordinates, and w about where the optimum is.
    """
    model, ridge, lasso = objective.model, float(objective.penalty.pull(1.0)), lasso_of(objective)
    slack = math.inf
    if ridge <= 0.0:
        slack = math.inf if own is None else uneven(objective, u, lasso, own, own.into(w), even)
        if slack == math.inf and lasso <= 0.0:
            return math.inf
    if objective.intercept:
        u = balanced(u, model.weights)
    pulled = sum_of(objective, u)[: model.d]
    share, paid = charged(pulled, ridge, lasso) if slack == math.inf else (1.0, 0.0)
    u = share * u
    dual = DUALS[type(objective.loss)](*objective.loss)
    low = -(conjugates(dual, model.y, model.weights, u) + float((model.weights * u) @ model.offset)) / objective.n
    return max(height - (low - paid), 0.0) + (0.0 if slack == math.inf else slack)


def uneven(objective: Any, u: Array, lasso: float, own: Coordinates, at: Array, even: float) -> float:
    """What slopes may be off for rounding where they must even out exactly: twice as much as that is worth at the point `at` in
    standardised coordinates, on its longest coordinate; infinite where it is more than that share of their own size.
    """
    sums = sum_of(objective, u)
    sums[: objective.penalised] -= np.clip(sums[: objective.penalised], -lasso, lasso)
    left = abs(own.slope(sums))
    if left.max() > even * abs(objective.model.weights * u).mean():
        return math.inf
    return 2.0 * float(left.sum() * abs(at).max())


def charged(pulled: Array, ridge: float, lasso: float) -> tuple[float, float]:
    """By what share slopes must shrink for the L1 share, and what the penalty's conjugate then costs."""
    if ridge > 0.0:
        over = np.maximum(abs(pulled) - lasso, 0.0)
        return 1.0, 0.5 * float(np.square(over).sum()) / ridge
    if lasso > 0.0:
        return min(1.0, lasso / max(float(abs(pulled).max(initial=0.0)), np.finfo(float).tiny)), 0.0
    return 1.0, 0.0


def minus_slopes(model: Any, w: Array) -> Array:
    """−derivative of every row's loss in its score, (n,)."""
    u = np.empty(len(model.y))
    slopes(model, w, u)
    return -u


def moved(objective: Any, w: Array, u: Array, bends: Array, own: Coordinates) -> Array:
    """Slopes after a Newton step from w; those that reach an end of their loss's slopes stay there.

    bends: (n,) curvature of each row's loss times its weight.
    """
    model, nowhere = objective.model, np.zeros_like(w)
    low = minus_slopes(model._replace(offset=np.full(objective.n, ANYWHERE)), nowhere)
    high = minus_slopes(model._replace(offset=np.full(objective.n, -ANYWHERE)), nowhere)
    heavy = np.maximum(model.weights, np.finfo(float).tiny)
    for _ in range(MOVES):
        H = matrix_of(objective, bends, own)
        root = factored(H)
        g = -sum_of(objective, u)
        g[: model.d] += objective.penalty.pull(1.0) * w[: model.d]
        p = direction(objective, Point(w, math.nan, g), spectral(H) if root is None else root, own).p
        new = u - bends / heavy * moved_scores(objective, p)
        out = ((new < low) | (new > high)) & (bends > 0.0)
        if not out.any():
            return new
        u, bends = np.where(out, np.clip(new, low, high), u), np.where(out, 0.0, bends)
    return u


def sum_of(objective: Any, u: Array) -> Array:
    """Σ vᵢ·uᵢ·xᵢ/n, and Σ vᵢ·uᵢ/n where there is an intercept, (size,)."""
    model, heavy = objective.model, objective.model.weights * u
    return np.append(row_sum(objective, heavy), np.full(model.free, heavy.sum())) / objective.n


def balanced(u: Array, weights: Array) -> Array:
    """u with the side of more weight shrunk until Σ weight·u = 0, as a free intercept demands; 0 is always a slope."""
    up, down = float(weights @ np.maximum(u, 0.0)), float(weights @ np.maximum(-u, 0.0))
    if up > down:
        return np.where(u > 0.0, u * (down / up), u)
    return np.where(u < 0.0, u * (up / max(down, np.finfo(float).tiny)), u)


def by_class(objective: Any, w: Array) -> float:
    """The bound for softmax, whose conjugate is Σ p·log p; needs a penalty.

    A free intercept demands Σ vᵢ·(pᵢ − [yᵢ]) = 0 for every class, which is so at the best intercepts for w's coefficients:
    they are found first.
    """
    model, K, d, n = objective.model, objective.classes, objective.model.d, objective.n
    ridge, lasso = float(objective.penalty.pull(1.0)), lasso_of(objective)
    if not (ridge > 0.0 or lasso > 0.0):
        return math.inf
    s, pulled, strips = np.empty((n, K)), np.zeros((K, d)), range(0, n, STRIP)
    level = np.zeros((n, K))
    rest = best_intercepts(objective, w) if objective.size > K * d else w
    for first in strips:
        rows = slice(first, first + STRIP)
        s[rows] = class_chances(objective, rest, first, min(first + STRIP, n))
    level[np.arange(n), model.y] = 1.0
    s -= level
    for first in strips:
        rows = slice(first, first + STRIP)
        pulled -= np.asarray((table_slice(objective, rows).T @ (model.weights[rows, None] * s[rows])).T)
    share, paid = charged(pulled / n, ridge, lasso)
    s *= share
    p = np.maximum(s + level, 0.0)
    low = -float(model.weights @ (xlogy(p, p) - s * model.offset).sum(axis=1)) / n - paid
    return max(objective.value(w) - low, 0.0)


def best_intercepts(objective: Any, w: Array) -> Array:
    """w with the intercepts that are best for its coefficients: Newton steps in them alone, the last class standing still."""
    model, K, d, n = objective.model, objective.classes, objective.model.d, objective.n
    w, shares = w.copy(), np.bincount(model.y, weights=model.weights, minlength=K) / n
    z = np.concatenate([table_slice(objective, slice(first, first + STRIP)) @ w[: K * d].reshape(K, d).T
                        for first in range(0, n, STRIP)]) + model.offset  # fmt: skip
    for _ in range(STEPS):
        p = softmax(z + w[K * d :], axis=1)
        weighed = model.weights[:, None] * p
        g, H = weighed.mean(axis=0) - shares, np.diag(weighed.mean(axis=0)) - weighed.T @ p / n
        if abs(g).max() <= np.finfo(float).eps:
            break
        step = np.linalg.lstsq(H[:-1, :-1], -g[:-1], rcond=None)[0]
        w[K * d : -1] += step * min(1.0, LONGEST / max(abs(step).max(), np.finfo(float).tiny))
    return w
