"""The plan that a forecast would take: many forecast, the best three tried for a while."""

import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError
from fallline.forecast.ground import Ground, ground_of
from fallline.forecast.tangent import Rows, Walk, rule_of, tangent
from fallline.plan import WAYS, Plan, part
from fallline.schedules import Constant

Array = np.ndarray[Any, Any]

SHARES = (0.03, 0.1, 0.3, 0.5)  # of the largest rate; at more than half of it a run in eight is lost
SIZES = (1, 16, 256)  # rows a step, beside all of them
STEPS = ("plain", "momentum", "nesterov")
LEVEL, AIM = 0.01, 0.75  # of the excess at the start is to be left; a floor just under it would be luck, so aim lower
MOST = 300  # passes: what takes longer is not wanted
TIED = 1.2  # times as many row visits as the best: the simpler of them is taken
TRIED, SHARE = 3, 0.2  # how many are walked, for that share of the visits they are forecast to take
READ = 200_000  # entries of rows that candidates are forecast from


class Candidate(NamedTuple):
    """A plan and what it is forecast to take."""

    plan: Plan
    visits: float  # rows until 1 % of the excess is left; infinite where that is not within 300 passes


class Choice(NamedTuple):
    """The plan taken, and the others."""

    best: Candidate
    tried: tuple[tuple[Candidate, float], ...]  # the plans that were walked, and what share of the excess they left
    candidates: tuple[Candidate, ...]  # all, the fewest visits first
    seconds: float

    def sentence(self) -> str:
        """What is taken, and over what."""
        tried = "; ".join(f"{made.plan.name} {100 * left:.2g} %" for made, left in self.tried)
        return (
            f"Of {len(self.candidates)} plans it would take {self.best.plan.name}: 1 % of the excess left after "
            f"{self.best.visits:,.0f} row visits (tried for a while, with what they left: {tried}; {self.seconds:.2g} s)."
        )


def choose(objective: Any, ground: Ground | None = None) -> Choice:
    """Forecast plain, momentum and Nesterov steps on 1, 16, 256 and all rows at four rates each; try the best three.

    Measured in row visits to 1 % of the excess at the start. Raises InputError for what is not forecast, and where no plan comes
    that far.
    """
    began = time.perf_counter()
    ground = ground if ground is not None and ground.Z.size <= READ else ground_of(objective, READ)
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
    fine = [made for made in candidates if made.visits <= TIED * candidates[0].visits]
    fine.sort(key=lambda made: (made.plan.step != "plain", -made.plan.size(objective.n)))
    rest = [made for made in candidates if made not in fine and np.isfinite(made.visits)]
    tried = []
    excess = objective.value(objective.start()) - ground.value
    for made in [*fine, *rest][:TRIED]:
        updates = max(1, round(SHARE * candidates[0].visits / made.plan.size(objective.n)))
        run = replace(made.plan, budget="updates", amount=updates).run(objective)
        left = (run.trace.last("loss") - ground.value) / excess
        tried.append((made, float(left) if np.isfinite(left) else np.inf))
    best = min(tried, key=lambda pair: pair[1])[0]
    return Choice(best, tuple(tried), tuple(candidates), time.perf_counter() - began)


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
    path = tangent(ground, walk, start, AIM * LEVEL * first)
    variant = "batch" if size == n else "stochastic" if size == 1 else "mini-batch"
    plan = Plan(step=step, variant=variant, batch_size=size, rate=rate, amount=float(MOST))
    if path.lost or path.excess[-1] > AIM * LEVEL * first:
        return Candidate(plan, np.inf)
    before, last = max(path.excess[-2], 1e-300), max(path.excess[-1], 1e-300)
    done = np.log(before / (AIM * LEVEL * first)) / np.log(before / last)
    return Candidate(plan, float(path.t[-2] + done * (path.t[-1] - path.t[-2])) * n / rows.steps)
