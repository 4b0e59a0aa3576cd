"""A forecast: what will happen, as numbers and in words."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fallline.forecast.limits import Conditioning, Rates
from fallline.forecast.noise import LEVEL, ByBatch, NoiseScale, by_batch
from fallline.forecast.tangent import arrival, rule_of
from fallline.plan import Plan
from fallline.words import count, number, percent

Array = np.ndarray[Any, Any]

INSIDE = 1.2815515655446004  # deviations of a normal that hold 80 % of it between them
SAMPLE = 0.1  # of the excess: what a sample of rows may be off by, as a deviation of its logarithm
TINY = 1e-300
POOR = 100.0  # a condition number from which on columns that nearly give each other are named


@dataclass(frozen=True)
class Forecast:
    """The expected loss against updates, before the walk.

    The band is pointwise: at any one update it holds 80 % of walks. A whole walk leaves it somewhere.
    """

    plan: Plan
    n: int
    per_pass: int  # updates
    t: Array  # (points,) updates, from 0
    excess: Array  # (points,) mean over walks of the loss above the optimum
    swell: Array  # (points,) by how much it is larger in the middle of a reshuffled pass; points after the first pass are ends
    deviation: Array  # (points,) of the logarithm of one walk's excess
    optimum: float
    lost: bool  # it runs away after the last point
    rates: Rates
    conditioning: Conditioning
    noise: NoiseScale
    slight_floor: float  # excess at which the plan's rate stays, were it small and constant: rate·tr C/4B
    floor: float  # the same in full; NaN for batch descent, whose floor is the optimum
    rows: int  # read; fewer than n: the rest is stood for
    seconds: float  # that this forecast took
    seconds_per_update: float = float("nan")  # NaN: not timed
    names: tuple[str, ...] = ()  # of the columns
    bound: float = float("nan")  # the lowest loss is proven to be no further below `optimum`; NaN: it is exact
    ground: Any = field(default=None, repr=False, compare=False)  # what it was made from
    start: Any = field(default=None, repr=False, compare=False)  # (size,)

    @property
    def loss(self) -> Array:
        """(points,) mean over walks."""
        return self.optimum + self.excess

    @property
    def band(self) -> tuple[Array, Array]:
        """Losses between which 80 % of walks are, at each point: a lognormal of the excess's mean and variance."""
        middle = np.log(np.maximum(self.excess, TINY)) - 0.5 * self.deviation**2
        around = INSIDE * self.deviation
        return self.optimum + np.exp(middle - around), self.optimum + np.exp(middle + around)

    @property
    def visits(self) -> Array:
        """(points,) rows visited."""
        return self.t * (self.n / self.per_pass)

    def at(self, t: Any) -> Array:
        """The mean loss after t updates: between the points by straight lines in the logarithms of both, and within a pass, of
        which the share f is done, more by swell·4f(1 − f): a bridge from one end, where all rows were seen alike, to the next.
        """
        t = np.asarray(t, float)
        log = np.interp(np.log1p(t), np.log1p(self.t), np.log(np.maximum(self.excess, TINY)))
        done = t % self.per_pass / self.per_pass
        return np.asarray(self.optimum + np.exp(log) + np.interp(t, self.t, self.swell) * 4.0 * done * (1.0 - done))

    def updates_to(self, share: float = LEVEL) -> float:
        """Updates until the mean excess is at most `share` of that at the start; infinite where the plan ends before."""
        return arrival(self.t, self.excess, share * float(self.excess[0]))

    def updates_by_batch(self, share: float = LEVEL) -> ByBatch:
        """Updates and row visits to `share` of the excess at the start for batches of 1, 4, 16 … rows and of all.

        Each at the best constant rate found, by the plan's step rule; and the critical batch that they show.
        """
        return by_batch(self.ground, rule_of(self.plan.stepper(self.ground.objective)[0]), self.start, share)

    def as_dict(self, share: float = LEVEL) -> dict[str, Any]:
        """All of it as plain numbers, the updates by batch included."""
        low, high = self.band
        curve = {"updates": self.t, "loss": self.loss, "low": low, "high": high, "excess": self.excess}
        return {
            "plan": self.plan.as_dict(), "rows": self.n, "updates a pass": self.per_pass, "optimum": self.optimum,
            "optimum is at most lower by": self.bound, "curve": {name: values.tolist() for name, values in curve.items()},
            "runs away": self.lost, "updates to": {"share": share, "updates": self.updates_to(share)},
            "largest rates": self.rates._asdict(), "condition": self.conditioning._asdict(),
            "critical batch": self.noise.critical, "floor": self.floor, "floor of small rates": self.slight_floor,
            "seconds": self.seconds,
            "seconds an update": self.seconds_per_update, "by batch": self.updates_by_batch(share).as_dict(),
            "says": self.sentences(),
        }  # fmt: skip

    def telling(self, lines: int = 10) -> Array:
        """Which points to print: the start, the end, and evenly between them in the logarithm of time."""
        wanted = np.geomspace(1.0, max(self.t[-1], 1.0), lines - 1)
        near = (
            np.abs(np.log(np.maximum(self.t[1:], 1.0))[:, None] - np.log(wanted)).argmin(axis=0) + 1
            if len(self.t) > 1
            else []
        )
        return np.unique([0, *near])

    def headline(self) -> str:
        """In a line: when 1 % is left, or what is left at the end."""
        foreseen = f"{self.plan.name[:1].upper()}{self.plan.name[1:]} is forecast to"
        if self.lost:
            return f"{foreseen} run away"
        updates, left = self.updates_to(), LEVEL
        if not np.isfinite(updates):
            updates, left = float(self.t[-1]), float(self.excess[-1] / self.excess[0])
        return f"{foreseen} have {percent(left)} of the excess left after {count(updates)} updates"

    def sentences(self) -> list[str]:
        """What it says."""
        return [self._arrival(), *self._bracket(), *self._stability(), self._shape(), *self._noise(), self._cost()]

    def plot(self, *traces: Any, theme: str = "light") -> Any:
        """The forecast as a Plotly figure, with the traces of runs over it where there are any."""
        from fallline.figures.ahead import ahead_of, draw_ahead

        return draw_ahead(ahead_of(self, traces), theme)

    def _arrival(self) -> str:
        if self.lost:
            return f"{self.plan.name} runs away within {self.t[-1] * 1.3 + 1:,.0f} updates."
        left = percent(float(self.excess[-1] / self.excess[0]))
        end = f"after {self.t[-1]:,.0f} updates the excess is {left} of that at the start"
        updates = self.updates_to()
        if not np.isfinite(updates):
            return f"{self._named()} does not come within 1 % of the excess at the start: {end}."
        took = f", about {updates * self.seconds_per_update:.2g} s" if np.isfinite(self.seconds_per_update) else ""
        visits = updates * self.n / self.per_pass
        return (
            f"{self._named()} has 1 % of the excess left after {updates:,.0f} updates ({visits:,.0f} row visits, "
            f"{updates / self.per_pass:.3g} passes{took}); {end}."
        )

    def _named(self) -> str:
        """The plan's name at the front of a sentence."""
        return f"{self.plan.name[:1].upper()}{self.plan.name[1:]}"

    def _bracket(self) -> list[str]:
        if np.isnan(self.bound):
            return []
        share = f"{100 * self.bound / self.excess[0]:.2g} % of the excess at the start"
        return [
            f"The lowest loss is between {self.optimum - self.bound:.6g} and {self.optimum:.6g}, {share} apart (proven)."
        ]

    def _stability(self) -> list[str]:
        batch = f"Steps on all rows are stable up to rate {self.rates.batch:.3g} near the optimum"
        if self.per_pass == 1:
            return [f"{batch}; the rate is {self._share(self.rates.batch)} of it."]
        return [
            f"Up to rate {self.rates.working:.3g} the noise stays below a tenth of the excess at the start (the working limit; "
            f"the rate is {self._share(self.rates.working)} of it). The mean over all walks is bounded up to "
            f"{self.rates.mean_square:.3g} (the mean-square limit, which rows seldom met can set). {batch}."
        ]

    def _share(self, limit: float) -> str:
        return percent(float(self.plan.rate or 0.0) / limit)

    def _shape(self) -> str:
        found = self.conditioning
        if np.isnan(found.evened):
            return f"The condition number is at least {number(found.number)}."
        text = f"The condition number is {number(found.number)}"
        flat = " and ".join(map(self._column, found.flat[:4]))
        if found.steep:
            steep = " and ".join(map(self._column, found.steep))
            return (
                f"{text}, and {number(found.evened)} with all columns on one scale: {steep} bends most, {flat} least."
            )
        if found.evened > POOR:
            return f"{text}: {flat} nearly give each other."
        return f"{text}."

    def _column(self, j: int) -> str:
        if j < len(self.names):
            return f'"{self.names[j]}"'
        return "the intercept" if self.names else f"column {j}"

    def _noise(self) -> list[str]:
        if self.per_pass == 1:
            return []
        said = []
        if np.isfinite(self.noise.critical):
            said.append(
                f"Larger batches save updates up to about {self.noise.critical:,.0f} rows (the critical batch, within a factor "
                "of four)."
            )
        full = f"stay at {percent(float(self.floor / self.excess[0]))} of the excess at the start"
        held = full if np.isfinite(self.floor) else "settle nowhere"
        said.append(
            f"Held constant, the rate would {held} (by rate·tr C/4B, of small rates and independent draws, "
            f"{percent(float(self.slight_floor / self.excess[0]))})."
        )
        return said

    def _cost(self) -> str:
        seconds = self.seconds
        read = "all rows" if self.rows >= self.n else f"{self.rows:,} of {self.n:,} rows, the longest among them"
        return f"Forecast from {read} in {seconds:.2g} s."
