"""How large a rate may be: the stable limit of a step rule, the working limit of small batches, and what makes them small."""

from typing import Any, NamedTuple

import numpy as np

from fallline.forecast.ground import Ground
from fallline.forecast.tangent import Rows, Rule, together
from fallline.kernels.moments import carry

Array = np.ndarray[Any, Any]

WORKING = 0.1  # of the excess at the start: a rate whose floor is higher does not get far
LONG = 2**40  # steps: any settled mode has forgotten where it began
ROUNDS, SETTLED = 12, 0.02  # of looks at a floor, and the change between two at which it is taken
NEAR = 10.0  # times the floor looked for: the spread of a higher one is no place to begin looking for the next
TRIES = 12  # rates at which the floor is looked at
EVEN = 10.0  # times better with all columns on one scale: the scales are then to blame
HALF = 0.5  # of the flattest direction's squared length: the columns that hold so much of it are named


class Rates(NamedTuple):
    """The largest rates, each for what it is."""

    batch: float  # beyond it steps on all rows run away near the optimum; exact for least squares
    mean_square: (
        float  # beyond it the mean of the excess grows, if only by rows seldom met: safe, not what one run shows
    )
    working: float  # beyond it the noise floor is above a tenth of the excess at the start


class Conditioning(NamedTuple):
    """How much slower the slowest direction is than the fastest, and why."""

    number: float  # largest over smallest curvature
    evened: float  # the same, were all columns on one scale; NaN: not known, and `number` may be larger
    steep: tuple[int, ...]  # columns that are to blame: where scales are, those that bend most,
    flat: tuple[int, ...]  # and least; otherwise those that nearly give each other


def rates_of(ground: Ground, rule: Rule, rows: Rows, excess: float) -> Rates:
    """The limits of a rule on batches of so many rows. excess: at the start."""
    batch = rule.stable / float(ground.limits.values[-1])
    if not rows.share:
        return Rates(batch, batch, batch)
    drift = ground.limits.of(rows.batch, rows.n) / rule.gain
    return Rates(batch, min(batch, drift), working_rate(ground, rule, rows, WORKING * excess))


def working_rate(ground: Ground, rule: Rule, rows: Rows, floor: float) -> float:
    """The largest stable constant rate whose floor is at most `floor`, by secants in the logarithms of both."""
    limit = rule.stable / float(ground.limits.values[-1])
    zero = np.zeros(len(ground.linear))
    rate = min(0.9 * limit, floor / max(slight_floor(ground, rule, rows, 1.0), 1e-300))
    points: list[tuple[float, float]] = []
    spread = zero
    for _ in range(TRIES):
        near = points and rate < points[-1][0] and points[-1][1] < NEAR * floor
        height, spread = floor_at(ground, rule, rows, rate, spread if near else zero)
        points.append((rate, height))
        if abs(np.log(height / floor)) < SETTLED if height > 0.0 else False:
            break
        if height <= floor and rate >= 0.9 * limit:
            return limit
        low = max((p for p in points if p[1] <= floor), default=None)
        high = min((p for p in points if not p[1] <= floor), default=None)
        if low and high and high[0] < (1.0 + SETTLED) * low[0]:
            break
        if low is None:
            rate = rate * max(0.03, min(0.7, floor / height if np.isfinite(height) else 0.1))
        elif high is None:
            rate = min(0.9 * limit, 1.5 * rate)
        elif np.isfinite(high[1]) and low[1] > 0.0:
            slope = np.log(high[1] / low[1]) / np.log(high[0] / low[0])
            rate = low[0] * float(np.exp(np.clip(np.log(floor / low[1]) / slope, 0.1 * np.log(high[0] / low[0]), None)))
            rate = min(rate, 0.97 * high[0])
        else:
            rate = float(np.sqrt(low[0] * high[0]))
    fine = [p[0] for p in points if p[1] <= floor * (1.0 + SETTLED)]
    return max(fine) if fine else min(p[0] for p in points)


def slight_floor(ground: Ground, rule: Rule, rows: Rows, rate: float) -> float:
    """rate·tr C/(4B) for plain steps: the floor of a small constant rate under independent batches."""
    zero = np.zeros(len(ground.linear))
    trace = float(ground.look(zero, zero).noise.sum())
    return 0.25 * rate * rule.gain * rows.share * trace


def floor_at(ground: Ground, rule: Rule, rows: Rows, rate: float, spread: Array) -> tuple[float, Array]:
    """The mean excess at which a constant rate stays, and the spread there; infinite where there is none.

    `spread`: where to begin looking. Noise makes the spread that makes the noise, and moves the mean: both are iterated.
    """
    u, height = np.zeros_like(spread), np.inf
    one = np.array([rate]), np.ones(1), np.array([LONG])
    for _ in range(ROUNDS):
        look = ground.look(u, spread)
        if not np.isfinite(look.excess):
            return np.inf, np.zeros_like(u)
        if abs(look.excess - height) <= SETTLED * abs(look.excess):
            break
        height = look.excess
        noise = rows.share * look.noise
        if rows.reshuffled and rows.steps > 1:
            noise = noise * together(1.0 - rate * rule.gain * look.bends, rows.steps, rows.steps)
        bends = np.maximum(look.bends, 1e-12 * look.bends.max())
        mean, moment = np.zeros((len(u), 2)), np.zeros((len(u), 3))
        with np.errstate(over="ignore", invalid="ignore"):
            carry(tuple(rule), *one, 0.0 * u, bends, noise, mean, moment)
        if not np.isfinite(moment[:, 0]).all():
            return np.inf, np.zeros_like(u)
        spread = moment[:, 0]
        u = u - look.slope / bends
    return look.excess, spread


def conditioning_of(ground: Ground) -> Conditioning:
    """The condition number at the optimum, and the columns that are to blame; the last may be the column of ones.

    A wide model's modes give a lower bound of the first, and no columns.
    """
    values, V = ground.limits.values, ground.limits.vectors
    if V.shape[1] < V.shape[0]:
        return Conditioning(_ratio(values), float("nan"), (), ())
    H = (V * values) @ V.T
    diagonal = np.maximum(H.diagonal(), 1e-300)
    scale = 1.0 / np.sqrt(diagonal)
    evened, vectors = np.linalg.eigh(H * scale[:, None] * scale)
    number, even = _ratio(values), _ratio(evened)
    if number > EVEN * even:
        order = np.argsort(diagonal)
        return Conditioning(number, even, (int(order[-1]),), (int(order[0]),))
    held = vectors[:, 0] ** 2
    order = np.argsort(-held)
    many = int(np.searchsorted(np.cumsum(held[order]), HALF)) + 1
    return Conditioning(number, even, (), tuple(int(j) for j in order[: max(2, many)]))


def _ratio(values: Array) -> float:
    live = values[values > values[-1] * 1e-13]
    return float(live[-1] / live[0])
