"""Axes that several figures share: time in updates, row visits or seconds; excess loss in per cent on a log scale."""

import math
from typing import Any, NamedTuple

from fallline import words
from fallline.figures import style

LOG_BEYOND = 15.0  # the end over the earliest moment that matters; beyond it a straight axis hides the start
EDGE = 1.5  # how far left of the first look a logarithmic axis begins
FEW = 10  # updates, whose halves are numbers and no thousandths
INSIDE = 1 + 1e-4  # Plotly does not draw a marker that rounding, to six digits in a report, puts outside of the frame
NAMES = {"updates": "updates", "visits": "row visits", "epochs": "passes", "seconds": "seconds"}


class TimeAxis(NamedTuple):
    """One way to measure how long a run took."""

    title: str
    type: str  # "linear" or "log"
    range: tuple[float, float]  # as Plotly wants it: powers of ten where the axis is logarithmic
    unit: str = ""  # behind a number's prefix: s makes 0.002 "2 ms"

    def seen(self, time: float) -> float:
        """Where a moment is drawn: on a logarithmic axis the start, which has no place there, is the left edge."""
        return max(time, INSIDE * 10.0 ** self.range[0]) if self.type == "log" else time

    def mark(self, time: float) -> float:
        """The same for annotations, which Plotly wants as a power of ten there."""
        return math.log10(self.seen(time)) if self.type == "log" else time

    def layout(self) -> dict[str, Any]:
        """As Plotly's x axis."""
        layout: dict[str, Any] = {"title": {"text": self.title}, "type": self.type, "range": list(self.range)}
        if self.type == "linear":
            return {
                **layout,
                "tickmode": "auto",
                "tickformat": "~s" if self.unit or self.range[1] > FEW else "~g",
                "ticksuffix": self.unit,
            }
        ticks = round_numbers(10.0 ** self.range[0], 10.0 ** self.range[1])
        return {
            **layout,
            "tickmode": "array",
            "tickvals": ticks,
            "ticktext": [short(tick, self.unit) for tick in ticks],
        }


def time_axis(kind: str, first: float, key: float, last: float, n: int) -> TimeAxis:
    """The axis of kind "updates", "visits", "epochs" or "seconds".

    first: the earliest positive time there is; key: the earliest time at which something worth seeing happens; last:
    the end. Straight where the key moment can be seen on a straight axis, else logarithmic.
    """
    title = {
        "updates": "updates",
        "visits": f"row visits ({words.count(n)} = 1 pass)" if n > 1 else "evaluations",
        "epochs": "passes over the rows (epochs)",
        "seconds": "time spent walking (seconds)",
    }[kind]
    unit = "s" if kind == "seconds" else ""
    if last <= 0 or key <= 0 or last / key <= LOG_BEYOND:
        return TimeAxis(title, "linear", (0.0, last if last > 0 else 1.0), unit)
    edge = min(first, key) / EDGE
    return TimeAxis(
        f"{title}, log scale; the start at the left edge", "log", (math.log10(edge), math.log10(last)), unit
    )


def duration(kind: str, value: float, n: int) -> str:
    """A moment in words: 3.1 passes, 12.3 ms, 1,234 updates."""
    if kind == "seconds":
        return words.seconds(value)
    if kind == "updates" or n <= 1:
        return f"{words.count(value)} updates"
    return words.passes(value if kind == "epochs" else value / n)


def decades(low: float, high: float, most: int = 7) -> list[float]:
    """Powers of ten between two numbers, not more than `most`."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    stride = max(1, -(-(last - first + 1) // most))
    return [10.0**power for power in range(last, first - 1, -stride)][::-1]


def round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two numbers; powers of ten alone where those are enough."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if math.log10(high / low) < 2.2 else (1,)
    return [tick for power in powers for step in steps if low <= (tick := float(f"{step}e{power}")) <= high]


PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def short(value: float, unit: str = "") -> str:
    """A number on an axis: 10k, or with a unit 2 ms."""
    if not unit and 1e-3 <= value < 1:
        return f"{value:g}"
    size, prefix = next((pair for pair in PREFIXES if value >= pair[0] * INSIDE**-1), PREFIXES[-1])
    return f"{value / size:g}{' ' if unit else ''}{prefix}{unit}"


def percent_axis(low: float, high: float, title: str) -> dict[str, Any]:
    """A logarithmic axis from `low` to `high` that reads in per cent."""
    ticks = decades(low, high)
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [words.percent(tick) for tick in ticks],
        "title": {"text": title},
    }


def switch(axes: dict[str, dict[str, Any]], current: str, theme: str, above: float = 0.0) -> dict[str, Any]:
    """Buttons that change the time axis of a figure that stands alone, `above` pixels over the frame.

    `axes`: kind → what Plotly's update wants.
    """
    kinds = list(axes)
    return {
        "type": "buttons", "direction": "right", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom",
        "pad": {"b": 6 + above}, "active": kinds.index(current), "showactive": True,
        "bordercolor": style.PAPERS[theme].axis, "font": {"size": 12, "color": style.BUTTON},
        "buttons": [
            {"label": NAMES[kind], "method": "update", "args": [axes[kind]["data"], axes[kind]["layout"]]}
            for kind in kinds
        ],
    }  # fmt: skip
