"""What a learning rate, or a batch size, leaves to do at the end of the budget."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fallline import words
from fallline.figures import axes, labels, style
from fallline.figures.bands import FLOOR, HIGH, LOW, excess_of, ran_away
from fallline.trace import Trace


class Result(NamedTuple):
    """Where the seeds of one setting ended."""

    rate: float
    batch_size: int
    variant: str
    low: float  # over the seeds: 10 %
    middle: float  # median; infinite where at least half ran away
    high: float
    seeds: int
    diverged: int

    @property
    def lost(self) -> bool:
        """Whether at least half of the seeds ran away."""
        return 2 * self.diverged >= self.seeds


class Series(NamedTuple):
    """The results of one variant and batch size by rate, from the smallest."""

    name: str
    variant: str
    results: tuple[Result, ...]
    limit: float | None  # the largest stable rate, where it is known

    @property
    def best(self) -> Result | None:
        """The result that is lowest, of those that did not run away."""
        return min((r for r in self.results if not r.lost), key=lambda r: r.middle, default=None)


class SweepFacts(NamedTuple):
    """What a picture of a sweep shows."""

    series: tuple[Series, ...]
    y: str  # "excess" or "loss"
    top: float
    bottom: float
    n: int
    finding: str


def sweep_of(traces: Sequence[Trace], y: str = "") -> SweepFacts:
    """Final excess ("loss" where no optimum is known) against rate, one series a variant and batch size."""
    return _facts(traces, y, _rates_say)


def batch_sweep_of(traces: Sequence[Trace], y: str = "") -> SweepFacts:
    """The same runs against batch size."""
    return _facts(traces, y, _sizes_say)


def _facts(traces: Sequence[Trace], y: str, say: Callable[..., str]) -> SweepFacts:
    if not traces:
        raise ValueError("there are no traces to sweep over: give at least one")
    known = all(trace.about.get("optimum") is not None for trace in traces)
    y = y or ("excess" if known else "loss")
    groups: dict[tuple[str, int], dict[float, list[Trace]]] = {}
    for trace in traces:
        about = trace.about
        if about.get("rate") is not None:
            key = (str(about.get("variant", "")), int(about.get("batch_size") or trace.n))
            groups.setdefault(key, {}).setdefault(float(about["rate"]), []).append(trace)
    variants = [variant for variant, _ in groups]
    series = tuple(
        Series(
            name=f"{variant} {size}" if variant == "mini-batch" or variants.count(variant) > 1 else variant,
            variant=variant,
            results=tuple(_result(rate, size, runs, y) for rate, runs in sorted(by_rate.items())),
            limit=_limit(by_rate),
        )
        for (variant, size), by_rate in sorted(groups.items(), key=lambda item: -item[0][1])
    )
    sane = [value for one in series for r in one.results if not r.lost for value in (r.low, r.high)]
    low, high = max(min(sane, default=0.1), FLOOR), max(max(sane, default=1.0), FLOOR)
    return SweepFacts(series, y, high * 3.0, low / 1.8, traces[0].n, say(series, y, traces[0].n))


def _result(rate: float, size: int, runs: Sequence[Trace], y: str) -> Result:
    ends = [float((excess_of(run) if y == "excess" else run["loss"])[-1]) for run in runs if not ran_away(run)]
    diverged = len(runs) - len(ends)
    low, middle, high = np.quantile(ends, (LOW, 0.5, HIGH)).tolist() if ends else (np.inf,) * 3
    if 2 * diverged >= len(runs):
        middle = np.inf
    return Result(rate, size, str(runs[0].about.get("variant", "")), low, middle, high, len(runs), diverged)


def _limit(by_rate: dict[float, list[Trace]]) -> float | None:
    return next((t.about["limit"] for runs in by_rate.values() for t in runs if t.about.get("limit")), None)


def _left(result: Result, y: str) -> str:
    return (
        f"{words.percent(result.middle)} above the optimum" if y == "excess" else f"loss {words.number(result.middle)}"
    )


def _rates_say(series: Sequence[Series], y: str, n: int) -> str:
    """Where each variant is best, and from which rate on runs diverge."""
    best = sorted(((r.middle, one.name, r) for one in series if (r := one.best)), key=lambda entry: entry[:2])
    lost = sorted((r for one in series for r in one.results if r.lost), key=lambda r: r.rate)
    if not best:
        return f"Every rate diverges, from {words.number(lost[0].rate)} on"
    _, name, result = best[0]
    text = f"{name[:1].upper()}{name[1:]} does best at rate {words.number(result.rate)}: {_left(result, y)}"
    if lost:
        limit = next((s.limit for s in series if lost[0] in s.results), None)
        known = f", its limit is {words.number(limit)}" if limit else ""
        text += f"; {lost[0].variant} diverges at rate {words.number(lost[0].rate)}{known}"
    return text


def _sizes_say(series: Sequence[Series], y: str, n: int) -> str:
    """Which batch size is best at its best rate, and what the others leave."""
    best = sorted((one.best for one in series if one.best), key=lambda r: r.middle)
    if not best:
        return "Every batch size diverges at every rate"
    show = words.percent if y == "excess" else words.number
    rest = [f"{_rows(r.batch_size, n)} {show(r.middle)}" for r in best[1:3]]
    first = _rows(best[0].batch_size, n)
    text = f"At its best rate, a batch of {first} ends lowest: {_left(best[0], y)}"
    return text + (f"; {words.listed(rest)}" if rest else "")


def _rows(size: int, n: int) -> str:
    return f"all {words.count(n)} rows" if size >= n else "1 row" if size == 1 else f"{words.count(size)} rows"


def draw_sweep(facts: SweepFacts, theme: str = "light") -> go.Figure:
    """Final excess against rate, both on logarithmic axes, with stable limits and diverged rates."""
    rates = [r.rate for one in facts.series for r in one.results]
    limits = [one.limit for one in facts.series if one.limit]
    low, high = min(rates + limits) / 1.5, max(rates + limits) * 1.5
    limited = _distinct_limits(facts.series)
    figure = _blank(
        facts, theme, "learning rate, log scale", low, high,
        [one.name for one in facts.series], 26 + labels.LINE * len(limited),
    )  # fmt: skip
    marks = []
    for row, (name, variant, limit) in enumerate(limited):
        ink = style.colour(variant, theme=theme)
        figure.add_shape(
            type="line", yref="paper", x0=limit, x1=limit, y0=0, y1=1, layer="below",
            line={"color": ink, "width": 1, "dash": "dot"},
        )  # fmt: skip
        figure.add_annotation(
            text=style.plain(f"{name} is stable to {words.number(limit)}"), x=np.log10(limit), y=1, yref="paper",
            yanchor="bottom", yshift=2 + labels.LINE * row, xanchor="right" if limit > (low * high) ** 0.5 else "left",
            font={"size": 11.5, "color": ink}, showarrow=False,
        )  # fmt: skip
    for one in facts.series:
        sane = [r for r in one.results if not r.lost]
        _draw_series(figure, one.name, one.variant, sane, [r.rate for r in sane], theme)
        lost = [r for r in one.results if r.lost]
        _draw_lost(figure, lost, [r.rate for r in lost], facts.top, theme)
        if sane:
            marks.append((one.name, one.variant, sane[-1].rate, sane[-1].middle))
    _name_ends(figure, facts, marks, theme)
    return figure


def draw_batch_sweep(facts: SweepFacts, theme: str = "light") -> go.Figure:
    """Final excess against batch size: every rate a mark, the best of each batch size joined."""
    paper = style.PAPERS[theme]
    sizes = [r.batch_size for one in facts.series for r in one.results]
    figure = _blank(facts, theme, "rows in a batch, log scale", min(sizes) / 1.7, max(sizes) * 1.7, ["best rate"], 26)
    best = sorted((one.best for one in facts.series if one.best), key=lambda r: r.batch_size)
    figure.add_scatter(
        x=[r.batch_size for r in best], y=[max(r.middle, FLOOR) for r in best], mode="lines", hoverinfo="skip",
        name="best rate", line={"color": paper.axis, "width": 2},
    )  # fmt: skip
    for one in facts.series:
        shades = style.levels([r.rate for r in one.results])
        for result in one.results:
            if result.lost:
                _draw_lost(figure, [result], [result.batch_size], facts.top, theme)
            else:
                _draw_series(
                    figure, f"{one.name} · rate {words.number(result.rate)}", one.variant, [result],
                    [result.batch_size], theme, shades[result.rate], named=False,
                )  # fmt: skip
    for result in best:
        figure.add_annotation(
            text=f"rate {words.number(result.rate)}", x=np.log10(result.batch_size), yanchor="top", yshift=-9,
            y=np.log10(max(result.middle, FLOOR)), showarrow=False, bgcolor=style.veil(paper.paper, 0.8), borderpad=0,
            font={"size": 11.5, "color": style.colour(result.variant, theme=theme)},
        )  # fmt: skip
    if best:
        last = best[-1]
        _name_ends(figure, facts, [("best rate", "baseline", last.batch_size, last.middle)], theme)
    return figure


def _distinct_limits(series: Sequence[Series]) -> list[tuple[str, str, float]]:
    """A limit once, though several batch sizes of a variant may share it."""
    seen: dict[tuple[str, float], tuple[str, str, float]] = {}
    for one in series:
        if one.limit:
            seen.setdefault((one.variant, one.limit), (one.variant, one.variant, one.limit))
    return sorted(seen.values(), key=lambda entry: entry[2])


def _blank(facts: SweepFacts, theme: str, title: str, low: float, high: float, names: list[str], top: int) -> go.Figure:
    ticks = axes.round_numbers(low, high)
    height = "excess loss at the end, log scale" if facts.y == "excess" else "loss at the end, log scale"
    vertical: dict[str, Any] = axes.percent_axis(facts.bottom, facts.top, height)
    if facts.y == "loss":
        vertical |= {"ticktext": [words.number(tick) for tick in vertical["tickvals"]]}
    return style.figure(
        facts.finding,
        how_to_read(facts),
        theme,
        margin={"r": labels.room_for(names), "t": top},
        showlegend=False,
        xaxis={
            "type": "log", "range": [np.log10(low), np.log10(high)], "title": {"text": title},
            "tickvals": ticks, "ticktext": [axes.short(tick) for tick in ticks],
        },
        yaxis=vertical,
    )  # fmt: skip


def how_to_read(facts: SweepFacts) -> str:
    """One sentence under the picture."""
    seeds = max(r.seeds for one in facts.series for r in one.results)
    parts = ["Lower is better"]
    if seeds > 1:
        parts.append(f"a mark is the median of {seeds} seeds, its bar holds 10 to 90 % of them")
    if any(r.lost for one in facts.series for r in one.results):
        parts.append("× at the top: diverged")
    return "; ".join(parts) + "."


def _draw_series(
    figure: go.Figure, name: str, variant: str, results: list[Result], x: list[Any], theme: str,
    level: int = style.LEVELS - 1, named: bool = True,
) -> None:  # fmt: skip
    look, ink = style.look(variant), style.colour(variant, level, theme)
    y = np.maximum([r.middle for r in results], FLOOR)
    figure.add_scatter(
        x=x, y=y.tolist(), mode="lines+markers", name=style.plain(name), showlegend=named,
        line={"color": ink, "width": 2.2, "dash": look.dash},
        marker={"symbol": look.symbol, "size": 9, "color": ink, "line": {"color": style.PAPERS[theme].paper, "width": 1}},
        error_y={"type": "data", "symmetric": False, "array": (np.array([r.high for r in results]) - y).tolist(),
                 "arrayminus": (y - np.maximum([r.low for r in results], FLOOR)).tolist(),
                 "color": ink, "thickness": 1.4, "width": 4},
        hovertemplate=f"{style.plain(name)}<br>%{{x:.3~g}}: %{{y:.3~g}}<extra></extra>",
    )  # fmt: skip


def _draw_lost(figure: go.Figure, results: list[Result], x: list[Any], top: float, theme: str) -> None:
    if not results:
        return
    figure.add_scatter(
        x=x, y=[top / axes.INSIDE] * len(results), mode="markers", showlegend=False, cliponaxis=False,
        marker={"symbol": "x-thin", "size": 10,
                "line": {"width": 2.6, "color": [style.colour(r.variant, theme=theme) for r in results]}},
        hovertext=[style.plain(f"{r.variant} diverged at rate {words.number(r.rate)}") for r in results],
        hoverinfo="text",
    )  # fmt: skip


def _name_ends(figure: go.Figure, facts: SweepFacts, marks: list[tuple[str, str, float, float]], theme: str) -> None:
    """A name at the last point of every line: (name, variant, x, y)."""
    inked = [
        (name, float(np.log10(x)), float(np.log10(max(y, FLOOR))), style.colour(variant, theme=theme))
        for name, variant, x, y in marks
    ]
    ends = labels.ends(figure, inked, (float(np.log10(facts.bottom)), float(np.log10(facts.top))), theme)
    figure.layout.annotations = [*ends, *figure.layout.annotations]
