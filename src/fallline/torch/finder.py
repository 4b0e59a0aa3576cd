"""The rate finder: an interval from a ramp over several seeds, and a pick from a race inside it. The module stays as it was.

A ramp alone is tuned to no schedule, and its steepest point lies up to two decades below the best rate (Smith 2017 for the ramp);
the race walks shares of the budget under the schedule that the pick is for. A share prefers another rate than the whole does:
the best rate is about a power of the budget (Bjorck et al. 2024), and two heats tell which.
"""

import math
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
SHARES, RATES, RACES = (0.12, 0.3), 6, 2  # of the budget in either heat, rates of the first, and seeds of each
MORE = 3  # rates at most by which a heat goes on while the one at its end is best


class Ramp(NamedTuple):
    """The rate grows by the same factor a step."""

    low: float
    factor: float

    def at(self, t: int) -> float:
        return self.low * self.factor ** (t - 1)


class Heat(NamedTuple):
    """Rates that each walked a share of the budget under the schedule."""

    share: float
    rates: Array  # (k,) ascending
    left: Array  # (seeds, k) the loss on rows held out (or the fixed ones) at the end; infinite where a walk ran away

    @property
    def loss(self) -> Array:
        """The mean over the seeds, in the logarithm, (k,)."""
        return np.exp(np.log(np.maximum(self.left, 1e-12)).mean(axis=0))

    @property
    def best(self) -> float:
        """Where the parabola through the best three neighbours is lowest, in logarithms; the best itself at an end."""
        x, y = np.log(self.rates), np.log(self.loss)
        k = int(y.argmin())
        if not 0 < k < len(x) - 1 or not np.isfinite(y[k - 1 : k + 2]).all():
            return float(self.rates[k])
        a, b, _ = np.polyfit(x[k - 1 : k + 2] - x[k], y[k - 1 : k + 2], 2)
        move = np.clip(-b / (2.0 * a), x[k - 1] - x[k], x[k + 1] - x[k]) if a > 0 else 0.0
        return float(np.exp(x[k] + move))

    @property
    def around(self) -> Array:
        """The best rate and its neighbours, (3,) or at an end (2,)."""
        k = int(self.loss.argmin())
        return self.rates[max(k - 1, 0) : k + 2]

    @property
    def found(self) -> bool:
        """Whether a rate between two others was the best: a minimum, and not the end of where the race looked."""
        return 0 < int(self.loss.argmin()) < len(self.rates) - 1

    def __str__(self) -> str:
        raced = ", ".join(f"{rate:.2g}: {loss:.3g}" for rate, loss in zip(self.rates, self.loss, strict=True))
        return f"{100 * self.share:.0f} % of the budget, {len(self.left)} seeds each: {raced}"


@dataclass(frozen=True)
class FoundRate:
    """What was found: `pick` is for `plan`'s schedule and budget, of which `plan` has it as its rate.

    low, high: the interval, [steepest/10, minimum] of the mean over seeds, wider where the race went on; edge: where the loss
    climbed a quarter of its fall. rates (looks,), losses (seeds, looks): of the ramps on fixed rows; spread: deviation of the
    seeds' minima, in decades; heats: of the race.
    """

    pick: float
    low: float
    high: float
    edge: float
    spread: float
    rates: Array
    losses: Array
    heats: tuple[Heat, ...]
    plan: Plan

    def plot(self, theme: str = "light") -> Any:
        """The ramps, the interval, the race and the pick as a Plotly figure. theme: "light" or "dark"."""
        from fallline.figures.finder import draw_finder, finder_of

        return draw_finder(finder_of(self), theme)

    def __str__(self) -> str:
        """In three sentences."""
        raced = f" Raced for {'; for '.join(map(str, self.heats))}." if self.heats else ""
        if self.heats and not self.heats[-1].found:
            end, beyond = ("highest", "higher") if self.heats[-1].loss.argmin() else ("lowest", "lower")
            raced += f" The {end} rate of the longest race was its best: it found no minimum, and a {beyond} rate may be better."
        return (
            f"rate {self.pick:.3g} for schedule {self.plan.schedule}, from the interval {self.low:.2g} to {self.high:.2g} (edge "
            f"{self.edge:.2g}). {len(self.losses)} ramps put the minimum within {self.spread:.2g} decades of each other.{raced}"
        )


def find_rate(net: Any, plan: Plan | None = None, *, seeds: int = 3, race: bool = True) -> FoundRate:
    """The rate for a plan on a network; None: Adam with batches of 32, a cosine to zero and 10 epochs.

    Without the race the pick is a tenth of the edge. Raises InputError where no rate lowers the loss, or it is not above zero.
    """
    plan = plan or Plan(step="adam", batch_size=32, schedule="cosine", rate=1e-3, amount=10.0)
    if plan.rate is None or plan.automatic:
        raise InputError("The plan takes no rate, so there is none to find: name a step, such as adam.")
    rates, losses = _ramps(net, plan, seeds)
    if losses[:, 0].min() <= 0.0:
        raise InputError(
            f"The loss at the start is {losses[:, 0].min():.3g}, and rates are told apart by the logarithm of the loss: give one "
            "that is above zero, as no policy's is, or compare rates by what the policy earns."
        )
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
    heats: tuple[Heat, ...] = ()
    if race:
        first = _heat(net, plan, np.geomspace(low, high, RATES), SHARES[0])
        heats = first, _heat(net, plan, first.around, SHARES[1])
        low, high = (float(end(end(heat.rates) for heat in heats)) for end in (min, max))
    pick = rounded(_pick(*heats) if heats else edge / 10.0, low, high)
    return FoundRate(pick, low, high, edge, spread, rates, losses, heats, replace(plan, rate=pick))


def rounded(pick: float, low: float, high: float) -> float:
    """The pick to three digits, within the interval."""
    return min(max(float(f"{pick:.3g}"), low), high)


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


def _heat(net: Any, plan: Plan, rates: Array, share: float) -> Heat:
    """The rates after that share, and on beyond either end by the same factor while the end is best."""
    left: dict[float, list[float]] = {}
    due, factor = rates.tolist(), float(rates[1] / rates[0])
    while True:
        left |= {rate: [_raced(net, plan, rate, share, seed) for seed in range(RACES)] for rate in due}
        ascending = sorted(left)
        heat = Heat(share, np.array(ascending), np.array([left[rate] for rate in ascending]).T)
        k = int(heat.loss.argmin())
        if 0 < k < len(left) - 1 or len(left) == len(rates) + MORE:
            return heat
        due = [ascending[0] / factor if k == 0 else ascending[-1] * factor]


def _pick(first: Heat, second: Heat) -> float:
    """The best rate of the longer heat, moved on by the power of the share that both heats show: down alone, to the next rate.

    Above the best rate is a cliff, below it a slope, so that a drift upwards is not followed.
    """
    drift = math.log(second.best / first.best) / math.log(second.share / first.share)
    return max(second.best * second.share ** -min(drift, 0.0), float(second.around[0]))


def _raced(net: Any, plan: Plan, rate: float, share: float, seed: int) -> float:
    """The loss that a rate ends with after a share of the budget; infinite where it ran away."""
    updates = max(1, round(share * plan.updates(net.n)))
    warmup = min(plan.warmup, updates // 10)
    run = replace(plan, rate=rate, budget="updates", amount=updates, warmup=warmup, seed=plan.seed + seed).run(
        net, looks=0
    )
    if run.diverged or not np.isfinite(run.w).all():
        return math.inf
    probe = Probe(net, 2048) if net.validation is None else net.held_out(2048)
    loss = probe.loss(run.w)
    return loss if np.isfinite(loss) else math.inf
