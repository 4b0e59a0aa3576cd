"""The optimum of a linear model's objective, to nearly all digits: what every walk's excess is measured from.

Newton's method as the solvers take it (executors/newton.py), carried on until rounding stops it. A loss with corners is
rounded more and more finely. Where the curvature does not fit in memory, L-BFGS.
"""

import time
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

from fallline.executors import newton as executors
from fallline.executors.level import level_of
from fallline.executors.newton import lasso_of
from fallline.executors.rounded import window
from fallline.losses.smoothed import Smoothed
from fallline.objectives.coordinates import WIDEST, standard
from fallline.objectives.variants import with_loss

Array = np.ndarray[Any, Any]

STEPS = 100
ENOUGH = 1e-16  # of the height: a Newton step that promises less is rounding
SETTLED = 1e-9  # the same for one of the rounded losses, each only on the way to the next
RIDGE = 1e-3  # of the mean curvature: in a narrow window few rows bend, and steps along what none of them sees are wild


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
        w, passes = newton(objective, level_of(objective), ENOUGH)
        by = "Newton's method"
    else:
        w, passes = _rounded(objective)
        by = "Newton's method on finer and finer roundings of the loss"
    return Optimum(w, objective.value(w), by, time.perf_counter() - start, passes)


def newton(objective: Any, w: Array, enough: float, ridge: float = 0.0) -> tuple[Array, float]:
    """Damped Newton from w until a step promises less than `enough` of the height; the point and the passes it took."""
    settled = executors.newton(objective, w, enough, STEPS, standard(objective)[0], ridge)
    return settled.point.w, settled.passes


def _rounded(objective: Any) -> tuple[Array, float]:
    """Newton on the loss rounded over windows from wide to narrow, each from the last one's point."""
    w, passes = level_of(objective), 0.0  # from far below targets in thousands no row would ever come into the window
    best, height = w, objective.value(w)
    for width in window(objective) * 0.5 ** np.arange(25):
        rounded = with_loss(objective, Smoothed(objective.loss, float(width)))
        w, more = newton(rounded, w, SETTLED, RIDGE)
        passes += more
        if objective.value(w) < height:
            best, height = w, objective.value(w)
    return best, passes


def _lbfgs(objective: Any) -> tuple[Array, str, float]:
    """L-BFGS (Liu & Nocedal 1989) from SciPy, for wide tables.

    With an L1 share, |w| is not smooth, but w = u − v with u, v ≥ 0 makes it Σ(u + v), which is (Schmidt et al. 2007).
    """
    lasso, p = lasso_of(objective), objective.penalised
    split = lasso > 0.0

    def joined(x: Array) -> Array:
        return np.concatenate([x[:p] - x[p : 2 * p], x[2 * p :]]) if split else x

    def value(x: Array) -> float:
        w = joined(x)
        rough = lasso * float(x[: 2 * p].sum() - abs(w[:p]).sum()) if split else 0.0
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
