"""What a run of a network can be asked when it is explained: facts, replays of a step, and copies with one thing changed.

`Net.probing(run)` makes one; fallline.explain asks it and imports no torch. A replay walks the same plan from the same start,
which gives the same bits on a CPU; a run that went on from another is not replayed.
"""

import math
from copy import deepcopy
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from fallline.stops import Updates
from fallline.torch.batches import Tensors
from fallline.torch.criterion import Criterion
from fallline.torch.gauges import EPS, curvature
from fallline.torch.modes import mode, seeded
from fallline.torch.packing import unpacked
from fallline.torch.probe import Noise, Probe, probe_of
from fallline.torch.remade import REMADE
from fallline.torch.watching import Seen, Watching

Array = np.ndarray[Any, Any]

ONE = 32  # rows of the one batch that every network ought to fit
FIT = "NAdam:weight_decay=0.0,scale=fan_in"  # how it is fitted
SURE = 50.0  # a score so much above the others is certain
LOOKS = 12  # points at which rows held out are measured


class Weight(NamedTuple):
    """A tensor of more than one dimension: its name, numbers in it, and its length at the start."""

    name: str
    numbers: int
    length: float


class Probing:
    """A network, its run, and what is found out about both; everything once."""

    def __init__(self, net: Any, run: Any) -> None:
        self.net, self.run = net, run

    @cached_property
    def probe(self) -> Probe:
        """The rows that it is looked at on."""
        return probe_of(self.net)

    @cached_property
    def weights(self) -> list[Weight]:
        """In the module's order; vectors (biases, scales of norms) are left out."""
        parts = self.net.flat.pieces(torch.from_numpy(np.array(self.net.start())))
        return [
            Weight(name, part.numel(), float(part.norm()))
            for name, part in zip(self.net.layers, parts, strict=True) if part.ndim > 1
        ]  # fmt: skip

    @cached_property
    def recurrent(self) -> bool:
        """Whether the module has a recurrent layer."""
        return any(isinstance(part, nn.RNNBase | nn.RNNCellBase) for part in self.net.module.modules())

    @cached_property
    def classes(self) -> int:
        """Outputs of a classifier by cross-entropy; 0 for other losses."""
        targets, outputs = self.probe.targets, self.probe.outputs(self.net.start())
        return int(outputs.shape[1]) if self.net.criterion.classed(targets) and outputs.ndim > 1 else 0

    @cached_property
    def unknowing(self) -> float:
        """The loss of equal scores (log classes), or of zeros for amounts."""
        if self.classes:
            return math.log(self.classes)
        return float(self.net.criterion(torch.zeros_like(self.probe.targets), self.probe.targets))

    @cached_property
    def chance(self) -> float:
        """The least loss of outputs that do not look at the inputs: the labels' entropy, or the loss of the targets' mean."""
        targets = self.probe.targets
        if self.classes:
            share = torch.bincount(targets.reshape(-1).clamp_min(0)).double() / targets.numel()
            return float(-(share[share > 0] * share[share > 0].log()).sum())
        if not targets.is_floating_point():
            return math.nan
        return float(self.net.criterion(targets.mean(0, keepdim=True).expand_as(targets), targets))

    @cached_property
    def width(self) -> float:
        """What a gradient's norm is told in: the deviation of amounts, 1 for classes."""
        targets = self.probe.targets
        return 1.0 if self.classes else max(1.0, float(targets.double().pow(2).mean().sqrt()))

    def seen(self, w: Array) -> list[Seen]:
        """What every operation gave at w."""
        return self.probe.seen(w)

    def loss(self, w: Array) -> float:
        """The mean loss on the probe's rows."""
        return self.probe.loss(w)

    def noise(self, w: Array) -> Noise | None:
        """The noise scale, where there are rows enough to tell."""
        return self.probe.noise(w) if len(self.probe) >= 128 and hasattr(self.net.data, "inputs") else None

    @cached_property
    def saturates_twice(self) -> float:
        """The loss of a certain and right answer, where more certainty does not lower it; 0 where all is well."""
        if not self.classes or self.net.criterion.name == "nll":
            return 0.0
        right = nn.functional.one_hot(self.probe.targets.reshape(-1).clamp_min(0), self.classes).to(
            self.net.flat.tensors[0]
        )
        losses = [float(self.net.criterion(sure * right, self.probe.targets.reshape(-1))) for sure in (SURE, 2 * SURE)]
        return losses[0] if losses[0] > 0.05 and abs(losses[0] - losses[1]) < 1e-3 * losses[0] else 0.0

    @cached_property
    def gives_shares(self) -> bool:
        """Whether the outputs are probabilities, where the loss takes logits."""
        outputs = self.probe.outputs(self.net.start())
        if not self.classes or self.net.criterion.name in ("nll",) or self.classes < 2:
            return False
        sums = outputs.sum(1)
        return bool((outputs >= 0).all()) and bool(((sums - 1.0).abs() < 1e-3).all())

    @cached_property
    def frozen(self) -> list[str]:
        """Tensors that no step changes: without a gradient, or in a list that torch does not look into."""
        named = [name for name, tensor in self.net.module.named_parameters() if not tensor.requires_grad]
        known = {id(part) for part in self.net.module.modules()}
        for path, part in self.net.module.named_modules():
            for field, held in vars(part).items():
                if field.startswith("_") or not isinstance(held, list | tuple | dict):
                    continue
                inside = list(held.values()) if isinstance(held, dict) else list(held)
                lost = [one for one in inside if isinstance(one, nn.Module) and id(one) not in known]
                named += [f"{path}{'.' if path else ''}{field}"] * bool(lost)
        return named

    @cached_property
    def wrong_mode(self) -> tuple[list[str], list[str], bool]:
        """Parts that evaluate though they are told to train; operations that drop units though told to evaluate; and whether
        a row's output then depends on the rows beside it.
        """
        module, w = self.net.module, self.net.start()
        inputs = self.probe.inputs[:8] if isinstance(self.probe.inputs, torch.Tensor) else self.probe.inputs
        buffers = {name: held.clone() for name, held in module.named_buffers()}
        self.net.flat.load(torch.from_numpy(np.array(w)))
        moody = nn.modules.dropout._DropoutNd | nn.modules.batchnorm._NormBase
        with torch.no_grad(), seeded(0, self.net.device):
            with mode(module, training=True):
                module(inputs)
                asleep = [
                    name for name, part in module.named_modules() if isinstance(part, moody) and not part.training
                ]
            with mode(module, training=False):
                with Watching(module) as watching:
                    together = module(inputs)
                apart = (
                    together
                    if not isinstance(inputs, torch.Tensor)
                    else torch.cat([module(inputs[:4]), module(inputs[4:])])
                )
        for name, held in module.named_buffers():
            held.copy_(buffers[name])
        drops = [f"{one.operation} in {one.module}" for one in watching.seen if one.drops]
        beside = not drops and bool((together - apart).abs().max() > 1e-3 * together.abs().max())
        return asleep, drops, beside

    @cached_property
    def one_batch(self) -> float:
        """The loss of 32 rows after a copy without dropout learnt them alone, as a share of that of equal scores."""
        net, probe = self.net, self.probe
        if not isinstance(probe.inputs, torch.Tensor):
            return math.nan
        part = Tensors(probe.inputs[:ONE], probe.targets[:ONE], None, net.device, net.flat.tensors[0].dtype)
        module = deepcopy(net.module)
        for each in module.modules():
            if isinstance(each, nn.modules.dropout._DropoutNd):
                each.p = 0.0
        left = []
        for rate, steps in ((8e-3, 60), (2e-3, 150)):
            small = self.with_module(module, data=part)
            plan = replace(
                self.run.plan, **_bare(), step=FIT, variant="batch", rate=rate, budget="updates", amount=steps
            )
            left.append(float(plan.run(small, looks=0).trace.steps["loss"][-5:].min()) / max(self.unknowing, 1e-12))
            if left[-1] < 0.5:
                break
        return min(left)

    def at(self, t: int) -> Any:
        """The run as it stood after t steps, walked again."""
        return self.run.plan.run(self.net, looks=0, stops=[Updates(t)]) if t else None

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
        group = memory["optimizer"]["param_groups"][0] if memory["optimizer"] and memory["name"] else {}
        if "betas" in group:
            beta1, beta2 = group["betas"]
            held = memory["optimizer"]["state"]
            squares = torch.cat([held[k]["exp_avg_sq"].reshape(-1) for k in sorted(held)]) / (1.0 - beta2**t)
            edge = 2.0 * (1.0 + beta1) / (1.0 - beta1)
            return rate * curvature(self.net, w, (1.0 - beta1**t) * (squares.sqrt() + EPS)), edge
        if memory["name"] == "SGD":
            return rate * curvature(self.net, w), 2.0 * (1.0 + float(group.get("momentum", 0.0)))
        return math.nan, math.nan

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
        with mode(net.module, training=True), torch.enable_grad(), Watching(net.module, keep=True) as watching:
            loss = net.loss(inputs, targets, weights)
        for one in watching.seen:
            if not one.sound:
                return one.module, one.operation, False
        slopes: dict[int, bool] = {}
        for _, _, out, given in watching.made:
            for tensor in (out, *given):
                tensor.register_hook(partial(_note, slopes, id(tensor)))  # type: ignore[no-untyped-call]
        loss.backward()
        net.flat.clear()
        for module, operation, out, given in reversed(watching.made):
            if slopes.get(id(out), True) and not all(slopes.get(id(tensor), True) for tensor in given):
                return module, operation, True
        return "", "", False

    @cached_property
    def held_out(self) -> tuple[Array, Array, Array]:
        """(t, loss on rows held out, loss on the probe's training rows) at up to a dozen looks; empty without such rows."""
        net, trace = self.net, self.run.trace
        points = trace.points
        held = net.held_out(2048)
        if held is None or not points:
            return np.zeros(0), np.zeros(0), np.zeros(0)
        chosen = np.unique(np.linspace(0, len(points) - 1, LOOKS).round().astype(int))
        chosen = np.array([k for k in chosen if np.isfinite(points[k]).all()], int)
        return (
            trace["t"][chosen], np.array([held.loss(points[k]) for k in chosen]),
            np.array([self.probe.loss(points[k]) for k in chosen]),
        )  # fmt: skip

    def remade(self, how: str) -> Any:
        """A copy of the network with one thing changed: see remade.py."""
        return REMADE[how](self, deepcopy(self.net.module))

    def with_module(self, module: nn.Module, criterion: Criterion | None = None, data: Any = None) -> Any:
        other = self.net.with_module(module)
        other.criterion = criterion or other.criterion
        other.data = other.data if data is None else data
        other.n = other.data.n
        return other


def _note(slopes: dict[int, bool], key: int, slope: torch.Tensor) -> None:
    """Whether the gradient at a tensor is finite."""
    slopes[key] = bool(torch.isfinite(slope).all())


def _bare() -> dict[str, Any]:
    return {
        "schedule": "constant",
        "warmup": 0,
        "average": "none",
        "clip_norm": None,
        "clip_value": None,
        "batch_size": None,
    }
