"""Which pictures a report holds, and how a Plotly figure becomes the few bytes that the page draws it from."""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fallline import figures
from fallline.figures.bands import Band, answered, band_of, ran_away
from fallline.plane import Surface
from fallline.trace import Trace

DIGITS = 6  # of a number in a picture
DEEP = {"title", "updatemenus", "sliders", "template"}  # what the page does itself: headings, switches, sliders, paper


class Picture(NamedTuple):
    """A figure and where it goes."""

    key: str
    figure: Mapping[str, Any]  # data, layout
    title: str
    how: str


def groups_of(traces: Sequence[Trace]) -> dict[str, list[Trace]]:
    """Runs that differ by seed only: name → traces."""
    groups: dict[str, list[Trace]] = {}
    for trace in traces:
        groups.setdefault(str(trace.about.get("name", "")), []).append(trace)
    return groups


def height_of(traces: Sequence[Trace]) -> str:
    """What to draw: the excess where the optimum is known, else the loss."""
    return "excess" if all(trace.about.get("optimum") is not None for trace in traces) else "loss"


def by_estimate(trace: Trace) -> Trace:
    """A run that nobody knows the optimum of, with the one that its solver's last estimate of the excess says."""
    if trace.about.get("optimum") is not None or not np.isfinite(trace.columns.get("excess", [math.nan])[-1]):
        return trace
    loss, held = trace.last("loss"), trace.copy()
    held.about |= {"optimum": loss - max(trace.last("excess"), 0.0), "scale": abs(loss) or 1.0}
    return held


def finals_of(traces: Sequence[Trace], summary: Mapping[str, Any]) -> list[Trace]:
    """The runs of settings that were run again on fresh seeds, which a verdict rests on; none where there are none."""
    known = {
        (entry.get("name"), seed)
        for entry in summary.get("entries") or []
        if entry.get("final") and isinstance(entry.get("seeds"), Sequence)
        for seed in entry["seeds"]
    }
    return [trace for trace in traces if (trace.about.get("name"), trace.about.get("seed")) in known]


def leaders(groups: Mapping[str, list[Trace]], y: str, lost_only: bool = False) -> dict[str, list[Trace]]:
    """The best setting of every variant, and the smallest rate at which one diverges: what a verdict is about."""
    bands = [(name, band_of(name, runs, y)) for name, runs in groups.items()]
    chosen = []
    for variant in dict.fromkeys(band.variant for _, band in bands):
        own = [(name, band) for name, band in bands if band.variant == variant]
        sane = [pair for pair in own if not pair[1].lost]
        lost = [pair for pair in own if pair[1].lost]
        chosen += [min(sane, key=lambda pair: _merit(pair[1]))[0]] if sane and not lost_only else []
        chosen += [min(lost, key=lambda pair: pair[1].rate or 0.0)[0]] if lost else []
    return {name: groups[name] for name in chosen}


def _merit(band: Band) -> tuple[float, float]:
    """Smaller is better: row visits to 1 %, then the height at the end."""
    return (band.reached or {}).get("visits", math.inf), float(band.middle[-1])


def pictures_of(
    traces: Sequence[Trace],
    surfaces: Sequence[Surface],
    summary: Mapping[str, Any],
    extra: Sequence[tuple[str, Any]],
    shown: int,
) -> list[Picture]:
    """Every picture of the report, drawn for light paper; curves have at most `shown` points."""
    drawn: list[tuple[str, Any]] = []
    traces = [by_estimate(trace) for trace in traces if answered([trace])]
    if traces:
        y, finals = height_of(traces), finals_of(traces, summary)
        tried = [trace for trace in traces if id(trace) not in set(map(id, finals))] or list(traces)
        groups = groups_of(tried)
        best = {**leaders(groups, y, lost_only=bool(finals)), **groups_of(finals)}
        drawn.append(("lead", figures.draw_curves(figures.curves_of(best, y=y, shown=shown))))
        sane = {name: runs for name, runs in best.items() if not all(map(ran_away, runs))}
        if y != "loss" and sane:
            drawn.append(("curve-loss", figures.draw_curves(figures.curves_of(sane, y="loss", shown=shown))))
        for k, variant in enumerate(dict.fromkeys(str(trace.about.get("variant", "")) for trace in tried)):
            own = {name: runs for name, runs in groups.items() if runs[0].about.get("variant", "") == variant}
            if len(own) > 1:
                drawn.append((f"curve-{k}", figures.draw_curves(figures.curves_of(own, y=y, shown=shown))))
        if len({trace.about.get("rate") for trace in tried}) > 1:
            drawn.append(("rates", figures.draw_sweep(figures.sweep_of(tried))))
        if len({trace.about.get("batch_size") for trace in tried}) > 1:
            drawn.append(("sizes", figures.draw_batch_sweep(figures.batch_sweep_of(tried))))
    for k, surface in enumerate(surfaces):
        drawn.append((f"surface-{k}-flat", figures.draw_surface(surface)))
        drawn.append((f"surface-{k}-relief", figures.draw_relief(surface)))
    if summary.get("baselines"):
        entries = summary.get("entries") or []
        race = figures.race_of([one for one in entries if one.get("final")] or entries, summary["baselines"])
        drawn += [("race", figures.draw_race(race))] if race.runners else []
    drawn += [(f"extra-{k}", figure) for k, (_, figure) in enumerate(extra)]
    return [picture_of(key, figure) for key, figure in drawn]


def picture_of(key: str, figure: Any) -> Picture:
    """A Plotly figure as what the page draws it from."""
    content = thin(figure.to_plotly_json())
    layout = {name: value for name, value in content["layout"].items() if name not in DEEP}
    meta = layout.get("meta") or {}
    title, how = meta.get("title", ""), meta.get("how", "")
    layout["meta"] = {name: value for name, value in meta.items() if name not in ("title", "how")}
    return Picture(key, {"data": content["data"], "layout": layout}, title, how)


def thin(value: Any) -> Any:
    """Plotly's JSON in plain lists of numbers with six digits, and null for what is no number."""
    if isinstance(value, Mapping):
        if "bdata" in value:
            flat = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
            shape = [int(size) for size in str(value.get("shape", len(flat))).split(",")]
            return thin(flat.reshape(shape).tolist())
        return {name: thin(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray):
        return thin(value.tolist())
    if isinstance(value, (list, tuple)):
        return [thin(inner) for inner in value]
    if isinstance(value, np.generic):
        return thin(value.item())
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        short = float(f"{value:.{DIGITS}g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    return value
