"""What a network answers on a few inputs as training goes on: the share it gives the right class, or the number it says."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import axes, labels, style

Array = np.ndarray[Any, Any]

INKS = ("batch", "stochastic", "mini-batch", "automatic", "baseline")
HEIGHT = 340  # pixels of the frame, about
SURE = 0.5  # of a share: from here on the right class is the likeliest


class PredictionFacts(NamedTuple):
    """A line an input."""

    visits: Array  # (looks,)
    answers: Array  # (inputs, looks) shares of the right class, or numbers
    wanted: Array | None  # (inputs,) the numbers; None of shares
    names: tuple[str, ...]  # of the inputs
    n: int
    finding: str


def predictions_of(
    visits: Array, answers: Array, names: Sequence[str], n: int, wanted: Array | None = None
) -> PredictionFacts:
    """From answers on a few inputs (see fallline.torch.answers.predictions)."""
    if wanted is None:
        sure = answers[:, -1] > SURE
        finding = f"{int(sure.sum())} of {len(sure)} inputs get more than half for their class at the end"
        late = [
            (int(np.argmax(line > SURE)), name) for line, name, good in zip(answers, names, sure, strict=True) if good
        ]
        if late:
            look, name = max(late)
            finding += f"; {name} last, after {words.passes(float(visits[look]) / n)}"
    else:
        miss = np.abs(answers - wanted[:, None]).mean(axis=0)
        finding = (
            f"The mean miss on these inputs goes from {words.number(float(miss[0]))} to {words.number(float(miss[-1]))}"
        )
    return PredictionFacts(visits, answers, wanted, tuple(names), n, finding)


def how_to_read(facts: PredictionFacts) -> str:
    """One sentence under the picture."""
    if facts.wanted is None:
        return "A line is an input, its height the share that the network gives the input's own class; 1 is certainty."
    return "A line is an input, its height what the network says; the dashed line of its colour is what it should say."


def draw_predictions(facts: PredictionFacts, theme: str = "light") -> go.Figure:
    """Lines with their names at their ends."""
    paper = style.PAPERS[theme]
    first = float(facts.visits[1]) if len(facts.visits) > 1 else 1.0
    across = axes.time_axis("visits", first, first, float(facts.visits[-1]), facts.n)
    shares = facts.wanted is None
    figure = style.figure(
        facts.finding, how_to_read(facts), theme, height=420, margin={"r": labels.room_for(facts.names)}, showlegend=False,
        xaxis=across.layout(),
        yaxis={"title": {"text": "share of the right class" if shares else "answer"}, "range": [0, 1.02] if shares else None},
    )  # fmt: skip
    x = [across.seen(float(visit)) for visit in facts.visits]
    low, high = (0.0, 1.02) if shares else (float(facts.answers.min()), float(facts.answers.max()))
    pixel = (high - low or 1.0) / HEIGHT
    ends = [float(line[-1]) / pixel for line in facts.answers]
    places = labels.dodge(ends, labels.LINE, low / pixel, high / pixel)
    for k, (name, line) in enumerate(zip(facts.names, facts.answers, strict=True)):
        ink = style.colour(INKS[k % len(INKS)], theme=theme)
        dash = style.look(INKS[k % len(INKS)]).dash
        figure.add_scatter(
            x=x, y=np.round(line, 5).tolist(), mode="lines", name=style.plain(name),
            line={"color": ink, "width": 2.2, "dash": dash},
            hovertemplate=f"{style.plain(name)}<br>%{{y:.3g}} at %{{x:,.4~g}}<extra></extra>",
        )  # fmt: skip
        end, shift = across.mark(float(facts.visits[-1])), places[k] - ends[k]
        figure.add_annotation(**labels.at_end(name, end, float(line[-1]), shift, ink, style.veil(paper.paper, 0.8)))
        if facts.wanted is not None:
            figure.add_shape(
                type="line", xref="paper", x0=0, x1=1, y0=float(facts.wanted[k]), y1=float(facts.wanted[k]),
                line={"color": ink, "width": 1, "dash": "dot"}, layer="below",
            )  # fmt: skip
    return figure
