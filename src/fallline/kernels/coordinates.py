"""Coordinate descent on a quadratic with an L1 share: the model of a proximal Newton step."""

from typing import Any

from fallline.kernels.bridge import compiled

SWEEPS = 1000
SETTLED = 1e-13  # of the largest move so far, in the curvature's own units


@compiled
def lasso_step(w: Any, g: Any, H: Any, lasso: Any, p: Any) -> bool:
    """p = argmin g·p + ½ pᵀHp + Σ lasso_j·|w_j + p_j| (Friedman et al. 2010). lasso: (size,), zero for what is free.

    Whether it settled: columns that are nearly dependent may take more sweeps than there are.
    """
    slope = g.copy()  # of the quadratic at p
    p[:] = 0.0
    first = 0.0
    for _ in range(SWEEPS):
        largest = 0.0
        for j in range(w.shape[0]):
            now = w[j] + p[j]
            new = now - slope[j] / H[j, j]
            if lasso[j] > 0.0:
                reach = lasso[j] / H[j, j]
                new = new - reach if new > reach else new + reach if new < -reach else 0.0
            move = new - now
            if move != 0.0:
                p[j] += move
                for k in range(w.shape[0]):
                    slope[k] += move * H[j, k]
                largest = max(largest, abs(move) * H[j, j] ** 0.5)
        first = max(first, largest)
        if largest <= SETTLED * first:
            return True
    return False
