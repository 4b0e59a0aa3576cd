"""Fixed rows on which a network is looked at, at any of its points: without dropout, batch norm by the rows' own statistics.

What a module keeps running is not known at the points of a trace, and statistics of some hundred rows stand for it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.func import functional_call

from fallline.torch.hessian import product_of
from fallline.torch.modes import mode
from fallline.torch.nested import alike, cut, joined, rows_in
from fallline.torch.watching import Seen, Watching

Array = np.ndarray[Any, Any]
ROWS = 512  # a loss and a noise scale are told from; 256 give the curvature of 1,024 within 2 %
FEW = 128  # activations are told from
PARTS = 16  # in which the noise of gradients is told
SURE = 1.645  # deviations on each side: nine in ten


class Noise(NamedTuple):
    """The noise scale tr C/‖g‖² in rows (McCandlish et al. 2018), and an interval that holds it nine times in ten."""

    low: float
    middle: float
    high: float


class Probe:
    """Up to `rows` rows of a network's data, the same whenever they are asked for."""

    def __init__(self, net: Any, rows: int = ROWS) -> None:
        self.net, data = net, net.data
        self.noted: tuple[bytes, Noise] | None = None  # the last noise scale, of which three gauges tell
        if hasattr(data, "inputs"):
            self.rows = np.sort(np.random.default_rng(0).permutation(data.n)[:rows])
            picked = torch.from_numpy(self.rows).to(data.inputs.device)
            self.inputs, self.targets = data.inputs[picked], data.targets[picked]
            self.weights = None if data.weights is None else data.weights[picked]
        else:
            self.rows = np.zeros(0, int)
            batches: list[Any] = []
            for batch in data.blocks(rows):
                if batches and not alike(batch, batches[0]):
                    break
                batches.append(batch)
                if sum(rows_in(targets) for _, targets, _ in batches) >= rows:
                    break
            self.inputs, self.targets, self.weights = cut(joined(batches), slice(rows))

    def __len__(self) -> int:
        return rows_in(self.targets)

    def loss(self, w: Array, rows: slice = slice(None)) -> float:
        """The mean loss at w."""
        with torch.inference_mode():
            return float(self._loss(list(self.net.named(w).values()), rows))

    def outputs(self, w: Array, rows: slice = slice(None)) -> Any:
        """What the module gives."""
        with torch.inference_mode():
            return self._outputs(list(self.net.named(w).values()), rows)

    def gradient(self, w: Array, rows: slice = slice(None)) -> torch.Tensor:
        """The gradient of the mean loss of those rows, (size,)."""
        tensors = self._leaves(w)
        slopes = torch.autograd.grad(self._loss(tensors, rows), tensors, allow_unused=True)
        return torch.cat([
            (torch.zeros_like(w) if g is None else g).reshape(-1) for g, w in zip(slopes, tensors, strict=True)
        ])  # fmt: skip

    def product(self, w: Array, rows: slice = slice(None)) -> Callable[[torch.Tensor], torch.Tensor]:
        """v → Hv, H the Hessian at w."""
        tensors = self._leaves(w)
        return product_of(self._loss(tensors, rows), tensors)

    def gradients(self, w: Array, parts: int = PARTS) -> torch.Tensor:
        """(parts, size) gradients of equal parts of the rows."""
        count = len(self) // parts
        return torch.stack([self.gradient(w, slice(k * count, (k + 1) * count)) for k in range(parts)])

    def noise(self, w: Array, parts: int = PARTS) -> Noise:
        """The noise scale at w, from gradients of parts of b rows: tr C = b·their variance, ‖g‖² = ‖mean‖² − tr C/(parts·b).

        Both without bias; the interval by leaving each part out in turn (jackknife), its upper end infinite where ‖g‖² may be
        zero.
        """
        G = self.gradients(w, parts).double()
        count, products = len(self) // parts, (G @ G.T).cpu().numpy()
        spread, square = _both(products, count)
        kept = [np.delete(np.delete(products, k, 0), k, 1) for k in range(parts)]
        without = np.array([_both(some, count) for some in kept])
        error = np.sqrt((parts - 1) * without.var(axis=0))
        (low, high), (short, long) = (
            (v - SURE * e, v + SURE * e) for v, e in zip((spread, square), error, strict=True)
        )
        return Noise(
            max(low, 0.0) / max(long, 1e-30), spread / square if square > 0 else np.inf,
            high / short if short > 0 else np.inf,
        )  # fmt: skip

    def noise_at(self, w: Array) -> Noise:
        """The same, worked out once where it is asked for three times in a row."""
        key = w.tobytes()
        if self.noted is None or self.noted[0] != key:
            self.noted = (key, self.noise(w))
        return self.noted[1]

    def seen(self, w: Array) -> list[Seen]:
        """What every operation gave on those rows, in their order (see watching.py)."""
        tensors = list(self.net.named(w).values())
        with torch.inference_mode(), Watching(self.net.module) as watching:
            self._outputs(tensors, slice(0, FEW))
        return watching.seen

    def _leaves(self, w: Array) -> list[torch.Tensor]:
        return [tensor.requires_grad_() for tensor in list(self.net.named(w).values())]

    def _outputs(self, tensors: list[torch.Tensor], rows: slice) -> Any:
        net = self.net
        buffers = {name: held.clone() for name, held in net.buffers().items()}
        named = {**dict(zip(net.layers, tensors, strict=True)), **buffers}
        with mode(net.module, training=False, norms=True):
            return functional_call(net.module, named, (cut(self.inputs, rows),))

    def _loss(self, tensors: list[torch.Tensor], rows: slice) -> torch.Tensor:
        outputs = self._outputs(tensors, rows)
        loss: torch.Tensor = self.net.criterion(outputs, cut(self.targets, rows), cut(self.weights, rows))
        return loss


@lru_cache(maxsize=8)
def probe_of(net: Any, rows: int = ROWS) -> Probe:
    """The probe of a network, made once."""
    return Probe(net, rows)


def _both(products: Array, count: int) -> tuple[float, float]:
    """(tr C, ‖g‖²) from the products of the parts' gradients with each other, parts of `count` rows."""
    parts = len(products)
    mean = products.sum() / parts**2
    spread = count * (np.trace(products) - parts * mean) / (parts - 1)
    return spread, mean - spread / (parts * count)
