"""The door: from an objective and a plan to its forecast."""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.executors import METHODS
from fallline.forecast.ground import Ground, ground_of
from fallline.forecast.limits import conditioning_of, floor_at, rates_of, slight_floor
from fallline.forecast.noise import noise_scale
from fallline.forecast.result import SAMPLE, Forecast
from fallline.forecast.tangent import Rows, Walk, rule_of, tangent
from fallline.parts import named
from fallline.plan import ORDERS, Plan
from fallline.samplers import WithReplacement
from fallline.schedules import SCHEDULES

Array = np.ndarray[Any, Any]

GENTLE = 0.3  # of the largest rate, where none is given
FEW = 200  # updates that are timed
FAINT = 1e-150  # its square is still a number


def forecast_of(
    objective: Any, plan: Plan | None = None, *, ground: Ground | None = None, start: Any = None, timed: bool = False,
    names: Any = (), **settings: Any,
) -> Forecast:  # fmt: skip
    """Forecast a plan's walk on a Linear objective.

    settings: of a plan, instead of one; without a rate, 0.3 of the largest that works. start: the point to begin at. timed:
    walk a few updates for the seconds they take. ground: what a forecast before this one on the same objective knew. names: of
    the columns, for the words. Raises InputError for what is not forecast: several classes, losses with corners, an L1 share,
    steps other than plain, momentum and nesterov, averages, clipping.
    """
    began = time.perf_counter()
    free = plan is None and settings.get("rate") is None
    plan = Plan(**{"step": "plain", **settings}) if plan is None else plan
    refuse_walk(plan)
    ground = ground_of(objective, start=start) if ground is None else ground
    n = objective.n
    if plan.variant != "batch" and plan.size(n) == n:  # what it comes to is what it is called
        plan = replace(plan, variant="batch", batch_size=n)
    rows = Rows(n, plan.size(n), ORDERS[named(plan.sampler, ORDERS)] is not WithReplacement)
    step = plan.stepper(objective)[0]
    rule, origin = rule_of(step), objective.start() if start is None else np.asarray(start, float)
    excess = ground.look(ground.place(origin), np.zeros(len(ground.linear))).excess
    rates = rates_of(ground, rule, rows, excess)
    if free:
        plan = replace(plan, rate=float(f"{GENTLE * min(rates.working, rates.batch):.2g}"))
    walk = Walk(rule, plan.pace(objective, float(plan.rate or 0.0)), rows, plan.updates(n))
    path = tangent(ground, walk, origin)
    chance = path.variance / np.maximum(path.excess + path.swell, FAINT) ** 2
    deviation = np.sqrt(np.log1p(chance) + (SAMPLE * ground.sampled) ** 2)
    deviation[0] = 0.0
    floor = slight = float("nan")
    if rows.share:
        rate = float(plan.rate or 0.0)
        slight = slight_floor(ground, rule, rows, rate)
        floor = floor_at(ground, rule, rows, rate, np.zeros(len(ground.linear)))[0]
    return Forecast(
        plan=plan, n=n, per_pass=rows.steps, t=path.t, excess=path.excess, swell=path.swell, deviation=deviation,
        optimum=ground.value, bound=ground.bound, lost=path.lost, rates=rates, conditioning=conditioning_of(ground),
        noise=noise_scale(path), slight_floor=slight, floor=floor, rows=ground.rows, seconds=time.perf_counter() - began,
        names=tuple(names), ground=ground, start=origin, seconds_per_update=pace_of(objective, plan) if timed else float("nan"),
    )  # fmt: skip


def pace_of(objective: Any, plan: Plan) -> float:
    """Seconds an update of the plan takes, by walking a few; the first walk of two may compile."""
    short = replace(plan, budget="updates", amount=min(FEW, plan.updates(objective.n)))
    short.run(objective)
    trace = short.run(objective).trace
    return float(trace.last("seconds") / trace.last("t"))


def refuse_walk(plan: Plan) -> None:
    """Raise InputError for a plan whose walk is not forecast."""
    if plan.automatic or named(plan.step, METHODS) in METHODS:
        raise InputError(f'The step "{plan.step}" sets its own pace: forecast plain, momentum or nesterov.')
    if plan.average not in (None, "none"):
        raise InputError("The forecast is of the last point: leave the average out.")
    if plan.clip_norm is not None or plan.clip_value is not None:
        raise InputError("Clipped steps are not linear in the gradient, and not forecast: leave clipping out.")
    if named(plan.schedule, SCHEDULES) == "reduce_on_plateau" or hasattr(plan.schedule, "react"):
        raise InputError(
            "A schedule that reacts to the walk is not known before it: name one of the step alone, such as cosine."
        )
