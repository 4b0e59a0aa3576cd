"""One self-contained HTML file: no network, Plotly inside once, readable from the top down."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from fallline.bowl import Bowl
from fallline.figures import draw_bowl, style
from fallline.files import write_whole
from fallline.plane import Surface
from fallline.report import sections
from fallline.report.pictures import Picture, picture_of, pictures_of
from fallline.report.sections import text
from fallline.trace import Trace

LIMIT = 2_900_000  # bytes beyond Plotly itself
SHOWN = (240, 120, 60, 30)  # points of a curve, fewer where there are so many curves that the page would grow too large


def write_report(
    summary: Mapping[str, Any],
    traces: Sequence[Trace],
    surfaces: Sequence[Surface],
    path: Path | str,
    extra_figures: Sequence[tuple[str, Any]] = (),
    bowl: Bowl | None = None,
) -> Path:
    """Write the report of a comparison to `path`, at one stroke.

    summary: what the comparison found, as in summary.json; missing parts are left out. extra_figures: further sections,
    (heading, Plotly figure drawn for light paper with the colours of figures/style.py). bowl: what sketched curvature does to
    this table. Plotly itself is 4.8 MB of the
    file; the rest stays under 3 MB, with fewer points a curve where there are very many curves.
    """
    plotly = style.plotly_code()
    for shown in SHOWN:
        rest = page(summary, traces, surfaces, extra_figures, bowl, shown)
        if len(rest.encode()) <= LIMIT:
            break
    return write_whole(path, rest.replace(PLOTLY_GOES_HERE, plotly, 1))


PLOTLY_GOES_HERE = "/* Plotly goes here */"


def page(
    summary: Mapping[str, Any],
    traces: Sequence[Trace],
    surfaces: Sequence[Surface],
    extra: Sequence[tuple[str, Any]],
    bowl: Bowl | None,
    shown: int,
) -> str:
    """The page without Plotly's own code."""
    pictures = pictures_of(traces, surfaces, summary, extra, shown)
    pictures += [picture_of("bowl", draw_bowl(bowl))] if bowl else []
    by_key = {found.key: found for found in pictures}
    data = {
        "figures": {found.key: found.figure for found in pictures},
        "template": style.template("light"),
        "dark": style.counterparts(),
    }
    folder = files("fallline.report")
    css = _papers() + folder.joinpath("page.css").read_text(encoding="utf-8")
    script = folder.joinpath("page.js").read_text(encoding="utf-8")
    lead = sections.picture(by_key["lead"], heading="h2") if "lead" in by_key else ""
    timed = any("axes" in found.figure["layout"]["meta"] for found in pictures)
    title = (summary.get("verdict") or {}).get("headline", "A comparison of gradient descents")
    version = summary.get("fallline", "")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{text(title)} · fallline</title>
<style>{css}</style>
</head>
<body>
<a class="skip" href="#verdict">Skip to the verdict</a>
<header>
<span class="brand">fallline <small>{text(version)}</small></span>
<div class="tools">
<fieldset id="axis"{"" if timed else " hidden"}><legend>Time in</legend>
<label><input type="radio" name="axis" value="updates"><span>updates</span></label>
<label><input type="radio" name="axis" value="visits" checked><span>row visits</span></label>
<label><input type="radio" name="axis" value="seconds"><span>seconds</span></label>
</fieldset>
<button type="button" id="theme" aria-label="Switch between light and dark">Dark</button>
</div>
</header>
<main>
<section id="verdict">
{sections.verdict(summary)}
{sections.strip(summary)}
</section>
<noscript><p class="tool">The pictures need JavaScript, which is off here; the tables and words below do not.</p></noscript>
{lead}
{sections.standings(summary)}
<section id="details">
{_details(summary, by_key, extra)}
</section>
{sections.repeat(summary)}
</main>
<footer>Made by fallline {text(version)}. This file holds everything it shows and loads nothing from a network.</footer>
<script>{PLOTLY_GOES_HERE}</script>
<script type="application/json" id="figures">{safe_json(data)}</script>
<script>{script}</script>
</body>
</html>
"""


# Plotly's 3-D compiles small functions at run time, hence unsafe-eval; nothing may come from or go to anywhere.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; base-uri 'none'; form-action 'none'"
)


def safe_json(value: Any) -> str:
    """JSON that can stand in a script element whatever its strings hold."""
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        content = content.replace(letter, f"\\u{ord(letter):04x}")
    return content


def _details(summary: Mapping[str, Any], by_key: Mapping[str, Picture], extra: Sequence[tuple[str, Any]]) -> str:
    def drawn(prefix: str) -> str:
        return "".join(sections.picture(found) for key, found in by_key.items() if key.startswith(prefix))

    surfaces = "".join(
        sections.picture(found, slider=True) for key, found in by_key.items() if key.startswith("surface-")
    )
    named = "".join(
        sections.details(f"more-{k}", heading, "", sections.picture(by_key[f"extra-{k}"]), opened=True)
        for k, (heading, _) in enumerate(extra)
    )
    parts = [
        (
            "solver",
            "The automatic solver",
            "why it needs no rate, and how it knows how near it is",
            sections.automatic(summary, drawn("bowl")),
        ),
        ("curves", "Every curve", "loss and excess loss of each variant, at every rate", drawn("curve-")),
        ("surface", "The cost surface", "the paths on it, from above and to be turned", surfaces),
        ("rates", "Learning rates", "what each leaves at the end, and where it becomes unstable", drawn("rates")),
        ("sizes", "Batch sizes", "what each leaves at the end of the same budget", drawn("sizes")),
    ]
    after = [
        ("coefficients", "Coefficients", "what was learnt, the largest first", sections.coefficients(summary)),
        ("data", "What was inferred about the data", "and the optimum it was held against", sections.inferred(summary)),
        ("tools", "The usual tools", "closed form, L-BFGS and others", drawn("race") + sections.baselines(summary)),
        ("noise", "What is noise", "differences against seed-to-seed spread", sections.differences(summary)),
    ]
    return named + "".join(sections.details(*part) for part in [*parts, *after])


def _papers() -> str:
    """The page's colours, from the one place where colours are."""

    def rules(theme: str) -> str:
        paper = style.PAPERS[theme]
        named = {name: getattr(paper, name) for name in ("paper", "ink", "muted", "grid", "axis", "alarm")}
        named |= {variant: style.colour(variant, theme=theme) for variant in style.LOOKS}
        return "".join(f"--{name}:{value};" for name, value in named.items()) + f"color-scheme:{theme};"

    light, dark = rules("light"), rules("dark")
    return (
        f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
    )
