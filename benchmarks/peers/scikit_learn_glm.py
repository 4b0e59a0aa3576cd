"""scikit-learn's generalised linear models: counts and amounts with a log link."""

from typing import Any

from sklearn.linear_model import TweedieRegressor

from peers import Peer, grid, smooth_penalty
from peers.scikit_learn import EXACT, affordable, weights

POWERS = {"Poisson": 1.0, "Gamma": 2.0}


def fit(X: Any, task: Any, setting: Any, budget: float) -> Any:
    power = POWERS.get(task.kind) or task.loss.power
    solver = setting["solver"]
    model = TweedieRegressor(power=power, alpha=task.lam, link="log", solver=solver, max_iter=int(budget), tol=EXACT)
    return weights(model.fit(X, task.y))


KINDS = ("Poisson", "Gamma", "Tweedie")
PEERS = [
    Peer(
        "scikit-learn GLM lbfgs", KINDS, grid(solver=("lbfgs",), threads=(1, 2)), tuple(2**k for k in range(2, 12)), fit,
        "threads", smooth_penalty,
    ),
    Peer(
        "scikit-learn GLM newton-cholesky", KINDS, grid(solver=("newton-cholesky",), threads=(1, 2)),
        (1, 2, 3, 4, 6, 8, 12, 20, 40), fit, "threads", affordable,
    ),
]  # fmt: skip
