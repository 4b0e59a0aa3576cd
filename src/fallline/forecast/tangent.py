"""The tangent forecast: the mean and the spread of a walk, carried along its path without walking it.

Along each eigenvector of the curvature the walk is linear with noise for a while, so its mean and its variance obey a recursion
that many steps go through at once. Time is cut into phases, each a third as long as all before it (a twentieth for steps with
momentum, which swing). At the end of each the rows are read again for slope, curvature and noise, averaged over the spread: once
for a trial, once for the mean of both ends (Heun). The mean of a quadratic's walk is exact, and so are the first steps of any.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError
from fallline.forecast.ground import Ground, Look
from fallline.kernels.moments import carry
from fallline.methods import at
from fallline.steps import Momentum, Nesterov, Plain

Array = np.ndarray[Any, Any]

GROWTH, RINGING = 1.3, 1.05  # of time from phase to phase: of plain steps, and of those whose memory makes them swing
STRETCHES, SAMPLES = 8, 4  # of a phase in which the rate is taken as one, and where it is asked in each
LOST = 1e6  # times the excess at the start, or more: run away
SLOW = 1e-2  # of a pass: where 1 − S1²/(N·S2) cancels and its series is right to 1e-4


class Rule(NamedTuple):
    """A step that is linear in gradient and memory: update = a·g + b·m, m ← c·g + d·m."""

    a: float
    b: float
    c: float
    d: float

    @property
    def growth(self) -> float:
        """Of time from phase to phase."""
        return RINGING if self.b else GROWTH

    @property
    def gain(self) -> float:
        """By how much a lasting gradient is multiplied."""
        return self.a + self.b * self.c / (1.0 - self.d)

    @property
    def stable(self) -> float:
        """The largest rate·curvature that settles: the step's matrix has an eigenvalue −1 there (Polyak 1964)."""
        return 2.0 * (1.0 + self.d) / (self.a * (1.0 + self.d) - self.b * self.c)


class Rows(NamedTuple):
    """Which rows each step sees, as far as noise is concerned."""

    n: int
    batch: int
    reshuffled: bool  # every row once a pass, or drawn afresh

    @property
    def steps(self) -> int:
        """Steps a pass."""
        return -(-self.n // self.batch)

    @property
    def share(self) -> float:
        """The variance of a step's gradient over that of one row's, the last step of a pass being smaller."""
        if self.steps == 1:
            return 0.0
        sizes = np.full(self.steps, float(self.batch))
        sizes[-1] = self.n - self.batch * (self.steps - 1)
        left = (self.n - sizes) / max(self.n - 1, 1) if self.reshuffled else 1.0
        return float(np.mean(left / sizes))

    def sharing(self, share: float) -> float:
        """Rows a step whose share that is: 1/share drawn afresh; without replacement n/(1 + share·(n − 1)), never above n."""
        return max(1.0, self.n / (1.0 + share * (self.n - 1)) if self.reshuffled else 1.0 / max(share, 1e-300))


class Walk(NamedTuple):
    """What is to be forecast."""

    rule: Rule
    schedule: Any
    rows: Rows
    updates: int


class Path(NamedTuple):
    """The forecast of the walk at the ends of its phases."""

    t: Array  # (points,) updates, from 0
    excess: Array  # (points,) mean over walks
    swell: (
        Array  # (points,) how much more it is in the middle of a pass than at its end, where all rows were seen alike
    )
    variance: Array  # (points,) of the excess over walks, in the middle of a pass
    pull: Array  # (points,) gᵀHg, g being the gradient where a walk is: its mean over walks
    shake: Array  # (points,) tr(HC)
    size: Array  # (points,) |g|², likewise
    spread: Array  # (points,) tr C
    lost: bool  # it ran away after the last of them


def rule_of(step: Any) -> Rule:
    """The linear rule that a step is, read off its own arithmetic. Raises InputError for a step that is none."""
    if not isinstance(step, Plain | Momentum | Nesterov):
        raise InputError(
            f"{type(step).__name__} divides by what it remembers of gradients, which the forecast does not follow: "
            "take plain, momentum or nesterov."
        )
    memory = step.start(0.0)
    by_gradient, kept = step.update(1.0, 0.0, memory, 0.0)
    if not memory:
        return Rule(by_gradient, 0.0, 0.0, 0.0)
    by_memory, left = step.update(0.0, 0.0, (1.0,), 0.0)
    return Rule(by_gradient, by_memory, kept[0], left[0])


def tangent(ground: Ground, walk: Walk, start: Array, until: float = 0.0) -> Path:
    """Forecast a walk from the point `start`, (size,), to its end or to where the mean excess is at most `until`."""
    rule, rows = walk.rule, walk.rows
    u = ground.place(start)
    mean, moment = np.zeros((len(u), 2)), np.zeros((len(u), 3))
    here = ground.look(u, moment[:, 0])
    noted = [_note(0, here, u, np.zeros_like(u), ground, 0.0)]
    beyond, lost = LOST * max(here.excess, 1e-300), False
    for t, end in phases(walk.updates, rows, rule.growth):
        rates, powers, counts = pace(walk.schedule, t, end)
        rate = float((rates * counts).sum() / (end - t))
        later = rows.reshuffled and t >= rows.steps > 1  # beyond the first pass
        here, u, mean, moment = _phase(ground, rule, rows, here, u, mean, moment, (rates, powers, counts), later)
        spread = moment[:, 0]
        if rows.reshuffled and rows.steps > 1 and end <= rows.steps:
            kept = together(1.0 - rate * rule.gain * here.bends, end, rows.steps)
            spread = spread * kept
            if end == rows.steps:
                moment *= kept[:, None]
            look = ground.look(u, spread, ground.most)
            here = look if end == rows.steps else here._replace(excess=look.excess)
        lost = not np.isfinite(here.excess) or here.excess > beyond
        if lost:
            break
        swell = 0.0
        if rows.reshuffled and end > rows.steps > 1:
            kept = np.clip(1.0 - rates[-1] * rule.gain * here.bends, -1.0, 1.0)
            fresh = rows.share * here.noise * (float(rates[-1]) * rule.gain) ** 2 * midway(kept, rows.steps)
            middle = spread * kept ** (2 * (rows.steps // 2)) + fresh
            swell = max(0.5 * float(here.bends @ (middle - spread)), 0.0)
            spread = middle
        noted.append(_note(end, here, u, spread, ground, swell))
        if here.excess <= until:
            break
    t, excess, swell, variance, pull, shake, size, around = np.array(noted).T
    return Path(t, excess, swell, variance, pull, shake, size, around, lost)


def arrival(t: Array, excess: Array, level: float) -> float:
    """When an excess is first at most `level`, between points by a straight line in the logarithms; infinite where it is not."""
    below = np.flatnonzero(excess <= level)
    if not len(below):
        return float("inf")
    k = int(below[0])
    if k == 0:
        return 0.0
    high, low = np.log(excess[k - 1]), np.log(max(excess[k], 1e-300))
    done = (high - np.log(level)) / (high - low)
    first, last = np.log1p(t[k - 1]), np.log1p(t[k])
    return float(np.expm1(first + done * (last - first)))


def _phase(
    ground: Ground, rule: Rule, rows: Rows, here: Look, u: Array, mean: Array, moment: Array, paces: Any, later: bool
) -> tuple[Look, Array, Array, Array]:
    """The look, place, mean and moments after a phase."""
    rates, powers, counts = paces
    many = int(counts.sum())
    rate = float((rates * counts).sum() / many)

    def walked(slope: Array, bends: Array, noise: Array) -> tuple[Array, Array]:
        fresh = rows.share * noise
        if later:
            fresh = fresh * together(1.0 - rate * rule.gain * bends, rows.steps, rows.steps)
        ahead, around = mean.copy(), moment.copy()
        ahead[:, 0] = 0.0
        carry(tuple(rule), rates, powers, counts, slope, bends, fresh, ahead, around)
        return ahead, around

    with np.errstate(over="ignore", invalid="ignore"):
        ahead, around = walked(here.slope, here.bends, here.noise)
        there = ground.look(u + ahead[:, 0], around[:, 0], ground.most)
        if many > 1 and np.isfinite(there.excess):
            bends = 0.5 * (here.bends + there.bends)
            defect = there.slope - here.slope - bends * ahead[:, 0]
            ahead, around = walked(here.slope + 0.5 * defect, bends, 0.5 * (here.noise + there.noise))
            there = ground.look(u + ahead[:, 0], around[:, 0], ground.most)
    return there, u + ahead[:, 0], ahead, around


def _note(t: int, look: Look, u: Array, spread: Array, ground: Ground, swell: float) -> tuple[float, ...]:
    """What is kept of a look.

    The excess about a place is gᵀξ + ½ξᵀHξ. The first varies by gᵀΣg; modes are taken to be as correlated as one row's gradient
    is here: Σ_ij = √(S_i·S_j/(c_i·c_j))·C_ij. The second varies by ½Σ λ_j²·S_j², over as many directions as a mode stands for.
    """
    apart = np.divide(spread, look.noise, out=np.zeros_like(spread), where=look.noise > 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        common = ground.shake(u, look.slope * np.sqrt(np.maximum(apart, 0.0))) if spread.any() else 0.0
        variance = common + 0.5 * float((look.bends**2 * spread**2 / ground.many).sum())
    squares = look.slope**2 + look.bends**2 * spread  # of a walk's own gradient: at the mean place it goes to nothing
    return (
        float(t), look.excess, swell, variance, float(look.bends @ squares), float(look.bends @ look.noise),
        float(squares.sum()), float(look.noise.sum()),
    )  # fmt: skip


def phases(updates: int, rows: Rows, growth: float = GROWTH) -> list[tuple[int, int]]:
    """Begin and end of each phase; under reshuffling the first pass ends one, and later ones end with a pass."""
    ends, t, whole = [], 0, rows.steps if rows.reshuffled else 1
    while t < updates:
        end = max(t + 1, int(growth * t))
        if whole > 1:
            end = min(end, whole) if t < whole else max(end // whole, t // whole + 1) * whole
        end = min(end, updates)
        ends.append((t, end))
        t = end
    return ends


def pace(schedule: Any, t: int, end: int) -> tuple[Array, Array, Array]:
    """The schedule from step t + 1 to `end`: mean rates of stretches, their mean squares over squared means, and lengths."""
    edges = np.unique(np.linspace(t, end, min(STRETCHES, end - t) + 1).round().astype(int))
    counts = np.diff(edges)
    rates, powers = np.empty(len(counts)), np.empty(len(counts))
    for k, (first, last) in enumerate(pairwise(edges)):
        asked = np.unique(np.linspace(first + 1, last, SAMPLES).round())
        values = np.array([at(schedule, float(step)) for step in asked])
        rates[k] = values.mean()
        powers[k] = (values**2).mean() / max(rates[k] ** 2, 1e-300)
    if (rates == rates[0]).all() and (powers == powers[0]).all():
        return rates[:1], powers[:1], np.array([end - t])
    return rates, powers, counts


def together(kept: Array, steps: int, whole: int) -> Array:
    """How much of independent noise is left of batches that add up to all rows: N/(N−1)·(1 − S1²/(N·S2)) after `steps` of N.

    kept: a, the share of a deviation that a step keeps; S1 = Σ aᵏ, S2 = Σ a²ᵏ. For slow modes a whole pass leaves (N(1 − a))²/12.
    """
    a = np.clip(kept, -1.0 + 1e-9, 1.0)
    slow = (1.0 - a) * steps < SLOW
    a = np.where(slow, 0.5, a)
    first = (1.0 - a**steps) / (1.0 - a)
    second = (1.0 - a ** (2 * steps)) / (1.0 - a * a)
    left = 1.0 - first**2 / (whole * second)
    series = 1.0 - steps / whole + (steps / whole) * (np.where(slow, 1.0 - kept, 0.0) * steps) ** 2 / 12.0
    return np.maximum(whole / (whole - 1.0) * np.where(slow, series, left), 0.0)


def midway(kept: Array, whole: int) -> Array:
    """The variance that half a pass of unit noise leaves in a mode, over that of one step's: N/(N−1)·(S2 − S1²/N) at N/2."""
    half = whole // 2
    a = np.clip(kept, -1.0 + 1e-9, 1.0 - 1e-12)
    return np.asarray((1.0 - a ** (2 * half)) / (1.0 - a * a) * together(kept, half, whole))
