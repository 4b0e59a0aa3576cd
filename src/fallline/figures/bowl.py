"""What sketched curvature does, in one picture: the valley as the table has it beside the bowl that it becomes."""

import math

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.bowl import Bowl, Panel
from fallline.figures import style

MARKED = 60  # steps that can be told apart as dots
ROUND = 1.1  # times as long as wide: less cannot be seen
GAP = 0.14  # of the width, between the panels


def draw_bowl(bowl: Bowl, theme: str = "light") -> go.Figure:
    """Two panels with one and the same loss, start and goal; only the coordinates differ."""
    paper = style.PAPERS[theme]
    figure = style.figure(
        finding(bowl),
        how_to_read(bowl),
        theme,
        height=470,
        margin={"t": 44},
        showlegend=False,
        meta={"stack": True},
        xaxis={"title": {"text": style.plain(bowl.names[0])}, "domain": [0, 0.5 - GAP / 2]},
        yaxis={"title": {"text": style.plain(bowl.names[1])}},
        xaxis2={**style.template(theme)["layout"]["xaxis"], "domain": [0.5 + GAP / 2, 1], "anchor": "y2"},
        yaxis2={**style.template(theme)["layout"]["yaxis"], "anchor": "x2"},
    )
    figure.update_layout(xaxis2_title_text="the sketch's coordinate 1", yaxis2_title_text="coordinate 2")
    for panel, variant, axes in ((bowl.valley, "batch", ("x", "y")), (bowl.bowl, "automatic", ("x2", "y2"))):
        _draw_panel(figure, panel, bowl, variant, axes, theme)
    for panel, name, axes in (
        (bowl.valley, "the table's own scale", ("x", "y")),
        (bowl.bowl, "the sketch's coordinates", ("x2", "y2")),
    ):
        figure.add_annotation(
            text=f"<b>{name}</b>: {_steps(panel)}", xref=f"{axes[0]} domain", yref=f"{axes[1]} domain", x=0, y=1,
            xanchor="left", yanchor="bottom", yshift=6, font={"size": 12.5, "color": paper.ink}, showarrow=False,
        )  # fmt: skip
    return figure


def finding(bowl: Bowl) -> str:
    """What the picture says, with numbers."""
    valley, round_ = bowl.valley, bowl.bowl
    shape = f"A valley {words.number(valley.ratio)} times as long as wide becomes a round bowl"
    if round_.ratio > ROUND:
        shape += f" ({words.number(round_.ratio)} times)"
    if valley.ratio < ROUND:
        shape = "This valley is round as it is"
    return f"{shape}: {_steps(round_)} down instead of {_steps(valley).removesuffix(' steps').removesuffix(' step')}"


def _steps(panel: Panel) -> str:
    count = len(panel.path) - 1
    return f"{'' if panel.arrived else 'more than '}{words.times(count, 'step', 'steps')}"


def how_to_read(bowl: Bowl) -> str:
    """Two sentences under the picture."""
    corners = " (its corners rounded)" if bowl.rounded else ""
    sketch = "all rows" if bowl.sketched >= bowl.n else f"{words.count(bowl.sketched)} of {words.count(bowl.n)} rows"
    parts = ["A walk ends inside the innermost line"]
    if not math.isnan(bowl.whole):
        parts.append(f"over all coefficients the valley is {words.number(bowl.whole)} times as long as wide")
    if bowl.rows < bowl.n:
        parts.append(f"heights are taken on {words.count(bowl.rows)} rows")
    return (
        f"Left: the loss{corners} over two coefficients, the others at the optimum; plain descent at "
        f"{words.number(bowl.share)} of its largest stable rate. Right: the same in coordinates stretched by the curvature of "
        f"{sketch}, at rate 1. {'; '.join(parts)}."
    )


def _draw_panel(figure: go.Figure, panel: Panel, bowl: Bowl, variant: str, axes: tuple[str, str], theme: str) -> None:
    paper, ink = style.PAPERS[theme], style.colour(variant, theme=theme)
    lines = np.log10(bowl.levels)
    on = {"xaxis": axes[0], "yaxis": axes[1]}
    valley = [[k / (len(paper.valley) - 1), shade] for k, shade in enumerate(paper.valley)]
    figure.add_contour(
        x=panel.x.tolist(), y=panel.y.tolist(), z=np.log10(np.maximum(panel.heights, 0.1 * bowl.levels[0])).round(4).tolist(),
        showscale=False, autocontour=False, colorscale=valley, hoverinfo="skip", line={"width": 0.8, "color": paper.axis},
        contours={"start": lines[0], "end": lines[-1], "size": lines[1] - lines[0]}, **on,
    )  # fmt: skip
    few = len(panel.path) <= MARKED
    figure.add_scatter(
        x=panel.path[:, 0].tolist(), y=panel.path[:, 1].tolist(), mode="lines+markers" if few else "lines",
        line={"color": ink, "width": 2.2}, marker={"size": 5, "color": ink}, hoverinfo="skip", **on,
    )  # fmt: skip
    middle = [float(panel.x.mean()), float(panel.y.mean())]
    for name, (x, y), symbol in (("start", panel.path[0], "circle-open"), ("optimum", middle, "cross-thin")):
        figure.add_scatter(
            x=[float(x)], y=[float(y)], mode="markers", hoverinfo="skip", **on,
            marker={"symbol": symbol, "size": 12, "color": paper.ink, "line": {"width": 2.2, "color": paper.ink}},
        )  # fmt: skip
        figure.add_annotation(
            text=f"<b>{name}</b>", x=float(x), y=float(y), xref=axes[0], yref=axes[1], yshift=17 if name == "start" else -17,
            font={"size": 12, "color": paper.ink}, bgcolor=style.veil(paper.paper, 0.8), borderpad=1, showarrow=False,
        )  # fmt: skip
    low, high = [float(panel.x[0]), float(panel.x[-1])], [float(panel.y[0]), float(panel.y[-1])]
    number = axes[0][1:]
    figure.update_layout({
        f"xaxis{number}": {"range": low, "showgrid": False, "constrain": "domain"},
        f"yaxis{number}": {"range": high, "showgrid": False, "scaleanchor": axes[0], "constrain": "domain"},
    })  # fmt: skip
