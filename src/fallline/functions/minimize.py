"""Any function: gradient descent with SciPy's manners.

    from fallline.functions.minimize import minimize
    result = minimize(lambda w: (w[0] - 3) ** 2 + 10 * w[1] ** 2, [0, 1])
    result.x, result.message, result.trace.plot()

With no settings the rate sets itself (`secant.Secant`) and the walk ends where the gradient vanishes. The loop is the one
of `descent.py`; what is here turns what the user gave into its nouns, and a Run into a result.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult

from fallline.descent import Run, descend
from fallline.errors import InputError
from fallline.functions.secant import Curvature, Secant, SecantRate, first_rate, largest_curvature
from fallline.functions.watched import Watched
from fallline.gauges import GradientNorm as GradientNormGauge
from fallline.samplers import Batch
from fallline.schedules import SCHEDULES, Constant, ReduceOnPlateau
from fallline.steps import STEPS, Momentum, Nesterov, Plain
from fallline.stops import AnyOf, Diverged, Epochs, GradientNorm, Seconds, Updates, Visits
from fallline.trace import Trace

Array = np.ndarray[Any, Any]

BUDGETS = (Updates, Visits, Epochs, Seconds)  # rules that end a walk without its having arrived
CONVERGED, SPENT, DIVERGED, STALLED = 0, 1, 2, 3  # OptimizeResult.status
SMALL = 20  # coordinates up to which the end is checked for being a saddle or a plateau: as many pairs of gradients
FLAT = 1e-6  # curvature below which a place without slope is a plateau
TRIAL = 200  # updates after which a rate is said to hold
HALVINGS = 60  # of a rate that did not hold: twenty powers of ten


def minimize(
    f: Callable[[Array], Any],
    w0: Any,
    gradient: Callable[[Array], Any] | None = None,
    *,
    step: Any = "plain",
    rate: float | None = None,
    schedule: Any = None,
    stop: Any = None,
    updates: int = 10_000,
) -> OptimizeResult:
    """Walk down f from w0. Returns a SciPy OptimizeResult.

    f: takes a vector (d,), returns a number. w0: the start, (d,). gradient: takes a vector, returns (d,); without it, f
    is differenced by SciPy at 2(d + 1) calls a gradient, which `gradient_source` and `message` say. step: a step rule or
    its name in STEPS. rate: held constant; or the first of a `schedule`, a part or a name in SCHEDULES. With neither,
    plain steps set their own rate at every update; momentum and Nesterov start from a safe one and the rules that scale
    themselves from a tenth of the start's size, both halved when the loss no longer falls. stop: when the walk has
    arrived; unless told otherwise at a gradient norm of 1e-6, or 1e-10 of the start's where that is more. updates: the
    budget, whatever the stop.

    The result: x, fun, jac at the end of the walk; nit updates; nfev and njev, every call of f and gradient, checks
    included; message, why the walk ended; success, unless it spent its budget (status 1), diverged (2), or came to rest
    on a saddle or a plateau (3; told for up to 20 coordinates); trace and run, to plot or to go on from; gradient_source.
    Raises InputError for what cannot be walked, among it a gradient that f clearly contradicts at w0.
    """
    return _walk(Watched(f, w0, gradient), step, rate, schedule, stop, updates)


def maximize(
    f: Callable[[Array], Any], w0: Any, gradient: Callable[[Array], Any] | None = None, **options: Any
) -> OptimizeResult:
    """Walk up f from w0: `minimize` of −f, with the same options.

    fun and jac are f's own and `gradient` is f's own. The trace and the run are of the walk that was made, down −f, because
    every reader of a trace takes lower for better: f along the way is −trace["loss"], and a TargetLoss is one of −f.
    """
    return _walk(Watched(f, w0, gradient, sign=-1.0), **options)


def _walk(
    objective: Watched,
    step: Any = "plain",
    rate: float | None = None,
    schedule: Any = None,
    stop: Any = None,
    updates: int = 10_000,
) -> OptimizeResult:
    rule = _part(STEPS, step, "step")
    pace = _pace(objective, rule, rate, schedule)
    arrival = GradientNorm(_small(np.linalg.norm(objective.gradient(objective.w0)))) if stop is None else stop
    if updates < 1:
        raise InputError(f"updates is {updates}: it must be at least one.")
    stops = AnyOf((RanAway(), arrival, Updates(updates)))
    looks = 1 if isinstance(pace, Secant) or not hasattr(pace, "react") else 10  # a look re-reads the whole trace there
    gauges = (Curvature(), SecantRate()) if isinstance(pace, Secant) else ()
    walk = {"sampler": Batch(looks), "step": rule, "every": 1}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # the run's reason names a walk that runs away
        run = descend(objective, schedule=pace, stop=stops, gauges=gauges, **walk)
        if run.diverged:
            status, said = DIVERGED, _why_diverged(objective, run, pace, walk)
        elif _spent(run, arrival):
            norm = float(np.linalg.norm(objective.gradient(run.w)))
            status, said = SPENT, f"{run.reason}; the gradient's norm is {norm:.3g} there"
        else:
            status, said = _arrived(objective, run)
        slope = objective.gradient(run.w)
    run.trace.about.update(
        name=type(rule).__name__.lower(), variant="automatic" if isinstance(pace, Secant) else "batch",
        rate=None if isinstance(pace, Secant) else float(pace.at(1)), loss="f" if objective.sign > 0 else "−f",
        diverged=run.diverged, reason=run.reason,
    )  # fmt: skip
    if not objective.given:
        said += f"; gradient by {objective.source}"
    return OptimizeResult(
        x=run.w, fun=objective.sign * run.trace.last("loss"), jac=objective.sign * slope,
        nit=run.state.t, nfev=objective.heights, njev=objective.slopes,
        success=status == CONVERGED, status=status, message=said[0].upper() + said[1:] + ".",
        gradient_source=objective.source, trace=run.trace, run=run,
    )  # fmt: skip


def _part(table: dict[str, Any], wanted: Any, noun: str, *fields: Any) -> Any:
    """A part, given as itself or by its name in a table."""
    if not isinstance(wanted, str):
        return wanted
    if wanted not in table:
        raise InputError(f"{noun} is {wanted!r}: it must be a part, or one of {', '.join(table)}.")
    return table[wanted](*fields)


def _pace(objective: Watched, rule: Any, rate: float | None, schedule: Any) -> Any:
    """The schedule that the user gave, or one that fits the rule."""
    if rate is not None and not 0.0 < rate < math.inf:
        raise InputError(f"rate is {rate}: it must be a number above 0, or left out to be found.")
    if schedule is not None and not isinstance(schedule, str):
        if rate is not None:
            raise InputError(f"rate is {rate:g} and schedule is {schedule!r}: give the rate inside the schedule.")
        return schedule
    if schedule is not None:
        if rate is None:
            raise InputError(f"schedule is {schedule!r} without a rate: give the rate that it starts from.")
        return _part(SCHEDULES, schedule, "schedule", rate)
    if rate is not None:
        return Constant(rate)
    return _own_pace(objective, rule)


def _own_pace(objective: Watched, rule: Any) -> Any:
    inner = rule
    while hasattr(inner, "step"):  # clipping holds the rule that it clips for
        inner = inner.step
    if isinstance(inner, Plain):
        return Secant(first_rate(objective))
    if isinstance(inner, Momentum | Nesterov):  # on a bowl both hold up to more than 1/curvature, whatever the beta
        curvature = largest_curvature(objective)
        first = 0.5 / curvature if 0.0 < curvature < math.inf else 0.01
    else:  # each update has about the size of the rate in every coordinate, whatever the function's scale
        first = 0.1 * max(1.0, float(np.mean(np.abs(objective.start()))))
    return ReduceOnPlateau(first, factor=0.5, patience=100, threshold=0.0)


def _small(norm: Any) -> float:
    """A gradient norm that rounding lets a walk reach, whatever the function's scale: from its norm at the start."""
    return max(1e-6, 1e-10 * float(norm))


class RanAway(NamedTuple):
    """When the loss has risen by `factor` times its own scale: |f| at the start, and its slope there over the point's size.

    `stops.Diverged` measures from zero, which is the right scale of a loss; any function may start at zero.
    """

    factor: float = 1e3

    def reason(self, trace: Trace) -> str:
        loss, size, norm = (trace.columns[name][0] for name in ("loss", "size", "gradient_norm"))
        if trace.last("loss") <= loss + self.factor * (abs(loss) + norm * (1.0 + size)):
            return ""
        return f"diverged: the loss grew from {loss:.3g} to {trace.last('loss'):.3g} by update {trace.last('t'):,}"

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return (GradientNormGauge(),)


class Slower(NamedTuple):
    """Any schedule at a share of its rate."""

    schedule: Any
    share: float

    def react(self, trace: Any) -> "Slower":
        inner = self.schedule
        return Slower(inner.react(trace), self.share) if hasattr(inner, "react") else self

    def at(self, t: float) -> float:
        return self.share * float(self.schedule.at(t))


def _spent(run: Run, arrival: Any) -> bool:
    """Whether the walk ended for want of updates, visits or time, and not because it had arrived."""
    rules = arrival.rules if isinstance(arrival, AnyOf) else (arrival,)
    return not any(rule.reason(run.trace) for rule in rules if not isinstance(rule, (*BUDGETS, Diverged)))


def _arrived(objective: Watched, run: Run) -> tuple[int, str]:
    """Status and sentence of a walk that came to rest: is it a place to rest in?"""
    updates = run.state.t
    said = f"{run.reason} after {updates:,} update{'s' if updates > 1 else ''}"
    said = said if updates else f"no update was made: {run.reason} at the start"
    if len(run.w) > SMALL or run.trace.last("gradient_norm") > _small(run.trace.columns["gradient_norm"][0]):
        return CONVERGED, said
    hessian = _hessian(objective, run.w)
    if not np.isfinite(hessian).all():
        return CONVERGED, said
    values, vectors = np.linalg.eigh(hessian)
    lowest, largest = float(values[0]), float(np.abs(values).max())
    if largest <= FLAT:
        return STALLED, f"{said}, but on a plateau: the curvature is {largest:.3g} too; start elsewhere"
    if lowest >= -0.001 * largest:  # what differences of gradients leave of a zero
        return CONVERGED, said
    way = vectors[:, 0] * math.copysign(1.0, vectors[np.abs(vectors[:, 0]).argmax(), 0])
    along = ", ".join(f"{share:.3g}" for share in way.round(6) + 0.0)
    return STALLED, f"{said}, but on a saddle: f falls along ({along}), where its curvature is {lowest:.3g}"


def _hessian(objective: Watched, w: Array) -> Array:
    """Second derivatives at w, by central differences of the gradient."""
    reach = 1e-4 * max(1.0, float(np.linalg.norm(w)))
    rows = [objective.probe(w + reach * axis) - objective.probe(w - reach * axis) for axis in np.eye(len(w))]
    hessian = np.array(rows) / (2.0 * reach)
    return 0.5 * (hessian + hessian.T)


def _why_diverged(objective: Watched, run: Run, pace: Any, walk: dict[str, Any]) -> str:
    """What happened, at which rate, and which smaller rate holds: found by trying."""
    sound = [loss for loss in run.trace.columns["loss"] if math.isfinite(loss)]
    if sound[-1] < min(sound[0], 0.0) and abs(sound[-1]) > 1e30:
        return f"{run.reason}: the function falls without bound that way, and has no minimum to be found"
    used = pace.at(1)
    if isinstance(pace, Secant):
        which, pace = f"the rate that sets itself (from {used:.3g})", Constant(used)
    else:
        which = f"rate {used:.3g}"
    for halving in range(1, HALVINGS):
        share = 0.5**halving
        trial = descend(objective, schedule=Slower(pace, share), stop=AnyOf((RanAway(), Updates(TRIAL))), **walk)
        losses = trial.trace["loss"]
        if not trial.diverged and losses[-1] - losses.min() <= 0.01 * (losses[0] - losses.min()):  # it fell and stayed
            return f"{run.reason} at {which}; {share * used:.3g} would have held (tried for {TRIAL} updates)"
    return f"{run.reason} at {which}, and no smaller rate held: is the gradient the one of f?"
