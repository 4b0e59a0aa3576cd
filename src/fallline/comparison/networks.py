"""Compare settings of gradient descent on a network: from equal weights, under one equal budget, by the loss on all rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fallline.comparison.entry import Entry, Yardstick
from fallline.comparison.result import Comparison
from fallline.comparison.runner import Progress, Runner
from fallline.comparison.study import Study
from fallline.comparison.verdict import amount_of, verdict_of
from fallline.errors import InputError
from fallline.plan import Plan

GOAL = "the lowest loss reached"
SCALE = 1.0  # in place of a stable limit, which takes the curvature at an optimum: around it lie the rates of standardised inputs
TABLES = ("loss", "penalty", "alpha", "l1_ratio", "baselines", "plane")  # of a study, what is a table's


def compare_networks(net: Any, study: Study | None, settings: dict[str, Any], tell: Progress) -> Comparison:
    """Run a study's settings on a network (see comparison.compare).

    Nobody knows a network's optimum: excess is over the lowest loss that any run reached, in shares of the way there from the
    start. Losses are measured on all rows, in evaluation mode, while the clock stands still. With the study's `automatic`, the
    network's default that takes no rate runs beside the others. Settings that the network cannot walk are left out, with a
    sentence among the facts. Raises InputError for settings that are a table's.
    """
    if study is not None and settings:
        raise InputError(f"A study is given, and {', '.join(settings)} beside it: put them into the study.")
    for name in settings:
        if name in TABLES or name not in Study.__dataclass_fields__:
            raise InputError(f"{name} is a setting for tables: leave it out, the network has its own loss and data.")
    study = study or Study(**settings)
    net = net.measuring()
    start = net.value(net.start())
    plans, left_out = _runnable(net, study.plans(net.n, net.size, lambda rows: SCALE))
    about = {"d": net.size, "loss": net.criterion.name, "columns": []}
    runner = Runner(net, about, Yardstick(start, 1.0, start, "", GOAL), None, study, tell)
    with np.errstate(over="ignore", invalid="ignore"):
        entries = runner.entries(plans)
    entries, yard = _measured(entries, start)
    amount = amount_of(plans[0])
    kind = type(net.module).__name__
    return Comparison(
        data=None,
        facts={
            "source": f"a network ({kind})", "n": net.n, "d": None, "task": None, "target": None, "classes": [],
            "columns": [],
            "notes": [f"{kind}, {net.size:,} parameters in {len(net.layers)} tensors, every run from the same ones", *left_out],
        },
        objective={"loss": net.criterion.name, "text": f"mean {net.criterion.name} over all rows, in evaluation mode"},
        budget={"kind": plans[0].budget, "amount": plans[0].amount, "text": f"{amount} a run"},
        yard=yard,
        limits={},
        entries=entries,
        baselines=[],
        verdict=verdict_of(entries, [], net.n, amount),
        plan={"data": {"arrays": "memory"}, "study": replace(study, amount=plans[0].amount).as_dict()},
        command="",
    )  # fmt: skip


def _runnable(net: Any, plans: Sequence[Plan]) -> tuple[list[Plan], list[str]]:
    """The plans that the network can walk, and a sentence for every kind that it cannot.

    Raises InputError with the first of them where no plan but the default is left.
    """
    kept, refused = {}, {}
    alone = net.rows is None and not net.takes_a_row()
    for plan in plans:
        try:
            own = plan.on(net)
            if alone and not plan.automatic and _leaves_one(net.n, own.size(net.n), net.accumulate):
                raise InputError(
                    "Some of its steps compute a single row, of which batch norm has no spread: take another batch_size."
                )
            kept[own] = plan.automatic
        except InputError as error:
            refused[plan.kind] = error
    if refused and all(kept.values()):
        raise next(iter(refused.values()))
    return list(kept), [f"{kind} is left out: {str(why)[0].lower()}{str(why)[1:]}" for kind, why in refused.items()]


def _leaves_one(n: int, size: int, parts: int) -> bool:
    """Whether a pass over n rows, `size` a step and every step in parts, computes a row alone."""
    counts = [(rows, -(-rows // parts)) for rows in (size, n % size) if rows]
    return any(count == 1 or rows % count == 1 for rows, count in counts)


def _measured(entries: list[Entry], start: float) -> tuple[list[Entry], Yardstick]:
    """The entries held against the lowest loss that any of their runs reached."""
    runs = [trace for entry in entries for trace in (*entry.traces, *entry.again)]
    lowest = min((loss for trace in runs for loss in trace["loss"].tolist() if np.isfinite(loss)), default=start)
    yard = Yardstick(lowest, start - lowest or 1.0, start, "the runs themselves", GOAL)
    for trace in runs:
        trace.about |= {"optimum": yard.optimum, "scale": yard.scale}
    return [replace(entry, yard=yard) for entry in entries], yard
