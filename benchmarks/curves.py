"""Time against excess, one line a tool, on light and on dark paper: pictures for docs/benchmarks.md."""

import math
import sys
from pathlib import Path
from typing import Any

from fallline.figures import axes, style
from fallline.figures.labels import at_end, dodge

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))

Curves = dict[str, list[tuple[float, float]]]  # tool → (seconds, excess), by seconds

THEMES = ("light", "dark")
WORST, BEST = 1.0, 1e-7  # of excess that is drawn
MOST = 8  # lines that a reader tells apart
HEIGHT, WIDTH = 420, 900
VARIANTS = {
    "fallline": "automatic",
    "scikit-learn SGD": "stochastic",
    "torch": "mini-batch",
    "scikit-learn newton": "batch",
    "scikit-learn Ridge": "batch",
}


def race(curves: Curves, title: str, path: Path) -> None:
    """Save `path`-light.png and `path`-dark.png; where no browser can be driven, say so."""
    try:
        from pictures import take  # of docs/; needs playwright and Chromium
    except ModuleNotFoundError as error:
        print(f"No picture of {title}: {error}.")
        return
    for theme in THEMES:
        take(drawn(curves, title, theme), path.with_name(f"{path.name}-{theme}.png"))


def drawn(curves: Curves, title: str, theme: str) -> Any:
    """The figure: the lowest excess that each tool reached by each moment, on logarithmic scales."""
    lines = {name: line for name, points in curves.items() if len(line := descent(points))}
    names = sorted(lines, key=lambda name: (name != "fallline", arrival(lines[name])))[:MOST]
    moments = [seconds for name in names for seconds, _ in lines[name]] or [1e-3, 1.0]
    low, high = min(moments) / 1.3, max(moments) * 1.1
    ticks = axes.round_numbers(low, high)
    paper = style.PAPERS[theme]
    figure = style.figure(
        f"{title}: seconds to come close to the optimum",
        "Lower left is better. Every mark is a fit, or a look of fallline's; each tool at its best settings.",
        theme,
        height=HEIGHT,
        margin={"r": 250},
        showlegend=False,
        xaxis={"type": "log", "range": [math.log10(low), math.log10(high)], "title": {"text": "seconds, log scale"},
               "tickvals": ticks, "ticktext": [axes.short(tick, "s") for tick in ticks]},
        yaxis=axes.percent_axis(BEST, WORST, "excess over the optimum, log scale"),
    )  # fmt: skip
    frame = HEIGHT / math.log10(WORST / BEST)
    heights = [math.log10(max(lines[name][-1][1], BEST) / BEST) * frame for name in names]
    for name, height, place in zip(names, heights, dodge(heights, 17, 0, HEIGHT), strict=True):
        look, ink = style.look(variant(name)), style.colour(variant(name), theme=theme)
        x, y = zip(*((seconds, max(excess, BEST)) for seconds, excess in lines[name]), strict=True)
        figure.add_scatter(
            x=x, y=y, mode="lines+markers", line={"color": ink, "dash": look.dash, "width": 2.6 if name == "fallline" else 1.6},
            marker={"symbol": look.symbol, "size": 8, "color": ink},
        )  # fmt: skip
        figure.add_annotation(
            at_end(name, math.log10(x[-1]), math.log10(y[-1]), place - height, ink, style.veil(paper.paper, 0.55))
        )
    return figure


def descent(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points lower than every quicker one, from the first below `WORST`."""
    line: list[tuple[float, float]] = []
    for seconds, excess in points:
        if excess < min(WORST, line[-1][1] if line else WORST):
            line.append((seconds, excess))
            if excess <= BEST:
                break
    return line


def arrival(line: list[tuple[float, float]]) -> tuple[float, float]:
    """To sort by: seconds to 1e-4, or else how close."""
    return next(((seconds, 0.0) for seconds, excess in line if excess <= 1e-4), (math.inf, line[-1][1]))


def variant(name: str) -> str:
    """The look that a tool borrows from the package's figures."""
    return next((look for start, look in VARIANTS.items() if name.startswith(start)), "baseline")
