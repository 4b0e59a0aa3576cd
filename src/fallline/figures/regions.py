"""What a network answers on the plane of its two inputs, as training goes on."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import style

Array = np.ndarray[Any, Any]

INKS = ("batch", "stochastic", "mini-batch", "automatic", "baseline")  # a colour a class, in this order
VEIL = 0.35  # of a region's colour
ROWS = 400  # drawn at most


class RegionFacts(NamedTuple):
    """Answers over a grid, look by look."""

    x: Array  # (k,)
    y: Array  # (k,)
    answers: Array  # (looks, k, k) classes
    visits: Array  # (looks,)
    rows: Array  # (m, 2)
    classes: Array  # (m,) of the rows
    right: Array  # (looks,) share of the rows that are told right
    n: int  # rows a pass
    names: tuple[str, str]
    finding: str


def regions_of(
    x: Array, y: Array, answers: Array, visits: Array, rows: Array, classes: Array, right: Array, n: int,
    names: tuple[str, str] = ("first input", "second input"),
) -> RegionFacts:  # fmt: skip
    """From classes over a grid (see fallline.torch.answers.regions)."""
    kept = np.random.default_rng(0).permutation(len(rows))[:ROWS]
    end, half = float(right[-1]), int(np.argmax(right >= 0.5 * (right[0] + right[-1])))
    passes = words.passes(float(visits[half]) / n)
    finding = (
        f"{words.percent(end)} of the rows are told right at the end, {words.percent(float(right[0]))} at the start"
    )
    finding += f"; half of the way is made after {passes}" if end > right[0] else ""
    return RegionFacts(x, y, answers, visits, rows[kept], classes[kept], right, n, names, finding)


HOW = (
    "A colour is a class: areas what the network answers there, dots what the rows are; move the slider to see it learn"
)


def draw_regions(facts: RegionFacts, theme: str = "light") -> go.Figure:
    """Areas and dots, with a slider over the looks."""
    paper, kinds = style.PAPERS[theme], sorted({*np.unique(facts.answers).tolist(), *np.unique(facts.classes).tolist()})
    inks = [style.colour(INKS[k % len(INKS)], theme=theme) for k in range(len(kinds))]
    place = {kind: k for k, kind in enumerate(kinds)}
    coded = np.vectorize(place.get, otypes=[int])(facts.answers)
    figure = style.figure(
        facts.finding, HOW + ".", theme, height=520, margin={"b": 150}, showlegend=True,
        legend={"orientation": "h", "x": 0, "y": -0.12, "yanchor": "top"},
        xaxis=_axis(facts.names[0], facts.x), yaxis=_axis(facts.names[1], facts.y),
    )  # fmt: skip
    last, steps = max(len(kinds) - 1, 1), max(len(kinds), 2)
    shades = [style.mix(ink, paper.paper, 1 - VEIL) for ink in (inks * 2)[:steps]]
    scale = [[edge, shade] for k, shade in enumerate(shades) for edge in (k / steps, (k + 1) / steps)]
    figure.add_heatmap(
        x=facts.x, y=facts.y, z=coded[-1].tolist(), zmin=-0.5, zmax=last + 0.5, colorscale=scale, showscale=False,
        hoverinfo="skip",
    )  # fmt: skip
    for kind, ink in zip(kinds, inks, strict=True):
        own = facts.rows[facts.classes == kind]
        figure.add_scatter(
            x=own[:, 0].round(4).tolist(), y=own[:, 1].round(4).tolist(), mode="markers", name=f"class {kind}",
            marker={"size": 6, "color": ink, "line": {"width": 0.8, "color": paper.paper}}, hoverinfo="skip",
        )  # fmt: skip
    names = [
        f"{words.passes(float(seen) / facts.n)}: {words.percent(float(share))} right"
        for seen, share in zip(facts.visits, facts.right, strict=True)
    ]
    _animate(figure, coded, names, paper)
    return figure


def _axis(name: str, along: Array) -> dict[str, Any]:
    return {"title": {"text": style.plain(name)}, "showgrid": False, "range": [float(along[0]), float(along[-1])]}


def _animate(figure: go.Figure, coded: Array, names: Sequence[str], paper: style.Paper) -> None:
    figure.frames = [
        {"name": str(k), "data": [{"type": "heatmap", "z": answers.tolist()}], "traces": [0]}
        for k, answers in enumerate(coded)
    ]
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    play = {"mode": "immediate", "frame": {"duration": 120, "redraw": True}, "transition": {"duration": 0}}
    figure.update_layout(
        sliders=[{
            "active": len(names) - 1, "x": 0.12, "len": 0.88, "y": 0, "yanchor": "top", "pad": {"t": 92},
            "font": {"color": paper.muted, "size": 11},
            "currentvalue": {"prefix": "after ", "font": {"color": paper.ink, "size": 13}},
            "ticklen": 0, "minorticklen": 0, "bgcolor": paper.grid, "bordercolor": paper.axis,
            "steps": [
                {"label": name.partition(":")[0], "value": name, "method": "animate", "args": [[str(k)], now]}
                for k, name in enumerate(names)
            ],
        }],
        updatemenus=[{
            "type": "buttons", "x": 0, "xanchor": "left", "y": 0, "yanchor": "top", "showactive": False, "pad": {"t": 100},
            "bordercolor": paper.axis, "font": {"color": style.BUTTON},
            "buttons": [{"label": "▶ play", "method": "animate", "args": [None, play]}],
        }],
    )  # fmt: skip
