"""What plans would leave of the excess at the start: by forecast where there is one, and by a short trial elsewhere."""

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.forecast.ahead import refuse_walk
from fallline.forecast.ground import READ, Ground, ground_of
from fallline.forecast.limits import Rates, rates_of
from fallline.forecast.tangent import Rows, Rule, Walk, rule_of, tangent
from fallline.objectives.coordinates import WIDEST
from fallline.objectives.floor import floor_of
from fallline.parts import named
from fallline.plan import ORDERS, Plan
from fallline.samplers import WithReplacement
from fallline.solver import solve

Array = np.ndarray[Any, Any]

CLOSE = 1e-7  # of the loss: how near the optimum is found where nothing is forecast
SHARES = (0.03, 0.1, 0.3, 0.5)  # of the largest rate; above a half of it a run in eight is lost
DECADES = 12  # from the rate, at most, where no largest one is known: it is then looked for by tens
TRIAL = 0.25  # of the plan's budget: how long a trial is
ROUNDING = 1e-12  # of the loss: a start that is nearer the optimum is at it
SAFE = 1e-150  # an excess that may be divided by


class Prospect:
    """An objective, where a walk down it begins, and what plans would leave there. Each is asked once and remembered."""

    def __init__(self, objective: Any, start: Array | None = None) -> None:
        self.objective = objective
        self.start = objective.start() if start is None else start
        self._left: dict[Plan, float] = {}
        self._rates: dict[tuple[Rule, Rows], Rates] = {}

    @cached_property
    def ground(self) -> Ground | None:
        """What forecasts stand on; None where the objective is not forecast, or too wide for all of its curvature."""
        if self.objective.size > WIDEST:
            return None
        try:
            return ground_of(self.objective, READ)
        except InputError:
            return None

    @cached_property
    def separable(self) -> bool:
        """Whether the classes can be told apart and nothing is penalised: the solver says so."""
        return self.ground is None and "separable" in self._solved.trace.about

    @cached_property
    def _solved(self) -> Any:
        return solve(self.objective, CLOSE)

    @cached_property
    def optimum(self) -> Array:
        """The point with the lowest loss; of separable classes, one far out."""
        return np.asarray(self._solved.w if self.ground is None else self.ground.w)

    @cached_property
    def height(self) -> float:
        """The lowest loss."""
        if self.ground is not None:
            return self.ground.value
        return floor_of(self.objective) if self.separable else float(self._solved.trace.last("loss"))

    @cached_property
    def first(self) -> float:
        """The excess at the start."""
        loss = float(self.objective.value(self.start))
        return max(loss - self.height, ROUNDING * abs(loss), SAFE)

    def forecasts(self, plan: Plan) -> bool:
        """Whether the plan's walk is forecast."""
        try:
            refuse_walk(plan)
            rule_of(plan.stepper(self.objective)[0])
        except InputError:
            return False
        return self.ground is not None

    def rates(self, plan: Plan) -> Rates | None:
        """The largest rates for the plan's steps and rows."""
        if not self.forecasts(plan) or self.ground is None:
            return None
        rule, rows = self._walked(plan)
        if (rule, rows) not in self._rates:
            self._rates[rule, rows] = rates_of(self.ground, rule, rows, self.first)
        return self._rates[rule, rows]

    def limit(self, plan: Plan) -> float:
        """The largest rate that works; NaN where it is not known."""
        rates = self.rates(plan)
        return min(rates.working, rates.batch) if rates else float("nan")

    def left(self, plan: Plan) -> float:
        """The share of the excess at the start that the plan leaves; infinite where it runs away."""
        if plan not in self._left:
            self._left[plan] = self._forecast(plan) if self.forecasts(plan) else self.tried(plan, TRIAL)
        return self._left[plan]

    def tried(self, plan: Plan, share: float, seed: int | None = None) -> float:
        """The share left by walking so much of the plan's budget; schedules are laid out over it."""
        short = shortened(plan, share)
        run = (short if seed is None else replace(short, seed=seed)).run(self.objective, start=self.start)
        loss = float(run.trace.last("loss"))
        return np.inf if run.diverged or not np.isfinite(loss) else max(loss - self.height, 0.0) / self.first

    def tuned(self, plan: Plan) -> tuple[Plan, float]:
        """The plan at the best of a few constant or scheduled rates, and what it leaves."""
        limit = self.limit(plan)
        if not limit > 0.0:
            return self.searched(plan)
        plans = [replace(plan, rate=float(f"{share * limit:.2g}")) for share in SHARES]
        return min(((made, self.left(made)) for made in plans), key=lambda pair: pair[1])

    def searched(self, plan: Plan, ways: tuple[float, ...] = (10.0, 0.1)) -> tuple[Plan, float]:
        """The same by tens from its own rate: up for as long as less is left, or else down, past all rates that run away."""
        best, left = plan, self.left(plan)
        for times in ways:
            if times > 1.0 and left > 1.0:
                continue  # it runs away already
            made, there = plan, self.left(plan)
            for _ in range(DECADES):
                made, before = replace(made, rate=float(f"{times * float(made.rate or 0.0):.2g}")), there
                there = self.left(made)
                if there < left:
                    best, left = made, there
                elif there > before and before <= 1.0:
                    break
            if best is not plan:
                break
        return best, left

    def _walked(self, plan: Plan) -> tuple[Rule, Rows]:
        n = self.objective.n
        reshuffled = ORDERS[named(plan.sampler, ORDERS)] is not WithReplacement
        return rule_of(plan.stepper(self.objective)[0]), Rows(n, plan.size(n), reshuffled)

    def _forecast(self, plan: Plan) -> float:
        assert self.ground is not None
        rule, rows = self._walked(plan)
        walk = Walk(rule, plan.pace(self.objective, float(plan.rate or 0.0)), rows, plan.updates(self.objective.n))
        path = tangent(self.ground, walk, self.start)
        return np.inf if path.lost else max(float(path.excess[-1] / max(path.excess[0], SAFE)), 0.0)


def shortened(plan: Plan, share: float) -> Plan:
    """The plan for so much of its budget; the automatic solver has none."""
    if plan.amount is None:
        return plan
    amount = share * plan.amount
    return replace(plan, amount=max(1.0, round(amount)) if plan.budget == "updates" else amount)
