"""Faults to plant in a sound run, and the test by which one that does no harm is taken out again.

A trial is a table, a loss, a penalty and a plan. A fault of the data changes the first three, a fault of the walk the plan; two
are planted by doing one after the other. `harm` is written down beside each fault, and decided without asking the explanation.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fallline import Linear, Plan, SoftmaxRegression, solve
from fallline.errors import InputError
from fallline.explain.prospect import Prospect
from fallline.forecast.ground import READ, ground_of
from fallline.gauges import Validation
from fallline.losses import Huber, LogLoss, Poisson, Softmax, SquaredError
from fallline.penalties import L1, L2, NoPenalty

Array = np.ndarray[Any, Any]
Rng = np.random.Generator

DONE = 0.01  # of the excess at the start
ROWS = 2000
SOUND = 0.005  # what a sound run leaves at most
PASSES = (10, 30, 100, 300)


class Trial(NamedTuple):
    """What is run, and what is known of it."""

    X: Array
    y: Array
    loss: Any
    penalty: Any
    plan: Plan
    start: Array | None = None
    held: tuple[Array, Array] | None = None  # validation rows
    clean: Array | None = None  # rows that no fault touched
    before: Any = None  # the trial before the fault
    stops: tuple[Any, ...] = ()  # rules that end it before its budget

    def objective(self) -> Any:
        if isinstance(self.loss, Softmax):
            return SoftmaxRegression(self.X, self.y, penalty=self.penalty)
        return Linear(self.X, self.y, self.loss, self.penalty)


class Fault(NamedTuple):
    """plant: from a trial to the sick one, or None where it cannot have it. accepted: symptoms that name the cause rightly.

    harm: of a trial, its prospect and its run, whether it is one.
    """

    plant: Callable[[Trial, Rng], Trial | None]
    accepted: frozenset[str]
    harm: Callable[[Trial, Any, Any], bool]
    data: bool = False


def standardised(X: Array) -> Array:
    """Mean 0 and deviation 1; columns that do not vary stay out."""
    spread = X.std(axis=0)
    live = spread > 1e-10 * np.abs(X).max(axis=0, initial=1e-300)
    return (X[:, live] - X[:, live].mean(axis=0)) / spread[live]


def sound(X: Array, y: Array, loss: Any, rng: Rng, penalty: Any = None, **settings: Any) -> Trial | None:
    """A run that arrives: mini-batches at 0.3 of the largest rate, falling to zero, for as many passes as it takes, or None."""
    some = rng.choice(len(y), min(ROWS, len(y)), replace=False)
    X, y = standardised(np.asarray(X[some], float)), y[some].astype(float)
    if isinstance(loss, SquaredError | Huber):
        y = (y - y.mean()) / y.std()
    made = Trial(
        X,
        y,
        loss,
        L2(1.0 / len(y)) if penalty is None else penalty,
        Plan(
            **{
                "step": "plain",
                "batch_size": 16,
                "schedule": "cosine",
                "rate": 1.0,
                "seed": int(rng.integers(1000)),
                **settings,
            }
        ),
    )
    prospect = Prospect(made.objective())
    made = made._replace(plan=replace(made.plan, rate=0.3 * largest(prospect, made.plan)))
    for passes in PASSES:
        made = made._replace(plan=replace(made.plan, amount=float(passes)))
        if prospect.tried(made.plan, 1.0) < SOUND:
            return made
    return None


def of_limit(trial: Trial, share: float, **settings: Any) -> Trial:
    """The trial under other settings, at a share of the largest rate that they bear."""
    plan = replace(trial.plan, **settings)
    return trial._replace(plan=replace(plan, rate=share * largest(Prospect(trial.objective()), plan)))


def largest(prospect: Prospect, plan: Plan) -> float:
    """The largest rate that works; where none is forecast, by its meaning: of the powers of two the largest at which a constant
    rate comes below a tenth of the excess at the start in ten passes, or comes lowest.
    """
    limit = prospect.limit(plan)
    if np.isfinite(limit):
        return limit
    short = replace(plan, schedule="constant", budget="epochs", amount=10.0)
    rates = 2.0 ** np.arange(6, -18, -1)
    left = np.array([prospect.tried(replace(short, rate=float(rate)), 1.0) for rate in rates])
    return float(rates[np.flatnonzero(left < 0.1)[0]] if (left < 0.1).any() else rates[left.argmin()])


def walk(share: float, **settings: Any) -> Callable[[Trial, Rng], Trial | None]:
    return lambda trial, rng: of_limit(trial, share * float(rng.uniform(0.95, 1.0)), **settings)


def far(trial: Trial, prospect: Prospect, run: Any) -> bool:
    """More than 1 % of the excess at the start is left."""
    loss = run.trace.last("loss")
    return not np.isfinite(loss) or (loss - prospect.height) / prospect.first > DONE


def always(trial: Trial, prospect: Prospect, run: Any) -> bool:
    """It is wrong whatever the loss says."""
    return True


def disordered(trial: Trial, prospect: Prospect, run: Any) -> bool:
    """Shuffled rows leave a fifth less."""
    left = (run.trace.last("loss") - prospect.height) / prospect.first
    shuffled = prospect.tried(replace(trial.plan, sampler="shuffled"), 1.0)
    return far(trial, prospect, run) and (not np.isfinite(left) or bool(shuffled < 0.8 * left))


def rested(trial: Trial, prospect: Prospect, run: Any) -> bool:
    """A fifth of the run would have done."""
    loss = run.trace["loss"]
    return bool(loss[len(loss) // 5] - loss[-1] < 1e-3 * (loss[0] - loss[-1]))


def turned(trial: Trial, prospect: Prospect, run: Any) -> bool:
    """The loss on validation rows rose by a twentieth of its fall."""
    held = run.trace["validation_loss"]
    return bool(held[-1] - held.min() > 0.05 * (held[0] - held.min()))


def worse(share: float) -> Callable[[Trial, Any, Any], bool]:
    """On rows without the fault the optimum errs by so much more than without it (mean distance, or log loss)."""

    def harm(trial: Trial, prospect: Prospect, run: Any) -> bool:
        rows = np.arange(len(trial.y)) if trial.clean is None else trial.clean
        return error(trial, rows) > (1.0 + share) * error(trial.before, rows)

    return harm


def error(trial: Trial, rows: Array) -> float:
    w = solve(trial.objective(), 1e-5).w
    z, y = trial.X[rows] @ w[:-1] + w[-1], trial.before.y[rows] if trial.before is not None else trial.y[rows]
    return (
        float(np.mean(np.abs(y - z)))
        if isinstance(trial.loss, SquaredError | Huber)
        else float(np.mean(np.log1p(np.exp(-y * z))))
    )


def unsuited(loss: Any, link: Callable[[Array], Array]) -> Callable[[Trial, Any, Any], bool]:
    """The loss that suits errs by a tenth less on rows held out."""

    def harm(trial: Trial, prospect: Prospect, run: Any) -> bool:
        fit, rest = np.arange(len(trial.y)) % 4 != 0, np.arange(len(trial.y)) % 4 == 0
        errors = []
        for kind, back in ((trial.loss, lambda z: z), (loss, link)):
            w = solve(Linear(trial.X[fit], trial.y[fit], kind, trial.penalty), 1e-5).w
            errors.append(np.mean(np.abs(trial.y[rest] - back(trial.X[rest] @ w[:-1] + w[-1]))))
        return bool(errors[1] < 0.9 * errors[0])

    return harm


def scales(trial: Trial, rng: Rng) -> Trial:
    return again(trial._replace(X=trial.X * 10.0 ** rng.uniform(-1.5, 1.5, trial.X.shape[1])))


def copies(trial: Trial, rng: Rng) -> Trial | None:
    if not isinstance(trial.loss, SquaredError):
        return None
    shift = 0.01 * rng.standard_normal((len(trial.y), 2))
    X = standardised(np.column_stack([trial.X, trial.X[:, :2] + shift]))
    y = trial.y + 100.0 * shift @ [1.0, -1.0]
    return again(trial._replace(X=X, y=(y - y.mean()) / y.std(), penalty=L2(1e-6)))


def mixed(trial: Trial, rng: Rng) -> Trial | None:
    """One direction of ten times less spread, in which the answer lies."""
    if not isinstance(trial.loss, SquaredError):
        return None
    v = rng.standard_normal(trial.X.shape[1])
    v /= np.linalg.norm(v)
    X = standardised(trial.X - 0.93 * np.outer(trial.X @ v, v))
    z = X @ v
    y = trial.y + 2.0 * z / z.std()
    return again(trial._replace(X=X, y=(y - y.mean()) / y.std(), penalty=L2(1e-6)))


def again(trial: Trial) -> Trial:
    """The same shares of the largest rate on data that changed."""
    return of_limit(trial, 0.3)


def parted(trial: Trial, rng: Rng) -> Trial | None:
    if not isinstance(trial.loss, LogLoss):
        return None
    z = trial.X @ rng.standard_normal(trial.X.shape[1])
    keep = np.abs(z - np.median(z)) > 0.1 * z.std()
    y = np.where(z > np.median(z), 1.0, -1.0)
    return trial._replace(X=trial.X[keep], y=y[keep], penalty=NoPenalty())


def strays(trial: Trial, rng: Rng) -> Trial | None:
    if not isinstance(trial.loss, SquaredError):
        return None
    rows = rng.choice(len(trial.y), max(3, len(trial.y) // 100), replace=False)
    y = trial.y.copy()
    y[rows] += rng.choice([-1.0, 1.0], len(rows)) * rng.uniform(20.0, 40.0, len(rows))
    return again(trial._replace(y=y, clean=np.setdiff1d(np.arange(len(y)), rows), before=trial))


def rare(trial: Trial, rng: Rng) -> Trial | None:
    if not isinstance(trial.loss, LogLoss):
        return None
    few = np.flatnonzero(trial.y > 0)
    many = np.flatnonzero(trial.y < 0)
    kept = np.concatenate([many, rng.choice(few, max(5, len(many) // 60), replace=False)])
    kept.sort()
    return again(trial._replace(X=trial.X[kept], y=trial.y[kept], penalty=L2(1.0 / len(kept))))


def amounts(trial: Trial, rng: Rng) -> Trial | None:
    if not isinstance(trial.loss, SquaredError):
        return None
    z = trial.X @ rng.standard_normal(trial.X.shape[1])
    mean = np.exp(1.5 * z / z.std())
    return again(trial._replace(y=mean * rng.gamma(4.0, 0.25, len(z))))


def bounds(trial: Trial, rng: Rng) -> Trial | None:
    if not isinstance(trial.loss, SquaredError):
        return None
    z = trial.X @ rng.standard_normal(trial.X.shape[1])
    return again(trial._replace(y=1.0 / (1.0 + np.exp(-4.0 * z / z.std() + 0.5 * rng.standard_normal(len(z))))))


def number_of_events(trial: Trial, rng: Rng) -> Trial | None:
    if not isinstance(trial.loss, SquaredError):
        return None
    z = trial.X @ rng.standard_normal(trial.X.shape[1])
    return again(trial._replace(y=rng.poisson(np.exp(1.2 * z / z.std() + 1.0)).astype(float)))


def as_number(trial: Trial, rng: Rng) -> Trial | None:
    if not isinstance(trial.loss, LogLoss):
        return None
    return again(trial._replace(y=(trial.y > 0).astype(float), loss=SquaredError()))


def sorted_rows(trial: Trial, rng: Rng) -> Trial:
    order = np.argsort(trial.y, kind="stable")
    return of_limit(trial._replace(X=trial.X[order], y=trial.y[order]), 0.3, sampler="in_order", schedule="constant")


def emptied(trial: Trial, rng: Rng) -> Trial:
    g = trial.objective().gradient(level(trial))[:-1] - trial.penalty.pull(0.0)
    return trial._replace(penalty=L1(2.0 * float(np.abs(g).max())), before=trial)


def level(trial: Trial) -> Array:
    """The best constant model."""
    w = np.zeros(trial.X.shape[1] + 1)
    w[-1] = solve(Linear(np.zeros((len(trial.y), 1)), trial.y, trial.loss, L2(1.0)), 1e-9).w[-1]
    return w


def heavy(trial: Trial, rng: Rng) -> Trial:
    top = ground_of(trial.objective(), READ).limits.values[-1]
    return again(trial._replace(penalty=L2(5.0 * float(top)), before=trial))


def told(trial: Trial, rng: Rng) -> Trial:
    leak = trial.y + 0.02 * rng.standard_normal(len(trial.y))
    return again(trial._replace(X=standardised(np.column_stack([trial.X, leak]))))


def told_by_two(trial: Trial, rng: Rng) -> Trial | None:
    """Two columns of which the target is the sum, each as much noise as answer."""
    if isinstance(trial.loss, LogLoss):
        return None
    part = trial.y.std() * rng.standard_normal(len(trial.y))
    return again(trial._replace(X=standardised(np.column_stack([trial.X, part, trial.y - part]))))


def scarce(trial: Trial, rng: Rng) -> Trial | None:
    """Few rows, many columns of noise, no penalty, and rows held out."""
    n = min(len(trial.y) // 2, 8 * trial.X.shape[1])
    X = standardised(np.column_stack([trial.X, rng.standard_normal((len(trial.y), n // 2))]))
    made = trial._replace(X=X[:n], y=trial.y[:n], penalty=L2(1e-6), held=(X[n : 2 * n + 200], trial.y[n : 2 * n + 200]))
    return of_limit(made, 0.1, amount=300.0, schedule="constant", batch_size=8)


def thrown(trial: Trial, rng: Rng) -> Trial | None:
    if not isinstance(trial.loss, LogLoss):
        return None
    w = rng.standard_normal(trial.X.shape[1] + 1)
    z = np.abs(trial.X @ w[:-1] + w[-1])
    return of_limit(trial._replace(start=w * 40.0 / np.median(z)), 0.3, amount=trial.plan.amount)


def raised(trial: Trial, rng: Rng) -> Trial:
    X = trial.X.copy()
    X[:, 0] += 3e5
    return trial._replace(X=X.astype(np.float32))


def leap(trial: Trial, rng: Rng) -> Trial:
    return trial._replace(
        plan=Plan(
            step="adam",
            batch_size=16,
            rate=float(rng.uniform(1.0, 3.0)),
            schedule="cosine",
            amount=5.0,
            seed=trial.plan.seed,
        )
    )


def brink(trial: Trial, rng: Rng) -> Trial:
    """Two per mille or less under the largest rate of steps on all rows."""
    return of_limit(trial, float(rng.uniform(0.998, 1.0)), variant="batch", schedule="constant", amount=40.0)


def row(plant: Any, accepted: str, harm: Any = far, data: bool = False) -> Fault:
    return Fault(plant, frozenset(accepted.split()), harm, data)


def few(share: float) -> Callable[[Trial, Rng], Trial]:
    """That share of the passes that a sound run takes, at a constant rate."""
    return lambda trial, rng: of_limit(
        trial, 0.2, schedule="constant", amount=max(0.25, share * float(trial.plan.amount or 1.0))
    )


FAULTS = {
    "diverged": row(walk(1.5, variant="batch", schedule="constant", amount=200.0), "diverged above"),
    "above the limit": row(walk(2.5, schedule="constant"), "above diverged"),
    "at the edge": row(brink, "edge"),
    "rate too small": row(walk(0.005, schedule="constant"), "too_small"),
    "stopped early": row(few(0.05), "stopped_early"),
    "ran long": row(walk(0.5, variant="batch", step="nesterov", schedule="constant", amount=3000.0), "ran_long", rested),
    "noise floor": row(walk(0.6, batch_size=8, schedule="constant"), "noise_floor batch_small"),
    "batch too small": row(walk(0.6, variant="stochastic", schedule="constant"), "batch_small noise_floor"),
    "batch too large": row(walk(0.5, variant="batch", schedule="constant", amount=5.0), "batch_large"),
    "momentum too high": row(
        walk(0.5, variant="batch", step="momentum:beta=0.995", schedule="constant", amount=200.0), "momentum"
    ),
    "no warm-up": row(leap, "warmup above diverged"),
    "decays too soon": row(walk(0.3, schedule="inverse_time:decay=0.5"), "decays_soon"),
    "unscaled": row(scales, "unscaled", data=True),
    "collinear": row(copies, "collinear conditioned", data=True),
    "ill-conditioned": row(mixed, "conditioned collinear", data=True),
    "separable": row(parted, "separable", always, True),
    "outliers": row(strays, "outliers", worse(0.02), True),
    "imbalance": row(rare, "imbalance", always, True),
    "counts": row(number_of_events, "counts", unsuited(Poisson(), np.exp), True),
    "amounts": row(amounts, "amounts", unsuited(Poisson(), np.exp), True),
    "two values": row(as_number, "two_values", always, True),
    "bounded": row(bounds, "bounded", always, True),
    "file order": row(sorted_rows, "file_order", disordered),
    "emptied": row(emptied, "removed_all", worse(0.02), True),
    "penalty": row(heavy, "dominates", worse(0.02), True),
    "leak": row(told, "leak", always, True),
    "leak of two": row(told_by_two, "leak", always, True),
    "overfitting": row(scarce, "overfitting", turned, True),
    "saturated": row(thrown, "saturated"),
    "float32": row(raised, "digits", always, True),
}  # fmt: skip


def run_of(trial: Trial) -> Any:
    """The trial's run."""
    gauges = [Validation(Linear(*trial.held, trial.loss, trial.penalty))] if trial.held is not None else []
    return trial.plan.run(trial.objective(), start=trial.start, gauges=gauges, stops=trial.stops)


def planted(trial: Trial, faults: tuple[str, ...], rng: Rng) -> Trial | None:
    """The trial with those faults, those of the data first; None where it cannot have them."""
    made: Trial | None = trial
    for name in sorted(faults, key=lambda name: not FAULTS[name].data):
        try:
            made = None if made is None else FAULTS[name].plant(made, rng)
        except InputError:
            return None
    return made
