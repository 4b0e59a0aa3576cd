"""What a forecast knows of an objective: its optimum, the curvature's own directions, and rows that stand for all.

A place is u = Vᵀ(w − w*), V the eigenvectors of the curvature at the optimum w*; a walk's place is spread, each u_j with a
variance of its own. `look` says what the rows make of such a place. Models of more than 1,500 parameters have no such matrix:
krylov.py finds some hundred directions that stand for all.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError
from fallline.executors.certificate import bound_of
from fallline.executors.smoothness import LARGEST_CURVATURE
from fallline.forecast.krylov import nodes_of
from fallline.kernels.moments import seen, shaken
from fallline.losses import Softmax
from fallline.objectives.coordinates import WIDEST
from fallline.objectives.hessian import pull_slope
from fallline.objectives.passes import moved_scores
from fallline.objectives.variants import subset
from fallline.reference.limits import Limits, gathered_rows, limits_of, reach_of, telling
from fallline.solver import solve

Array = np.ndarray[Any, Any]

CLOSE = 1e-9  # of the loss: how near the optimum is found
AFFORDABLE = 500_000  # entries of rows in modes; a forecast reads them one or two hundred times
READ = 200_000  # the same where many plans are forecast
A_ROW = 20  # entries that a row's own losses cost as much as
FEWEST, A_MODE = 2_000, 4  # rows that stand for the rest, at least: so many, and so many a mode
MOST = 2.0  # variance of a score under a loss whose curvature has no bound: what a normal says beyond is of rows seldom met
STRAY = 1e-6  # of the squared way to the optimum: as much of it may lie outside of a wide model's modes


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
    most: float  # variance of a score that walks are taken to have, at most
    many: Array  # (modes,) how many directions of noise a mode stands for: one, but in a wide model
    bound: float  # the lowest loss is proven to be no further below `value`; NaN: not asked, as the optimum is exact
    drawn: Array  # (modes,) of a wide model, mean square of random sums along them (see stood_for); else empty

    def within(self, affordable: int) -> "Ground":
        """The same from so many entries of rows, at most: neither optimum nor curvature is worked out again."""
        if self.Z.size <= affordable:
            return self
        return read(self.objective, self.w, self.limits, self.drawn, self.bound, affordable)

    @property
    def sampled(self) -> bool:
        """Whether some rows stand for all."""
        return self.rows < self.objective.n

    def place(self, w: Array) -> Array:
        """u of a point. Raises InputError for one that a wide model's modes do not reach: walks must begin where it was told."""
        way = w - self.w
        u = np.asarray(self.limits.vectors.T @ way)
        if way @ way - u @ u > STRAY * (way @ way):
            raise InputError(
                "A wide model is forecast from the start that its ground was made for, and this is another: make one for it by "
                "ground_of(objective, start=...)."
            )
        return u

    def look(self, u: Array, spread: Array, most: float = math.inf) -> Look:
        """The objective from mean place u with variances `spread`, both (modes,).

        The rows' own slope, curvature and noise are averaged over the spread of their scores; noise_j is
        E[ψ'²Z_j²] − (E ψ'Z_j)² − (E ψ''Z_j²)²·spread_j, the last being what the mean gradient varies by from place to place;
        the first two count as often as the mode stands for directions. most: a score's variance is taken as at most that.
        """
        slope, bends, squares = np.empty_like(u), np.empty_like(u), np.empty_like(u)
        u, spread = np.ascontiguousarray(u), np.maximum(spread, 0.0)
        height = seen(
            self.objective.loss,
            self.y,
            self.weights,
            self.shares,
            self.base,
            self.Z,
            u,
            spread,
            most,
            slope,
            bends,
            squares,
        )
        with np.errstate(over="ignore", invalid="ignore"):  # of a walk that runs away: its excess is then no number
            noise = np.maximum(self.many * (squares - slope**2) - bends**2 * spread, 0.0)
            bowl, pulled = self.square.diagonal(), self.square @ u
            excess = height - self.height + self.linear @ u + 0.5 * (u @ pulled + spread @ bowl)
        return Look(float(excess), slope + self.linear + pulled, np.maximum(bends + bowl, 0.0), noise)

    def shake(self, u: Array, towards: Array) -> float:
        """The variance of one row's gradient at u along `towards`, (modes,)."""
        objective = self.objective
        return float(shaken(objective.loss, self.y, self.weights, self.shares, self.base, self.Z, u, towards))


def ground_of(objective: Any, affordable: int = AFFORDABLE, start: Any = None) -> Ground:
    """Find the optimum of a Linear objective and read as many of its rows as are affordable.

    Where a sample stands for all, it is made to have the right optimum and the right curvature there: what it gets wrong of
    both is known from all rows, and is taken out of every look. start: where walks begin, which is asked of wide models only.
    Raises InputError for what is not forecast.
    """
    refuse(objective)
    run = solve(objective, CLOSE)
    if "separable" in run.trace.about:
        raise InputError(
            "There is no optimum to forecast towards: without a penalty separable classes let the weights grow without bound. "
            "Add an L2 penalty."
        )
    w = run.w
    if objective.size > WIDEST:
        values, V, drawn = nodes_of(objective, w, objective.start() if start is None else np.asarray(start, float))
        reach, bound = reach_of(objective, objective.curvature(w)), bound_of(objective, w).value
        limits = Limits(values, np.empty((0, 0)), np.empty(0), reach, False, V)
    else:
        limits, drawn, bound = limits_of(objective, w), np.empty(0), float("nan")
    return read(objective, w, limits, drawn, bound, affordable)


def read(objective: Any, w: Array, limits: Limits, drawn: Array, bound: float, affordable: int) -> Ground:
    """The ground of an objective whose optimum w is known, from as many of its rows as are affordable."""
    wide, V, curvature = len(drawn) > 0, limits.vectors, objective.curvature(w)
    modes = V.shape[1]
    rows = min(objective.n, max(FEWEST, A_MODE * modes, affordable // (modes + A_ROW)))
    chosen, shares = telling(objective, curvature, rows)
    some = objective if len(chosen) == objective.n else subset(objective, chosen)
    model = objective.model
    y, weights, offset = model.y[chosen], model.weights[chosen], model.offset[chosen]
    if wide:
        Z, base = np.column_stack([moved_scores(some, v) for v in V.T]), moved_scores(some, w) + offset
    else:
        X = gathered_rows(objective, chosen)
        Z, base = np.ascontiguousarray(X @ V), X @ w + offset
    slope, bends, squares, zero = (np.zeros(modes) for _ in range(4))
    height = seen(objective.loss, y, weights, shares, base, Z, zero, zero, 1.0, slope, bends, squares)
    ridge = pull_slope(objective) * (np.arange(objective.size) < objective.penalised)
    linear, square = V.T @ (ridge * w), V.T @ (ridge[:, None] * V)
    if some is not objective:
        linear = -slope
        square = np.diag(limits.values) - Z.T @ ((shares * curvature[chosen])[:, None] * Z)
    many = stood_for(drawn, squares - slope**2, objective.spread(w, np.arange(objective.n))) if wide else np.ones(modes)
    return Ground(
        objective, w, objective.value(w), limits, len(chosen), Z, y, weights, shares, base, height, slope, linear, square,
        MOST if type(objective.loss) not in LARGEST_CURVATURE else math.inf, many, bound, drawn,
    )  # fmt: skip


def stood_for(drawn: Array, along: Array, trace: float) -> Array:
    """How many directions of noise each mode of a wide model stands for, so that the noise of all is tr C.

    drawn: (modes,) mean square of random sums with covariance C along each mode V, along: VᵀCV. Where the first is larger the
    mode was made by what it was to measure, and stands for as many; a few sums are a rough measure, so the excess over one is
    brought to what of tr C the modes themselves do not have.
    """
    more = np.maximum(drawn / np.maximum(along, 1e-300) - 1.0, 0.0) * (along > 0.0)
    beyond = float(more @ along)
    return 1.0 + more * (max(trace - float(along.sum()), 0.0) / beyond if beyond > 0.0 else 0.0)


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
