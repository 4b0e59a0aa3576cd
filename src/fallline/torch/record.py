"""What was seen of somebody else's loop, step by step and look by look, and the trace that it makes."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from fallline.torch.backward import Value
from fallline.torch.engine import HEAD, PER_LAYER
from fallline.trace import PATH_LIMIT, Trace

Array = np.ndarray[Any, Any]

LOSS, SLOPE = HEAD[:2]


class Look(NamedTuple):
    """What was measured around one step."""

    t: int
    visits: int  # rows so far
    seconds: float
    rate: float
    move: float  # from the point of the look before
    size: float
    names: tuple[str, ...]  # of the tensors
    slopes: Array  # (names,) the gradient's norm
    updates: Array  # (names,) ‖Δw‖/‖w‖

    @property
    def slope(self) -> float:
        """The norm of the whole gradient."""
        return float(np.linalg.norm(self.slopes))


class Record:
    """Losses, an entry a step, None where it could not be told; looks; and the points looked at, the start before them."""

    def __init__(self) -> None:
        self.losses: list[Value] = []
        self.looks: list[Look] = []
        self.points: list[torch.Tensor] = []
        self.start: torch.Tensor | None = None
        self.last: torch.Tensor | None = None
        self.room: torch.Tensor | None = None  # of a point that is not kept: the next may be put there

    def note(self, look: Look, start: torch.Tensor | None, after: torch.Tensor) -> None:
        """Add a look and the point after its step; of the first one also the point before."""
        if start is not None:
            self.start = start
            self.points.append(start)
        if self.points and len(self.points[-1]) == len(after) and len(self.points) * after.nbytes <= PATH_LIMIT:
            self.points.append(after)
        else:
            self.points.clear()
            self.room = self.last
        self.looks.append(look)
        self.last = after

    def move(self, after: torch.Tensor, room: torch.Tensor) -> float:
        """How far it is to `after` from the point of the look before; `room` is written over."""
        if self.last is None or len(self.last) != len(after):
            return math.nan
        return float(torch.sub(after, self.last, out=room).norm())

    @property
    def told(self) -> Array:
        """Whether a loss is known, (steps,)."""
        return np.array([loss is not None for loss in self.losses], dtype=bool)

    @property
    def known(self) -> list[int]:
        """The looks since whose forerunner some loss is known."""
        told = self.told
        return [k for k, part in enumerate(self._parts()) if told[part].any()]

    def trace(self, n: int, about: dict[str, Any], shown: Sequence[int] | None = None) -> Trace:
        """The trace, of the looks `shown` or of all; the loss of a look is the mean of those known since the look before, and
        at the start that of the first step, which is taken there.
        """
        trace = Trace(n)
        trace.about.update(about)
        if not self.looks:
            return trace
        shown = range(len(self.looks)) if shown is None else shown
        losses, told, parts = self._values(), self.told, self._parts()
        looks, first = [self.looks[k] for k in shown], self.looks[shown[0]]
        means = [losses[parts[k]][told[parts[k]]] for k in shown]
        with np.errstate(over="ignore", invalid="ignore"):
            heights = [float(known.mean()) if len(known) else math.nan for known in means]
        start = losses[told][0] if told.any() else math.nan
        size = float(self.points[0].norm()) if self.points else first.size
        columns: dict[str, list[Any]] = {
            "t": [0, *(look.t for look in looks)],
            "visits": [0, *(look.visits for look in looks)],
            "seconds": [0.0, *(look.seconds for look in looks)],
            "loss": [float(start), *heights],
            "rate": [math.nan, *(look.rate for look in looks)],
            "move": [0.0, *(look.move for look in looks)],
            "size": [size, *(look.size for look in looks)],
        }
        trace.columns.update(columns)
        if self.points and len(looks) == len(self.looks):
            trace.points = [point.numpy().astype(float) for point in self.points]
        trace.steps = self._steps(losses)
        return trace

    def _values(self) -> Array:
        """The losses as numbers, (steps,); those that stand on an accelerator are fetched now."""
        self.losses = [float(loss) if isinstance(loss, torch.Tensor) else loss for loss in self.losses]
        return np.array([math.nan if loss is None else loss for loss in self.losses], dtype=float)

    def _parts(self) -> list[slice]:
        """The steps of each look: those since the look before."""
        ends = [0, *(look.t for look in self.looks)]
        return [slice(first, last) for first, last in pairwise(ends)]

    def _steps(self, losses: Array) -> dict[str, Array]:
        steps = {"t": np.arange(1, len(losses) + 1), LOSS: losses, SLOPE: np.full(len(losses), math.nan)}
        for look in self.looks:
            steps[SLOPE][look.t - 1] = look.slope
            for kind, values in zip(PER_LAYER, (look.slopes, look.updates), strict=True):
                for name, value in zip(look.names, values, strict=True):
                    if kind + name not in steps:
                        steps[kind + name] = np.full(len(losses), math.nan)
                    steps[kind + name][look.t - 1] = value
        return steps
