"""Who is within 1 % of the optimum after how many seconds: descents beside the tools one would otherwise use."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import axes, style
from fallline.figures.bands import HIGH, LOW

ROW = 38  # pixels a runner
MOST = 14  # runners that a reader compares


class Runner(NamedTuple):
    """One setting or tool."""

    name: str
    variant: str
    low: float  # seconds to 1 %: over seeds 10 %, median, 90 %
    middle: float
    high: float


class RaceFacts(NamedTuple):
    """Who arrived, fastest first, and who never did."""

    runners: tuple[Runner, ...]
    never: tuple[str, ...]
    finding: str


def race_of(entries: Sequence[Mapping[str, Any]], baselines: Sequence[Mapping[str, Any]] = ()) -> RaceFacts:
    """From a comparison's entries and baselines (`name`, `variant`, `seconds_to_1pct`: a number a seed, None: never)."""
    runners, never = [], []
    for entry in [*entries, *baselines]:
        seconds = entry.get("seconds_to_1pct")
        values = list(seconds) if isinstance(seconds, Sequence) else [seconds]
        reached = [math.inf if value is None else float(value) for value in values]
        name = str(entry.get("name", ""))
        if not reached or not math.isfinite(middle := median(reached)):
            never.append(name)
            continue
        finite = [value for value in reached if math.isfinite(value)]
        low, high = np.quantile(finite, (LOW, HIGH)).tolist()
        runners.append(Runner(name, str(entry.get("variant", "baseline")), low, middle, max(high, middle)))
    runners.sort(key=lambda runner: runner.middle)
    if not runners:
        finding = "Nothing comes within 1 % of the optimum"
    else:
        first = runners[0]
        finding = f"{first.name[:1].upper()}{first.name[1:]} is within 1 % first, after {words.seconds(first.middle)}"
        rival = next((r for r in runners if (r.variant == "baseline") != (first.variant == "baseline")), None)
        if rival:
            finding += f"; {rival.name} takes {words.seconds(rival.middle)}"
            finding += f", {words.number(rival.middle / first.middle)} times as long" if first.middle > 0 else ""
    return RaceFacts(tuple(runners[:MOST]), tuple(never), finding)


def draw_race(facts: RaceFacts, theme: str = "light") -> go.Figure:
    """A mark a runner on a logarithmic scale of seconds, its bar the seeds' 10 to 90 %."""
    paper = style.PAPERS[theme]
    positive = [max(value, 1e-9) for runner in facts.runners for value in (runner.low, runner.high)] or [1e-3, 1.0]
    low, high = min(positive) / 1.6, max(positive) * 1.6
    ticks = axes.round_numbers(low, high)
    never = f" {len(facts.never)} never arrive: {words.listed(list(facts.never[:3]))}" if facts.never else ""
    more = " and others" if len(facts.never) > 3 else ""
    figure = style.figure(
        facts.finding,
        f"Further left is faster; bars hold 10 to 90 % of the seeds.{never}{more + '.' if never else ''}",
        theme,
        height=90 + ROW * max(1, len(facts.runners)),
        margin={"l": 14, "t": 8},
        showlegend=False,
        xaxis={
            "type": "log", "range": [math.log10(low), math.log10(high)], "title": {"text": "seconds to 1 %, log scale"},
            "tickvals": ticks, "ticktext": [axes.short(tick, "s") for tick in ticks],
        },
        yaxis={"visible": False, "range": [len(facts.runners) - 0.4, -0.75]},
    )  # fmt: skip
    for row, runner in enumerate(facts.runners):
        look, ink = style.look(runner.variant), style.colour(runner.variant, theme=theme)
        figure.add_scatter(
            x=[max(runner.middle, 1e-9)], y=[row], mode="markers", name=style.plain(runner.name),
            marker={"symbol": look.symbol, "size": 11, "color": ink},
            error_x={"type": "data", "symmetric": False, "array": [runner.high - runner.middle],
                     "arrayminus": [max(0.0, runner.middle - runner.low)], "color": ink, "thickness": 1.6, "width": 5},
            hovertemplate=f"{style.plain(runner.name)}<br>{words.seconds(runner.middle)}<extra></extra>",
        )  # fmt: skip
        late = math.log10(max(runner.middle, 1e-9)) > (math.log10(low) + math.log10(high)) / 2
        figure.add_annotation(
            text=style.plain(f"{runner.name}  {words.seconds(runner.middle)}"), y=row, yanchor="bottom", yshift=7,
            x=math.log10(max(runner.middle, 1e-9)), xanchor="right" if late else "left", xshift=6 if late else -6,
            font={"size": 12, "color": ink}, bgcolor=style.veil(paper.paper, 0.8), borderpad=0, showarrow=False,
        )  # fmt: skip
    return figure
