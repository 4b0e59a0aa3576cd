"""skglm (Bertrand et al. 2022): L1 by working sets. Its only solver with a plain L2 penalty wraps SciPy's L-BFGS, intercept not
included, so it stands here with L1 alone."""

from typing import Any

import numpy as np
from skglm import GeneralizedLinearEstimator
from skglm.datafits import Logistic, Quadratic
from skglm.penalties import L1
from skglm.solvers import AndersonCD, ProxNewton

from peers import Peer

MADE = {"LogLoss": (Logistic, ProxNewton), "SquaredError": (Quadratic, AndersonCD)}


def prepare(task: Any, setting: Any) -> Any:
    return task.X if task.sparse else np.asfortranarray(task.X)


def fit(X: Any, task: Any, setting: Any, tol: float) -> Any:
    datafit, solver = MADE[task.kind]
    model = GeneralizedLinearEstimator(datafit(), L1(task.lasso), solver(tol=tol, fit_intercept=True)).fit(X, task.y)
    return np.concatenate([np.ravel(model.coef_), np.ravel(model.intercept_)])


PEERS = [
    Peer(
        "skglm", tuple(MADE), ({},), tuple(10.0**-k for k in range(1, 9)), fit, "nothing",
        lambda task: "" if task.lasso and not task.lam else "L1 only", prepare,
    )
]  # fmt: skip
