"""The engine: one segment of a network's walk by torch's autograd and optimizers, with what was seen of every step.

It is a function of the state, as every executor is: what an optimizer and running statistics hold goes into the state's
memory, chance comes from (seed, segment), so 10 epochs and 10 more are the same bits as 20, on a CPU.
"""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from fallline.averages import Last
from fallline.descent import State, looked_at
from fallline.errors import InputError, saying
from fallline.torch.batches import seed_of
from fallline.torch.chain import chain_of
from fallline.torch.memory import full
from fallline.torch.modes import mode, seeded
from fallline.torch.nested import cut, rows_in
from fallline.torch.optimizers import walked_by
from fallline.torch.packing import packed, unpacked
from fallline.torch.trial import blame, refuse_missing

Array = np.ndarray[Any, Any]

FIRST = 20  # steps of a walk that are measured every one: what goes wrong at the start is seen there
OFTEN = 25  # then one of so many is measured: norms cost a tenth of a small network's step, and so 0.4 % of a walk
HEAD = ("loss", "gradient_norm", "loss_at_looks", "validation_loss")  # what is seen of a step, before its tensors
ALONE = "more than 1 value per channel"  # as torch's batch norm says it
PER_LAYER = ("gradient/", "update/")  # ‖g‖ of a tensor; ‖Δw‖/‖w‖ of it


class Autograd(NamedTuple):
    """Walks a Net (see net.py). layers: names of its tensors, for the trace's columns; seed: of dropout and loaders.

    measured: whether the loss of a look is measured on all rows, in evaluation mode, instead of told from the batches since
    the last. Its memory is three arrays: what optimizer and module remember, as bytes; what was seen of the last segment's
    steps, (steps, 4 + 2·layers): the batch's loss before the step, the gradient's norm, where somebody looked the loss on all
    rows and on those of validation, then of every tensor the gradient's norm and ‖Δw‖/‖w‖, NaN where nobody measured; and
    the seconds spent looking.
    """

    layers: tuple[str, ...] = ()
    seed: int = 0
    measured: bool = False

    def start(self, net: Any, w: Array) -> tuple[Array, ...]:
        """The module's running statistics, no optimizer's memory yet, and the losses at w instead of those of steps."""
        held = {"optimizer": None, "name": "", "buffers": net.buffers()}
        _put(net, w, net.buffers())  # a function that makes batches sees the module as it stands
        seen = np.full((1, len(HEAD) + 2 * len(self.layers)), np.nan, dtype=np.float32)
        seen[0, 0] = net.value(w) if self.measured else net.glance(w)
        if net.validation is not None:
            seen[0, 3] = net.mean_loss(w, net.validation)
        return packed(held), seen, np.zeros(1)

    def readings(self, state: State) -> dict[str, Any]:
        """What was seen of the last segment's steps, as columns (steps,); at the start, the losses alone."""
        _, seen, looking = state.memory
        names = [*HEAD, *(f"{kind}{name}" for kind in PER_LAYER for name in self.layers)]
        if not state.t:
            return {name: float(seen[0, k]) for k, name in enumerate(names) if np.isfinite(seen[0, k]) or not k}
        known = {
            name: seen[:, k].astype(float) for k, name in enumerate(names) if not k or np.isfinite(seen[:, k]).any()
        }
        return {**known, "looking": float(looking[0])}

    def __call__(
        self, net: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment."""
        held, flat = unpacked(state.memory[0]), net.flat
        _put(net, state.w, held["buffers"])
        try:
            clip, walker = walked_by(step, flat)
        except RuntimeError as error:
            _refuse_crowded(net, getattr(step, "name", type(step).__name__), error)
            raise
        if held["optimizer"] is not None:
            if held["name"] != walker.name:
                raise InputError(
                    f"The run to go on with was walked by {held['name']}, whose memory {walker.name} cannot use: begin anew."
                )
            walker.restore(held["optimizer"])
        walker.answering(False)
        chain = chain_of(net)
        backward = partial(_backward, net) if chain is None else chain.backward
        seen = torch.full((segment.length, len(HEAD) + 2 * len(self.layers)), float("nan"))
        losses = seen.numpy()[:, 0]
        looking = 0.0
        looks: list[Array] = []
        mean, ends = torch.from_numpy(state.mean.copy()), looked_at(segment.length, every).tolist()
        averaged = not isinstance(average, Last)
        paces = [float(schedule.at(t)) for t in range(state.t + 1, state.t + 1 + segment.length)]
        with seeded(seed_of(self.seed, state.segments), net.device), mode(net.module, training=True):
            for k, rows in enumerate(segment.steps()):
                t = state.t + k + 1
                flat.clear()
                try:
                    inputs, targets, weights = net.data.batch(rows)
                    losses[k] = loss = backward(inputs, targets, weights).item()
                    if not math.isfinite(loss) and bool(flat.read().isfinite().all()):
                        refuse_missing((inputs, targets, weights))
                except Exception as error:
                    _refuse(net, rows, t, k, error)
                    raise
                measured = t <= FIRST or t % OFTEN == 0
                before = flat.read().clone() if measured else None
                if measured:
                    _slopes(flat, seen[k], len(self.layers))
                clip(flat)
                again = partial(
                    _again, flat, partial(backward, inputs, targets, weights), partial(_refuse, net, rows, t, k)
                )
                try:
                    walker.step(paces[k], t, again)
                except RuntimeError as error:
                    _refuse_crowded(net, walker.name, error)
                    raise
                if before is not None:
                    _updates(flat, before, seen[k], len(self.layers))
                if averaged:
                    mean.lerp_(flat.read(), average.weight(t))
                if k + 1 == ends[len(looks)]:
                    looks.append(mean.numpy().copy() if averaged else _answer(walker, flat))
                    began = time.perf_counter()
                    self._look(net, looks[-1], seen[k])
                    looking += time.perf_counter() - began
        w = flat.read().numpy().copy()
        buffers = dict(net.module.named_buffers())
        memory = packed({"optimizer": walker.memory(), "name": walker.name, "buffers": buffers})
        return State(
            w, (memory, seen.numpy(), np.array([looking])), looks[-1], state.t + segment.length, state.segments + 1
        ), np.array(looks)

    def _look(self, net: Any, w: Array, seen: torch.Tensor) -> None:
        """Measure the losses that are measured where somebody looks, by the running statistics of now."""
        buffers = dict(net.module.named_buffers())
        if self.measured:
            seen[2] = net.mean_loss(w, net.data, buffers)
        if net.validation is not None:
            seen[3] = net.mean_loss(w, net.validation, buffers)


def _put(net: Any, w: Array, buffers: dict[str, torch.Tensor]) -> None:
    """Make w the module's parameters, and those its running statistics."""
    net.flat.load(torch.from_numpy(w))
    for name, buffer in net.module.named_buffers():
        buffer.copy_(buffers[name])


def _backward(net: Any, inputs: Any, targets: Any, weights: Any) -> torch.Tensor:
    """Add the batch's gradient to what there is, in the parts that were asked for. Returns its loss."""
    if net.accumulate == 1:
        with net.computing():
            loss = net.loss(inputs, targets, weights)
        loss.backward()
        return loss.detach()
    total: Any = 0.0
    rows = rows_in(targets)
    parts = min(net.accumulate, max(rows // (2 if net.normed else 1), 1))
    ends = [rows * k // parts for k in range(parts + 1)]
    for part in map(slice, ends, ends[1:]):
        share = (part.stop - part.start) / rows
        with net.computing():
            loss = net.loss(cut(inputs, part), cut(targets, part), cut(weights, part)) * share
        loss.backward()
        total = total + loss.detach()
    return total


def _refuse(net: Any, rows: Any, t: int, k: int, error: Exception) -> None:
    """Raise InputError with what is wrong about the batch at which step t failed; return where nothing is known to be."""
    with saying(f"Step {t:,}, batch {k + 1:,} of the pass"):
        batch = net.data.batch(rows)
        if full(error):
            raise InputError(too_large(net, *batch[:2])) from error
        if ALONE in str(error):
            raise InputError(
                "The module computes a single row, of which batch norm has no spread: take a batch_size (or accumulate) that "
                "leaves none over, or drop_last=True in a loader."
            ) from error
        blame(net, batch, error)


def _refuse_crowded(net: Any, name: str, error: RuntimeError) -> None:
    """Raise InputError where it was the optimizer's own memory that had no room; else return."""
    if full(error):
        raise InputError(
            f"The memory of {net.device} has no room for what {name} remembers beside the module, whatever the batch: name an "
            "optimizer that remembers less, such as SGD, or take a smaller module."
        ) from error


def too_large(net: Any, inputs: Any, targets: Any) -> str:
    """The sentence for a batch that memory does not hold, with the largest half, quarter, … of it that it does."""
    count = rows_in(targets)
    fits = count // 2
    while fits:
        net.flat.clear()
        try:
            _backward(net, cut(inputs, slice(fits)), cut(targets, slice(fits)), None)
            break
        except RuntimeError as error:
            if not full(error):
                raise
            fits //= 2
    net.flat.clear()
    said = f"A batch of {count:,} rows does not fit into the memory of {net.device}"
    if not fits:
        return f"{said}, nor does a single row: take a smaller module."
    parts = -(-count // fits) * net.accumulate
    how = (
        f"take batch_size={fits}" if net.rows is None else f"let the loader, or the function, give batches of {fits:,}"
    )
    return f"{said}; one of {fits:,} does: {how}, or keep the batch and compute it in parts with Net(…, accumulate={parts})."


def _again(flat: Any, backward: Callable[[], torch.Tensor], refuse: Callable[[Exception], None]) -> torch.Tensor:
    """The same batch's loss and gradient, for an optimizer that looks again within its step."""
    flat.clear()
    try:
        with torch.enable_grad():
            return backward()
    except Exception as error:
        refuse(error)
        raise


def _slopes(flat: Any, seen: torch.Tensor, layers: int) -> None:
    norms = torch.stack([slope.norm() for slope in flat.slopes()])
    seen[len(HEAD) : len(HEAD) + layers] = norms
    seen[1] = norms.norm()


def _updates(flat: Any, before: torch.Tensor, seen: torch.Tensor, layers: int) -> None:
    sizes = torch.stack([piece.norm() for piece in flat.pieces(before)])
    moved = flat.pieces(torch.sub(flat.read(), before, out=before))  # new memory would cost more than the arithmetic
    seen[len(HEAD) + layers :] = torch.stack([piece.norm() for piece in moved]) / sizes.clamp_min(1e-12)


def _answer(walker: Any, flat: Any) -> Array:
    walker.answering(True)
    w: Array = flat.read().numpy().copy()
    walker.answering(False)
    return w
