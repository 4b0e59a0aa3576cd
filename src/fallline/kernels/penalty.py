"""Penalties over whole vectors: the first `penalised` entries of w pay, the rest are free."""

from typing import Any

from fallline.kernels.bridge import compiled
from fallline.methods import cost, prox, pull


@compiled
def cost_of(penalty: Any, w: Any, penalised: Any) -> Any:
    """What the penalty adds in all."""
    total = 0.0
    for j in range(penalised):
        total += cost(penalty, w[j])
    return total


@compiled
def costs_of(penalty: Any, points: Any, penalised: Any, out: Any) -> Any:
    """out += the same at each of many points (k, size)."""
    for k in range(out.shape[0]):
        out[k] += cost_of(penalty, points[k], penalised)


@compiled
def pull_on(penalty: Any, w: Any, penalised: Any, g: Any) -> Any:
    """g += the derivative of its smooth share."""
    for j in range(penalised):
        g[j] += pull(penalty, w[j])


@compiled
def settle(penalty: Any, w: Any, rate: Any, penalised: Any) -> Any:
    """w ← the proximal step of its other share, of a length for each coordinate."""
    for j in range(penalised):
        w[j] = prox(penalty, w[j], rate[j])
