"""Runs that take too long or stop too soon: rate, budget, batch and schedule against what the problem asks for."""

from dataclasses import replace

import numpy as np

from fallline.executors.certificate import bound_of
from fallline.explain.case import Case
from fallline.explain.finding import EXCESS, Change, Effect, Sign, Tried
from fallline.forecast.noise import noise_scale
from fallline.forecast.tangent import Rows, Walk, rule_of, tangent
from fallline.plan import Plan
from fallline.words import number, percent

SLOW = 0.05  # of the largest rate: six times fewer updates are then to be had
GAIN = 0.5  # nats, a factor of 1.6: gains below are within what forecasts miss by
MORE = 4  # times the budget: what a run that stopped too early is offered, at that price
CLOSE = 10.0  # times the excess: a proven bound that is further off tells nobody how far the run is
LONG, RESTED = 20, 0.25  # passes from which on a run may have been too long, and the share of it that was of use
FALLEN = 1e-3  # of the whole fall: a loss within it of the end has arrived
BEYOND = 1.5  # times where it arrived: where to stop
NOISY = (0.02, 0.75)  # of the largest rate: below, noise is no obstacle; above, the rate itself is
LARGE, SMALLER = 64, (16, 64)  # rows a step that may be too many, and what is tried instead
DEAR = 0.7  # nats, a factor of two: a smaller batch must be worth that much
GROWN = (4, 16)  # times the batch: what is tried where noise is the obstacle
FADED = 0.3  # of the first rate: the mean over the run is below, so the schedule decays early
SURE_OF_NOISE = 2.0  # deviations of the differences between looks


def too_small(case: Case) -> Sign | None:
    """The rate is a few percent of what works, and the walk does not get there."""
    if not case.walks or case.lost or not case.far:
        return None
    plan, left = case.prospect.tuned(case.plan)
    if not (case.relative < SLOW or np.isnan(case.relative)) or float(plan.rate or 0.0) < 4.0 * case.rate:
        return None
    gain = case.gain(left)
    if gain < GAIN:
        return None
    limit = case.prospect.limit(case.plan)
    of = f", {percent(case.relative)} of the largest that works here ({number(limit)})" if limit > 0.0 else ""
    seen = (
        f"the rate is {case.rate:.3g}{of}; {percent(case.left)} of the excess at the start is left after "
        f"{_passes(case)}."
    )
    return Sign(seen, Change(f"raise the rate to {plan.rate:g}.", plan), case.expected(left), gain)


def stopped_early(case: Case) -> Sign | None:
    """The budget ended while the loss still fell."""
    if case.plan.amount is None or (case.plan.automatic and case.cut):
        return None  # the solver ended it where it had arrived
    if case.lost or not case.far or case.relative < SLOW or not case.falling:
        return None
    plan = replace(case.plan, amount=MORE * float(case.plan.amount or 1.0))
    left = case.prospect.left(plan) if case.prospect.forecasts(plan) else float("nan")
    gain = case.gain(left) if np.isfinite(left) else GAIN
    if gain < GAIN:
        return None
    bound = bound_of(case.objective, case.w)
    close = bound.value <= CLOSE * max(float(case.excess[-1]), 0.0)
    proven = f" (at most {number(bound.value)}; proof: {bound.proof})" if close else ""
    seen = (
        f"the loss, {number(case.trace.last('loss'))}, was still falling after {_passes(case)}: it is "
        f"{number(case.excess[-1])} above the optimum{proven}, {percent(case.left)} of the excess at the start."
    )
    ended = ", and loosen the rule that ended it before (such as tol)" if case.cut else ""
    change = Change(f"give it {MORE} times the budget: {plan.amount:g} {plan.budget}{ended}.", plan)
    return Sign(seen, change, case.expected(left), gain - np.log(MORE), proof=lambda: _further(case))


def _further(case: Case) -> Tried:
    """Go on from where it ended, for half the budget again."""
    plan = replace(case.plan, amount=max(1.0, round(0.5 * float(case.plan.amount or 1.0))))
    run = plan.run(case.objective, start=case.w)
    left = max(float(run.trace.last("loss")) - case.prospect.height, 0.0) / case.prospect.first
    return Tried("going on for half the budget", Effect(EXCESS, case.left, left), 0.9)


def ran_long(case: Case) -> Sign | None:
    """Three quarters of the run changed nothing."""
    epochs, loss = case.trace["epochs"], case.trace["loss"]
    if case.plan.automatic or case.far or len(loss) < LONG or epochs[-1] < LONG:
        return None
    least = max(FALLEN * float(loss[0] - loss[-1]), SURE_OF_NOISE * float(np.diff(loss[len(loss) // 2 :]).std()))
    above = np.flatnonzero(loss - loss[-1] > least)
    last = int(above[-1]) + 1 if len(above) else 0
    if last >= RESTED * len(loss):
        return None
    share = min(1.0, BEYOND * float(case.trace["t"][last]) / float(case.trace["t"][-1]))
    plan = replace(case.plan, amount=max(1.0, round(share * float(case.plan.amount or 1.0))))
    passes = Effect("passes taken:", float(epochs[-1]), float(share * epochs[-1]))
    seen = (
        f"after update {case.trace['t'][last]:,} of {case.trace['t'][-1]:,} the loss came no more than "
        f"{number(least)} further down."
    )
    change = Change(f"stop at {plan.amount:g} {plan.budget}.", plan)
    updates = int(case.trace["t"][last]), int(case.trace["t"][-1])
    return Sign(seen, change, passes, updates=updates, proof=lambda: Tried("read off the trace", passes))


def noise_floor(case: Case) -> Sign | None:
    """The noise of small batches keeps a constant rate from coming closer."""
    if not case.walks or case.lost or case.batch or not case.constant or not case.far or case.falling:
        return None
    if np.isfinite(case.relative) and not NOISY[0] < case.relative <= NOISY[1]:
        return None
    plan = replace(case.plan, schedule="cosine")
    left = case.prospect.left(plan)
    if case.gain(left) < GAIN:
        return None
    seen = (
        f"the loss has stopped falling with {percent(case.left)} of the excess at the start left: noise of "
        f"{_rows(case.size)} a step keeps it there."
    )
    change = Change("let the rate fall to zero over the run (schedule=cosine).", plan)
    return Sign(seen, change, case.expected(left), case.gain(left))


def _best_of(case: Case, sizes: list[int]) -> tuple[Plan, float]:
    """The plan with the best of those batch sizes, each at its best rate, and the share that it leaves."""
    tuned = [case.prospect.tuned(case.resized(size)) for size in sizes]
    return min(tuned, key=lambda pair: pair[1], default=(case.plan, np.inf))


def batch_small(case: Case) -> Sign | None:
    """So few rows a step that the rate must be tiny, or the noise wins."""
    if not case.walks or case.lost or case.batch or not case.far or not np.isfinite(case.relative):
        return None
    own, sizes = case.prospect.tuned(case.plan)[1], [case.size * times for times in GROWN]
    plan, left = _best_of(case, [size for size in sizes if 4 * size <= case.objective.n])
    if case.gain(left) < GAIN or not left < own * np.exp(-DEAR) or case.size * 4 > critical(case):
        return None
    seen = (
        f"steps see {_rows(case.size)} where noise and signal are alike at about {critical(case):,.0f} (the critical "
        f"batch, within a factor of four); {percent(case.left)} of the excess at the start is left."
    )
    change = Change(f"take {plan.batch_size} rows a step, at rate {plan.rate:g}.", plan)
    return Sign(seen, change, case.expected(left), case.gain(left))


def batch_large(case: Case) -> Sign | None:
    """So many rows a step that there are too few steps; judged by row visits, not by the critical batch."""
    if not case.walks or case.lost or case.size <= LARGE or not case.far or not np.isfinite(case.relative):
        return None
    plan, left = _best_of(case, [size for size in SMALLER if size < case.size])
    if case.gain(left) < DEAR:
        return None
    seen = (
        f"steps of {_rows(case.size)} make only {case.trace.last('t'):,} updates in {_passes(case)}; "
        f"{percent(case.left)} of the excess at the start is left."
    )
    change = Change(f"take {plan.batch_size} rows a step, at rate {plan.rate:g}, for as many row visits.", plan)
    return Sign(seen, change, case.expected(left), case.gain(left))


def decays_soon(case: Case) -> Sign | None:
    """The schedule has the rate gone before the walk has arrived."""
    if (
        not case.walks
        or case.lost
        or case.constant
        or case.plan.schedule == "cosine"
        or not case.far
        or not case.relative > SLOW
    ):
        return None
    pace = case.plan.pace(case.objective, case.rate)
    updates = case.plan.updates(case.objective.n)
    at = np.linspace(1, updates, 100)
    rates = np.array([pace.at(float(t)) for t in at]) if hasattr(pace, "at") else np.ones(1)
    at, rates = at[rates.argmax() :], rates[rates.argmax() :]  # what rises before is the warm-up
    if rates.mean() > FADED * rates.max():
        return None
    plan = replace(case.plan, schedule="cosine")
    left = case.prospect.left(plan)
    if case.gain(left) < GAIN:
        return None
    half = int(at[np.flatnonzero(rates < 0.5 * rates[0])[0]])
    seen = (
        f"the schedule halves the rate by update {half:,} of {updates:,}, and its mean is "
        f"{percent(rates.mean() / rates.max())} of the first; "
        f"{percent(case.left)} of the excess at the start is left."
    )
    change = Change("let the rate fall over the whole run instead (schedule=cosine).", plan)
    return Sign(seen, change, case.expected(left), case.gain(left), updates=(half, updates))


def critical(case: Case) -> float:
    """The critical batch along the forecast path; NaN where there is none."""
    ground = case.prospect.ground
    if ground is None or not case.prospect.forecasts(case.plan):
        return float("nan")
    rule, n = rule_of(case.plan.stepper(case.objective)[0]), case.objective.n
    walk = Walk(rule, case.plan.pace(case.objective, case.rate), Rows(n, case.size, True), case.plan.updates(n))
    return noise_scale(tangent(ground, walk, case.start)).critical


def _passes(case: Case) -> str:
    passes = float(case.trace["epochs"][-1])
    return f"{number(passes)} {'pass' if passes == 1.0 else 'passes'}"


def _rows(many: int) -> str:
    return f"{many:,} {'row' if many == 1 else 'rows'}"
