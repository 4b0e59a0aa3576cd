"""The automatic solver on raw tables at its defaults: how long, how many passes, how far from the optimum, and what it believed.

    python benchmarks/solver.py            500,000 × 50 float32, standardised and raw; and small raw tables

Seconds are those of the whole call, the quickest of three, warm, beside scikit-learn in the same process. Excess is F/F* − 1 of
the objective that both minimise, the intercept free, lambda = 1/n; F* from `fallline.reference`.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.linear_model import LogisticRegression, Ridge

from fallline.losses import AbsoluteError, Hinge, LogLoss, Poisson, SquaredError
from fallline.objectives import Linear, SoftmaxRegression
from fallline.objectives.passes import loss_and_gradient
from fallline.penalties import L1, L2
from fallline.reference import optimum_of
from fallline.solver import one_blas_thread, solve
from synthetic import D, N, dense

REPEATS = 3


def main() -> None:
    """Print the table."""
    print(f"{'':34s}{'ms':>9s}{'passes':>8s}{'excess':>10s}{'estimate':>10s}   others: ms → excess")
    for raw in (False, True):
        X, y, target = dense(raw)
        kind = "raw" if raw else "standardised"
        objective = Linear(X, y, LogLoss(), L2(1 / N))
        floor = quickest(lambda table=X: table.reshape(-1).sum())[0]
        for threads in (1, 2):
            took = quickest(lambda o=objective, k=threads: loss_and_gradient(o, np.zeros(D + 1), k))[0]
            print(
                f"  a pass, {kind}, {threads} thread(s)".ljust(34)
                + f"{took * 1e3:9.1f}   {took / floor:.2f} × a sum of the table"
            )
        row(f"logistic, {kind}", objective, others=True)
        row(f"logistic, L1, {kind}", Linear(X, y, LogLoss(), L1(5e-3)))
        row(f"least squares, {kind}", Linear(X, target, SquaredError(), L2(1 / N)), others=True)
        row(f"hinge, {kind}", Linear(X, y, Hinge(), L2(1 / N)))
    for name, objective in small():
        row(name, objective, others=True)


def row(name: str, objective: Any, others: bool = False) -> None:
    """One line: fallline at its defaults and, where it can be asked the same, scikit-learn at its own."""
    took, run = quickest(lambda: solve(objective))
    lowest = min(optimum_of(objective).value, run.trace["loss"].min())
    excess, believed = run.trace["loss"][-1] - lowest, run.trace["excess"][-1]
    text = f"{name:34s}{took * 1e3:9.1f}{run.trace['visits'][-1] / objective.n:8.1f}{excess / abs(lowest):10.1e}"
    print(
        f"{text}{believed / abs(lowest):10.1e}   {', '.join(rivals(objective, lowest)) if others else ''}", flush=True
    )


def rivals(objective: Any, lowest: float) -> list[str]:
    """scikit-learn on the same objective, `ms → excess`."""
    X, y, C = objective.model.rows.X, objective.model.y, 1.0
    made: dict[str, Callable[[], Any]] = {}
    if isinstance(objective.loss, SquaredError):
        made["Ridge"] = lambda: Ridge(alpha=1.0).fit(X, y)
    elif objective.scores > 1 or isinstance(objective.loss, LogLoss):
        made["lbfgs"] = lambda: LogisticRegression(C=C).fit(X, y)
        made["newton-cholesky"] = lambda: LogisticRegression(C=C, solver="newton-cholesky").fit(X, y)
    out = []
    for name, fit in made.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what came of it is in the excess
            took, model = quickest(fit, 1)
        w = np.concatenate([np.ravel(model.coef_), np.ravel(model.intercept_)]).astype(float)
        out.append(f"{name} {took * 1e3:.0f} → {objective.value(w) / lowest - 1.0:.1e}")
    return out


def small() -> list[tuple[str, Any]]:
    """scikit-learn's own tables, raw."""
    cancer, ill = datasets.load_breast_cancer(return_X_y=True)
    wine, kind = datasets.load_wine(return_X_y=True)
    digits, digit = datasets.load_digits(return_X_y=True)
    diabetes, worse = datasets.load_diabetes(return_X_y=True, scaled=False)
    return [
        ("breast cancer, logistic", Linear(cancer, np.where(ill > 0, 1.0, -1.0), LogLoss(), L2(1 / len(ill)))),
        ("breast cancer, hinge", Linear(cancer, np.where(ill > 0, 1.0, -1.0), Hinge(), L2(1 / len(ill)))),
        ("wine, softmax", SoftmaxRegression(wine, kind, None, L2(1 / len(kind)))),
        ("digits, softmax", SoftmaxRegression(digits, digit, None, L2(1 / len(digit)))),
        ("diabetes, least squares", Linear(diabetes, worse, SquaredError(), L2(1 / len(worse)))),
        ("diabetes, Poisson", Linear(diabetes, worse, Poisson(), L2(1 / len(worse)))),
        ("diabetes, absolute error", Linear(diabetes, worse, AbsoluteError(), L2(1 / len(worse)))),
    ]


def quickest(work: Callable[[], Any], repeats: int = REPEATS) -> tuple[float, Any]:
    """Seconds of the quickest call after a first, and what it gave."""
    answer, best = work(), np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - start)
    return best, answer


if __name__ == "__main__":
    with one_blas_thread():
        main()
