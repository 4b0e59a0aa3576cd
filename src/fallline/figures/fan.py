"""A model of one feature, iteration by iteration: the data with the fitted lines fading in, and what w did meanwhile.

A thousand lines are a few traces: lines of about the same age are one, cut by gaps. Drawing them one trace each takes
Plotly a hundred times as long.
"""

from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import labels, style
from fallline.trace import Trace

Array = np.ndarray[Any, Any]

LINES = 1000
AGES = 8  # groups of lines, from the faintest to the newest
POINTS = 2000  # data points that a screen can show
CURVE = 33  # points of a fitted curve that is no straight line
CURVED = {"log loss", "poisson", "gamma", "tweedie"}  # losses whose model is no straight line in the feature


class FanFacts(NamedTuple):
    """What a fan of lines shows."""

    x: Array  # (n,) the feature
    y: Array  # (n,) the target
    names: tuple[str, str]
    along: Array  # (k,) where lines have their points
    lines: Array  # (lines, k) fitted values, oldest first
    updates: Array  # (lines,) after which each was fitted
    variant: str
    n: int  # data points before thinning
    finding: str


def fan_of(
    x: Any, y: Any, trace: Trace, lines: int = LINES, names: tuple[str, str] = ("feature", "target")
) -> FanFacts:
    """The lines that `trace` went through: x (n,) the feature as the model saw it, y (n,) the target.

    Raises ValueError for a trace that keeps no path of one coefficient and an intercept (or the coefficient alone).
    """
    path = trace.path
    if path.ndim != 2 or path.shape[1] not in (1, 2):
        raise ValueError(f"a fan of lines needs a path of one coefficient and an intercept, not of shape {path.shape}")
    x, y = np.asarray(x, float).ravel(), np.asarray(y, float).ravel()
    path = path[np.isfinite(path).all(axis=1)]
    keep = np.unique(np.round(np.linspace(0, len(path) - 1, min(lines, len(path)))).astype(int))
    loss = words.loss_name(str(trace.about.get("loss", "")))
    along = np.linspace(x.min(), x.max(), CURVE if loss in CURVED else 2)
    free = path[keep, 1] if path.shape[1] == 2 else np.zeros(len(keep))
    values = _response(path[keep, :1] * along + free[:, None], loss)
    if loss == "log loss" and y.min() < 0:
        y = (y + 1) / 2  # classes are −1 and +1 to the loss, 0 and 1 to a reader of probabilities
    some = np.unique(np.round(np.linspace(0, len(x) - 1, min(POINTS, len(x)))).astype(int))
    updates = trace["t"][: len(path)][keep]
    slope, height = (words.number(float(value)) for value in (path[-1, 0], free[-1]))
    many = f"{words.count(updates[-1])} updates"
    formula = f"{height} {'−' if slope.startswith('−') else '+'} {slope.lstrip('−')} × {names[0]}"
    what = "score" if loss in CURVED else "line"
    return FanFacts(
        x[some], y[some], names, along, values, updates, str(trace.about.get("variant", "mini-batch")), len(x),
        f"After {many} the {what} is {formula}",
    )  # fmt: skip


def _response(scores: Array, loss: str) -> Array:
    if loss == "log loss":
        answer: Array = 1.0 / (1.0 + np.exp(-np.clip(scores, -700, 700)))
        return answer
    return np.exp(np.minimum(scores, 700)) if loss in CURVED else scores


def draw_fan(facts: FanFacts, theme: str = "light") -> go.Figure:
    """Data points, the lines from the first (faint) to the last (strong), and the last one by itself."""
    paper = style.PAPERS[theme]
    newest = f"update {words.count(facts.updates[-1])}"
    spread = float(np.ptp(facts.y)) or 1.0
    figure = style.figure(
        facts.finding,
        how_to_read(facts),
        theme,
        showlegend=False,
        margin={"r": labels.room_for([newest])},
        xaxis={"title": {"text": style.plain(facts.names[0])}},
        yaxis={
            "title": {"text": style.plain(facts.names[1])},
            "range": [float(facts.y.min()) - 0.12 * spread, float(facts.y.max()) + 0.12 * spread],
        },
    )
    figure.add_scatter(
        x=facts.x, y=facts.y, mode="markers", hoverinfo="skip", name="data",
        marker={"size": 5.5, "color": style.veil(paper.muted, 0.55)},
    )  # fmt: skip
    groups = np.array_split(np.arange(len(facts.lines)), min(AGES, len(facts.lines)))
    for age, group in enumerate(groups):
        share = age / max(1, len(groups) - 1)
        level = round(share * (style.LEVELS - 1))
        x, y = _joined(facts.along, facts.lines[group])
        first, last = facts.updates[group[0]], facts.updates[group[-1]]
        figure.add_scatter(
            x=x, y=y, mode="lines", name=f"updates {words.count(first)} to {words.count(last)}", hoverinfo="name",
            line={"color": style.veil(style.colour(facts.variant, level, theme), 0.22), "width": 1}, connectgaps=False,
        )  # fmt: skip
    figure.add_scatter(
        x=facts.along, y=facts.lines[-1], mode="lines", name="last",
        line={"color": style.colour(facts.variant, theme=theme), "width": 3}, hoverinfo="skip",
    )  # fmt: skip
    low, high = figure.layout.yaxis.range
    for row, name in ((0, "start"), (-1, newest)):
        figure.add_annotation(
            text=name, x=1, xref="paper", xanchor="left", xshift=6, y=float(np.clip(facts.lines[row, -1], low, high)),
            font={"size": 12.5, "color": style.colour(facts.variant, 1 if row == 0 else style.LEVELS - 1, theme)},
            showarrow=False,
        )  # fmt: skip
    figure.update_xaxes(range=[float(facts.along[0]), float(facts.along[-1])])
    return figure


def how_to_read(facts: FanFacts) -> str:
    """One sentence under the picture."""
    text = f"Every thin line is the model at one of {words.count(len(facts.lines))} moments, the later the stronger"
    shown = f"; {words.count(len(facts.x))} of {words.count(facts.n)} rows are drawn" if len(facts.x) < facts.n else ""
    return f"{text}{shown}."


def _joined(along: Array, lines: Array) -> tuple[Array, Array]:
    """Many lines as one, with a gap after each."""
    gap = np.full((len(lines), 1), np.nan)
    x = np.concatenate([np.tile(along, (len(lines), 1)), gap], axis=1)
    y = np.concatenate([lines, gap], axis=1)
    return x.ravel(), y.ravel()


class HistoryFacts(NamedTuple):
    """What each parameter and the loss did."""

    updates: Array  # (looks,)
    loss: Array
    parameters: Array  # (looks, few)
    names: tuple[str, ...]
    variant: str
    finding: str


def history_of(trace: Trace, names: tuple[str, ...] = (), most: int = 4) -> HistoryFacts:
    """Loss and the first few parameters of a trace against updates. Raises ValueError where no path was kept."""
    if not len(trace.points):
        raise ValueError("the trace keeps no path: there are too many parameters to draw")
    path = trace.path[:, :most]
    columns = [str(name) for name in trace.about.get("columns") or []]
    known = [*columns, "intercept"] if len(columns) + 1 == trace.path.shape[1] else columns
    named = (names or tuple(known) or tuple(f"w[{j}]" for j in range(path.shape[1])))[: path.shape[1]]
    ends = words.listed([f"{name} {words.number(float(w))}" for name, w in zip(named, path[-1], strict=True)])
    many = words.count(trace.last("t"))
    return HistoryFacts(
        trace["t"], trace["loss"], path, named, str(trace.about.get("variant", "mini-batch")),
        f"After {many} updates the loss is {words.number(trace.last('loss'))}, at {ends}",
    )  # fmt: skip


def draw_history(facts: HistoryFacts, theme: str = "light") -> go.Figure:
    """Two panels over the same updates: the loss above, the parameters below."""
    figure = style.figure(
        facts.finding,
        "Above the loss, below the parameters, both after every update that was looked at.",
        theme,
        height=520,
        margin={"r": 24 + 8 * max(len(name) for name in facts.names)},
        showlegend=False,
        xaxis={"title": {"text": "updates"}, "anchor": "y2", "range": [0, float(facts.updates[-1])]},
        yaxis={"title": {"text": "loss"}, "domain": [0.56, 1]},
        yaxis2={"title": {"text": "parameters"}, "domain": [0, 0.46], **style.template(theme)["layout"]["yaxis"]},
    )
    figure.update_layout(yaxis2_title_text="parameters", xaxis_tickformat="~s")
    ink = style.colour(facts.variant, theme=theme)
    keep = np.unique(np.round(np.linspace(0, len(facts.updates) - 1, min(len(facts.updates), LINES))).astype(int))
    figure.add_scatter(
        x=facts.updates[keep], y=facts.loss[keep], mode="lines", line={"color": ink, "width": 2.2}, name="loss"
    )
    for j, name in enumerate(facts.names):
        tone = style.colour(facts.variant, style.LEVELS - 1 - j, theme)
        figure.add_scatter(
            x=facts.updates[keep], y=facts.parameters[keep, j], yaxis="y2", mode="lines", name=style.plain(name),
            line={"color": tone, "width": 2.2, "dash": ("solid", "10px,4px", "2px,3px", "8px,3px,2px,3px")[j % 4]},
        )  # fmt: skip
        figure.add_annotation(
            text=style.plain(name), x=1, xref="paper", xanchor="left", xshift=6, y=float(facts.parameters[-1, j]),
            yref="y2", font={"color": tone}, showarrow=False,
        )  # fmt: skip
    return figure
