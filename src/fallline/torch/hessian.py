"""The largest curvature of a network's loss, by Lanczos on products of its Hessian with vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

LEAST, MOST = 8, 20  # products: five miss the largest by 7 %, and recurrent networks take fifteen
STILL = 0.01  # of the largest Ritz value: a move by less ends it


def product_of(loss: torch.Tensor, tensors: list[torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """v (size,) → Hv (size,), H the Hessian of `loss` in `tensors`: the graph of the gradient is kept and used again."""
    slopes = torch.autograd.grad(loss, tensors, create_graph=True, allow_unused=True)
    pairs = [(g, w) for g, w in zip(slopes, tensors, strict=True) if g is not None and g.requires_grad]
    ends = np.cumsum([0, *(tensor.numel() for tensor in tensors)]).tolist()

    def product(v: torch.Tensor) -> torch.Tensor:
        parts = [v[a:b].view_as(w) for a, b, w in zip(ends, ends[1:], tensors, strict=False)]
        held = [part for g, part in zip(slopes, parts, strict=True) if g is not None and g.requires_grad]
        if not pairs:
            return torch.zeros_like(v)
        turned = torch.autograd.grad([g for g, _ in pairs], tensors, held, retain_graph=True, allow_unused=True)
        return torch.cat([
            (torch.zeros_like(w) if h is None else h).reshape(-1) for h, w in zip(turned, tensors, strict=True)
        ])  # fmt: skip

    return product


def largest(product: Callable[[torch.Tensor], torch.Tensor], like: torch.Tensor, most: int = MOST) -> float:
    """The largest eigenvalue of a symmetric `product` on vectors such as `like`, by Lanczos (1950), orthogonalised in full.

    From below; it ends where the largest Ritz value moves by less than 1 %. Power iteration would give the largest in size,
    which far from a minimum is often a negative one.
    """
    chance = torch.Generator().manual_seed(0)
    v = torch.randn(like.shape, generator=chance, dtype=torch.float32).to(like)
    v /= v.norm()
    basis: list[torch.Tensor] = []
    diagonal: list[float] = []
    beside: list[float] = []
    found = np.nan
    for k in range(min(most, len(like))):
        basis.append(v)
        turned = product(v)
        diagonal.append(float(v @ turned))
        if not np.isfinite(diagonal[-1]):
            return float("nan")
        Q = torch.stack(basis)
        for _ in range(2):  # once leaves what rounding brings back
            turned = turned - Q.T @ (Q @ turned)
        before, found = found, float(np.linalg.eigvalsh(_tridiagonal(diagonal, beside))[-1])
        length = float(turned.norm())
        if (k + 1 >= LEAST and abs(found - before) <= STILL * abs(found)) or length <= 1e-12 * max(abs(found), 1e-30):
            break
        beside.append(length)
        v = turned / length
    return found


def _tridiagonal(diagonal: list[float], beside: list[float]) -> np.ndarray[Any, Any]:
    return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
