"""Every operation of a forward pass as it happens, with the module that it happened in: functions count as modules do.

A hook sees modules alone; torch's function mode sees `torch.relu(x)` in somebody's forward, too.
"""

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

RECTIFIERS = (
    functional.relu,
    functional.relu_,
    torch.relu,
    torch.relu_,
    torch.Tensor.relu,
    torch.Tensor.relu_,
    functional.relu6,
)
SQUASHERS = {torch.tanh: (-1.0, 1.0), torch.Tensor.tanh: (-1.0, 1.0), functional.tanh: (-1.0, 1.0),
             torch.sigmoid: (0.0, 1.0), torch.Tensor.sigmoid: (0.0, 1.0), functional.sigmoid: (0.0, 1.0)}  # fmt: skip
DROPOUTS = (
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.dropout3d,
    functional.alpha_dropout,
)
END = 0.03  # of a squasher's range: an output so near one of its ends is saturated, its slope an eighth of the steepest


class Seen(NamedTuple):
    """One operation: the path of the innermost module, what was called, and its output on the rows (rows, units, …).

    dead: the share of a rectifier's units that are zero on all rows; saturated: of a squasher's outputs at either end; NaN for
    others. scale: the output's root mean square. drops: whether it drops units.
    """

    module: str
    operation: str
    dead: float
    saturated: float
    scale: float
    sound: bool  # whether finite inputs gave a finite output, or inputs were not
    drops: bool


class Watching(TorchFunctionMode):
    """Records `seen` while it is entered. keep: whether to keep outputs that want a gradient, in `made`."""

    def __init__(self, module: nn.Module, *, keep: bool = False) -> None:
        super().__init__()
        self.seen: list[Seen] = []
        self.made: list[tuple[str, str, torch.Tensor, list[torch.Tensor]]] = []
        self.keep, self._path, self._module = keep, [""], module
        self._hooks: list[Any] = []

    def __enter__(self) -> "Watching":
        for name, part in self._module.named_modules():
            label = f"{name} ({type(part).__name__})" if name else type(part).__name__
            self._hooks.append(part.register_forward_pre_hook(lambda *_, label=label: self._path.append(label)))
            self._hooks.append(part.register_forward_hook(lambda *_: self._path.pop() and None))
        super().__enter__()
        return self

    def __exit__(self, *what: Any) -> None:
        super().__exit__(*what)
        for hook in self._hooks:
            hook.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        given = [one for one in _flat((args, tuple(kwargs.values()))) if _real(one)]
        for one in _flat((out,)):
            if _real(one) and given and not isinstance(one, nn.Parameter):
                self._note(func, given, one, args, kwargs)
                break
        return out

    def _note(self, func: Any, given: list[torch.Tensor], out: torch.Tensor, args: Any, kwargs: Any) -> None:
        with torch._C.DisableTorchFunction():
            name = getattr(func, "__name__", str(func)).strip("_")
            if name in ("get", "set", "getitem", "detach", "clone", "copy", "numpy", "to"):
                return
            held = out.detach()
            sound = bool(torch.isfinite(held).all()) or not all(bool(torch.isfinite(one).all()) for one in given)
            dead = saturated = float("nan")
            if func in RECTIFIERS and held.ndim > 1:
                active = (held > 0).transpose(0, 1).reshape(held.shape[1], -1).any(1)
                dead = 1.0 - float(active.float().mean())
            if func in SQUASHERS:
                low, high = SQUASHERS[func]
                away = END * (high - low)
                saturated = float(((held < low + away) | (held > high - away)).float().mean())
            drops = func in DROPOUTS and bool(_training(func, args, kwargs))
            scale = float(held.float().pow(2).mean().sqrt()) if held.numel() else float("nan")
            self.seen.append(Seen(self._path[-1], name, dead, saturated, scale, sound, drops))
            if self.keep and out.requires_grad:
                self.made.append((self._path[-1], name, out, [one for one in given if one.requires_grad]))


def _training(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether a call of dropout drops: its arguments are (input, p, training)."""
    p = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
    usual = func is not functional.alpha_dropout
    return p > 0 and kwargs.get("training", args[2] if len(args) > 2 else usual)


def _real(one: Any) -> bool:
    return isinstance(one, torch.Tensor) and one.is_floating_point()


def _flat(parts: Any) -> list[Any]:
    found = []
    for one in parts:
        found += _flat(one) if isinstance(one, list | tuple) else [one]
    return found
