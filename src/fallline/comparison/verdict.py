"""From runs to words: who was first, who diverged, which differences are larger than seed-to-seed noise."""

import itertools
import math
from collections.abc import Sequence
from statistics import median

import numpy as np
from scipy.stats import binomtest, rankdata

from fallline.comparison.result import WITHIN, Baseline, Difference, Entry, Verdict

LEVEL = 0.05  # the share of comparisons of equals that may come out as a difference
QUICKER = 0.8  # of the other's time: what one must take to be called quicker, timings being noisy
NOISE = "no more than seeds differ"


def sign_test(seeds: Sequence[float], sure: float) -> float:
    """p-value of "a seed is as likely above `sure` as below": the exact two-sided sign test (Arbuthnot 1710), ties left out.

    For a setting without chance in it, which would come out the same again, against one with: its one run is one number,
    not a sample.
    """
    above, below = sum(value > sure for value in seeds), sum(value < sure for value in seeds)
    return float(binomtest(above, above + below).pvalue) if above + below else 1.0


def rank_test(a: Sequence[float], b: Sequence[float]) -> float:
    """p-value of "a and b come from the same chance": the exact two-sided rank-sum test (Wilcoxon 1945).

    Every way to deal the pooled ranks to a and b is counted, ties at their mean rank, so that equals differ in at most
    as many cases as the level says. Infinite entries (never reached) rank last and tie with each other.
    """
    ranks = np.rint(2 * rankdata(np.concatenate([a, b]))).astype(int)  # doubled, so that mean ranks are whole
    total = int(ranks.sum())
    ways = np.zeros((len(a) + 1, total + 1))  # of choosing so many of the ranks with this sum
    ways[0, 0] = 1.0
    for rank in ranks.tolist():
        ways[1:, rank:] += ways[:-1, : total + 1 - rank].copy()
    found, chances = int(ranks[: len(a)].sum()), ways[-1] / ways[-1].sum()
    return float(min(1.0, 2.0 * min(chances[: found + 1].sum(), chances[found:].sum())))


def score(entry: Entry) -> tuple[float, float]:
    """What makes a setting better: fewer row visits to 1 %, then less excess at the end. Medians over seeds."""
    return median(entry.reached("visits")), median(entry.excess)


def differences(finals: Sequence[Entry]) -> list[Difference]:
    """Every two of the finalists compared, by visits to 1 % if either mostly got there, else by the final excess.

    All the pairs share the 5 % (Holm 1979).
    """
    pairs = list(itertools.combinations(finals, 2))
    tried = [_test(a, b, max(1, len(pairs))) for a, b in pairs]
    order = sorted(range(len(pairs)), key=lambda k: tried[k][1])
    real, alive = set(), True
    for place, k in enumerate(order):
        alive = alive and tried[k][1] <= LEVEL / (len(pairs) - place)
        real |= {k} if alive else set()
    return [_difference(a, b, *tried[k], k in real) for k, (a, b) in enumerate(pairs)]


def _test(a: Entry, b: Entry, pairs: int) -> tuple[bool, float, bool]:
    """Whether arrival is compared (or else the end), the p-value, and whether so few runs could show a difference."""
    timed = min(score(a)[0], score(b)[0]) < math.inf and not a.yard.idle
    x, y = (entry.reached("visits") if timed else entry.excess for entry in (a, b))
    if a.plan.chance and b.plan.chance:
        return timed, rank_test(x, y), 2.0 / math.comb(len(x) + len(y), len(x)) <= LEVEL / pairs
    if not a.plan.chance and not b.plan.chance:  # the same runs would come out again: any difference is one
        return timed, float(x[0] == y[0]), True
    sure, seeds = (y[0], x) if a.plan.chance else (x[0], y)
    return timed, sign_test(seeds, sure), 2.0 * 0.5 ** len(seeds) <= LEVEL / pairs


def _difference(a: Entry, b: Entry, timed: bool, p: float, enough: bool, real: bool) -> Difference:
    better, worse = (entry.plan.name for entry in sorted((a, b), key=score))
    if real:
        what = "came within 1 % in fewer row visits" if timed else "ended nearer the optimum"
        text = f"{better} {what} than {worse} (p = {p:.2g})."
    elif enough:
        text = f"{better} and {worse} differ by {NOISE} (p = {p:.2g})."
    else:
        text = f"{better} and {worse}: too few seeds to tell them apart (p = {p:.2g})."
    return Difference(a.plan.name, b.plan.name, p, real, capital(text))


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
    sentences += [_diverged(entries), _tools(finals, baselines, tool, amount)]
    return Verdict(headline, sentences, pairs, tool.name if tool else None)


def _situation(finals: Sequence[Entry]) -> str:
    visits, excess = score(finals[0])
    if finals[0].yard.idle:
        return "idle"
    return "reached" if visits < math.inf else "never" if excess < math.inf else "lost"


def _reached(finals: Sequence[Entry], entries: Sequence[Entry], equals: set[str], n: int, amount: str) -> list[str]:
    best, *others = finals
    first = [entry.plan.name for entry in finals if entry.plan.name in equals and score(entry)[0] < math.inf]
    lead = capital(listed(first) if 1 < len(first) <= 3 else best.plan.name)
    visits = score(best)[0]
    took = f"{passes(visits, n)} over the rows"
    headline = f"{lead} came within 1 % of the optimum{' first' if others else ''}, in {took}"
    told = f"In row visits, {best.plan.name} was first within 1 % of the optimum, after {took}{_over(best)}"
    if not others:
        told = f"It took {took} and {seconds(_time(best))}{_over(best)}"
    for other in others:
        later, noise = score(other)[0], f", {NOISE}" if other.plan.name in equals else ""
        if later < math.inf:
            told += f"; {other.plan.name} took {passes(later, n)}{noise}"
        else:
            told += f"; {other.plan.name}{_edge(other, entries)} never got there in {amount}{noise}"
    told += "."
    if median(best.excess) > WITHIN:
        told += (
            f" {capital(best.plan.name)} did not stay there: it ended {percent(median(best.excess))} above the optimum."
        )
    return [headline, told, *([_seconds(finals)] if others else [])]


def _seconds(finals: Sequence[Entry]) -> str:
    best, quickest = finals[0], min(finals, key=_time)
    one, other = seconds(_time(quickest)), seconds(_time(best))
    if quickest is best:
        return f"In seconds it was first too, after {one}."
    if _time(quickest) > QUICKER * _time(best):
        return f"In seconds nobody was clearly first: {quickest.plan.name} took {one}, {best.plan.name} {other}."
    return f"In seconds, {quickest.plan.name} was first, after {one} against {other} for {best.plan.name}."


def _time(entry: Entry) -> float:
    """Seconds to within 1 %."""
    return median(entry.reached("seconds"))


def _never(finals: Sequence[Entry], entries: Sequence[Entry], equals: set[str], n: int, amount: str) -> list[str]:
    best, *others = finals
    end = percent(score(best)[1])
    told = f"{capital(best.plan.name)}{_edge(best, entries)} ended {end} above the optimum{_over(best)}"
    for other in others:
        noise = f", {NOISE}" if other.plan.name in equals else ""
        excess = score(other)[1]
        end_of = "diverged" if excess == math.inf else f"{percent(excess)} above{noise}"
        told += f"; {other.plan.name}{_edge(other, entries)} {end_of}"
    nearest = f"{best.plan.name} came nearest, {end} above it" if others else f"it ended {end} above it"
    lead = "No setting" if others else capital(best.plan.name) + " never"
    return [f"{lead} came within 1 % of the optimum in {amount}; {nearest}", told + "."]


def _lost(finals: Sequence[Entry], entries: Sequence[Entry], equals: set[str], n: int, amount: str) -> list[str]:
    lowest = min(entry.plan.rate for entry in entries)
    return ["Every setting diverged", f"The lowest rate tried was {lowest:.3g}: try lower ones with --rate."]


def _idle(finals: Sequence[Entry], entries: Sequence[Entry], equals: set[str], n: int, amount: str) -> list[str]:
    best, yard = finals[0], finals[0].yard
    if yard.start <= yard.optimum:
        return [
            "The start is the optimum of this objective: there is nothing to descend",
            "All weights zero is as low as this loss and penalty go on this table: take another loss to learn something.",
        ]
    start = percent(float(yard.excess(yard.start)))
    told = f"All weights zero is {start} above the optimum, so nobody can be first within 1 % of it"
    told += f"; nearest in the end was {best.plan.name}, {percent(score(best)[1])} above{_over(best)}"
    for other in finals[1:]:
        noise = f", {NOISE}" if other.plan.name in equals else ""
        told += f"; {other.plan.name} ended {percent(score(other)[1])} above{noise}"
    return ["The start is within 1 % of the optimum already: there is next to nothing to learn here", told + "."]


def _over(entry: Entry) -> str:
    many = len(entry.traces)
    return f", the median of {many} seeds" if many > 1 else ""


def _edge(entry: Entry, entries: Sequence[Entry]) -> str:
    """Whether its rate is the highest or lowest that was tried: a better one may lie beyond."""
    rates = {other.plan.rate for other in entries if other.plan.kind == entry.plan.kind}
    if len(rates) > 1 and entry.plan.rate in (max(rates), min(rates)):
        return f", the {'highest' if entry.plan.rate == max(rates) else 'lowest'} rate tried,"
    return ""


def _diverged(entries: Sequence[Entry]) -> str:
    told = []
    for kind in dict.fromkeys(entry.plan.kind for entry in entries if entry.diverged):
        alike = [entry for entry in entries if entry.plan.kind == kind]
        rate = min(entry.plan.rate for entry in alike if entry.diverged)
        at = [entry for entry in alike if entry.plan.rate == rate]
        lost, runs = sum(entry.diverged for entry in at), sum(len(entry.traces) for entry in at)
        above = [entry for entry in alike if entry.plan.rate > rate]
        text = f"{kind} {'from' if above and all(e.diverged for e in above) else 'at'} rate {rate:.3g}"
        text += " on" if above and all(e.diverged for e in above) else ""
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
    if abs(excess) < 1e-6:
        return "0 %"
    return f"{100 * excess:.3g} %" if excess < 9.995 else f"{100 * excess:,.0f} %"


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def capital(text: str) -> str:
    """With a capital letter in front."""
    return text[:1].upper() + text[1:]
