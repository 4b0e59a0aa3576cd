"""What a network's steps show: rates too high or too low, the edge of stability, spikes, warm-up, clipping, the batch."""

from typing import NamedTuple

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
AROUND, AWAY, ABOVE = 25, 12.0, 1.25  # a spike: steps before it, their robust deviations, and their median
ENOUGH = 8  # rows of a batch whose loss can be a spike: those of single rows are heavy-tailed in any run
USUAL = (0.5, 2.0)  # the same, roughly, of the two rates that are tried
SLOWER = (0.1, 0.01)  # of the rate: what is tried where it is too high, and what a warm-up must beat
BURSTS = 10.0  # times the median norm
THEIRS = 0.2  # of a spike's loss, each of the rows that stand out: they are its cause (planted 0.3 to 0.99), or the steps (0.1)
BEFORE = 12  # steps before a loss that is no number
BEGIN, LEAST = 0.1, 10  # of the steps, in which a warm-up would have helped, and at least so many
GROWS, CRITICAL, BEYOND = (
    4,
    4.0,
    0.5,
)  # room to grow, in batches; how far below the noise scale, and what share of it is much
LARGE, FEWER = 64, 16  # rows: no batch below is too large; a share of those that are is tried
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
    if not (leap > LEAP or at) or case.plan.rate is None or (not leap > LEAP and rows_own(case)):
        return None
    parts = [f"a step changes {percent(leap)} of a weight"] if leap > LEAP else []
    parts += [f"the loss is {number(case.losses[min(at, len(case.losses)) - 1])} at update {at:,} and began at "
              f"{number(case.first)}"] if at else []  # fmt: skip
    plans, count = [case.slower(share) for share in SLOWER], min(len(case.losses), MOST)
    plan = min(plans, key=lambda made: case.walked(case.net, made, count))
    text, updates = f"lower the rate to {plan.rate:g}.", (1, at or EARLY)
    return advised(case, "; ".join(parts) + ".", text, plan, updates=updates, tried_for=count)


def edge(case: NetCase) -> Sign | None:
    """Before the loss rose, curvature times rate was beyond the edge: 2(1 + β) for heavy ball, 38 for Adam (preconditioned)."""
    at = diverging(case)
    if not at or leaps(case) > LEAP or case.plan.rate is None or rows_own(case):
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
    """The first steps change a tenth of a weight, or the loss jumps and comes back; a warm-up goes further than a lower rate."""
    if (
        case.plan.warmup
        or not len(case.losses)
        or case.plan.rate is None
        or case.first > 1.5 * case.unknowing
        or case.untried
    ):
        return None
    early = case.losses[: max(int(BEGIN * len(case.losses)), EARLY)]
    means = np.convolve(early, np.ones(EARLY) / EARLY, "valid")
    leap, jumped = leaps(case), means.max(initial=0.0) > 1.3 * case.first and case.last < 0.9 * case.first
    if not (leap > LEAP or jumped):
        return None
    count, tried = max(LEAST, int(BEGIN * len(case.losses))), min(len(case.losses), MOST)
    plan = case.changed(warmup=count)
    if case.walked(case.net, plan, tried) > min(case.walked(case.net, case.slower(share), tried) for share in SLOWER):
        return None
    seen = (
        f"the loss rose from {number(case.first)} to {number(means.max())} by update {int(means.argmax()) + 1}, and came back."
        if jumped
        else f"the first steps change {100 * leap:.0f} % of a weight."
    )
    text = (
        f"let the rate rise over the first {count} updates (warmup={count}): it then goes further than at a lower rate."
    )
    return advised(case, seen, text, plan, updates=(1, count), tried_for=tried)


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


class Outlying(NamedTuple):
    """The highest spike: its step (0: there is none), the rows that stand out, their share of its loss, whether they make it."""

    at: int
    rows: list[int]
    share: float
    theirs: bool


def outlying(case: NetCase) -> Outlying:
    """The highest spike, and whose it is."""
    found = spikes(case) if case.plan.size(case.net.n) >= ENOUGH else []
    if not found:
        return Outlying(0, [], 0.0, False)
    at = max(found, key=lambda t: case.losses[t - 1])
    rows, share = case.probing.replay.worst_rows(at)
    return Outlying(at, rows, share, not share <= THEIRS * len(rows))  # rows of a loader have no numbers


def rows_own(case: NetCase) -> bool:
    """Whether rows raised the loss: those that stand out, or any where neither they nor a change can be looked at."""
    found = outlying(case)
    return found.theirs and bool(found.rows or case.untried)


def spike(case: NetCase) -> Sign | None:
    """A batch's loss stands far out of those before it, and a few rows make it. Of batches of a few rows no loss is unusual."""
    at, rows, share, theirs = outlying(case)
    if not at or case.broken or not theirs:
        return None
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
    """A recurrent network's gradients are now and then tens of times their median, or its loss jumps, and not for a few rows."""
    if not case.probing.recurrent or case.plan.clip_norm is not None or not len(case.measured):
        return None
    if (
        case.plan.variant == "batch" or leaps(case) > LEAP
    ):  # no batch differs from the next: what rises is the rate's doing
        return None
    if rows_own(case):
        return None
    norms = case.steps["gradient_norm"][case.measured]
    middle = float(np.nanmedian(norms))
    blown = outlying(case).at or diverging(case)
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
    large = size > BEYOND * middle.low and size >= LARGE
    if not small and not large:
        return None
    noise = late if small else middle
    other = round(min(late.low, n // 4) if small else max(min(middle.low / GROWS, size / FEWER), ENOUGH))
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
