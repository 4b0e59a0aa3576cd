"""What a walk met on its way: how its excess lay along the curvature's directions, its gradient's noise, and the local limit.

One pass over some of the points that its trace keeps. Where none are kept the walk is made again, up to the same losses.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.explain.case import Case
from fallline.forecast.tangent import Rows, rule_of
from fallline.gauges import Back, GradientNorm, GradientSpread, Sharpness
from fallline.losses import SquaredError
from fallline.objectives.coordinates import WIDEST
from fallline.objectives.hessian import hessian
from fallline.parts import named
from fallline.plan import ORDERS
from fallline.samplers import WithReplacement
from fallline.stops import Updates

Array = np.ndarray[Any, Any]

LOOKS, FEWEST = 60, 12  # points that are looked at
PRICE, WORK = 24, 2e9  # gradients of all rows that a look costs, and entries of rows that all looks together may read
ROWS = 2_000  # rows whose gradients' spread is taken
FAR = 1e3  # times the excess at the start: a walk is followed no further
SAME = 1e-9  # of the loss: a walk that is made again must come to it


@dataclass(frozen=True)
class Trajectory:
    """A walk at some of its points, (looks,) each; NaN where a quantity is not known.

    A picture that cannot be drawn is refused with InputError, and `missing` says why: "directions", "noise", "rates".
    """

    name: str
    variant: str
    size: int  # rows a step
    t: Array  # updates
    excess: Array  # of the loss over the optimum
    rate: Array  # the schedule's
    signal: Array  # length of the gradient over all rows
    noise: Array  # √(tr C·share): the deviation of a step's own gradient from it
    even: float  # rows a step with which the two are alike at the end
    local: Array  # the stable limit that the curvature here sets
    limit: float  # the same at the optimum
    working: float  # the rate whose noise floor is a tenth of the excess at the start; NaN of steps on all rows
    curvature: Array  # (directions,) eigenvalues at the optimum, ascending
    along: Array  # (looks, directions) ½λ·u²: the excess along each, exactly for least squares
    missing: dict[str, str]

    def plot_directions(self, theme: str = "light") -> Any:
        """The excess along the curvature's directions, grouped by curvature, as a Plotly figure."""
        from fallline.figures.along import directions_of, draw_directions

        return draw_directions(directions_of(self._drawn("directions")), theme)

    def plot_noise(self, theme: str = "light") -> Any:
        """The gradient's signal and a step's noise, with the moment from which noise is larger, as a Plotly figure."""
        from fallline.figures.along import draw_noise, noise_of

        return draw_noise(noise_of(self._drawn("noise")), theme)

    def plot_rates(self, theme: str = "light") -> Any:
        """The rate and the limits of stability as a Plotly figure."""
        from fallline.figures.along import draw_rates, rates_of

        return draw_rates(rates_of(self._drawn("rates")), theme)

    def plots(self, theme: str = "light") -> list[tuple[str, Any]]:
        """Every picture that can be drawn, each with its heading."""
        made = {"noise": self.plot_noise, "rates": self.plot_rates, "directions": self.plot_directions}
        return [(HEADINGS[name], plot(theme)) for name, plot in made.items() if name not in self.missing]

    def _drawn(self, name: str) -> "Trajectory":
        if name in self.missing:
            raise InputError(self.missing[name])
        return self


HEADINGS = {
    "noise": "Noise and signal",
    "rates": "The rate and its limits",
    "directions": "The excess by direction",
}


def trajectory_of(case: Case, looks: int | None = None) -> Trajectory:
    """The walk of a case at `looks` of its points, fewer on large tables.

    Raises InputError where no points are kept and the walk cannot be made again.
    """
    objective, trace, prospect = case.objective, case.trace, case.prospect
    points = trace.points if len(trace.points) == len(trace) else _again(case)
    far = np.flatnonzero(~(case.excess <= FAR * prospect.first))
    end = int(far[0]) if len(far) else len(trace)
    cost = PRICE * objective.n * objective.model.d
    at = spread(max(end, 1), int(np.clip(WORK / cost, FEWEST, LOOKS)) if looks is None else looks)
    w = [np.asarray(points[k], float) for k in at]
    unknown = np.full(len(at), np.nan)
    rate = np.array(trace["rate"], float)[at]
    rate[0] = (
        case.plan.pace(objective, case.rate).at(1.0) if case.walks and case.constant else rate[min(1, len(at) - 1)]
    )
    missing = {} if end > 2 else dict.fromkeys(HEADINGS, "The walk was over before it could be followed.")
    signal, noise, even, local, limit, working = unknown, unknown, np.nan, unknown, np.nan, np.nan
    values, along = np.zeros(0), np.zeros((len(at), 0))
    if reason := _no_directions(case):
        missing.setdefault("directions", reason)
    else:
        values, vectors = np.linalg.eigh(hessian(objective, prospect.optimum))
        along = 0.5 * values * ((np.array(w) - prospect.optimum) @ vectors) ** 2
    if not case.walks or case.batch:
        whole = "Steps on all rows have no noise." if case.batch and case.walks else "It has no rate and no batches."
        missing.setdefault("noise", whole)
    else:
        drawn_again = ORDERS[named(case.plan.sampler, ORDERS)] is WithReplacement
        rows = Rows(objective.n, case.size, not drawn_again)
        signal = np.array([GradientNorm().read(objective, point) for point in w])
        varied = [GradientSpread(ROWS).read(objective, point) for point in w]
        noise = np.sqrt(rows.share * np.array(varied))
        even = rows.sharing(float(signal[-1]) ** 2 / max(varied[-1], 1e-300))
    if reason := _no_limit(case):
        missing.setdefault("rates", reason)
    else:
        stable = rule_of(case.plan.stepper(objective)[0]).stable
        constant = isinstance(objective.loss, SquaredError) and len(values) > 0
        bends = np.full(len(at), values[-1]) if constant else np.array([_largest(objective, point) for point in w])
        local, limit = stable / bends, stable / (values[-1] if len(values) else bends[-1])
        rates = prospect.rates(case.plan)
        working = rates.working if rates is not None and not case.batch else np.nan
    return Trajectory(
        case.plan.name, str(case.plan.variant), case.size, trace["t"][at], case.excess[at], rate, signal, noise, even, local,
        float(limit), float(working), values, along, missing,
    )  # fmt: skip


def spread(looks: int, shown: int) -> Array:
    """Which looks: evenly spread, and denser at the start, where much happens."""
    if looks <= shown:
        return np.arange(looks)
    early = np.geomspace(1, looks, shown // 2) - 1
    return np.unique(np.round(np.concatenate([np.linspace(0, looks - 1, shown - shown // 2), early])).astype(int))


def _largest(objective: Any, w: Array) -> float:
    """The largest curvature: what the gauge reads at rate 2."""
    return Sharpness().since(objective, w, Back(w, w, None, 1, 2.0))


def _no_directions(case: Case) -> str:
    """Why the excess has no directions here, if it has none."""
    objective = case.objective
    if not getattr(objective.loss, "smooth", lambda: True)():
        return f"{type(objective.loss).__name__} has corners, and no curvature whose directions could be followed."
    if objective.penalty.prox(1.0, 1.0) != 1.0:
        return "An L1 share has corners where a coefficient is zero, and no curvature there."
    if case.prospect.separable:
        return "The classes part and nothing is penalised: there is no optimum to measure the excess from."
    if objective.size > WIDEST:
        return f"The model has {objective.size:,} parameters: directions are followed up to {WIDEST:,}."
    return ""


def _no_limit(case: Case) -> str:
    """Why no stable limit is known, if none is."""
    if not case.walks:
        return "It takes no rate."
    try:
        rule_of(case.plan.stepper(case.objective)[0])
    except InputError:
        return "The stable limit is known of plain, momentum and Nesterov steps."
    return (
        ""
        if getattr(case.objective.loss, "smooth", lambda: True)()
        else "A loss with corners has no curvature to set a limit."
    )


def _again(case: Case) -> list[Array]:
    """The points of a walk whose trace keeps none, by making it again."""
    trace, plan = case.trace, case.plan
    looks = len(trace)
    if plan.budget == "seconds":
        raise InputError(
            "The trace keeps no points, and a walk that the clock ended is not made again: give it a budget in passes."
        )
    wanted = set(spread(looks, LOOKS).tolist())
    kept = _Kept(wanted, [])
    last = int(trace.last("t"))
    every = max(1, round(-(-case.objective.n // case.size) * (looks - 1) / max(last, 1)))
    again = replace(plan).run(case.objective, looks=every, gauges=(kept,), stops=(Updates(last),), start=None)
    same = len(again.trace) == looks and np.allclose(again.trace["loss"], trace["loss"], rtol=SAME, equal_nan=True)
    if not same:
        raise InputError(
            "The trace keeps no points, and the walk came to other losses when it was made again: walk it by its plan."
        )
    return kept.points


class _Kept:
    """A gauge that keeps the points of some looks, and None for the others."""

    def __init__(self, wanted: set[int], points: list[Any]) -> None:
        self.wanted, self.points = wanted, points

    def name(self) -> str:
        return "kept"

    def price(self, n: int) -> float:
        return 0.0

    def read(self, objective: Any, w: Array) -> float:
        self.points.append(w.copy() if len(self.points) in self.wanted else None)
        return float("nan")
