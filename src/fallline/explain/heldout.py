"""Changes of what is asked, tried on rows held out: a quarter of the rows says what a fit to the others is worth."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fallline.explain.case import Case
from fallline.explain.changed import charged
from fallline.explain.finding import SHIFTS, Change, Effect, Tried
from fallline.objectives.variants import subset
from fallline.penalties import NoPenalty
from fallline.reference.limits import gathered_rows
from fallline.solver import solve

Array = np.ndarray[Any, Any]

EVERY = 4  # every so many of the shuffled rows are held out
USUAL = 0.95  # of the rows: outliers are among the others
MOST = 20_000  # rows that are fitted and held out together
CLOSE = 1e-5  # of the loss: how near each optimum is


Back = Callable[[Array], Array]  # from scores to predictions in the user's units


def held_out(case: Case, change: Change, measure: "Measure", back: Back | None = None, least: float = SHIFTS) -> Tried:
    """Fit the rest both ways to the optimum, and measure both on the rows held out.

    back: from the changed fit's scores to the user's units, where they are not the case's own.
    """
    assert change.remake is not None
    before = _measured(case, case.objective, measure, _own(case))
    after = _measured(case, change.remake(case.objective), measure, back or _own(case))
    return Tried(
        "fitted to three quarters of the rows, measured on the others", Effect(measure.words, before, after), least
    )


def _own(case: Case) -> Back:
    mean, scale = case.units
    return lambda z: np.array([case.objective.loss.mean(score) for score in z.tolist()]) * scale + mean


def _measured(case: Case, objective: Any, measure: "Measure", back: Back) -> float:
    order = np.random.default_rng(0).permutation(objective.n)[:MOST]
    held, kept = np.sort(order[::EVERY]), np.sort(np.delete(order, np.s_[::EVERY]))
    w = solve(subset(objective, kept), CLOSE).w
    truth = case.objective.model.y[held] * case.units[1] + case.units[0]
    return float(measure.of(subset(objective, held), w, truth, back))


class Measure(NamedTuple):
    """How a fit does on rows that it has not seen, less being better: of those rows, the fit, the truth and `back`."""

    words: str
    of: Callable[[Any, Array, Array, Back], Any]


def _errors(part: Any, w: Array, truth: Array, back: Back) -> Array:
    return np.abs(truth - back(gathered_rows(part, np.arange(part.n)) @ w + part.model.offset))


def _usual(part: Any, w: Array, truth: Array, back: Back) -> float:
    away = np.sort(_errors(part, w, truth, back))
    return float(away[: int(USUAL * len(away))].mean())


def _loss(part: Any, w: Array, truth: Array, back: Back) -> float:
    return float(charged(NoPenalty())(part).value(w))


USUAL_ERROR = Measure("the mean error of all but the worst twentieth of rows held out is", _usual)
MEAN_ERROR = Measure("the mean error on rows held out is", lambda *fit: _errors(*fit).mean())
HELD_LOSS = Measure("the loss on rows held out is", _loss)
