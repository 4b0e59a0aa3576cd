"""Rows evaluated block by block, in smaller blocks where memory does not hold them."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from fallline.errors import InputError, saying
from fallline.torch.memory import full
from fallline.torch.nested import cut, rows_in
from fallline.torch.trial import blame


def evaluated(net: Any, blocks: Iterable[Any], loss: Callable[..., torch.Tensor]) -> Iterator[tuple[float, int]]:
    """`loss(inputs, targets, weights)`, the mean over its rows, of every block, and how many rows that is.

    A block that memory does not hold goes in halves, as does the half, and no later one is larger. Σ mean·rows stays the same to
    rounding, and to the bit where every block fits. Raises InputError where a single row does not fit.
    """
    most = math.inf
    for number, block in enumerate(blocks, 1):
        first, rows = 0, rows_in(block[1])
        while first < rows:
            last = int(min(first + most, rows))
            whole = last - first == rows
            try:
                value = float(loss(*block if whole else (cut(part, slice(first, last)) for part in block)))
            except Exception as error:
                if not full(error):
                    with saying(f"Batch {number:,}"):
                        blame(net, block, error)
                    raise
                if last - first == 1:
                    raise InputError(
                        f"A single row does not fit into the memory of {net.device} to be evaluated: take a smaller module."
                    ) from error
                most = (last - first) // 2
                continue
            yield value, last - first
            first = last
