"""Runs the plans of a comparison: finds each setting's rate, then judges the settings beside each other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fallline.comparison.entry import Entry, Yardstick, score
from fallline.comparison.study import Study
from fallline.plan import Plan
from fallline.trace import Trace

Progress = Callable[[int, int, str], None]

LOOKS = 1_000_000  # rows: a pass is looked at up to ten times while its looks together stay below this
FRESH = 1000  # seeds of the final runs start here, far from those that chose them
BEYOND = 3.0  # times the last rate: the next to try where the best is at an end of the rates
EXTRA = 3  # so often at most
SPENT = {"epochs": "epochs", "updates": "t", "visits": "visits", "seconds": "seconds"}  # a budget's column in the trace


class Runner:
    """Runs plans on one objective, each combination of parts compiled before its clock starts."""

    def __init__(
        self,
        objective: Any,
        about: dict[str, Any],
        yard: Yardstick,
        limit_of: Callable[[int], float | None] | None,
        study: Study,
        tell: Progress,
    ) -> None:
        self.objective, self.about, self.yard, self.limit_of = objective, about, yard, limit_of
        self.study, self.tell, self.done, self.total = study, tell, 0, 0
        self.looks = int(min(10, max(1, LOOKS // objective.n)))
        self.compiled: set[tuple[Any, ...]] = set()

    def entries(self, plans: Sequence[Plan]) -> list[Entry]:
        """The best rate of every setting on fresh seeds, then every rate that was tried."""
        kinds: dict[str, list[Plan]] = {}
        for plan in plans:
            kinds.setdefault(plan.kind, []).append(plan)
        tuned = {
            kind: rates for kind, rates in kinds.items() if rates[0].rate is not None
        }  # the others have none to choose
        tries, finals = range(self.study.seeds), range(FRESH, FRESH + self.study.final_seeds)
        self.total = len(kinds) * len(finals)
        self.total += sum(len(self._seeds(plan, tries)) for rates in tuned.values() for plan in rates)
        for plan in plans:  # before the work, so that what cannot be run is refused before it
            self._warm(plan)
        tried = {kind: self._tried(rates, tries) for kind, rates in tuned.items()}
        judged = [best_of(tried[kind]).plan if kind in tried else rates[0] for kind, rates in kinds.items()]
        return [*self._judged(judged, finals), *(entry for entries in tried.values() for entry in entries)]

    def _tried(self, plans: Sequence[Plan], seeds: range) -> list[Entry]:
        """One setting at every rate; and at more, where the rates are ours and the best is the highest or the lowest."""
        entries = [self._entry(plan, [self._trace(plan, seed) for seed in self._seeds(plan, seeds)]) for plan in plans]
        for _ in range(EXTRA if self.study.rates is None and len(plans) > 1 else 0):
            best, rates = best_of(entries), [entry.plan.rate or 0.0 for entry in entries]
            if best.diverged or min(rates) < (best.plan.rate or 0.0) < max(rates):
                break
            further = max(rates) * BEYOND if best.plan.rate == max(rates) else min(rates) / BEYOND
            plan = replace(best.plan, rate=further)
            self.total += len(self._seeds(plan, seeds))
            entries.append(self._entry(plan, [self._trace(plan, seed) for seed in self._seeds(plan, seeds)]))
        return entries

    def _judged(self, plans: Sequence[Plan], seeds: range) -> list[Entry]:
        """The settings by turns, a seed each, so that what else the machine does meets all alike.

        A run without chance in it is timed as often; its trace is the one that took the middle of those times.
        """
        runs: list[list[Trace]] = [[] for _ in plans]
        for seed in seeds:
            for plan, own in zip(plans, runs, strict=True):
                own.append(self._trace(plan, seed if self._chance(plan) else seeds[0]))
        judged = []
        for plan, own in zip(plans, runs, strict=True):
            if self._chance(plan):
                judged.append(self._entry(plan, own, final=True))
            else:
                own.sort(key=lambda trace: float(trace.last("seconds")))
                middle = own.pop(len(own) // 2)
                judged.append(self._entry(plan, [middle], own, final=True))
        return judged

    def _entry(self, plan: Plan, traces: Sequence[Trace], again: Sequence[Trace] = (), final: bool = False) -> Entry:
        return Entry(plan, traces, self.yard, self._limit(plan), final, self._chance(plan), again)

    def _chance(self, plan: Plan) -> bool:
        return plan.chance(self.objective)

    def _seeds(self, plan: Plan, seeds: range) -> range:
        """All of them, or one where they are all the same run."""
        return seeds if self._chance(plan) else seeds[:1]

    def _limit(self, plan: Plan) -> float | None:
        """The stable limit where it says something: of plain steps on a loss that has one."""
        known = self.limit_of if plan.step == "plain" else None
        return known(plan.size(self.objective.n)) if known else None

    def _trace(self, plan: Plan, seed: int) -> Trace:
        self.tell(self.done, self.total, plan.name)
        run = replace(plan, seed=seed).run(self.objective, self.looks)
        self.done += 1
        trace = within_budget(run.trace, plan)
        trace.about |= {
            "name": plan.name, "variant": plan.variant, "step": plan.step, "schedule": plan.schedule, "rate": plan.rate,
            "batch_size": plan.size(self.objective.n), "seed": seed, "limit": self._limit(plan),
            "optimum": self.yard.optimum, "scale": self.yard.scale, "reason": run.reason, "diverged": run.diverged,
            "goal": self.yard.goal, **self.about,
        }  # fmt: skip
        return trace

    def _warm(self, plan: Plan) -> None:
        """Compile what a plan needs: by one update or, of the solver, whose steps are not alike, by all of them."""
        parts = (plan.step, plan.variant, plan.schedule, plan.average, plan.clip_norm, plan.clip_value, plan.warmup)
        if parts not in self.compiled:
            self.tell(self.done, self.total, f"compiling {plan.step}")
            (plan if plan.automatic else replace(plan, budget="updates", amount=1)).run(self.objective)
            self.compiled.add(parts)


def best_of(entries: Sequence[Entry]) -> Entry:
    """The one to go on with: diverged in the fewest runs, then the best score."""
    return min(entries, key=lambda entry: (entry.diverged, score(entry)))


def within_budget(trace: Trace, plan: Plan) -> Trace:
    """The trace without what came after the budget: one step of a solver or a method may visit the rows several times.

    The step of other rules that fills the budget counts: it is short.
    """
    step = 0 if plan.automatic else plan.size(trace.n)
    over = {"epochs": step / trace.n, "visits": step, "updates": 0, "seconds": 0.0 if plan.automatic else math.inf}
    late = int((trace[SPENT[plan.budget]] > (plan.amount or math.inf) + over[plan.budget]).sum())
    if not late:
        return trace
    part = trace.between(0, len(trace) - late)
    part.about.pop("bound", None)  # of a point that came too late
    part.about["beyond"] = {name: float(trace[name][-late]) for name in ("visits", "seconds", "loss")}
    return part
