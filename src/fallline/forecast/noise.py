"""How large a batch pays: the noise scale along a walk's path."""

from typing import Any, NamedTuple

import numpy as np

from fallline.forecast.tangent import Path

Array = np.ndarray[Any, Any]


class NoiseScale(NamedTuple):
    """Rows a step at which noise and signal of the gradient are alike (McCandlish et al. 2018)."""

    simple: Array  # (points,) tr C/|g|²
    curved: Array  # (points,) tr(HC)/(gᵀHg), which counts noise where it costs
    critical: (
        float  # the geometric mean of `curved` over the way down: within a factor of four of the batch beyond which
    )
    # updates stop falling as 1/B


def noise_scale(path: Path) -> NoiseScale:
    """The noise scale at every point of a path, and over it: it grows a thousandfold from start to end."""
    with np.errstate(divide="ignore", invalid="ignore"):
        simple, curved = path.spread / path.size, path.shake / path.pull
    way = -np.diff(np.log(np.maximum(np.minimum.accumulate(path.excess), 1e-300)))
    middle = 0.5 * (np.log(np.maximum(curved[1:], 1e-300)) + np.log(np.maximum(curved[:-1], 1e-300)))
    fine = np.isfinite(middle) & (way > 0.0)
    critical = float(np.exp((way[fine] * middle[fine]).sum() / way[fine].sum())) if fine.any() else float("nan")
    return NoiseScale(simple, curved, critical)
