"""A task: a table, a loss and a penalty; and the judge, who says of any tool's answer how far from the optimum it is.

The judge is NumPy in float64 and shares nothing with the package: F(w) = mean loss + lambda/2·|w|² + lasso·|w|₁, intercepts
not penalised. Excess is (F(w) − F*)/(F* − floor), floor the loss of a perfect prediction (zero but for counts and amounts).
"""

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import logsumexp

from fallline import Linear, SoftmaxRegression, penalties, solve
from fallline.objectives.floor import floor_of
from fallline.reference import optimum_of
from fallline.stops import Seconds

Array = np.ndarray[Any, Any]

BLOCK = 50_000  # rows that the judge reads at a time
NARROW = 1e7  # rows times columns times scores up to which the reference goes to all digits
FINEST = 1e-10  # where the reference stops beyond
PATIENCE = 120.0  # seconds that it may take there


class Task:
    """Minimise the mean of `loss` over X (n, d) and y, with lam/2·|w|² + lasso·|w|₁."""

    def __init__(self, name: str, X: Any, y: Array, loss: Any, lam: float | None = None, lasso: float = 0.0) -> None:
        self.name, self.X, self.y, self.loss = name, X, y, loss
        self.n, self.d = X.shape
        self.lam = 1.0 / self.n if lam is None else lam
        self.lasso = lasso
        self.lowest = math.inf  # what anybody reached

    @property
    def kind(self) -> str:
        """The loss by its class's name."""
        return type(self.loss).__name__

    @property
    def sparse(self) -> bool:
        return sp.issparse(self.X)

    @property
    def classes(self) -> int:
        """Scores a row."""
        return int(self.y.max()) + 1 if self.kind == "Softmax" else 1

    def objective(self) -> Any:
        """As fallline has it; making it reads the table once and copies nothing."""
        alpha = self.lam + self.lasso
        penalty = penalties.L2(alpha) if self.lasso == 0.0 else penalties.ElasticNet(alpha, self.lasso / alpha)
        if self.kind == "Softmax":
            return SoftmaxRegression(self.X, self.y, self.classes, penalty)
        return Linear(self.X, self.y, self.loss, penalty)

    def typed(self, dtype: Any) -> "Task":
        """The same with the table in float32 or float64; itself where it is so already."""
        if self.X.dtype == dtype:
            return self
        other = Task(self.name, self.X.astype(dtype), self.y, self.loss, self.lam, self.lasso)
        other.__dict__["optimum"], other.lowest = self.optimum, self.lowest
        return other

    def standardised(self) -> "Task":
        """Mean 0 and deviation 1 in every column: an easier problem with an optimum of its own, for tools that need it."""
        X = self.X.astype(np.float64)
        spread = X.std(0)
        spread[spread <= 1e-10 * abs(X).max(0)] = np.inf  # a constant column
        X = ((X - X.mean(0)) / spread).astype(self.X.dtype)
        return Task(f"{self.name}, standardised", X, self.y, self.loss, self.lam, self.lasso)

    def first(self, rows: int) -> "Task":
        """The same with fewer rows, for a smoke run."""
        return Task(self.name, self.X[:rows], self.y[:rows], self.loss, None, self.lasso)

    @cached_property
    def optimum(self) -> float:
        """F*: Newton's method to all digits; for large tables the solver to 1e-10 of the loss."""
        objective = self.objective()
        small = self.n * self.d * self.classes < NARROW and objective.size <= 1000
        if small or not self.loss.smooth():
            return self.height(optimum_of(objective).w)
        return self.height(solve(objective, tol=FINEST, budget=Seconds(PATIENCE)).w)

    def excess(self, w: Array) -> float:
        """Of any answer; and remembers the lowest height that was seen."""
        height = self.height(w)
        self.lowest = min(self.lowest, height, self.optimum)
        return (height - self.lowest) / (self.optimum - self.floor) if math.isfinite(height) else math.inf

    @cached_property
    def floor(self) -> float:
        return floor_of(self.objective())

    def height(self, w: Array) -> float:
        """F(w). w: class after class of coefficients, then the intercepts."""
        w = np.asarray(w, dtype=float).ravel()
        k = self.classes
        coefficients, intercepts = w[: k * self.d].reshape(k, self.d), w[k * self.d :]
        total = 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, self.n, BLOCK):
                rows = slice(start, start + BLOCK)
                z = self.X[rows].astype(float) @ coefficients.T + intercepts
                total += VALUES[self.kind](self.loss, self.y[rows], z if k > 1 else z[:, 0]).sum()
            penalty = 0.5 * self.lam * (coefficients**2).sum() + self.lasso * abs(coefficients).sum()
            return float(total / self.n + penalty)


class Point(NamedTuple):
    """One fit of a tool: its setting and budget, the seconds of the call, the excess of its answer."""

    setting: dict[str, Any]
    budget: float
    seconds: float
    excess: float


def _squared_beyond(r: Array, epsilon: float) -> Array:
    return np.maximum(0.0, abs(r) - epsilon) ** 2


VALUES = {
    "LogLoss": lambda loss, y, z: np.logaddexp(0.0, -y * z),
    "Softmax": lambda loss, y, z: logsumexp(z, axis=1) - z[np.arange(len(y)), y.astype(int)],
    "Hinge": lambda loss, y, z: np.maximum(0.0, 1.0 - y * z),
    "SquaredHinge": lambda loss, y, z: np.maximum(0.0, 1.0 - y * z) ** 2,
    "ModifiedHuber": lambda loss, y, z: np.where(y * z < -1.0, -4.0 * y * z, np.maximum(0.0, 1.0 - y * z) ** 2),
    "SquaredError": lambda loss, y, z: 0.5 * (z - y) ** 2,
    "AbsoluteError": lambda loss, y, z: abs(z - y),
    "Huber": lambda loss, y, z: np.where(
        abs(z - y) <= loss.delta, 0.5 * (z - y) ** 2, loss.delta * (abs(z - y) - 0.5 * loss.delta)
    ),
    "EpsilonInsensitive": lambda loss, y, z: np.maximum(0.0, abs(z - y) - loss.epsilon),
    "SquaredEpsilonInsensitive": lambda loss, y, z: _squared_beyond(z - y, loss.epsilon),
    "Quantile": lambda loss, y, z: np.where(z >= y, (1.0 - loss.level) * (z - y), loss.level * (y - z)),
    "Poisson": lambda loss, y, z: np.exp(z) - y * z,
    "Gamma": lambda loss, y, z: z + y * np.exp(-z),
    "Tweedie": lambda loss, y, z: (
        np.exp((2 - loss.power) * z) / (2 - loss.power) - y * np.exp((1 - loss.power) * z) / (1 - loss.power)
    ),
}
