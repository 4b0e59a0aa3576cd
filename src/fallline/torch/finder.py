"""The rate finder: an interval from a ramp over several seeds, and a pick from a race inside it. The module stays as it was.

A ramp alone is tuned to no schedule, and its steepest point lies up to two decades below the best rate (Smith 2017 for the ramp);
the race walks a share of the budget under the schedule that the pick is for.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError
from fallline.plan import Plan
from fallline.torch.gauges import ProbeLoss
from fallline.torch.probe import Probe

Array = np.ndarray[Any, Any]

LOW, HIGH = 1e-6, 1e2  # rates of the ramp
STEPS, EVERY = 160, 2  # of it, and between two looks
SMOOTH = 5  # looks that a slope is taken over
CLIMB = 0.25  # of the fall: where the loss has climbed so much after its minimum is the edge
SHARE, RATES, RACES = 0.12, 6, 2  # of the budget a rate, how many, and seeds of each


class Ramp(NamedTuple):
    """The rate grows by the same factor a step."""

    low: float
    factor: float

    def at(self, t: int) -> float:
        return self.low * self.factor ** (t - 1)


@dataclass(frozen=True)
class FoundRate:
    """What was found: `pick` is for `plan`'s schedule and budget, of which `plan` has it as its rate.

    low, high: the interval, [steepest/10, minimum] of the mean over seeds; edge: where the loss climbed a quarter of its fall.
    rates (looks,), losses (seeds, looks): of the ramps on fixed rows; spread: deviation of the seeds' minima, in decades. raced
    (rates,), left (seeds, rates): the race, and the loss on rows held out (or the fixed ones) that each ended with.
    """

    pick: float
    low: float
    high: float
    edge: float
    spread: float
    rates: Array
    losses: Array
    raced: Array
    left: Array
    plan: Plan

    def __str__(self) -> str:
        """In three sentences."""
        raced = ", ".join(
            f"{rate:.2g}: {loss:.3g}" for rate, loss in zip(self.raced, self.left.mean(axis=0), strict=True)
        )
        return (
            f"rate {self.pick:.3g} for schedule {self.plan.schedule}, from the interval {self.low:.2g} to {self.high:.2g} (edge "
            f"{self.edge:.2g}). {len(self.losses)} ramps put the minimum within {self.spread:.2g} decades of each other. Raced "
            f"for {100 * SHARE:.0f} % of the budget, {len(self.left)} seeds each: {raced}."
        )


def find_rate(net: Any, plan: Plan | None = None, *, seeds: int = 3, race: bool = True) -> FoundRate:
    """The rate for a plan on a network; None: Adam with batches of 32, a cosine to zero and 10 epochs.

    Without the race the pick is a tenth of the edge. Raises InputError where no rate lowers the loss.
    """
    plan = plan or Plan(step="adam", batch_size=32, schedule="cosine", rate=1e-3, amount=10.0)
    if plan.rate is None or plan.automatic:
        raise InputError("The plan takes no rate, so there is none to find: name a step, such as adam.")
    rates, losses = _ramps(net, plan, seeds)
    mean = np.log(np.maximum(losses, 1e-12)).mean(axis=0)
    lowest = [int(np.log(np.maximum(one, 1e-12)).argmin()) for one in losses]
    least = int(mean.argmin())
    if not mean[least] < mean[0] - 0.01:
        raise InputError(f"No rate from {LOW:g} to {HIGH:g} lowers the loss in {STEPS} steps: run.explain() says why.")
    smooth = np.convolve(np.pad(mean, SMOOTH // 2, mode="edge"), np.ones(SMOOTH) / SMOOTH, "valid")
    steepest = int(np.gradient(smooth[: least + 1]).argmin()) if least else 0
    height = mean[least] + CLIMB * (mean[0] - mean[least])
    above = np.flatnonzero(mean[least:] > height)
    edge = float(rates[min(least + (int(above[0]) if len(above) else 0), len(rates) - 1)])
    low, high = float(rates[steepest]) / 10.0, float(rates[least])
    spread = float(np.std(np.log10(rates[lowest])))
    if not race:
        pick, raced, left = edge / 10.0, np.zeros(0), np.zeros((1, 0))
    else:
        raced = np.geomspace(low, high, RATES)
        left = np.array([[_raced(net, plan, rate, seed) for rate in raced] for seed in range(RACES)])
        pick = _bottom(np.log(raced), np.log(np.maximum(left, 1e-12)).mean(axis=0))
    pick = float(f"{pick:.3g}")
    return FoundRate(pick, low, high, edge, spread, rates, losses, raced, left, replace(plan, rate=pick))


def _ramps(net: Any, plan: Plan, seeds: int) -> tuple[Array, Array]:
    """Rates (looks,) and the loss on fixed rows after each, (seeds, looks): what ran away keeps the highest loss seen."""
    factor = (HIGH / LOW) ** (1.0 / (STEPS - 1))
    ramp, found = Ramp(LOW, factor), []
    looks = np.arange(EVERY, STEPS + 1, EVERY)
    per_pass = max(1, -(-net.n // plan.size(net.n)) // EVERY)
    for seed in range(seeds):
        short = replace(plan, schedule=ramp, rate=LOW, warmup=0, budget="updates", amount=STEPS, seed=plan.seed + seed)
        trace = short.run(net, looks=per_pass, gauges=[ProbeLoss()]).trace
        loss, t = trace["probe_loss"], trace["t"]
        sound = np.isfinite(loss)
        top = float(loss[sound].max())
        found.append(np.interp(looks, t[sound], loss[sound], right=top))
    return np.array([ramp.at(int(t)) for t in looks]), np.array(found)


def _raced(net: Any, plan: Plan, rate: float, seed: int) -> float:
    """The loss that a rate ends with after its share of the budget."""
    updates = max(1, round(SHARE * plan.updates(net.n)))
    warmup = min(plan.warmup, updates // 10)
    run = replace(plan, rate=rate, budget="updates", amount=updates, warmup=warmup, seed=plan.seed + seed).run(
        net, looks=0
    )
    if run.diverged or not np.isfinite(run.w).all():
        return 1e9
    probe = Probe(net, 2048) if net.validation is None else net.held_out(2048)
    loss = probe.loss(run.w)
    return loss if np.isfinite(loss) else 1e9


def _bottom(x: Array, y: Array) -> float:
    """exp of where the parabola through the best three neighbours is lowest; the best itself at an end."""
    best = int(y.argmin())
    if not 0 < best < len(x) - 1 or y[best - 1 : best + 2].max() > 10.0:
        return float(np.exp(x[best]))
    a, b, _ = np.polyfit(x[best - 1 : best + 2] - x[best], y[best - 1 : best + 2], 2)
    move = np.clip(-b / (2.0 * a), x[best - 1] - x[best], x[best + 1] - x[best]) if a > 0 else 0.0
    return float(np.exp(x[best] + move))
