"""How a part is written: `name`, or `name:field=value,field=value`; and what each field may be."""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from fallline.errors import InputError

OWN = {"rate": "--rate", "batch": "--batch-size", "seed": "--seeds"}  # what a plan sets itself, and with which option


class Span(NamedTuple):
    """The numbers that a setting may be."""

    low: float
    high: float = math.inf
    open: str = ""  # "low", "high" or "both": which end does not count

    def __contains__(self, value: object) -> bool:
        inside = isinstance(value, float) and self.low <= value <= self.high and math.isfinite(value)
        return inside and not (
            (value == self.low and self.open in ("low", "both"))
            or (value == self.high and self.open in ("high", "both"))
        )

    def __str__(self) -> str:
        above = f"above {self.low:g}" if self.open in ("low", "both") else f"at least {self.low:g}"
        below = f"below {self.high:g}" if self.open in ("high", "both") else f"at most {self.high:g}"
        return above if self.high == math.inf else f"{above} and {below}"


SHARE, MEMORY, ABOVE, AMOUNT, COUNT = Span(0, 1), Span(0, 1, "high"), Span(0, open="low"), Span(0), Span(1)
INSIDE = Span(0, 1, "both")
SPANS = {
    **dict.fromkeys(("beta", "beta1", "beta2", "rho", "keep"), MEMORY),
    **dict.fromkeys(("l1_ratio", "warm"), SHARE),
    **dict.fromkeys(("alpha", "decay", "end", "power", "threshold", "epsilon", "psi", "convexity", "damping"), AMOUNT),
    **dict.fromkeys(
        ("eps", "factor", "delta", "low", "finish", "rate", "passes", "reach", "first", "cocob.alpha"), ABOVE
    ),
    **dict.fromkeys(("every", "period", "half", "steps", "patience", "block", "start", "growth", "batch"), COUNT),
    **dict.fromkeys(("history", "window", "rounds"), COUNT),
    **dict.fromkeys(("level", "sufficient", "shrink", "flatter"), INSIDE),
    "lowest": Span(-math.inf),
    "share": Span(0, 1, "low"),
    "rows": AMOUNT,
    "tweedie.power": Span(1, 2, "both"),
}
"""What the fields of parts may be; outside, a formula divides by zero, never ends or has no minimum."""


def named(text: Any, table: Mapping[str, Any]) -> str:
    """The name at the front of a part's text, or that of a part itself; nothing for one that the table does not have."""
    if isinstance(text, str):
        return text.partition(":")[0].strip()
    return next((name for name, made in table.items() if type(text) is made), "")


def part(table: Mapping[str, Any], text: Any, kind: str, **defaults: Any) -> Any:
    """The part that `text` names, `name` or `name:field=value,…`; `defaults` fill fields of those names. A part is itself.

    Raises InputError for an unknown name or field, with the nearest that exists, for a field that the plan sets, and
    for a value that is no number or outside what the formula allows.
    """
    if not isinstance(text, str):
        return text
    name, _, rest = text.partition(":")
    name = name.strip()
    made = table[known(name, table, kind)]
    values = {field: value for field, value in defaults.items() if field in made._fields}
    for setting in filter(None, rest.split(",")):
        field, equals, number = (piece.strip() for piece in setting.partition("="))
        if not equals:
            raise InputError(f'"{setting}" in {kind} "{text}" is no setting: write {name}:field=value.')
        known(field, made._fields, f"field of {name}")
        if field in OWN:
            raise InputError(f'{kind} "{text}" sets {field}, which is not its own to set: use {OWN[field]}.')
        try:
            value = float(number)
        except ValueError:
            raise InputError(f'{field}="{number}" in {kind} "{text}" is no number.') from None
        span = SPANS.get(f"{name}.{field}", SPANS.get(field, Span(-math.inf)))
        if value not in span:
            raise InputError(f'{field}={number} in {kind} "{text}" cannot be: it must be {span}.')
        whole = isinstance(made._field_defaults.get(field), int)
        if whole and not value.is_integer():
            raise InputError(f'{field}={number} in {kind} "{text}" cannot be: it must be a whole number.')
        values[field] = int(value) if whole else value
    return made(**values)


def positive(name: str, value: float) -> None:
    """Raise InputError for what is not a finite number above zero."""
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{name} is {value:g}: it must be above zero{'' if value < math.inf else ' and finite'}.")


def known(name: str, names: Any, kind: str) -> str:
    """`name` if it is one of `names`; otherwise an InputError that lists them and suggests the nearest."""
    if name in names:
        return name
    near = [other for other in names if other.lower() == name.lower()] or get_close_matches(name, list(names), n=1)
    hint = f'did you mean "{near[0]}"? T' if near else "t"
    raise InputError(f'There is no {kind} "{name}": {hint}here are {", ".join(names)}.')
