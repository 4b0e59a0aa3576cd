"""What columns do to a walk: different scales, near copies, flat directions, digits that are not there."""

from typing import Any

import numpy as np

from fallline.explain.case import DONE, Case
from fallline.explain.changed import standardised
from fallline.explain.finding import EXCESS, Change, Effect, Sign, Tried
from fallline.explain.probe import SHARE, budget_of
from fallline.explain.stability import over
from fallline.plan import Plan
from fallline.words import number, percent

Array = np.ndarray[Any, Any]

APART = 10.0  # times: columns whose deviations differ by less are of one scale
GAIN = 0.7  # nats, a factor of two: what bringing them to one scale must be worth, each side at its best rate
COPIES = 1e-3  # of the correlations' smallest eigenvalue: columns that give each other up to 3 % of a deviation
HELD = 0.5  # of the excess that is left: so much of it must lie where the columns are blamed
FLAT = 100.0  # times flatter than the steepest direction: what plain steps hardly move along
NAMED = 0.25  # of the largest part in a direction: columns that are named
DIGITS = 1e4  # times the deviation: a level that leaves a float32 column less than three digits


def unscaled(case: Case) -> Sign | None:
    """Columns of different scales: one rate cannot suit both."""
    if not case.walks or not case.narrow or not case.far:
        return None
    live = np.flatnonzero(case.spread > 0.0)
    if not len(live):
        return None
    small, large = live[case.spread[live].argmin()], live[case.spread[live].argmax()]
    ratio = float(case.spread[large] / case.spread[small])
    if ratio < APART:
        return None
    own, (plan, left) = case.prospect.tuned(case.plan)[1], case.even.tuned(case.plan)
    gain = float(np.log(max(own, 1e-12) / max(left, 1e-12))) if np.isfinite(left) else 0.0
    if gain < GAIN:
        return None
    lost = f" The run diverged: its rate is {case.rate:.3g}{over(case)}." if case.lost else ""
    seen = (
        f"{case.name(large)} varies {number(ratio)} times as much as {case.name(small)}; at its best rate this plan "
        f"leaves {percent(own)} of the excess at the start, on columns of one scale {percent(left)}.{lost}"
    )
    change = Change(
        f"bring the columns to mean 0 and deviation 1 (standardise), at rate {plan.rate:g}.",
        plan,
        reading={"standardise": True},
        remake=standardised,
    )

    def proof() -> Tried:
        before, after = case.prospect.tried(case.plan, SHARE), case.even.tried(plan, SHARE)
        return Tried(budget_of(case.plan), Effect(EXCESS, before, after))

    return Sign(seen, change, case.expected(left), gain, columns=(int(large), int(small)), proof=proof)


def collinear(case: Case) -> Sign | None:
    """Columns that nearly give each other: what is left to learn lies between them."""
    if case.plan.automatic or case.lost or not case.far or not case.plain_rows or case.objective.model.d < 2:
        return None
    values, vectors = np.linalg.eigh(case.correlation)
    flat = values < COPIES
    if not flat.any():
        return None
    away = (case.w - case.prospect.optimum)[: case.objective.model.d] * case.spread
    rows = vectors.T @ away
    share = float((values * rows**2)[flat].sum() / max((values * rows**2).sum(), 1e-300))
    if share < HELD:
        return None
    parts = np.abs(vectors[:, flat]).max(axis=1)
    columns = np.flatnonzero(parts > NAMED * parts.max())
    columns = columns[np.argsort(-parts[columns])]
    seen = (
        f"{case.named(columns)} nearly give each other (smallest eigenvalue of the correlations {number(values[0])}), "
        f"and {percent(share)} of what is left to learn lies between them."
    )
    return _curved(case, seen, tuple(map(int, columns)))


def conditioned(case: Case) -> Sign | None:
    """Flat directions hold what is left, and no scale of columns is to blame."""
    ground = case.prospect.ground
    if not case.walks or case.lost or not case.far or not case.plain_rows or ground is None:
        return None
    if not np.isfinite(case.relative):
        return None
    u, values = ground.place(case.w), ground.limits.values
    pull = np.maximum(values, 0.0) * u**2
    flat = values < values[-1] / FLAT
    share = float(pull[flat].sum() / max(pull.sum(), 1e-300))
    if share < HELD or case.prospect.tuned(case.plan)[1] < 2.0 * DONE:
        return None
    worst = np.abs(ground.limits.vectors[:, int(np.argmax(np.where(flat, pull, 0.0)))])
    columns = np.flatnonzero(worst > NAMED * worst.max())
    columns = columns[np.argsort(-worst[columns])]
    seen = (
        f"the condition number is {number(ground.limits.condition)}, and {percent(share)} of what is left lies in "
        f"directions {FLAT:.0f} times flatter than the steepest, chiefly along {case.named(columns)}."
    )
    found = _curved(case, seen, tuple(int(j) for j in columns if j < case.objective.model.d))
    return found._replace(score=case.gain(DONE * 0.1))


def _curved(case: Case, seen: str, columns: tuple[int, ...]) -> Sign:
    """Advice to use curvature, of which any shape will do."""
    change = Change(
        "let the automatic solver walk (step=auto): it uses the curvature, and no direction is flat to it.", Plan()
    )

    def proof() -> Tried:
        run = Plan(amount=max(1.0, round(SHARE * float(case.trace["epochs"][-1])))).run(
            case.objective, start=case.start
        )
        left = max(float(run.trace.last("loss")) - case.prospect.height, 0.0) / case.prospect.first
        return Tried(
            f"for {run.trace['epochs'][-1]:.3g} passes, against all {case.trace['epochs'][-1]:.3g}",
            Effect(EXCESS, case.left, left),
        )

    return Sign(seen, change, None, 0.0, columns, proof=proof)


def digits(case: Case) -> Sign | None:
    """Numbers of 32 bits whose level has eaten the digits in which they differ."""
    model = case.objective.model
    stored = model.rows.X if hasattr(model.rows, "X") else model.rows.data
    if not case.plain_rows or stored.dtype != np.float32:
        return None
    level = np.abs(case.sample.X.mean(axis=0)) / np.maximum(case.spread, 1e-300)
    columns = np.flatnonzero((level > DIGITS) & (case.spread > 0.0))
    if not len(columns):
        return None
    columns = columns[np.argsort(-level[columns])]
    seen = (
        f"{case.named(columns)} stands {number(level[columns[0]])} times its deviation from zero, and a number of 32 "
        f"bits has seven digits: {max(0.0, 7.2 - np.log10(level[columns[0]])):.1f} are left."
    )
    change = Change(
        "subtract each column's mean before the table becomes float32, or keep it in float64.",
        case.plan,
        reading={"dtype": "float64"},
        asks=True,
    )
    return Sign(seen, change, columns=tuple(map(int, columns)))
