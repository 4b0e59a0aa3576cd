"""Gauges of networks: extra columns of a trace, each read at a look on fixed rows (see probe.py).

Gradient norms and update ratios of every tensor stand in `trace.steps` already, as the engine knows them; these cost passes of
their own: `price(n)`, in gradients of all rows, a forward pass a third of one. To add one: write the class, add the row.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from fallline.torch.hessian import MOST, largest
from fallline.torch.probe import FEW, PARTS, ROWS, probe_of

Array = np.ndarray[Any, Any]
BATCH, EPS = 32, 1e-8


class ProbeLoss(NamedTuple):
    """The mean loss on 512 fixed rows, without dropout: smoother than that of batches."""

    def name(self) -> str:
        return "probe_loss"

    def price(self, n: int) -> float:
        return min(ROWS / n, 1.0) / 3.0

    def read(self, net: Any, w: Array) -> float:
        return probe_of(net).loss(w)


class DeadUnits(NamedTuple):
    """The share of a rectifier's units that are zero on all of 128 rows, of the layer where it is largest."""

    def name(self) -> str:
        return "dead_units"

    def price(self, n: int) -> float:
        return FEW / n / 3.0

    def read(self, net: Any, w: Array) -> float:
        return max((one.dead for one in probe_of(net).seen(w) if one.dead >= 0.0), default=0.0)


class Saturation(NamedTuple):
    """The share of outputs of tanh or sigmoid within 3 % of an end of their range, of the layer where it is largest."""

    def name(self) -> str:
        return "saturation"

    def price(self, n: int) -> float:
        return FEW / n / 3.0

    def read(self, net: Any, w: Array) -> float:
        return max((one.saturated for one in probe_of(net).seen(w) if one.saturated >= 0.0), default=0.0)


class ActivationScale(NamedTuple):
    """Root mean square of the last operation's output over that of the first: far from 1, layers shrink or swell what passes."""

    def name(self) -> str:
        return "activation_scale"

    def price(self, n: int) -> float:
        return FEW / n / 3.0

    def read(self, net: Any, w: Array) -> float:
        seen = probe_of(net).seen(w)
        return seen[-1].scale / max(seen[0].scale, 1e-30) if seen else float("nan")


class NoiseScale(NamedTuple):
    """The rows a step at which noise and signal are alike, tr C/‖g‖², from 512 rows in 16 parts; two more have its interval.

    end: "low" or "high" of the interval that holds it nine times in ten, "" for the middle.
    """

    end: str = ""

    def name(self) -> str:
        return f"noise_scale_{self.end}" if self.end else "noise_scale"

    def price(self, n: int) -> float:
        return min(ROWS / n, 1.0)

    def read(self, net: Any, w: Array) -> float:
        return float(getattr(probe_of(net).noise_at(w), self.end or "middle"))


class TopCurvature(NamedTuple):
    """λ₁, the largest eigenvalue of the Hessian, on `rows` rows, by Lanczos: heavy ball runs away above 2(1 + β)/rate."""

    rows: int = 256

    def name(self) -> str:
        return "top_curvature"

    def price(self, n: int) -> float:
        return 2.0 * MOST * min(self.rows / n, 1.0)

    def read(self, net: Any, w: Array) -> float:
        return curvature(net, w, rows=self.rows)


class PreconditionedCurvature(NamedTuple):
    """λ₁ of D^(−½)HD^(−½), D = √(mean of squared gradients) + ε as Adam's memory has it once it is settled at this point.

    At β₁ = 0.9 Adam runs away above 38/rate (Cohen et al. 2022). The mean is over 16 batches of the probe.
    """

    rows: int = 256

    def name(self) -> str:
        return "preconditioned_curvature"

    def price(self, n: int) -> float:
        return (1.0 + 2.0 * MOST) * min(self.rows / n, 1.0)

    def read(self, net: Any, w: Array) -> float:
        probe = probe_of(net)
        parts = max(2, min(PARTS, len(probe) // BATCH))
        squares = probe.gradients(w, parts).pow(2).mean(0)
        return curvature(net, w, squares.sqrt() + EPS, self.rows)


def curvature(net: Any, w: Array, by: torch.Tensor | None = None, rows: int = 256) -> float:
    """λ₁ of the Hessian at w, or of it preconditioned by a diagonal `by` (size,)."""
    probe = probe_of(net)
    product = probe.product(w, slice(0, rows))
    like = torch.from_numpy(np.asarray(w, dtype=net.start().dtype)).to(net.device)
    if by is None:
        return largest(product, like)
    root = by.to(like).rsqrt()
    return largest(lambda v: root * product(root * v), like)


NETWORK_GAUGES = {
    "probe_loss": ProbeLoss,
    "dead_units": DeadUnits,
    "saturation": Saturation,
    "activation_scale": ActivationScale,
    "noise_scale": NoiseScale,
    "top_curvature": TopCurvature,
    "preconditioned_curvature": PreconditionedCurvature,
}
