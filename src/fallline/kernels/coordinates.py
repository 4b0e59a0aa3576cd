"""Coordinate descent on a quadratic with an L1 share: the model of a proximal Newton step."""

from typing import Any

from fallline.kernels.bridge import compiled

SWEEPS = 1000
SETTLED = 1e-13  # of the largest move so far, in the curvature's own units


@compiled
def lasso_step(w: Any, g: Any, H: Any, lasso: float, penalised: int, p: Any) -> None:
    """p = argmin g·p + ½ pᵀHp + lasso·Σ|w + p| over the first `penalised` entries (Friedman et al. 2010)."""
    slope = g.copy()  # of the quadratic at p
    p[:] = 0.0
    first = 0.0
    for _ in range(SWEEPS):
        largest = 0.0
        for j in range(w.shape[0]):
            now = w[j] + p[j]
            new = now - slope[j] / H[j, j]
            if j < penalised:
                reach = lasso / H[j, j]
                new = new - reach if new > reach else new + reach if new < -reach else 0.0
            move = new - now
            if move != 0.0:
                p[j] += move
                for k in range(w.shape[0]):
                    slope[k] += move * H[j, k]
                largest = max(largest, abs(move) * H[j, j] ** 0.5)
        first = max(first, largest)
        if largest <= SETTLED * first:
            break
