"""How a rate was found: the loss of ramps over the rate, the interval and the edge that they show, the race, and the pick."""

import math
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import axes, labels, style

Array = np.ndarray[Any, Any]

MARGIN = 1.25  # times the largest and the smallest loss, between which the frame is
BEYOND = 10.0  # times the edge or the largest rate raced: what the ramps did there is no news
HALF_OF = 0.6  # of the frame's width, right of which words stand left of their line


class Race(NamedTuple):
    """Rates that walked a share of the budget."""

    share: float
    rates: Array  # (k,)
    left: Array  # (seeds, k) infinite where a walk ran away
    loss: Array  # (k,) the seeds' mean


class FinderFacts(NamedTuple):
    """What the picture shows."""

    rates: Array  # (looks,) of the ramps
    losses: Array  # (seeds, looks)
    low: float
    high: float
    edge: float
    races: tuple[Race, ...]  # the longer the later
    pick: float
    schedule: str
    finding: str


def finder_of(found: Any) -> FinderFacts:
    """From a fallline.torch.finder.FoundRate."""
    schedule = str(found.plan.schedule)
    finding, edge = f"Rate {words.number(found.pick)} for schedule {schedule}", words.number(found.edge)
    finding += f"; the ramps climb again at {edge}" if found.heats else f": a tenth of the edge at {edge}"
    races = tuple(Race(heat.share, heat.rates, heat.left, heat.loss) for heat in found.heats)
    return FinderFacts(
        found.rates, found.losses, found.low, found.high, found.edge, races, found.pick, schedule, finding
    )


def how_to_read(facts: FinderFacts) -> str:
    """What the line, the band, the dots and the shade are."""
    seeds = len(facts.losses)
    text = (
        f"The line is the loss on fixed rows while the rate grows step by step, the mean of {words.times(seeds, 'ramp', 'ramps')}"
        f"{', the band all of them' if seeds > 1 else ''}; shaded, the interval from a tenth of the steepest rate to the minimum"
    )
    if not facts.races:
        return f"{text}."
    shares = words.listed([words.percent(race.share) for race in facts.races])
    bars = ", bars from seed to seed" if len(facts.races[0].left) > 1 else ""
    lost = "; × at the top: ran away" if any(not np.isfinite(race.left).all() for race in facts.races) else ""
    return (
        f"{text}, or as far as the race went on. A dot is what a rate comes to in {shares} of the budget on schedule{bars}; "
        f"the pick is for all of it{lost}."
    )


def draw_finder(facts: FinderFacts, theme: str = "light") -> go.Figure:
    """The ramps with their band, the race as dots, the interval as a shade, edge and pick as lines up."""
    paper = style.PAPERS[theme]
    right = max(facts.edge, facts.high) * BEYOND
    seen = facts.rates <= right
    rates, losses = facts.rates[seen], np.maximum(facts.losses[:, seen], 1e-12)
    ends = np.concatenate([race.left.ravel() for race in facts.races] or [np.zeros(0)])
    ends = ends[np.isfinite(ends)]
    low = min(float(losses.min()), float(ends.min(initial=np.inf))) / MARGIN**1.5
    high = float(losses[:, 0].max()) * MARGIN**2
    span = math.log10(float(rates[0])), math.log10(float(rates[-1]))
    ticks = axes.round_numbers(low, high)
    figure = style.figure(
        facts.finding, how_to_read(facts), theme, showlegend=False, margin={"t": 26 + 2 * labels.LINE, "r": 40},
        xaxis={
            "type": "log", "range": list(span), "title": {"text": "learning rate, log scale"},
            "tickvals": (powers := axes.decades(float(rates[0]), float(rates[-1]), 9)),
            "ticktext": [words.number(power) for power in powers],
        },
        yaxis={
            "type": "log", "range": [math.log10(low), math.log10(high)], "title": {"text": "loss, log scale"},
            "tickvals": ticks, "ticktext": [words.number(tick) for tick in ticks],
        },
    )  # fmt: skip
    figure.add_shape(
        type="rect", x0=facts.low, x1=facts.high, yref="paper", y0=0, y1=1, layer="below", line={"width": 0},
        fillcolor=style.veil(style.colour("batch", theme=theme), 0.06),
    )  # fmt: skip
    _draw_ramps(figure, rates, losses, high, theme)
    for k, race in enumerate(facts.races):
        _draw_race(figure, race, style.LEVELS - 2 * (len(facts.races) - k) + 1, high, theme)
    pick = style.colour("automatic", theme=theme)
    figure.add_annotation(
        text="interval", x=math.log10(facts.low), yref="paper", y=0, xanchor="left", yanchor="bottom", xshift=4,
        font={"size": 11.5, "color": style.colour("batch", theme=theme)}, showarrow=False,
    )  # fmt: skip
    for name, rate, ink, dash, up in (
        ("edge", facts.edge, paper.muted, "dot", 0), ("pick", facts.pick, pick, "solid", labels.LINE),
    ):  # fmt: skip
        place = math.log10(rate)
        late = place - span[0] > HALF_OF * (span[1] - span[0])
        figure.add_shape(
            type="line", x0=rate, x1=rate, yref="paper", y0=0, y1=1, line={"color": ink, "width": 1.5, "dash": dash},
        )  # fmt: skip
        figure.add_annotation(
            text=f"{name} {words.number(rate)}", x=place, yref="paper", y=1, yanchor="bottom", yshift=2 + up,
            xanchor="right" if late else "left", font={"size": 11.5, "color": ink}, showarrow=False,
        )  # fmt: skip
    return figure


def _draw_ramps(figure: go.Figure, rates: Array, losses: Array, high: float, theme: str) -> None:
    """The mean in the logarithm, as the finder takes it, in the band of all seeds; cut well above the frame."""
    ink = style.colour("batch", theme=theme)
    cut = np.minimum(losses, 100.0 * high)
    bottom, top, middle = cut.min(axis=0), cut.max(axis=0), np.exp(np.log(cut).mean(axis=0))
    figure.add_scatter(
        x=[*rates, *rates[::-1]], y=[*top, *bottom[::-1]], fill="toself", mode="lines", line={"width": 0},
        fillcolor=style.veil(ink, style.BAND), hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=rates, y=middle, mode="lines", name="ramps", line={"color": ink, "width": 2.4},
        hovertemplate="rate %{x:.3~g}: loss %{y:.3~g} in the ramps<extra></extra>",
    )  # fmt: skip
    figure.add_annotation(
        **labels.on_line("ramps", math.log10(middle[0]), ink, style.veil(style.PAPERS[theme].paper, 0.55))
    )


def _draw_race(figure: go.Figure, race: Race, level: int, high: float, theme: str) -> None:
    """A dot a rate with its seeds as a bar; what ran away with any seed, or left the frame, as a cross at the top."""
    ink = style.colour("automatic", level, theme)
    inside = race.left.max(axis=0) <= high
    left, middle, name = race.left[:, inside], race.loss[inside], f"{words.percent(race.share)} of the budget"
    figure.add_scatter(
        x=race.rates[inside], y=middle, mode="lines+markers", name=name,
        line={"color": ink, "width": 1.6, "dash": style.look("automatic").dash},
        marker={"size": 10, "color": ink, "line": {"width": 1.5, "color": style.PAPERS[theme].paper}},
        error_y={"type": "data", "symmetric": False, "array": left.max(axis=0) - middle,
                 "arrayminus": middle - left.min(axis=0), "color": ink, "thickness": 1.4, "width": 4},
        hovertemplate=f"rate %{{x:.3~g}}: loss %{{y:.4~g}} in {name}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=race.rates[~inside], y=np.full(int((~inside).sum()), high / axes.INSIDE), mode="markers", cliponaxis=False,
        marker={"symbol": "x-thin", "size": 10, "line": {"width": 2.6, "color": ink}},
        hovertemplate="rate %{x:.3~g} ran away<extra></extra>",
    )  # fmt: skip
    if inside.any():
        place = math.log10(float(race.rates[inside][-1])), math.log10(float(middle[-1]))
        figure.add_annotation(**labels.at_end(name, *place, 0, ink, style.veil(style.PAPERS[theme].paper, 0.8)))
