"""Columns that know the answer: one that goes with the target far closer than all others, or a few that give it together."""

from typing import Any

import numpy as np
from scipy.stats import rankdata

from fallline.explain.case import Case
from fallline.explain.changed import without
from fallline.explain.finding import Change, Sign
from fallline.words import number, percent

Array = np.ndarray[Any, Any]

TELLS, NEXT = 0.97, 0.9  # correlation with the target of a column that gives it away, and what the next may have
PARTS = 0.995  # area under the curve of such a column of classes
ENOUGH = 40  # rows, of each class, below which chance gets there
CLEARER = 4.0  # times fewer pairs put wrong than by the next column
FEW = 3  # columns that give the target together; more are a model of it
EXACT = 1e-6  # of the target's variance: a sum that leaves less is how it was made; what is measured errs by more
LOOK = 2_000  # rows that they are looked for in
STEPS = 8  # columns that are picked before they are found: others that go with them may be picked first
ALMOST = 1e-4  # of the pairs: so many chance may put right of a column that puts none wrong


def leak(case: Case) -> Sign | None:
    """One column all but gives the target away, or a few together do."""
    if not case.plain_rows or case.objective.model.d < 2 or len(case.sample.y) < ENOUGH:
        return None
    return _alone(case) or _together(case)


def _alone(case: Case) -> Sign | None:
    """A column far closer to the target than the next."""
    X, y, live = case.sample.X, case.sample.y, case.spread > 0.0
    if case.classes:
        if min(int((y > 0).sum()), int((y < 0).sum())) < ENOUGH:
            return None
        told = np.where(live, _areas(X, y), 0.5)
        how, high = "tells the classes apart in {} of pairs", PARTS
        low = 1.0 - CLEARER * max(1.0 - told.max(), ALMOST)
    else:
        centred = y - y.mean()
        scale = np.maximum(case.spread * max(float(y.std()), 1e-300) * len(y), 1e-300)
        told = np.where(live, np.abs((X - X.mean(axis=0)).T @ centred) / scale, 0.0)
        how, high, low = "goes with the target at correlation {}", TELLS, NEXT
    order = np.argsort(-told)
    best, second = told[order[0]], told[order[1]]
    if best < high or second > low:
        return None
    shown = percent(best) if case.classes else number(best)
    seen = (
        f"{case.name(int(order[0]))} {how.format(shown)}; the next column, {case.name(int(order[1]))}, at "
        f"{percent(second) if case.classes else number(second)}."
    )
    return _told(case, seen, (int(order[0]),))


def _together(case: Case) -> Sign | None:
    """A few columns of which a weighted sum is the target; of classes there is none that sound tables do not have as well."""
    if case.classes:
        return None
    X, y, live = case.sample.X, case.sample.y, np.flatnonzero(case.spread > 0.0)
    some = slice(None, None, max(1, len(y) // LOOK))
    columns = live[making(X[some][:, live], y[some])]
    if not 0 < len(columns) < len(live) or unexplained(X[:, columns], y) > EXACT:
        return None
    give = "together give" if len(columns) > 1 else "gives"
    return _told(
        case,
        f"{case.named(columns)} {give} the target: a weighted sum of them is equal to it up to rounding.",
        tuple(map(int, columns)),
    )


def _told(case: Case, seen: str, columns: tuple[int, ...]) -> Sign:
    names = tuple(case.names[j] if j < len(case.names) else j for j in columns)
    are, them = ("is", "it") if len(columns) == 1 else ("are", "them")
    unknown = f"if {case.named(columns)} {are} not known when the model is used, leave {them} out."
    text = f"{unknown} The loss will be higher, and true."
    change = Change(text, case.plan, reading={"drop": names}, remake=without(columns), asks=True)
    return Sign(seen, change, columns=columns)


def picked(X: Array, y: Array, most: int) -> Array:
    """Up to `most` columns, one at a time the one that takes most off what is left of y's variance (forward selection)."""
    rest, left = X - X.mean(axis=0), y - y.mean()
    sizes, all_of_it = (rest**2).sum(axis=0), float(left @ left)
    columns: list[int] = []
    while len(columns) < most and left @ left > EXACT**2 * all_of_it:
        own = (rest**2).sum(axis=0)
        live = own > EXACT**2 * sizes
        gains = np.where(live, (rest.T @ left) ** 2 / np.where(live, own, 1.0), 0.0)
        j = int(gains.argmax())
        if not gains[j] > 0.0:
            break
        columns.append(j)
        direction = rest[:, j] / np.sqrt(own[j])
        left = left - direction * (direction @ left)
        rest = rest - np.outer(direction, direction @ rest)
    return np.array(columns, int)


def making(X: Array, y: Array) -> Array:
    """The few columns of which a weighted sum is y; empty where there are none."""
    columns = picked(X, y, min(STEPS, len(y) // ENOUGH))
    if unexplained(X[:, columns], y) > EXACT:
        return columns[:0]
    for j in columns:  # those that others had to be picked before
        without_it = columns[columns != j]
        if unexplained(X[:, without_it], y) <= EXACT:
            columns = without_it
    return columns if len(columns) <= FEW else columns[:0]


def unexplained(X: Array, y: Array) -> float:
    """The share of y's variance that no weighted sum of the columns has."""
    away, spread = y - y.mean(), X.std(axis=0)
    Z = (X - X.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    missed = away - Z @ np.linalg.lstsq(Z, away, rcond=None)[0]
    return float(missed @ missed / max(float(away @ away), 1e-300))


def _areas(X: Array, y: Array) -> Array:
    """Of each column: the share of pairs of both classes that it puts in one order, or in the other; ties count half."""
    ranks = rankdata(X, axis=0)
    many, few = int((y > 0).sum()), int((y < 0).sum())
    area = (ranks[y > 0].sum(axis=0) - many * (many + 1) / 2.0) / (many * few)
    return np.maximum(area, 1.0 - area)
