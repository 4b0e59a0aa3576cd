"""What a network's steps show: rates too high or too low, the edge of stability, spikes, warm-up, clipping, the batch."""

import numpy as np

from fallline.explain.finding import Change, Effect, Sign, Tried
from fallline.explain.networks import EARLY, MOST, NetCase, advised
from fallline.words import number, percent

LEAP = 0.1  # ‖Δw‖/‖w‖ of a step, the largest weight's: healthy up to 0.073, planted 0.42 and more
CREEP = 0.3  # of the weights' length, moved by all steps: healthy 0.8 and more; trying a higher rate then decides
SURELY = 0.1  # the same where nothing can be tried
BRIEF = 30  # updates: where larger batches leave fewer, it is not their rate that is looked at
LOST, WITHIN, MEAN = 2.0, 40, 10  # the mean loss of ten steps is twice that of knowing nothing, within forty
BACK = 0.97  # of the loss of equal scores: where a run ends that fell below it and jumped
FELL = 0.8
FIRST = 10  # steps that a spike needs before it
AROUND, AWAY, ABOVE = 25, 12.0, 1.5  # a spike: steps before it, their robust deviations, and their median
ENOUGH = 8  # rows of a batch whose loss can be a spike: those of single rows are heavy-tailed in any run
USUAL = (0.5, 2.0)  # the same, roughly, of the two rates that are tried
SLOWER = (0.1, 0.01)
BURSTS = 10.0  # times the median norm
BEFORE = 12  # steps before a loss that is no number
BEGIN = 0.1  # of the steps, in which a warm-up would have helped
GROWS, CRITICAL, BEYOND = 4, 4.0, 1.5  # room to grow, in batches; how far below and above the noise scale
LONGEST = 1200  # updates of the longer walk
FEW = 4  # steps
BETTER = 0.7  # of the loss: what another batch must bring for as many rows


def diverging(case: NetCase) -> int:
    """The step at which the loss ran away or came back for good; 0 where it did not."""
    loss = case.losses
    if case.broken:
        before = loss[max(case.broken - 1 - BEFORE, 0) : case.broken - 1]
        return (
            case.broken if len(before) and before[-1] > 2.0 * np.median(case.losses[: max(case.broken // 2, 1)]) else 0
        )
    means = np.convolve(loss, np.ones(MEAN) / MEAN, "valid") if len(loss) >= MEAN else loss
    above = max(case.unknowing, min(case.first, 3.0 * case.unknowing))
    high = np.flatnonzero(means > LOST * above)
    if len(high) and (high[0] < WITHIN or case.last > LOST * above):
        return int(high[0]) + MEAN
    if case.last > BACK * case.unknowing and means.min(initial=np.inf) < FELL * case.unknowing:
        return int(means.argmin()) + MEAN
    return 0


def leaps(case: NetCase) -> float:
    """The largest ‖Δw‖/‖w‖ of a weight in the first steps."""
    early = case.updates[:EARLY]
    return float(np.nanmax(early)) if early.size else 0.0


def too_high(case: NetCase) -> Sign | None:
    """Steps change a tenth of a weight at once, or the loss runs away, or comes back to chance for good."""
    at, leap = diverging(case), leaps(case)
    if not (leap > LEAP or at) or case.plan.rate is None or (case.untried and not leap > LEAP and spikes(case)):
        return None
    parts = [f"a step changes {percent(leap)} of a weight"] if leap > LEAP else []
    parts += [f"the loss is {number(case.losses[min(at, len(case.losses)) - 1])} at update {at:,} and began at "
              f"{number(case.first)}"] if at else []  # fmt: skip
    plans = [case.slower(share) for share in SLOWER]
    plan = min(plans, key=lambda made: case.walked(case.net, made))
    return advised(case, "; ".join(parts) + ".", f"lower the rate to {plan.rate:g}.", plan, updates=(1, at or EARLY))


def edge(case: NetCase) -> Sign | None:
    """Before the loss rose, curvature times rate was beyond the edge: 2(1 + β) for heavy ball, 38 for Adam (preconditioned)."""
    at = diverging(case)
    if not at or leaps(case) > LEAP or case.plan.rate is None:
        return None
    calm = max(at - MEAN, 1)
    value, bound = case.probing.replay.sharpness(calm)
    if not value > bound:
        return None
    plan = case.slower(0.5 * bound / value)
    seen = (
        f"curvature times rate is {number(value)} after {calm:,} updates, where steps run away above {number(bound)}."
    )
    return advised(case, seen, f"lower the rate to {plan.rate:g}, half of the edge.", plan, updates=(calm, at))


def too_low(case: NetCase) -> Sign | None:
    """All steps together move no weight by a third of its length, the loss has hardly fallen, and a higher rate comes further."""
    if case.plan.rate is None or case.last < 0.5 * case.first or case.broken or not len(case.losses):
        return None
    if case.plan.variant != "batch" and len(case.losses) < BRIEF:
        return None
    start = case.net.start()
    moved = float(np.linalg.norm(case.run.state.w - start)) / max(float(np.linalg.norm(start)), 1e-12)
    if not moved < (SURELY if case.untried else CREEP):
        return None
    plans = [case.slower(times) for times in (max(total / max(moved, 1e-9), 3.0) for total in USUAL)]
    count = min(len(case.losses), MOST)
    plan = min(plans, key=lambda made: case.walked(case.net, made, count))
    seen = (
        f"all steps together move the weights by {100 * moved:.2g} % of their length, and the loss went from "
        f"{number(case.first)} to {number(case.last)}."
    )
    return advised(case, seen, f"raise the rate to {plan.rate:g}.", plan, tried_for=count)


def warm_up(case: NetCase) -> Sign | None:
    """In the first tenth the loss jumps above where it began, and comes back."""
    early = case.losses[: max(int(BEGIN * len(case.losses)), EARLY)]
    if case.plan.warmup or not len(early) or case.plan.rate is None or case.first > 1.5 * case.unknowing:
        return None
    means = np.convolve(early, np.ones(EARLY) / EARLY, "valid")
    if not (means.max() > 1.3 * case.first and case.last < 0.9 * case.first):
        return None
    peak, count = int(means.argmax()) + 1, max(10, len(case.losses) // 20)
    plan = case.changed(warmup=count)
    seen = f"the loss rose from {number(case.first)} to {number(means.max())} by update {peak}, and came back."
    return advised(
        case, seen, f"let the rate rise over the first {count} updates (warmup={count}).", plan, updates=(1, peak)
    )


def spikes(case: NetCase) -> list[int]:
    """Steps (from 1) whose loss stands out of the 25 before, and that the next ones come back from."""
    found, loss = [], case.losses
    for k in range(FIRST, len(loss) - 1):
        before = loss[max(k - AROUND, 0) : k]
        middle = float(np.median(before))
        width = 1.4826 * float(np.median(np.abs(before - middle)))
        near = np.median(loss[k + 1 : k + 1 + AROUND])
        if loss[k] > middle + AWAY * width and loss[k] > ABOVE * middle and near < 0.5 * (loss[k] + middle):
            found.append(k + 1)
    return found


def spike(case: NetCase) -> Sign | None:
    """A batch's loss stands far out of those before it. Of a few rows no loss is unusual."""
    found = spikes(case) if case.plan.size(case.net.n) >= ENOUGH else []
    if not found or case.broken:
        return None
    at = max(found, key=lambda t: case.losses[t - 1])
    rows, share = case.probing.replay.worst_rows(at)
    before = float(np.median(case.losses[max(at - 1 - AROUND, 0) : at - 1]))
    whose = f"; rows {', '.join(map(str, rows))} make {100 * share:.0f} % of it" if rows else ""
    seen = (
        f"the loss of update {at:,} is {number(case.losses[at - 1])} where those before were {number(before)}{whose}."
    )
    norms = case.steps["gradient_norm"][case.measured]
    limit = float(f"{3.0 * np.nanmedian(norms):.2g}")
    change = Change(f"look at {'those rows' if rows else 'its rows'}, or clip gradients at {limit:g} (clip_norm={limit:g}).",
                    case.changed(clip_norm=limit), asks=True)  # fmt: skip
    return Sign(seen, change, rows=tuple(rows), updates=(at, at))


def clipping(case: NetCase) -> Sign | None:
    """A recurrent network's gradients are now and then tens of times their median."""
    if not case.probing.recurrent or case.plan.clip_norm is not None or not len(case.measured):
        return None
    norms = case.steps["gradient_norm"][case.measured]
    middle = float(np.nanmedian(norms))
    blown = diverging(case) and not leaps(case) > LEAP
    if not (np.nanmax(norms) > BURSTS * middle or blown):
        return None
    at, limit = int(case.steps["t"][case.measured[int(np.nanargmax(norms))]]), float(f"{middle:.2g}")
    plan = case.changed(clip_norm=limit)
    most = float(np.nanmax(norms))
    seen = f"the gradient's norm is {number(most)} at update {at:,}, {number(most / middle)} times the median."
    text = f"clip gradients at their median norm (clip_norm={limit:g})."
    return advised(case, seen, text, plan, updates=(at, at), tried_for=len(case.losses), least=0.97)


def batch(case: NetCase) -> Sign | None:
    """The noise scale is far from the batch, and another batch comes further on as many rows.

    b rows a step need rows in proportion to b + scale (McCandlish et al. 2018): a quarter of the scale costs a quarter more than
    the least, the scale itself twice as many. Too small is told at the end, where the scale is largest, too large in the middle.
    The rate is η times the batch's growth to the power ½ for adaptive steps and 1 for others, or η; the better of both is tried.
    """
    plan, n = case.plan, case.net.n
    if plan.variant == "batch" or plan.rate is None or case.broken or len(case.losses) < FEW or case.untried:
        return None
    points, size = case.trace.points or [case.w], plan.size(n)
    late, middle = case.probing.noise(case.w), case.probing.noise(points[len(points) // 2])
    if late is None or middle is None:
        return None
    small = late.low > CRITICAL * size and GROWS * size <= n // 4
    large = size > BEYOND * middle.low and size >= GROWS * ENOUGH
    if not small and not large:
        return None
    noise = late if small else middle
    other = round(min(late.low, n // 4) if small else max(min(middle.low, size) / GROWS, ENOUGH))
    times = other / size
    updates = max(1, round(min(len(case.losses), LONGEST * min(times, 1.0))))
    power = 1.0 if str(plan.step).partition(":")[0].lower() in ("plain", "momentum", "nesterov", "sgd") else 0.5
    plans = [case.changed(batch_size=other, variant="mini-batch", rate=float(f"{plan.rate * times**p:.3g}"))
             for p in (power, 0.0)]  # fmt: skip
    ends = [case.walked(case.net, made, max(1, round(updates / times))) for made in plans]
    after, changed = min(ends), plans[int(np.argmin(ends))]
    interval = f"{number(noise.low)} to {number(noise.high)}"
    seen = f"steps see {size:,} rows where noise and signal are alike at {interval}."
    text = f"take {other:,} rows a step, at rate {changed.rate:g}, for as many rows in all."

    def proof() -> Tried:
        before = case.walked(case.net, plan, updates)
        rows = f"each way over {updates * size:,} rows"
        return Tried(rows, Effect("the loss on a few hundred rows is", before, after), BETTER)

    return Sign(seen, Change(text, changed), proof=proof)
