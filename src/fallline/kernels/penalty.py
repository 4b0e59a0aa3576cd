"""Penalties over whole vectors: the first `penalised` entries of w pay, the rest are free."""

from typing import Any

from fallline.kernels.bridge import compiled
from fallline.kernels.stamp import STAMP
from fallline.methods import cost, prox, pull


def _kernels(stamp: str) -> tuple[Any, ...]:
    """The kernels, closing over the stamp (see stamp.py)."""

    @compiled
    def cost_of(penalty: Any, w: Any, penalised: Any) -> Any:
        _ = stamp
        total = 0.0
        for j in range(penalised):
            total += cost(penalty, w[j])
        return total

    @compiled
    def pull_on(penalty: Any, w: Any, penalised: Any, g: Any) -> Any:
        _ = stamp
        for j in range(penalised):
            g[j] += pull(penalty, w[j])

    @compiled
    def settle(penalty: Any, w: Any, rate: Any, penalised: Any) -> Any:
        _ = stamp
        for j in range(penalised):
            w[j] = prox(penalty, w[j], rate[j])

    return cost_of, pull_on, settle


cost_of, pull_on, settle = _kernels(STAMP)
