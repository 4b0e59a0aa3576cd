"""What the user would otherwise use, timed on the same objective: a direct solution, L-BFGS, scikit-learn."""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as la
from scipy.optimize import minimize

from fallline.executors.newton import lasso_of
from fallline.losses import CLASSIFICATION, REGRESSION, AbsoluteError, Quantile, Softmax, SquaredError
from fallline.objectives.coordinates import WIDEST
from fallline.objectives.hessian import hessian
from fallline.penalties import ElasticNet
from fallline.reference.optimum import newton
from fallline.rows import CSR

Array = np.ndarray[Any, Any]

REPEATS = 3  # the quickest of three, as for any code that has just been compiled


class Rival(NamedTuple):
    """A tool's answer: points on its way with the seconds that each took, and its passes over the rows."""

    name: str
    points: list[Array]
    seconds: list[float]
    passes: float | None
    note: str


def rivals(objective: Any) -> Iterator[Rival]:
    """Every tool that can minimise this objective, each run warm."""
    smooth, lasso = objective.loss.smooth(), lasso_of(objective) > 0.0
    if smooth and not lasso and objective.size <= WIDEST:
        yield _direct(objective)
    if smooth and not lasso:
        yield _lbfgs(objective)
    if not objective.model.offset.any():
        yield from _scikit(objective)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    best, answer = np.inf, None
    for _ in range(REPEATS):
        start = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - start)
    return answer, best


def _direct(objective: Any) -> Rival:
    if isinstance(objective.loss, SquaredError):

        def normal_equations() -> Array:
            w = objective.start()
            H = hessian(objective, w)
            H[np.diag_indices_from(H)] += 1e-12 * np.trace(H) / len(H)
            return np.asarray(la.solve(H, -objective.gradient(w), assume_a="pos"))

        w, seconds = _timed(normal_equations)
        return Rival("the closed form", [w], [seconds], 2.0, "normal equations by Cholesky")
    (w, passes), seconds = _timed(lambda: newton(objective, objective.start(), 1e-6))
    return Rival("Newton's method", [w], [seconds], passes, "exact curvature, stopped at 1e-6")


def _lbfgs(objective: Any) -> Rival:
    """SciPy's L-BFGS-B at its defaults (Liu & Nocedal 1989), fed by the same compiled kernels."""

    def walk() -> tuple[list[Array], list[float], float]:
        points, seconds = [objective.start()], [0.0]
        start = time.perf_counter()

        def note(w: Array) -> None:
            points.append(w.copy())
            seconds.append(time.perf_counter() - start)

        result = minimize(objective.value, objective.start(), jac=objective.gradient, method="L-BFGS-B", callback=note)
        note(result.x)
        return points, seconds, 2.0 * result.nfev

    points, seconds, passes = min((walk() for _ in range(REPEATS)), key=lambda walked: walked[1][-1])
    return Rival("L-BFGS", points, seconds, passes, "SciPy, default settings")


def _scikit(objective: Any) -> Iterator[Rival]:
    from sklearn import linear_model

    X, y, loss = _table(objective.model.rows), objective.model.y, type(objective.loss)
    weights, intercept = objective.model.weights, bool(objective.intercept)
    penalty, alpha, l1_ratio = _penalty(objective.penalty)

    def fitted(kind: str, note: str, **settings: Any) -> Rival:
        model = getattr(linear_model, kind)(fit_intercept=intercept, **settings)
        return _fitted(objective, f"scikit-learn's {kind}", lambda: model.fit(X, y, sample_weight=weights), note)

    if loss in SGD_LOSSES:
        kind = "SGDClassifier" if loss in CLASSIFICATION.values() else "SGDRegressor"
        name, epsilon = SGD_LOSSES[loss], getattr(objective.loss, "epsilon", getattr(objective.loss, "delta", 0.0))
        settings = {"loss": name, "penalty": penalty, "alpha": alpha or 1e-300, "l1_ratio": l1_ratio}
        yield fitted(kind, "default settings on the same table", epsilon=epsilon, random_state=0, **settings)
    if loss is SquaredError and penalty in ("l1", "elasticnet") and alpha:
        share = 1.0 if penalty == "l1" else l1_ratio
        yield fitted("ElasticNet", "coordinate descent, default settings", alpha=alpha, l1_ratio=share)
    if loss is Softmax and penalty in (None, "l2"):
        # of two classes it has one score, whose weight is twice ours and so costs four times, shared by two
        strength = alpha * objective.n * (0.5 if objective.classes == 2 else 1.0)
        yield fitted("LogisticRegression", "lbfgs, default settings", C=1.0 / strength if strength else np.inf)


SGD_LOSSES = {
    made: "epsilon_insensitive" if made is AbsoluteError else name  # with epsilon = 0
    for table in (REGRESSION, CLASSIFICATION)
    for name, made in table.items()
    if made is not Quantile
}
"""scikit-learn's name of each loss that its SGD has."""


def _fitted(objective: Any, name: str, fit: Callable[[], Any], note: str) -> Rival:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own warnings are its own affair; the excess says what came of it
        model, seconds = _timed(fit)
    weights, free = (
        np.atleast_2d(model.coef_),
        np.atleast_1d(model.intercept_)[: objective.scores * objective.intercept],
    )
    if (
        objective.scores == 2 and len(weights) == 1
    ):  # one score for two classes: half for the one, half against the other
        weights, free = np.concatenate([-weights, weights]) / 2, np.concatenate([-free, free]) / 2
    return Rival(name, [np.concatenate([weights.ravel(), free])], [seconds], float(np.max(model.n_iter_)), note)


def _penalty(penalty: Any) -> tuple[str | None, float, float]:
    """scikit-learn's name, alpha and l1_ratio of a penalty."""
    name = {"NoPenalty": None, "L2": "l2", "L1": "l1", "ElasticNet": "elasticnet"}[type(penalty).__name__]
    return name, getattr(penalty, "alpha", 0.0), penalty.l1_ratio if isinstance(penalty, ElasticNet) else 0.15


def _table(rows: Any) -> Any:
    if isinstance(rows, CSR):
        import scipy.sparse as sp

        return sp.csr_matrix((rows.data, rows.indices, rows.indptr), shape=rows.shape())
    return rows.X
