"""The objectives in plain Python: loops over rows that call the parts' own methods on floats. Slow, and easy to believe.

Also what they are tried on: a few rows, targets that a loss accepts, and settings of the parts beyond their defaults.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.losses import (
    LOSSES,
    MULTICLASS,
    EpsilonInsensitive,
    Huber,
    Quantile,
    SquaredEpsilonInsensitive,
    Tweedie,
)

OTHER_SETTINGS = {
    "huber": (Huber(0.5), Huber(3.0)),
    "epsilon_insensitive": (EpsilonInsensitive(0.0), EpsilonInsensitive(1.5)),
    "squared_epsilon_insensitive": (SquaredEpsilonInsensitive(0.0), SquaredEpsilonInsensitive(1.5)),
    "quantile": (Quantile(0.1), Quantile(0.9)),
    "tweedie": (Tweedie(1.1), Tweedie(1.9)),
}
LOSS_SETTINGS = [loss for name, part in LOSSES.items() for loss in (part(), *OTHER_SETTINGS.get(name, ()))]
ALL_LOSSES = {name: part() for name, part in {**LOSSES, **MULTICLASS}.items()}


class PlainObjective:
    """What both have in common: rows as lists of (column, number), a mean over weighted rows, a penalty."""

    def __init__(self, X: Any, y: Any, loss: Any, penalty: Any, weights: Any, scores: int, intercept: bool) -> None:
        self.d = X.shape[1]
        self.rows = [entries(X, i) for i in range(X.shape[0])]
        self.y, self.loss, self.penalty = list(y), loss, penalty
        self.n = len(self.rows)
        weights = [1.0] * self.n if weights is None else [float(weight) for weight in weights]
        self.weights = [weight * self.n / sum(weights) for weight in weights]
        self.scores, self.intercept = scores, intercept
        self.penalised = scores * self.d

    def start(self) -> Any:
        return np.zeros(self.scores * (self.d + self.intercept))

    def scored(self, w: Any, i: int) -> list[float]:
        """Every score of row i, before the offset."""
        free = w[self.penalised :] if self.intercept else [0.0] * self.scores
        return [
            sum((x * float(w[k * self.d + j]) for j, x in self.rows[i]), start=float(free[k]))
            for k in range(self.scores)
        ]

    def value(self, w: Any) -> float:
        mean = sum(self.weights[i] * self.loss_of(w, i) for i in range(self.n)) / self.n
        return float(mean + sum(self.penalty.cost(float(w[j])) for j in range(self.penalised)))

    def values(self, points: Any) -> Any:
        return np.array([self.value(w) for w in points])

    def gradient(self, w: Any, rows: Any = slice(None)) -> Any:
        chosen = range(self.n)[rows] if isinstance(rows, slice) else [int(i) for i in rows]
        g = [0.0] * len(w)
        for i in chosen:
            for k, force in enumerate(self.forces(w, i)):
                force *= self.weights[i] / len(chosen)
                for j, x in self.rows[i]:
                    g[k * self.d + j] += force * x
                if self.intercept:
                    g[self.penalised + k] += force
        return np.array([g[j] + (self.penalty.pull(float(w[j])) if j < self.penalised else 0.0) for j in range(len(w))])

    def prox(self, w: Any, rate: Any) -> Any:
        rates = np.broadcast_to(np.asarray(rate, dtype=float), w.shape)
        settled = [self.penalty.prox(float(w[j]), float(rates[j])) for j in range(self.penalised)]
        return np.array([*settled, *w[self.penalised :]])


class PlainLinear(PlainObjective):
    """One score a row."""

    def __init__(
        self,
        X: Any,
        y: Any,
        loss: Any,
        penalty: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        intercept: bool = True,
    ) -> None:
        super().__init__(X, y, loss, penalty, weights, 1, intercept)
        self.offset = [0.0] * self.n if offset is None else list(offset)

    def loss_of(self, w: Any, i: int) -> float:
        return float(self.loss.value(float(self.y[i]), self.scored(w, i)[0] + self.offset[i]))

    def forces(self, w: Any, i: int) -> list[float]:
        return [self.loss.derivative(float(self.y[i]), self.scored(w, i)[0] + self.offset[i])]


class PlainSoftmax(PlainObjective):
    """One score a class."""

    def __init__(
        self,
        X: Any,
        y: Any,
        loss: Any,
        penalty: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        intercept: bool = True,
    ) -> None:
        super().__init__(X, y, loss, penalty, weights, int(max(y)) + 1, intercept)
        self.offset = np.zeros((self.n, self.scores)) if offset is None else offset

    def shifted(self, w: Any, i: int) -> list[float]:
        return [z + float(more) for z, more in zip(self.scored(w, i), self.offset[i], strict=True)]

    def loss_of(self, w: Any, i: int) -> float:
        return float(self.loss.value(int(self.y[i]), self.shifted(w, i)))

    def forces(self, w: Any, i: int) -> list[float]:
        return list(self.loss.derivative(int(self.y[i]), self.shifted(w, i)))


def entries(X: Any, i: int) -> list[tuple[int, float]]:
    """Row i of a dense or sparse table as (column, number), as Python floats."""
    if sp.issparse(X):
        row = sp.csr_array(X)[[i]]
        return [(int(j), float(x)) for j, x in zip(row.indices, row.data, strict=True)]
    return [(j, float(X[i, j])) for j in range(X.shape[1])]


class Problem:
    """A small weighted problem with offsets that a loss accepts: 12 rows, 3 columns, some entries zero, one row empty.

    `objective(storage)` is fallline's, `plain(storage)` the oracle's. `start` is no optimum, on no kink, and near
    enough to zero for an exponential of scores to stay small.
    """

    def __init__(self, loss: Any, n: int = 12, d: int = 3, seed: int = 7) -> None:
        chance = np.random.default_rng(seed)
        self.loss = loss
        self.X = np.where(chance.random((n, d)) < 0.3, 0.0, chance.normal(size=(n, d)))
        self.X[n // 2] = 0.0
        self.multiclass = type(loss) in MULTICLASS.values()
        self.y = chance.permutation(np.arange(n) % 3) if self.multiclass else targets_for(loss, chance, n)
        scores = 3 if self.multiclass else 1
        self.weights = chance.uniform(0.5, 2.0, size=n)
        self.offset = chance.normal(scale=0.3, size=(n, scores) if self.multiclass else n)
        self.start = chance.normal(scale=0.3, size=scores * (d + 1))

    def objective(self, storage: Any, penalty: Any = None) -> Any:
        from fallline.objectives import Linear, SoftmaxRegression

        rest = {"penalty": penalty, "weights": self.weights, "offset": self.offset}
        if self.multiclass:
            return SoftmaxRegression(storage(self.X), self.y, **rest)
        return Linear(storage(self.X), self.y, self.loss, **rest)

    def plain(self, storage: Any, penalty: Any) -> Any:
        kind = PlainSoftmax if self.multiclass else PlainLinear
        return kind(storage(self.X), self.y, self.loss, penalty, weights=self.weights, offset=self.offset)


def dense64(X: Any) -> Any:
    return np.ascontiguousarray(X, dtype=np.float64)


def dense32(X: Any) -> Any:
    return np.ascontiguousarray(X, dtype=np.float32)


def csr64(X: Any) -> Any:
    return sp.csr_array(X.astype(np.float64))


def csr32(X: Any) -> Any:
    return sp.csr_array(X.astype(np.float32))


def targets_for(loss: Any, chance: Any, n: int) -> Any:
    """n targets that the loss accepts: numbers, counts, amounts or signs, the first kind that it takes."""
    kinds = (
        chance.normal(size=n),
        chance.poisson(1.5, size=n).astype(float),
        chance.gamma(2.0, size=n) + 0.1,
        np.where(chance.permutation(n) % 2 == 0, 1.0, -1.0),
    )
    return next(y for y in kinds if all(loss.accepts(value) for value in y.tolist()))
