"""Class weights: how much each class counts, as weights of rows, which is all that an objective knows."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.objectives.linear import column

Array = np.ndarray[Any, Any]


def balanced(y: Any, weights: Any = None) -> dict[Any, float]:
    """The factor of each label that makes all classes count the same, total/(classes·own total) (King & Zeng 2001).

    y: (n,) labels of any kind. weights: (n,), what each row counts; 1 where None. scikit-learn's "balanced".
    """
    labels, places = np.unique(np.asarray(y), return_inverse=True)
    v = np.ones(len(places)) if weights is None else column(weights, len(places), "weights")
    own = np.bincount(places, weights=v, minlength=len(labels))
    if not own.all():
        raise InputError(
            f"All rows of the class {labels.tolist()[own.argmin()]!r} have weight 0: drop them before balancing."
        )
    return dict(zip(labels.tolist(), (own.sum() / (len(labels) * own)).tolist(), strict=True))


def by_class(y: Any, factors: Mapping[Any, Any], weights: Any = None) -> Array:
    """vᵢ·factor(yᵢ), (n,): what `Linear(weights=…)` and `SoftmaxRegression(weights=…)` take.

    y: (n,) labels. factors: label → factor; a label that is not there counts 1. weights: (n,) vᵢ; 1 where None.
    Raises InputError for a factor that is no number ≥ 0, and for a label that no row has.
    """
    labels, places = np.unique(np.asarray(y), return_inverse=True)
    known = labels.tolist()
    for label, factor in factors.items():
        if label not in known:
            raise InputError(f"The class weights name {label!r}, which no row has: the classes are {known}.")
        if not (isinstance(factor, Real) and 0.0 <= float(factor) < np.inf):
            raise InputError(f"The weight of the class {label!r} is {factor!r}: it must be a number, 0 or above.")
    v = np.ones(len(places)) if weights is None else column(weights, len(places), "weights")
    return v * np.array([float(factors.get(label, 1.0)) for label in known])[places]


def balanced_so_far(codes: Array, weights: Array, seen: Array) -> tuple[Array, Array]:
    """What "balanced" makes of rows as they come: weights (n,), each by the totals up to and with its own row, and the totals.

    codes: (n,) class numbers. seen: (classes,) the total weight of each class before these rows. Row i counts
    vᵢ·total/(classes·own total), so that where the rows are cut into chunks makes no difference.
    """
    own = np.cumsum(np.vstack([seen, weights[:, None] * (codes[:, None] == np.arange(len(seen)))]), axis=0)
    return weights * own[1:].sum(axis=1) / (len(seen) * own[np.arange(1, len(own)), codes]), own[-1]
