"""The nouns of fallline as Protocols: what each must answer, and nothing else.

An Objective is walked down by a StepRule whose length a Schedule sets, on the rows that a Sampler picks, until a
StoppingRule gives a reason. The Trace keeps the record.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
Rows = Array | slice  # indices of rows, or slice(None) for all


class Objective(Protocol):
    """What do we go down? A mean over n rows plus a penalty, as a function of the parameters w."""

    @property
    def n(self) -> int:
        """Rows; 1 for a plain function."""

    def start(self) -> Array:
        """Where a walk begins unless told otherwise."""

    def value(self, w: Array) -> float:
        """Height at w."""

    def values(self, points: Array) -> Array:
        """Heights at many points (k, size), in one go where that is cheaper."""

    def gradient(self, w: Array, rows: Rows) -> Array:
        """Slope at w of the mean over those rows plus the penalty's smooth share."""

    def prox(self, w: Array, rate: Any) -> Array:
        """Proximal step of the penalty's other share."""


class Segment(Protocol):
    """A bounded run of steps between two looks."""

    @property
    def length(self) -> int:
        """Steps."""

    def steps(self) -> Any:
        """The rows of each step in turn."""


class StepRule(Protocol):
    """How does a gradient become an update? See steps/__init__.py."""

    def start(self, w: Any) -> Any: ...
    def begin(self, t: Any, g: Any) -> Any: ...
    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any: ...
    def gain(self, memory: Any, c: Any) -> Any: ...


class Schedule(Protocol):
    """How far? The rate of step t, from 1."""

    def at(self, t: Any) -> float: ...


class Average(Protocol):
    """Which point do we answer with? The newest one's share in the mean so far."""

    def weight(self, t: Any) -> float: ...


class Gauge(Protocol):
    """An extra column of the trace, read at every look; see gauges.py for those that look back, too."""

    def name(self) -> str: ...
    def read(self, objective: Any, w: Array) -> float: ...


class StoppingRule(Protocol):
    """Why not go on?"""

    def reason(self, trace: Any) -> str:
        """A sentence, or nothing to go on."""

    def room(self, trace: Any, batch: int) -> float:
        """How many steps of `batch` rows are left at most."""

    def gauges(self) -> Sequence[Gauge]:
        """The columns that it reads beyond the usual ones."""
