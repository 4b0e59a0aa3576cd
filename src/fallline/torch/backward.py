"""The loss of a step in somebody else's loop: the number that `backward()` was called on, read where it was called.

Nothing else knows it: an optimizer sees gradients, and a gradient at the outputs fits many losses (a penalty, a weight, a sum in
place of a mean leave the same pattern or none). So a hook on the parameters looks up the stack for torch's own `backward`, whose
argument is the loss itself, whatever its formula. Where the caller cannot be found there is no loss, rather than a wrong one.
"""

import sys
import weakref
from collections.abc import Sequence
from types import FrameType
from typing import Any

import torch
from torch.utils.hooks import unserializable_hook

BACKWARD, GRAD = torch.autograd.backward.__code__, torch.autograd.grad.__code__
SCALER = torch.amp.GradScaler.step.__code__
task = torch._C._current_graph_task_id  # as torch's register_multi_grad_hook asks
Value = float | torch.Tensor | None  # on an accelerator a tensor: to read it would wait for the device

LARGE = 1024  # numbers


class Heard:
    """What `backward()` was called on since the last step, of passes that reached one of the tensors listened to.

    A step descends the sum over its passes: of `(loss / k).backward()`, k times, that is the loss of the whole batch. Gradients
    that were cleared in between (a step that mixed precision skipped, another optimizer's loss) do not count.
    """

    def __init__(self) -> None:
        self.tensors: dict[int, weakref.ref[torch.Tensor]] = {}
        self.handles: list[Any] = []
        self.clear()

    def clear(self) -> None:
        """Forget the passes."""
        self._pass = -1
        self._roots: list[Any] = []
        self._values: list[Value] = []
        self._scaled = False

    def listen(self, tensors: Sequence[torch.Tensor]) -> None:
        """Listen to those that require a gradient, once each."""
        for tensor in tensors:
            known = self.tensors.get(id(tensor))
            if tensor.requires_grad and (known is None or known() is not tensor):
                self.tensors[id(tensor)] = weakref.ref(tensor)
                # a hook before keeps autograd from handing the gradient over: it is copied, which costs where it is large
                later = tensor.numel() > LARGE and len(tensors) > 1
                register: Any = tensor.register_post_accumulate_grad_hook if later else tensor.register_hook
                self.handles.append(register(self.arrived))

    @unserializable_hook  # torch.save leaves it out without a warning
    def arrived(self, given: torch.Tensor) -> None:
        """A gradient is about to be added to a tensor, or was added to `given`: the first of a pass tells of the pass."""
        number = task()
        if number == self._pass:
            return
        self._pass = number
        frame = caller()
        if frame is not None and frame.f_code is GRAD:
            return  # torch.autograd.grad adds to no gradient
        roots = roots_of(frame)
        if self._values:
            if roots and any(known() is roots[0] for known in self._roots):
                return  # a pass within the pass, as checkpointing makes
            others = (tensor() for tensor in self.tensors.values())
            if not any(_sloped(tensor) for tensor in others if tensor is not given):
                self._roots.clear()
                self._values.clear()
        self._roots += map(weakref.ref, roots[:1])
        self._values.append(_total(roots))
        self._scaled = any(type(root.grad_fn).__name__ == "MulBackward0" for root in roots)

    def loss(self) -> Value:
        """The sum, without the factor of mixed precision; None where a pass could not be read or there was none."""
        total: Value = 0.0 if self._values else None
        for value in self._values:
            total = None if total is None or value is None else total + value
        scaler = _scaler() if self._scaled and total is not None else None
        return total if scaler is None or total is None else total / scaler.get_scale()


def caller() -> FrameType | None:
    """The frame of torch.autograd's `backward` or `grad` that runs now; None where there is none, or more than one."""
    frame = _engine(sys._getframe(1))
    if frame is None:  # an accelerator's hooks run on a thread of its own, while the caller's waits
        others = [found for found in map(_engine, sys._current_frames().values()) if found is not None]
        frame = others[0] if len(others) == 1 else None
    return frame


def _engine(frame: FrameType | None) -> FrameType | None:
    """The innermost of those frames that was not given gradients from outside."""
    while frame is not None:
        if frame.f_code is GRAD or (frame.f_code is BACKWARD and not _given(frame.f_locals["grad_tensors"])):
            return frame
        frame = frame.f_back
    return None


def _given(slopes: Any) -> bool:
    return slopes is not None and (isinstance(slopes, torch.Tensor) or any(slope is not None for slope in slopes))


def roots_of(frame: FrameType | None) -> list[torch.Tensor]:
    """What that `backward` was called on."""
    if frame is None:
        return []
    roots = frame.f_locals["tensors"]
    return [roots] if isinstance(roots, torch.Tensor) else [root for root in roots if isinstance(root, torch.Tensor)]


def _total(roots: list[torch.Tensor]) -> Value:
    if not roots:
        return None
    values = [root.item() if root.is_cpu else root.detach().clone() for root in roots]
    return sum(values[1:], values[0])


def _sloped(tensor: torch.Tensor | None) -> bool:
    """Whether it has a gradient other than zero."""
    return tensor is not None and tensor.grad is not None and bool(tensor.grad.any())


def _scaler() -> Any:
    """The GradScaler that takes this step; None where the loop takes it itself."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not SCALER:
        frame = frame.f_back
    return None if frame is None else frame.f_locals["self"]
