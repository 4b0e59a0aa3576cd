"""The optimum of a linear model's objective, to nearly all digits: what every walk's excess is measured from.

Damped Newton steps (Newton's method with backtracking, Boyd & Vandenberghe 2004, alg. 9.5). An L1 share is kept exact in
each step's model and solved by coordinate descent (proximal Newton, Lee, Sun & Saunders 2014). A loss with corners is
rounded more and more finely. Where the curvature does not fit in memory, L-BFGS.
"""

import time
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as la
from scipy.optimize import minimize

from fallline.kernels.coordinates import lasso_step
from fallline.objectives import Linear
from fallline.reference.hessian import hessian
from fallline.reference.smoothing import Smoothed

Array = np.ndarray[Any, Any]

WIDEST = 1500  # parameters; the matrix then takes 18 MB and a second to factor a few times
STEPS = 100
ENOUGH = 1e-16  # of the height: a Newton step that promises less is rounding
TINY = 1e-12  # a height below this counts as this: a perfect fit need not be made more perfect
SMALLEST_RIDGE = 1e-12  # of the mean curvature: lets a flat direction be factored


class Optimum(NamedTuple):
    """The lowest point found."""

    w: Array
    value: float
    by: str  # in words
    seconds: float
    passes: float  # over the rows, about


def optimum_of(objective: Any) -> Optimum:
    """The optimum of a Linear or SoftmaxRegression objective."""
    start = time.perf_counter()
    if objective.size > WIDEST:
        w, by, passes = _lbfgs(objective)
    elif objective.loss.smooth():
        w, passes = newton(objective, objective.start(), ENOUGH)
        by = "Newton's method"
    else:
        w, passes = _rounded(objective)
        by = "Newton's method on finer and finer roundings of the loss"
    return Optimum(w, objective.value(w), by, time.perf_counter() - start, passes)


def newton(objective: Any, w: Array, enough: float) -> tuple[Array, float]:
    """Damped Newton from w until a step promises less than `enough` of the height; the point and the passes it took.

    A step is shortened until the slope along it has passed zero by little, which for a convex function means a decrease;
    no value is needed. The ridge grows while steps must be shortened and fades while they need not.
    """
    passes, ridge, height, bend = 0.0, SMALLEST_RIDGE, abs(objective.value(w)), 0.0
    for _ in range(STEPS):
        g, H = objective.gradient(w), hessian(objective, w)
        passes += 2.0
        bend = max(bend, float(np.trace(H)) / len(H))  # the mean curvature met so far: here it may have vanished
        H[np.diag_indices_from(H)] += ridge * bend + TINY
        p = _step(objective, w, g, H)
        promised = -(g @ p + 0.5 * p @ H @ p) - _rough(objective, w + p) + _rough(objective, w)
        if not promised > enough * max(height, TINY):
            break
        steep = _slope(objective, w, p, 0.0, g)
        t = 1.0
        while not _slope(objective, w, p, t) <= 0.1 * abs(steep) and t > 1e-12:
            t *= 0.5
            passes += 1.0
        w = w + t * p
        height = abs(objective.value(w))
        passes += 1.0
        ridge = ridge * 100.0 if t < 0.1 else max(ridge * 0.1, SMALLEST_RIDGE)
    return w, passes


def _slope(objective: Any, w: Array, p: Array, t: float, g: Array | None = None) -> float:
    """Slope at w + t·p along p, the L1 share included (from the right)."""
    new = w + t * p
    g = objective.gradient(new) if g is None else g
    part, along = new[: objective.penalised], p[: objective.penalised]
    rough = np.where(part == 0, abs(along), np.sign(part) * along).sum() * _lasso(objective)
    return float(g @ p + rough)


def _lasso(objective: Any) -> float:
    """The penalty's factor of Σ|w|."""
    return float(objective.penalty.cost(1.0) - 0.5 * objective.penalty.pull(1.0))


def _rough(objective: Any, w: Array) -> float:
    """The penalty's L1 share at w."""
    return float(abs(w[: objective.penalised]).sum() * _lasso(objective))


def _step(objective: Any, w: Array, g: Array, H: Array) -> Array:
    """argmin_p g·p + ½ pᵀHp + the L1 share at w + p."""
    if _lasso(objective) <= 0.0:
        return -np.asarray(la.cho_solve(la.cho_factor(H), g))
    p = np.empty_like(w)
    lasso_step(w, g, H, _lasso(objective), objective.penalised, p)
    return p


def _rounded(objective: Any) -> tuple[Array, float]:
    """Newton on the loss rounded over windows from wide to narrow, each from the last one's point."""
    spread = float(np.std(objective.model.y)) or 1.0
    w, passes = objective.start(), 0.0
    best, height = w, objective.value(w)
    for width in spread * 0.5 ** np.arange(24):
        rounded = with_loss(objective, Smoothed(objective.loss, float(width)))
        w, more = newton(rounded, w, 1e-9)
        passes += more
        if objective.value(w) < height:
            best, height = w, objective.value(w)
    return best, passes


def with_loss(objective: Linear, loss: Any) -> Linear:
    """The same rows and penalty under another loss, nothing copied."""
    other = object.__new__(Linear)
    other.__dict__.update(objective.__dict__)
    other.loss, other.model = loss, objective.model._replace(loss=loss)
    return other


def _lbfgs(objective: Any) -> tuple[Array, str, float]:
    """L-BFGS (Liu & Nocedal 1989) from SciPy, for wide tables.

    With an L1 share, |w| is not smooth, but w = u − v with u, v ≥ 0 makes it Σ(u + v), which is (Schmidt et al. 2007).
    """
    lasso, p = _lasso(objective), objective.penalised
    split = lasso > 0.0

    def joined(x: Array) -> Array:
        return np.concatenate([x[:p] - x[p : 2 * p], x[2 * p :]]) if split else x

    def value(x: Array) -> float:
        w = joined(x)
        rough = lasso * x[: 2 * p].sum() - _rough(objective, w) if split else 0.0
        return float(objective.value(w) + rough)

    def gradient(x: Array) -> Array:
        g = objective.gradient(joined(x))
        return np.concatenate([g[:p] + lasso, lasso - g[:p], g[p:]]) if split else g

    start = objective.start()
    result = minimize(
        value,
        np.concatenate([np.zeros(p), start]) if split else start,
        jac=gradient,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * (2 * p) + [(None, None)] * (len(start) - p) if split else None,
        options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 30},
    )
    return joined(result.x), "L-BFGS", 2.0 * result.nfev
