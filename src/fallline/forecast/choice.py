"""The plan that a forecast would take: many forecast, the best three tried for a while."""

import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError
from fallline.forecast.ground import READ, Ground, ground_of
from fallline.forecast.noise import LEVEL
from fallline.forecast.tangent import Rows, Walk, arrival, rule_of, tangent
from fallline.parts import part
from fallline.plan import WAYS, Plan, variant_of
from fallline.schedules import Constant

Array = np.ndarray[Any, Any]

SHARES = (0.03, 0.1, 0.2, 0.35, 0.5)  # of the largest rate; at more than half of it a run in eight is lost
SIZES = (1, 16, 256)  # rows a step, beside all of them
STEPS = ("plain", "momentum", "nesterov")
NEAR = 1.3  # a floor forecast so near above what is to be left may lie below it
MOST = 300  # passes: what takes longer is not wanted
TRIED, FURTHER = 3, 2.0  # how many are walked, for at most so many times the visits that the best is forecast to take
SEEDS, LOOKS, AFFORDABLE = 4, 40, 60.0  # walks of each, looks at one, and passes that all of them may take


class Candidate(NamedTuple):
    """A plan and what it is forecast to take."""

    plan: Plan
    visits: float  # rows until 1 % of the excess is left, or near that (see choose); infinite: not within 300 passes


class Choice(NamedTuple):
    """The plan taken, and the others."""

    best: Candidate
    tried: tuple[
        tuple[Candidate, float, float], ...
    ]  # plans that were walked; visits to 1 %, infinite: not yet; share left at last
    candidates: tuple[Candidate, ...]  # all, the fewest visits first
    seconds: float

    def sentence(self) -> str:
        """What is taken, and over what."""
        tried = "; ".join(
            f"{made.plan.name} {f'after {visits:,.0f}' if np.isfinite(visits) else f'not yet, {100 * left:.2g} % left'}"
            for made, visits, left in self.tried
        )
        return (
            f"Of {len(self.candidates)} plans it would take {self.best.plan.name} (row visits to 1 % of the excess, as tried: "
            f"{tried}; {self.seconds:.2g} s)."
        )


def choose(objective: Any, ground: Ground | None = None) -> Choice:
    """Forecast plain, momentum and Nesterov steps on 1, 16, 256 and all rows at five rates each; try the best three.

    Measured in row visits to 1 % of the excess at the start, by forecast; where that ends between 1 and 1.3 %, to 1.3 %: the
    quickest plans are those whose noise floor lies near the target, and a forecast that is a third too high would leave them
    out. The trials are of four seeds each, for twice as long as the best is forecast to take, but for sixty passes at most in
    all; where none arrives the first is taken: who is sooner down is not sooner there.
    Raises InputError for what is not forecast, and where no plan comes that far.
    """
    began = time.perf_counter()
    ground = ground_of(objective, READ) if ground is None else ground.within(READ)
    candidates = sorted(
        (
            _forecast(objective, ground, step, size, share)
            for size in _sizes(objective.n)
            for step in STEPS
            for share in SHARES
        ),
        key=lambda made: made.visits,
    )
    if not np.isfinite(candidates[0].visits):
        raise InputError(
            f"No plan comes within 1 % of the excess in {MOST} passes: bring the columns to one scale, or take the automatic "
            "solver."
        )
    hopeful = [made for made in candidates if np.isfinite(made.visits)][:TRIED]
    share = min(FURTHER, AFFORDABLE * objective.n / (TRIED * SEEDS * candidates[0].visits))
    excess = objective.value(objective.start()) - ground.value
    tried = [(made, *_tried(objective, made, share * candidates[0].visits, ground.value, excess)) for made in hopeful]
    best = min(tried, key=lambda walked: walked[1])[
        0
    ]  # the first by forecast where none has arrived: sooner down is not sooner there
    return Choice(best, tuple(tried), tuple(candidates), time.perf_counter() - began)


def _tried(objective: Any, made: Candidate, visits: float, optimum: float, excess: float) -> tuple[float, float]:
    """Visits until the mean of a few walks has 1 % left, infinite where it has not after so many; and the share left at last."""
    n = objective.n
    plan, looks = replace(made.plan, budget="visits", amount=visits), max(1, round(LOOKS * n / visits))
    traces = [replace(plan, seed=seed).run(objective, looks=looks).trace for seed in range(SEEDS)]
    shortest = min(map(len, traces))
    left = np.mean([(trace["loss"][:shortest] - optimum) / excess for trace in traces], axis=0)
    if not np.isfinite(left[-1]) or any(trace.about.get("diverged") for trace in traces):
        return float("inf"), float("inf")
    return arrival(traces[0]["visits"][:shortest].astype(float), left, LEVEL), float(left[-1])


def _sizes(n: int) -> list[int]:
    return [*(size for size in SIZES if 2 * size <= n), n]


def _forecast(objective: Any, ground: Ground, step: str, size: int, share: float) -> Candidate:
    n = objective.n
    rule = rule_of(part(WAYS, step, "step"))
    limit = rule.stable / float(ground.limits.values[-1])
    if size < n:  # the noise of a lasting gradient counts as often as the gradient; swings carry twice as far
        limit = min(limit, (2.0 if rule.b else 1.0) * ground.limits.of(size, n) / rule.gain)
    rate = float(f"{share * limit:.2g}")
    rows = Rows(n, size, True)
    walk = Walk(rule, Constant(rate), rows, MOST * rows.steps)
    start = objective.start()
    first = ground.look(ground.place(start), np.zeros(len(ground.linear))).excess
    path = tangent(ground, walk, start, LEVEL * first)
    plan = Plan(step=step, variant=variant_of(size, n), batch_size=size, rate=rate, amount=float(MOST))
    took = float(arrival(path.t, path.excess, LEVEL * first))
    if np.isinf(took):
        took = float(arrival(path.t, path.excess, NEAR * LEVEL * first))
    return Candidate(plan, np.inf if path.lost else took * n / rows.steps)
