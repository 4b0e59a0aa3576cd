"""Pictures of what a walk met: its excess by direction, noise against signal, and the rate against its limits."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import axes, labels, style

Array = np.ndarray[Any, Any]

GROUPS = style.LEVELS  # of directions, told apart by lightness
LOWEST = 1e-7  # of the largest: less is not worth a frame
SMALL = 1e-4  # the same of gradients and rates
GONE = 0.01  # of a group's excess: it has died
MARGIN = 1.6  # times the largest and the smallest, between which the frame is


class Line(NamedTuple):
    """A line over updates."""

    name: str
    values: Array  # (looks,)
    level: int = style.LEVELS - 1  # lightness
    dash: str = "solid"
    width: float = 2.4
    muted: bool = False  # in the grey of what is no run
    band: tuple[Array, Array] | None = None  # (looks,) below and above


class AlongFacts(NamedTuple):
    """What one of the pictures shows."""

    t: Array  # (looks,)
    lines: tuple[Line, ...]
    guides: tuple[tuple[str, float], ...]  # thin lines across, with their words
    moment: float  # update that is marked; NaN: none
    marked: str  # what is said there
    variant: str
    height: str  # title of the upright axis
    shares: bool  # whether that is in per cent
    finding: str
    how: str


def directions_of(found: Any) -> AlongFacts:
    """The excess along groups of directions, from a fallline.explain.trajectory.Trajectory: shares of that at the start."""
    groups = _groups(found.curvature, found.along)
    start = float(found.along[0].sum()) or 1.0
    lines, died = [], []
    for k, chosen in enumerate(groups[::-1]):  # the steepest first
        part = found.along[:, chosen].sum(axis=1) / start
        name = _curvatures(found.curvature[chosen])
        lines.append(Line(name, part, style.LEVELS - 1 - k))
        gone = np.flatnonzero(part <= GONE * part[0])
        died.append(float(found.t[gone[0]]) if len(gone) else math.inf)
    many = words.count(found.t[-1])
    ends = [f"lost 99 % of its excess after {words.count(one)} updates" if one < math.inf else "" for one in died]
    left = [words.percent(float(line.values[-1] / max(line.values[0], 1e-300))) for line in lines]
    said = [end or f"has {rest} of its excess left after {many} updates" for end, rest in zip(ends, left, strict=True)]
    finding = f"The steepest group, {lines[0].name}, {said[0]}"
    if len(lines) > 1:
        finding += f"; the flattest, {lines[-1].name}, {said[-1]}"
    share = start / float(found.excess[0])
    exact = abs(share - 1.0) < 1e-3
    adds = (
        "they add up to the excess"
        if exact
        else f"they add up to the excess of the parabola at the optimum, at the start {words.number(share)} times the real one"
    )
    how = (
        "A line is the part of the excess along directions of like curvature λ, the steeper the stronger; each step of rate η "
        f"shrinks it by about (1 − ηλ)², so steep ones die first; {adds}."
    )
    return AlongFacts(
        found.t, tuple(lines), (), math.nan, "", found.variant, "excess along directions, share of the start, log scale", True,
        finding, how,
    )  # fmt: skip


def _groups(values: Array, along: Array) -> list[Array]:
    """Directions of like curvature, flattest first; those in which there never was any excess are left out."""
    live = np.flatnonzero((along.max(axis=0) > LOWEST * along.sum(axis=1).max()) & (values > 0.0))
    if len(live) <= GROUPS:
        return [np.array([j]) for j in live]
    logs = np.log(values[live])
    edges = np.linspace(logs[0], logs[-1], GROUPS + 1)[1:-1]
    kind = np.searchsorted(edges, logs, side="right")
    return [live[kind == k] for k in range(GROUPS) if (kind == k).any()]


def _curvatures(values: Array) -> str:
    """A group in words: λ 3.1, or λ 0.5–2.1 (4)."""
    low, high = (words.number(float(f"{value:.2g}")) for value in (values[0], values[-1]))
    return f"λ {low}" if len(values) == 1 else f"λ {low}–{high} ({len(values)})"


def noise_of(found: Any) -> AlongFacts:
    """Length of the gradient against the deviation of a step's own, with the first moment at which the latter is larger."""
    moment = crossing(found.t, found.signal, found.noise)
    rows = f"{words.count(found.size)} {'row' if found.size == 1 else 'rows'}"
    ratio = found.noise / np.maximum(found.signal, 1e-300)
    if math.isnan(moment):
        most = words.number(float(ratio.max()))
        finding = f"The noise of {rows} a step stays below the signal: at most {most} of it"
    else:
        when = "from the start" if moment <= 0 else f"from about update {words.count(moment)} on"
        finding = (
            f"The noise of {rows} a step exceeds the signal {when}, {words.number(float(ratio[-1]))} times at the end"
        )
    how = (
        "The signal is the length of the gradient over all rows, the noise how far a step's own is off it: where noise is larger "
        "a step goes mostly by chance, and only a larger batch or a smaller rate goes on; at the end it would take some "
        f"{words.count(found.even)} rows to make them even."
    )
    lines = (Line("signal", found.signal), Line("noise", found.noise, 2, "10px,4px"))
    return AlongFacts(
        found.t, lines, (), moment, "too few rows from here", found.variant, "length of the gradient, log scale", False,
        finding, how,
    )  # fmt: skip


def crossing(t: Array, signal: Array, noise: Array) -> float:
    """When noise is first larger than signal, between looks by straight lines in the logarithms; NaN where it never is."""
    over = np.log(np.maximum(noise, 1e-300)) - np.log(np.maximum(signal, 1e-300))
    above = np.flatnonzero(over > 0.0)
    if not len(above):
        return math.nan
    k = int(above[0])
    if k == 0:
        return float(t[0])
    first, last = math.log1p(t[k - 1]), math.log1p(t[k])
    return math.expm1(first + (last - first) * over[k - 1] / (over[k - 1] - over[k]))


def rates_of(found: Any) -> AlongFacts:
    """The schedule's rate, the limit that the curvature sets where the walk is, and the limits near the optimum."""
    ratio = found.rate / found.local
    k = int(np.nanargmax(ratio))
    over = np.flatnonzero(ratio > 1.0)
    moment = float(found.t[over[0]]) if len(over) else math.nan
    text = (
        f"The rate is at most {words.number(float(ratio[k]))} of the local limit, at update {words.count(found.t[k])}"
    )
    if len(over):
        text = f"The rate is above the local limit at {len(over)} of {len(ratio)} looks, first at update {words.count(moment)}"
    guides, beyond = [("stable limit at the optimum", found.limit)], ""
    if math.isfinite(found.working):
        share = words.number(float(np.nanmax(found.rate)) / found.working)
        text += f"; its largest is {share} of the working limit"
        beyond = "; above the working limit noise keeps more than a tenth of the excess at the start"
        guides.append(("working limit", found.working))
    how = (
        "Above the dashed line the curvature where the walk is makes a step on all rows land higher up the other side than it "
        f"began; near the optimum the line across counts{beyond}."
    )
    lines = (Line("rate", found.rate), Line("local limit", found.local, dash="8px,4px", width=2, muted=True))
    return AlongFacts(
        found.t, lines, tuple(guides), moment, "above the local limit", found.variant, "learning rate, log scale", False,
        text, how,
    )  # fmt: skip


def draw_directions(facts: AlongFacts, theme: str = "light") -> go.Figure:
    """A line a group of directions, named at its end by its curvatures."""
    return _drawn(facts, theme)


def draw_noise(facts: AlongFacts, theme: str = "light") -> go.Figure:
    """Two lines, and a mark where they cross."""
    return _drawn(facts, theme)


def draw_rates(facts: AlongFacts, theme: str = "light") -> go.Figure:
    """The rate over its limits."""
    return _drawn(facts, theme)


def _drawn(facts: AlongFacts, theme: str) -> go.Figure:
    """Lines over updates on a logarithmic height, with guides across and a marked moment."""
    paper = style.PAPERS[theme]
    known = np.concatenate([*(line.values for line in facts.lines), [value for _, value in facts.guides]])
    known = known[np.isfinite(known) & (known > 0.0)]
    high = float(known.max())
    low = max(float(known.min()), (LOWEST if facts.shares else SMALL) * high) / MARGIN
    high *= MARGIN
    last = float(facts.t[-1])
    early = facts.moment if facts.moment > 0 else _half(facts.t, facts.lines)
    axis = axes.time_axis("updates", 1.0, max(1.0, early), last, 1)
    upright = axes.percent_axis(low, high, facts.height)
    if not facts.shares:
        ticks = axes.round_numbers(low, high)
        upright |= {"tickvals": ticks, "ticktext": [words.number(tick) for tick in ticks]}
    marked = not math.isnan(facts.moment)
    figure = style.figure(
        facts.finding, facts.how, theme, showlegend=False, xaxis=axis.layout(), yaxis=upright,
        margin={"r": labels.room_for([line.name for line in facts.lines]), "t": 26 + labels.LINE * marked},
    )  # fmt: skip
    marks = []
    for line in facts.lines:
        ink = paper.muted if line.muted else style.colour(facts.variant, line.level, theme)
        fine = np.isfinite(line.values)
        x = [axis.seen(float(t)) for t in facts.t[fine]]
        if line.band is not None:
            below, above = (np.clip(part[fine], low / 10, high * 10) for part in line.band)
            figure.add_scatter(
                x=[*x, *x[::-1]], y=[*above, *below[::-1]], fill="toself", mode="lines", line={"width": 0},
                fillcolor=style.veil(ink, style.BAND), hoverinfo="skip", showlegend=False,
            )  # fmt: skip
        figure.add_scatter(
            x=x, y=np.maximum(line.values[fine], low / 10), mode="lines", name=line.name,
            line={"color": ink, "width": line.width, "dash": line.dash},
            hovertemplate=f"{line.name}: %{{y:.3~g}} at update %{{x:,}}<extra></extra>",
        )  # fmt: skip
        end = min(max(float(line.values[fine][-1]), low), high)
        marks.append((line.name, axis.mark(float(facts.t[fine][-1])), math.log10(end), _legible(facts, line, theme)))
    for name, value in facts.guides:
        figure.add_hline(y=value, line={**style.guide_line(theme), "dash": "dot"}, layer="below")
        text = f"{name}, {words.number(value)}"
        figure.add_annotation(**labels.on_line(text, math.log10(value), paper.muted, style.veil(paper.paper, 0.55)))
    for note in labels.ends(figure, marks, (math.log10(low), math.log10(high)), theme):
        figure.add_annotation(**note)
    if marked:
        place = axis.seen(facts.moment)
        figure.add_shape(type="line", x0=place, x1=place, yref="paper", y0=0, y1=1, line=style.guide_line(theme, True))
        late = (axis.mark(facts.moment) - axis.range[0]) > 0.6 * (axis.range[1] - axis.range[0])
        figure.add_annotation(
            text=f"update {words.count(facts.moment)}: {facts.marked}", x=axis.mark(facts.moment), yref="paper", y=1,
            yanchor="bottom", yshift=2, xanchor="right" if late else "left", showarrow=False,
            font={"size": 11.5, "color": paper.alarm},
        )  # fmt: skip
    return figure


def _legible(facts: AlongFacts, line: Line, theme: str) -> str:
    """The colour of a line's name, which letters need stronger than lines do."""
    if line.muted:
        return style.PAPERS[theme].muted
    return style.colour(facts.variant, max(line.level, style.LEVELS - 2), theme)


def _half(t: Array, lines: Sequence[Line]) -> float:
    """When the line that falls furthest has half of its fall, in the logarithm, behind it."""
    first = min(lines, key=lambda line: float(np.nanmin(line.values) / max(line.values[0], 1e-300)))
    values = np.maximum(np.nan_to_num(first.values), 1e-300)
    halfway = math.sqrt(float(values[0]) * max(float(values.min()), LOWEST * float(values[0])))
    below = np.flatnonzero(values <= halfway)
    return float(t[below[0]]) if len(below) else float(t[-1])
