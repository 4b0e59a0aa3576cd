"""Runs that differ by seed only, put together look by look: their median, and the band from 10 to 90 % of them."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from fallline.trace import Trace

Array = np.ndarray[Any, Any]

LOW, HIGH = 0.1, 0.9  # the band
LEVEL = 0.01  # within 1 % of the optimum
FLOOR = 1e-8  # a relative excess below this is rounding of the optimum, not the run's
SETTLED = 0.02  # of the fall still to come: the moment that a time axis must leave room to see
BEYOND = 1e300  # stands for "anywhere above" after a divergence: quantiles of infinities would be no number
SHOWN = 240  # points of a curve that a screen can show
AXES = ("updates", "visits", "epochs", "seconds")
COLUMN_OF = {"updates": "t", "visits": "visits", "epochs": "epochs", "seconds": "seconds"}


class Band(NamedTuple):
    """One setting over its seeds."""

    name: str
    variant: str
    rate: float | None
    seeds: int
    diverged: int  # of the seeds
    times: dict[str, Array]  # a time axis → (points,), the median over the seeds
    low: Array  # (points,)
    middle: Array
    high: Array
    looks: int  # before thinning
    n: int  # rows in a pass
    reached: dict[str, float] | None  # when a seed first came within 1 %: the median over seeds, on each axis
    settled: dict[str, float]  # when it had most of its fall behind it
    solver: bool  # whether each look is a solver's step, after which it knows how near it is

    @property
    def lost(self) -> bool:
        """Whether at least half of the seeds ran away."""
        return 2 * self.diverged >= self.seeds


def band_of(name: str, traces: Sequence[Trace], y: str = "loss", shown: int = SHOWN) -> Band:
    """The band of `traces`, which differ by seed only. `y` is "loss" or "excess", relative, over the optimum."""
    about, solver = traces[0].about, "excess" in traces[0].columns
    traces = answered(traces)
    grid = _common_looks(traces, solver)
    heights = np.array([_heights_on(grid, trace, y) for trace in traces])
    low, middle, high = np.quantile(heights, (LOW, 0.5, HIGH), axis=0)
    longest = [trace for trace in traces if trace.last("t") >= grid[-1]]
    times = {
        axis: np.median([np.interp(grid, trace["t"], trace[COLUMN_OF[axis]]) for trace in longest], axis=0)
        for axis in AXES
    }
    settled = int(np.argmax(middle <= middle[-1] + SETTLED * (middle[0] - middle[-1])))
    keep = thinned(len(grid), shown)
    return Band(
        name=name or str(about.get("name", "")) or "this run",
        variant=str(about.get("variant", "mini-batch")),
        rate=about.get("rate"),
        seeds=len(traces),
        diverged=sum(map(ran_away, traces)),
        times={axis: values[keep] for axis, values in times.items()},
        low=low[keep],
        middle=middle[keep],
        high=high[keep],
        looks=len(grid),
        n=traces[0].n,
        reached=_reached(traces) if y == "excess" else None,
        settled={axis: float(values[settled]) for axis, values in times.items()},
        solver=solver,
    )


def answered(traces: Sequence[Trace]) -> list[Trace]:
    """The traces from their first useful answer on; those that have none are left out.

    A solver that estimates its excess has nothing to show before its first estimate: a line from the start to there would be
    drawn through a time in which it had no answer.
    """
    firsts = [
        int(np.append(np.isfinite(trace["excess"]), True).argmax()) if "excess" in trace.columns else 0
        for trace in traces
    ]
    pairs = list(zip(traces, firsts, strict=True))
    return [trace.between(first) if first else trace for trace, first in pairs if first < len(trace)]


def _reached(traces: Sequence[Trace]) -> dict[str, float] | None:
    """Medians over seeds of the first look within 1 %; a seed that never comes counts as after all others."""
    times: dict[str, list[float]] = {axis: [] for axis in AXES}
    for trace in traces:
        near = np.flatnonzero(excess_of(trace) <= LEVEL)
        for axis in AXES:
            times[axis].append(float(trace[COLUMN_OF[axis]][near[0]]) if len(near) else math.inf)
    middles = {axis: median(values) for axis, values in times.items()}
    return middles if math.isfinite(middles["updates"]) else None


def ran_away(trace: Trace) -> bool:
    """Whether a run diverged: it says so itself, or its last loss is no number."""
    return bool(trace.about.get("diverged")) or not np.isfinite(trace.last("loss"))


def excess_of(trace: Trace) -> Array:
    """Relative excess loss over the optimum, (looks,): what is left of the way, in the unit that `about` gives."""
    optimum, scale = trace.about.get("optimum"), trace.about.get("scale") or 1.0
    if optimum is None:
        raise KeyError("the trace's `about` holds no optimum, so there is no excess over it to draw: take y='loss'")
    excess: Array = (trace["loss"] - optimum) / scale
    return np.maximum(excess, FLOOR)


def thinned(looks: int, shown: int) -> Array:
    """Which of `looks` points to draw: evenly spread, and denser at the start, where curves bend."""
    if looks <= shown:
        return np.arange(looks)
    even = np.linspace(0, looks - 1, shown - shown // 3)
    early = np.geomspace(1, looks, shown // 3) - 1
    return np.unique(np.round(np.concatenate([even, early])).astype(int))


def _common_looks(traces: Sequence[Trace], solver: bool) -> Array:
    """Updates at which every sane run was still walking (every run, where all ran away).

    A solver ends its own run when it is done, and stays where it is.
    """
    longest = max(traces, key=lambda trace: int(trace.last("t")))
    sane = [int(trace.last("t")) for trace in traces if not ran_away(trace)]
    grid: Array = longest["t"]
    return grid[grid <= min(sane)] if sane and not solver else grid


def _heights_on(grid: Array, trace: Trace, y: str) -> Array:
    """A run's heights at other looks than its own; after it ran away it is beyond every frame."""
    own = excess_of(trace) if y == "excess" else trace["loss"]
    own = np.clip(np.nan_to_num(own, nan=BEYOND, posinf=BEYOND), -BEYOND, BEYOND)
    heights: Array = np.interp(grid, trace["t"], own)
    if ran_away(trace):
        heights = np.where(grid > trace.last("t"), BEYOND, heights)
    return heights
