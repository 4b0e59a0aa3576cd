"""Many steps along a slope that does not change, taken at once: what makes sparse rows cheap.

Between two rows that have a column, the variance-reduced step moves its coefficient by the mean gradient and the penalty
alone. Those steps are caught up when the column is next met ("just in time", Schmidt, Le Roux & Bach 2017, §4).
"""

from typing import Any

from fallline.kernels.bridge import compiled, stands_for
from fallline.methods import cost, prox, pull
from fallline.penalties import L1, L2, ElasticNet, NoPenalty


def drift(penalty: Any, w: Any, slope: Any, rate: Any, lost: Any, count: Any) -> Any:
    """w after `count` steps w ← prox(w − rate·(slope + pull(w)), rate); `lost` is filled up to there (see `fill`)."""
    for _ in range(count):
        w = prox(penalty, w - rate * (slope + pull(penalty, w)), rate)
    return w


@compiled
def fill(penalty: Any, rate: Any, lost: Any, filled: Any, count: Any) -> Any:
    """lost[m] ← 1 − (1 − rate·λ)^m, the share of w that m steps lose to the L2 share λ, for m from filled to count."""
    shrink = rate * pull(penalty, 1.0)
    for m in range(filled, count + 1):
        lost[m] = lost[m - 1] + (1.0 - lost[m - 1]) * shrink
    return max(filled, count + 1)


@stands_for(drift)
def _drift(penalty: Any, w: Any, slope: Any, rate: Any, lost: Any, count: Any) -> Any:
    return in_closed_form if penalty.instance_class in (NoPenalty, L2, L1, ElasticNet) else drift


def in_closed_form(penalty: Any, w: Any, slope: Any, rate: Any, lost: Any, count: Any) -> Any:
    """The same for w ← soft(keep·w − rate·slope, reach), which is linear until it meets zero.

    A step never swaps two values, so the steps go one way: if the last of many linear ones is on the first one's side
    of zero, so are all between. Where it is not, half as many are tried.
    """
    shrink = rate * pull(penalty, 1.0)
    reach = rate * (cost(penalty, 1.0) - 0.5 * pull(penalty, 1.0))
    while count > 0:
        first = (1.0 - shrink) * w - rate * slope
        if reach > 0.0 and abs(first) <= reach:
            if rate * abs(slope) <= reach:
                return 0.0  # for good
            w, count = 0.0, count - 1
            continue
        side = 1.0 if first > 0.0 else -1.0
        push = -rate * slope - side * reach
        many = count if shrink < 1.0 else 1  # a step that keeps nothing, or less, does swap
        while True:
            after = w - lost[many] * w + (lost[many] / shrink if shrink > 0.0 else many) * push
            if many == 1 or reach == 0.0 or after * side > 0.0:
                break
            many //= 2
        w, count = after, count - many
    return w
