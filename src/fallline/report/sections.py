"""The words of the report, as HTML. Whatever comes from the user's table is escaped here."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from statistics import median
from typing import Any

from fallline import words
from fallline.figures import style
from fallline.report.pictures import Picture

TASKS = {"binary": "two classes", "multiclass": "several classes"}
FIRST = 8  # settings that a reader sees before opening anything


def text(value: Any) -> str:
    """Any value as text that holds no markup."""
    return escape(str(value), quote=True)


def verdict(summary: Mapping[str, Any]) -> str:
    """The headline and its sentences, and a better tool where there is one."""
    found = summary.get("verdict") or {}
    sentences = "".join(f"<p>{text(style.together(str(sentence)))}</p>" for sentence in found.get("sentences", []))
    tool = found.get("better_tool")
    better = (
        f'<p class="tool"><strong>A better tool here:</strong> {text(style.together(str(tool)))}</p>' if tool else ""
    )
    headline = text(style.together(str(found.get("headline", "A comparison of gradient descents"))))
    return f'<h1>{headline}</h1><div class="lead">{sentences}</div>{better}'


def strip(summary: Mapping[str, Any]) -> str:
    """What was compared, in one line."""
    data, parts = summary.get("data") or {}, []
    if data.get("source"):
        parts.append(("data", data["source"]))
    if data.get("n"):
        columns = f" × {words.count(data['d'])} columns" if data.get("d") else ""
        parts.append(
            ("table" if columns else "rows", f"{words.count(data['n'])}{' rows' + columns if columns else ''}")
        )
    if data.get("task"):
        parts.append(("task", TASKS.get(str(data["task"]), data["task"])))
    if data.get("target"):
        parts.append(("target", data["target"]))
    if (summary.get("objective") or {}).get("text"):
        parts.append(("objective", summary["objective"]["text"]))
    if (summary.get("budget") or {}).get("text"):
        parts.append(("budget of each run", summary["budget"]["text"]))
    if summary.get("loss") is not None:
        parts.append(("loss at the end", words.number(summary["loss"])))
    if summary.get("excess") is not None:
        share = max(summary["excess"], 0.0) / (abs(summary["loss"]) or 1.0)
        parts.append(("above the optimum, by its own estimate", words.percent(share)))
    items = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in parts)
    return f'<dl class="strip">{items}</dl>' if items else ""


def picture(found: Picture, slider: bool = False, heading: str = "h3") -> str:
    """A figure with its finding above and how to read it below."""
    controls = ""
    if slider:
        play = found.figure["layout"]["meta"].get("play", {})
        last = max(0, len(play.get("names", [])) - 1)
        controls = (
            f'<div class="walk"><button type="button" data-play="{text(found.key)}">Play</button>'
            f"<label>after <output>{text(play['names'][last])}</output>"
            f'<input type="range" min="0" max="{last}" value="{last}" data-walk="{text(found.key)}"'
            ' aria-label="How far the paths have walked"></label></div>'
            if last
            else ""
        )
    title = f"<{heading}>{text(style.together(found.title))}</{heading}>" if found.title else ""
    how = f"<figcaption>{text(style.together(found.how))}</figcaption>" if found.how else ""
    height = int(found.figure["layout"]["meta"].get("height") or found.figure["layout"].get("height") or 440)
    return (
        f'<figure>{title}<div class="plot" data-figure="{text(found.key)}" role="img" aria-label="{text(found.title)}" '
        f'style="min-height:{height}px"></div>{controls}{how}</figure>'
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table that folds into cards on a phone. Cells are HTML; the first of a row is its head."""
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(
        "<tr>"
        + f'<th scope="row">{row[0]}</th>'
        + "".join(
            f'<td data-head="{text(head)}"><span>{cell}</span></td>'
            for head, cell in zip(heads[1:], row[1:], strict=True)
        )
        + "</tr>"
        for row in rows
    )
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def standings(summary: Mapping[str, Any]) -> str:
    """Who reached 1 % first."""
    entries = list(summary.get("entries") or [])
    if not entries:
        return ""
    n = (summary.get("data") or {}).get("n") or 1
    goal = text((summary.get("optimum") or {}).get("goal", "the optimum"))
    entries.sort(key=lambda entry: (_middle(entry.get("visits_to_1pct")), _middle(entry.get("excess"))))
    finals = [entry for entry in entries if entry.get("final")]
    shown = len(finals) or FIRST
    entries = finals + [entry for entry in entries if not entry.get("final")]
    rows = []
    for entry in entries:
        visits, seconds = _middle(entry.get("visits_to_1pct")), _middle(entry.get("seconds_to_1pct"))
        fine, seeds = _middle(entry.get("seconds_to_1e-4")), _seeds(entry.get("seeds"))
        rows.append(
            [
                f'<span class="swatch {_class(entry.get("variant"))}"></span>{text(entry.get("name", ""))}',
                _rate(entry),
                _visits(visits, n),
                text(words.seconds(seconds)) if math.isfinite(seconds) else "never",
                text(words.seconds(fine)) if math.isfinite(fine) else "never",
                "–" if entry.get("diverged") == seeds else _excess(entry.get("excess")) + _certified(entry),
                f'<strong class="alarm">{entry["diverged"]} of {seeds}</strong>' if entry.get("diverged") else "none",
            ]
        )  # fmt: skip
    heads = [
        "setting",
        "rate",
        "row visits to 1 %",
        "seconds to 1 %",
        "to 0.01 %",
        f"above {goal} at the end",
        "seeds diverged",
    ]
    first = table(heads, rows[:shown], f"Who came within 1 % of {goal} first (medians over seeds)")
    rest = table(heads, rows[shown:], "") if len(rows) > shown else ""
    note = "the rates tried before the best were run again on fresh seeds" if finals else "later, or never"
    return first + details("others", words.times(len(rows) - shown, "other setting", "other settings"), note, rest)


def _visits(visits: float, n: int) -> str:
    if not math.isfinite(visits):
        return "never"
    return f"{text(words.count(visits))} <small>({text(words.passes(visits / n))})</small>"


def _seeds(seeds: Any) -> int:
    return len(seeds) if isinstance(seeds, Sequence) else int(seeds or 0)


def _class(variant: Any) -> str:
    known = ("batch", "stochastic", "mini-batch", "automatic", "baseline")
    return str(variant) if variant in known else "baseline"


def _middle(values: Any) -> float:
    """The median; None stands for never."""
    some = [_one(value) for value in values or []]
    return median(some) if some else math.inf


def _one(value: float | None) -> float:
    return math.inf if value is None or math.isnan(value) else float(value)


def _rate(entry: Mapping[str, Any]) -> str:
    rate, share = entry.get("rate"), entry.get("rate_over_limit")
    times = f" <small>({text(words.number(share))} × its limit)</small>" if share else ""
    return text(words.number(rate)) + times if rate is not None else "takes none" if entry.get("estimate") else "–"


def _certified(entry: Mapping[str, Any]) -> str:
    """What a run says of itself, beside the truth."""
    if not entry.get("estimate"):
        return ""
    estimate, bound = _middle(entry["estimate"]), max(map(_one, entry.get("bound") or [None]))
    proven = f"; proven: at most {words.percent(bound)}" if math.isfinite(bound) else ""
    return f" <small>by its own estimate {text(words.percent(estimate) + proven)}</small>"


def _excess(values: Any) -> str:
    known = sorted(float(value) for value in values or [] if value is not None and math.isfinite(value))
    if not known:
        return "–"
    middle = text(words.percent(median(known)))
    if len(known) == 1:
        return middle
    return f"{middle} <small>({text(words.percent(known[0]))} to {text(words.percent(known[-1]))})</small>"


def inferred(summary: Mapping[str, Any]) -> str:
    """What was read from the table, and what it was taken for."""
    data = summary.get("data") or {}
    notes = "".join(f"<li>{text(note)}</li>" for note in data.get("notes") or [])
    columns, classes = data.get("columns") or [], data.get("classes") or []
    some = ", ".join(map(text, columns[:60])) + (f" and {len(columns) - 60} more" if len(columns) > 60 else "")
    parts = [f"<ul>{notes}</ul>" if notes else ""]
    if classes:
        parts.append(f"<p><strong>Classes:</strong> {', '.join(map(text, classes[:60]))}</p>")
    if columns:
        parts.append(f"<p><strong>{len(columns)} columns after encoding:</strong> {some}</p>")
    limits = (summary.get("limits") or {}).get("text")
    parts.append(f"<p><strong>Stable rates:</strong> {text(limits)}</p>" if limits else "")
    optimum = summary.get("optimum") or {}
    if optimum.get("value") is not None:
        by = f", found by {text(optimum['by'])}" if optimum.get("by") else ""
        goal = text(str(optimum.get("goal", "the optimum")).removeprefix("the ").capitalize())
        parts.append(f"<p><strong>{goal}:</strong> {text(words.number(optimum['value']))}{by}.</p>")
    return "".join(parts)


WHY = (
    "It goes down without a rate. A slope says which way is down, not how far; and in a valley that is longer than it is wide it "
    "points across, so plain steps zig-zag. The curvature, which is how fast the slope changes in each direction, says the rest. "
    "It is a mean over rows, so a sample of them (the sketch) tells it nearly as well as all do; in coordinates stretched by it "
    "the valley is a round bowl, where the slope points at the bottom and a step of length 1 gets about there. What one "
    "more step would still gain is its estimate of how far it is from the optimum, and when that is small it stops."
)


def automatic(summary: Mapping[str, Any], picture: str) -> str:
    """What the automatic solver does, in words and a picture, and what it did here."""
    own = next((entry for entry in summary.get("entries") or [] if entry.get("estimate")), None)
    if own is None:
        return ""
    rows = [
        ("its way", own.get("solver")),
        ("why it ended", "; ".join(own.get("reasons") or [])),
        ("above the optimum, by its own estimate", words.percent(_middle(own["estimate"]))),
        ("proven to be at most", words.percent(max(map(_one, own["bound"]))) if own.get("bound") else None),
        ("in truth", words.percent(_middle(own.get("excess")))),
    ]
    cells = [[name, text(value)] for name, value in rows if value and value != "∞ %"]
    many = len(own.get("seeds") or [])
    over = f" (medians over {many} sketches, the largest bound)" if many > 1 else ""
    return f"<p>{text(WHY)}</p>{picture}{table(['what', 'here'], cells, f'What it did here{over}')}"


def baselines(summary: Mapping[str, Any]) -> str:
    """What one would otherwise use."""
    rows = [
        [
            text(found.get("name", "")),
            text(words.seconds(found.get("seconds"))),
            text(words.seconds(found["seconds_to_1pct"])) if found.get("seconds_to_1pct") is not None else "never",
            text(words.percent(found["excess"])) if found.get("excess") is not None else "–",
            text(words.number(found["passes"])) if found.get("passes") is not None else "–",
            text(found.get("note") or ""),
        ]
        for found in summary.get("baselines") or []
    ]
    heads = ["tool", "seconds in all", "seconds to 1 %", "above the optimum", "passes", "note"]
    return table(heads, rows, "The usual tools on the same objective") if rows else ""


def coefficients(summary: Mapping[str, Any]) -> str:
    """What a fitted model adds up: the largest coefficients first."""
    found = summary.get("coefficients") or []
    several = any(one.get("class") for one in found)
    rows = [
        [
            text(one.get("column", "")),
            *([text(one.get("class", ""))] if several else []),
            text(words.number(one["value"])),
            text(words.number(one["standardised"])) if one.get("standardised") is not None else "–",
        ]
        for one in found
    ]
    heads = ["column", *(["class"] if several else []), "coefficient, in the column's own unit", "as it was learnt"]
    return table(heads, rows, "What each column adds to the score") if rows else ""


def differences(summary: Mapping[str, Any]) -> str:
    """Which differences are larger than what another seed would change."""
    found = (summary.get("verdict") or {}).get("differences") or []
    rows = [
        [
            f"{text(one.get('a', ''))} <small>against</small> {text(one.get('b', ''))}",
            '<strong class="real">real</strong>' if one.get("real") else "within noise",
            text(words.number(one["p"])) if one.get("p") is not None else "–",
            text(one.get("text", "")),
        ]
        for one in found
    ]
    heads = ["settings", "the difference is", "p", "in words"]
    return table(heads, rows, "Differences between settings, held against seed-to-seed noise") if rows else ""


def repeat(summary: Mapping[str, Any]) -> str:
    """The command and the plan."""
    command, plan = summary.get("command"), summary.get("plan")
    parts = []
    if command:
        parts.append(_code("the command", str(command)))
    if plan:
        parts.append(_code("plan.toml", str(plan)))
    return f'<section id="repeat"><h2>How to repeat it</h2>{"".join(parts)}</section>' if parts else ""


def _code(name: str, content: str) -> str:
    button = '<button type="button" data-copy>Copy</button>'
    code = f'<pre tabindex="0"><code>{text(content)}</code></pre>'
    return f'<div class="code"><div><span>{text(name)}</span>{button}</div>{code}</div>'


def details(key: str, title: str, note: str, body: str, opened: bool = False) -> str:
    """A part that opens, or that is open and closes."""
    if not body:
        return ""
    head = f"<summary><h2>{text(title)}</h2><span>{text(note)}</span></summary>"
    return f'<details id="{key}"{" open" if opened else ""}>{head}<div>{body}</div></details>'
