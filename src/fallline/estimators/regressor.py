"""The regressor: a number a row."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils.metaestimators import available_if

from fallline.estimators.coefficients import Coefficients
from fallline.estimators.inputs import table_of, weights_for
from fallline.estimators.linear import LinearDescent
from fallline.estimators.settings import Task, can_stream
from fallline.losses import LOSSES
from fallline.parts import part

Array = np.ndarray[Any, Any]


class GDRegressor(RegressorMixin, LinearDescent):
    """A linear model of a number, fitted by gradient descent.

    Minimises the weighted mean of loss(yᵢ, xᵢ·w + b) + alpha·(l1_ratio·‖w‖₁ + (1 − l1_ratio)·½‖w‖²), the intercept b not
    penalised: scikit-learn's objective for SGDRegressor.

    loss, penalty, step, learning_rate and average are names, with settings as `name:field=value`, or parts. Left at "auto",
    step is the automatic solver, which takes no rows a step, rate or schedule; with another step, batch_size, learning_rate and
    eta0 are what is usual with it. tol: the excess over the optimum, relative; with another step, the share that the loss must
    fall by in n_iter_no_change looks. watch: a function of the trace, called after each segment, that may ask to stop.
    docs/estimators.md has a table of all.

    Attributes: coef_, intercept_, n_iter_ (passes), trace_, reason_.
    """

    def __init__(
        self,
        loss: Any = "squared_error",
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
        self.warm_start = warm_start
        self.watch = watch
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "GDRegressor":
        """Fit to X (n, d) and y (n,), row i counting sample_weight[i] times.

        Raises InputError for what cannot be learnt from, naming row and column, and DivergedError where the walk ran away.
        """
        self._validate_params()
        shown = {"X": X, "y": y, "metadata": None if sample_weight is None else {"sample_weight": sample_weight}}
        X, tasks, weights, _ = self._problem(X, y, sample_weight)
        self._descend(X, tasks, weights, shown)
        return self

    def _problem(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, list[Task], Array, Any]:
        X, y = table_of(self, X, y, reset=True, numeric=True)
        return X, [Task("", y, self.loss)], weights_for(sample_weight, len(y)), None

    @available_if(can_stream)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "GDRegressor":
        """Learn from these rows, too, in their order: k calls over chunks are one over all rows, to the last bit.

        A step of batch_size rows goes on across calls. Weights count as they are. Under step="auto" coin betting walks (COCOB),
        and `quick` under a penalty with an L1 share; neither needs a rate. Raises as fit. There is no partial_fit where the
        settings need all rows.
        """
        self._validate_params()
        X, y = table_of(self, X, y, reset=not hasattr(self, "coef_"), numeric=True)
        self._learn(X, [Task("", y, self.loss)], weights_for(sample_weight, len(y), some=False))
        return self

    def predict(self, X: Any) -> Array:
        """The mean that each row's score stands for, (n,): the score itself, or its exponential for counts and amounts."""
        z = self._scores(X)
        loss = part(LOSSES, self.loss, "loss")
        return z if loss.mean(0.5) == 0.5 else np.array([loss.mean(score) for score in z.tolist()])

    def _learnt(self, model: Coefficients) -> dict[str, Any]:
        return {"coef_": model.coef[0], "intercept_": float(model.intercept[0])}
