"""Names at the ends of lines: where they go when lines end close together."""

from collections.abc import Sequence
from typing import Any

from fallline.figures.style import PAPERS, plain, veil

LINE = 16  # pixels that a line of text takes
LETTER = 7.4  # pixels a letter, on the wide side
END, LOST = "end", "lost"  # the names by which a page finds these annotations


def dodge(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, at least `gap` apart, inside [low, high] as far as they fit; order is kept."""
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    blocks: list[list[float]] = []  # where each member would want its block to start; blocks merge while they collide
    for k in order:
        block = [min(max(wanted[k], low), high)]
        while blocks and _start(blocks[-1]) + len(blocks[-1]) * gap > _start(block):
            before = blocks.pop()
            block = before + [place - len(before) * gap for place in block]
        blocks.append(block)
    places: list[float] = []
    for block in blocks:
        first = min(_start(block), high - (len(block) - 1) * gap)
        first = max(first, places[-1] + gap if places else low)
        places += [first + step * gap for step in range(len(block))]
    out = [0.0] * len(wanted)
    for k, place in zip(order, places, strict=True):
        out[k] = place
    return out


def _start(block: list[float]) -> float:
    return sum(block) / len(block)


def room_for(names: Sequence[str]) -> float:
    """Pixels that names need in the right margin."""
    return min(260.0, 20.0 + LETTER * max((len(name) for name in names), default=0))


def at_end(name: str, x: float, y: float, shift: float, ink: str, paper: str) -> dict[str, Any]:
    """A name right of where a line ends, moved up by `shift` pixels; x and y as Plotly's annotations want them."""
    return {
        "name": END, "text": plain(name), "x": x, "y": y, "xanchor": "left", "yanchor": "middle", "align": "left",
        "xshift": 9, "yshift": shift, "font": {"color": ink, "size": 12.5}, "showarrow": False,
        "bgcolor": paper, "borderpad": 0,
    }  # fmt: skip


def ends(
    figure: Any, marks: Sequence[tuple[str, float, float, str]], span: tuple[float, float], theme: str
) -> list[dict[str, Any]]:
    """Names at the ends of lines, moved apart: (name, x, y, ink) as annotations want them; span: bottom and top of the axis."""
    meta = figure.layout.meta
    frame = meta["height"] - meta["margin"]["t"] - meta["margin"]["b"]
    wanted = [(y - span[0]) / (span[1] - span[0]) * frame for _, _, y, _ in marks]
    places = dodge(wanted, LINE, 6.0, frame - 6.0)
    paper = veil(PAPERS[theme].paper, 0.8)
    return [
        at_end(name, x, y, place - want, ink, paper)
        for (name, x, y, ink), place, want in zip(marks, places, wanted, strict=True)
    ]


def on_line(text: str, y: float, ink: str, paper: str) -> dict[str, Any]:
    """What a thin horizontal line is, in small letters above its left end."""
    return {
        "text": text, "xref": "paper", "x": 0, "xanchor": "left", "y": y, "yanchor": "bottom", "xshift": 4,
        "font": {"color": ink, "size": 11.5}, "bgcolor": paper, "borderpad": 1, "showarrow": False,
    }  # fmt: skip
