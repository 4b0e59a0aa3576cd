"""A module's parameters as one vector: views of it where they can be, copied to and fro where they cannot.

Gradients stay apart: autograd hands each tensor's over as it made it, where a gradient that is a view of one buffer would be
cleared and added to, two more passes over memory a step (decision 8).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

Array = np.ndarray[Any, Any]
Named = Sequence[tuple[str, nn.Parameter]]


class Flat:
    """The trainable parameters of a module as views of one buffer: what is done to one is done to the other.

    The module must stay where it is: `.to()` would cut the views.
    """

    def __init__(self, named: Named) -> None:
        self._name(named)
        self.weights = torch.cat([tensor.detach().reshape(-1) for tensor in self.tensors])
        for tensor, place in zip(self.tensors, self.pieces(self.weights), strict=True):
            tensor.data = place

    def _name(self, named: Named) -> None:
        self.names = tuple(name for name, _ in named)
        self.tensors = [tensor for _, tensor in named]
        self.sizes = [tensor.numel() for tensor in self.tensors]

    def pieces(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """The stretch of a flat vector that belongs to each tensor, in its shape."""
        ends = np.cumsum([0, *self.sizes]).tolist()
        return [
            vector[first:last].view(tensor.shape)
            for first, last, tensor in zip(ends, ends[1:], self.tensors, strict=False)
        ]

    def load(self, w: torch.Tensor) -> None:
        """Make w (size,) the parameters."""
        self.weights.copy_(w)

    def read(self, room: torch.Tensor | None = None) -> torch.Tensor:
        """The parameters (size,) on the CPU: not always a copy. room: where they may be put, if they fit."""
        return self.weights.to("cpu")

    def slopes(self) -> list[torch.Tensor]:
        """The gradient of each tensor as it is; of one that the loss does not see, zeros."""
        return [tensor.new_zeros(tensor.shape) if tensor.grad is None else tensor.grad for tensor in self.tensors]

    def slope(self) -> torch.Tensor:
        """The gradient (size,) on the CPU."""
        return joined(self.slopes())

    def clear(self) -> None:
        """Forget the gradient."""
        for tensor in self.tensors:
            tensor.grad = None


class Apart(Flat):
    """The same for parameters that share memory or differ in type or place, so that they cannot be views of one vector."""

    def __init__(self, named: Named) -> None:
        self._name(named)

    def load(self, w: torch.Tensor) -> None:
        with torch.no_grad():
            for tensor, part in zip(self.tensors, self.pieces(w), strict=True):
                tensor.copy_(part)

    def read(self, room: torch.Tensor | None = None) -> torch.Tensor:
        return joined(self.tensors, room)


def flat_of(module: nn.Module) -> Flat:
    """The module's trainable parameters, each once, in the order of `named_parameters`."""
    named = [(name, tensor) for name, tensor in module.named_parameters() if tensor.requires_grad]
    kinds = {(tensor.dtype, tensor.device) for _, tensor in named}
    places = {tensor.untyped_storage().data_ptr() for _, tensor in named}
    return Flat(named) if len(kinds) == 1 and len(places) == len(named) else Apart(named)


def joined(tensors: Sequence[torch.Tensor], room: torch.Tensor | None = None) -> torch.Tensor:
    """Tensors as one vector on the CPU, in the widest of their types: in `room` where it fits, as new memory costs more than
    the copy.
    """
    parts = [tensor.detach().reshape(-1) for tensor in tensors]
    kind = max((part.dtype for part in parts), key=lambda kind: torch.finfo(kind).bits)
    fits = room is not None and room.dtype == kind and len(room) == sum(part.numel() for part in parts)
    return torch.cat([part.to("cpu", kind) for part in parts], out=room if fits else None)
