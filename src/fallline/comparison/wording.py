"""Names in the sentences of a verdict, and what a setting says of itself."""

import math
from statistics import median

from fallline.comparison.entry import Entry
from fallline.words import LEAST, percent


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


def capital(text: str) -> str:
    """With a capital letter in front."""
    return text[:1].upper() + text[1:]
