"""Steps that are too long: a run that runs away, hops to and fro, rings, or starts with a jump."""

from dataclasses import replace

import numpy as np

from fallline.explain.case import Case
from fallline.explain.finding import Change, Sign
from fallline.parts import named, part
from fallline.plan import WAYS, Plan
from fallline.steps import Plain
from fallline.words import number, percent

FIRST = 100.0  # nats: a run whose rate is above or at its limit has no other cause to look for before that
SLACK = 0.7  # of the largest rate: below, running away has another cause
ABOVE = 1.0  # times the largest rate that works: the noise alone then keeps a tenth of the excess at the start
EDGE = 0.75  # of it: the floor is then several times that of the linear formula
NEAR = 0.9  # the same of batch steps, which hop to and fro without noise: a step keeps 80 % of the steepest direction's error
SHOWS = 0.02  # of the excess at the start: what an edge must cost, being within what chance does otherwise
SHOWS_BATCH = 0.001  # the same where there is no chance
CLEARLY = 0.5  # nats, a factor of 1.6: gains below are within what forecasts miss by
HEAVY = 0.9  # a momentum up to which textbooks go: it is not looked into
RINGS = 0.7  # of the pull: so much of it lies in directions that ring, and die no faster than momentum forgets
JUMP = 0.1  # of the excess at the start: a rise by more is no chance
EARLY, LOOKS = 10, 50  # the first tenth of the run is looked at so often a pass
SLOWER = 0.1  # of the rate: what is looked at first where the largest that works is not known
WARM = 0.1  # of the updates: the usual warm-up of adaptive steps


def diverged(case: Case) -> Sign | None:
    """The loss is no number, or clearly above where it began."""
    if not case.lost or not case.walks:
        return None
    loss, t = case.trace["loss"], case.trace["t"]
    sound = loss[np.isfinite(loss)]
    worst = int(np.flatnonzero(~np.isfinite(loss))[0]) if len(sound) < len(loss) else int(loss.argmax())
    rise = f"from {number(float(loss[0]))} to {number(float(loss[worst]))} by update {t[worst]:,}"
    seen = f"the loss went {rise}; the rate is {case.rate:.3g}{over(case)}."
    change, left = slower(case)
    surely = 0.0 if case.relative < SLACK else FIRST
    return Sign(seen, change, case.expected(left), case.gain(left) + surely, updates=(0, int(t[worst])))


def above(case: Case) -> Sign | None:
    """The rate is beyond the largest that works, and it shows."""
    if case.lost or not case.walks or not case.left > SHOWS or case.relative <= ABOVE:
        return None
    change, left = slower(case)
    known = np.isfinite(case.relative)  # if not, it is a smaller rate's coming much closer that tells
    if not known and case.gain(left) < CLEARLY:
        return None
    seen = f"the rate is {case.rate:.3g}{over(case)}, and {percent(case.left)} of the excess at the start is left."
    return Sign(seen, change, case.expected(left), case.gain(left) + (FIRST if known else 0.0))


def edge(case: Case) -> Sign | None:
    """The rate is just under the largest, where steps hop from one side of the valley to the other."""
    least = NEAR if case.batch else EDGE
    shows = SHOWS_BATCH if case.batch else SHOWS
    if case.lost or not case.walks or not case.left > shows or not least < case.relative <= ABOVE:
        return None
    change, left = slower(case)
    if case.gain(left) < 0.5 * CLEARLY:
        return None
    turn = hops(case)
    turns = f"; successive updates point {turn:.0f}° apart" if np.isfinite(turn) else ""
    seen = f"the rate is {case.rate:.3g}{over(case)}{turns}."
    return Sign(seen, change, case.expected(left), case.gain(left) + FIRST)


def momentum(case: Case) -> Sign | None:
    """Momentum carries on so long that the useful directions ring, and fade only as fast as it forgets."""
    beta = getattr(_step(case.plan), "beta", 0.0) if case.walks else 0.0
    if not beta > HEAVY or not case.far or case.prospect.ground is None or not np.isfinite(case.relative):
        return None
    ground = case.prospect.ground
    u, curvature = ground.place(case.w if np.isfinite(case.w).all() else case.start), ground.limits.values
    pull = curvature * u**2
    rings = case.rate * curvature > (1.0 - np.sqrt(beta)) ** 2
    share = float(pull[rings].sum() / max(pull.sum(), 1e-300))
    name = named(case.plan.step, WAYS)
    calmer = [case.prospect.tuned(replace(case.plan, step=step)) for step in (f"{name}:beta=0.9", "plain")]
    plan, left = min(calmer, key=lambda pair: pair[1])
    if share < RINGS or case.gain(left) < CLEARLY:
        return None
    seen = (
        f"momentum {beta:g} remembers {1.0 / (1.0 - beta):.0f} updates, and {percent(share)} of what is left lies in directions "
        f"that swing at this memory; {percent(case.left)} of the excess at the start is left."
    )
    how = "take plain steps" if plan.step == "plain" else "lower momentum to 0.9"
    return Sign(seen, Change(f"{how}, at rate {plan.rate:g}.", plan), case.expected(left), case.gain(left))


def warmup(case: Case) -> Sign | None:
    """Adaptive steps begin before they know the gradient's size: the loss jumps, and time goes into coming back."""
    step = _step(case.plan) if case.walks else Plain()
    if case.plan.warmup or case.lost or not hasattr(step, "eps") or not case.far:
        return None
    updates = case.plan.updates(case.objective.n)
    steps = max(1, round(WARM * updates))
    first = replace(case.plan, budget="updates", amount=max(1, round(updates / EARLY)), schedule="constant")
    early = first.run(case.objective, looks=LOOKS, start=case.start).trace  # closer than the run itself was looked at
    peak = int(early["loss"].argmax())
    if early["loss"][peak] < early["loss"][0] + JUMP * case.prospect.first:
        return None
    plan = replace(case.plan, warmup=steps)
    seen = f"the loss rose from {early['loss'][0]:.4g} to {early['loss'][peak]:.4g} in the first {early['t'][peak]:,} updates."
    gain = case.gain(case.prospect.left(plan))
    change = Change(f"let the rate rise over the first {steps:,} updates (warmup={steps}).", plan)
    return Sign(seen, change, None, gain, updates=(0, int(early["t"][peak])))


def slower(case: Case) -> tuple[Change, float]:
    """A smaller rate, and what it leaves."""
    if np.isfinite(case.relative):
        plan, left = case.prospect.tuned(case.plan)
    else:
        plan, left = case.prospect.searched(replace(case.plan, rate=float(f"{SLOWER * case.rate:.2g}")), (SLOWER,))
    return Change(f"lower the rate to {plan.rate:g}.", plan), left


def hops(case: Case) -> float:
    """The median angle between successive updates over the last half, in degrees; NaN where not every point is kept."""
    half = len(case.trace) // 2
    points = case.trace.path[half:]
    if len(points) < 4 or not np.isfinite(points).all() or np.diff(case.trace["t"][half:]).max() > 1:
        return float("nan")
    moves = np.diff(points, axis=0)
    lengths = np.linalg.norm(moves, axis=1)
    products = (moves[1:] * moves[:-1]).sum(axis=1) / np.maximum(lengths[1:] * lengths[:-1], 1e-300)
    return float(np.degrees(np.arccos(np.clip(np.median(products), -1.0, 1.0))))


def over(case: Case) -> str:
    """The rate beside the largest."""
    if not np.isfinite(case.relative):
        return ""
    return f", {case.relative:.2g} times the largest that works here ({case.prospect.limit(case.plan):.3g})"


def _step(plan: Plan) -> object:
    return part(WAYS, plan.step, "step", seed=plan.seed)
