"""Steps of a network's run walked again, to see what happened in one of them: its rows, its curvature, where a number broke.

The same plan from the same point gives the same bits on a CPU. A run that went on from another is walked whole, since its trace
is; where plans differed, the losses do, and the sentence says so.
"""

import math
from functools import partial
from typing import Any

import numpy as np
import torch

from fallline.errors import InputError
from fallline.stops import Updates
from fallline.torch.gauges import EPS, curvature
from fallline.torch.met import edge_of
from fallline.torch.modes import mode
from fallline.torch.packing import unpacked
from fallline.torch.watching import Watching

Array = np.ndarray[Any, Any]

SAME = 1e-3  # of a loss: what devices that add in any order leave between a walk and its replay


class Replay:
    """The steps of `run` on `net`, which begins where the run did."""

    exact = True  # whether it is the step itself that is looked at

    def __init__(self, net: Any, run: Any) -> None:
        self.net, self.run = net, run

    def at(self, t: int) -> Any:
        """The run as it stood after t steps, walked again; None before the first. Raises InputError where it was another walk."""
        if not t:
            return None
        again = self.run.plan.run(self.net, looks=0, stops=[Updates(t)])
        then, now = self.run.trace.steps["loss"][:t], again.trace.steps["loss"][:t]
        if len(now) < len(then) or not np.allclose(now[: len(then)], then, rtol=SAME, atol=SAME, equal_nan=True):
            raise InputError(
                f"Walking the run's plan again does not give its first {t:,} losses: it went on from a run of another plan, "
                "whose steps this one cannot repeat. Explain that run, or walk one plan from the start."
            )
        return again

    def batch(self, t: int) -> Any:
        """The rows of step t (from 1): numbers, or the batch itself."""
        plan, n = self.run.plan, self.net.n
        if plan.variant == "batch":
            return np.arange(n)
        sampler, segments, done = plan.order(self.net, plan.size(n)), 0, 0
        while True:
            segment = sampler.segment(n, segments)
            if done + segment.length >= t:
                return next(rows for k, rows in enumerate(segment.steps(), 1) if done + k == t)
            segments, done = segments + 1, done + segment.length

    def worst_rows(self, t: int, most: int = 5) -> tuple[list[int], float]:
        """Of step t's batch the rows whose gradient-making loss is highest, and their share of the batch's."""
        rows = self.batch(t)
        if not isinstance(rows, np.ndarray) or not hasattr(self.net.data, "inputs"):
            return [], math.nan
        before = self.at(t - 1)
        w = self.net.start() if before is None else before.state.w
        tensors = self.net.named(w)
        losses = []
        with torch.inference_mode(), mode(self.net.module, training=False):
            for row in rows.tolist():
                inputs, targets, _ = self.net.data.batch(np.array([row]))
                named = {**tensors, **self.net.buffers()}
                losses.append(
                    float(self.net.criterion(torch.func.functional_call(self.net.module, named, (inputs,)), targets))
                )
        order = np.argsort(losses)[::-1]
        high = [k for k in order[:most] if losses[k] > 3.0 * np.median(losses)] or list(order[:1])
        return [int(rows[k]) for k in high], float(np.sum([losses[k] for k in high]) / max(np.sum(losses), 1e-12))

    def sharpness(self, t: int) -> tuple[float, float]:
        """(λ·rate, its edge) before step t + 1: for heavy ball 2(1 + β), for Adam 38 of the preconditioned at β₁ = 0.9."""
        before = self.at(t)
        if before is None:
            return math.nan, math.nan
        memory = unpacked(before.state.memory[0])
        w, rate = before.state.w, float(self.run.plan.pace(self.net, self.run.plan.rate).at(t + 1))
        edge, adaptive = edge_of(memory)
        if not adaptive:
            return rate * curvature(self.net, w) if np.isfinite(edge) else math.nan, edge
        beta1, beta2 = memory["optimizer"]["param_groups"][0]["betas"]
        held = memory["optimizer"]["state"]
        squares = torch.cat([held[k]["exp_avg_sq"].reshape(-1) for k in sorted(held)]) / (1.0 - beta2**t)
        return rate * curvature(self.net, w, (1.0 - beta1**t) * (squares.sqrt() + EPS)), edge

    def broken_by(self, t: int) -> tuple[str, str, bool]:
        """(module, operation, backward) that first gave what is not finite in step t; 0: for all rows at the start."""
        before = self.at(t - 1) if t else None
        net, w = self.net, self.net.start() if before is None else before.state.w
        net.flat.load(torch.from_numpy(np.array(w)))
        if before is not None:
            held = unpacked(before.state.memory[0])["buffers"]
            for name, buffer in net.module.named_buffers():
                buffer.copy_(held[name])
        inputs, targets, weights = net.data.batch(self.batch(t)) if t else next(net.data.blocks(net.n))
        return broken_in(net, inputs, targets, weights)


def broken_in(net: Any, inputs: Any, targets: Any, weights: Any) -> tuple[str, str, bool]:
    """(module, operation, backward) that first gives what is not finite on a batch, by the module as it stands; or empty."""
    with mode(net.module, training=True), torch.enable_grad(), Watching(net.module, keep=True) as watching:
        loss = net.loss(inputs, targets, weights)
    for one in watching.seen:
        if not one.sound:
            return one.module, one.operation, False
    slopes: dict[int, bool] = {}
    for _, _, out, given in watching.made:
        for tensor in (out, *given):
            tensor.register_hook(partial(_note, slopes, id(tensor)))
    loss.backward()
    net.flat.clear()
    for module, operation, out, given in reversed(watching.made):
        if slopes.get(id(out), True) and not all(slopes.get(id(tensor), True) for tensor in given):
            return module, operation, True
    return "", "", False


def _note(slopes: dict[int, bool], key: int, slope: torch.Tensor) -> None:
    """Whether the gradient at a tensor is finite."""
    slopes[key] = bool(torch.isfinite(slope).all())
