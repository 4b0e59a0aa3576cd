"""fallline at its defaults: only `tol` is set. The time is that of the whole call, checks of the table included."""

from typing import Any

import fallline
from peers import Peer
from tasks import VALUES

TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)


def fit(X: Any, task: Any, setting: Any, tol: float) -> Any:
    return fallline.solve(task.objective(), tol=tol).w


PEERS = [Peer("fallline", tuple(VALUES), ({},), TOLERANCES, fit, "nothing to set")]
