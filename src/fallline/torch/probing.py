"""What a run of a network can be asked when it is explained: facts about module, loss, rows and run.

`Net.probing(run)` makes one; fallline.explain asks it and imports no torch. Steps walked again are in replay.py, copies with one
thing changed in remade.py.
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from fallline.torch.criterion import Criterion
from fallline.torch.met import Met, met
from fallline.torch.modes import mode, seeded
from fallline.torch.nested import cut, joined, leaves
from fallline.torch.packing import unpacked
from fallline.torch.probe import PARTS, Noise, Probe, probe_of
from fallline.torch.remade import REMADE, elsewhere, one_batch
from fallline.torch.replay import Replay
from fallline.torch.watching import Seen, Watching

Array = np.ndarray[Any, Any]

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
        elsewhere = run.trace.points and not np.array_equal(run.trace.points[0], net.start(), equal_nan=True)
        self.net, self.run = net.begun_at(run.trace.points[0]) if elsewhere else net, run
        self.replay = Replay(self.net, run)

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
    def amounts(self) -> bool:
        """Whether targets are amounts that outputs are held to, one to one: what a loss makes of others is its own affair."""
        targets, outputs = self.probe.targets, self.probe.outputs(self.net.start())
        tensors = isinstance(targets, torch.Tensor) and isinstance(outputs, torch.Tensor)
        return tensors and targets.is_floating_point() and outputs.shape == targets.shape

    @cached_property
    def unknowing(self) -> float:
        """The loss of equal scores (log classes), or of zeros for amounts; NaN for other targets."""
        if self.classes:
            return math.log(self.classes)
        if not self.amounts:
            return math.nan
        return float(self.net.criterion(torch.zeros_like(self.probe.targets), self.probe.targets))

    @cached_property
    def begins(self) -> float:
        """The loss at the start, the median of sixteen parts of the probe's rows: a few rows do not make it."""
        w, part = self.net.start(), len(self.probe) // PARTS
        if not part or not isinstance(self.probe.inputs, torch.Tensor):
            return self.loss(w)
        return float(np.median([self.probe.loss(w, slice(k * part, (k + 1) * part)) for k in range(PARTS)]))

    @cached_property
    def chance(self) -> float:
        """The least loss of outputs that do not look at the inputs: the labels' entropy, or that of the targets' mean; or NaN."""
        targets = self.probe.targets
        if self.classes:
            share = torch.bincount(targets.reshape(-1).clamp_min(0)).double() / targets.numel()
            return float(-(share[share > 0] * share[share > 0].log()).sum())
        if not self.amounts:
            return math.nan
        return float(self.net.criterion(targets.mean(0, keepdim=True).expand_as(targets), targets))

    @cached_property
    def targets(self) -> tuple[float, float]:
        """Mean and deviation of amounts that are held as one tensor, over all outputs; no numbers for others and for classes."""
        targets = self.probe.targets
        if not hasattr(self.net.data, "targets") or self.classes or not targets.is_floating_point():
            return math.nan, math.nan
        return float(targets.double().mean()), float(targets.double().std())

    @cached_property
    def width(self) -> float:
        """What a gradient's norm is told in: the deviation of amounts, 1 for other targets."""
        return max(1.0, float(self.probe.targets.double().pow(2).mean().sqrt())) if self.amounts else 1.0

    def seen(self, w: Array) -> list[Seen]:
        """What every operation gave at w."""
        return self.probe.seen(w)

    def loss(self, w: Array) -> float:
        """The mean loss on the probe's rows."""
        return self.probe.loss(w)

    def noise(self, w: Array) -> Noise | None:
        """The noise scale, where there are rows enough to tell."""
        return self.probe.noise(w) if len(self.probe) >= 128 and hasattr(self.net.data, "inputs") else None

    def met(self, points: Sequence[Array]) -> Met:
        """The noise scale and the curvature's edge at those points (see met.py)."""
        return met(self, points, unpacked(self.run.state.memory[0]))

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
        inputs = cut(self.probe.inputs, slice(8))
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
                apart = joined([module(cut(inputs, half)) for half in (slice(4), slice(4, 8))])
        for name, held in module.named_buffers():
            held.copy_(buffers[name])
        drops = [f"{one.operation} in {one.module}" for one in watching.seen if one.drops]
        pairs = [(a, b) for a, b in zip(leaves(together), leaves(apart), strict=True) if a.shape == b.shape]
        beside = not drops and any(bool((a - b).abs().max() > 1e-3 * a.abs().max()) for a, b in pairs)
        return asleep, drops, beside

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

    @cached_property
    def silent(self) -> list[str]:
        """Operations that give zero for every row where the run begins and where it ends: nothing passes them."""
        ends = [[one.scale == 0.0 for one in self.seen(w)] for w in (self.net.start(), self.run.state.w)]
        named = [f"{one.operation} in {one.module}" for one in self.seen(self.net.start())]
        return [name for name, *zero in zip(named, *ends, strict=False) if all(zero)]

    @cached_property
    def one_batch(self) -> float:
        """The loss of 32 rows after a copy without dropout learnt them alone, as a share of that of equal scores."""
        return one_batch(self)

    @cached_property
    def elsewhere(self) -> float:
        """The lowest loss on a quarter of the probe's rows while a copy without dropout learns the others."""
        return elsewhere(self)

    def module(self) -> nn.Module:
        """A copy of the module as the run began."""
        self.net.flat.load(torch.from_numpy(np.array(self.net.start())))
        copied = deepcopy(self.net.module)
        for name, held in copied.named_buffers():
            held.copy_(self.net.buffers()[name])
        return copied

    def remade(self, how: str) -> Any:
        """A copy of the network with one thing changed: see remade.py."""
        return REMADE[how](self, self.module())

    def with_module(self, module: nn.Module, criterion: Criterion | None = None, data: Any = None) -> Any:
        other = self.net.with_module(module)
        other.criterion = criterion or other.criterion
        other.data = other.data if data is None else data
        other.n = other.data.n
        return other
