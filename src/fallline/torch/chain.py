"""Backpropagation written out for linear layers in a row: autograd's operations, and so its bits, without its bookkeeping."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from fallline.torch.batches import Tensors
from fallline.torch.criterion import LOSSES, Criterion
from fallline.torch.flat import Flat

aten = torch.ops.aten

ACTIVATIONS: dict[type[nn.Module], tuple[Callable[..., Any], Callable[..., Any]]] = {
    nn.Identity: (lambda z: z, lambda slope, a: slope),
    nn.ReLU: (torch.relu, lambda slope, a: aten.threshold_backward(slope, a, 0)),
    nn.Tanh: (torch.tanh, aten.tanh_backward),
    nn.Sigmoid: (torch.sigmoid, aten.sigmoid_backward),
}
"""a = φ(z), and ∂L/∂z from ∂L/∂a and a: those whose slope is told by their output."""
MEAN, LEFT_OUT = 1, -100  # of torch's nll_loss: its number of the mean; the label that does not count
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Chain(NamedTuple):
    """Layers zₗ = Wₗ aₗ₋₁ + bₗ and activations, one after the other, a₀ the inputs (n, d).

    With δ = ∂L/∂z of the last, from the loss: ∂L/∂Wₗ = δₗᵀ aₗ₋₁, ∂L/∂bₗ = the sum of δₗ over its rows, and
    ∂L/∂aₗ₋₁ = δₗ Wₗ (Rumelhart, Hinton & Williams 1986).
    """

    parts: tuple[nn.Module, ...]
    criterion: Criterion

    def backward(self, inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
        """Make the batch's gradient that of the parameters, in place of what there is. Returns its loss."""
        values = [inputs]
        with torch.no_grad():
            for part in self.parts:
                if isinstance(part, nn.Linear):
                    values.append(functional.linear(values[-1], part.weight, part.bias))
                else:
                    values.append(ACTIVATIONS[type(part)][0](values[-1]))
            loss, slope = self._loss(values[-1], targets, weights)
            for k in reversed(range(len(self.parts))):
                part = self.parts[k]
                if isinstance(part, nn.Linear):
                    part.weight.grad = torch.mm(slope.t(), values[k])
                    if part.bias is not None:
                        part.bias.grad = slope.sum(0)
                    slope = torch.mm(slope, part.weight) if k else slope
                else:
                    slope = ACTIVATIONS[type(part)][1](slope, values[k + 1])
        return loss

    def _loss(self, z: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None) -> tuple[Any, Any]:
        """The loss at outputs z and its gradient: by autograd, or by the four operations that it makes of softmax scores."""
        if self.criterion.function is functional.cross_entropy and weights is None and self.criterion.classed(targets):
            logs = torch.log_softmax(z, 1)
            loss, total = aten.nll_loss_forward(logs, targets, None, MEAN, LEFT_OUT)
            slope = aten.nll_loss_backward(torch.ones_like(loss), logs, targets, None, MEAN, LEFT_OUT, total)
            return loss, aten._log_softmax_backward_data(slope, logs, 1, z.dtype)
        with torch.enable_grad():
            loss = self.criterion(z.requires_grad_(), targets, weights)
        return loss.detach(), torch.autograd.grad(loss, z)[0]


def chain_of(net: Any) -> Chain | None:
    """The net's module as a chain; None where it is anything else, or something else has a hand in its gradient."""
    module = net.module
    if type(module) is not nn.Sequential or type(net.flat) is not Flat or net.device.type != "cpu":
        return None
    plain = net.accumulate == 1 and net.precision is None and net.criterion.name in LOSSES
    if not plain or not isinstance(net.data, Tensors) or net.data.inputs.ndim != 2:
        return None
    parts = tuple(module)
    known = all(type(part) is nn.Linear or type(part) in ACTIVATIONS for part in parts)
    hooked = any(getattr(part, name) for part in (module, *parts) for name in HOOKS)
    free = all(tensor.requires_grad and not tensor._backward_hooks for tensor in module.parameters())
    return Chain(parts, net.criterion) if known and free and not hooked else None
