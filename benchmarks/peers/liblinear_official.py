"""LIBLINEAR (Fan et al. 2008), its own Python package. The intercept is not penalised where it can be asked for that."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from liblinear.liblinearutil import problem, train

from peers import Peer

SOLVERS = {
    "LogLoss": (0, 7),
    "SquaredHinge": (2, 1),
    "Hinge": (3,),
    "SquaredEpsilonInsensitive": (11, 12),
    "EpsilonInsensitive": (13,),
    "AbsoluteError": (13,),
}
SPARING = {"LogLoss": (6,), "SquaredHinge": (5,)}  # with L1
FREE = (0, 2, 5, 6, 11)  # solvers that can leave the intercept unpenalised
TOLERANCES = tuple(10.0**-k for k in range(1, 10))


def solvers(task: Any) -> tuple[int, ...]:
    return (SPARING if task.lasso else SOLVERS).get(task.kind, ())


def prepare(task: Any, setting: Any) -> Any:
    """Its own nodes; making them takes longer than some fits."""
    return problem(task.y, sp.csr_matrix(task.X, dtype=float), bias=1.0)


def fit(nodes: Any, task: Any, setting: Any, tol: float) -> Any:
    choices = solvers(task)
    solver = choices[min(setting["choice"], len(choices) - 1)]
    C = 1.0 / ((task.lasso or task.lam) * task.n)
    options = f"-q -s {solver} -c {C!r} -e {tol!r} -B 1 -p {getattr(task.loss, 'epsilon', 0.0)!r}"
    model = train(nodes, options + (" -R" if solver in FREE else ""))
    w = np.ctypeslib.as_array(model.w, (task.d + 1,)).copy()
    flipped = solver < 11 and model.get_labels()[0] < 0
    return -w if flipped else w


def can(task: Any) -> str:
    return "" if solvers(task) else "no L1"


PEERS = [
    Peer("LIBLINEAR", tuple(SOLVERS), ({"choice": 0}, {"choice": 1}), TOLERANCES, fit, "primal or dual", can, prepare)
]
