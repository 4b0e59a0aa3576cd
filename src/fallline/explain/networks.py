"""The door for networks: from a run of a Net to what ails it. What needs torch is asked of the objective, `net.probing(run)`.

The flow is that of linear models: symptoms in a table, causes silence consequences, a change is tried before it is told.
"""

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fallline.explain.explanation import Explanation, borne_out
from fallline.explain.finding import Change, Effect, Sign, Tried
from fallline.plan import Plan

Array = np.ndarray[Any, Any]

SHARE, MOST = 0.25, 300  # of the plan's updates, and at most: how long a change is tried, each way
HELPS = 0.9  # of the loss: short walks of networks differ by less from seed to seed
EARLY = 3  # steps at which a start is judged


class NetCase:
    """A run of a network, and what the functions of symptoms ask about it. Everything is worked out once, when first asked."""

    def __init__(self, run: Any, plan: Plan) -> None:
        self.run, self.plan, self.trace = run, plan, run.trace
        self.probing = run.objective.probing(run)
        self.net = self.probing.net  # which begins where the run did
        self.untried = self.net.untried

    @cached_property
    def steps(self) -> Any:
        """What the engine knows of every step; a column that nothing finite was measured for is left out of a trace."""
        unknown = np.full(len(self.trace.steps.get("loss", ())), np.nan)
        return defaultdict(lambda: unknown, self.trace.steps)

    @cached_property
    def losses(self) -> Array:
        """(steps,) of each batch, before its step."""
        return np.asarray(self.steps["loss"])

    @cached_property
    def measured(self) -> Array:
        """Indices of the steps whose norms were measured."""
        return np.flatnonzero(~np.isnan(self.steps["gradient_norm"])) if len(self.losses) else np.zeros(0, int)

    @cached_property
    def broken(self) -> int:
        """The first step (from 1) whose loss or gradient is not finite; 0 where there is none."""
        loss, norm = self.losses, self.steps["gradient_norm"]
        bad = ~np.isfinite(loss)
        bad[:20] |= ~np.isfinite(norm[:20])  # those that were all measured
        return int(np.flatnonzero(bad)[0]) + 1 if bad.any() else 0

    @property
    def lost(self) -> bool:
        """Whether the walk ran away."""
        return bool(self.run.diverged)

    @cached_property
    def first(self) -> float:
        """The loss at the start."""
        return float(self.trace["loss"][0])

    @cached_property
    def last(self) -> float:
        """The median loss of the last tenth of the steps (at least ten)."""
        tail = self.losses[-max(10, len(self.losses) // 10) :]
        return float(np.median(tail)) if len(tail) else self.first

    @cached_property
    def unknowing(self) -> float:
        """The loss of outputs that know nothing."""
        return float(self.probing.unknowing)

    @cached_property
    def chance(self) -> float:
        """The least loss of outputs that do not look at the inputs."""
        return float(self.probing.chance)

    @cached_property
    def updates(self) -> Array:
        """(measured, weights) ‖Δw‖/‖w‖ of every weight."""
        names = [one.name for one in self.probing.weights if one.length > 0.0]
        return np.array([self.steps[f"update/{name}"][self.measured] for name in names]).T

    @cached_property
    def slopes(self) -> Array:
        """(measured, weights) root mean square of every weight's gradient."""
        held = [
            self.steps[f"gradient/{one.name}"][self.measured] / np.sqrt(one.numbers) for one in self.probing.weights
        ]
        return np.array(held).T

    @cached_property
    def w(self) -> Array:
        """The last point that is finite."""
        points = [*self.trace.points, self.run.state.w]
        return next((np.asarray(w) for w in reversed(points) if np.isfinite(w).all()), self.net.start())

    def name(self, j: int) -> str:
        """Networks have no columns that findings name."""
        return f"column {j}"

    def changed(self, **settings: Any) -> Plan:
        """The plan with other settings."""
        return replace(self.plan, **settings)

    def slower(self, times: float) -> Plan:
        """The plan at so many times its rate."""
        return self.changed(rate=float(f"{times * float(self.plan.rate or 0.0):.2g}"))

    @cached_property
    def short(self) -> int:
        """Updates of a probe."""
        return max(min(round(SHARE * len(self.losses)), MOST), min(40, len(self.losses)), 1)

    def walked(self, net: Any, plan: Plan, updates: int | None = None, *, on_the_way: bool = False) -> float:
        """The loss on the probe's rows after a short walk, or its mean on the way; infinite where it ran away, and NaN where
        nothing can be walked.
        """
        if self.untried:
            return float("nan")
        count = updates or self.short
        warmup = plan.warmup if plan.warmup < count else max(1, count // 10)
        short = replace(plan, budget="updates", amount=count, warmup=warmup)
        run = short.run(net, looks=0)
        loss = (
            run.trace.steps["loss"].mean()
            if on_the_way
            else net.probing(run).loss(run.w)
            if np.isfinite(run.w).all()
            else np.inf
        )
        return float(loss) if np.isfinite(loss) and not run.diverged else float("inf")


@dataclass(frozen=True)
class Trial:
    """How a change is tried: both ways for so many updates, from the start."""

    case: NetCase
    plan: Plan
    how: str = ""  # the network remade that way
    updates: int | None = None
    least: float = HELPS
    on_the_way: bool = False  # whether the mean loss of those updates is measured, and not the one after them
    relative: bool = False  # whether in shares of the loss of the targets' mean, as the change makes them others

    def __call__(self) -> Tried:
        case = self.case
        net = case.probing.remade(self.how) if self.how else case.net
        measure = "the mean loss of those updates is" if self.on_the_way else "the loss on a few hundred rows is"
        before = case.walked(case.net, case.plan, self.updates, on_the_way=self.on_the_way)
        after = case.walked(net, self.plan, self.updates, on_the_way=self.on_the_way)
        if self.relative:
            measure = f"in shares of that of the targets' mean, {measure}"
            before, after = before / case.chance, after / float(net.probing(case.run).chance)
        effect = Effect(measure, before, after)
        if not np.isfinite(before):
            effect = effect._replace(before=float("inf"), after=effect.after / max(case.unknowing, 1e-12))
        return Tried(f"each way for {self.updates or case.short:,} updates", effect, self.least)


def advised(case: NetCase, seen: str, text: str, plan: Plan | None = None, how: str = "", **more: Any) -> Sign:
    """A sign with a change and its trial."""
    tried = more.pop("tried_for", None), more.pop("least", HELPS), more.pop("on_the_way", False)
    change = Change(text, plan or case.plan, builds=bool(how))
    return Sign(seen, change, proof=Trial(case, plan or case.plan, how, *tried), **more)


def decided(case: NetCase, seen: str, text: str, **more: Any) -> Sign:
    """A sign whose change only the user can make."""
    return Sign(seen, Change(text, case.plan, asks=True), **more)


def explain_network(run: Any, plan: Plan) -> Explanation:
    """What ails a run of a network."""
    from fallline.explain.network_symptoms import SYMPTOMS

    began = time.perf_counter()
    case = NetCase(run, plan)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        findings, refuted = borne_out(case, SYMPTOMS)
    loss = float(run.trace.last("loss"))
    left = np.nan if np.isfinite(loss) else np.inf  # nobody knows a network's optimum
    return Explanation(tuple(findings), tuple(refuted), left, np.nan, loss, time.perf_counter() - began, case)
