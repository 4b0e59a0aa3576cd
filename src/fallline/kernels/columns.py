"""Coordinate descent on a quadratic with an L1 share whose curvature is that of a few columns, never formed."""

from typing import Any

import numpy as np

from fallline.kernels.bridge import compiled
from fallline.methods import dot, push

SWEEPS = 100
SLOWEST = 0.9  # fall of the gains from one sweep to the next that is believed


@compiled
def lasso_columns(columns: Any, root: Any, w: Any, g: Any, H: Any, ridge: Any, lasso: Any, enough: Any, p: Any) -> Any:
    """p ≈ argmin g·p + ½ ‖Cp‖² + ½ Σ ridge_j·p_j² + Σ lasso_j·|w_j + p_j|; returns what it promises.

    columns: the columns of C, as rows of a table. root: (n,) one column more that pays nothing, if p has a last entry for it.
    H: the quadratic's diagonal. Stops once a sweep gains less than `enough` of all gains (Yuan, Ho & Lin 2012); those that
    were not waited for are taken to go on falling as they did.
    """
    many, t, total, before, gained = lasso.shape[0], np.zeros(root.shape[0]), 0.0, 0.0, 0.0
    p[:] = 0.0
    for _ in range(SWEEPS):
        before, gained = gained, 0.0
        for j in range(many):
            slope, now = g[j] + dot(columns, j, t) + ridge[j] * p[j], w[j] + p[j]
            if not H[j] > 0.0:
                continue
            new, reach = now - slope / H[j], lasso[j] / H[j]
            new = new - reach if new > reach else new + reach if new < -reach else 0.0
            move = new - now
            if move != 0.0:
                gained -= move * (slope + 0.5 * H[j] * move) + lasso[j] * (abs(new) - abs(now))
                p[j] += move
                push(columns, j, move, t)
        if p.shape[0] > many:
            slope = g[many]
            for i in range(root.shape[0]):
                slope += root[i] * t[i]
            move = -slope / H[many]
            gained += 0.5 * slope * slope / H[many]
            p[many] += move
            for i in range(root.shape[0]):
                t[i] += move * root[i]
        total += gained
        if not gained > enough * total:
            break
    fall = min(gained / before, SLOWEST) if before > 0.0 else 0.0
    return total + gained * fall / (1.0 - fall)
