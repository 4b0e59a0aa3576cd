"""What the target and the rows do to a fit: outliers, rare classes, a loss that does not suit, an order, classes that part."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import rankdata, skew

from fallline.explain.case import Case
from fallline.explain.changed import as_classes, charged, even, retargeted, under
from fallline.explain.finding import Change, Effect, Sign, Tried
from fallline.explain.heldout import MEAN_ERROR, USUAL_ERROR, held_out
from fallline.explain.prospect import Prospect
from fallline.losses import Gamma, Huber, LogLoss, Poisson, SquaredError
from fallline.penalties import L2
from fallline.words import number, percent

Array = np.ndarray[Any, Any]

TOP, CARRY = 0.01, 0.5  # the share of rows looked at, and of the squared pull that they carry: of Gaussian rows 8 %
SPREAD = 2.0  # deviation over the one that the median says: 1 of Gaussian residuals
RARE = 0.03  # of the rows: fewer make a class rare
ORDERED = 0.2  # correlation of neighbours in the file, above which order is no chance; and 4/√n
LATTICE = 1e-6  # of a unit: how near counts are to whole numbers
SKEWED, WIDENS = (
    0.7,
    0.15,
)  # skewness of the target, and rank correlation of error size with prediction: the variance follows the mean
LONG_TAIL = 2.0  # skewness of amounts, from which on their logarithm is the better scale
MANY = 10  # different values: fewer are levels, not amounts
NEARLY = 0.9  # of the range: how near to both bounds a target must come
OUTSIDE = 0.02  # of predictions beyond the bounds that the target keeps to
CLIPPED = 1e-3  # of the range: how near a bound a share is taken to be before its logit
SOME = 1e300  # any length is better than none
SUITS = 0.95  # of the mean error on rows held out: what a loss that suits must come to


def outliers(case: Case) -> Sign | None:
    """A few rows carry the gradient, under a loss that squares their distance."""
    if not _squares(case) or _counts(case.target):
        return None
    y, z = case.sample.y, _scores(case)
    r = y - z
    away = (case.sample.X - case.sample.X.mean(axis=0)) / np.where(case.spread > 0, case.spread, 1.0)
    pull = case.sample.weights * r**2 * (1.0 + (away**2).sum(axis=1))
    order = np.argsort(-pull)
    top = order[: max(1, int(TOP * len(r)))]
    share = float(pull[top].sum() / max(pull.sum(), 1e-300))
    usual = float(np.median(np.abs(r - np.median(r)))) / 0.6745
    if share < CARRY or r.std() < SPREAD * usual:
        return None
    rows = case.sample.chosen[top]
    first = ", ".join(str(int(row)) for row in rows[:5])
    seen = (
        f"{len(top):,} of {len(r):,} rows ({first}, …) carry {percent(share)} of the squared pull; they miss by up to "
        f"{number(np.abs(r[top]).max() / max(usual, 1e-300))} usual deviations."
    )
    loss = Huber(float(f"{1.345 * max(usual, 1e-12):.3g}"))
    change = Change(
        f"take a loss that a few rows cannot carry: huber:delta={loss.delta:g}.",
        case.plan,
        {"loss": f"huber:delta={loss.delta:g}"},
        remake=under(loss),
    )
    return Sign(seen, change, rows=tuple(map(int, rows)), proof=lambda: held_out(case, change, USUAL_ERROR))


def imbalance(case: Case) -> Sign | None:
    """One class is so rare that calling everything the other looks right."""
    if not case.classes:
        return None
    y, weights = case.objective.model.y, case.objective.model.weights
    shares = {value: float(weights[y == value].sum() / weights.sum()) for value in (-1.0, 1.0)}
    rare = min(shares, key=lambda value: shares[value])
    if not 0.0 < shares[rare] < RARE:
        return None
    seen = (
        f"{int((y == rare).sum()):,} of {len(y):,} rows are of the rarer class ({percent(shares[rare])} of the weight)."
    )
    change = Change(
        "if the rare class matters more than its number, weigh both alike (class_weight=balanced) or move the threshold.",
        case.plan, remake=even, weighs=True, asks=True,
    )  # fmt: skip
    return Sign(seen, change)


def separable(case: Case) -> Sign | None:
    """The classes part, and nothing holds the weights."""
    if not case.classes or case.objective.penalty.cost(1.0) > 0.0 or not case.prospect.separable:
        return None
    alpha = float(f"{1.0 / case.objective.n:.2g}")
    seen = (
        f"a plane tells all {case.objective.n:,} rows apart and no penalty is charged: the loss falls toward 0 as the "
        f"weights grow without bound (‖w‖ is {number(float(np.linalg.norm(case.w)))} now)."
    )
    change = Change(
        f"charge a little for length: penalty l2, alpha={alpha:g} (1/n).",
        case.plan,
        {"penalty": "l2", "alpha": alpha},
        remake=charged(L2(alpha)),
    )

    def proof() -> Tried:
        w = Prospect(charged(L2(alpha))(case.objective)).optimum
        length = Effect("the length of the weights at the optimum is", np.inf, float(np.linalg.norm(w)))
        return Tried("solved with it", length, SOME)

    return Sign(seen, change, proof=proof)


def file_order(case: Case) -> Sign | None:
    """Rows come in the file's order, and neighbours are alike."""
    if not case.walks or case.plan.sampler != "in_order" or case.batch:
        return None
    alike = _neighbours(case.objective.model.y, case.objective.scores > 1)
    if alike < max(ORDERED, 4.0 / np.sqrt(case.objective.n)):
        return None
    seen = (
        "rows are taken as they stand in the file, where neighbours' targets go together at correlation "
        f"{number(alike)}; {percent(case.left)} of the excess at the start is left."
    )
    return Sign(seen, Change("shuffle the rows (sampler=shuffled).", replace(case.plan, sampler="shuffled")))


def _neighbours(y: Array, kinds: bool) -> float:
    """How alike neighbours in the file are: their correlation; of `kinds` how much oftener than by chance both are of one."""
    if kinds:
        chance = float((np.bincount(y.astype(int)) ** 2).sum()) / len(y) ** 2
        return float(np.mean(y[1:] == y[:-1]) - chance) / max(1.0 - chance, 1e-300)
    y = y - y.mean()
    return float(y[1:] @ y[:-1] / max(float(y @ y), 1e-300))


def counts(case: Case) -> Sign | None:
    """Counts under squared loss: their variance grows with their mean, which squares do not know."""
    if not _squares(case) or not _counts(case.target) or not _widens(case, SKEWED):
        return None
    return _mismatch(
        case, Poisson(), "poisson", "whole numbers from 0 on, skewed, and missed by more where they are large"
    )


def amounts(case: Case) -> Sign | None:
    """Positive amounts with a long tail under squared loss."""
    y = case.target
    if not _squares(case) or y.min() <= 0.0 or _counts(y) or len(np.unique(y)) < MANY or not _widens(case, LONG_TAIL):
        return None
    return _mismatch(case, Gamma(), "gamma", "positive amounts with a long tail, missed by more where they are large")


def two_values(case: Case) -> Sign | None:
    """Two classes learnt as a number."""
    values = np.unique(case.sample.y)
    if not case.plain_rows or case.classes or len(values) != 2:
        return None
    low, high = np.sort(np.unique(case.target))
    seen = (
        f"the target takes two values only, {number(low)} and {number(high)}, and is learnt as a number by "
        f"{type(case.objective.loss).__name__}."
    )
    change = Change(
        "learn it as two classes (task=binary, log_loss).",
        case.plan,
        {"loss": "log_loss"},
        {"task": "binary"},
        as_classes(LogLoss()),
    )

    def chance(z: Array) -> Array:
        return low + (high - low) / (1.0 + np.exp(-np.clip(z, -500.0, 500.0)))

    return Sign(seen, change, proof=lambda: held_out(case, change, MEAN_ERROR, chance))


def bounded(case: Case) -> Sign | None:
    """Shares between two bounds, predicted beyond them."""
    y = case.target
    low, high = 0.0, 1.0 if y.max() <= 1.0 else 100.0
    if not _squares(case) or _counts(y) or y.min() < low or y.max() > high or len(np.unique(y)) < MANY:
        return None
    if y.max() < NEARLY * high or y.min() > low + (1.0 - NEARLY) * high:
        return None  # it keeps away from a bound
    z = _scores(case) * case.units[1] + case.units[0]
    beyond = float(np.mean((z < low) | (z > high)))
    if beyond < OUTSIDE:
        return None
    seen = f"the target lies between {low:g} and {high:g}, and {percent(beyond)} of the predictions do not."

    def remake(objective: Any) -> Any:
        share = (objective.model.y * case.units[1] + case.units[0] - low) / (high - low)
        share = np.clip(share, CLIPPED, 1.0 - CLIPPED)
        return retargeted(objective, np.log(share / (1.0 - share)))

    def back(z: Array) -> Array:
        return low + (high - low) / (1.0 + np.exp(-np.clip(z, -500.0, 500.0)))

    change = Change("learn log(share/(1 − share)) instead, which has no bounds.", case.plan, remake=remake, weighs=True)
    return Sign(seen, change, proof=lambda: held_out(case, change, MEAN_ERROR, back, SUITS))


def _mismatch(case: Case, loss: Any, name: str, what: str) -> Sign:
    seen = f"the target is {what} (skewness {number(float(skew(case.target)))}); the loss is squared."
    reading = {"standardise_target": False}
    change = Change(
        f"take the loss for it: {name}, whose predictions are exp(score).",
        case.plan,
        {"loss": name},
        reading,
        under(loss, case.units),
    )
    return Sign(seen, change, proof=lambda: held_out(case, change, MEAN_ERROR, _amount, SUITS))


def _amount(z: Array) -> Array:
    """What a score stands for under a log link; far out the largest there is."""
    return np.exp(np.clip(z, -500.0, 500.0))


def _squares(case: Case) -> bool:
    return type(case.objective.loss) is SquaredError and case.plain_rows and case.objective.n > MANY


def _counts(y: Array) -> bool:
    """Whether all are whole numbers from 0 on, and more than a few."""
    return bool(
        y.min() > -LATTICE
        and (np.abs(y - np.round(y)) < LATTICE * np.maximum(1.0, np.abs(y))).all()
        and len(np.unique(np.round(y))) > 2
    )


def _widens(case: Case, skewed: float) -> bool:
    """Whether squares are beside the point: a skewed target, missed by more where it is large, or predicted below zero."""
    z = _scores(case)
    ranks = rankdata(z), rankdata(np.abs(case.sample.y - z))
    below = np.mean(z * case.units[1] + case.units[0] < 0.0)
    return bool(skew(case.target) > skewed and (np.corrcoef(*ranks)[0, 1] > WIDENS or below > OUTSIDE))


def _scores(case: Case) -> Array:
    """(m,) of the sample, at the optimum: what the loss makes of the rows, however far the run came."""
    w, model = case.prospect.optimum, case.objective.model
    level = w[-1] if model.free else 0.0
    return np.asarray(case.sample.X @ w[: model.d] + level + model.offset[case.sample.chosen])
