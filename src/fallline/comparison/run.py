"""Compare settings of gradient descent on one table under one equal budget."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from fallline.comparison.result import Baseline, Comparison, Entry, Yardstick
from fallline.comparison.study import Study
from fallline.comparison.verdict import score, verdict_of
from fallline.data import Dataset, load
from fallline.errors import InputError
from fallline.losses import CLASSIFICATION, MULTICLASS, POSITIVE
from fallline.plan import Plan, objective_of
from fallline.reference import limits_of, optimum_of
from fallline.reference.baselines import Rival, rivals
from fallline.trace import Trace

Progress = Callable[[int, int, str], None]

LOSS_OF = {"regression": "squared_error", "binary": "log_loss", "multiclass": "softmax"}
LOOKS = 1_000_000  # rows: a pass is looked at up to ten times while its looks together stay below this
FRESH = 1000  # seeds of the final runs start here, far from those that chose them


def compare(
    data: Any,
    target: str | int | None = None,
    study: Study | None = None,
    *,
    progress: Progress | None = None,
    command: str = "",
    **settings: Any,
) -> Comparison:
    """Run several settings of gradient descent on one table under one budget, and say who was first.

    data, target: a file, a bundled set's name, arrays or a frame, and the column to learn (see fallline.data.load).
    study: what to compare; or its fields as keywords (variants, steps, rates, batch_sizes, …), beside those of
    `fallline.data.load` (header, drop, task, …). progress: called with (runs done, runs in all, what runs now).
    Raises InputError for anything that cannot be used.
    """
    chosen = {name: settings.pop(name) for name in list(settings) if name in Study.__dataclass_fields__}
    if study is not None and chosen:
        raise InputError(f"A study is given, and {', '.join(chosen)} beside it: put them into the study.")
    study = study or Study(**chosen)
    if study.loss and study.loss.partition(":")[0] in POSITIVE:
        settings.setdefault("standardise_target", False)
    table = data if isinstance(data, Dataset) else load(data, target, **settings)
    loss = study.loss or LOSS_OF[table.task]
    objective = _objective(table, loss, study)
    tell = progress or (lambda done, total, text: None)
    tell(0, 1, "finding the optimum")
    optimum = optimum_of(objective)
    yard = yardstick(objective, optimum.value, optimum.by)
    limits = limits_of(objective, optimum.w)
    n, d = objective.n, objective.model.d
    plans = study.plans(n, d, limits)
    runner = _Runner(objective, table, yard, limits, tell, _count(plans, study))
    entries = [runner.entry(plan, range(study.seeds)) for plan in plans]
    best = [min(kind, key=score) for kind in _kinds(entries)]
    entries += [runner.entry(e.plan, range(FRESH, FRESH + study.final_seeds), final=True) for e in best]
    entries.sort(key=lambda entry: not entry.final)
    tell(runner.done, runner.done + 1, "running the usual tools")
    others = [_baseline(rival, objective, yard) for rival in rivals(objective)] if study.baselines else []
    amount = _amount(plans[0])
    return Comparison(
        data=table,
        objective=_about(objective, loss, study),
        budget={"kind": plans[0].budget, "amount": plans[0].amount, "text": f"{amount} a run"},
        yard=yard,
        limits=_limits(limits, study, n),
        entries=entries,
        baselines=others,
        verdict=verdict_of(entries, others, n, amount),
        plan={"data": _where(data, table, target, settings), "study": replace(study, loss=loss).as_dict()},
        command=command,
        surfaces=_surfaces(objective, [e for e in entries if e.final], study),
    )


def yardstick(objective: Any, optimum: float, by: str) -> Yardstick:
    """How excess is measured on this objective (see Yardstick)."""
    start = objective.value(objective.start())
    least = 0.0
    loss = objective.loss
    if type(loss).__name__ in {part.__name__ for part in POSITIVE.values()}:
        targets, places = np.unique(objective.model.y, return_inverse=True)
        floors = np.array([loss.value(y, float(np.log(max(y, 1e-300)))) for y in targets.tolist()])
        least = float((objective.model.weights * floors[places]).mean())
    scale = max(optimum - least, 1e-3 * (start - least))
    return Yardstick(optimum, scale if scale > 0 else 1.0, start, by)


class _Runner:
    """Runs plans on one objective, each combination of parts compiled before its clock starts."""

    def __init__(
        self, objective: Any, table: Dataset, yard: Yardstick, limits: Any, tell: Progress, total: int
    ) -> None:
        self.objective, self.table, self.yard, self.limits = objective, table, yard, limits
        self.tell, self.total, self.done = tell, total, 0
        self.looks = int(min(10, max(1, LOOKS // objective.n)))
        self.compiled: set[tuple[Any, ...]] = set()
        self.limit_of: dict[int, float] = {}

    def entry(self, plan: Plan, seeds: Iterable[int], final: bool = False) -> Entry:
        """One setting over several seeds; batch descent has no chance in it and runs once."""
        self._warm(plan)
        size = plan.size(self.objective.n)
        if size not in self.limit_of:
            self.limit_of[size] = self.limits.of(size, self.objective.n)
        seeds = list(seeds)[:1] if plan.variant == "batch" else list(seeds)
        traces = [self._trace(replace(plan, seed=seed)) for seed in seeds]
        return Entry(plan, traces, self.yard, self.limit_of[size], final)

    def _trace(self, plan: Plan) -> Trace:
        self.tell(self.done, self.total, plan.name)
        run = plan.run(self.objective, self.looks)
        self.done += 1
        size = plan.size(self.objective.n)
        run.trace.about = {
            "name": plan.name, "variant": plan.variant, "step": plan.step, "schedule": plan.schedule, "rate": plan.rate,
            "batch_size": size, "seed": plan.seed, "limit": self.limit_of[size], "optimum": self.yard.optimum,
            "scale": self.yard.scale, "reason": run.reason, "diverged": run.diverged, "d": self.objective.model.d,
            "loss": type(self.objective.loss).__name__, "columns": list(self.table.columns),
        }  # fmt: skip
        return run.trace

    def _warm(self, plan: Plan) -> None:
        kind = (plan.step, plan.schedule, plan.average, plan.clip_norm, plan.clip_value, plan.warmup)
        if kind not in self.compiled:
            self.tell(self.done, self.total, f"compiling {plan.step}")
            replace(plan, budget="updates", amount=1).run(self.objective)
            self.compiled.add(kind)


def _objective(table: Dataset, loss: str, study: Study) -> Any:
    name = loss.partition(":")[0]
    if table.task == "multiclass" and name not in MULTICLASS:
        raise InputError(f'{loss} takes one score a row, and "{table.target}" has {len(table.classes)} classes: '
                         "use --loss softmax, or --task regression.")  # fmt: skip
    if table.task == "regression" and name in (*CLASSIFICATION, *MULTICLASS):
        raise InputError(f'{loss} is for classes, and "{table.target}" is a number: use --loss squared_error, '
                         "or --task binary or multiclass.")  # fmt: skip
    y = np.where(table.y > 0, 1.0, 0.0) if table.task == "binary" and name in MULTICLASS else table.y
    return objective_of(table.X, y, loss, study.penalty, study.alpha, study.l1_ratio, max(2, len(table.classes)))


def _kinds(entries: list[Entry]) -> list[list[Entry]]:
    """Entries that differ in their rate alone, together."""
    kinds: dict[Plan, list[Entry]] = {}
    for entry in entries:
        kinds.setdefault(replace(entry.plan, rate=0.0), []).append(entry)
    return list(kinds.values())


def _count(plans: list[Plan], study: Study) -> int:
    trial = sum(1 if plan.variant == "batch" else study.seeds for plan in plans)
    kinds = {replace(plan, rate=0.0) for plan in plans}
    return trial + sum(1 if plan.variant == "batch" else study.final_seeds for plan in kinds)


def _baseline(rival: Rival, objective: Any, yard: Yardstick) -> Baseline:
    with np.errstate(over="ignore", invalid="ignore"):
        excess = [float(np.nan_to_num(yard.excess(objective.value(w)), nan=np.inf)) for w in rival.points]
    close = [second for second, e in zip(rival.seconds, excess, strict=True) if e <= 0.01]
    return Baseline(
        rival.name, rival.seconds[-1], excess[-1], min(close, default=float("inf")), rival.passes, rival.note
    )  # fmt: skip


def _amount(plan: Plan) -> str:
    unit = {"epochs": "passes over the rows", "visits": "row visits"}.get(plan.budget, plan.budget)
    return f"{plan.amount:,g} {unit}"


def _about(objective: Any, loss: str, study: Study) -> dict[str, Any]:
    terms = {
        "none": "",
        "l2": f" + {study.alpha:g}·½‖w‖²",
        "l1": f" + {study.alpha:g}·‖w‖₁",
        "elasticnet": f" + {study.alpha:g}·({study.l1_ratio:g}·‖w‖₁ + {1 - study.l1_ratio:g}·½‖w‖²)",
    }
    text = f"mean {loss}{terms.get(study.penalty.partition(':')[0], ' + ' + study.penalty)}, the intercept free"
    return {"loss": loss, "penalty": study.penalty, "alpha": study.alpha, "l1_ratio": study.l1_ratio, "text": text}


def _limits(limits: Any, study: Study, n: int) -> dict[str, Any]:
    size = min(study.batch_sizes[0], n)
    text = f"Batch descent settles below rate {limits.batch:.3g} (2/λ₁"
    text += ", at the optimum); with fewer rows a step the noise must die out too."
    if limits.borrowed:
        text = "This loss has corners and no curvature, so no limit: rates are set by that of least squares on the same rows."
    return {"batch": limits.batch, "mini-batch": limits.of(size, n), "stochastic": limits.of(1, n),
            "condition": limits.condition, "text": text}  # fmt: skip


def _where(data: Any, table: Dataset, target: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """What to read again to repeat the comparison."""
    kept = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items() if v not in (None, ())}
    named = {"source": str(data)} if isinstance(data, str) or hasattr(data, "__fspath__") else {"arrays": table.source}
    return {**named, **({} if target is None else {"target": target}), **kept}


def _surfaces(objective: Any, finals: list[Entry], study: Study) -> list[Any]:
    from fallline.plane import surface_of

    traces = [entry.traces[0] for entry in finals if len(entry.traces[0].points)]
    return [surface_of(objective, traces, choose=study.plane)] if traces else []
