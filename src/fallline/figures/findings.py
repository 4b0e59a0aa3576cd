"""Findings on the curve: each is shaded where it shows, from its first update to its last, and named above."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import labels, style
from fallline.figures.curves import CurveFacts, curves_of, draw_curves

Array = np.ndarray[Any, Any]

MOST = 4  # findings that are named above a curve
VEILED = (0.12, 0.06)  # opacity of the first finding's shade, and of the others'
LATE = 0.6  # of the frame: what begins later is named to the left
TAIL = 3  # the last third of the looks says whether the loss still falls
NEAR = 2.0  # times the excess at the end: from there on the floor is reached


class Mark(NamedTuple):
    """A finding and where it shows."""

    title: str
    first: float  # updates
    last: float


class FoundFacts(NamedTuple):
    """What the picture shows."""

    curve: CurveFacts
    marks: tuple[Mark, ...]  # the most important first
    elsewhere: tuple[str, ...]  # findings that no update shows


def _tail(t: Array, excess: Array) -> tuple[float, float]:
    return float(t[len(t) - max(len(t) // TAIL, 1) - 1]), float(t[-1])


def _floor(t: Array, excess: Array) -> tuple[float, float]:
    return float(t[int(np.argmax(excess <= NEAR * np.median(excess[-max(len(t) // TAIL, 1) :])))]), float(t[-1])


PLACES: Mapping[str, Callable[[Array, Array], tuple[float, float]]] = {"stopped_early": _tail, "noise_floor": _floor}
"""Where a symptom shows that names no updates itself: what its function judged it by. Others of the walk show all along."""


def found_of(explanation: Any) -> FoundFacts:
    """From a fallline.explain.explanation.Explanation: the excess of its run, in shares of that at the start; the loss of a
    network, whose optimum nobody knows.
    """
    case, known = explanation.case, hasattr(explanation.case, "prospect")
    trace = case.trace.copy()
    trace.about |= {
        "name": case.plan.name, "variant": str(case.plan.variant), "rate": case.plan.rate, "diverged": case.lost,
        "limit": None, **({"optimum": case.prospect.height, "scale": case.prospect.first} if known else {}),
    }  # fmt: skip
    t, marks, elsewhere = trace["t"], [], []
    for finding in explanation.findings:
        if finding.updates is None and (
            finding.columns or finding.rows or finding.change is None or finding.change.asks
        ):
            elsewhere.append(finding.title)
            continue
        whole = (0.0, float(t[-1]))
        place = PLACES[finding.symptom](t, case.excess) if finding.symptom in PLACES else whole
        first, last = finding.updates or place
        marks.append(Mark(finding.title, float(first), float(min(last, t[-1]))))
    said = ["findings are shaded where they show, the first the strongest"] if marks else []
    said += [f"no update shows: {'; '.join(elsewhere).lower()}"] if elsewhere else []
    left = (
        f"; {words.percent(explanation.left)} of the excess at the start is left"
        if np.isfinite(explanation.left)
        else ""
    )
    headline = f"{explanation.headline[0].upper()}{explanation.headline[1:]}"
    finding = headline if "is left" in headline else f"{headline}{left}"
    curve = curves_of({case.plan.kind: [trace]}, x="updates", y="excess" if known else "loss")._replace(
        finding=finding, said="; ".join(said)
    )
    return FoundFacts(curve, tuple(marks[:MOST]), tuple(elsewhere))


def draw_found(facts: FoundFacts, theme: str = "light") -> go.Figure:
    """The curve, a shade a finding, and their names above, one a line."""
    paper, axis = style.PAPERS[theme], facts.curve.axes["updates"]
    figure = draw_curves(facts.curve, theme)
    room = labels.LINE * len(facts.marks)
    meta = {name: value for name, value in figure.layout.meta.items() if name != "axes"}  # shades are in updates alone
    before = figure.layout.margin.t
    figure.update_layout(
        height=figure.layout.height + room, margin={"t": before + room},
        meta={**meta, "height": meta["height"] + room, "margin": {**meta["margin"], "t": meta["margin"]["t"] + room}},
    )  # fmt: skip
    figure.layout.updatemenus = ()
    lost = sum(note.name == labels.LOST for note in figure.layout.annotations)
    for k, mark in enumerate(facts.marks):
        veil, row = VEILED[min(k, 1)], len(facts.marks) - 1 - k + lost
        first, last = axis.seen(mark.first), axis.seen(max(mark.last, mark.first))
        figure.add_shape(
            type="rect", x0=first, x1=last, yref="paper", y0=0, y1=1, layer="below", line={"width": 0},
            fillcolor=style.veil(paper.alarm, veil),
        )  # fmt: skip
        figure.add_shape(type="line", x0=first, x1=first, yref="paper", y0=0, y1=1, line=style.guide_line(theme, True))
        place = axis.mark(mark.first)
        late = place - axis.range[0] > LATE * (axis.range[1] - axis.range[0])
        figure.add_annotation(
            text=style.plain(f"{k + 1}. {mark.title}, {_updates(mark)}"), x=place, yref="paper", y=1, yanchor="bottom",
            yshift=2 + labels.LINE * row, xanchor="right" if late else "left", showarrow=False,
            font={"size": 12, "color": paper.alarm},
        )  # fmt: skip
    return figure


def _updates(mark: Mark) -> str:
    first, last = words.count(mark.first), words.count(mark.last)
    return f"update {first}" if first == last else f"updates {first} to {last}"
