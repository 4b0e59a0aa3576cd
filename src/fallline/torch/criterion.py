"""Losses of networks: torch's, by name, as a module or as any function of (outputs, targets)."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from fallline.errors import InputError

LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "cross_entropy": functional.cross_entropy,
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "huber": functional.huber_loss,
    "smooth_l1": functional.smooth_l1_loss,
    "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
    "nll": functional.nll_loss,
    "poisson": functional.poisson_nll_loss,
}
"""torch's functions; `binary_cross_entropy` takes logits, as all that follow a linear layer should."""
MODULES = {
    nn.CrossEntropyLoss: "cross_entropy", nn.MSELoss: "mse", nn.L1Loss: "l1", nn.HuberLoss: "huber", nn.NLLLoss: "nll",
    nn.SmoothL1Loss: "smooth_l1", nn.BCEWithLogitsLoss: "binary_cross_entropy", nn.PoissonNLLLoss: "poisson",
}  # fmt: skip
CLASSED = ("cross_entropy", "nll")  # targets are numbers of classes


class Criterion(NamedTuple):
    """The mean loss of a batch, (outputs, targets, weights) → scalar tensor."""

    name: str
    function: Callable[..., torch.Tensor]

    def classed(self, targets: Any) -> bool:
        """Whether the targets are numbers of classes."""
        return self.name in CLASSED and isinstance(targets, torch.Tensor) and not targets.is_floating_point()

    @property
    def paired(self) -> bool:
        """Whether it holds outputs to targets one by one: torch would broadcast shapes that differ, and train on."""
        return self.name in LOSSES and self.name not in CLASSED

    def each(self, outputs: Any, targets: Any, weights: Any = None) -> torch.Tensor | None:
        """Of every row its loss, (rows,), of which the mean is the batch's; None of a function that gives means alone, and where
        targets are left out.
        """
        if self.function is not LOSSES.get(self.name) or (self.classed(targets) and bool((targets < 0).any())):
            return None
        losses = self.function(outputs, targets, reduction="none").reshape(len(targets), -1).mean(1)
        return losses if weights is None else losses * weights

    def __call__(self, outputs: Any, targets: Any, weights: Any = None) -> torch.Tensor:
        if self.paired and outputs.shape != targets.shape:
            refuse(self, outputs, targets)
        if weights is None:
            return self.function(outputs, targets)
        losses = self.function(outputs, targets, reduction="none")
        if weights.shape != losses.shape[:1]:
            raise InputError(f"The weights are {tuple(weights.shape)} in a batch of {len(losses):,} rows: give one number for "
                             "each row, by weights[:, 0].")  # fmt: skip
        return (losses.reshape(len(weights), -1).mean(1) * weights).mean()


def criterion_of(loss: Any) -> Criterion:
    """The loss that a name, a module or a function stands for. Raises InputError for an unknown name."""
    if isinstance(loss, str):
        name = {"mse_loss": "mse", "bce": "binary_cross_entropy"}.get(loss, loss)
        if name not in LOSSES:
            raise InputError(f'There is no loss "{loss}" for networks: there are {", ".join(LOSSES)}, any module of torch.nn, '
                             "and any function of (outputs, targets).")  # fmt: skip
        return Criterion(name, LOSSES[name])
    if not callable(loss):
        raise InputError(f"The loss is {loss!r}: give a name, a module, or a function of (outputs, targets).")
    functions = {function: name for name, function in LOSSES.items()}
    known = functions.get(loss) if isinstance(loss, FunctionType) else MODULES.get(type(loss))
    return Criterion(str(known or getattr(loss, "__name__", type(loss).__name__)), loss)


def tried(criterion: Criterion, outputs: Any, targets: Any, weights: Any) -> None:
    """Try the loss on a few rows. Raises InputError where it takes no weights for rows, or gives no mean."""
    try:
        loss = criterion(outputs, targets, weights)
    except TypeError as error:
        if weights is None or "reduction" not in str(error):
            raise
        raise InputError(f"The loss {criterion.name} takes no weights for rows, as it has no argument reduction: give it by name "
                         f"({', '.join(LOSSES)}), or leave the weights out.") from None  # fmt: skip
    if not (isinstance(loss, torch.Tensor) and loss.numel() == 1):
        shape = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise InputError(
            f"The loss {criterion.name} gives {shape} for a batch: it must be one number, the mean over the rows."
        )


def refuse(criterion: Criterion, outputs: Any, targets: Any) -> None:
    """Raise InputError where outputs and targets do not suit the loss; `targets` are all of them, or one batch."""
    if not (isinstance(outputs, torch.Tensor) and isinstance(targets, torch.Tensor)):
        if criterion.name in LOSSES:
            raise InputError(f"The module gives a {type(outputs).__name__}, the targets are a {type(targets).__name__}, and "
                             f"{criterion.name} takes a tensor of each: give a function of (outputs, targets).")  # fmt: skip
        return
    shapes = f"the module gives {tuple(outputs.shape)} and the targets are {tuple(targets.shape)}"
    if criterion.name in CLASSED:
        if targets.is_floating_point() and targets.shape != outputs.shape:
            raise InputError(f"{criterion.name} takes the numbers of classes, and the targets are {targets.dtype}: use "
                             "targets.long(), or the loss mse for amounts.")  # fmt: skip
        if not targets.is_floating_point():
            if outputs.ndim < 2 or outputs.shape[:1] + outputs.shape[2:] != targets.shape:
                raise InputError(f"Shapes do not meet: {shapes} in a batch, where {criterion.name} takes (rows, classes) and "
                                 "(rows,).")  # fmt: skip
            refuse_labels(criterion, targets, outputs.shape[1])
    elif criterion.name in LOSSES:
        if not targets.is_floating_point():
            raise InputError(f"{criterion.name} takes amounts, and the targets are {targets.dtype}: use cross_entropy for "
                             "classes, or targets.float() for amounts.")  # fmt: skip
        if outputs.shape != targets.shape:
            raise InputError(f"Shapes do not meet: {shapes} in a batch, and {criterion.name} would pair every output with "
                             "every target: give both the same shape, by targets[:, None] or outputs.squeeze(1).")  # fmt: skip


def refuse_labels(criterion: Criterion, targets: torch.Tensor, classes: int) -> None:
    """Raise InputError for labels that are no class's number, with the first row that has one."""
    left_out = getattr(criterion.function, "ignore_index", -100)  # as torch has it unless told
    wrong = ((targets < 0) | (targets >= classes)) & (targets != left_out)
    if bool(wrong.any()):
        row = int(wrong.reshape(len(targets), -1).any(1).nonzero()[0])
        value = int(targets[wrong].reshape(-1)[0])
        raise InputError(f"The target of row {row} (counted from 0) is {value}, and the module has {classes} outputs: labels "
                         f"go from 0 to {classes - 1}.")  # fmt: skip
