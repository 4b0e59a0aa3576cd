"""The map of rate and batch size: row visits to 1 % of the excess at the start, by forecast, with the cells that were walked."""

import math
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import axes, labels, style

Array = np.ndarray[Any, Any]

ROW = 54  # pixels a batch size
ROOM = 110  # pixels beside them
DIGITS = 2  # of a number in a cell
HALF = 0.5  # of a cell


class GridFacts(NamedTuple):
    """What the map shows."""

    rates: Array  # (k,)
    sizes: Array  # (m,)
    n: int
    updates: Array  # (m, k) NaN: never
    visits: Array  # (m, k)
    limit: float
    frontier: Array  # (k,) of sizes, from which on a larger batch does not pay; −1: not known
    checks: tuple[tuple[float, int, float], ...]  # rate, which of sizes, walked over forecast
    finding: str
    beside: str


def grid_of(found: Any) -> GridFacts:
    """From a fallline.forecast.grid.RateMap."""
    never = ~np.isfinite(found.updates)
    updates, visits = (np.where(never, np.nan, values) for values in (found.updates, found.visits))
    checks = tuple(
        (check.rate, int(np.flatnonzero(found.sizes == check.size)[0]), check.ratio) for check in found.checks
    )
    return GridFacts(
        found.rates, found.sizes, found.n, updates, visits, found.limit,
        found.frontier, checks, _finding(found), _beside(found),
    )  # fmt: skip


def _finding(found: Any) -> str:
    """Which cell visits the fewest rows, and which makes the fewest updates."""
    if not np.isfinite(found.updates).any():
        return f"No rate and batch size come to 1 % of the excess with {found.step} steps"
    i, j = found.best
    few = divmod(int(np.argmin(found.updates)), len(found.rates))

    def named(i: int, j: int) -> str:
        return f"by {_rows(found.sizes[i], found.n)} a step at rate {words.number(found.rates[j])}"

    visits, least = words.count(found.visits[i, j]), words.count(found.updates[few])
    if few == (i, j):
        return f"1 % of the excess is left after {visits} row visits and {least} updates, the fewest, {named(i, j)}"
    return f"1 % of the excess takes {visits} row visits {named(i, j)}, and {least} updates {named(*few)}"


def _beside(found: Any) -> str:
    """What came of the cells that were walked."""
    if not found.checks:
        return ""
    came = [round(check.ratio, 2) for check in found.checks if math.isfinite(check.ratio)]
    if not came:
        return "Ringed cells were walked, and none had arrived when it was given up, well after its forecast."
    ran = (
        words.number(min(came)) if min(came) == max(came) else f"{words.number(min(came))} to {words.number(max(came))}"
    )
    late = "; what is marked later was given up before it arrived" if len(came) < len(found.checks) else ""
    return f"Ringed cells were walked, and took {ran} times their forecast{late}."


def how_to_read(facts: GridFacts) -> str:
    """One sentence under the picture, and one about what was walked."""
    text = (
        "A cell is the rows visited until 1 % of the excess at the start is left, the fewer the stronger; an empty one never "
        "arrives; above the frontier no larger batch can halve the updates any more"
    )
    return f"{text}. {facts.beside}".rstrip()


def draw_grid(facts: GridFacts, theme: str = "light") -> go.Figure:
    """Cells by colour and number, the stable limit, the frontier, and a ring around each cell that was walked."""
    paper = style.PAPERS[theme]
    x, y = np.log10(facts.rates), np.arange(len(facts.sizes), dtype=float)
    gap = float(np.diff(x).mean())
    span = (float(x[0]) - HALF * gap, float(x[-1]) + HALF * gap)
    ticks = axes.round_numbers(10.0 ** span[0], 10.0 ** span[1])
    figure = style.figure(
        facts.finding,
        how_to_read(facts),
        theme,
        height=ROOM + ROW * len(y),
        margin={"t": 26 + labels.LINE, "r": labels.room_for(["frontier"])},
        showlegend=False,
        xaxis={
            "range": list(span), "title": {"text": "learning rate, log scale"}, "showgrid": False,
            "tickvals": np.log10(ticks).tolist(), "ticktext": [axes.short(tick) for tick in ticks],
        },
        yaxis={
            "range": [-HALF, len(y) - HALF], "title": {"text": "rows a step"}, "showgrid": False, "tickvals": y.tolist(),
            "ticktext": [*map(axes.short, facts.sizes[:-1].astype(float)), f"all {words.count(facts.n)}"],
        },
    )  # fmt: skip
    deep = list(paper.valley)
    figure.add_heatmap(
        x=x, y=y, z=np.log10(facts.visits), showscale=False, xgap=2, ygap=2, hoverongaps=False,
        colorscale=[[k / (len(deep) - 1), shade] for k, shade in enumerate(deep)],
        text=[["" if math.isnan(value) else _short(value) for value in row] for row in facts.visits],
        texttemplate="%{text}", textfont={"color": paper.ink},
        hovertext=[
            [
                f"{_rows(size, facts.n)} a step, rate {words.number(rate)}<br>{words.count(visits)} row visits, "
                f"{words.count(updates)} updates"
                for rate, visits, updates in zip(facts.rates, *pair, strict=True)
            ]
            for size, *pair in zip(facts.sizes, facts.visits, facts.updates, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip
    _draw_limits(figure, facts, gap, theme)
    for rate, height, ratio in facts.checks:
        middle = math.log10(rate)
        figure.add_shape(
            type="rect", x0=middle - HALF * gap, x1=middle + HALF * gap, y0=height - HALF, y1=height + HALF,
            line={"color": paper.ink, "width": 2},
        )  # fmt: skip
        figure.add_annotation(
            text=f"× {words.number(round(ratio, 2))}" if math.isfinite(ratio) else "later", x=middle, y=height - HALF,
            yanchor="bottom", yshift=1, font={"size": 11, "color": paper.ink}, showarrow=False,
        )  # fmt: skip
    return figure


def _draw_limits(figure: go.Figure, facts: GridFacts, gap: float, theme: str) -> None:
    """The stable limit as a line up, the frontier as stairs below the sizes from which on a larger batch does not pay."""
    paper, edge = style.PAPERS[theme], math.log10(facts.limit)
    figure.add_shape(type="line", x0=edge, x1=edge, yref="paper", y0=0, y1=1, line={"color": paper.alarm, "width": 1.5})
    figure.add_annotation(
        text=f"stable to {words.number(facts.limit)}", x=edge, yref="paper", y=1, yanchor="bottom", yshift=2, xanchor="right",
        font={"size": 11.5, "color": paper.alarm}, showarrow=False,
    )  # fmt: skip
    known = np.flatnonzero(facts.frontier >= 0)
    if not len(known):
        return
    ink, middles = style.colour("automatic", theme=theme), np.log10(facts.rates[known])
    steps = np.repeat(facts.frontier[known] - HALF, 2)
    figure.add_scatter(
        x=np.column_stack([middles - HALF * gap, middles + HALF * gap]).ravel(), y=steps, mode="lines", name="frontier",
        line={"color": ink, "width": 3.5}, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    figure.add_annotation(
        **labels.at_end(
            "frontier", float(middles[-1] + HALF * gap), float(steps[-1]), 0, ink, style.veil(paper.paper, 0.8)
        )
    )


def _rows(size: Any, n: int) -> str:
    size = int(size)
    return f"all {words.count(n)} rows" if size >= n else "1 row" if size == 1 else f"{words.count(size)} rows"


def _short(value: float) -> str:
    """Two digits: 8.7k."""
    return axes.short(float(f"{value:.{DIGITS}g}"))
