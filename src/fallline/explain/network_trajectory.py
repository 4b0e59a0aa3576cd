"""What a network's walk met on its way: the noise scale beside its batch, and its rate beside the edge of stability."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.explain.trajectory import HEADINGS, spread

Array = np.ndarray[Any, Any]

LOOKS = 40  # points that are looked at: one noise scale says little, a curve of them much


@dataclass(frozen=True)
class NetTrajectory:
    """A network's walk at some of its points, (looks,) each; NaN where a quantity is not known.

    A picture that cannot be drawn is refused with InputError, and `missing` says why: "noise", "rates".
    """

    name: str
    variant: str
    size: int  # rows a step
    t: Array  # updates
    rate: Array  # the schedule's
    low: Array  # rows: the noise scale's interval, which holds it nine times in ten
    middle: Array
    high: Array  # infinite where the gradient may be zero
    local: Array  # the rate at which curvature times rate is at the edge
    missing: dict[str, str]

    def plot_noise(self, theme: str = "light") -> Any:
        """The noise scale with its interval, beside the rows a step, as a Plotly figure."""
        from fallline.figures.along import draw_noise
        from fallline.figures.along_networks import scale_of

        return draw_noise(scale_of(self._drawn("noise")), theme)

    def plot_rates(self, theme: str = "light") -> Any:
        """The rate and the edge of stability as a Plotly figure."""
        from fallline.figures.along import draw_rates
        from fallline.figures.along_networks import edge_of

        return draw_rates(edge_of(self._drawn("rates")), theme)

    def plots(self, theme: str = "light") -> list[tuple[str, Any]]:
        """Every picture that can be drawn, each with its heading."""
        made = {"noise": self.plot_noise, "rates": self.plot_rates}
        return [(HEADINGS[name], plot(theme)) for name, plot in made.items() if name not in self.missing]

    def _drawn(self, name: str) -> "NetTrajectory":
        if name in self.missing:
            raise InputError(self.missing[name])
        return self


def network_trajectory_of(case: Any, looks: int = LOOKS) -> NetTrajectory:
    """The walk of a NetCase at `looks` of its points. Raises InputError where its trace keeps none."""
    trace, plan, size = case.trace, case.plan, case.plan.size(case.net.n)
    if len(trace.points) != len(trace):
        raise InputError(
            "The trace keeps no points of so large a network: walk it with fewer looks (Plan.run(net, looks=…))."
        )
    sound = np.isfinite(trace["loss"]) & np.array([np.isfinite(w).all() for w in trace.points])
    end = len(sound) if sound.all() else int(np.argmin(sound))
    missing = {} if end > 2 else dict.fromkeys(("noise", "rates"), "The walk was over before it could be followed.")
    at = spread(end, looks)
    met = case.probing.met([trace.points[k] for k in at])
    rate = np.array(trace["rate"], float)[at]
    rate[:1] = case.plan.pace(case.net, float(plan.rate or 0.0)).at(1.0)
    if plan.variant == "batch":
        missing.setdefault("noise", "Steps on all rows have no noise.")
    if np.isnan(met.middle).all():
        missing.setdefault("noise", "The noise scale is told from 128 rows or more that are given as arrays.")
    if np.isnan(met.limit).all():
        missing.setdefault("rates", "The edge of stability is known of heavy ball and of Adam and its relatives.")
    return NetTrajectory(
        plan.name, str(plan.variant), size, trace["t"][at], rate, met.low, met.middle, met.high, met.limit, missing
    )
