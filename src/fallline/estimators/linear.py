"""What the regressor and the classifier share: from checked input over a plan and a walk to coefficients."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils.extmath import safe_sparse_dot

from fallline.descent import Run
from fallline.errors import DivergedError, InputError
from fallline.estimators.coefficients import Coefficients, Scales
from fallline.estimators.inputs import rows_to_predict
from fallline.estimators.settings import CONSTRAINTS, Task, objective_of, plan_of, seed_of, stream_for
from fallline.estimators.shown import Shown
from fallline.estimators.streaming import Rows
from fallline.estimators.waiting import Waited
from fallline.estimators.watching import Watching, viewers_of
from fallline.explain.explanation import Explanation, explain, explain_run, refuse_other_rows
from fallline.forecast.ahead import forecast_of
from fallline.forecast.result import Forecast
from fallline.objectives.variants import with_weights
from fallline.plan import Plan
from fallline.stops import NoBetter
from fallline.trace import Trace

Array = np.ndarray[Any, Any]

KEPT = 100_000  # numbers; a longer path of points is not kept in a fitted model, which is meant to be stored


class LinearDescent(Shown, CallbackSupportMixin, BaseEstimator):
    """A linear model that is fitted by going down its objective. Its constructor's arguments are its subclasses'."""

    _parameter_constraints = CONSTRAINTS

    def _problem(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """The table, the walks, the rows' weights and the class numbers."""
        raise NotImplementedError

    def forecast(self, X: Any, y: Any, sample_weight: Any = None, **settings: Any) -> Forecast:
        """What fitting to X, y by a step of your own will do, before it does; the estimator stays as it is.

        settings: of the step, as in a plan, in place of the estimator's. The automatic solver has no rate to forecast: under
        step="auto" plain mini-batch steps stand for it, at 0.3 of the largest rate that works. Raises InputError for what is not
        forecast, several classes among it.
        """
        plan, objective, names, _ = self._one_walk(X, y, sample_weight, "forecast")
        own = {} if plan.automatic else {name: value for name, value in plan.as_dict().items() if name != "seed"}
        return forecast_of(objective, names=names, **{**own, **settings})

    def explain(self, X: Any, y: Any, sample_weight: Any = None) -> Explanation:
        """What ails the fit to X, y, most important first, with the one change that mends it, tried before it is told.

        An estimator that is not fitted, as after a fit that ran away, is walked first. Raises InputError for each class against
        the rest, and for rows, weights or settings that are not those of the fit.
        """
        plan, objective, names, scales = self._one_walk(X, y, sample_weight, "explain")
        trace = getattr(self, "trace_", None)
        if not isinstance(trace, Trace):
            return explain_run(plan.run(objective), names=names)
        same = self.n_features_in_ == objective.model.d
        w = self._model().point(objective.size, scales) if same else np.zeros(0)
        fix = "give the X, y and sample_weight of fit, and leave the settings as they were, or fit again"
        refuse_other_rows(objective, trace, w, "X and y are", fix)
        return explain(objective, plan, trace, w, names=names)

    def _one_walk(self, X: Any, y: Any, sample_weight: Any, doing: str) -> tuple[Plan, Any, Any, Scales]:
        """The plan and the objective of a fit, the columns' names and scales; `doing`, in words, what they are wanted for."""
        probe = clone(self)
        probe._validate_params()
        X, tasks, weights, codes = probe._problem(X, y, sample_weight)
        if len(tasks) > 1:
            raise InputError(
                f"Each class against the rest is a walk of its own: {doing} with y of two classes, one at a time."
            )
        learnt, scales = np.arange(len(weights)), Scales.none(X.shape[1])
        if self.early_stopping and doing == "explain":
            learnt, _ = self._parts(len(weights), codes)
        if self.standardise:
            scales = Scales.of(X[learnt], weights[learnt], bool(self.fit_intercept))
            X = scales.apply(X)
        objective = objective_of(probe, X[learnt], tasks[0].of(learnt), weights[learnt])
        return plan_of(probe), objective, getattr(probe, "feature_names_in_", ()), scales

    def _parts(self, n: int, labels: Any) -> tuple[Array, Array]:
        """The rows to learn from and those to hold out."""
        seed = seed_of(self.random_state)
        parts = train_test_split(np.arange(n), test_size=self.validation_fraction, random_state=seed, stratify=labels)
        return np.sort(parts[0]), np.sort(parts[1])

    def _scores(self, X: Any) -> Array:
        """x·w + b: (n,), or (n, classes) of several classes."""
        X = rows_to_predict(self, X)
        z: Array = safe_sparse_dot(X, np.atleast_2d(self.coef_).T, dense_output=True) + self.intercept_
        return z.ravel() if z.shape[1] == 1 else z

    def _descend(
        self, X: Any, tasks: Sequence[Task], weights: Array, shown: dict[str, Any], labels: Any = None
    ) -> None:
        """Walk each task down and keep what was learned.

        shown: X, y and metadata as the user gave them, for scikit-learn's callbacks. labels: of which a validation split keeps
        the shares.
        """
        plan = plan_of(self)
        before = self._model() if self.warm_start and hasattr(self, "coef_") else None
        self.__dict__.pop("_streams", None)
        learnt, held = np.arange(len(weights)), np.zeros(0, int)
        if self.early_stopping:
            learnt, held = self._parts(len(weights), labels)
        scales = Scales.none(X.shape[1])
        if self.standardise:
            scales = Scales.of(X[learnt], weights[learnt], bool(self.fit_intercept))
            X = scales.apply(X)
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self, **shown)
        models, runs = [], []
        for k, task in enumerate(tasks):
            objective = objective_of(self, X[learnt], task.of(learnt), weights[learnt])
            stops: list[Any] = []
            if len(held):
                apart = objective_of(self, X[held], task.of(held), weights[held], penalty="none")
                stops.append(NoBetter(apart, int(self.n_iter_no_change), float(self.tol or 0.0)))
            elif not plan.automatic and self.tol is not None:
                stops.append(Waited("loss", int(self.n_iter_no_change), share=float(self.tol)))

            def fitted(w: Array, scores: int = objective.scores) -> dict[str, Any]:
                return self._learnt(Coefficients.of(w, scores, scales))

            named = task.name or type(self).__name__
            watching = Watching(viewers_of(self, named, context, shown, fitted if len(tasks) == 1 else None))
            start = None
            if before is not None:
                start = (before if len(tasks) == 1 else before.score(k)).point(objective.size, scales)
            run = plan.run(objective, stops=(watching, *stops), start=start)
            watching.reason(run.trace)  # a rule before it may have ended the walk
            self._refuse_lost(run)
            models.append(Coefficients.of(run.w, objective.scores, scales))
            runs.append(run)
        self._keep(Coefficients.together(models), runs)
        context.call_on_fit_task_end(estimator=self, **shown)

    def _learn(self, X: Any, tasks: Sequence[Task], weights: Array) -> None:
        """Go on walking each task down over these rows; one of weight 0 is as if it had not come."""
        if not hasattr(self, "_streams"):
            self._streams = [stream_for(self) for _ in tasks]
        counting, scales = weights > 0.0, Scales.none(X.shape[1])
        if not counting.any():
            return
        models, runs = [], []
        for k, (task, stream) in enumerate(zip(tasks, self._streams, strict=True)):

            def make(X: Any, y: Array, weights: Array, task: Task = task) -> Any:
                return with_weights(objective_of(self, X, task._replace(y=y), None), weights)

            start = None
            if stream.state is None and hasattr(self, "coef_"):
                before = self._model() if len(tasks) == 1 else self._model().score(k)
                start = before.point(before.coef.size + self.fit_intercept * len(before.intercept), scales)
            run = stream.learn(Rows(X[counting], task.y[counting], weights[counting]), make, start)
            self._refuse_lost(run)
            models.append(Coefficients.of(run.w, max(1, task.classes), scales))
            runs.append(run)
        self._keep(Coefficients.together(models), runs)

    def _keep(self, model: Coefficients, runs: Sequence[Run]) -> None:
        for name, value in self._learnt(model).items():
            setattr(self, name, value)
        for run in runs:
            run.trace.gauges = {}  # they hold validation rows
            if run.trace.path.size > KEPT:
                run.trace.points.clear()
        self.trace_: Trace | list[Trace] = runs[0].trace if len(runs) == 1 else [run.trace for run in runs]
        self.reason_ = "; ".join(dict.fromkeys(run.reason for run in runs))
        self.n_iter_ = max(1, max(int(np.ceil(run.trace["epochs"][-1])) for run in runs))
        far = [run.reason for run in runs if run.reason.startswith("made its") or "separable" in run.trace.about]
        for reason in dict.fromkeys(far):
            if self.tol is not None:
                warnings.warn(
                    f"{type(self).__name__} {reason}, and did not come as close as tol={self.tol:g} asks: raise max_epochs, set "
                    "tol=None if that is meant, or leave step at its default.",
                    ConvergenceWarning,
                    stacklevel=5,  # the line that called fit
                )

    def _refuse_lost(self, run: Run) -> None:
        """Make no model of a walk that ran away."""
        if run.diverged or not np.isfinite(run.w).all():
            self.__dict__.pop("_streams", None)
            reason = run.reason if run.diverged else "diverged: its point is no number"
            raise DivergedError(
                f"{type(self).__name__} {reason}. There is no model to hand back: lower eta0, bring the columns to one scale "
                "(standardise=True), or leave step, learning_rate and eta0 at their defaults."
            )

    def _model(self) -> Coefficients:
        return Coefficients(np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_))

    def _learnt(self, model: Coefficients) -> dict[str, Any]:
        """The fitted attributes that predictions are made from."""
        return {"coef_": model.coef, "intercept_": model.intercept}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
