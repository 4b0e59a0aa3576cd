"""Multilayer perceptrons as scikit-learn estimators: MLPClassifier and MLPRegressor."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import StrOptions

from fallline.errors import InputError
from fallline.estimators.coefficients import Scales
from fallline.estimators.inputs import table_of, weights_for
from fallline.estimators.labels import Labelled
from fallline.estimators.network import Perceptron
from fallline.estimators.network_rows import Task
from fallline.estimators.network_settings import CONSTRAINTS
from fallline.estimators.running import Running

Array = np.ndarray[Any, Any]

LOSSES = {"squared_error": "mse", "absolute_error": "l1", "huber": "huber", "poisson": "poisson"}
"""scikit-learn's names → torch's losses."""


class MLPClassifier(Labelled, ClassifierMixin, Perceptron):
    """A multilayer perceptron that tells classes apart, by PyTorch (`pip install fallline[torch]`).

    Minimises the weighted mean cross-entropy of softmax scores. Columns of any scale: they are standardised inside, and what is
    farther than 10 deviations from the mean is taken for that far. First weights are normal of variance 2/fan_in, of the last
    layer 1/fan_in (He et al. 2015).

    Nothing needs tuning. Left at "auto", solver is NAdam (Dozat 2016) with decoupled weight decay alpha (Loshchilov & Hutter
    2019) and a rate of 0.008·√(64/fan_in) for each weight matrix, warmed up over 5 % of the steps and then down a cosine to 0;
    batch_size is the power of two next to n/100, from 32 to 256; max_epochs is 30 at 10,000 rows and goes with 1/√n. A tenth of
    the rows is held out, the weights of the best epoch by these are kept, an average that fades over half a pass, and the walk
    ends early after a third of the budget without gain. Up to 128 rows none is held out, and each of 300 steps takes all of them.

    tune: "race" walks at five rates from 0.001 to 0.016 over the whole budget each and keeps the best on held-out rows, at five
    fits' time; "heats" gives each 12 % of the budget, and the best of them then all of it: 1.6 fits. docs/mlp.md has a table of
    all arguments.

    Attributes: module_ (the torch module, from raw rows to scores), trace_, reason_, n_iter_ (passes), best_epoch_, classes_;
    race_ (rate → loss on held-out rows) after tune.
    """

    _parameter_constraints = CONSTRAINTS | {"class_weight": [str, dict, None]}

    def __init__(
        self,
        hidden_layer_sizes: Any = (64, 64),
        activation: str = "relu",
        *,
        dropout: float = 0.0,
        batch_norm: bool = False,
        solver: Any = "auto",
        alpha: float = 0.01,
        batch_size: Any = "auto",
        learning_rate: Any = "auto",
        learning_rate_init: Any = "auto",
        tune: str | None = None,
        max_epochs: Any = "auto",
        max_iter: int | None = None,
        shuffle: bool = True,
        early_stopping: Any = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: Any = "auto",
        tol: float = 1e-4,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        class_weight: Any = None,
        warm_start: bool = False,
        device: str | None = None,
        watch: Any = None,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.tune = tune
        self.max_epochs = max_epochs
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.device = device
        self.watch = watch
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPClassifier":
        """Fit to X (n, d) and labels y (n,), row i counting sample_weight[i]·class_weight[yᵢ] times.

        Raises InputError for what cannot be learnt from, naming row and column, and DivergedError where the walk ran away.
        """
        self._fit(X, y, sample_weight)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> "MLPClassifier":
        """Learn from these rows, too, in their order: the optimizer, its memory included, goes on where it was.

        classes: all labels that will ever come, at the first call. Steps take batch_size rows (32) and go on across calls, at
        a constant rate; columns are scaled by what has come up to and with each row. Raises as fit.
        """
        self._validate_params()
        fitted, begun = hasattr(self, "module_"), hasattr(self, "_pieces")
        X, codes, weights = self._labelled_so_far(X, y, classes, sample_weight, first=not fitted, begun=begun)
        task = Task(X, codes, weights, codes, len(self.classes_), "cross_entropy").counting()
        if len(task.y):
            self._learn(task)
        return self

    def decision_function(self, X: Any) -> Array:
        """The scores: (n,), the second class's less the first's, above 0 for the second; or (n, classes) of several."""
        z = self._outputs(X)
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z

    def predict(self, X: Any) -> Array:
        """The class of the highest score, (n,)."""
        best = self._outputs(X).argmax(axis=1)
        return self.classes_[best]

    def predict_log_proba(self, X: Any) -> Array:
        """log P(class), (n, classes)."""
        z = self._outputs(X)
        z -= z.max(axis=1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    def predict_proba(self, X: Any) -> Array:
        """P(class), (n, classes): the softmax of the scores."""
        return np.exp(self.predict_log_proba(X))

    def _task(self, X: Any, y: Any, sample_weight: Any) -> Task:
        X, codes, weights = self._labelled(X, y, sample_weight)
        return Task(X, codes, weights, codes, len(self.classes_), "cross_entropy")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        return tags


class MLPRegressor(RegressorMixin, Perceptron):
    """A multilayer perceptron of a number, or of several, by PyTorch (`pip install fallline[torch]`).

    Minimises the weighted mean of the loss: squared_error, absolute_error, huber (bent at one deviation of y) or poisson (for
    counts and amounts: the score is the logarithm of the mean). Targets are standardised inside, and predictions are in their
    units. All else is as in MLPClassifier: nothing needs tuning.

    Attributes: module_ (the torch module, from raw rows to predictions), trace_ (losses in deviations of y), reason_, n_iter_
    (passes), best_epoch_; race_ (rate → loss on held-out rows) after tune.
    """

    _parameter_constraints = CONSTRAINTS | {"loss": [StrOptions(set(LOSSES))]}

    def __init__(
        self,
        hidden_layer_sizes: Any = (64, 64),
        activation: str = "relu",
        *,
        loss: str = "squared_error",
        dropout: float = 0.0,
        batch_norm: bool = False,
        solver: Any = "auto",
        alpha: float = 0.01,
        batch_size: Any = "auto",
        learning_rate: Any = "auto",
        learning_rate_init: Any = "auto",
        tune: str | None = None,
        max_epochs: Any = "auto",
        max_iter: int | None = None,
        shuffle: bool = True,
        early_stopping: Any = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: Any = "auto",
        tol: float = 1e-4,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warm_start: bool = False,
        device: str | None = None,
        watch: Any = None,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.tune = tune
        self.max_epochs = max_epochs
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warm_start = warm_start
        self.device = device
        self.watch = watch
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """Fit to X (n, d) and y (n,) or (n, outputs), row i counting sample_weight[i] times.

        Raises InputError for what cannot be learnt from, naming row and column, and DivergedError where the walk ran away.
        """
        self._fit(X, y, sample_weight)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """Learn from these rows, too, in their order: the optimizer, its memory included, goes on where it was.

        Steps take batch_size rows (32) and go on across calls, at a constant rate; columns and targets are scaled by what has
        come up to and with each row. Raises as fit.
        """
        self._validate_params()
        X, y, weights = self._checked(X, y, sample_weight, reset=not hasattr(self, "module_"), some=False)
        rows = weights > 0.0
        if not rows.any():
            return self
        y, counted = y[rows], weights[rows]
        if not hasattr(self, "_pieces"):
            going = self._target_scales if hasattr(self, "module_") else None
            self._seen = Running.begin(y) if going is None else Running.after(going, self._weight)
        if self.loss == "poisson":  # as they are, or by what fit divided them by: a logarithm has no scale to follow
            scales = self._target_scales if hasattr(self, "module_") else Scales.none(y.shape[1])
            scaled = y / scales.scale
        else:
            scaled, self._seen = self._seen.seen(y, counted)
            scales = self._seen.scales
        self._learn(self._tasked(X[rows], scaled, counted, scales))
        return self

    def predict(self, X: Any) -> Array:
        """The mean of each row, or what the loss makes of it, (n,) or (n, outputs)."""
        z = self._outputs(X)
        return z[:, 0] if self._flat else z

    def _task(self, X: Any, y: Any, sample_weight: Any) -> Task:
        X, y, weights = self._checked(X, y, sample_weight, reset=True, some=True)
        if self.warm_start and hasattr(self, "module_"):
            scales = self._target_scales
        elif self.loss == "poisson":
            scales = Scales(np.zeros(y.shape[1]), np.average(y, axis=0, weights=weights))
        else:
            scales = Scales.of(y, weights, centred=True)
        return self._tasked(X, scales.apply(y), weights, scales)

    def _checked(self, X: Any, y: Any, sample_weight: Any, *, reset: bool, some: bool) -> tuple[Any, Array, Array]:
        """The table, targets (n, outputs) float64 and weights. Raises InputError for targets that the loss does not take."""
        X, y = table_of(self, X, y, reset=reset, numeric=True, several=True)
        y = np.asarray(y, dtype=float)
        self._flat = y.ndim == 1
        y = y[:, None] if self._flat else y
        if self.loss == "poisson" and (y < 0.0).any():
            row = int(np.flatnonzero((y < 0.0).any(axis=1))[0])
            raise InputError(
                f"y in row {row} is {y[row].min():g}, and poisson is for counts: 0 or above, or take another loss."
            )
        if self.loss == "poisson" and reset and not (y.sum(axis=0) > 0.0).all():
            raise InputError(
                "y is 0 in every row, and the logarithm of its mean is no number: there is nothing to learn."
            )
        return X, y, weights_for(sample_weight, len(y), some=some)

    def _tasked(self, X: Any, scaled: Array, weights: Array, scales: Scales) -> Task:
        self._target_scales = scales
        return Task(X, scaled, weights, np.zeros(len(weights)), scaled.shape[1], LOSSES[self.loss], scales)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
