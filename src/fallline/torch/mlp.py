"""Multilayer perceptrons: the module and its first weights, the scales around it, and the point that is best on held-out rows."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn

from fallline.errors import InputError
from fallline.torch.flat import flat_of
from fallline.torch.net import Net
from fallline.torch.packing import unpacked

Array = np.ndarray[Any, Any]

ACTIVATIONS: dict[str, tuple[type[nn.Module], float]] = {
    "relu": (nn.ReLU, 2.0),
    "leaky_relu": (nn.LeakyReLU, 2.0),
    "gelu": (nn.GELU, 2.0),
    "silu": (nn.SiLU, 2.0),
    "tanh": (nn.Tanh, 1.0),
    "logistic": (nn.Sigmoid, 1.0),
    "identity": (nn.Identity, 1.0),
}
"""And fan_in times the variance of a weight before it: 2 where half of the signal is cut (He et al. 2015), else 1."""
FAR = 10.0  # deviations: what is farther from the mean is taken for this far
BLOCK = 1024  # rows predicted at once


class Normed(nn.BatchNorm1d):
    """Batch norm (Ioffe & Szegedy 2015); a batch of one row has no spread and is normed by the running statistics."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or len(x) > 1:
            return super().forward(x)
        norms = self.running_mean, self.running_var, self.weight, self.bias
        return nn.functional.batch_norm(x, *norms, training=False, eps=self.eps)


class Scaled(nn.Module):
    """Columns brought to mean 0 and deviation 1, and no farther than 10 from it: float64 in, the network's type out."""

    centre: torch.Tensor
    scale: torch.Tensor

    def __init__(self, centre: Array, scale: Array, kind: torch.dtype) -> None:
        super().__init__()
        self.kind = kind
        for name, values in (("centre", centre), ("scale", scale)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x - self.centre) / self.scale).clamp(-FAR, FAR).to(self.kind)


class Unscaled(nn.Module):
    """Scores in the target's units, float64; of counts their exponential, the mean."""

    centre: torch.Tensor
    scale: torch.Tensor

    def __init__(self, centre: Array, scale: Array, *, exponential: bool = False) -> None:
        super().__init__()
        self.exponential = exponential
        for name, values in (("centre", centre), ("scale", scale)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        z = z.to(torch.float64)
        return (z.exp() if self.exponential else z) * self.scale + self.centre


def perceptron(
    inputs: int, hidden: Sequence[int], outputs: int, activation: str = "relu", *, dropout: float = 0.0,
    batch_norm: bool = False, seed: int = 0, kind: str = "float32",
) -> nn.Sequential:  # fmt: skip
    """inputs → hidden[0] → … → outputs, each hidden layer followed by batch norm, activation and dropout as asked for.

    Weights are normal of variance gain/fan_in, gain by the activation, of the last layer 1/fan_in; biases 0.
    """
    made, gain = ACTIVATIONS[activation]
    chance = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    wide = inputs
    for width in hidden:
        layers.append(_linear(wide, width, gain, kind, chance))
        if batch_norm:
            layers.append(Normed(width, dtype=getattr(torch, kind)))
        layers.append(made())
        if dropout:
            layers.append(nn.Dropout(dropout))
        wide = width
    return nn.Sequential(*layers, _linear(wide, outputs, 1.0, kind, chance))


def _linear(inputs: int, outputs: int, gain: float, kind: str, chance: torch.Generator) -> nn.Linear:
    made: Any = nn.utils.skip_init
    layer = made(nn.Linear, inputs, outputs, dtype=getattr(torch, kind))
    with torch.no_grad():
        weight = torch.randn(outputs, inputs, generator=chance, dtype=torch.float64)
        layer.weight.copy_(weight * math.sqrt(gain / inputs))
        layer.bias.zero_()
    return layer


def gone_on(module: nn.Module, fresh: nn.Module) -> nn.Module:
    """`fresh` with the weights of `module`. Raises InputError where they have other layers."""
    try:
        fresh.load_state_dict(module.state_dict())
    except RuntimeError:
        raise InputError(
            "warm_start and partial_fit go on with the network that there is, and the settings, the columns or the classes ask "
            "for another: fit another estimator."
        ) from None
    return fresh


def whole(network: nn.Module, columns: Any, targets: Any = None, *, exponential: bool = False) -> nn.Sequential:
    """From raw rows to scores, or to targets in their own units, in evaluation mode. columns, targets: their scales."""
    first = next(network.parameters())
    kind = first.dtype
    parts = OrderedDict(scaled=Scaled(columns.centre, columns.scale, kind), network=network)
    if targets is not None:
        parts["unscaled"] = Unscaled(targets.centre, targets.scale, exponential=exponential)
    return nn.Sequential(parts).to(first.device).eval()


def outputs(module: nn.Module, X: Any) -> Array:
    """What the module makes of rows (n, d), dense or CSR, float64 (n, outputs)."""
    place = next(module.parameters()).device
    parts = []
    with torch.inference_mode():
        for first in range(0, X.shape[0], BLOCK):
            rows = X[first : first + BLOCK]
            dense = np.array(rows.toarray() if hasattr(rows, "toarray") else rows)
            parts.append(module(torch.from_numpy(dense).to(place)).to("cpu", torch.float64).numpy())
    return np.concatenate(parts)


def at(net: Net, w: Array, buffers: dict[str, torch.Tensor]) -> nn.Module:
    """The network with those weights and running statistics, in evaluation mode: a copy."""
    module = deepcopy(net.module)
    flat_of(module).load(torch.from_numpy(w))
    for name, held in module.named_buffers():
        held.copy_(buffers[name])
    return module.eval()


def point(network: nn.Module) -> Array:
    """Its parameters as one vector, (size,)."""
    return flat_of(deepcopy(network)).read().numpy()


def streamed(net: Net, state: Any) -> nn.Module:
    """The network where a walk over rows as they come is."""
    return at(net, state.mean, unpacked(state.memory[0])["buffers"])


class Best:
    """A stopping rule that keeps the point that was best on the net's validation rows, with what batch norm had seen up to there.

    It gives a reason after `patience` looks, one a segment, whose loss was not below the best by `tol` of it; looks at a rate
    above `falling` do not count, as the loss comes down with the rate. The start is no step's doing and is never the best.
    Raises InputError for a net without validation rows.
    """

    def __init__(self, net: Net, patience: float, tol: float, falling: float) -> None:
        if net.validation is None:
            raise InputError(
                "The best point is the one with the lowest loss on validation rows, and the network has none: give "
                "Net(…, validation=(inputs, targets))."
            )
        self.net, self.patience, self.tol, self.falling = net, patience, tol, falling
        self.loss, self.look, self.seen = math.inf, 0, 1
        self.w: Array = net.start()
        self.buffers: dict[str, torch.Tensor] = net.buffers()

    def reason(self, trace: Any) -> str:
        if len(trace) > self.seen and trace.latest is not None:
            self.seen, loss = len(trace), trace.last("validation_loss")
            if loss < self.loss:
                self.loss, self.look = loss, self.seen - 1
                self.w = trace.latest  # what the module holds may be a point beside the answer
                self.buffers = {name: held.clone() for name, held in self.net.module.named_buffers()}
        best, since = math.inf, 0
        for loss, rate in zip(trace.columns["validation_loss"][1:], trace.columns["rate"][1:], strict=True):
            if best == math.inf or loss < best - self.tol * abs(best):
                best, since = loss, 0
            elif rate <= self.falling:
                since += 1
        return f"no better on validation rows for {since} looks (best {best:.6g})" if since >= self.patience else ""

    def room(self, trace: Any, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()

    def fitted(self) -> nn.Module:
        """The network at the best point."""
        return at(self.net, self.w, self.buffers)
