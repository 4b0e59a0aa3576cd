"""What a watched loop tells of itself: the plan that it follows, where one can say it, and the network that it trains.

Class and settings of the optimizer, the rate of every look and the rows a step are seen; rows and loss are not, and are given.
"""

import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from fallline.errors import InputError
from fallline.penalties import NoPenalty
from fallline.plan import Plan
from fallline.steps.named import Optimizer
from fallline.torch.batches import Made
from fallline.torch.net import Net
from fallline.torch.optimizers import MATRICES, class_of, walked_by
from fallline.torch.probe import probe_of
from fallline.torch.schedulers import scheduler_of
from fallline.torch.watched import Unfed
from fallline.trace import Trace
from fallline.words import listed, number

Array = np.ndarray[Any, Any]

HOW = frozenset(
    ("lr", "params", "fused", "foreach", "capturable", "differentiable", "maximize")
)  # arguments that are no setting of a step
SCHEDULES = ("constant", "cosine", "polynomial")  # those that a plan lays out over its updates without more being said
APART = 0.05  # of the highest rate: a scheduler that is stepped once a pass is so far from one that is at every update
OTHER = 1.5  # times the loss of any batch of the rows given, or as much below: other rows, or another loss
FIRST = 3  # steps of which one at least must have such a loss


def explained(seen: Any, data: Any, plan: Plan | None, loss: Any) -> Any:
    """The Explanation of what a watch has seen (see watch.Seen.explain)."""
    record = seen.record
    if not record.looks:
        raise InputError("No step was seen yet: there is something to explain after the first optimizer.step().")
    if not record.told.all():
        raise InputError(
            f"The loss of {int((~record.told).sum()):,} of {len(record.told):,} steps is not known, as no backward() told it: "
            "say it before each step, seen.loss(loss)."
        )
    net = data if isinstance(data, Net) else net_of(seen, data, loss)
    net = net.begun_at(placed_in(net, record.looks[0].names, record.start.numpy()))
    run = seen.run(net)
    trace = run.trace
    known, untried = plan_of(trace, net.n)
    if plan is not None:
        refuse_plan(plan, trace, net)
        known, untried = plan, ""
    if data is not None:
        refuse_other(net, trace.steps["loss"], known.size(net.n))
        net.untried = untried
    return run._replace(plan=known).explain()


def step_of(optimizer: torch.optim.Optimizer) -> str:
    """The optimizer as a plan writes it, `Name:setting=value,…`; "" where no plan can: a class of somebody's own, groups with
    settings of their own, a loss that is to go up.
    """
    made, groups = type(optimizer), optimizer.param_groups
    public = made.__module__.startswith(("torch.optim", "pytorch_optimizer")) and made.__name__ not in MATRICES
    known = public and class_of(made.__name__) is made
    usual = {name: one.default for name, one in inspect.signature(made.__init__).parameters.items()}
    settings = [{name: group[name] for name in usual if name in group and name not in HOW} for group in groups]
    alike = all(
        group.get("lr") == groups[0].get("lr") and one == settings[0]
        for group, one in zip(groups, settings, strict=True)
    )
    if not known or not alike or groups[0].get("maximize"):
        return ""
    said = [
        f"{name}={_written(value)}" for name, value in settings[0].items() if value is not None and value != usual[name]
    ]
    return f"{made.__name__}:{','.join(said)}" if said else made.__name__


def _written(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "/".join(map(_written, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def plan_of(trace: Trace, n: int) -> tuple[Plan, str]:
    """The plan that a watched loop over n rows follows, and why nothing can be walked by it; "" where it can.

    The schedule is one of a few that give the rates seen, with the warm-up that they begin with.
    """
    about, updates = trace.about, len(trace.steps["loss"])
    rows = max(1, round(trace.last("visits") / trace.last("t")))
    t, rates = trace["t"][1:], trace["rate"][1:]
    highest = float(rates[np.isfinite(rates)].max(initial=0.0))
    plan = Plan(
        step=about["step"] or Optimizer(about["optimizer"]), variant="batch" if 1 < n <= rows else "mini-batch",
        batch_size=rows, rate=highest or None, budget="updates", amount=updates,
    )  # fmt: skip
    if not about["step"]:
        return plan, f"no plan can say how this {about['optimizer']} steps: give a plan of your own"
    rising = rates[0] < (1.0 - APART) * highest
    for schedule in SCHEDULES:
        made = replace(plan, schedule=schedule, warmup=int(t[np.argmax(rates)]) if rising else 0)
        if follows(made, trace, n):
            return made, ""
    return plan, "its rates follow no schedule that a plan lays out over as many updates: give a plan of your own"


def follows(plan: Plan, trace: Trace, n: int) -> bool:
    """Whether the plan has the rates of a watched loop of n rows, within a twentieth of the highest."""
    rates, pace = trace["rate"][1:], plan.pace(Rows(n), float(plan.rate or 0.0))
    there = np.array([float(pace.at(t)) for t in trace["t"][1:]])
    return bool((np.abs(there - rates) <= APART * rates.max(initial=0.0)).all())


class Rows(NamedTuple):
    """All that a schedule asks of an objective."""

    n: int
    penalty: Any = NoPenalty()
    schedule: Any = staticmethod(scheduler_of)


def refuse_plan(plan: Plan, trace: Trace, net: Any) -> None:
    """Raise InputError where the plan is not that of the loop: another optimizer, or other rates."""
    _, walker = walked_by(plan.stepper(net)[0], net.flat)
    seen = trace.about["optimizer"]
    if walker.name not in (seen, {"NAdam": "NAdamW"}.get(seen)):
        raise InputError(
            f'The plan steps by {walker.name}, and the loop was stepped by {seen}: leave the plan out, or say step="{seen}".'
        )
    if not follows(plan, trace, net.n):
        rates = trace["rate"][1:]
        raise InputError(
            f"The plan's rate is {plan.rate:g} ({plan.schedule}), and the loop's goes from {rates[0]:g} to {rates[-1]:g}: leave "
            "the plan out, or say its rate, schedule and warmup."
        )


def module_of(models: Sequence[nn.Module | None], about: Mapping[str, Any]) -> nn.Module:
    """A copy of what the loop trains, without the tensors that its optimizer does not have; several models side by side.

    Raises InputError where somebody has let go of one.
    """
    held = [model for model in models if model is not None]
    if len(held) < len(models):
        raise InputError("The model that was watched is gone: keep it while its loop is explained, or give its Net.")
    module = deepcopy(held[0] if len(held) == 1 else nn.ModuleList(held))
    for name, tensor in module.named_parameters():
        if name in about["absent"]:
            tensor.requires_grad_(False)
    return module


def net_of(seen: Any, data: Any, loss: Any) -> Net:
    """The network of a watched loop on the rows given, or on nothing but the inputs heard last."""
    module = module_of([model() for model in seen.models], seen.about)
    if data is not None:
        return Net(module, data, loss)
    net = Unfed(module, seen.heard if len(seen.models) == 1 else None)
    net.n = max(seen.n, net.n)
    return net


def placed_in(net: Any, names: Sequence[str], vector: Array) -> Array:
    """A point of the loop, whose tensors are in the optimizer's order, in the order of the network's.

    Raises InputError where the two do not have the same tensors.
    """
    sizes = dict(zip(net.layers, net.flat.sizes, strict=True))
    if set(names) != set(sizes) or len(vector) != net.size:
        raise InputError(
            f"The network has the tensors {listed(list(sizes))}, and the loop trains {listed(list(names))}: give the module that "
            "was watched, or a Net of it."
        )
    if tuple(names) == tuple(net.layers):
        return vector
    ends = np.cumsum([0, *(sizes[name] for name in names)])
    parts = {name: vector[first:last] for name, first, last in zip(names, ends, ends[1:], strict=False)}
    return np.concatenate([parts[name] for name in net.layers])


def refuse_other(net: Any, losses: Array, rows: int) -> None:
    """Raise InputError where the loop's first losses are not those of batches of `rows` of the network's rows at its start.

    Of batches that a function makes nothing is known beforehand.
    """
    if isinstance(net.data, Made):
        return
    probe, w = probe_of(net), net.start()
    size = min(rows, len(probe)) if isinstance(probe.inputs, torch.Tensor) else len(probe)
    there = np.array([probe.loss(w, slice(k, k + size)) for k in range(0, len(probe) - size + 1, size)])
    first = losses[:FIRST]
    if not np.isfinite(first).all() or not np.isfinite(there).all():
        return
    if first.min() > OTHER * there.max() or first.max() < there.min() / OTHER:
        raise InputError(
            f"The loop's first loss is {number(first[0])}, and batches of these rows have {number(there.min())} to "
            f"{number(there.max())} by {net.criterion.name} where it began: give the rows that it is fed and the loss that it "
            "lowers, seen.explain((inputs, targets), loss=…)."
        )
