"""Linear models: one score a row, any loss, any penalty."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.kernels import penalty as shrink
from fallline.kernels.sums import LinearModel, mean_losses, mean_slope_of, spread_of
from fallline.losses import SquaredError
from fallline.objectives.passes import curvatures, loss_and_gradient, losses_at, moved_scores
from fallline.objectives.variants import in_order
from fallline.penalties import NoPenalty, refuse_penalty
from fallline.rows import table

Array = np.ndarray[Any, Any]

STRIP = 16_384  # targets looked at together


class RowObjective:
    """What linear models of one score a row and of one a class share: a mean over weighted rows, and a penalty.

    Parameters w are the coefficients, then the intercepts (free of the penalty). Minimises
    Σ vᵢ·loss(yᵢ, zᵢ)/Σ vᵢ + penalty(coefficients), scikit-learn's objective for SGD.
    """

    disk: Any = None  # of a table that is larger than memory, who reads it; see data/cache.py
    products = np.dtype(float)  # what a dense table is multiplied in, for several classes, if it is not longer itself

    def __init__(self, model: Any, penalty: Any, scores: int, size: int) -> None:
        refuse_penalty(penalty)
        self.model, self.penalty = model, penalty
        self.scores = scores  # a row
        self.penalised = scores * model.d  # the first so many of w
        self.size = size

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.model.y)

    def start(self) -> Array:
        """All zero."""
        return np.zeros(self.size)

    def _check(self, w: Array) -> None:
        """Refuse a point of another size: a kernel would read beyond its end."""
        if w.shape[-1] != self.size:
            raise InputError(f"w has {w.shape[-1]} numbers where this objective has {self.size} parameters.")

    def value(self, w: Array) -> float:
        """The objective at w."""
        return float(self.values(w[None])[0])

    def values(self, points: Array) -> Array:
        """The objective at each of `points` (k, size), reading the table once."""
        self._check(points)
        points = np.ascontiguousarray(points)
        if self.disk is not None and not self.disk.kept and self.scores > 1:
            return np.array([loss_and_gradient(self, point)[0] for point in points])
        if self.scores == 1:
            heights = losses_at(self, points)
        else:
            heights = np.asarray(mean_losses(self.model, points, np.zeros(self.scores)))
        shrink.costs_of(self.penalty, points, self.penalised, heights)
        return heights

    def gradient(self, w: Array, rows: Any = slice(None)) -> Array:
        """Gradient at w of the mean loss over `rows` (indices, or slice(None): all) and the penalty's smooth share."""
        self._check(w)
        if isinstance(rows, slice):
            return loss_and_gradient(self, w)[1]
        if self.disk is not None and not self.disk.kept:
            return np.asarray(in_order(self, np.asarray(rows)).gradient(w, np.arange(len(rows))))
        g = np.empty_like(w)
        mean_slope_of(self.model, w, np.zeros(self.scores), np.asarray(rows), g)
        shrink.pull_on(self.penalty, w, self.penalised, g)
        return g

    def spread(self, w: Array, rows: Array) -> float:
        """tr C over `rows` (indices): the mean of ‖gᵢ − mean g‖², gᵢ the gradient of row i's loss. Costs two visits a row."""
        self._check(w)
        if self.disk is not None and not self.disk.kept:
            return float(in_order(self, rows).spread(w, np.arange(len(rows))))
        z, mean, room = np.zeros(self.scores), np.empty_like(w), np.empty_like(w)
        mean_slope_of(self.model, w, z, rows, mean)
        return float(spread_of(self.model, w, z, rows, mean, room))

    def forecast(self, plan: Any = None, **settings: Any) -> Any:
        """What a walk down this will do, before it is walked: fallline.forecast.ahead.forecast_of."""
        from fallline.forecast.ahead import forecast_of

        return forecast_of(self, plan, **settings)

    def forecast_map(self, step: str = "plain", **settings: Any) -> Any:
        """How long every rate and batch size take to 1 % of the excess at the start: fallline.forecast.grid.map_of."""
        from fallline.forecast.grid import map_of

        return map_of(self, step, **settings)

    def prox(self, w: Array, rate: Any) -> Array:
        """Proximal step of length `rate` (a number, or one a coordinate) of the penalty's L1 share."""
        out = w.copy()
        shrink.settle(self.penalty, out, np.broadcast_to(np.asarray(rate, float), w.shape).copy(), self.penalised)
        return out


class Linear(RowObjective):
    """A linear model with one score a row, z = x·w + b + offset.

    X: (n, d) array, float32 or float64, or SciPy sparse. y: (n,) as the loss wants it: −1 and +1 for two classes.
    weights: (n,), not negative. offset: (n,). Raises InputError for shapes that do not meet or targets that the loss
    is not defined for, naming the row.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        loss: Any = None,
        penalty: Any = None,
        *,
        weights: Any = None,
        offset: Any = None,
        intercept: bool = True,
    ) -> None:
        rows = table(X)
        n, d = rows.shape()
        self.loss = SquaredError() if loss is None else loss
        if isinstance(self.loss, type) or not hasattr(self.loss, "accepts"):
            raise InputError(f"loss is {self.loss!r}, which is none: give one of fallline.losses, such as LogLoss().")
        y = column(y, n, "y")
        refuse_targets(self.loss, y)
        o = np.zeros(n) if offset is None else column(offset, n, "offset")
        model = LinearModel(rows, y, weights_of(weights, n), o, self.loss, d, int(intercept))
        super().__init__(model, NoPenalty() if penalty is None else penalty, 1, d + int(intercept))
        self.intercept = intercept

    def margins(self, w: Array) -> Array:
        """y·z of every row, (n,): positive where a row of two classes is on its right side."""
        self._check(w)
        return np.asarray(self.model.y * (moved_scores(self, w) + self.model.offset))

    def curvature(self, w: Array) -> Array:
        """d² loss/dz² of every row at w, times its weight, (n,)."""
        self._check(w)
        return curvatures(self, w)


def column(values: Any, n: int, name: str) -> Array:
    """`values` as n floats, or an InputError that names the first that is none."""
    try:
        out = np.ascontiguousarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        row, value = next((i, v) for i, v in enumerate(values) if not _is_number(v))
        raise InputError(f"{name} in row {row} is {value!r}, no number: code it as numbers first.") from error
    if out.shape != (n,):
        raise InputError(f"{name} has shape {out.shape} where X has {n} rows: it must have shape ({n},).")
    if not np.isfinite(out).all():
        row = int(np.flatnonzero(~np.isfinite(out))[0])
        raise InputError(f"{name} in row {row} is {out[row]}: drop the row, or fill the value in.")
    return out


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def weights_of(weights: Any, n: int) -> Array:
    """Row weights with mean one."""
    if weights is None:
        return np.ones(n)
    out = column(weights, n, "weights")
    if out.min() < 0:
        row = int(out.argmin())
        raise InputError(
            f"weights in row {row} is {out[row]:g}: a weight cannot be negative; use 0 to leave a row out."
        )
    total = out.sum()
    if not total:
        raise InputError("weights are all zero: at least one row must count.")
    return out if total == n else out * (n / total)


def refuse_targets(loss: Any, y: Array, called: str = "y", place: Callable[[int], str] = "in row {}".format) -> None:
    """Raise InputError for the first target that the loss is not defined for. `called`: what the user calls the target; `place`:
    where a row stands.
    """
    for first in range(0, len(y), STRIP):  # what is made of them is then small beside the table
        part = y[first : first + STRIP]
        sound = np.broadcast_to(loss.accepts(part), part.shape)
        if not sound.all():
            row, name = first + int(sound.argmin()), type(loss).__name__
            raise InputError(
                f"{called} {place(row)} is {y[row]:g}, for which {name} is not defined: {WANTED.get(name, '')}."
            )


WANTED = {
    "LogLoss": "code two classes as −1 and +1",
    "Hinge": "code two classes as −1 and +1",
    "SquaredHinge": "code two classes as −1 and +1",
    "ModifiedHuber": "code two classes as −1 and +1",
    "Perceptron": "code two classes as −1 and +1",
    "Poisson": "counts are never negative; try squared_error or huber",
    "Gamma": "amounts must be above zero; try tweedie, which allows exact zeros",
    "Tweedie": "amounts are never negative; try squared_error or huber",
}
