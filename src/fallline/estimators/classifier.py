"""The classifier: one of two or more classes a row."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.callback import with_callbacks
from sklearn.utils.metaestimators import available_if

from fallline.estimators.coefficients import Coefficients
from fallline.estimators.labels import Labelled
from fallline.estimators.linear import LinearDescent
from fallline.estimators.settings import CONSTRAINTS, Task, can_stream
from fallline.losses import LOSSES, MULTICLASS, LogLoss, ModifiedHuber, Softmax
from fallline.parts import named, part

Array = np.ndarray[Any, Any]

PROBABLE = (LogLoss, ModifiedHuber, Softmax)  # losses whose score stands for a probability


def _probable(estimator: Any) -> bool:
    if isinstance(estimator._loss(), PROBABLE):
        return True
    raise AttributeError(f"probability estimates are not available for loss={estimator.loss!r}: take log_loss.")


class GDClassifier(Labelled, ClassifierMixin, LinearDescent):
    """A linear model of classes, fitted by gradient descent.

    Minimises the weighted mean of the loss and alpha·(l1_ratio·‖w‖₁ + (1 − l1_ratio)·½‖w‖²), intercepts not penalised. Several
    classes have one score each: under log_loss learnt together (softmax), under any other loss one class against the rest.

    loss, penalty, step, learning_rate and average are names, with settings as `name:field=value`, or parts. Left at "auto",
    step is the automatic solver, which takes no rows a step, rate or schedule; with another step, batch_size, learning_rate and
    eta0 are what is usual with it. tol: the excess over the optimum, relative; with another step, the share that the loss must
    fall by in n_iter_no_change looks. watch: a function of the trace, called after each segment, that may ask to stop.
    docs/estimators.md has a table of all.

    Attributes: coef_, intercept_, n_iter_ (passes), trace_, reason_, classes_. trace_ is a list of them, one a class,
    where each class is told from the rest.
    """

    _parameter_constraints = CONSTRAINTS | {"class_weight": [str, dict, None]}

    def __init__(
        self,
        loss: Any = "log_loss",
        *,
        penalty: Any = "l2",
        alpha: float = 1e-4,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        step: Any = "auto",
        batch_size: Any = "auto",
        learning_rate: Any = "auto",
        eta0: Any = "auto",
        average: Any = "none",
        standardise: bool = False,
        max_epochs: float = 1000,
        tol: float | None = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: Any = None,
        warm_start: bool = False,
        watch: Any = None,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.step = step
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.average = average
        self.standardise = standardise
        self.max_epochs = max_epochs
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.watch = watch
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "GDClassifier":
        """Fit to X (n, d) and labels y (n,), row i counting sample_weight[i]·class_weight[yᵢ] times.

        Raises InputError for what cannot be learnt from, naming row and column, and DivergedError where the walk ran away.
        """
        self._validate_params()
        shown = {"X": X, "y": y, "metadata": None if sample_weight is None else {"sample_weight": sample_weight}}
        X, tasks, weights, codes = self._problem(X, y, sample_weight)
        self._descend(X, tasks, weights, shown, labels=codes)
        return self

    def _problem(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, list[Task], Array, Array]:
        X, codes, weights = self._labelled(X, y, sample_weight)
        return X, self._tasks(codes), weights, codes

    @available_if(can_stream)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> "GDClassifier":
        """Learn from these rows, too, in their order: k calls over chunks are one over all rows, to the last bit.

        classes: all labels that will ever come, at the first call. A step of batch_size rows goes on across calls. Weights count
        as they are; class_weight="balanced" weighs a row by what has come up to and with it. Under step="auto" coin betting walks
        (COCOB), and `quick` under a penalty with an L1 share; neither needs a rate. Raises as fit. There is no partial_fit where
        the settings need all rows.
        """
        self._validate_params()
        X, codes, weights = self._labelled_so_far(
            X, y, classes, sample_weight, first=not hasattr(self, "coef_"), begun=hasattr(self, "_streams")
        )
        self._learn(X, self._tasks(codes), weights)
        return self

    def decision_function(self, X: Any) -> Array:
        """The scores x·w + b: (n,), above 0 for the second of two classes, or (n, classes)."""
        return self._scores(X)

    def predict(self, X: Any) -> Array:
        """The class of the highest score, (n,)."""
        z = self.decision_function(X)
        return self.classes_[(z > 0.0).astype(int) if z.ndim == 1 else z.argmax(axis=1)]

    @available_if(_probable)
    def predict_proba(self, X: Any) -> Array:
        """P(class), (n, classes): what the loss's score stands for, which for log_loss is the model that was fitted.

        modified_huber against the rest is clipped and divided by its sum (Zadrozny & Elkan 2002); a row that no class claims
        is given to all alike.
        """
        z, loss = self.decision_function(X), self._loss()
        if isinstance(loss, LogLoss) and z.ndim == 2:
            loss = Softmax()
        if isinstance(loss, Softmax):
            return np.array([loss.chances(row) for row in z.tolist()])
        chances = np.array([loss.mean(score) for score in z.ravel().tolist()]).reshape(z.shape)
        if z.ndim == 1:
            return np.column_stack([1.0 - chances, chances])
        total = chances.sum(axis=1, keepdims=True)
        return np.where(total > 0.0, chances / np.where(total > 0.0, total, 1.0), 1.0 / z.shape[1])

    @available_if(_probable)
    def predict_log_proba(self, X: Any) -> Array:
        """log P(class), (n, classes)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _learnt(self, model: Coefficients) -> dict[str, Any]:
        intercept = model.intercept
        if self._joint():  # scores that all rise together change nothing: of all answers, the one that is centred
            intercept = intercept - intercept.mean()
        return {"coef_": model.coef, "intercept_": intercept}

    def _joint(self) -> bool:
        """Whether all classes are learnt together, by softmax."""
        return named(self.loss, MULTICLASS) in MULTICLASS or (
            len(self.classes_) > 2 and named(self.loss, LOSSES) == "log_loss"
        )

    def _loss(self) -> Any:
        return part({**LOSSES, **MULTICLASS}, self.loss, "loss")

    def _tasks(self, codes: Array) -> list[Task]:
        """The walks that the classes ask for, with targets as the loss wants them."""
        K = len(self.classes_)
        if self._joint():
            return [Task("", codes, "softmax", K)]
        if K == 2:
            return [Task("", np.where(codes == 1, 1.0, -1.0), self.loss)]
        return [Task(str(label), np.where(codes == k, 1.0, -1.0), self.loss) for k, label in enumerate(self.classes_)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        return tags
