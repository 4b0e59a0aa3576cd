"""What a forecast knows of an objective: its optimum, the curvature's own directions, and rows that stand for all.

A place is u = Vᵀ(w − w*), V the eigenvectors of the curvature at the optimum w*; a walk's place is spread, each u_j with a
variance of its own. `look` says what the rows make of such a place.
"""

from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError
from fallline.kernels.moments import seen, shaken
from fallline.losses import Softmax
from fallline.objectives.coordinates import WIDEST
from fallline.objectives.hessian import pull_slope
from fallline.objectives.variants import subset
from fallline.reference.limits import Limits, gathered_rows, limits_of, telling
from fallline.solver import solve

Array = np.ndarray[Any, Any]

CLOSE = 1e-9  # of the loss: how near the optimum is found
AFFORDABLE = 500_000  # entries of rows in modes; a forecast reads them one or two hundred times
A_ROW = 20  # entries that a row's own losses cost as much as
FEWEST, A_MODE = 2_000, 4  # rows that stand for the rest, at least: so many, and so many a mode
SLIGHT = 1e-13  # of the largest curvature: less is rounding


class Look(NamedTuple):
    """The objective seen from a place with a spread."""

    excess: float  # over the optimum, on average over the spread
    slope: Array  # (modes,) of that average
    bends: Array  # (modes,) curvature along each mode
    noise: Array  # (modes,) variance of one row's gradient about the mean of all rows


class Ground(NamedTuple):
    """An objective as a forecast knows it."""

    objective: Any
    w: Array  # the optimum
    value: float  # the loss there
    limits: Limits
    rows: int  # that are read
    Z: Array  # (rows, modes) float64, in V
    y: Array
    weights: Array
    shares: Array
    base: Array  # (rows,) scores at the optimum
    height: float  # mean loss of those rows there
    slope: Array  # (modes,) and its slope there
    linear: Array  # (modes,) what is added to the rows' slope: the penalty's pull at the optimum, and what a sample gets wrong
    square: Array  # (modes, modes) the same of their curvature

    @property
    def sampled(self) -> bool:
        """Whether some rows stand for all."""
        return self.rows < self.objective.n

    def place(self, w: Array) -> Array:
        """u of a point."""
        return np.asarray(self.limits.vectors.T @ (w - self.w))

    def look(self, u: Array, spread: Array) -> Look:
        """The objective from mean place u with variances `spread`, both (modes,).

        The rows' own slope, curvature and noise are averaged over the spread of their scores; noise_j is
        E[ψ'²Z_j²] − (E ψ'Z_j)² − (E ψ''Z_j²)²·spread_j, the last being what the mean gradient varies by from place to place.
        """
        slope, bends, squares = np.empty_like(u), np.empty_like(u), np.empty_like(u)
        u, spread = np.ascontiguousarray(u), np.maximum(spread, 0.0)
        height = seen(
            self.objective.loss, self.y, self.weights, self.shares, self.base, self.Z, u, spread, slope, bends, squares
        )
        with np.errstate(over="ignore", invalid="ignore"):  # of a walk that runs away: its excess is then no number
            noise = np.maximum(squares - slope**2 - bends**2 * spread, 0.0)
            bowl, pulled = self.square.diagonal(), self.square @ u
            excess = height - self.height + self.linear @ u + 0.5 * (u @ pulled + spread @ bowl)
        return Look(float(excess), slope + self.linear + pulled, np.maximum(bends + bowl, 0.0), noise)

    def shake(self, u: Array, towards: Array) -> float:
        """The variance of one row's gradient at u along `towards`, (modes,)."""
        objective = self.objective
        return float(shaken(objective.loss, self.y, self.weights, self.shares, self.base, self.Z, u, towards))


def ground_of(objective: Any, affordable: int = AFFORDABLE) -> Ground:
    """Find the optimum of a Linear objective and read as many of its rows as are affordable.

    Where a sample stands for all, it is made to have the right optimum and the right curvature there: what it gets wrong of
    both is known from all rows, and is taken out of every look. Raises InputError for what is not forecast.
    """
    refuse(objective)
    run = solve(objective, CLOSE)
    if "separable" in run.trace.about:
        raise InputError(
            "There is no optimum to forecast towards: without a penalty separable classes let the weights grow without bound. "
            "Add an L2 penalty."
        )
    w = run.w
    limits = limits_of(objective, w)
    n, size = objective.n, objective.size
    rows = min(n, max(FEWEST, A_MODE * size, affordable // (size + A_ROW)))
    chosen, shares = telling(objective, objective.curvature(w), rows)
    some = objective if len(chosen) == n else subset(objective, chosen)
    X, V, model = gathered_rows(objective, chosen), limits.vectors, objective.model
    Z, y, weights = np.ascontiguousarray(X @ V), model.y[chosen], model.weights[chosen]
    base = X @ w + model.offset[chosen]
    slope, bends, squares = np.empty(size), np.empty(size), np.empty(size)
    zero = np.zeros(size)
    height = seen(objective.loss, y, weights, shares, base, Z, zero, zero, slope, bends, squares)
    ridge = pull_slope(objective) * (np.arange(size) < objective.penalised)
    linear, square = V.T @ (ridge * w), V.T @ (ridge[:, None] * V)
    if some is not objective:
        linear = -slope
        curvature = shares * objective.curvature(w)[chosen]
        square = np.diag(limits.values) - Z.T @ (curvature[:, None] * Z)
    return Ground(
        objective,
        w,
        objective.value(w),
        limits,
        len(chosen),
        Z,
        y,
        weights,
        shares,
        base,
        height,
        slope,
        linear,
        square,
    )


def refuse(objective: Any) -> None:
    """Raise InputError for an objective that is not forecast."""
    loss = getattr(objective, "loss", None)
    if loss is None or isinstance(loss, Softmax):
        raise InputError(
            "The forecast is for models of one score a row: for several classes, forecast one of them against the rest."
        )
    if not loss.smooth():
        name = type(loss).__name__
        raise InputError(
            f"{name} has corners, whose curvature the forecast cannot see: forecast a smooth relative, such as huber or "
            "squared_hinge."
        )
    if objective.penalty.prox(1.0, 1.0) != 1.0:
        raise InputError(
            "An L1 share moves by thresholds, which the forecast does not follow: take penalty l2 or none."
        )
    if objective.size > WIDEST:
        raise InputError(
            f"The model has {objective.size:,} parameters, and the forecast works with a matrix of curvature up to {WIDEST:,}: "
            "leave columns out, or forecast on a part of them."
        )
