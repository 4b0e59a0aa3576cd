"""A forecast as a picture: the expected excess with its band, the floor of its rate, and what runs did, drawn over it."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import axes, labels, style
from fallline.figures.bands import BEYOND, ran_away, thinned
from fallline.trace import Trace

Array = np.ndarray[Any, Any]

LOWEST = 1e-7  # of the excess at the start: less is not worth a frame
RUNS = 5  # that a reader can tell apart
SHOWN = 400  # points of a run
FAINT = 1  # lightness of the forecast where a run is drawn over it
TOP = 1e3  # of the same: what is higher has left the frame
LEVEL = 0.01  # of the excess at the start, whose arrival is told


class Line(NamedTuple):
    """Excess over the optimum as a share of that at the start, against updates."""

    t: Array
    share: Array


class AheadFacts(NamedTuple):
    """What the picture shows."""

    name: str
    variant: str
    mean: Line
    low: Array  # (points,) the band
    high: Array
    runs: tuple[Line, ...]
    floor: float  # share at which a constant rate stays; NaN where there is none
    per_pass: int
    finding: str
    beside: str  # about the limits, in words
    inside: (
        float  # share of the first run's looks, the start left out, at which it is inside the band; NaN without a run
    )


def ahead_of(forecast: Any, traces: Sequence[Trace] = ()) -> AheadFacts:
    """From a fallline.forecast.result.Forecast, and traces of runs on the same objective."""
    scale, (low, high) = float(forecast.excess[0]), forecast.band
    runs = []
    for trace in traces[:RUNS]:
        keep = thinned(len(trace), SHOWN)
        runs.append(Line(trace["t"][keep], (trace["loss"][keep] - forecast.optimum) / scale))
    name = forecast.plan.name
    finding = forecast.headline()
    if traces:
        finding += f"; the run {_happened(forecast, traces[0])}"
    rate, limit = float(forecast.plan.rate), forecast.rates.batch if forecast.per_pass == 1 else forecast.rates.working
    kind = (
        "largest stable rate"
        if forecast.per_pass == 1
        else "largest rate that works (noise below a tenth of the start)"
    )
    beside = f"Rate {words.number(rate)}; the {kind} is {words.number(limit)}."
    return AheadFacts(
        name, str(forecast.plan.variant), Line(forecast.t, forecast.excess / scale), (low - forecast.optimum) / scale,
        (high - forecast.optimum) / scale, tuple(runs), float(forecast.floor) / scale, forecast.per_pass, finding, beside,
        _inside(forecast, traces[0]) if traces else math.nan,
    )  # fmt: skip


def _happened(forecast: Any, trace: Trace) -> str:
    """What a run did, in the measure of the forecast."""
    share, t = (trace["loss"] - forecast.optimum) / float(forecast.excess[0]), trace["t"]
    there = np.flatnonzero(share <= LEVEL)
    if ran_away(trace):
        return "ran away"
    if math.isfinite(forecast.updates_to(LEVEL)) and len(there):
        k = int(there[0])
        if k and share[k] > 0.0:  # between two looks, by a straight line in the logarithm
            done = math.log(share[k - 1] / LEVEL) / math.log(share[k - 1] / share[k])
            return f"took {words.count(float(t[k - 1] + done * (t[k] - t[k - 1])))}"
        return f"took {words.count(float(t[k]))}"
    return f"left {words.percent(max(float(share[-1]), 0.0))} after {words.count(float(t[-1]))}"


def _inside(forecast: Any, trace: Trace) -> float:
    """At how many of its looks, the start left out, a run is inside the band."""
    t, loss = trace["t"][1:], trace["loss"][1:]
    low, high = (np.interp(np.log1p(t), np.log1p(forecast.t), edge) for edge in forecast.band)
    return float(np.mean((loss >= low) & (loss <= high))) if len(t) else math.nan


def draw_ahead(facts: AheadFacts, theme: str = "light") -> go.Figure:
    """The expected excess as a line in its band; a single run strong over it, several thin."""
    paper, ink = style.PAPERS[theme], style.colour(facts.variant, theme=theme)
    alone = len(facts.runs) == 1
    seen = [line.share for line in facts.runs] + [facts.mean.share, facts.low[1:]]
    low = max(LOWEST, min(float(part[part > 0].min()) for part in seen if (part > 0).any()) / 1.5)
    high = 1.5 * max(
        float(part[part < TOP].max(initial=1.0)) for part in [facts.mean.share, *(line.share for line in facts.runs)]
    )
    runs, mean = [_cut(line, TOP) for line in facts.runs], _cut(facts.mean, TOP)
    last = max(float(line.t[-1]) for line in (mean, *runs))
    axis = axes.time_axis("updates", 1.0, min(_half(facts.mean), last), last, 1)
    named = [("run", runs[0]), ("forecast", mean)] if alone else [("forecast", mean)]
    lines = [(name, line) for name, line in named if len(line.t) > 1]
    figure = style.figure(
        facts.finding,
        how_to_read(facts),
        theme,
        showlegend=False,
        xaxis=axis.layout(),
        yaxis=axes.percent_axis(low, high, "loss above the optimum, share of the start, log scale"),
        margin={"r": labels.room_for([name for name, _ in lines])},
    )
    x = [axis.seen(float(t)) for t in facts.mean.t]
    floored = [np.clip(part, low / 10, high * 10) for part in (facts.low, facts.high)]
    figure.add_scatter(
        x=[*x, *x[::-1]], y=[*floored[1], *floored[0][::-1]], fill="toself", mode="lines", line={"width": 0},
        fillcolor=style.veil(ink, style.BAND), hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    faint = style.colour(facts.variant, FAINT, theme)
    looks: dict[str, dict[str, Any]] = {
        "run": {"width": 2, "color": ink},
        "forecast": {"width": 6 if alone else 2.5, "color": faint if alone else ink},
    }
    for line in runs if not alone else ():
        figure.add_scatter(**_drawn("run", line, axis, low, {"width": 1, "color": paper.muted}))
    for name, line in lines[::-1]:
        figure.add_scatter(**_drawn(name, line, axis, low, looks[name]))
    if low < facts.floor < high:
        figure.add_hline(y=facts.floor, line=style.guide_line(theme))
        text = f"a constant rate stays at {words.percent(facts.floor)}"
        figure.add_annotation(
            **labels.on_line(text, math.log10(facts.floor), paper.muted, style.veil(paper.paper, 0.55))
        )
    inks = {"run": ink, "forecast": style.colour(facts.variant, 3, theme) if alone else ink}
    for note in labels.ends(
        figure, [(name, axis.mark(float(line.t[-1])), math.log10(min(max(float(line.share[-1]), low), high)), inks[name])
                 for name, line in lines], (math.log10(low), math.log10(high)), theme,
    ):  # fmt: skip
        figure.add_annotation(**note)
    return figure


def how_to_read(facts: AheadFacts) -> str:
    """One sentence under the picture, and one about the rate."""
    band = "80 % of runs are inside of the band at any one moment" if (facts.high > facts.low).any() else ""
    parts = [
        "Lower is nearer the optimum, in shares of the start",
        band or "steps on all rows have no noise, so there is no band",
    ]
    if len(facts.runs) == 1:
        parts.append(
            f"this run was at {words.percent(facts.inside)} of its looks" if band else "the run is the strong line"
        )
    elif facts.runs:
        parts.append("thin lines are runs")
    return f"{'; '.join(parts)}. {facts.beside}"


def _drawn(name: str, line: Line, axis: axes.TimeAxis, low: float, look: dict[str, Any]) -> dict[str, Any]:
    """A line as Plotly's scatter."""
    return {
        "x": [axis.seen(float(t)) for t in line.t], "y": np.clip(line.share, low / 10, BEYOND), "mode": "lines", "name": name,
        "line": look, "hovertemplate": f"{name}: %{{y:.3%}} after %{{x:,}} updates<extra></extra>",
    }  # fmt: skip


def _cut(line: Line, top: float) -> Line:
    """A line up to where it is first higher."""
    above = np.flatnonzero(~(line.share <= top))
    end = int(above[0]) + 1 if len(above) else len(line.t)
    return Line(line.t[:end], np.nan_to_num(line.share[:end], nan=BEYOND, posinf=BEYOND))


def _half(line: Line) -> float:
    """When half of the fall, in the logarithm, was behind it."""
    share = np.maximum(line.share, 1e-300)
    halfway = math.sqrt(float(share[0] * share.min()))
    return max(1.0, float(line.t[int(np.argmax(share <= halfway))]))
