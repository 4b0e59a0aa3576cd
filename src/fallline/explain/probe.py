"""The probe: the run's plan and the changed one, each for a quarter of the budget, on the same rows from the same point."""

from typing import Any

from fallline.explain.case import Case
from fallline.explain.finding import EXCESS, Change, Effect, Sign, Tried
from fallline.explain.prospect import Prospect
from fallline.plan import Plan

SHARE = 0.25  # of the plan's budget, each way; schedules are laid out over it


def probe(case: Case, sign: Sign) -> Tried | None:
    """Try a sign's change; None where only the user can decide, and where nothing can be walked."""
    change = sign.change
    if change is None or change.asks or case.untried:
        return None
    return sign.proof() if sign.proof is not None else walked(case, change)


def walked(case: Case, change: Change) -> Tried:
    """Walk both ways."""
    other: Any = case.prospect
    if change.remake is not None or change.at_zero:
        objective = case.objective if change.remake is None else change.remake(case.objective)
        other = Prospect(objective, None if change.at_zero else case.start)
    before, after = case.prospect.tried(case.plan, SHARE), other.tried(change.plan, SHARE)
    if change.at_zero:  # another start: in units of the first
        after *= other.first / case.prospect.first
    return Tried(budget_of(case.plan), Effect(EXCESS, before, after))


def budget_of(plan: Plan) -> str:
    """A probe's budget in words."""
    return f"each way for {SHARE * float(plan.amount or 0.0):.3g} {plan.budget}"
