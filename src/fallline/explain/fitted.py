"""What is fitted: too much of the rows' chance, too little because a penalty forbids it, or nothing where scores saturate."""

from dataclasses import replace

import numpy as np

from fallline.explain.case import DONE, Case
from fallline.explain.changed import charged
from fallline.explain.finding import Change, Effect, Sign, Tried
from fallline.explain.heldout import HELD_LOSS, held_out
from fallline.losses import Hinge, LogLoss, SquaredHinge
from fallline.penalties import L2
from fallline.words import number, percent

FREEDOM = 0.25  # of the parameters: with fewer left three quarters of the fit is forbidden
WEAKER = 1e-3  # of the penalty: what is tried where it dominates
REACH = 0.1  # of the smallest strength that removes all: where a path of an L1 share is worth looking at
EARLY = 0.6  # of the run: a validation loss that was best later has not turned
RISE = 0.05  # of its fall: a rise by less is within the chance of the rows held out
FLAT = 8.0  # of the median score's size: the logistic loss then bends by 3e-4, and the gradient is what it was


def removed_all(case: Case) -> Sign | None:
    """The penalty is so strong that no column is left."""
    ratio = getattr(case.objective.penalty, "l1_ratio", 1.0)
    alpha = getattr(case.objective.penalty, "alpha", 0.0)
    d = case.objective.penalised
    if case.objective.penalty.prox(1.0, 1.0) == 1.0 or not alpha or case.prospect.optimum[:d].any():
        return None
    level = case.prospect.optimum
    pulled = np.abs(case.objective.gradient(level)[:d])
    strongest = float(pulled.max() / ratio)
    weaker = float(f"{REACH * strongest:.2g}")
    seen = (
        f"all {d:,} coefficients are zero: the penalty, alpha {alpha:g}, is above {number(strongest)}, from which on "
        "none is worth its price."
    )
    change = Change(
        f"lower alpha to {weaker:g}, a tenth of that.", case.plan, {"alpha": weaker},
        remake=charged(case.objective.penalty._replace(alpha=weaker)),
    )  # fmt: skip
    return Sign(seen, change, proof=lambda: held_out(case, change, HELD_LOSS))


def dominates(case: Case) -> Sign | None:
    """An L2 penalty outweighs the data along most directions."""
    penalty, ground = case.objective.penalty, case.prospect.ground
    alpha = float(penalty.pull(1.0))
    if not alpha or ground is None or not isinstance(penalty, L2) or not case.plain_rows:
        return None
    own = np.maximum(ground.limits.values[: case.objective.penalised] - alpha, 0.0)
    free = float((own / (own + alpha)).sum())
    if free > FREEDOM * case.objective.penalised:
        return None
    weaker = float(f"{WEAKER * alpha:.2g}")
    seen = (
        f"of {case.objective.penalised:,} coefficients the penalty, alpha {alpha:g}, leaves what {number(free)} free "
        "ones could do."
    )
    change = Change(
        f"lower alpha to {weaker:g}, and look at the loss on rows held out.",
        case.plan,
        {"alpha": weaker},
        remake=charged(L2(weaker)),
    )
    return Sign(seen, change, proof=lambda: held_out(case, change, HELD_LOSS))


def overfitting(case: Case) -> Sign | None:
    """The loss on rows held out has turned upward while the loss went on down."""
    if "validation_loss" not in case.trace.columns or case.lost:
        return None
    held, loss = case.trace["validation_loss"], case.trace["loss"]
    if len(held) < 5 or not np.isfinite(held).all():
        return None
    best = int(held.argmin())
    end = float(np.mean(held[-max(1, len(held) // 10) :]))
    rise = end - float(held[best])
    still = loss[-1] < loss[best]
    if best > EARLY * (len(held) - 1) or rise < RISE * float(held[0] - held[best]) or rise <= 0.0 or not still:
        return None
    t = case.trace["t"]
    seen = (
        f"on validation rows the loss was least, {number(held[best])}, at update {t[best]:,} of {t[-1]:,}, and rose "
        f"to {number(end)} while the loss itself fell from {number(loss[best])} to {number(loss[-1])}."
    )
    measure = Effect("the loss on validation rows is", end, float(held[best]))
    share = float(t[best]) / float(t[-1])
    plan = case.plan
    if plan.amount is not None:
        plan = replace(
            plan,
            amount=max(1.0, round(share * plan.amount)) if plan.budget == "updates" else max(share * plan.amount, 1e-3),
        )
    change = Change(
        f"stop at update {t[best]:,} (early_stopping, or the rule no_better), or charge more for length.", plan
    )
    tried = Tried("read off the trace", measure, 1.0)
    return Sign(seen, change, measure, updates=(int(t[best]), int(t[-1])), proof=lambda: tried)


def saturated(case: Case) -> Sign | None:
    """The walk began where the loss is flat: scores so large that no row pulls harder than another."""
    if (
        not isinstance(case.objective.loss, LogLoss | Hinge | SquaredHinge)
        or not case.walks
        or not case.start.any()
        or not case.plain_rows
    ):
        return None
    model = case.objective.model
    level = case.start[-1] if model.free else 0.0
    z = np.abs(case.sample.X @ case.start[: model.d] + level)
    if np.median(z) < FLAT or not case.left > DONE:
        return None
    seen = (
        f"the walk began at scores of {number(float(np.median(z)))} (median size), where the loss does not bend; "
        f"{percent(case.left)} of the excess there is left."
    )
    change = Change("begin at zero.", case.plan, at_zero=True)
    return Sign(seen, change)
