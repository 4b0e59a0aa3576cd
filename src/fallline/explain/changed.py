"""The objective with one thing different: what a change does that is not the plan's to say."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.objectives import Linear
from fallline.objectives.classes import balanced, by_class
from fallline.objectives.hessian import table_whole
from fallline.objectives.linear import weights_of
from fallline.objectives.variants import with_loss, with_weights
from fallline.rows import table

Array = np.ndarray[Any, Any]
Remake = Callable[[Any], Any]


def standardised(objective: Any) -> Any:
    """Columns of mean 0 and deviation 1; sparse ones, which must stay sparse, of root mean square 1."""
    X, model = table_whole(objective), objective.model
    weights = model.weights / model.weights.sum()
    if sp.issparse(X):
        scale = np.sqrt(weights @ X.multiply(X))
        return _scaled(objective, X @ sp.diags_array(1.0 / np.where(scale > 0.0, scale, 1.0), format="csr"))
    centre = weights @ X if objective.intercept else np.zeros(model.d)
    away = X - centre
    scale = np.sqrt(weights @ (away * away))
    return _scaled(objective, away / np.where(scale > 1e-12 * np.abs(X).max(axis=0, initial=1e-300), scale, 1.0))


def without(columns: tuple[int, ...]) -> Remake:
    """Those columns left out."""

    def remake(objective: Any) -> Any:
        X = table_whole(objective)
        kept = np.setdiff1d(np.arange(X.shape[1]), columns)
        return _over(objective, X[:, kept])

    return remake


def under(loss: Any, units: tuple[float, float] | None = None) -> Remake:
    """Another loss; `units`: mean and scale by which the targets come back into their own units, where it must have those."""

    def remake(objective: Any) -> Any:
        if units is None:
            return with_loss(objective, loss)
        y = objective.model.y * units[1] + units[0]
        return _over(objective, table_whole(objective), np.where(np.abs(y - np.round(y)) < 1e-6, np.round(y), y), loss)

    return remake


def retargeted(objective: Any, y: Array) -> Any:
    """Other targets."""
    return _over(objective, table_whole(objective), y)


def as_classes(loss: Any) -> Remake:
    """Two values of a number as two classes."""

    def remake(objective: Any) -> Any:
        y = objective.model.y
        return _over(objective, table_whole(objective), np.where(y == y.max(), 1.0, -1.0), loss)

    return remake


def charged(penalty: Any) -> Remake:
    """Another penalty."""

    def remake(objective: Any) -> Any:
        other = copy.copy(objective)
        other.penalty = penalty
        return other

    return remake


def even(objective: Any) -> Any:
    """Each class with half the weight."""
    y, weights = objective.model.y, objective.model.weights
    return with_weights(objective, weights_of(by_class(y, balanced(y, weights), weights), len(y)))


def _scaled(objective: Any, X: Any) -> Any:
    """The same columns in other units, for one score a row or several."""
    other = copy.copy(objective)
    other.model = objective.model._replace(rows=table(X))
    return other


def _over(objective: Any, X: Any, y: Array | None = None, loss: Any = None) -> Any:
    model = objective.model
    return Linear(
        X, model.y if y is None else y, objective.loss if loss is None else loss, objective.penalty, weights=model.weights,
        offset=model.offset if model.offset.any() else None, intercept=bool(model.free),
    )  # fmt: skip
