"""Whether module, batch and loss suit each other: tried before a walk, and again on the batch that a walk failed at."""

from copy import deepcopy
from typing import Any

import torch
from torch import nn

from fallline.errors import InputError
from fallline.torch.batches import refuse_infinite
from fallline.torch.criterion import refuse, tried
from fallline.torch.modes import mode, seeded
from fallline.torch.nested import leaves

Batch = tuple[Any, Any, Any]  # inputs, targets, weights


def placed(module: nn.Module, device: Any) -> tuple[nn.Module, torch.device]:
    """A copy of the module on the device. Raises InputError for one without anything to train."""
    if not isinstance(module, nn.Module):
        raise InputError(f"The module is a {type(module).__name__}: give a torch.nn.Module, such as nn.Linear(3, 1).")
    tensors = list(module.parameters())
    if not tensors:
        raise InputError(f"{type(module).__name__} has no parameters: there is nothing to train.")
    if any(isinstance(tensor, nn.parameter.UninitializedParameter) for tensor in tensors):
        raise InputError(f"{type(module).__name__} has lazy layers without a shape: run it once on a batch first.")
    kinds = {tensor.dtype for tensor in tensors if tensor.requires_grad}
    if not kinds:
        raise InputError(
            f"No parameter of {type(module).__name__} requires a gradient: unfreeze one by .requires_grad_()."
        )
    if not kinds & {torch.float32, torch.float64}:
        raise InputError(
            f"The parameters of {type(module).__name__} are {kinds.pop()}, in which small steps are lost: give module.float(), "
            'and precision="bfloat16" for layers in half the bits.'
        )
    try:
        place = torch.device(device if device is not None else tensors[0].device)
        if place.type == "meta" or any(tensor.is_meta for tensor in tensors):
            raise InputError(
                'A network cannot walk on the device "meta", where tensors have shapes and no numbers: build the module and '
                'compute on "cpu", "cuda" or "mps".'
            )
        return deepcopy(module).to(place), place
    except (RuntimeError, AssertionError) as error:
        raise InputError(f'The device "{device}" cannot be used here: {str(error).splitlines()[0]}') from error


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
