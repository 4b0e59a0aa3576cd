"""From runs to words: who was first, who diverged, which differences are larger than seed-to-seed noise."""

import math
from collections.abc import Sequence
from statistics import median

from fallline.comparison.automatic import told_of
from fallline.comparison.entry import WITHIN, Baseline, Entry, Verdict, score
from fallline.comparison.significance import NOISE, as_quick, differences
from fallline.comparison.wording import capital, who
from fallline.plan import Plan
from fallline.words import listed, passes, percent, seconds

QUICKER = 0.8  # of our time: what a tool must take to be called quicker, its time being the best of three


def verdict_of(entries: Sequence[Entry], baselines: Sequence[Baseline], n: int, amount: str) -> Verdict:
    """The verdict on a comparison; entries that are final decide it. `amount` is the budget in words."""
    finals = sorted((entry for entry in entries if entry.final), key=score)
    pairs = differences(finals)
    equals = {
        name for pair in pairs if not pair.real and finals[0].plan.name in (pair.a, pair.b) for name in (pair.a, pair.b)
    }
    tool = _quicker(finals, baselines)
    situation = _situation(finals)
    tell = {"idle": _idle, "lost": _lost, "never": _never, "reached": _reached}[situation]
    headline, *sentences = tell(finals, entries, equals, n, amount)
    if tool:
        headline = f"{headline.partition(';')[0]}{', but' if situation == 'reached' else ';'} {tool.name} is the better tool here"
    sentences += [*told_of(finals, entries, n, amount), _diverged(entries), _tools(finals, baselines, tool, amount)]
    return Verdict(headline, sentences, pairs, tool.name if tool else None)


def amount_of(plan: Plan) -> str:
    """A plan's budget in words."""
    unit = {"epochs": "passes over the rows", "visits": "row visits"}.get(plan.budget, plan.budget)
    return f"{plan.amount:,g} {unit}"


def _situation(finals: Sequence[Entry]) -> str:
    visits, excess = score(finals[0])
    if finals[0].yard.idle:
        return "idle"
    return "reached" if visits < math.inf else "never" if excess < math.inf else "lost"


def _reached(finals: Sequence[Entry], entries: Sequence[Entry], equals: set[str], n: int, amount: str) -> list[str]:
    best, *others = finals
    first = [who(entry) for entry in finals if entry.plan.name in equals and score(entry)[0] < math.inf]
    lead = capital(listed(first) if 1 < len(first) <= 3 else who(best))
    visits = score(best)[0]
    took = f"{passes(visits / n)} over the rows"
    goal = best.yard.goal
    headline = f"{lead} came within 1 % of {goal}{' first' if others else ''}, in {took}"
    told = f"In row visits, {who(best)} was first within 1 % of {goal}, after {took}{_over(best)}"
    if not others:
        told = f"It took {took} and {seconds(_time(best))}{_over(best)}"
    for other in others:
        later, noise = score(other)[0], f", {NOISE}" if other.plan.name in equals else ""
        if later < math.inf:
            told += f"; {who(other)} took {passes(later / n)}{noise}"
        else:
            told += f"; {who(other)}{_edge(other, entries)} never got there in {amount}{noise}"
    told += "."
    if median(best.excess) > WITHIN:
        told += f" {capital(who(best))} did not stay there: it ended {percent(median(best.excess))} above {goal}."
    return [headline, told, *([_seconds(finals)] if others else [])]


def _seconds(finals: Sequence[Entry]) -> str:
    best, *_ = finals
    quickest, *others = sorted((entry for entry in finals if _time(entry) < math.inf), key=_time)
    close = [other for other, alike in zip(others, as_quick(quickest, others, WITHIN), strict=True) if alike]
    if close:
        named = [quickest, *close, *([] if best in (quickest, *close) else [best])]
        times = [f"{who(entry)}{' took' if entry is quickest else ''} {seconds(_time(entry))}" for entry in named]
        return f"In seconds nobody was clearly first: {', '.join(times)}."
    if quickest is best:
        return f"In seconds it was first too, after {seconds(_time(best))}."
    one, other = seconds(_time(quickest)), seconds(_time(best))
    return f"In seconds, {who(quickest)} was first, after {one} against {other} for {who(best)}."


def _time(entry: Entry) -> float:
    """Seconds to within 1 %."""
    return median(entry.reached("seconds"))


def _never(finals: Sequence[Entry], entries: Sequence[Entry], equals: set[str], n: int, amount: str) -> list[str]:
    best, *others = finals
    end = percent(score(best)[1])
    told = f"{capital(who(best))}{_edge(best, entries)} ended {end} above {best.yard.goal}{_over(best)}"
    for other in others:
        noise = f", {NOISE}" if other.plan.name in equals else ""
        excess = score(other)[1]
        end_of = "diverged" if excess == math.inf else f"{percent(excess)} above{noise}"
        told += f"; {who(other)}{_edge(other, entries)} {end_of}"
    nearest = f"{who(best)} came nearest, {end} above it" if others else f"it ended {end} above it"
    lead = "No setting" if others else capital(who(best)) + " never"
    return [f"{lead} came within 1 % of {best.yard.goal} in {amount}; {nearest}", told + "."]


def _lost(finals: Sequence[Entry], entries: Sequence[Entry], equals: set[str], n: int, amount: str) -> list[str]:
    rates = [entry.plan.rate for entry in entries if entry.plan.rate]
    lowest = (
        f"The lowest rate tried was {min(rates):.3g}: try lower ones with --rate." if rates else "No rate was tried."
    )
    return ["Every setting diverged", lowest]


def _idle(finals: Sequence[Entry], entries: Sequence[Entry], equals: set[str], n: int, amount: str) -> list[str]:
    best, yard = finals[0], finals[0].yard
    if yard.start <= yard.optimum:
        return [
            "The start is the optimum of this objective: there is nothing to descend",
            "All weights zero is as low as this loss and penalty go on this table: take another loss to learn something.",
        ]
    start = percent(float(yard.excess(yard.start)))
    told = f"All weights zero is {start} above the optimum, so nobody can be first within 1 % of it"
    told += f"; nearest in the end was {who(best)}, {percent(score(best)[1])} above{_over(best)}"
    for other in finals[1:]:
        noise = f", {NOISE}" if other.plan.name in equals else ""
        told += f"; {who(other)} ended {percent(score(other)[1])} above{noise}"
    return ["The start is within 1 % of the optimum already: there is next to nothing to learn here", told + "."]


def _over(entry: Entry) -> str:
    many = len(entry.traces)
    return f", the median of {many} seeds" if many > 1 else ""


def _edge(entry: Entry, entries: Sequence[Entry]) -> str:
    """Whether its rate is the highest or lowest that was tried: a better one may lie beyond."""
    rates = {other.plan.rate for other in entries if other.plan.kind == entry.plan.kind and other.plan.rate}
    if len(rates) > 1 and entry.plan.rate in (max(rates), min(rates)):
        return f", the {'highest' if entry.plan.rate == max(rates) else 'lowest'} rate tried,"
    return ""


def _diverged(entries: Sequence[Entry]) -> str:
    told = []
    for kind in dict.fromkeys(entry.plan.kind for entry in entries if entry.diverged):
        alike = [entry for entry in entries if entry.plan.kind == kind]
        rate = min(entry.plan.rate or 0.0 for entry in alike if entry.diverged)
        at = [entry for entry in alike if (entry.plan.rate or 0.0) == rate]
        lost, runs = sum(entry.diverged for entry in at), sum(len(entry.traces) for entry in at)
        above = [entry for entry in alike if (entry.plan.rate or 0.0) > rate]
        throughout = bool(above) and all(entry.diverged for entry in above)
        text = f"{kind} {'from' if throughout else 'at'} rate {rate:.3g}{' on' if throughout else ''}" if rate else kind
        notes = [f"{lost} of {runs} runs"] if lost < runs else []
        if at[0].limit and at[0].plan.schedule == "constant":
            share = rate / at[0].limit
            notes.append(
                f"{float(f'{share:.2g}'):,g} × its stable limit"
                + (", which holds near the optimum" if share < 1.0 else "")
            )
        told.append(text + (f" ({'; '.join(notes)})" if notes else ""))
    return f"Diverged: {'; '.join(told)}." if told else "No run diverged."


def _quicker(finals: Sequence[Entry], baselines: Sequence[Baseline]) -> Baseline | None:
    """The quickest other tool, if it gets within 1 % clearly before every descent."""
    if finals[0].yard.idle:
        return None
    ours = min(_time(entry) for entry in finals)
    able = [b for b in baselines if b.excess <= WITHIN and b.seconds_to_1pct < QUICKER * ours]
    return min(able, key=lambda baseline: baseline.seconds_to_1pct, default=None)


def _tools(finals: Sequence[Entry], baselines: Sequence[Baseline], tool: Baseline | None, amount: str) -> str:
    if not baselines:
        return "No other tool was run beside it."
    ours = min(_time(entry) for entry in finals)
    if tool:
        end = "at the optimum" if tool.excess < 1e-6 else f"{percent(tool.excess)} above it"
        against = (
            f"the quickest descent took {seconds(ours)}" if ours < math.inf else f"no descent got there in {amount}"
        )
        return (
            f"{capital(tool.name)} is the better tool for this table: it is within 1 % after "
            f"{seconds(tool.seconds_to_1pct)} and ends {end}, where {against}."
        )
    told = []
    for baseline in baselines:
        if baseline.seconds_to_1pct < math.inf and not finals[0].yard.idle:
            told.append(f"{baseline.name} took {seconds(baseline.seconds_to_1pct)}")
        else:
            told.append(f"{baseline.name} ended {percent(baseline.excess)} above the optimum")
    if finals[0].yard.idle:
        return f"The other tools: {', '.join(told)}."
    if ours < math.inf:
        return f"No other tool was clearly quicker than these {seconds(ours)}, finding the rate not counted: {', '.join(told)}."
    return f"No other tool got there either: {', '.join(told)}."
