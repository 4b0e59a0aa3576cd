"""Many steps along a slope that does not change, taken at once: what makes sparse rows cheap.

Between two rows that have a column, the variance-reduced step moves its coefficient by the mean gradient and the penalty
alone. Those steps are caught up when the column is next met (Defazio, Bach & Lacoste-Julien 2014, §3, "just in time").
"""

import math
from typing import Any

from fallline.kernels.bridge import compiled, stands_for
from fallline.methods import cost, prox, pull
from fallline.penalties import L1, L2, ElasticNet, NoPenalty


def drift(penalty: Any, w: Any, slope: Any, rate: Any, fade: Any, count: Any) -> Any:
    """w after `count` steps w ← prox(w − rate·(slope + pull(w)), rate); `fade` is what `fading` says of the rate."""
    for _ in range(count):
        w = prox(penalty, w - rate * (slope + pull(penalty, w)), rate)
    return w


@compiled
def fading(penalty: Any, rate: Any) -> Any:
    """log of the share of w that a step keeps under the L2 share, 0 without one; 1 where a step keeps nothing or less."""
    shrink = rate * pull(penalty, 1.0)
    return math.log1p(-shrink) if shrink < 1.0 else 1.0


@stands_for(drift)
def _drift(penalty: Any, w: Any, slope: Any, rate: Any, fade: Any, count: Any) -> Any:
    return in_closed_form if penalty.instance_class in (NoPenalty, L2, L1, ElasticNet) else drift


def in_closed_form(penalty: Any, w: Any, slope: Any, rate: Any, fade: Any, count: Any) -> Any:
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
        many = count if fade <= 0.0 else 1
        after = (1.0 - shrink) * w + push
        while many > 1:
            if fade < 0.0:
                lost = -math.expm1(many * fade)  # 1 − keep^many, without cancellation
                after = w - lost * w + lost / shrink * push
            else:
                after = w + many * push
            if reach == 0.0 or after * side > 0.0:
                break
            many //= 2
            after = (1.0 - shrink) * w + push
        w, count = after, count - many
    return w
