"""What a network's first steps show: gradients that vanish or explode, units that never fire, outputs that begin too large."""

import numpy as np

from fallline.explain.finding import Sign
from fallline.explain.network_rates import LEAP, diverging, leaps
from fallline.explain.networks import EARLY, MOST, NetCase, advised
from fallline.words import number, percent

GAP = 200.0  # between the last layer's gradient and the smallest: healthy 3 to 30, planted 10³ and more
BURST = 200.0  # a gradient's norm at the start, amounts of one scale: healthy 0.3 to 8, a bad output layer up to 110
DEAD, DEAD_LATER = 0.4, 0.5  # of a layer's units, at the start and at the end: healthy up to 0.07, once 0.33
BRIEF = 15  # updates: adaptive steps take a bad start back in some dozens
HIGH = 1.5  # times the loss of outputs that know nothing: healthy 1.00 to 1.05, planted 2.5 to 17


def vanishing(case: NetCase) -> Sign | None:
    """In the first steps some layer's gradient (root mean square) is 200 times below the last layer's."""
    if not len(case.measured) or case.slopes.shape[1] < 2:
        return None
    rms = np.median(case.slopes[:EARLY], axis=0)
    if not np.isfinite(rms).all() or not rms[-1] > 0.0:
        return None
    live = np.where(rms > 0.0, rms, np.inf)
    j = int(live[:-1].argmin())
    if not rms[-1] > GAP * live[j]:
        return None
    weak = [one.name for one, g in zip(case.probing.weights, rms, strict=True) if 0.0 < g < rms[-1] / GAP]
    seen = f"the gradient of {weak[0]} is {number(live[j])} where the last layer's is {number(rms[-1])}: it fades on its way."
    text = "use ReLU, or normalisation between layers, and draw weights at √(2/fan_in)."
    return advised(case, seen, text, how="rectified", updates=(1, EARLY), tensors=tuple(weak))


def exploding(case: NetCase) -> Sign | None:
    """The gradient at the start is hundreds of times as long as it should be, or not finite."""
    if not len(case.measured):
        return None
    norm = case.steps["gradient_norm"][:EARLY] / case.probing.width
    if not norm[0] > BURST and (np.isfinite(norm[0]) or not np.isfinite(case.losses[0])):
        return None
    if not np.isfinite(norm[0]) and case.losses[0] < HIGH * case.unknowing:
        return None  # an operation's doing
    largest = case.probing.weights[int(np.nan_to_num(case.slopes[0], nan=np.inf).argmax())].name
    seen = f"the gradient's norm is {number(norm[0])} at the first step, most of it in {largest}."
    text = "draw weights at √(2/fan_in), biases at 0."
    return advised(
        case, seen, text, how="initialised", tried_for=BRIEF, on_the_way=True, updates=(1, EARLY), tensors=(largest,)
    )


def bad_start(case: NetCase) -> Sign | None:
    """The loss at the start is well above that of outputs that know nothing, of most rows."""
    if not min(case.first, case.probing.begins) > HIGH * case.unknowing:
        return None
    seen = (
        f"the loss begins at {number(case.first)} where outputs that know nothing would have {number(case.unknowing)}."
    )
    text = f"make the last layer {number(case.first / case.unknowing)} times smaller."
    return advised(case, seen, text, how="calmed", updates=(0, EARLY), tried_for=BRIEF, on_the_way=True)


def dead(case: NetCase) -> Sign | None:
    """Most units of a layer with ReLU give zero on all of 128 rows, at the end as well: some wake on the way."""
    begun, ended = case.probing.seen(case.net.start()), case.probing.seen(case.w)
    ran = leaps(case) > LEAP or bool(diverging(case))  # a rate too high kills them, too
    begun = [one for one, later in zip(begun, ended, strict=False) if one.dead > DEAD and (ran or later.dead > DEAD)]
    ended = [] if ran else [one for one in ended if one.dead > DEAD_LATER]
    if not begun and not ended:
        return None
    worst = max(begun or ended, key=lambda one: one.dead)
    when = "at the start" if begun else "at the end"
    seen = f"{percent(worst.dead)} of the units of {worst.module} give zero on every row {when}."
    if begun:
        text = "draw weights at √(2/fan_in) and set biases to 0."
        return advised(case, seen, text, how="initialised", updates=(0, 0), tensors=(worst.module,))
    plan = case.slower(0.1)
    text = f"lower the rate to {plan.rate:g}, or use a leaky ReLU."
    return advised(case, seen, text, plan, tensors=(worst.module,), tried_for=min(len(case.losses), MOST))
