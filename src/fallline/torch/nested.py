"""Parts of a batch: one tensor, or several in a tuple or a dict. What is done to one is done to all; None stays None."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch


def over(part: Any, do: Callable[[Any], Any]) -> Any:
    """The part with `do` done to every tensor of it; what came as a list is a tuple then."""
    if isinstance(part, torch.Tensor):
        return do(part)
    if isinstance(part, dict):
        return {name: over(each, do) for name, each in part.items()}
    if isinstance(part, list | tuple):
        return tuple(over(each, do) for each in part)
    return None if part is None else do(part)


def leaves(part: Any) -> Iterator[Any]:
    """Its tensors, in their order."""
    if isinstance(part, dict | list | tuple):
        for each in part.values() if isinstance(part, dict) else part:
            yield from leaves(each)
    elif part is not None:
        yield part


def rows_in(part: Any) -> int:
    """Rows of a batch's inputs or targets: those of the first tensor."""
    return len(part) if isinstance(part, torch.Tensor) else len(next(leaves(part)))


def cut(part: Any, rows: slice) -> Any:
    """Those rows of every tensor."""
    return over(part, lambda held: held[rows])


def joined(parts: Sequence[Any]) -> Any:
    """The rows of several, one after another."""
    first = parts[0]
    if isinstance(first, dict):
        return {name: joined([part[name] for part in parts]) for name in first}
    if isinstance(first, tuple):
        return tuple(joined(each) for each in zip(*parts, strict=True))
    return None if first is None else torch.cat(list(parts))


def alike(one: Any, other: Any) -> bool:
    """Whether rows of the one can follow those of the other."""
    return [held.shape[1:] for held in leaves(one)] == [held.shape[1:] for held in leaves(other)]
