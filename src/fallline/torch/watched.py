"""What a watched loop can be asked when it is explained: the order of its rows is not known, so no step of it is walked again.

Where its rows are not known either, what is asked of them has no answer, and trace and module tell the rest.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from fallline.errors import InputError
from fallline.torch.gauges import curvature
from fallline.torch.met import Met, edge_of, met
from fallline.torch.modes import seeded
from fallline.torch.net import Net
from fallline.torch.optimizers import walked_by
from fallline.torch.probing import Probing
from fallline.torch.replay import Replay, broken_in
from fallline.torch.watching import Seen

Array = np.ndarray[Any, Any]

MOODY = nn.modules.dropout._DropoutNd | nn.modules.batchnorm._NormBase
BLOCK = 2048  # rows among which one is looked for that gives what is no number


class Unrepeated(Replay):
    """The same questions of steps that cannot be walked again, answered by the last point kept before them, or not."""

    exact = False

    def point(self, t: int) -> Array:
        """The last finite point kept that was there after t steps, or before."""
        trace = self.run.trace
        kept = zip(trace["t"], trace.points, strict=False)
        before = [w for when, w in kept if when <= t and np.isfinite(w).all()]
        return before[-1] if before else np.asarray(self.net.start())

    def worst_rows(self, t: int, most: int = 5) -> tuple[list[int], float]:
        """Nobody knows which rows the step had."""
        return [], math.nan

    def sharpness(self, t: int) -> tuple[float, float]:
        """(λ·rate, its edge) of plain steps and heavy ball; what an adaptive optimizer remembered is not kept."""
        edge, adaptive = edge_of(memory_of(self.run.plan, self.net))
        if adaptive or not np.isfinite(edge) or self.net.untried:
            return math.nan, math.nan
        rate = float(self.run.plan.pace(self.net, self.run.plan.rate).at(t + 1))
        return rate * curvature(self.net, self.point(t)), edge

    def broken_by(self, t: int) -> tuple[str, str, bool]:
        """(module, operation, backward) that gives what is not finite at the last finite point kept; empty where none does."""
        net = self.net
        net.flat.load(torch.from_numpy(np.array(self.point(t - 1), dtype=net.start().dtype)))
        with seeded(0, net.device):
            return broken_in(net, *next(net.data.blocks(BLOCK)))


def memory_of(plan: Any, net: Any) -> dict[str, Any]:
    """What the plan's optimizer remembers before its first step: its settings."""
    _, walker = walked_by(plan.stepper(net)[0], net.flat)
    return {"optimizer": walker.memory(), "name": walker.name}


class Watched(Probing):
    """A loop that somebody else walked, on rows that are given."""

    def __init__(self, net: Any, run: Any) -> None:
        super().__init__(net, run)
        self.replay = Unrepeated(self.net, run)

    def met(self, points: Sequence[Array]) -> Met:
        """The noise scale and the curvature's edge at those points. Raises InputError where no rows are known to measure them."""
        if self.net.untried:
            raise InputError(f"Noise and curvature are not measured: {self.net.untried}.")
        return met(self, points, memory_of(self.run.plan, self.net))

    @cached_property
    def wrong_mode(self) -> tuple[list[str], list[str], bool]:
        """As of any network; and what was told to evaluate during most of the loop's steps."""
        asleep, drops, beside = super().wrong_mode
        return asleep or self.evaluating, drops, beside

    @property
    def evaluating(self) -> list[str]:
        """Dropouts and batch norms that evaluated during most steps: the loop had called eval()."""
        if self.run.trace.about["evaluating"] <= 0.5 * self.run.state.t:
            return []
        return [
            name or type(part).__name__ for name, part in self.net.module.named_modules() if isinstance(part, MOODY)
        ]


class Unlabelled(Watched):
    """The same of which only the inputs that the model was last called with are known, or not even they."""

    classes, chance, one_batch, saturates_twice, gives_shares = 0, math.nan, math.nan, 0.0, False
    targets, held_out = (math.nan, math.nan), (np.zeros(0), np.zeros(0), np.zeros(0))

    @property
    def unknowing(self) -> float:
        """The loss that it began with: a network that was drawn well knows nothing then."""
        return float(self.run.trace["loss"][0])

    begins = unknowing

    @property
    def width(self) -> float:
        """The loss's root, that of the mean of squared amounts, unless the outputs themselves are so large."""
        root = math.sqrt(max(self.unknowing, 0.0))
        outputs = self.seen(self.net.start())[-1:]
        return 1.0 if outputs and outputs[0].scale > 0.5 * root else max(1.0, root)

    def seen(self, w: Array) -> list[Seen]:
        """What every operation gave on the inputs heard last."""
        return super().seen(w) if self.net.heard else []

    def noise(self, w: Array) -> None:
        """None: it is told from rows."""

    @property
    def wrong_mode(self) -> tuple[list[str], list[str], bool]:
        """As of any network where there are inputs to call it with."""
        return super().wrong_mode if self.net.heard else (self.evaluating, [], False)


class Unfed(Net):
    """A network of which nobody knows rows and loss. heard: inputs that its module was called with, or None."""

    untried = "no rows are known (give what the loop is fed: seen.explain((inputs, targets)))"

    def __init__(self, module: nn.Module, heard: torch.Tensor | None) -> None:
        sound = heard is not None and len(heard) > 1 and not (heard.is_floating_point() and not heard.isfinite().all())
        inputs = heard if heard is not None and sound else torch.zeros(1)
        self.heard = sound
        super().__init__(module, (inputs, torch.zeros(len(inputs))), slopes)

    def _suits(self, data: Any, first: Any) -> None:
        """There is nothing to try: several models side by side are not called either."""

    def probing(self, run: Any) -> Unlabelled:
        """What it can be asked."""
        return Unlabelled(self, run)


def slopes(outputs: Any, targets: Any) -> Any:
    """The mean of the outputs, of the first of several: it stands for a loss where slopes are followed back, never told."""
    return outputs.mean() if isinstance(outputs, torch.Tensor) else slopes(outputs[0], targets)
