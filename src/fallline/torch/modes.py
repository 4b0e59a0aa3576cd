"""How a module computes for a while: training or evaluating, from which chance."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

NORMS = (nn.modules.batchnorm._BatchNorm,)  # layers whose running statistics belong to one point


@contextmanager
def mode(module: nn.Module, *, training: bool, norms: bool | None = None) -> Iterator[None]:
    """Every part of the module in training or evaluation mode, and then each back in its own. norms: that of batch norm alone."""
    before = [(part, part.training) for part in module.modules()]
    module.train(training)
    for part, _ in before:
        if norms is not None and isinstance(part, NORMS):
            part.training = norms
    try:
        yield
    finally:
        for part, was in before:
            part.training = was


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's generators from a seed, and then as they were: a walk takes nothing from the user's chance, nor gives any."""
    with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
        torch.manual_seed(seed)
        yield
