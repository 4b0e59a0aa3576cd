"""scikit-learn's SGDClassifier and SGDRegressor, walked by fallline: change the import, keep the rest.

Arguments, checks of input, attributes and predictions are scikit-learn's own, inherited; what is ours is the walk, which its
private `_fit_binary`, `_fit_multiclass` and `_fit_regressor` ask for. Where that differs stands in docs/estimators.md, and
tests/test_estimators_dropin.py runs scikit-learn's own tests of its classes against these.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn import linear_model
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from fallline.averages import Last, PolyakRuppert
from fallline.descent import Run, State, descend
from fallline.errors import InputError
from fallline.estimators.settings import seed_of
from fallline.estimators.waiting import Waited
from fallline.estimators.watching import Line, Watching
from fallline.executors import StochasticPolyak
from fallline.executors.compiled import compiled
from fallline.losses import LOSSES
from fallline.objectives import Linear
from fallline.objectives.variants import with_weights
from fallline.parts import part
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.samplers import InOrder, Shuffled
from fallline.schedules import Constant, InverseScaling, Optimal
from fallline.steps import Plain
from fallline.stops import AnyOf, Diverged, Updates
from fallline.trace import Trace

Array = np.ndarray[Any, Any]

SLOWER = 0.1  # the intercept's column in sparse tables: its steps are then 0.1² of the others', as in scikit-learn
FALL, LOWEST = 5.0, 1e-6  # "adaptive": the rate is divided by FALL until it is at most LOWEST
AGGRESSIVE = ("pa1", "pa2")  # min(eta0, loss/‖g‖²), and loss/(‖g‖² + 1/(2·eta0)) (Crammer et al. 2006)
SCALE = "Scaling input data with StandardScaler or MinMaxScaler might help"


class Falling(NamedTuple):
    """scikit-learn's "adaptive": a constant rate, a fifth of it each time that the patience runs out, and then the end."""

    rate: float
    waited: Waited

    def react(self, trace: Any) -> Constant:
        return Constant(self.rate / FALL ** self.waited.waits(trace)[0])

    def at(self, t: float) -> float:
        return self.rate

    def reason(self, trace: Any) -> str:
        falls = self.waited.waits(trace)[0]
        return self.waited.reason(trace) if falls and self.rate / FALL ** (falls - 1) <= LOWEST else ""

    def room(self, trace: Any, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()


class ValidationError(NamedTuple):
    """One minus the score, accuracy or R², on rows that the walk does not see."""

    objective: Any
    classes: bool

    def name(self) -> str:
        return "validation_error"

    def read(self, objective: Any, w: Array) -> float:
        model = self.objective.model
        X = model.rows.X if hasattr(model.rows, "X") else sp.csr_array(tuple(model.rows[:3]), shape=model.rows.shape())
        z = X @ w[: model.d] + (model.free * w[-1] if model.free else 0.0)
        if not np.isfinite(z).all():
            return math.inf
        if self.classes:
            return 1.0 - float(accuracy_score(model.y, np.where(z > 0.0, 1.0, -1.0), sample_weight=model.weights))
        return 1.0 - float(r2_score(model.y, z, sample_weight=model.weights))


class Start(NamedTuple):
    """Where a walk begins: a point, and the mean of the points before it."""

    coef: Array
    intercept: float
    mean: Array | None = None
    mean_intercept: float = 0.0


def objective_of(est: Any, X: Any, y: Array, weights: Array, rate: float, alpha: float) -> Any:
    """scikit-learn's objective: weights as they are, and an L2 penalty that shrinks to zero at most at the first rate."""
    share = {"l1": 1.0, "elasticnet": est.l1_ratio}.get(est.penalty, 0.0)
    lasso, ridge = alpha * share, min(alpha * (1.0 - share), 1.0 / rate)
    penalties = {
        None: NoPenalty(),
        "l2": L2(ridge),
        "l1": L1(lasso),
        "elasticnet": ElasticNet(lasso + ridge, lasso / (lasso + ridge) if lasso else 0.0),
    }
    made = with_weights(Linear(X, y, loss_of(est), penalties[est.penalty], intercept=bool(est.fit_intercept)), weights)
    if sp.issparse(X) and est.fit_intercept:
        made.model = made.model._replace(free=SLOWER)
    return made


def loss_of(est: Any) -> Any:
    """The loss that `loss` and `epsilon` name."""
    return part(LOSSES, est.loss, "loss", delta=est.epsilon, epsilon=est.epsilon)


def schedule_of(est: Any, alpha: float) -> Any:
    """The schedule that `learning_rate` names."""
    if est.learning_rate == "invscaling":
        return InverseScaling(est.eta0, est.power_t)
    if est.learning_rate == "optimal":  # the first step is as long as a typical w, 1/α^¼ (Bottou 2012)
        typical = alpha**-0.25
        return Optimal(typical / max(1.0, loss_of(est).derivative(1.0, -typical)), alpha)
    if est.learning_rate == "adaptive":
        return Falling(est.eta0, waited(est)) if est.tol is not None else Constant(est.eta0)
    return Constant(math.inf if est.learning_rate == "pa2" else est.eta0)


def waited(est: Any) -> Waited:
    """The rule that `tol`, `n_iter_no_change` and `early_stopping` name."""
    return Waited("validation_error" if est.early_stopping else "loss", int(est.n_iter_no_change), least=float(est.tol))


def walk(
    est: Any, X: Any, y: Array, weights: Array, held: Array, start: Start, seed: int, alpha: float, max_iter: int
) -> Run:  # fmt: skip
    """The walk that a scikit-learn SGD with these settings would make, from step t_ on. held: (n,) the validation rows."""
    schedule = schedule_of(est, alpha)
    learnt = ~held
    objective = objective_of(est, X[learnt], y[learnt], weights[learnt], schedule.at(1), alpha)
    watching = Watching([Line(type(est).__name__)] if est.verbose else [])
    stops: list[Any] = [watching, Updates(max_iter * objective.n)]  # pa1 and pa2 visit a row twice
    gauges: tuple[Any, ...] = ()
    if est.tol is not None:
        stops.append(schedule if isinstance(schedule, Falling) else waited(est))
    if est.early_stopping:
        apart = objective_of(est, X[held], y[held], weights[held], schedule.at(1), alpha)
        gauges = (ValidationError(apart, is_classifier(est)),)
    free = objective.model.free
    point = np.append(start.coef, start.intercept / free if free else []).astype(float)
    mean = (
        point
        if start.mean is None
        else np.append(start.mean, start.mean_intercept / free if free else []).astype(float)
    )
    trace = Trace(objective.n, gauges)
    trace.begin(objective, point)
    advance: Any = compiled
    if est.learning_rate in AGGRESSIVE:
        if est.penalty is not None:
            raise InputError(
                f'learning_rate="{est.learning_rate}" is walked without a penalty alone: set penalty=None.'
            )
        damping = 0.5 / est.eta0 if est.learning_rate == "pa2" else 0.0
        advance = StochasticPolyak(share=1.0, lowest=0.0, damping=damping)
    memory = advance.start(objective, point) if hasattr(advance, "start") else ()
    trace.about["walker"] = type(advance if memory else Plain()).__name__
    run = descend(
        objective,
        sampler=Shuffled(1, seed) if est.shuffle else InOrder(1),
        step=Plain(),
        schedule=schedule,
        stop=AnyOf(tuple(stops)),
        average=PolyakRuppert(int(est.average)) if est.average else Last(),
        advance=advance,
        start=Run(State(point, memory, mean, int(est.t_) - 1, 0), trace, ""),
    )
    if not np.isfinite(run.state.w).all() or run.trace.broken():
        raise InputError(f"Floating-point under-/overflow occurred at epoch #{run.state.segments}. {SCALE}.")
    if max_iter > 1 and (gone := Diverged().reason(run.trace)):
        raise InputError(f"{type(est).__name__} {gone}. {SCALE}; fallline.GDClassifier and GDRegressor need none.")
    run.trace.gauges = {}  # they hold validation rows
    return run


def answers(run: Run, free: float) -> Start:
    """The last point and the mean of the walk."""
    w, mean = run.state.w, run.state.mean
    if not free:
        return Start(w, 0.0, mean, 0.0)
    return Start(w[:-1], free * w[-1], mean[:-1], free * mean[-1])


class Walked:
    """What both estimators do after a walk."""

    def _free(self, X: Any) -> float:
        return 0.0 if not self.fit_intercept else SLOWER if sp.issparse(X) else 1.0  # type: ignore[attr-defined]

    def _start(self, k: Any) -> Start:
        """Score k's part of what the last walk left."""
        est: Any = self
        if not est.average:
            return Start(np.atleast_2d(est.coef_)[k], est.intercept_[k])
        coef, intercept = np.atleast_2d(est._standard_coef)[k], est._standard_intercept[k]
        if est.average > est.t_ - 1:  # no mean yet
            return Start(coef, intercept)
        return Start(coef, intercept, np.atleast_2d(est._average_coef)[k], est._average_intercept[k])

    def _settle(self, X: Any, runs: Sequence[Run], flat: bool) -> None:
        """Keep what the walks ended with as scikit-learn's attributes, in the table's precision."""
        est: Any = self
        made = [answers(run, self._free(X)) for run in runs]
        shape = (lambda rows: rows[0]) if flat else (lambda rows: rows)
        kind = X.dtype
        coef = np.array([found.coef for found in made], dtype=kind)
        intercept = np.array([found.intercept for found in made], dtype=kind)
        if not est.fit_intercept:
            intercept = np.array([self._start(k).intercept for k in range(len(runs))], dtype=kind)
        est.n_iter_ = max(run.state.segments for run in runs)
        est.t_ += est.n_iter_ * X.shape[0]
        est.coef_, est.intercept_ = shape(coef), intercept
        if est.average:
            mean = np.array([found.mean for found in made], dtype=kind)
            mean_intercept = np.array([found.mean_intercept for found in made], dtype=kind)
            est._standard_coef, est._standard_intercept = shape(coef), intercept
            est._average_coef, est._average_intercept = shape(mean), mean_intercept
            if est.average <= est.t_ - 1:
                est.coef_, est.intercept_ = est._average_coef, est._average_intercept
        est.trace_ = runs[0].trace if len(runs) == 1 else [run.trace for run in runs]
        est.reason_ = "; ".join(dict.fromkeys(run.reason for run in runs))


class SGDClassifier(Walked, linear_model.SGDClassifier):
    """scikit-learn's SGDClassifier, walked by fallline. Also keeps `trace_` (a list of them for several classes), `reason_`."""

    def _fit_binary(
        self, X: Any, y: Array, alpha: float, sample_weight: Array, learning_rate: str, max_iter: int
    ) -> None:
        held = self._make_validation_split(np.where(y == self.classes_[1], 1.0, -1.0), sample_mask=sample_weight > 0)
        run = self._against_the_rest(1, X, y, sample_weight, held, seed_of(self.random_state), alpha, max_iter, 0)
        self._settle(X, [run], flat=False)

    def _fit_multiclass(
        self, X: Any, y: Array, alpha: float, learning_rate: str, sample_weight: Array, max_iter: int
    ) -> None:
        held = self._make_validation_split(y, sample_mask=sample_weight > 0)
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=len(self.classes_))
        runs = Parallel(n_jobs=self.n_jobs, verbose=self.verbose, require="sharedmem")(
            delayed(self._against_the_rest)(k, X, y, sample_weight, held, int(seed), alpha, max_iter, k)
            for k, seed in enumerate(seeds)
        )
        self._settle(X, runs, flat=False)

    def _against_the_rest(
        self, k: int, X: Any, y: Array, weights: Array, held: Array, seed: int, alpha: float, max_iter: int, row: int
    ) -> Run:
        """The walk that tells class k from the others; `row` of the coefficients is its own."""
        own = y == self.classes_[k]
        factors = self._expanded_class_weight
        rest = factors[0] if len(self.classes_) == 2 else 1.0
        counted = weights * np.where(own, factors[k], rest)
        return walk(
            self, X, np.where(own, 1.0, -1.0), counted.astype(float), held, self._start(row), seed, alpha, max_iter
        )


class SGDRegressor(Walked, linear_model.SGDRegressor):
    """scikit-learn's SGDRegressor, walked by fallline. Also keeps `trace_` and `reason_`."""

    def _fit_regressor(
        self, X: Any, y: Array, alpha: float, loss: str, learning_rate: str, sample_weight: Array, max_iter: int
    ) -> None:
        if not hasattr(self, "t_"):
            self.t_ = 1.0
        held = self._make_validation_split(y, sample_mask=sample_weight > 0)
        weights = np.asarray(sample_weight, dtype=float)
        run = walk(self, X, y, weights, held, self._start(0), seed_of(self.random_state), alpha, max_iter)
        self._settle(X, [run], flat=True)
