"""A forecast as a picture: the expected excess with its band, the floor of its rate, and the run over it when there is one."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline.figures import axes, labels, style, words
from fallline.figures.bands import thinned
from fallline.trace import Trace

Array = np.ndarray[Any, Any]

LOWEST = 1e-7  # of the excess at the start: less is not worth a frame
RUNS = 5  # that a reader can tell apart
SHOWN = 400  # points of a run


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


def ahead_of(forecast: Any, traces: Sequence[Trace] = ()) -> AheadFacts:
    """From a fallline.forecast.result.Forecast, and traces of runs on the same objective."""
    scale, (low, high) = float(forecast.excess[0]), forecast.band
    runs = []
    for trace in traces[:RUNS]:
        keep = thinned(len(trace), SHOWN)
        runs.append(Line(trace["t"][keep], (trace["loss"][keep] - forecast.optimum) / scale))
    updates, name = forecast.updates_to(), forecast.plan.name
    if forecast.lost:
        finding = f"{name} is forecast to run away"
    elif math.isfinite(updates):
        finding = f"{name} is forecast to have 1 % of the excess left after {words.count(round(updates))} updates"
    else:
        left = words.percent(float(forecast.excess[-1]) / scale)
        finding = (
            f"{name} is forecast to have {left} of the excess left after {words.count(int(forecast.t[-1]))} updates"
        )
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
    )  # fmt: skip


def draw_ahead(facts: AheadFacts, theme: str = "light") -> go.Figure:
    """The expected excess as a line in its band; a run, if any, thin over it."""
    paper, ink = style.PAPERS[theme], style.colour(facts.variant, theme=theme)
    seen = [line.share for line in facts.runs] + [facts.mean.share, facts.low[1:]]
    low = max(LOWEST, min(float(part[part > 0].min()) for part in seen if (part > 0).any()) / 1.5)
    high = 1.5 * max(float(part.max()) for part in [facts.mean.share, *(line.share for line in facts.runs)])
    last = float(facts.mean.t[-1])
    axis = axes.time_axis("updates", 1.0, _half(facts.mean), last, 1)
    over = "; thin lines are runs" if len(facts.runs) > 1 else "; the thin line is a run" if facts.runs else ""
    band = (
        " At any one moment 80 % of runs are inside of the band"
        if (facts.high > facts.low).any()
        else " Steps on all rows have no noise"
    )
    figure = style.figure(
        facts.finding,
        f"Lower is nearer the optimum, in shares of the start.{band}{over}. {facts.beside}",
        theme,
        showlegend=False,
        xaxis=axis.layout(),
        yaxis=axes.percent_axis(low, min(high, 1e3), "loss above the optimum, share of the start, log scale"),
        margin={"r": labels.room_for(["forecast"])},
    )
    x = [axis.seen(float(t)) for t in facts.mean.t]
    floored = [np.maximum(part, low / 10) for part in (facts.low, facts.high)]
    figure.add_scatter(
        x=[*x, *x[::-1]], y=[*floored[1], *floored[0][::-1]], fill="toself", mode="lines", line={"width": 0},
        fillcolor=style.veil(ink, style.BAND), hoverinfo="skip",
    )  # fmt: skip
    for line in facts.runs:
        figure.add_scatter(
            x=[axis.seen(float(t)) for t in line.t], y=np.maximum(line.share, low / 10), mode="lines", name="run",
            line={"width": 1, "color": paper.muted}, hovertemplate="run: %{y:.3%} after %{x:,} updates<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=x, y=np.maximum(facts.mean.share, low / 10), mode="lines", name="forecast", line={"width": 2.5, "color": ink},
        hovertemplate="forecast: %{y:.3%} after %{x:,} updates<extra></extra>",
    )  # fmt: skip
    if low < facts.floor < high:
        figure.add_hline(y=facts.floor, line=style.guide_line(theme))
        text = f"a constant rate stays at {words.percent(facts.floor)}"
        figure.add_annotation(**labels.on_line(text, math.log10(facts.floor), paper.muted, paper.paper))
    end = math.log10(max(float(facts.mean.share[-1]), low))
    figure.add_annotation(**labels.at_end("forecast", axis.mark(last), end, 0, ink, paper.paper))
    return figure


def _half(line: Line) -> float:
    """When half of the fall, in the logarithm, was behind it."""
    share = np.maximum(line.share, 1e-300)
    halfway = math.sqrt(float(share[0] * share.min()))
    return max(1.0, float(line.t[int(np.argmax(share <= halfway))]))
