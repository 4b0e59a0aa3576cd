"""Loss, and excess loss over the optimum, against time: one line a setting, with the band of its seeds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import axes, labels, style
from fallline.figures.bands import AXES, BEYOND, FLOOR, LEVEL, SHOWN, Band, answered, band_of
from fallline.trace import Trace

SWITCHED = ("updates", "visits", "seconds")  # the axes that a reader switches between
ALMOST_NOTHING = 1e-12
NEAR = 2e-5  # of the optimum: what a solver reaches beyond this is shown at the edge


class CurveFacts(NamedTuple):
    """What a picture of curves shows."""

    bands: tuple[Band, ...]
    levels: tuple[int, ...]  # lightness of each
    y: str  # "loss" or "excess"
    x: str
    axes: dict[str, axes.TimeAxis]
    top: float  # of the frame; what goes above has left it
    bottom: float
    optimum: float | None
    loss: str  # name of the loss
    finding: str
    said: str = ""  # more to say under the picture
    goal: str = "the optimum"  # what excess is over


def plot_traces(
    groups: Mapping[str, Sequence[Trace]], x: str = "visits", y: str = "loss", theme: str = "light"
) -> go.Figure:
    """Curves of groups of runs that differ by seed only: name → traces.

    x: "updates", "visits" (of rows), "epochs" or "seconds". y: "loss", or "excess" for the relative excess over the
    optimum that the traces' `about` gives. theme: "light" or "dark".
    """
    return draw_curves(curves_of(groups, x, y), theme)


def curves_of(
    groups: Mapping[str, Sequence[Trace]], x: str = "visits", y: str = "loss", shown: int = SHOWN
) -> CurveFacts:
    """The facts behind plot_traces, with at most `shown` points a line.

    Raises KeyError for an axis that there is not, or where no optimum is known.
    """
    if x not in AXES:
        raise KeyError(f"there is no time axis {x!r}: take one of {', '.join(AXES)}")
    if y not in ("loss", "excess"):
        raise KeyError(f"there is no height {y!r}: take loss or excess")
    bands = tuple(band_of(name, traces, y, shown) for name, traces in groups.items() if answered(traces))
    if not bands:
        raise ValueError("there are no traces to draw: give at least one group with at least one trace")
    about = next(trace for traces in groups.values() for trace in traces).about
    known = {trace.about.get("optimum") for traces in groups.values() for trace in traces}
    optimum = known.pop() if len(known) == 1 else None
    top, bottom = _frame(bands, y, optimum)
    return CurveFacts(
        bands=bands,
        levels=_lightness(bands),
        y=y,
        x=x,
        axes={kind: _time_axis(kind, bands, top) for kind in AXES},
        top=top,
        bottom=bottom,
        optimum=optimum,
        loss=str(about.get("loss", "")),
        finding=finding(bands, y, x),
        goal=str(about.get("goal", "the optimum")),
    )


def finding(bands: Sequence[Band], y: str, x: str) -> str:
    """What the picture says, with a number."""
    sane, lost = [band for band in bands if not band.lost], [band for band in bands if band.lost]
    first = bands[0]
    if not sane:
        rates = words.listed([words.number(band.rate) for band in lost if band.rate is not None])
        return f"Every run diverges{f', at rate {rates}' if rates else ''}"
    span = _span(sane, x)
    if y == "loss":
        best = min(sane, key=lambda band: float(band.middle[-1]))
        fall = f"from {words.number(float(best.middle[0]))} to {words.number(float(best.middle[-1]))}"
        who = "The loss falls" if len(bands) == 1 else f"{_capital(best.name)} ends lowest: the loss falls"
        return f"{who} {fall} in {axes.duration(x, span, first.n)}"
    there = sorted((band for band in sane if band.reached), key=lambda band: (band.reached or {})[x])
    if not there:
        best = min(sane, key=lambda band: float(band.middle[-1]))
        left = words.percent(float(best.middle[-1]))
        time = axes.duration(x, span, first.n)
        return f"Nothing comes within 1 % in {time}: {best.name} is closest, {left} above the optimum"
    winner = there[0]
    text = f"{_capital(winner.name)} is within 1 % after {_reached(winner, x)}"
    if len(there) > 1:
        text += f", {there[1].name} after {_reached(there[1], x)}"
    never = [band.name for band in sane if not band.reached]
    if never and len(never) <= 2:
        text += f"; {words.listed(never)} never in {axes.duration(x, span, first.n)}"
    elif never:
        text += f"; {len(never)} of {len(bands)} settings never in {axes.duration(x, span, first.n)}"
    return text


def _reached(band: Band, x: str) -> str:
    return axes.duration(x, (band.reached or {})[x], band.n)


def _span(bands: Sequence[Band], x: str) -> float:
    return max(float(band.times[x][-1]) for band in bands)


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _lightness(bands: Sequence[Band]) -> tuple[int, ...]:
    """By rate among the sane runs of the variant; a diverged run has full colour."""
    sane = [band for band in bands if not band.lost]
    by_variant = {band.variant: style.levels([b.rate for b in sane if b.variant == band.variant]) for band in sane}
    return tuple(style.LEVELS - 1 if band.lost else by_variant[band.variant][band.rate] for band in bands)


def _frame(bands: Sequence[Band], y: str, optimum: float | None) -> tuple[float, float]:
    """Top and bottom: all sane runs are inside, and the start of the others."""
    starts = [float(band.middle[0]) for band in bands if band.middle[0] < BEYOND]
    inside = np.concatenate([[*starts], *[band.middle for band in bands if not band.lost]])
    upper = np.concatenate([inside, *[band.high for band in bands if not band.lost]])
    start = max(starts, default=1.0)
    if y == "excess":
        highest = min(float(upper[upper < BEYOND].max(initial=start)), 30 * max(start, FLOOR))
        lowest = min(float(inside.min(initial=start)), LEVEL / 2)
        if any(band.solver for band in bands):  # an exact step ends at nought, which no other line comes near
            others = [float(band.middle.min()) for band in bands if not band.lost and not band.solver]
            lowest = max(lowest, min([NEAR, *others]))
        return 1.8 * max(highest, FLOOR), max(lowest / 1.8, FLOOR / 2)
    floor = min(inside.min(initial=start), math.inf if optimum is None else optimum)
    highest = min(float(upper[upper < BEYOND].max(initial=start)), start + 3 * max(start - floor, ALMOST_NOTHING))
    span = max(highest - floor, ALMOST_NOTHING, 1e-9 * abs(highest))
    return highest + 0.06 * span, floor - 0.06 * span


def _time_axis(kind: str, bands: Sequence[Band], top: float) -> axes.TimeAxis:
    ends = [float(band.times[kind][-1]) for band in bands if not band.lost] or [
        float(band.times[kind][-1]) for band in bands
    ]
    first = [float(band.times[kind][1]) for band in bands if len(band.times[kind]) > 1]
    keys = [key for band in bands if not band.lost and (key := (band.reached or band.settled)[kind]) > 0]
    return axes.time_axis(kind, min(first, default=0.0), min(keys + ends), max(ends), bands[0].n)


class _Line(NamedTuple):
    """A band cut to the frame."""

    points: int  # whole points inside the frame
    share: float  # of the way to the next point at which it leaves; 0 where it never does
    left: bool

    def along(self, values: Any) -> list[float]:
        """Values at the points inside, and where it leaves."""
        inside = [float(value) for value in values[: self.points]]
        if not self.left:
            return inside
        a, b = float(values[self.points - 1]), float(values[self.points])
        return [*inside, a + self.share * (b - a)]


def _cut(band: Band, top: float, logarithmic: bool) -> _Line:
    above = np.flatnonzero(band.middle > top)
    if not band.lost or not len(above) or above[0] == 0:
        return _Line(len(band.middle), 0.0, False)
    k = int(above[0])
    below, over, edge = float(band.middle[k - 1]), float(band.middle[k]), top
    if logarithmic:
        below, over, edge = math.log10(below), math.log10(over), math.log10(top)
    return _Line(k, (edge - below) / (over - below), True)


def draw_curves(facts: CurveFacts, theme: str = "light") -> go.Figure:
    """The picture: a median line and a seed band a setting, names at the ends, a diverged run until it leaves."""
    logarithmic = facts.y == "excess"
    lines = [_cut(band, facts.top, logarithmic) for band in facts.bands]
    pairs = list(zip(facts.bands, lines, strict=True))
    times = {kind: [_seen(facts.axes[kind], line.along(band.times[kind])) for band, line in pairs] for kind in AXES}
    lost = sum(line.left for line in lines)
    names = [band.name for band, line in pairs if not line.left]
    figure = style.figure(
        facts.finding,
        how_to_read(facts),
        theme,
        room=34,
        margin={"r": labels.room_for(names), "t": 26 + labels.LINE * lost},
        showlegend=False,
        hovermode="closest",
    )
    marks = _marks(facts, lines, theme, figure.layout.meta)
    for k, (band, line) in enumerate(pairs):
        _draw_band(figure, facts, k, line, times[facts.x][k], theme)
        if line.left:
            figure.add_scatter(
                x=times[facts.x][k][-1:], y=[_edge(facts)], mode="markers", cliponaxis=False, showlegend=False,
                marker={"symbol": "triangle-up", "size": 10, "color": style.colour(band.variant, theme=theme)},
                hovertemplate=f"{style.plain(band.name)} diverges<extra></extra>", meta={"curve": k, "part": "exit"},
            )  # fmt: skip
    _draw_levels(figure, facts, theme)
    kinds = {
        kind: {"axis": axis.layout(), "x": times[kind], "marks": [axis.mark(line[-1]) for line in times[kind]]}
        for kind, axis in facts.axes.items()
    }
    figure.layout.annotations = [*marks, *figure.layout.annotations]
    figure.update_layout(
        xaxis=facts.axes[facts.x].layout(),
        yaxis=_height_axis(facts),
        meta={**figure.layout.meta, "axes": {kind: kinds[kind] for kind in SWITCHED}},
        updatemenus=[_switch(figure, kinds, facts, labels.LINE * lost, theme)],
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
    )
    return figure


def how_to_read(facts: CurveFacts) -> str:
    """One sentence under the picture."""
    seeds = max(band.seeds for band in facts.bands)
    parts = ["Lower is better"]
    if seeds > 1:
        parts.append(f"a line is the median of {seeds} seeds, its band holds 10 to 90 % of them")
    if len(set(facts.levels)) > 1:
        parts.append("the stronger the colour, the larger the rate")
    if any(band.solver for band in facts.bands):
        parts.append(
            "★ marks the automatic solver's steps, from its first answer on; one on the lower edge is at the optimum"
        )
    if any(band.lost for band in facts.bands):
        parts.append("▲ marks where a diverged run leaves the frame")
    looks, shown = max(band.looks for band in facts.bands), max(len(band.middle) for band in facts.bands)
    if looks > shown:
        parts.append(f"{shown} of {words.count(looks)} looks are drawn")
    return "; ".join([*parts, *filter(None, [facts.said])]) + "."


def _edge(facts: CurveFacts) -> float:
    """Just inside the top of the frame."""
    return (
        facts.top / axes.INSIDE if facts.y == "excess" else facts.top - (axes.INSIDE - 1) * (facts.top - facts.bottom)
    )


def _seen(axis: axes.TimeAxis, times: list[float]) -> list[float]:
    return [axis.seen(time) for time in times]


def _marks(facts: CurveFacts, lines: Sequence[_Line], theme: str, meta: Any) -> list[dict[str, Any]]:
    """A name at the end of every line; those that left the frame are named above it."""
    frame = meta["height"] - meta["margin"]["t"] - meta["margin"]["b"]
    low, high = (math.log10(v) if facts.y == "excess" else v for v in (facts.bottom, facts.top))

    def pixel(value: float) -> float:
        value = math.log10(value) if facts.y == "excess" else value
        return (value - low) / (high - low) * frame

    ends = [0.0 if line.left else pixel(float(band.middle[-1])) for band, line in zip(facts.bands, lines, strict=True)]
    staying = [k for k, line in enumerate(lines) if not line.left]
    places = dict(zip(staying, labels.dodge([ends[k] for k in staying], labels.LINE, 6.0, frame - 6.0), strict=True))
    paper = style.veil(style.PAPERS[theme].paper, 0.8)
    marks, left = [], 0
    for k, (band, line) in enumerate(zip(facts.bands, lines, strict=True)):
        x = facts.axes[facts.x].mark(line.along(band.times[facts.x])[-1])
        ink = style.colour(band.variant, theme=theme)
        if line.left:
            rate = f" at rate {words.number(band.rate)}" if band.rate is not None else ""
            mark = labels.at_end(f"{band.variant} diverges{rate}", x, high, 12.0 + labels.LINE * left, ink, paper)
            marks.append({**mark, "name": labels.LOST})
            left += 1
        else:
            y = math.log10(float(band.middle[-1])) if facts.y == "excess" else float(band.middle[-1])
            y = min(max(y, low), high)
            marks.append(labels.at_end(band.name, x, y, places[k] - min(max(ends[k], 0.0), frame), ink, paper))
    return marks


def _draw_band(figure: go.Figure, facts: CurveFacts, k: int, line: _Line, x: list[float], theme: str) -> None:
    band, level = facts.bands[k], facts.levels[k]
    ink = style.colour(band.variant, level, theme)
    if band.seeds > 1 and not line.left:
        high = np.minimum(band.high, facts.top).tolist()
        low = np.maximum(band.low, facts.bottom).tolist()
        figure.add_scatter(
            x=x + x[::-1], y=high + low[::-1], mode="lines", fill="toself", line={"width": 0}, hoverinfo="skip",
            fillcolor=style.veil(ink, style.BAND), showlegend=False, meta={"curve": k, "part": "band"},
        )  # fmt: skip
    y = line.along(np.clip(band.middle, facts.bottom * axes.INSIDE if facts.y == "excess" else -BEYOND, BEYOND))
    if line.left:
        y[-1] = facts.top
    height = "%{y:.3g}" if facts.y == "loss" else f"%{{y:.3~p}} above {facts.goal}"
    figure.add_scatter(
        x=x, y=y, mode="lines+markers" if band.solver else "lines", name=style.plain(band.name), showlegend=not line.left,
        meta={"curve": k, "part": "line"}, line={"color": ink, "width": 2.2, "dash": style.look(band.variant).dash},
        marker={"symbol": style.look(band.variant).symbol, "size": 10 if band.solver else 0, "color": ink},
        cliponaxis=not band.solver,
        hovertemplate=f"{style.plain(band.name)}<br>{height} at %{{x:,.4~g}}<extra></extra>",
    )  # fmt: skip


def _draw_levels(figure: go.Figure, facts: CurveFacts, theme: str) -> None:
    paper = style.PAPERS[theme]
    if facts.y == "excess":
        value, place, text = LEVEL, math.log10(LEVEL), "1 % level"
    elif facts.optimum is not None:
        value = place = facts.optimum
        text = f"{facts.goal.removeprefix('the ')} {words.number(facts.optimum)}"
    else:
        return
    figure.add_shape(
        type="line", xref="paper", x0=0, x1=1, y0=value, y1=value, layer="below", line=style.guide_line(theme)
    )
    figure.add_annotation(**labels.on_line(text, place, paper.muted, style.veil(paper.paper, 0.55)))


def _height_axis(facts: CurveFacts) -> dict[str, Any]:
    if facts.y == "excess":
        return axes.percent_axis(facts.bottom, facts.top, f"excess loss over {facts.goal}, log scale")
    title = f"objective ({words.loss_name(facts.loss)}, mean a row)" if facts.loss else "loss"
    return {"title": {"text": title}, "range": [facts.bottom, facts.top]}


def _switch(
    figure: go.Figure, kinds: dict[str, dict[str, Any]], facts: CurveFacts, above: float, theme: str
) -> dict[str, Any]:
    wanted = [kind for kind in AXES if kind in SWITCHED or kind == facts.x]
    updates = {}
    for kind in wanted:
        x = kinds[kind]["x"]
        data = [
            x[trace.meta["curve"]] + x[trace.meta["curve"]][::-1] if trace.meta["part"] == "band"
            else x[trace.meta["curve"]][-1:] if trace.meta["part"] == "exit" else x[trace.meta["curve"]]
            for trace in figure.data
        ]  # fmt: skip
        axis = kinds[kind]["axis"]
        layout = {f"xaxis.{key}": value for key, value in axis.items() if key != "title"}
        layout["xaxis.title.text"] = axis["title"]["text"]
        layout |= {f"annotations[{k}].x": mark for k, mark in enumerate(kinds[kind]["marks"])}
        updates[kind] = {"data": {"x": data}, "layout": layout}
    return axes.switch(updates, facts.x, theme, above)
