"""What the perceptrons share: from checked rows over a Net, a plan and a walk to a module. No mathematics in here."""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin

from fallline.descent import Run
from fallline.errors import DivergedError, InputError
from fallline.estimators.coefficients import Scales
from fallline.estimators.inputs import rows_to_predict
from fallline.estimators.network_rows import FAR, Task, held_out, scaled, told_apart
from fallline.estimators.network_settings import (
    CONSTRAINTS,
    HEATS,
    RATES,
    WHOLE,
    module_of,
    plan_of,
    plans_of,
    stream_of,
)
from fallline.estimators.running import Running
from fallline.estimators.settings import seed_of
from fallline.estimators.shown import Shown
from fallline.estimators.streaming import Rows, Stream
from fallline.estimators.watching import Watching, viewers_of
from fallline.explain.explanation import Explanation, explain
from fallline.plan import Plan

Array = np.ndarray[Any, Any]

GIVEN_UP = 1 / 3  # of the budget without gain, and the walk ends
KEPT = 100_000  # numbers; a longer path of points is not kept in a fitted model, which is meant to be stored


class Walked(NamedTuple):
    """A run, and who kept its best point; None where no rows are held out."""

    run: Run
    held: Any

    @property
    def lost(self) -> bool:
        """Whether its end is no point."""
        return self.run.diverged or not np.isfinite(self.run.w).all()

    @property
    def loss(self) -> float:
        """What races are decided by: infinite for a walk that ran away, whatever it was before."""
        if self.lost:
            return math.inf
        return float(self.run.trace.last("loss") if self.held is None else self.held.loss)


class Pieces(NamedTuple):
    """Where a walk over rows as they come is, and what was seen of columns and targets."""

    stream: Stream
    network: Any
    columns: Running


class Perceptron(Shown, CallbackSupportMixin, BaseEstimator):
    """A multilayer perceptron. Its constructor's arguments are its subclasses'."""

    _parameter_constraints = CONSTRAINTS

    def _task(self, X: Any, y: Any, sample_weight: Any) -> Task:
        """Checked rows and coded targets."""
        raise NotImplementedError

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        self._validate_params()
        shown = {"X": X, "y": y, "metadata": None if sample_weight is None else {"sample_weight": sample_weight}}
        task = self._task(X, y, sample_weight).counting()
        self.__dict__.pop("_pieces", None)
        net, scales = self._net(task)
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self, **shown)

        def fitted(w: Array) -> dict[str, Any]:
            from fallline.torch.mlp import at

            return {"module_": self._whole(at(net, w, dict(net.module.named_buffers())), scales, task)}

        raced: list[Walked] = []
        for plan in plans_of(self, net):
            final = len(raced) == len(RATES)
            if final:
                plan = replace(plan, rate=min(raced, key=lambda each: each.loss).run.plan.rate)
            name = type(self).__name__ if self.tune is None else f"{type(self).__name__}, rate {plan.rate:g}"
            raced.append(self._walked(net, plan, viewers_of(self, name, context, shown, fitted)))
        best = raced[-1] if self.tune == HEATS else min(raced, key=lambda each: each.loss)
        self._refuse_lost(best)
        if self.tune is not None:
            self.race_ = {float(each.run.plan.rate): each.loss for each in raced[: len(RATES)]}
        self._keep(best.run, net.fitted(best.run) if best.held is None else best.held.fitted(), scales, task)
        self.best_epoch_ = float(best.run.trace["epochs"][-1 if best.held is None else best.held.look])
        context.call_on_fit_task_end(estimator=self, **shown)

    def _net(self, task: Task) -> tuple[Any, Scales]:
        """The objective, with the rows that are held out, and the scales of the columns."""
        from fallline.torch.net import Net

        n, d = task.X.shape
        held = np.zeros(n, dtype=bool)
        if n > WHOLE or self.tune is not None if self.early_stopping == "auto" else self.early_stopping:
            held = held_out(task.labels, float(self.validation_fraction), seed_of(self.random_state))
        elif self.tune is not None:
            raise InputError(
                f'tune="{self.tune}" chooses by rows that are held out: leave early_stopping at its default.'
            )
        before = self._network if self.warm_start and hasattr(self, "module_") else None
        kind = "float64" if n <= WHOLE else "float32"  # which gains nothing on a few rows, and loses digits
        scales = (
            self._scales if before is not None else Scales.of(task.X, np.where(held, 0.0, task.weights), centred=True)
        )
        rows = scaled(task.X, scales, kind)
        module = module_of(self, d, task.outputs, kind, before)
        apart = told_apart(task, rows, held) if held.any() else None
        net = Net(module, told_apart(task, rows, ~held), task.loss, validation=apart, device=self.device)
        return net, scales

    def _walked(self, net: Any, plan: Plan, viewers: Any) -> Walked:
        """A walk by that plan."""
        from fallline.torch.mlp import Best

        held, watching = None, Watching(viewers)
        if net.validation is not None:
            patience = math.ceil(GIVEN_UP * float(plan.amount or 1.0))
            patience = patience if self.n_iter_no_change == "auto" else int(self.n_iter_no_change)
            falling = 0.5 * float(plan.rate or 1.0) if self.learning_rate == "auto" else math.inf
            held = Best(net, patience, float(self.tol), falling)
        run = plan.run(net, stops=(*([held] if held is not None else []), watching))
        watching.reason(run.trace)  # a rule before it may have ended the walk
        return Walked(run, held)

    def _refuse_lost(self, walked: Walked) -> None:
        """Make no model of a walk that ran away."""
        if walked.lost:
            self.__dict__.pop("_pieces", None)
            reason = walked.run.reason if walked.run.diverged else "diverged: its point is no number"
            raise DivergedError(
                f"{type(self).__name__} {reason}. There is no model to hand back: lower learning_rate_init, or leave solver, "
                "learning_rate and learning_rate_init at their defaults."
            )

    def _keep(self, run: Run, network: Any, scales: Scales, task: Task) -> None:
        """The fitted attributes."""
        run.trace.gauges = {}  # they hold rows
        if run.trace.path.size > KEPT:
            run.trace.points.clear()
        self._network, self._scales, self._weight = network, scales, float(task.weights.sum())
        self.module_ = self._whole(network, scales, task)
        self.trace_, self.reason_ = run.trace, run.reason
        self.n_iter_ = max(1, math.ceil(run.trace["epochs"][-1]))

    def _whole(self, network: Any, scales: Scales, task: Task) -> Any:
        from fallline.torch.mlp import whole

        return whole(network, scales, task.targets, exponential=task.loss == "poisson")

    def _outputs(self, X: Any) -> Array:
        """What the module makes of rows, (n, outputs) float64."""
        X = rows_to_predict(self, X)
        from fallline.torch.mlp import outputs

        return outputs(self.module_, X)

    def _learn(self, task: Task) -> None:
        """Go on walking over these rows, their columns scaled by what has come up to and with each of them."""
        from fallline.torch.mlp import streamed
        from fallline.torch.net import USUAL_RATE, Net

        X = np.asarray(task.X.toarray() if hasattr(task.X, "nnz") else task.X)
        if not hasattr(self, "_pieces"):
            before = self._network if hasattr(self, "module_") else None
            network = module_of(self, X.shape[1], task.outputs, "float32", before)
            columns = Running.begin(X) if before is None else Running.after(self._scales, self._weight)
            self._pieces = Pieces(stream_of(self, network, USUAL_RATE), network, columns)
        stream, network, columns = self._pieces
        rows, columns = columns.seen(X, task.weights)

        def make(X: Array, y: Array, weights: Array) -> Any:
            data = (X, y) if (weights == 1.0).all() else (X, y, weights)
            return Net(network, data, task.loss, device=self.device)

        learnt = Rows(rows.clip(-FAR, FAR).astype(np.float32), task.y, task.weights)
        run = stream.learn(learnt, make)
        self._refuse_lost(Walked(run, None))
        now = streamed(make(*learnt), run.state)
        self._pieces = Pieces(stream, now, columns)
        self._keep(run, now, columns.scales, task)
        self._weight = columns.weight

    def explain(self, X: Any, y: Any, sample_weight: Any = None) -> Explanation:
        """What ails the fit to X, y, most important first, with the one change that mends it."""
        probe = clone(self)
        probe._validate_params()
        net, _ = probe._net(probe._task(X, y, sample_weight).counting())
        plan = plan_of(probe, net)
        trace: Any = getattr(self, "trace_", None)
        if trace is None:
            return plan.run(net).explain()
        from fallline.torch.mlp import point

        return explain(net, plan, trace, point(self._network))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
