"""The cost surface with the paths on it: from above as contours, and as a relief that can be turned."""

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import style
from fallline.plane import PathOnPlane, Surface

STEPS = 36  # of the slider
LIFT = 0.006  # of the relief's height, by which paths float above it to be seen
DROPS = 12  # of a path's points from which a line drops to the surface
FEW = 40  # looks that can be told apart as dots
DEPTH = 3.0  # how far below the first contour line the colour still changes


def draw_surface(surface: Surface, theme: str = "light") -> go.Figure:
    """Contours from above, with a slider that walks every path."""
    paper = style.PAPERS[theme]
    figure = style.figure(
        finding(surface),
        how_to_read(surface),
        theme,
        height=560,
        room=6,
        margin={"b": 96 + _legend_room(surface), "t": 34},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top"},
        xaxis={"title": {"text": style.plain(surface.names[0])}, "showgrid": False, "range": _ends(surface.x)},
        yaxis={"title": {"text": style.plain(surface.names[1])}, "showgrid": False, "range": _ends(surface.y)},
    )
    lines = np.log10(surface.levels)
    figure.add_contour(
        x=_rounded(surface.x), y=_rounded(surface.y), z=_rounded(_depth(surface)), name="height", showscale=False,
        autocontour=False, colorscale=_colours(theme), hoverinfo="skip", line={"width": 0.8, "color": paper.axis},
        contours={"start": lines[0], "end": lines[-1], "size": lines[1] - lines[0]},
    )  # fmt: skip
    for path in surface.paths:
        look, ink = style.look(path.variant), style.colour(path.variant, theme=theme)
        figure.add_scatter(
            x=_rounded(path.x), y=_rounded(path.y), mode="lines+markers" if len(path.x) <= FEW else "lines",
            name=style.plain(_short(path)), line={"color": ink, "width": 2.4, "dash": look.dash},
            marker={"size": 4.5, "color": ink}, customdata=_rounded(path.heights),
            hovertemplate=f"{style.plain(path.name)}<br>loss %{{customdata:.4g}}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=[float(path.x[-1]) for path in surface.paths], y=[float(path.y[-1]) for path in surface.paths],
        mode="markers", showlegend=False, hoverinfo="skip", cliponaxis=False,
        marker={"size": 10, "symbol": [_head(path) for path in surface.paths],
                "color": [style.colour(path.variant, theme=theme) for path in surface.paths],
                "line": {"width": 1.5, "color": paper.paper}},
    )  # fmt: skip
    _draw_places(figure, surface, paper)
    figure.add_annotation(
        text=left_out(surface), xref="paper", yref="paper", x=0, y=1, xanchor="left", yanchor="bottom", yshift=4,
        font={"size": 12, "color": paper.muted}, showarrow=False,
    )  # fmt: skip
    _animate(figure, surface, theme, flat=True)
    return figure


def draw_relief(surface: Surface, theme: str = "light") -> go.Figure:
    """The same in three dimensions, to be turned; paths float at their true heights."""
    paper = style.PAPERS[theme]
    lift = LIFT * float(surface.heights.max() - surface.lowest)
    axis = {
        "backgroundcolor": paper.paper, "gridcolor": paper.grid, "linecolor": paper.axis, "zerolinecolor": paper.grid,
        "tickfont": {"color": paper.muted, "size": 10}, "showspikes": False, "nticks": 6,
    }  # fmt: skip
    first, second = (style.plain(name.split(",")[0]) for name in surface.names)
    figure = style.figure(
        descent(surface),
        how_to_read(surface, relief=True),
        theme,
        height=580,
        room=6,
        margin={"l": 4, "r": 4, "b": 46 + _legend_room(surface), "t": 10},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": -0.02, "yanchor": "top"},
        scene={
            "xaxis": {**axis, "title": {"text": first}}, "yaxis": {**axis, "title": {"text": second}},
            "zaxis": {**axis, "title": {"text": "loss"}}, "aspectmode": "manual",
            "aspectratio": {"x": 1.15, "y": 1.15, "z": 0.75}, "camera": {"eye": {"x": -1.02, "y": -1.34, "z": 0.86},
            "center": {"x": 0, "y": 0, "z": -0.2}},
        },
    )  # fmt: skip
    figure.add_surface(
        x=_rounded(surface.x), y=_rounded(surface.y), z=_rounded(surface.heights),
        surfacecolor=_rounded(_depth(surface)), colorscale=_colours(theme), showscale=False, opacity=0.94,
        hoverinfo="skip", lighting={"ambient": 0.93, "diffuse": 0.18, "specular": 0.03, "roughness": 0.9},
        contours={"x": _mesh(surface.x, paper), "y": _mesh(surface.y, paper)},
    )  # fmt: skip
    for path in surface.paths:
        figure.add_scatter3d(
            x=_rounded(path.x), y=_rounded(path.y), z=_rounded(_floating(path, surface, lift)), mode="lines",
            name=style.plain(_short(path)),
            line={"color": style.colour(path.variant, theme=theme), "width": 6,
                  "dash": style.look(path.variant).rough_dash},
            hovertemplate=f"{style.plain(path.name)}<br>loss %{{z:.4g}}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter3d(
        x=[float(path.x[-1]) for path in surface.paths], y=[float(path.y[-1]) for path in surface.paths],
        z=[float(_floating(path, surface, lift)[-1]) for path in surface.paths], mode="markers", showlegend=False,
        hoverinfo="skip",
        marker={"size": 5, "color": [style.colour(path.variant, theme=theme) for path in surface.paths]},
    )  # fmt: skip
    first_look = float(_floating(surface.paths[0], surface, lift)[0])
    places = [(*surface.start, first_look), (*surface.best, surface.lowest + lift)]
    figure.add_scatter3d(
        **{axis: [place[k] for place in places] for k, axis in enumerate("xyz")}, mode="markers", showlegend=False,
        hoverinfo="skip", marker={"size": 5, "color": paper.ink, "symbol": ["circle-open", "cross"]},
    )  # fmt: skip
    figure.layout.scene.annotations = [  # unlike a trace's text, these are never behind the surface
        {"text": f"<b>{name}</b>", **dict(zip("xyz", place, strict=True)), "showarrow": False, "yshift": 16,
         "font": {"size": 12.5, "color": paper.ink}}
        for name, place in zip(("start", _goal(surface)), places, strict=True)
    ]  # fmt: skip
    for path in surface.paths if surface.kind != "exact" else ():
        figure.add_scatter3d(
            **_drops(path, surface, lift), mode="lines", showlegend=False, hoverinfo="skip",
            line={"color": paper.muted, "width": 2},
        )  # fmt: skip
    _animate(figure, surface, theme, flat=False)
    return figure


def finding(surface: Surface) -> str:
    """What the picture says, with a number."""
    lost = [path for path in surface.paths if path.left]
    sane = sorted((path for path in surface.paths if not path.left), key=lambda path: float(path.heights[-1]))
    gone = words.listed([f"{path.variant} at rate {words.number(path.rate)}" for path in lost])
    if not sane:
        return f"Every path leaves the picture: {gone}"
    names = _brief(sane)
    floor = min([surface.lowest, *(float(path.heights.min()) for path in sane)])
    heights = [words.number(float(path.heights[-1]) - floor) for path in sane]
    text = f"{names[0][:1].upper()}{names[0][1:]} ends lowest, {heights[0]} above the lowest point"
    if len(sane) > 1:
        others = zip(names[1:3], heights[1:3], strict=True)
        text += f", {words.listed([f'{name} {height}' for name, height in others])}"
    if lost:
        text += f"; {gone} {'leaves' if len(lost) == 1 else 'leave'} the picture"
    return text


def descent(surface: Surface) -> str:
    """How much of the way down from the start each path made, with a number."""
    sane = [path for path in surface.paths if not path.left]
    if not sane:
        return finding(surface)
    start = float(sane[0].heights[0])
    floor = min([surface.lowest, *(float(path.heights.min()) for path in sane)])
    made = [(1 - (float(path.heights[-1]) - floor) / (start - floor) if start > floor else 1.0, path) for path in sane]
    made.sort(key=lambda pair: -pair[0])
    names, shares = _brief([path for _, path in made]), [words.percent(share) for share, _ in made]
    text = f"{names[0][:1].upper()}{names[0][1:]} goes {shares[0]} of the way down from the start"
    others = [f"{name} {share}" for name, share in zip(names[1:3], shares[1:3], strict=True)]
    return f"{text}, {words.listed(others)}" if others else text


def _goal(surface: Surface) -> str:
    return "optimum" if surface.optimum else "lowest seen"


def _brief(paths: list[PathOnPlane]) -> list[str]:
    """The variant's name where it says enough."""
    variants = [path.variant for path in paths]
    return [path.name if variants.count(path.variant) > 1 else path.variant for path in paths]


def left_out(surface: Surface) -> str:
    """The share of the paths that the picture leaves out, to stand on it."""
    if surface.kind == "exact":
        return "both parameters: nothing is left out"
    what = "two parameters leave out" if surface.kind == "chosen" else "this plane leaves out"
    return f"{what} {words.percent(surface.left_out)} of the paths"


def how_to_read(surface: Surface, relief: bool = False) -> str:
    """One sentence under the picture."""
    if relief:
        parts = ["Turn it with the mouse or a finger; height is the loss"]
        gap = max((path.gap for path in surface.paths if not path.left), default=0.0)
        span = _range(surface)
        if surface.kind != "exact" and gap > LIFT * span:
            parts.append(
                f"paths float at their true heights where those are above the surface, which a thin line drops to; they differ "
                f"by up to {words.number(gap)}, being off the plane"
            )
    else:
        lowest, highest = surface.levels[0], surface.levels[-1]
        parts = [
            f"Each line is one height, from {words.number(lowest)} to {words.number(highest)} above the lowest point, "
            f"{words.number(surface.levels[1] / lowest)} times higher from one to the next"
        ]
        if surface.kind != "exact":
            parts.append("what is left out is a share of the paths' squared distance from where the cross is")
    if surface.rows < surface.of:
        of = f" of {words.count(surface.of)}" if np.isfinite(surface.of) else ""
        told = f"heights are taken on {words.count(surface.rows)}{of} rows"
        if surface.error:
            told += f" and off by {words.percent(surface.error / _range(surface))} of their range, in the median"
        parts.append(told)
    return "; ".join(parts) + "."


def _range(surface: Surface) -> float:
    return float(surface.heights.max()) - surface.lowest


def _drops(path: PathOnPlane, surface: Surface, lift: float) -> dict[str, list[float | None]]:
    """Lines from a few points of a path down to the surface under them, for one trace in three dimensions."""
    drawn = np.unique(np.linspace(0, len(path.x) - 1, DROPS).round().astype(int))
    high = _floating(path, surface, lift)
    lines: dict[str, list[float | None]] = {"x": [], "y": [], "z": []}
    for k in drawn.tolist():
        if high[k] - path.ground[k] > 2 * lift:
            for axis, ends in {"x": [path.x[k]] * 2, "y": [path.y[k]] * 2, "z": [high[k], path.ground[k]]}.items():
                lines[axis] += [*map(float, ends), None]
    return lines


def _legend_room(surface: Surface) -> int:
    """Pixels that the rows of names beyond the first need, three names a row."""
    return 20 * ((len(surface.paths) - 1) // 3)


def _short(path: PathOnPlane) -> str:
    return f"{path.name} (leaves)" if path.left else path.name


def _head(path: PathOnPlane) -> str:
    return "triangle-up" if path.left else style.look(path.variant).symbol


def _floating(path: PathOnPlane, surface: Surface, lift: float) -> np.ndarray[Any, Any]:
    """Heights to draw a path at: its own, but never below the surface, which would hide it."""
    floating: np.ndarray[Any, Any] = np.clip(path.heights, path.ground, surface.heights.max()) + lift
    return floating


def _depth(surface: Surface) -> np.ndarray[Any, Any]:
    """Heights above the lowest place, as powers of ten: what contours and colours are spaced by."""
    depth: np.ndarray[Any, Any] = np.log10(np.maximum(surface.heights - surface.lowest, surface.levels[0] / DEPTH))
    return depth


def _rounded(values: np.ndarray[Any, Any]) -> Any:
    """As lists of numbers with five digits: what a screen shows, in few bytes."""
    size = float(np.abs(values).max(initial=0.0)) or 1.0
    return np.round(values, max(0, 5 - math.ceil(math.log10(size)))).tolist()


def _ends(values: np.ndarray[Any, Any]) -> list[float]:
    return [float(values[0]), float(values[-1])]


def _colours(theme: str) -> list[list[Any]]:
    valley = style.PAPERS[theme].valley
    return [[k / (len(valley) - 1), colour] for k, colour in enumerate(valley)]


def _mesh(along: np.ndarray[Any, Any], paper: style.Paper) -> dict[str, Any]:
    low, high = float(along[0]), float(along[-1])
    return {"show": True, "start": low, "end": high, "size": (high - low) / 12, "color": paper.axis, "width": 1}


def _draw_places(figure: go.Figure, surface: Surface, paper: style.Paper) -> None:
    for name, (x, y), symbol in (("start", surface.start, "circle-open"), (_goal(surface), surface.best, "cross-thin")):
        figure.add_scatter(
            x=[x], y=[y], mode="markers", showlegend=False, hoverinfo="skip",
            marker={"symbol": symbol, "size": 13, "color": paper.ink, "line": {"width": 2.2, "color": paper.ink}},
        )  # fmt: skip
        figure.add_annotation(
            text=f"<b>{name}</b>", x=x, y=y, yshift=19, showarrow=False, font={"size": 12.5, "color": paper.ink},
            bgcolor=style.veil(paper.paper, 0.8), borderpad=1,
        )  # fmt: skip


def _animate(figure: go.Figure, surface: Surface, theme: str, flat: bool) -> None:
    """A slider over row visits. A page that has its own slider reads `layout.meta["play"]` instead of the frames."""
    last = max(float(path.visits[-1]) for path in surface.paths)
    first = min(float(path.visits[1]) for path in surface.paths if len(path.visits) > 1) if last else 1.0
    moments = [0.0, *np.geomspace(min(first, last), last, STEPS - 1).tolist()] if last else [0.0]
    reach = [
        [max(1, int(np.searchsorted(path.visits, moment * (1 + 1e-9), side="right"))) for path in surface.paths]
        for moment in moments
    ]
    names = [words.passes(moment / surface.n) if surface.n > 1 else words.count(moment) for moment in moments]
    moving = list(range(1, len(surface.paths) + 1))
    head = len(surface.paths) + 1
    keys = ("x", "y") if flat else ("x", "y", "z")
    kind = "scatter" if flat else "scatter3d"
    frames = []
    for k, reached in enumerate(reach):
        walked = list(zip(moving, reached, strict=True))
        data = [{"type": kind, **{key: figure.data[i][key][:m] for key in keys}} for i, m in walked]
        heads = {key: [figure.data[i][key][m - 1] for i, m in walked] for key in keys}
        frames.append({"name": str(k), "data": [*data, {"type": kind, **heads}], "traces": [*moving, head]})
    figure.frames = frames
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": not flat}, "transition": {"duration": 0}}
    play = {"mode": "immediate", "frame": {"duration": 90, "redraw": not flat}, "transition": {"duration": 0}}
    paper = style.PAPERS[theme]
    figure.update_layout(
        meta={**figure.layout.meta, "play": {"reach": reach, "names": names, "moving": moving, "head": head}},
        margin={"b": figure.layout.margin.b + 84},
        height=figure.layout.height + 84,
        sliders=[{
            "active": len(frames) - 1, "x": 0.12, "len": 0.88, "y": 0, "yanchor": "top",
            "pad": {"t": figure.layout.margin.b + 4}, "font": {"color": paper.muted, "size": 11},
            "currentvalue": {"prefix": "after ", "font": {"color": paper.ink, "size": 13}},
            "ticklen": 0, "minorticklen": 0,
            "bgcolor": paper.grid, "bordercolor": paper.axis,
            "steps": [{"label": name, "method": "animate", "args": [[str(k)], now]} for k, name in enumerate(names)],
        }],
        updatemenus=[{
            "type": "buttons", "x": 0, "xanchor": "left", "y": 0, "yanchor": "top", "showactive": False,
            "pad": {"t": figure.layout.margin.b + 14}, "bordercolor": paper.axis, "font": {"color": style.BUTTON},
            "buttons": [{"label": "▶ play", "method": "animate", "args": [None, play]}],
        }],
    )  # fmt: skip
