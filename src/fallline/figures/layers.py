"""How large each tensor's gradient was, step by step: a heat map with a row a tensor, from input to output."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.errors import InputError
from fallline.figures import axes, style
from fallline.trace import Trace

Array = np.ndarray[Any, Any]

PREFIX = "gradient/"
MOST = 160  # columns: more than a screen tells apart
ROW = 26  # pixels a tensor
ROOM = 90  # pixels beside them


class LayerFacts(NamedTuple):
    """What the picture shows."""

    names: tuple[str, ...]  # of tensors, from input to output
    t: Array  # (k,) updates
    norms: Array  # (tensors, k)
    finding: str


def layers_of(trace: Trace) -> LayerFacts:
    """From a trace with norms of single steps (a network's, or a watched loop's). Raises InputError for one without."""
    names = tuple(name.removeprefix(PREFIX) for name in trace.steps if name.startswith(PREFIX))
    if not names:
        raise InputError("The trace has no norms of tensors: walk a network (fallline.Net), or watch its loop.")
    norms = np.array([trace.steps[PREFIX + name] for name in names])
    seen = np.flatnonzero(np.isfinite(norms).any(axis=0))
    if not len(seen):
        raise InputError("No step of the trace was measured: walk on.")
    seen = seen[np.unique(np.linspace(0, len(seen) - 1, MOST).round().astype(int))]
    norms = norms[:, seen]
    return LayerFacts(names, trace.steps["t"][seen], norms, _finding(names, norms))


def _finding(names: Sequence[str], norms: Array) -> str:
    """How far apart the largest and the smallest gradients are, at the start and at the end."""
    first, last = (
        np.median(np.where(np.isfinite(part), part, np.nan), axis=1) for part in (norms[:, :3], norms[:, -3:])
    )
    positive = first > 0
    if not positive.any():
        return "No gradient flows at the start"
    high = int(np.nanargmax(first))
    low = int(np.nanargmin(np.where(positive, first, np.inf)))
    begun = words.number(float(first[high] / first[low]))
    text = f"The gradient of {names[high]} is {begun} times that of {names[low]} at the start"
    ended = last[high] / last[low] if last[low] > 0 else np.inf
    dead = [name for name, norm in zip(names, last, strict=True) if norm == 0]
    text += f", {words.number(float(ended))} times at the end" if np.isfinite(ended) else ""
    return f"{text}; none reaches {words.listed(dead[:3])} at the end" if dead else text


HOW = (
    "A row is a tensor, the input's at the top; a column an update that was measured; the stronger the colour, the larger the "
    "gradient's norm, on a log scale: rows that fade towards the top are a gradient that vanishes"
)


def draw_layers(facts: LayerFacts, theme: str = "light") -> go.Figure:
    """The heat map."""
    paper = style.PAPERS[theme]
    with np.errstate(divide="ignore"):
        heights = np.log10(facts.norms)
    heights = np.where(np.isfinite(heights), heights, np.nan)
    deep = list(paper.valley)[::-1]
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    ticks = axes.decades(10.0**low, 10.0**high) or [10.0**high]
    longest = max(map(len, facts.names))
    figure = style.figure(
        facts.finding,
        HOW + ".",
        theme,
        height=ROOM + ROW * len(facts.names),
        margin={"l": 24 + 7 * min(longest, 24), "r": 84},
        xaxis={"title": {"text": "updates, those that were measured"}, "showgrid": False, "type": "category", "nticks": 9},
        yaxis={"autorange": "reversed", "showgrid": False, "tickfont": {"size": 11}},
    )  # fmt: skip
    scale = {
        "title": {"text": "‖gradient‖", "font": {"size": 11}}, "thickness": 12, "outlinewidth": 0, "len": 1.0,
        "tickvals": np.log10(ticks).tolist(), "ticktext": [axes.short(tick) for tick in ticks],
        "tickfont": {"size": 11, "color": paper.muted},
    }  # fmt: skip
    figure.add_heatmap(
        x=[words.count(t) for t in facts.t.tolist()], y=[style.plain(name[-24:]) for name in facts.names],
        z=np.round(heights, 3).tolist(), colorscale=[[k / (len(deep) - 1), shade] for k, shade in enumerate(deep)],
        xgap=0, ygap=2, hoverongaps=False, customdata=facts.norms.tolist(), colorbar=scale,
        hovertemplate="%{y}, update %{x}<br>‖g‖ %{customdata:.3g}<extra></extra>",
    )  # fmt: skip
    return figure
