"""Whether module, batch and loss suit each other: tried before a walk, and again on the batch that a walk failed at."""

from typing import Any

import torch
from torch import nn

from fallline.errors import InputError
from fallline.torch.batches import refuse_infinite
from fallline.torch.criterion import refuse, tried
from fallline.torch.modes import mode, seeded
from fallline.torch.nested import leaves

Batch = tuple[Any, Any, Any]  # inputs, targets, weights


def suits(net: Any, batch: Batch) -> Any:
    """What the module gives for a batch. Raises InputError where it cannot take it, or the loss cannot take what it gives."""
    inputs, targets, weights = batch
    with seeded(0, net.device), torch.inference_mode(), mode(net.module, training=False):
        outputs = forward(net.module, inputs)
        refuse(net.criterion, outputs, targets)
        tried(net.criterion, outputs, targets, weights)
    return outputs


def forward(module: nn.Module, inputs: Any) -> Any:
    """The module's outputs. Raises InputError, with both shapes, where the inputs do not suit it."""
    try:
        return module(inputs)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        shape = tuple(inputs.shape) if isinstance(inputs, torch.Tensor) else type(inputs).__name__
        first = str(error).splitlines()[0]
        raise InputError(f"The module cannot take inputs of shape {shape}, rows first: {first}") from error


def blame(net: Any, batch: Batch, error: Exception) -> None:
    """Raise InputError that says what is wrong about a batch at which that error came up; return where nothing is."""
    if isinstance(error, InputError):
        raise error
    try:
        suits(net, batch)
    except InputError:
        raise
    except Exception:  # the first error tells more than what it leads to
        return


def refuse_missing(batch: Batch) -> None:
    """Raise InputError where a batch holds a number that is none, with its row."""
    for name, part in zip(("inputs", "targets", "weights"), batch, strict=True):
        for held in leaves(part):
            refuse_infinite(held, name)
