"""Compare settings of gradient descent on one table under one equal budget."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from inspect import signature
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fallline.comparison.entry import WITHIN, Baseline, Entry, Yardstick
from fallline.comparison.networks import compare_networks
from fallline.comparison.result import Comparison
from fallline.comparison.runner import Progress, Runner
from fallline.comparison.study import Study
from fallline.comparison.verdict import amount_of, verdict_of
from fallline.data import Dataset, fingerprint_of, load
from fallline.data.table import Place
from fallline.errors import InputError
from fallline.executors.level import height_at_level
from fallline.losses import POSITIVE, LogLoss, Softmax, SquaredError
from fallline.objectives.floor import floor_of
from fallline.objectives.passes import threads_at_most
from fallline.parts import known
from fallline.problem import LOSS_OF, objective_on, place_in, strength, suited, weights_in, wording
from fallline.reference import Limits, Optimum, limits_of, optimum_of
from fallline.reference.baselines import Rival, rivals
from fallline.stops import START_SHARE
from fallline.trace import Trace

NOTHING = 1e-8  # a mean log loss below this is that of certainty
ROUNDING = 1e-6  # of the yardstick's scale: a walk that ends further below the optimum than this has found a better one


def compare(
    data: Any,
    target: str | int | None = None,
    study: Study | None = None,
    *,
    weights: Any = None,
    progress: Progress | None = None,
    command: str = "",
    fingerprint: str | None = None,
    **settings: Any,
) -> Comparison:
    """Run several settings of gradient descent on one table under one budget, and say who was first.

    data, target: a file, a bundled set's name, arrays or a frame, and the column to learn (see fallline.data.load); or a
    fallline.Net, whose settings are then compared from equal weights, by the loss on all rows.
    weights: how much each row counts, (n,), or the column that says so.
    study: what to compare; or its fields as keywords (variants, steps, rates, batch_sizes, …), beside those of
    `fallline.data.load` (header, drop, task, …). progress: called with (runs done, runs in all, what runs now).
    fingerprint: that of the data when they were compared before, as plan.toml has it; other data are then refused.
    Raises InputError for anything that cannot be used.
    """
    if hasattr(data, "measuring"):
        if target is not None or weights is not None:
            raise InputError("A network has its targets and weights already: leave target and weights out.")
        return compare_networks(data, study, settings, progress or _silent)
    readable = [
        name for name, parameter in signature(load).parameters.items() if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for name in settings:
        known(name, (*Study.__dataclass_fields__, *readable), "setting of a comparison")
    chosen = {name: settings.pop(name) for name in list(settings) if name in Study.__dataclass_fields__}
    if study is not None and chosen:
        raise InputError(f"A study is given, and {', '.join(chosen)} beside it: put them into the study.")
    study = study or Study(**chosen)
    if isinstance(data, Dataset) and (settings or target is not None):
        raise InputError(
            f"The data are read already: give {', '.join(['target', *settings])} to fallline.load instead."
        )
    settings = suited(study.loss, settings)
    where = _where(data, target, weights, settings)
    if isinstance(weights, str | int):
        weights, settings = weights_in(data, weights, settings)
    table = data if isinstance(data, Dataset) else load(data, target, **settings)
    where["fingerprint"] = now = fingerprint_of(table, weights)
    if fingerprint not in (None, now):
        raise InputError(
            f"{table.source} is not what it was when the plan was written (fingerprint {fingerprint} then, {now} now): name the "
            "data beside --plan to repeat it on them as they are."
        )
    # One thread for everyone: descent has one, and threads that wait for each other would time how busy the machine is.
    # A search that looks too far sees infinity and turns back: no warning is due.
    with threadpool_limits(1), threads_at_most(1), np.errstate(over="ignore", invalid="ignore"):
        return _compared(table, weights, study, progress or _silent, command, where, place_in(data, settings))


def _scale_of(objective: Any, optimum: Limits, limit_of: Callable[[int], float]) -> Callable[[int], float]:
    """What default rates are set around: the stable limit at the optimum, or that at the start where it is lower.

    Least squares bends alike everywhere; a logistic loss bends most at the start, counts and amounts anywhere.
    """
    if optimum.borrowed or isinstance(objective.loss, SquaredError):
        return limit_of
    start = limits_of(objective, objective.start())
    return limit_of if start.borrowed else lambda rows: min(limit_of(rows), start.of(rows, objective.n))


def _refuse_separable(objective: Any, optimum: Optimum, table: Dataset) -> None:
    """Raise InputError where the optimum lies at infinity: classes told apart without error, and nothing penalised."""
    unpenalised = objective.penalty.cost(1.0) == 0.0
    if unpenalised and isinstance(objective.loss, LogLoss | Softmax) and optimum.value < NOTHING:
        raise InputError(
            f'The classes of "{table.target}" are separable: these columns tell them apart without an error, so without a '
            "penalty the weights grow for ever and there is no optimum to be near. Add --penalty l2."
        )


def _stated(objective: Any, limits: Limits, limit_of: Callable[[int], float]) -> Callable[[int], float | None] | None:
    """The limits that are claimed and not only used: none of a loss with corners; of several classes, the batch limit."""
    if limits.borrowed:
        return None
    return lambda rows: limit_of(rows) if rows >= objective.n or not limits.rough else None


def _silent(done: int, total: int, text: str) -> None:
    """Progress that nobody asked for."""


def _compared(
    table: Dataset, weights: Any, study: Study, tell: Progress, command: str, where: dict[str, Any], place: Place
) -> Comparison:
    loss = study.loss or LOSS_OF[table.task]
    objective = objective_on(table, weights, loss, study, place)
    _check_plane(study, table, objective)
    tell(0, 1, "finding the optimum")
    optimum = optimum_of(objective)
    yard = yardstick(objective, optimum.value, optimum.by)
    _refuse_separable(objective, optimum, table)
    limits = limits_of(objective, optimum.w)
    n, d = objective.n, objective.model.d
    limit_of = cache(partial(limits.of, n=n))
    plans = study.plans(n, d, _scale_of(objective, limits, limit_of))
    about = {"d": d, "loss": type(objective.loss).__name__, "columns": list(table.columns)}
    runner = Runner(objective, about, yard, _stated(objective, limits, limit_of), study, tell)
    entries = runner.entries(plans)
    tell(runner.done, runner.done + 1, "running the usual tools")
    others = list(rivals(objective)) if study.baselines else []
    entries, yard = _lowered(entries, others, objective, yard)
    baselines = [_baseline(rival, objective, yard) for rival in others]
    amount = amount_of(plans[0])
    return Comparison(
        data=table,
        facts=facts_of(table),
        objective=_about(objective, loss, study),
        budget={"kind": plans[0].budget, "amount": plans[0].amount, "text": f"{amount} a run"},
        yard=yard,
        limits=_limits(limits, limit_of, study, n),
        entries=entries,
        baselines=baselines,
        verdict=verdict_of(entries, baselines, n, amount),
        plan={"data": where, "study": replace(study, loss=loss, amount=plans[0].amount).as_dict()},
        command=command,
        surfaces=_surfaces(objective, [e for e in entries if e.final], study, optimum.w),
        bowl=_bowl(objective, optimum.w, table, limits.condition) if any(e.plan.automatic for e in entries) else None,
    )


def facts_of(table: Dataset) -> dict[str, Any]:
    """What there is to say of a table."""
    return {
        "source": table.source, "n": int(table.X.shape[0]), "d": int(table.X.shape[1]), "task": table.task,
        "target": table.target, "classes": list(table.classes), "columns": list(table.columns), "notes": list(table.notes),
    }  # fmt: skip


def yardstick(objective: Any, optimum: float, by: str) -> Yardstick:
    """How excess is measured on this objective (see Yardstick)."""
    start, least = objective.value(objective.start()), floor_of(objective)
    scale = max(optimum - least, START_SHARE * (min(start, height_at_level(objective)) - least))
    return Yardstick(optimum, scale if scale > 0 else 1.0, start, by)


def _baseline(rival: Rival, objective: Any, yard: Yardstick) -> Baseline:
    with np.errstate(over="ignore", invalid="ignore"):
        excess = [float(np.nan_to_num(yard.excess(objective.value(w)), nan=np.inf)) for w in rival.points]
    close = [second for second, e in zip(rival.seconds, excess, strict=True) if e <= WITHIN]
    return Baseline(
        rival.name, rival.seconds[-1], excess[-1], min(close, default=float("inf")), rival.passes, rival.note
    )  # fmt: skip


def _about(objective: Any, loss: str, study: Study) -> dict[str, Any]:
    alpha, ratio = strength(objective.penalty)
    text = wording(objective, loss)
    return {"loss": loss, "penalty": study.penalty, "alpha": alpha, "l1_ratio": ratio, "text": text}


def _limits(limits: Limits, limit_of: Callable[[int], float], study: Study, n: int) -> dict[str, Any]:
    size = min(study.batch_sizes[0], n)
    text = f"Batch descent settles below rate {limits.batch:.3g} (2/λ₁"
    text += ", at the optimum); with fewer rows a step the noise must die out too."
    if study.loss and study.loss.partition(":")[0] in POSITIVE:
        text += " Away from the optimum the curvature of this loss has no bound: the start may need lower rates."
    if limits.borrowed:
        text = "This loss has corners and no curvature, so no limit: rates are set by that of least squares on the same rows."
    if limits.rough:
        text += " For several classes that limit is only bounded, so none is stated."
    few: dict[str, float | None] = {"mini-batch": float(limit_of(size)), "stochastic": float(limit_of(1))}
    few = dict.fromkeys(few) if limits.rough else few
    return {"batch": limits.batch, **few, "condition": limits.condition, "text": text}


def _where(data: Any, target: Any, weights: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """What to read again to repeat the comparison."""
    kept = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items() if v not in (None, ())}
    named = {"source": str(data)} if isinstance(data, str) or hasattr(data, "__fspath__") else {"arrays": "memory"}
    columns = {"target": target, "weights": weights if isinstance(weights, str | int) else None}
    return {**named, **{k: v for k, v in columns.items() if v is not None}, **kept}


def _lowered(
    entries: list[Entry], others: list[Rival], objective: Any, yard: Yardstick
) -> tuple[list[Entry], Yardstick]:
    """The same held against the lowest point that anybody found, where that is below what was taken for the optimum."""
    runs = [trace for entry in entries for trace in (*entry.traces, *entry.again)]
    walked = [loss for trace in runs for loss in trace["loss"].tolist()]
    found = [loss for loss in [*walked, *(objective.value(rival.points[-1]) for rival in others)] if np.isfinite(loss)]
    lowest = min(found, default=yard.optimum)
    if not lowest < yard.optimum - ROUNDING * yard.scale:
        return entries, yard
    yard = yardstick(objective, lowest, "the lowest point that any walk or tool reached")
    for trace in runs:
        trace.about |= {"optimum": yard.optimum, "scale": yard.scale}
    return [replace(entry, yard=yard) for entry in entries], yard


def _check_plane(study: Study, table: Dataset, objective: Any) -> None:
    """Refuse a plane over what is no parameter before the work, not after."""
    from fallline.plane import parameter_names

    for name in study.plane or ():
        known(name, parameter_names(table.columns, objective.size), "parameter")


def _bowl(objective: Any, best: Any, table: Dataset, condition: float) -> Any:
    from fallline.comparison.bowl import bowl_of
    from fallline.plane import parameter_names

    return bowl_of(objective, best, parameter_names(table.columns, objective.size), condition)


def _surfaces(objective: Any, finals: list[Entry], study: Study, best: Any) -> list[Any]:
    from fallline.plane import surface_of

    traces = [_sound(entry.traces[0]) for entry in finals if len(entry.traces[0].points)]
    plane = (study.plane[0], study.plane[1]) if study.plane else None
    return [surface_of(objective, traces, choose=plane, best=best)] if traces else []


def _sound(trace: Trace) -> Trace:
    """The run up to where its loss is no number any more: what lies beyond is on no surface."""
    lost = np.flatnonzero(~np.isfinite(trace["loss"]))
    if not len(lost):
        return trace
    return trace.between(0, int(lost[0]))
