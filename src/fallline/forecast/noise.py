"""How large a batch pays: the noise scale along a walk's path, and the updates that batches of each size are forecast to take."""

from typing import Any, NamedTuple

import numpy as np

from fallline.forecast.ground import Ground
from fallline.forecast.tangent import Path, Rows, Rule, Walk, arrival, tangent
from fallline.schedules import Constant

Array = np.ndarray[Any, Any]

LEVEL = 0.01  # of the excess at the start: how far down is asked about
FIRST = 0.5  # of the stable limit: the largest rate that is tried
TIMES = 4  # as many rows from size to size
LONGEST = 1_000_000  # updates: what takes longer is not told apart from never
FINER = 12  # halvings of a rate after which none will arrive


class NoiseScale(NamedTuple):
    """Rows a step at which noise and signal of the gradient are alike (McCandlish et al. 2018)."""

    simple: Array  # (points,) tr C/|g|²
    curved: Array  # (points,) tr(HC)/(gᵀHg), which counts noise where it costs
    critical: float  # geometric mean of `curved` over the way down to 1 %: about where updates stop falling as 1/B


def noise_scale(path: Path) -> NoiseScale:
    """The noise scale at every point of a path, and over it: it grows a thousandfold from start to end."""
    with np.errstate(divide="ignore", invalid="ignore"):
        simple, curved = path.spread / path.size, path.shake / path.pull
    way = -np.diff(np.log(np.maximum(np.minimum.accumulate(path.excess), 1e-300)))
    middle = 0.5 * (np.log(np.maximum(curved[1:], 1e-300)) + np.log(np.maximum(curved[:-1], 1e-300)))
    fine = np.isfinite(middle) & (way > 0.0) & (path.excess[:-1] > LEVEL * path.excess[0])
    critical = float(np.exp((way[fine] * middle[fine]).sum() / way[fine].sum())) if fine.any() else float("nan")
    return NoiseScale(simple, curved, critical)


class ByBatch(NamedTuple):
    """Updates to a share of the excess at the start against rows a step, each at the best constant rate."""

    sizes: Array  # (k,) rows a step, ascending; the last is all
    rates: Array  # (k,) NaN: none arrives
    updates: Array  # (k,) infinite: none arrives in a million
    visits: Array  # (k,) rows
    critical: float  # B_c of updates ≈ S·(1 + B_c/B), within a factor of four; NaN where fewer than three sizes arrive

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            name: values.tolist() if isinstance(values, np.ndarray) else values
            for name, values in self._asdict().items()
        }

    def sentences(self) -> list[str]:
        """A line a size, and what they show."""
        lines = [f"{'rows a step':>12s}{'best rate':>12s}{'updates':>12s}{'row visits':>14s}"]
        for size, rate, updates, visits in zip(self.sizes, self.rates, self.updates, self.visits, strict=True):
            said = f"{rate:>12.3g}{updates:>12,.0f}{visits:>14,.0f}" if np.isfinite(updates) else f"{'never':>24s}"
            lines.append(f"{size:>12,.0f}{said}")
        if np.isfinite(self.critical):
            lines.append(
                f"Updates fall as 1 + B/rows with B about {self.critical:,.0f} (the critical batch, within a factor of four): "
                "far below it a larger batch saves updates, far above only row visits are lost."
            )
        return lines


def by_batch(ground: Ground, rule: Rule, start: Array, share: float) -> ByBatch:
    """The fewest updates of reshuffled batches of each size to `share` of the excess at the start.

    The best rate falls with the batch, so from all rows down each size begins at its larger neighbour's and halves it for as
    long as that is faster, or nothing has arrived yet.
    """
    n = ground.objective.n
    sizes = [*(TIMES**k for k in range(20) if 2 * TIMES**k <= n), n]
    level = share * ground.look(ground.place(start), np.zeros(len(ground.linear))).excess
    rate, found = FIRST * rule.stable / float(ground.limits.values[-1]), []
    for size in reversed(sizes):
        rows, best = Rows(n, size, True), (np.inf, rate)
        for k in range(FINER):
            path = tangent(ground, Walk(rule, Constant(rate * 0.5**k), rows, LONGEST), start, level)
            took = arrival(path.t, path.excess, level)
            if took > best[0] or (size == n and np.isinf(took)):
                break
            if took < best[0]:
                best = took, rate * 0.5**k
        rate = best[1]
        if size == n and np.isinf(best[0]):  # without noise a smaller rate is slower, and with noise none is faster
            nothing = np.full(len(sizes), np.inf)
            return ByBatch(np.array(sizes), nothing * np.nan, nothing, nothing, float("nan"))
        found.append((size, rate if np.isfinite(best[0]) else np.nan, best[0], best[0] * n / rows.steps))
    rows_a_step, rates, updates, visits = np.array(found[::-1]).T
    return ByBatch(rows_a_step.astype(int), rates, updates, visits, knee_of(rows_a_step, updates))


def knee_of(sizes: Array, updates: Array) -> float:
    """B_c of updates ≈ S·(1 + B_c/sizes), by least squares in the logarithm; between a quarter of a row and four times all."""
    fine = np.isfinite(updates) & (updates > 0.0)
    if fine.sum() < 3:
        return float("nan")
    guesses = np.geomspace(0.25, 4.0 * sizes[-1], 400)
    rest = np.log(updates[fine]) - np.log1p(guesses[:, None] / sizes[fine])
    return float(guesses[np.argmin(rest.var(axis=1))])
