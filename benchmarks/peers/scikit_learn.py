"""scikit-learn's linear classifiers, least squares and SGD."""

from typing import Any

import numpy as np
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.svm import LinearSVC, LinearSVR

from peers import Peer, grid, smooth_penalty

DOUBLINGS = tuple(2**k for k in range(11))
TOLERANCES = tuple(10.0**-k for k in range(1, 10))
LARGEST = 5e11  # multiplications of one Hessian, ten seconds and more
EXACT = 1e-14  # a tolerance that leaves it to the budget


def weights(model: Any) -> Any:
    return np.concatenate([np.ravel(model.coef_), np.ravel(model.intercept_)])


def in_type(task: Any, setting: Any) -> Any:
    """The table in the type that the setting names."""
    return task.X.astype(setting["dtype"]) if "dtype" in setting else task.X


def logistic(solver: str, options: dict[str, str] | None = None) -> Any:
    """LogisticRegression by one solver; `options` names what the budget is, the number of iterations unless said."""
    budgeted = (options or {}).get("budget", "max_iter")

    def fit(X: Any, task: Any, setting: Any, budget: float) -> Any:
        spent = {"max_iter": int(budget), "tol": EXACT} if budgeted == "max_iter" else {"tol": budget, "max_iter": 500}
        chosen = {k: v for k, v in setting.items() if k not in ("dtype", "threads")}
        alpha = task.lam + task.lasso
        model = LogisticRegression(
            C=1.0 / (alpha * task.n), l1_ratio=task.lasso / alpha, solver=solver, random_state=0, **spent, **chosen
        )
        return weights(model.fit(X, task.y))

    return fit


def affordable(task: Any) -> str:
    """For solvers with a full Hessian."""
    too_large = task.n * float(task.d * task.classes) ** 2 > LARGEST
    return smooth_penalty(task) or ("one Hessian takes ten seconds and more" if too_large else "")


def ridge(X: Any, task: Any, setting: Any, tol: float) -> Any:
    return weights(Ridge(alpha=task.lam * task.n, solver=setting["solver"], tol=tol).fit(X, task.y))


def lasso(X: Any, task: Any, setting: Any, tol: float) -> Any:
    return weights(Lasso(alpha=task.lasso, tol=tol, max_iter=100_000).fit(X, task.y))


def machine(X: Any, task: Any, setting: Any, tol: float) -> Any:
    """Support vector machines by its LIBLINEAR; the intercept is penalised, the less the larger its scale."""
    options = {"C": 1.0 / (task.lam * task.n), "tol": tol, "max_iter": 2000, "random_state": 0, **setting}
    if task.kind in ("Hinge", "SquaredHinge"):
        options["dual"] = True if task.kind == "Hinge" else options["dual"]
        return weights(LinearSVC(loss=MACHINES[task.kind], **options).fit(X, task.y))
    options["dual"] = options["dual"] or task.kind != "SquaredEpsilonInsensitive"
    epsilon = getattr(task.loss, "epsilon", 0.0)
    return weights(LinearSVR(loss=MACHINES[task.kind], epsilon=epsilon, **options).fit(X, task.y))


def descent(X: Any, task: Any, setting: Any, epochs: float) -> Any:
    """SGD, a number of epochs."""
    alpha = task.lam + task.lasso
    options = {"alpha": alpha, "l1_ratio": task.lasso / alpha, "max_iter": int(epochs), "tol": None, "random_state": 0}
    options["penalty"] = "elasticnet" if task.lasso else "l2"
    if task.kind in ("Huber", "EpsilonInsensitive", "SquaredEpsilonInsensitive", "AbsoluteError"):
        options["epsilon"] = getattr(task.loss, "delta", getattr(task.loss, "epsilon", 0.0))
    maker = SGDClassifier if task.kind in CLASSIFIES else SGDRegressor
    return weights(maker(loss=DESCENDS[task.kind], **options, **setting).fit(X, task.y))


MACHINES = {
    "Hinge": "hinge",
    "SquaredHinge": "squared_hinge",
    "EpsilonInsensitive": "epsilon_insensitive",
    "AbsoluteError": "epsilon_insensitive",
    "SquaredEpsilonInsensitive": "squared_epsilon_insensitive",
}
CLASSIFIES = {
    "LogLoss": "log_loss",
    "Hinge": "hinge",
    "SquaredHinge": "squared_hinge",
    "ModifiedHuber": "modified_huber",
}
DESCENDS = {**MACHINES, **CLASSIFIES, "SquaredError": "squared_error", "Huber": "huber"}
RATES = (
    *grid(average=(False, True), learning_rate=("optimal",)),
    *grid(average=(False, True), learning_rate=("invscaling",), eta0=(1e-3, 1e-2, 1e-1)),
)
THREADS = grid(threads=(1, 2))
BOTH = grid(threads=(1, 2), dtype=("float32", "float64"))
ONE_SCORE, SCORES = ("LogLoss",), ("LogLoss", "Softmax")
PEERS = [
    Peer("scikit-learn lbfgs", SCORES, THREADS, DOUBLINGS[1:], logistic("lbfgs"), "threads", smooth_penalty),
    Peer(
        "scikit-learn newton-cholesky", SCORES, BOTH, (1, 2, 3, 4, 6, 8, 12, 20, 40), logistic("newton-cholesky"),
        "threads, type of float", affordable, in_type,
    ),
    Peer("scikit-learn newton-cg", SCORES, THREADS, DOUBLINGS[:8], logistic("newton-cg"), "threads", smooth_penalty),
    Peer("scikit-learn saga", SCORES, ({},), DOUBLINGS, logistic("saga"), "nothing"),
    Peer(
        "scikit-learn liblinear", ONE_SCORE, grid(dual=(False, True), intercept_scaling=(1.0, 30.0)), TOLERANCES,
        logistic("liblinear", {"budget": "tol"}), "primal or dual, scale of the intercept", smooth_penalty,
    ),
    Peer(
        "scikit-learn liblinear SVM", tuple(MACHINES), grid(dual=(False, True), intercept_scaling=(1.0, 30.0)), TOLERANCES,
        machine, "primal or dual, scale of the intercept", smooth_penalty,
    ),
    Peer("scikit-learn SGD", tuple(DESCENDS), RATES, DOUBLINGS, descent, "schedule, rate, averaging"),
    Peer(
        "scikit-learn Ridge", ("SquaredError",), grid(solver=("cholesky", "lsqr", "sparse_cg"), threads=(1, 2)), TOLERANCES[1::2],
        ridge, "solver, threads", smooth_penalty,
    ),
    Peer(
        "scikit-learn Lasso", ("SquaredError",), ({},), TOLERANCES, lasso, "nothing", lambda t: "" if t.lasso else "L1 only"
    ),
]  # fmt: skip
