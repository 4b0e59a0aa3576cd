"""Small pictures of arrays, for a page or a notebook: lines by name, and walks over the ground that they went down.

They take numbers as they are, where the other figures gather facts from traces; the textbook's pictures are drawn by them.
"""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from fallline.figures import axes, labels, style

Array = np.ndarray[Any, Any]

HEIGHT = 300  # pixels of the picture without its title
INSIDE = 218  # of them, pixels of the frame
MARGIN = 0.04  # of the frame, beyond the highest and the lowest height
GRID = 81  # points a side of a ground's heights
LEVELS = 8  # shades of a ground; lines between them would double the size of its picture
NEAREST = 1e-4  # the lowest shade of a ground in decades, as a share of its height
FEW = 60  # points of a walk that are each marked
ROOM = -30  # pixels that style.figure keeps for how to read a picture, which stands beside the picture here


def draw_lines(
    lines: Mapping[str, Any],
    title: str,
    x: str = "updates",
    y: str = "loss",
    log: str = "",
    dots: Collection[str] = (),
    low: float = -math.inf,
    high: float = math.inf,
    theme: str = "light",
) -> go.Figure:
    """Lines with their names at their ends: name → heights, or (places, heights).

    x, y: what the axes are. log: the axes in decades, "x", "y" or "xy". dots: names drawn as points alone. low, high: where
    the frame ends, if lines go further. At most as many lines as there are looks; what has no place on an axis is left out.
    """
    paper = style.PAPERS[theme]
    points = {name: _points(values, log) for name, values in lines.items()}
    across, up = (np.concatenate([pair[k] for pair in points.values()]) for k in (0, 1))
    span = (max(low, float(up.min())), min(high, float(up.max())))
    figure = style.figure(
        title, "", theme, height=HEIGHT, room=ROOM, showlegend=False, margin={"r": labels.room_for(list(lines))},
        xaxis={"title": {"text": style.plain(x)}, **_axis(float(across.min()), float(across.max()), "x" in log, 0.0)},
        yaxis={"title": {"text": style.plain(y)}, **_axis(*span, "y" in log, MARGIN)},
    )  # fmt: skip
    inks = [style.colour(look, theme=theme) for look in style.LOOKS]
    ends = []
    for (name, (places, heights)), ink, look in zip(points.items(), inks, style.LOOKS.values(), strict=False):
        figure.add_scatter(
            x=places, y=heights, name=style.plain(name), mode="markers" if name in dots else "lines",
            line={"color": ink, "width": 2.2, "dash": look.dash}, marker={"size": 6, "color": ink, "symbol": look.symbol},
        )  # fmt: skip
        inside = np.flatnonzero((heights >= span[0]) & (heights <= span[1]))
        last = int(inside[-1]) if len(inside) else len(heights) - 1  # where it leaves the frame, if it does
        ends.append((name, _seen(float(places[last]), "x" in log), _seen(float(heights[last]), "y" in log), ink))
    bottom, top = figure.layout.yaxis.range
    wanted = [(end[2] - bottom) / (top - bottom) * INSIDE for end in ends]
    for (name, place, height, ink), was, now in zip(
        ends, wanted, labels.dodge(wanted, labels.LINE, 0.0, float(INSIDE)), strict=True
    ):
        figure.add_annotation(**labels.at_end(name, place, height, now - was, ink, paper.paper))
    return figure


def draw_walks(
    f: Callable[[Array], Any],
    walks: Mapping[str, Any],
    title: str,
    bounds: tuple[float, float, float, float],
    names: tuple[str, str] = ("w₁", "w₂"),
    log: bool = True,
    theme: str = "light",
) -> go.Figure:
    """Walks over two parameters, from above: name → points (k, 2); f gives the heights of points (..., 2).

    bounds: low and high of both axes. log: shades are evenly spaced in decades of the height above the lowest, and not
    in the height itself. The circle is where the first walk begins, and a larger mark where each ends.
    """
    paper = style.PAPERS[theme]
    figure = style.figure(
        title, "", theme, height=HEIGHT + 60, room=ROOM, showlegend=True, legend={"x": 1.02, "y": 1, "yanchor": "top"},
        xaxis={"title": {"text": style.plain(names[0])}, "showgrid": False, "range": bounds[:2]},
        yaxis={"title": {"text": style.plain(names[1])}, "showgrid": False, "range": bounds[2:]},
    )  # fmt: skip
    across, up = np.linspace(*bounds[:2], GRID), np.linspace(*bounds[2:], GRID)
    heights = np.asarray(f(np.stack(np.meshgrid(across, up), axis=-1)), dtype=float)
    heights = heights - heights.min()
    depth = np.log10(np.maximum(heights, NEAREST * heights.max())) if log else heights
    lowest, highest = float(depth.min()), float(depth.max())
    figure.add_contour(
        x=across, y=up, z=depth, showscale=False, autocontour=False, hoverinfo="skip", showlegend=False,
        contours={"start": lowest, "end": highest, "size": (highest - lowest) / LEVELS},
        colorscale=[[k / (len(paper.valley) - 1), shade] for k, shade in enumerate(paper.valley)],
        line={"width": 0},
    )  # fmt: skip
    for (name, points), (variant, look) in zip(walks.items(), style.LOOKS.items(), strict=False):
        path, ink = np.asarray(points, dtype=float), style.colour(variant, theme=theme)
        figure.add_scatter(
            x=path[:, 0], y=path[:, 1], mode="lines+markers" if len(path) <= FEW else "lines", name=style.plain(name),
            line={"color": ink, "width": 2}, marker={"size": 5, "color": ink, "symbol": look.symbol},
        )  # fmt: skip
        figure.add_scatter(
            x=path[-1:, 0], y=path[-1:, 1], mode="markers", showlegend=False, hoverinfo="skip",
            marker={"size": 11, "symbol": look.symbol, "color": ink, "line": {"width": 1.5, "color": paper.paper}},
        )  # fmt: skip
    first = np.asarray(next(iter(walks.values())), dtype=float)[0]
    figure.add_scatter(
        x=first[:1], y=first[1:], mode="markers", showlegend=False, hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 13, "color": paper.ink, "line": {"width": 2}},
    )  # fmt: skip
    return figure


def _points(values: Any, log: str) -> tuple[Array, Array]:
    """Places and heights, without those that have no place on an axis."""
    heights = np.asarray(values[1] if isinstance(values, tuple) else values, dtype=float)
    places = np.asarray(values[0], dtype=float) if isinstance(values, tuple) else np.arange(len(heights), dtype=float)
    kept = np.isfinite(heights) & ((heights > 0) | ("y" not in log)) & ((places > 0) | ("x" not in log))
    return places[kept], heights[kept]


def _seen(value: float, decades: bool) -> float:
    """As Plotly's annotations and ranges want it: on an axis in decades, the exponent."""
    return math.log10(value) if decades else value


def _axis(low: float, high: float, decades: bool, margin: float) -> dict[str, Any]:
    """Plotly's axis from low to high, with a margin as a share of it."""
    bottom, top = _seen(low, decades), _seen(high, decades)
    beyond = margin * (top - bottom or 1.0)
    axis: dict[str, Any] = {"range": [bottom - beyond, top + beyond]}
    if decades:
        ticks = axes.decades(10.0 ** (bottom - beyond), 10.0 ** (top + beyond))
        if len(ticks) < 2:
            ticks = axes.round_numbers(low, high)
        axis.update(type="log", tickvals=ticks, ticktext=[_power(tick) for tick in ticks])
    return axis


def _power(tick: float) -> str:
    """0.001 and 1000 as they are, what is further out as a power of ten."""
    exponent = round(math.log10(tick))
    return f"{tick:g}" if -3 <= exponent <= 3 else f"10<sup>{str(exponent).replace('-', '−')}</sup>"
