"""A network's arguments: what they may be, and the module, the plans and the stream that they name."""

from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from fallline.averages import Fading, Last
from fallline.errors import InputError
from fallline.estimators.settings import PART, seed_of
from fallline.estimators.settings import SCHEDULES as THEIRS
from fallline.estimators.streaming import Stream
from fallline.parts import known, part
from fallline.plan import RATE, WAYS, Plan
from fallline.schedules import SCHEDULES
from fallline.steps.named import Optimizer, is_class, rate_of

Array = np.ndarray[Any, Any]

WHOLE, STEPS = 128, 300  # up to so many rows a step takes all of them, and so many steps are made
RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)  # of a race
HEATS, SHARE = "heats", 0.12  # a race whose rates have so much of the budget each, and the first of them then all of it
WARM = 0.05  # of the steps: until the rate is at its height
ADAM_RATE, SGD_RATE = 4e-3, 0.05  # heights of a cosine
STEADY = 0.25  # of them as a constant rate: its best is 2 to 5 times lower
AVERAGED = 0.5  # of a pass, over which points are averaged where the best of them is kept
STREAM_ROWS = 32  # a step of partial_fit

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [str],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "batch_norm": ["boolean"],
    "solver": [str, PART],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto", "all"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [str, PART],
    "learning_rate_init": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "tune": [StrOptions({"race", "heats"}), None],
    "max_epochs": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "max_iter": [Interval(Integral, 1, None, closed="left"), None],
    "shuffle": ["boolean"],
    "early_stopping": ["boolean", StrOptions({"auto"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "warm_start": ["boolean"],
    "device": [str, None],
    "watch": [callable, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def module_of(estimator: Any, inputs: int, outputs: int, kind: str, before: Any = None) -> Any:
    """The network with its first weights, or with those of `before`. Raises InputError for what is no network."""
    from fallline.torch.mlp import ACTIVATIONS, gone_on, perceptron

    known(estimator.activation, ACTIVATIONS, "activation")
    sizes = np.atleast_1d(np.asarray(estimator.hidden_layer_sizes, dtype=object)).tolist()
    for size in sizes:
        if not isinstance(size, Integral) or size < 1:
            raise InputError(
                f"hidden_layer_sizes holds {size!r}: a layer has a whole number of units, 1 or more; () for none."
            )
    module = perceptron(
        inputs, [int(size) for size in sizes], outputs, estimator.activation, dropout=float(estimator.dropout),
        batch_norm=bool(estimator.batch_norm), seed=seed_of(estimator.random_state), kind=kind,
    )  # fmt: skip
    return module if before is None else gone_on(before, module)


def plans_of(estimator: Any, net: Any) -> Iterator[Plan]:
    """The plan of a fit, or those of its race; the last of heats is for the winner, whose rate it does not know."""
    plan = plan_of(estimator, net)
    if estimator.tune is None:
        yield plan
        return
    if estimator.learning_rate_init != "auto":
        raise InputError("tune finds learning_rate_init, and it is given: leave one of them out.")
    for rate in RATES:
        rate *= rate_of(plan.step, RATE) / RATE
        yield over(estimator, net, replace(plan, rate=rate), SHARE if estimator.tune == HEATS else 1.0)
    if estimator.tune == HEATS:
        yield plan


def plan_of(estimator: Any, net: Any) -> Plan:
    """The net's usual plan with what the arguments say."""
    if estimator.max_iter is not None and estimator.max_epochs != "auto":
        raise InputError("max_iter is scikit-learn's name of max_epochs, and both are given: leave one of them out.")
    amount = estimator.max_epochs if estimator.max_iter is None else estimator.max_iter
    seed = seed_of(estimator.random_state)
    usual = net.usual(Plan(amount=None if amount == "auto" else float(amount), seed=seed))
    plan = replace(usual, step=step_of(estimator), sampler="shuffled" if estimator.shuffle else "in_order")
    if estimator.batch_size == "all" or (estimator.batch_size == "auto" and net.n <= WHOLE):
        # a look at every step has no room for a look at held-out rows as batch norm then was
        plan = replace(plan, batch_size=net.n, variant="batch" if net.validation is None else "mini-batch")
        plan = replace(plan, amount=float(STEPS)) if amount == "auto" else plan
    elif estimator.batch_size != "auto":
        plan = replace(plan, batch_size=min(int(estimator.batch_size), net.n))
    if estimator.solver == "auto" and net.validation is not None and not estimator.batch_norm:
        # batch norm's running statistics belong to the walk's point and not to the average
        steps = max(1.0, AVERAGED * -(-net.n // plan.size(net.n)))
        plan = replace(plan, average=Fading(1.0 - 1.0 / steps))
    pace = estimator.learning_rate
    if pace != "auto":
        plan = replace(plan, schedule=_pace(pace))
    return over(estimator, net, replace(plan, rate=_rate(estimator, usual.rate, pace)), 1.0)


def over(estimator: Any, net: Any, plan: Plan, share: float) -> Plan:
    """The plan over a share of its budget, at least a pass, warmed up where the schedule is ours."""
    plan = replace(plan, amount=max(min(1.0, float(plan.amount or 1.0)), share * float(plan.amount or 1.0)))
    return replace(plan, warmup=max(1, round(WARM * plan.updates(net.n))) if estimator.learning_rate == "auto" else 0)


def step_of(estimator: Any) -> Any:
    """NAdamW with rates by fan-in, Adam or SGD as scikit-learn means them, or any step rule of a plan."""
    solver = estimator.solver
    decay: tuple[str, Any] = ("weight_decay", float(estimator.alpha))
    betas: tuple[str, Any] = ("betas", (float(estimator.beta_1), float(estimator.beta_2)))
    own: tuple[Any, ...] = (betas, ("eps", float(estimator.epsilon)), decay)
    ours = {
        "auto": Optimizer("NAdamW", own, "fan_in"),
        "adam": Optimizer("AdamW", own),
        "sgd": Optimizer("SGD", (("momentum", 0.9), ("nesterov", True), decay)),
    }
    return ours.get(solver, solver) if isinstance(solver, str) else solver


def stream_of(estimator: Any, network: Any, usual: float) -> Stream:
    """Where partial_fit begins: at a constant rate, as nobody knows how many rows will come."""
    from fallline.torch.engine import Autograd

    for name, usually in (("tune", None), ("batch_size", "auto")):
        if getattr(estimator, name) in ("race", HEATS, "all"):
            raise InputError(
                f"{name} should not be {getattr(estimator, name)!r} with partial_fit, which sees some rows at a time: leave it "
                f"at {usually!r}."
            )
    pace = "constant" if estimator.learning_rate == "auto" else estimator.learning_rate
    rate = _rate(estimator, usual, pace) or rate_of(step_of(estimator), RATE)
    schedule = part(SCHEDULES, _pace(pace), "learning_rate", rate=rate)
    if hasattr(schedule, "react"):
        raise InputError(
            f"learning_rate={pace!r} waits for the loss of all rows, and partial_fit sees some at a time: take constant, "
            "invscaling or inverse_sqrt."
        )
    names = tuple(name for name, tensor in network.named_parameters() if tensor.requires_grad)
    step = step_of(estimator)
    made = Optimizer.read(step) if is_class(step) else part(WAYS, step, "solver")
    size = STREAM_ROWS if estimator.batch_size == "auto" else int(estimator.batch_size)
    return Stream(Autograd(names, seed_of(estimator.random_state)), made, schedule, Last(), size)


def _pace(pace: Any) -> Any:
    """A schedule by scikit-learn's name or ours, or itself."""
    return THEIRS.get(pace, pace) if isinstance(pace, str) else pace


def _rate(estimator: Any, usual: float | None, pace: Any) -> float | None:
    """The first rate: what is given, or what is usual with the solver and the schedule; None where that is the plan's."""
    if estimator.learning_rate_init != "auto":
        return float(estimator.learning_rate_init)
    heights = {"auto": usual, "adam": ADAM_RATE, "sgd": SGD_RATE}
    rate = heights.get(estimator.solver) if isinstance(estimator.solver, str) else None
    return rate * STEADY if rate is not None and pace != "auto" else rate
