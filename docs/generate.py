"""Write the tables of parts into the pages, from the code: `python docs/generate.py`; `--check` only names stale pages.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; what is between them is replaced, the rest of
the page is written by hand.
"""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fallline.averages import AVERAGES
from fallline.explain.concepts import CONCEPTS
from fallline.explain.network_symptoms import SYMPTOMS as NETWORK_SYMPTOMS
from fallline.explain.symptoms import SYMPTOMS
from fallline.files import write_whole
from fallline.gauges import GAUGES
from fallline.losses import CLASSIFICATION, MULTICLASS, POSITIVE, REGRESSION
from fallline.penalties import PENALTIES
from fallline.samplers import SAMPLERS
from fallline.schedules import SCHEDULES, Warmup
from fallline.steps import STEPS, ClipNorm, ClipValue
from fallline.stops import STOPS, AllOf, AnyOf
from fallline.torch.gauges import NETWORK_GAUGES

DOCS = Path(__file__).resolve().parent
MARKED = re.compile(r"(<!-- table: (?P<name>[\w ]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


class Table(NamedTuple):
    """Parts to be listed, and how a row of the list is made of a part's name and class."""

    parts: Mapping[str, Any]
    row: Callable[[str, Any], dict[str, str]]


def fields(part: Any) -> str:
    """`beta=0.9, eps=1e-8`: the hyper-parameters, as they would be written in a call."""
    defaults = part._field_defaults
    written = [f"{name}={number(defaults[name])}" if name in defaults else name for name in part._fields]
    return f"`{', '.join(written)}`" if written else "–"


def number(value: Any) -> str:
    """A default as one would type it: 1e-8, not 1e-08."""
    return re.sub(r"e([+-])0+", lambda match: "e" + match[1].replace("+", ""), repr(value))


def summary(part: Any) -> str:
    """The first paragraph of a docstring, fit for a table's cell."""
    paragraph = (part.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(paragraph.split()).replace("|", "\\|")


def part_row(name: str, part: type) -> dict[str, str]:
    """A part that has a name of its own."""
    return {"name": f"`{name}`", "class": f"`{part.__name__}`", "fields": fields(part), "what it is": summary(part)}


def holder_row(name: str, part: type) -> dict[str, str]:
    """A part that is made around another, and so has no name to be chosen by."""
    return {"class": f"`{part.__name__}`", "fields": fields(part), "what it is": summary(part)}


def loss_row(name: str, part: type) -> dict[str, str]:
    """A loss, with its page and whether its derivative is continuous."""
    return {
        "name": f"[`{name}`]({name}.md)",
        "class": f"`{part.__name__}`",
        "fields": fields(part),
        "smooth": "yes" if part().smooth() else "no",
        "what it is": summary(part),
    }


def symptom_row(name: str, symptom: Any) -> dict[str, str]:
    """A symptom, what its function sees, why it is so, and the page of its concept."""
    return {
        "name": f"`{name}`",
        "what is seen": summary(symptom.detect),
        "why": symptom.why,
        "concept": f"[{CONCEPTS[symptom.concept].title}](concepts/{symptom.concept}.md)",
    }


def by_class(*parts: type) -> dict[str, type]:
    """Parts by the names of their classes."""
    return {part.__name__: part for part in parts}


TABLES = {
    "losses for a number": Table(REGRESSION, loss_row),
    "losses for two classes": Table(CLASSIFICATION, loss_row),
    "losses for several classes": Table(MULTICLASS, loss_row),
    "losses for counts and amounts": Table(POSITIVE, loss_row),
    "steps": Table(STEPS, part_row),
    "steps that hold a step": Table(by_class(ClipNorm, ClipValue), holder_row),
    "schedules": Table(SCHEDULES, part_row),
    "schedules that hold a schedule": Table(by_class(Warmup), holder_row),
    "samplers": Table(SAMPLERS, part_row),
    "averages": Table(AVERAGES, part_row),
    "penalties": Table(PENALTIES, part_row),
    "stops": Table(STOPS, part_row),
    "stops that hold stops": Table(by_class(AnyOf, AllOf), holder_row),
    "gauges": Table(GAUGES, part_row),
    "symptoms": Table(SYMPTOMS, symptom_row),
    "network gauges": Table(NETWORK_GAUGES, part_row),
    "network symptoms": Table(NETWORK_SYMPTOMS, symptom_row),
}


def markdown(table: Table) -> str:
    """The table's rows under a header."""
    rows = [table.row(name, part) for name, part in table.parts.items()]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def refreshed(page: str) -> str:
    """The text of a page with every table in it written anew. Raises KeyError for a marker that names no table."""
    return MARKED.sub(lambda match: f"{match[1]}\n{markdown(TABLES[match['name']])}\n{match[3]}", page)


def stale() -> dict[Path, str]:
    """Pages whose tables no longer match the code, with the text that they should have."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
    return {path: new for path, text in texts.items() if (new := refreshed(text)) != text}


def main(arguments: list[str]) -> int:
    """Write the stale pages, or with --check name them; the exit status is 1 when --check finds one."""
    unknown = set(arguments) - {"--check"}
    if unknown:
        sys.stderr.write(f"unknown option {sorted(unknown)[0]!r}: run it with --check, or with nothing to write.\n")
        return 2
    pages = stale()
    for path, text in pages.items():
        place = path.relative_to(DOCS.parent)
        if "--check" in arguments:
            sys.stderr.write(f"{place} is stale: run `python docs/generate.py`.\n")
        else:
            write_whole(path, text)
            sys.stdout.write(f"wrote {place}\n")
    return 1 if pages and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
