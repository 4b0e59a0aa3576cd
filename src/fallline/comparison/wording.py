"""Numbers and names in the sentences of a verdict."""

import math
from collections.abc import Sequence
from statistics import median

from fallline.comparison.entry import Entry

LEAST = 1e-6  # an excess below this is as good as none


def who(entry: Entry) -> str:
    """What a setting is called in a sentence."""
    return "the automatic solver" if entry.plan.automatic else entry.plan.name


def certified(entry: Entry) -> str:
    """What a setting says of itself, where it can: its estimate, and what is proven; "0.003 % (at most 0.004 %)"."""
    estimate, bound = median(entry.estimate or [math.inf]), max(entry.bound, default=math.inf)
    proven = (
        f" (at most {percent(max(bound, LEAST))})" if bound < math.inf else " (nothing proven)" if entry.bound else ""
    )
    return f"{percent(estimate)}{proven}" if estimate < math.inf else ""


def passes(visits: float, n: int) -> str:
    """Row visits as passes over n rows."""
    count = f"{visits / n:,.0f}" if visits >= 1000 * n else f"{visits / n:.3g}"
    return f"{count} pass" if count == "1" else f"{count} passes"


def seconds(value: float) -> str:
    """A time in words, three digits."""
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:,.3g} s" if value < 1000 else f"{value:,.0f} s"


def percent(excess: float) -> str:
    """A relative excess in words, three digits."""
    if not excess < 1e6:
        return "more than a million times"
    if abs(excess) < LEAST:
        return "under 0.0001 %"
    return f"{100 * excess:.3g} %" if excess < 9.995 else f"{100 * excess:,.0f} %"


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def capital(text: str) -> str:
    """With a capital letter in front."""
    return text[:1].upper() + text[1:]
