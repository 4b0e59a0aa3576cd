"""From runs to words: who was first, who diverged, which differences are larger than seed-to-seed noise."""

import itertools
import math
from collections.abc import Sequence
from statistics import median

import numpy as np
from scipy.stats import permutation_test, rankdata

from fallline.comparison.result import WITHIN, Baseline, Difference, Entry, Verdict

LEVEL = 0.05  # the share of comparisons of equals that may come out as a difference
QUICKER = 0.8  # of the descent's time: what another tool must take to be called quicker, timings being noisy


def rank_test(a: Sequence[float], b: Sequence[float]) -> float:
    """p-value of "a and b come from the same chance": an exact permutation test on ranks (Fisher 1935; Wilcoxon 1945).

    Infinite entries (never reached) rank last and tie with each other. Exact, so that equals differ in at most 5 %.
    """
    pooled = rankdata(np.concatenate([a, b]))
    if pooled.min() == pooled.max():
        return 1.0

    def gap(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(x.mean(axis=axis) - y.mean(axis=axis))

    parts = (pooled[: len(a)], pooled[len(a) :])
    return float(permutation_test(parts, gap, vectorized=True, n_resamples=np.inf).pvalue)


def score(entry: Entry) -> tuple[float, float]:
    """What makes a setting better: fewer row visits to 1 %, then less excess at the end. Medians over seeds."""
    return median(entry.reached("visits")), median(entry.excess)


def differences(finals: Sequence[Entry]) -> list[Difference]:
    """Every two of the finalists compared, by visits to 1 % if either mostly got there, else by the final excess.

    All the pairs share the 5 % (Holm 1979).
    """
    found = []
    for a, b in itertools.combinations(finals, 2):
        timed = min(score(a)[0], score(b)[0]) < math.inf
        x, y = (e.reached("visits") if timed else e.excess for e in (a, b))
        x, y = (values * (8 // len(values)) if len(values) == 1 else values for values in (x, y))
        found.append((a, b, timed, rank_test(x, y)))
    order = sorted(range(len(found)), key=lambda k: found[k][3])
    real, alive = set(), True
    for place, k in enumerate(order):
        alive = alive and found[k][3] <= LEVEL / (len(found) - place)
        real |= {k} if alive else set()
    return [_difference(*pair, real=k in real) for k, pair in enumerate(found)]


def _difference(a: Entry, b: Entry, timed: bool, p: float, real: bool) -> Difference:
    better, worse = sorted((a, b), key=score)
    what = "reached 1 % in fewer row visits" if timed else "ended nearer the optimum"
    names = better.plan.name, worse.plan.name
    text = (
        f"{names[0]} {what} than {names[1]} (p = {p:.2g})."
        if real
        else f"{names[0]} and {names[1]} do not differ by more than seeds do (p = {p:.2g})."
    )
    return Difference(a.plan.name, b.plan.name, p, real, text)


def verdict_of(entries: Sequence[Entry], baselines: Sequence[Baseline], n: int, amount: str) -> Verdict:
    """The verdict on a comparison; entries that are final decide it."""
    finals = sorted((entry for entry in entries if entry.final), key=score)
    pairs = differences(finals)
    best = finals[0]
    quicker = _quicker(best, baselines)
    sentences = [_first(finals, pairs, n, amount), _diverged(entries), _tools(best, baselines, quicker)]
    return Verdict(_headline(finals, n, amount, quicker), sentences, pairs, quicker.name if quicker else None)


def _headline(finals: Sequence[Entry], n: int, amount: str, quicker: Baseline | None) -> str:
    best = finals[0]
    visits = score(best)[0]
    if visits == math.inf:
        if median(best.excess) == math.inf:
            return f"Every setting diverged or stayed above 1 % within {amount}"
        return f"No setting came within 1 % of the optimum in {amount}; {best.plan.name} came nearest"
    lead = f"{capital(best.plan.name)} came within 1 % of the optimum in {passes(visits, n)}"
    return f"{lead}, but {quicker.name} is the better tool here" if quicker else lead


def _first(finals: Sequence[Entry], pairs: Sequence[Difference], n: int, amount: str) -> str:
    best, *others = finals
    visits, excess = score(best)
    if visits == math.inf:
        return f"Nobody came within 1 % of the optimum in {amount}: {best.plan.name} ended {percent(excess)} above it."
    took = f"{passes(visits, n)} ({seconds(median(best.reached('seconds')))})"
    told = f"{capital(best.plan.name)} was first within 1 % of the optimum, after {took}, the median of "
    told += f"{len(best.traces)} seeds" if len(best.traces) > 1 else "its one run, which has no chance in it"
    rest = []
    for other in others:
        later = score(other)[0]
        real = any(pair.real and {pair.a, pair.b} == {best.plan.name, other.plan.name} for pair in pairs)
        if later < math.inf:
            rest.append(f"{other.plan.name} took {passes(later, n)}" + ("" if real else ", no more than seeds differ"))
        else:
            rest.append(f"{other.plan.name} never did in {amount}")
    return told + ("; " + "; ".join(rest) if rest else "") + "."


def _diverged(entries: Sequence[Entry]) -> str:
    lost = [entry for entry in entries if entry.diverged]
    if not lost:
        return "No run diverged."
    told = []
    for variant in dict.fromkeys(entry.plan.variant for entry in lost):
        first = min((entry for entry in lost if entry.plan.variant == variant), key=lambda entry: entry.plan.rate)
        share = first.plan.rate / first.limit
        told.append(f"{variant} from rate {first.plan.rate:.3g} on ({share:.2g} × its stable limit)")
    return "Diverged: " + "; ".join(told) + "."


def _quicker(best: Entry, baselines: Sequence[Baseline]) -> Baseline | None:
    ours = median(best.reached("seconds"))
    able = [b for b in baselines if b.excess <= WITHIN and b.seconds_to_1pct < QUICKER * ours]
    return min(able, key=lambda baseline: baseline.seconds_to_1pct, default=None)


def _tools(best: Entry, baselines: Sequence[Baseline], quicker: Baseline | None) -> str:
    if not baselines:
        return "It was not held against other tools."
    ours = median(best.reached("seconds"))
    if quicker:
        against = f"against {seconds(ours)}" if ours < math.inf else "which no setting did"
        return (
            f"{capital(quicker.name)} is the better tool for this table: within 1 % in "
            f"{seconds(quicker.seconds_to_1pct)} {against}, and {percent(quicker.excess)} above the optimum at its end."
        )
    told = []
    for baseline in baselines:
        if baseline.seconds_to_1pct < math.inf:
            told.append(f"{baseline.name} took {seconds(baseline.seconds_to_1pct)}")
        else:
            told.append(f"{baseline.name} ended {percent(baseline.excess)} above the optimum")
    return f"No other tool was clearly quicker than its {seconds(ours)}: " + ", ".join(told) + "."


def passes(visits: float, n: int) -> str:
    """Row visits in words."""
    count = visits / n
    return f"{count:.2g} passes over the rows" if count < 10 else f"{count:,.0f} passes over the rows"


def seconds(value: float) -> str:
    """A time in words, three digits."""
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


def percent(excess: float) -> str:
    """A relative excess in words."""
    if excess == math.inf:
        return "infinitely far"
    if abs(excess) < 1e-6:
        return "0 %"
    return f"{100 * excess:.2g} %" if excess < 10 else f"{excess:.3g} times its height"


def capital(text: str) -> str:
    """With a capital letter in front."""
    return text[:1].upper() + text[1:]
