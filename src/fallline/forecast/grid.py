"""The map of rate and batch size: how long each takes to 1 % of the excess at the start, by forecast, and a few by real runs."""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fallline.forecast.ground import READ, Ground, ground_of
from fallline.forecast.limits import slight_floor
from fallline.forecast.noise import LEVEL
from fallline.forecast.tangent import Rows, Rule, Walk, arrival, rule_of, tangent
from fallline.parts import part
from fallline.plan import WAYS, Plan, variant_of
from fallline.schedules import Constant

Array = np.ndarray[Any, Any]

MOST = 1_000_000  # updates: what takes longer is not told apart from never
RATES, SIZE = 12, 4  # rates; times as many rows from size to size
LOWEST, BEYOND = 1e-4, 1.5  # of the stable limit: the smallest rate at most so low, and the largest
EASY = 0.3  # of the rate whose floor is the level on one row a step: the smallest rate of the map
PAYS = 2.0  # times the updates of all rows: beyond the frontier no batch can halve them
CHECKED, SEEDS = 4, 3  # cells that are walked, and how often each
AFFORDABLE, LONGER = 60.0, 1.6  # passes of a cell that is walked, and times the forecast after which it is given up
LOOKS = 40  # of a checked walk, about


class Check(NamedTuple):
    """A cell that was walked."""

    rate: float
    size: int
    forecast: float  # updates
    walked: float  # updates until the mean over seeds arrived; infinite where it did not within 1.6 times the forecast

    @property
    def ratio(self) -> float:
        """Walked over forecast."""
        return self.walked / self.forecast


@dataclass(frozen=True)
class RateMap:
    """Updates to 1 % of the excess at the start, over rates and batch sizes."""

    step: str
    n: int
    rates: Array  # (k,) ascending
    sizes: Array  # (m,) rows a step, ascending; the last is all
    updates: Array  # (m, k) infinite: never, or not within a million
    limit: float  # beyond it steps on all rows run away
    frontier: (
        Array  # (k,) of sizes: the first from which on no larger batch halves the updates at that rate; −1: not known
    )
    checks: tuple[Check, ...]
    seconds: float

    @property
    def visits(self) -> Array:
        """(m, k) rows visited; the last step of a pass takes what is left."""
        return self.updates * (self.n / -(-self.n // self.sizes))[:, None]

    @property
    def best(self) -> tuple[int, int]:
        """Where in the map the fewest rows are visited: (size, rate). Raises ValueError where nothing arrives."""
        if not np.isfinite(self.updates).any():
            raise ValueError(f"no rate and batch size come to 1 % of the excess in {MOST:,} updates")
        i, j = np.unravel_index(int(np.argmin(self.visits)), self.updates.shape)
        return int(i), int(j)

    def plot(self, theme: str = "light") -> Any:
        """The map as a Plotly figure: row visits by colour, the stable limit, the frontier, and the cells that were walked."""
        from fallline.figures.grid import draw_grid, grid_of

        return draw_grid(grid_of(self), theme)


def map_of(objective: Any, step: str = "plain", ground: Ground | None = None, checks: int = CHECKED) -> RateMap:
    """Forecast a step rule on constant rates and shuffled batches, from one row a step to all, and walk `checks` of the cells.

    step: plain, momentum or nesterov, as in a plan. ground: what a forecast before this one on the same objective knew. Rates
    reach from where one row a step arrives to beyond the stable limit. Raises InputError for what is not forecast.
    """
    began = time.perf_counter()
    ground = ground_of(objective, READ) if ground is None else ground.within(READ)
    rule = rule_of(part(WAYS, step, "step"))
    n, start = objective.n, objective.start()
    first = ground.look(ground.place(start), np.zeros(len(ground.linear))).excess
    limit = rule.stable / float(ground.limits.values[-1])
    sizes = [size for size in (SIZE**k for k in range(20)) if 2 * size <= n] + [n]
    rates = _rates(ground, rule, Rows(n, 1, True), LEVEL * first, limit)
    updates = np.full((len(sizes), len(rates)), np.inf)
    for i, size in enumerate(sizes):
        for j, rate in enumerate(rates):
            walk = Walk(rule, Constant(rate), Rows(n, size, True), MOST)
            path = tangent(ground, walk, start, LEVEL * first)
            updates[i, j] = arrival(path.t, path.excess, LEVEL * first)
            if np.isinf(updates[i, j]) and np.isfinite(updates[i]).any():
                break  # the floor grows with the rate
    pays = updates > PAYS * updates[-1]
    frontier = np.where(np.isfinite(updates[-1]), pays.argmin(axis=0), -1)
    made = RateMap(step, n, np.array(rates), np.array(sizes), updates, limit, frontier, (), 0.0)
    walked = tuple(_walked(objective, made, i, j, ground.value, first) for i, j in _telling(made)[:checks])
    return RateMap(*(vars(made) | {"checks": walked, "seconds": time.perf_counter() - began}).values())


def _rates(ground: Ground, rule: Rule, rows: Rows, floor: float, limit: float) -> list[float]:
    """Evenly spaced in the logarithm; those on one row a step that arrive, and one beyond the limit."""
    easy = EASY * floor / max(slight_floor(ground, rule, rows, 1.0), 1e-300)
    low = float(np.clip(easy, LOWEST * limit, 0.1 * limit))
    return [float(f"{rate:.2g}") for rate in np.geomspace(low, BEYOND * limit, RATES)]


def _telling(made: RateMap) -> list[tuple[int, int]]:
    """Cells that are worth a walk and affordable: the cheapest of all, of few rows, of all rows, and of those between."""
    cost = np.where(made.visits <= AFFORDABLE * made.n, made.visits, np.inf)
    by_size = [(i, int(np.argmin(cost[i]))) for i in range(len(made.sizes)) if np.isfinite(cost[i]).any()]
    if not by_size:
        return []
    ends = [by_size[0], by_size[-1], by_size[len(by_size) // 2]]
    return list(dict.fromkeys([min(by_size, key=lambda cell: cost[cell]), *ends]))


def _walked(objective: Any, made: RateMap, i: int, j: int, optimum: float, first: float) -> Check:
    """Walk a cell on a few seeds, until the mean excess arrives or it takes much longer than forecast."""
    size, rate, updates = int(made.sizes[i]), float(made.rates[j]), float(made.updates[i, j])
    variant = variant_of(size, made.n)
    amount = max(2, int(np.ceil(LONGER * updates)))
    looks = max(1, round(LOOKS * -(-made.n // size) / amount))
    runs = [
        Plan(
            step=made.step, variant=variant, batch_size=size, rate=rate, seed=seed, budget="updates", amount=amount
        ).run(objective, looks=looks)
        for seed in range(1 if variant == "batch" else SEEDS)
    ]
    sane = all(len(run.trace) == len(runs[0].trace) for run in runs)  # one that runs away ends before
    mean = np.mean([run.trace["loss"] for run in runs], axis=0) - optimum if sane else np.full(1, np.inf)
    return Check(rate, size, updates, arrival(runs[0].trace["t"], mean, LEVEL * first))
