"""What classifiers share: labels to class numbers, and class weights to weights of rows."""

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from fallline.errors import InputError
from fallline.estimators.inputs import table_of, weights_for
from fallline.objectives.classes import balanced, balanced_so_far, by_class

Array = np.ndarray[Any, Any]


class Labelled:
    """An estimator whose targets are labels. It has `class_weight` and `warm_start`."""

    classes_: Array
    class_weight: Any
    warm_start: bool

    def _labelled(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Array, Array]:
        """The table, the class number of each row, and the rows' weights, class weights included; sets `classes_`.

        Raises InputError for one class only, and where warm_start would go on with other classes.
        """
        X, y = table_of(self, X, y, reset=True)
        check_classification_targets(y)
        before = getattr(self, "classes_", None)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"y has one class only, {self.classes_.tolist()[0]!r}: a classifier learns to tell at least two apart."
            )
        if self.warm_start and before is not None and not np.array_equal(before, self.classes_):
            raise InputError(
                f"warm_start goes on with the classes {before.tolist()}, and y has {self.classes_.tolist()}: fit another "
                "estimator."
            )
        weights = weights_for(sample_weight, len(y))
        if self.class_weight is not None:
            weights = by_class(y, self._factors(y, weights), weights)
        return X, codes, weights

    def _labelled_so_far(
        self, X: Any, y: Any, classes: Any, sample_weight: Any, *, first: bool, begun: bool
    ) -> tuple[Any, Array, Array]:
        """The same for rows that come in pieces. first: no table was seen before; begun: pieces were, so that counts go on.

        "balanced" weighs a row by what has come up to and with it. Raises InputError for a label that is none of the classes.
        """
        X, y = table_of(self, X, y, reset=first)
        check_classification_targets(y)
        codes = self._codes(y, classes)
        weights = weights_for(sample_weight, len(y), some=False)
        if isinstance(self.class_weight, dict):
            weights = weights * by_class(self.classes_, self.class_weight)[codes]
        elif self.class_weight is not None:
            self._factors(y, np.ones(len(y)))
            before = getattr(self, "_seen", None) if begun else None
            counting = weights > 0.0
            weights = weights.copy()  # the user's own array stays as it is
            weights[counting], self._seen = balanced_so_far(
                codes[counting], weights[counting], np.zeros(len(self.classes_)) if before is None else before
            )
        return X, codes, weights

    def _codes(self, y: Array, classes: Any) -> Array:
        """The class number of each label."""
        if not hasattr(self, "classes_"):
            if classes is None:
                raise InputError(
                    "classes must be passed on the first call to partial_fit: all labels that will ever come."
                )
            self.classes_ = np.unique(np.asarray(classes))
            if len(self.classes_) < 2:
                raise InputError(
                    f"classes holds one class only, {self.classes_.tolist()[0]!r}: a classifier needs at least two."
                )
        elif classes is not None and not np.array_equal(self.classes_, np.unique(np.asarray(classes))):
            raise InputError(
                f"classes={np.asarray(classes).tolist()} is not the same as on the last call, {self.classes_.tolist()}."
            )
        codes = np.searchsorted(self.classes_, y)
        strange = np.flatnonzero(self.classes_[np.minimum(codes, len(self.classes_) - 1)] != y)
        if len(strange):
            row = int(strange[0])
            raise InputError(
                f"y in row {row} is {y.tolist()[row]!r}, which is none of the classes {self.classes_.tolist()}."
            )
        return codes

    def _factors(self, y: Array, weights: Array) -> dict[Any, float]:
        if isinstance(self.class_weight, dict):
            return self.class_weight
        if self.class_weight != "balanced":
            raise InputError(
                f'class_weight is "{self.class_weight}": it is "balanced", a factor for each class, or None.'
            )
        return balanced(y, weights)
