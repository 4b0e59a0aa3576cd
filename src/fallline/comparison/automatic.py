"""What a verdict says of the automatic solver: when it arrived, against whom, and what it knew of itself."""

import math
from collections.abc import Sequence
from statistics import median

from fallline.comparison.entry import FINE, WITHIN, Entry
from fallline.comparison.significance import as_quick
from fallline.comparison.wording import who
from fallline.words import LEAST, listed, passes, percent, seconds


def told_of(finals: Sequence[Entry], entries: Sequence[Entry], n: int, amount: str) -> list[str]:
    """What there is to say of the automatic solver beside the settings tuned by hand; nothing where it did not run."""
    own = next((entry for entry in finals if entry.plan.automatic), None)
    if own is None or own.yard.idle:
        return []
    tuned = [entry for entry in finals if entry is not own]
    near = any(_time(entry, FINE) < math.inf for entry in finals)
    arrivals = listed([_arrival(own, tuned, level, n, amount) for level in ((WITHIN, FINE) if near else (WITHIN,))])
    told = [f"The automatic solver, with nothing to choose, {arrivals}.", *_price(tuned, entries), _certificate(own, n)]
    return [" ".join(told)]


def _arrival(own: Entry, tuned: Sequence[Entry], level: float, n: int, amount: str) -> str:
    """When it came within `level`, and the quickest of the others in seconds."""
    there = f"within {percent(level)}"
    told = (
        f"was {there} after {_when(own, level, n)}"
        if _time(own, level) < math.inf
        else f"never came {there} in {amount}"
    )
    arrived = [entry for entry in tuned if _time(entry, level) < math.inf]
    if not tuned:
        return told
    if not arrived:
        return f"{told} (no other setting in {amount})"
    rival = min(arrived, key=lambda entry: _time(entry, level))
    noise = ", no more than timings differ" if as_quick(own, [rival], level)[0] else ""
    return f"{told} (the quickest other setting, {who(rival)}, after {_when(rival, level, n)}{noise})"


def _when(entry: Entry, level: float, n: int) -> str:
    return f"{passes(median(entry.reached('visits', level)) / n)} and {seconds(_time(entry, level))}"


def _time(entry: Entry, level: float) -> float:
    return median(entry.reached("seconds", level))


def _price(tuned: Sequence[Entry], entries: Sequence[Entry]) -> list[str]:
    """What finding the others' rates took; nothing where the user named one rate each."""
    kinds = {entry.plan.kind for entry in tuned}
    trials = [entry for entry in entries if entry.plan.kind in kinds and not entry.final]
    if len({(entry.plan.kind, entry.plan.rate) for entry in trials}) == len({entry.plan.kind for entry in trials}):
        return []
    runs = [trace for entry in trials for trace in entry.traces]
    took = seconds(sum(trace.last("seconds") for trace in runs))
    return [
        f"The others' rates are the best of {len(trials)} tried, in {len(runs)} runs and {took} that are not counted."
    ]


def _certificate(own: Entry, n: int) -> str:
    """Its estimate and bound, held against the truth."""
    about = own.traces[0].about
    by_budget = about["reason"].startswith(("made its", "used its"))
    ended = f"the budget ended it ({about['reason']})" if by_budget else "it stopped by itself"
    if not median(own.estimate) < math.inf:
        late = about["beyond"]
        return (
            f"It had no answer yet when the budget ended: its first came after {passes(late['visits'] / n)} and "
            f"{seconds(late['seconds'])}, {percent(float(own.yard.excess(late['loss'])))} above the optimum."
        )
    bound = max(own.bound, default=math.inf)
    proven = "" if not own.bound else ", with nothing proven for this objective"
    proven = f", proven to be at most {percent(max(bound, LEAST))}" if bound < math.inf else proven
    return (
        f"By its own estimate it ended {percent(median(own.estimate))} above the optimum{proven}; "
        f"the truth is {percent(median(own.excess))}, and {ended}."
    )
