"""What the user would otherwise use, timed on the same objective: a direct solution, L-BFGS, scikit-learn."""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as la
from scipy.optimize import minimize

from fallline.losses import CLASSIFICATION, REGRESSION, Softmax, SquaredError
from fallline.penalties import ElasticNet
from fallline.reference.hessian import hessian
from fallline.reference.optimum import WIDEST, newton
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
    smooth, lasso = objective.loss.smooth(), objective.penalty.cost(1.0) > 0.5 * objective.penalty.pull(1.0)
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
    points, seconds = [objective.start()], [0.0]
    start = time.perf_counter()

    def note(w: Array) -> None:
        points.append(w.copy())
        seconds.append(time.perf_counter() - start)

    result = minimize(
        objective.value, objective.start(), jac=objective.gradient, method="L-BFGS-B", callback=note
    )  # fmt: skip
    note(result.x)
    return Rival("L-BFGS", points, seconds, 2.0 * result.nfev, "SciPy, default settings")


def _scikit(objective: Any) -> Iterator[Rival]:
    from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor

    X, y = _table(objective.model.rows), objective.model.y
    weights = objective.model.weights
    loss = LOSS_NAMES.get(type(objective.loss).__name__)
    penalty, alpha, l1_ratio = _penalty(objective.penalty)
    if loss:
        kind = SGDClassifier if loss in CLASSIFICATION else SGDRegressor
        shape = {f: getattr(objective.loss, f) for f in objective.loss._fields}
        settings = {
            "loss": loss,
            "penalty": penalty,
            "alpha": alpha or 1e-300,
            "l1_ratio": l1_ratio,
            "random_state": 0,
            "fit_intercept": bool(objective.intercept),
            **({"epsilon": next(iter(shape.values()))} if shape else {}),
        }
        yield _fitted("scikit-learn's SGD", lambda: kind(**settings).fit(X, y, sample_weight=weights),
                      f"{kind.__name__}, default settings on the standardised table")  # fmt: skip
    if isinstance(objective.loss, Softmax) and penalty in (None, "l2"):
        C = 1.0 / (alpha * objective.n) if alpha else np.inf
        yield _fitted("scikit-learn's LogisticRegression", lambda: LogisticRegression(C=C).fit(X, y, weights),
                      "lbfgs, default settings")  # fmt: skip


LOSS_NAMES = {
    made.__name__: name
    for table in (REGRESSION, CLASSIFICATION)
    for name, made in table.items()
    if name not in ("absolute_error", "quantile")
}
"""scikit-learn's name of each loss that its SGD has."""


def _fitted(name: str, fit: Callable[[], Any], note: str) -> Rival:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own warnings are its own affair; the excess says what came of it
        model, seconds = _timed(fit)
    w = np.concatenate([np.ravel(model.coef_), np.ravel(model.intercept_)])
    return Rival(name, [w], [seconds], float(np.max(model.n_iter_)), note)


def _penalty(penalty: Any) -> tuple[str | None, float, float]:
    """scikit-learn's name, alpha and l1_ratio of a penalty."""
    name = {"NoPenalty": None, "L2": "l2", "L1": "l1", "ElasticNet": "elasticnet"}[type(penalty).__name__]
    return name, getattr(penalty, "alpha", 0.0), penalty.l1_ratio if isinstance(penalty, ElasticNet) else 0.15


def _table(rows: Any) -> Any:
    if isinstance(rows, CSR):
        import scipy.sparse as sp

        return sp.csr_matrix((rows.data, rows.indices, rows.indptr), shape=rows.shape())
    return rows.X
