"""Which differences are larger than what another seed, or another timing, would change."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, rankdata

from fallline.comparison.entry import Difference, Entry, score
from fallline.comparison.wording import capital, who

LEVEL = 0.05  # the share of comparisons of equals that may come out as a difference
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


def differences(finals: Sequence[Entry]) -> list[Difference]:
    """Every two of the finalists compared, by visits to 1 % if either mostly got there, else by the final excess.

    All the pairs share the 5 %.
    """
    pairs = list(itertools.combinations(finals, 2))
    tried = [_test(a, b, max(1, len(pairs))) for a, b in pairs]
    real = kept([p for _, p, _ in tried])
    return [_difference(a, b, *tried[k], real[k]) for k, (a, b) in enumerate(pairs)]


def kept(p: Sequence[float]) -> list[bool]:
    """Which of several tests find a difference, all together sharing the 5 % (Holm 1979)."""
    found, alive = [False] * len(p), True
    for place, k in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        alive = alive and p[k] <= LEVEL / (len(p) - place)
        found[k] = alive
    return found


def as_quick(entry: Entry, others: Sequence[Entry], level: float) -> list[bool]:
    """Which of the others take no longer to `level` than `entry` does, beyond what timings differ by."""
    own = entry.reached("seconds", level)
    return [not real for real in kept([rank_test(own, other.reached("seconds", level)) for other in others])]


def _test(a: Entry, b: Entry, pairs: int) -> tuple[bool, float, bool]:
    """Whether arrival is compared (or else the end), the p-value, and whether so few runs could show a difference."""
    timed = min(score(a)[0], score(b)[0]) < math.inf and not a.yard.idle
    x, y = (entry.reached("visits") if timed else entry.excess for entry in (a, b))
    if a.chance and b.chance:
        return timed, rank_test(x, y), 2.0 / math.comb(len(x) + len(y), len(x)) <= LEVEL / pairs
    if not a.chance and not b.chance:  # the same runs would come out again: any difference is one
        return timed, float(x[0] == y[0]), True
    sure, seeds = (y[0], x) if a.chance else (x[0], y)
    return timed, sign_test(seeds, sure), 2.0 * 0.5 ** len(seeds) <= LEVEL / pairs


def _difference(a: Entry, b: Entry, timed: bool, p: float, enough: bool, real: bool) -> Difference:
    better, worse = (who(entry) for entry in sorted((a, b), key=score))
    if real:
        what = "came within 1 % in fewer row visits" if timed else "ended lower"
        text = f"{better} {what} than {worse} (p = {p:.2g})."
    elif enough:
        text = f"{better} and {worse} differ by {NOISE} (p = {p:.2g})."
    else:
        text = f"{better} and {worse}: too few seeds to tell them apart (p = {p:.2g})."
    return Difference(a.plan.name, b.plan.name, p, real, capital(text))
