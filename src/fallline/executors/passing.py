"""What every executor does at both ends of a segment: arrays of its own to change, and the average and looks on the way."""

from typing import Any

import numpy as np

from fallline.averages import Last
from fallline.descent import State, looked_at
from fallline.kernels.sweep import rates, weights
from fallline.kernels.walk import Walk

Array = np.ndarray[Any, Any]


def walk_of(state: State, segment: Any, schedule: Any, average: Any, every: int) -> Walk:
    """A segment for a kernel to walk, on copies of the state's arrays."""
    length = segment.length
    paces, shares = np.empty(length), np.empty(0 if isinstance(average, Last) else length)
    rates(schedule, state.t, paces)
    weights(average, state.t, shares)
    return Walk(
        w=state.w.copy(),
        memory=tuple(part.copy() for part in state.memory),
        mean=state.mean.copy(),
        t=state.t,
        order=segment.order,
        batch=segment.batch,
        paces=paces,
        shares=shares,
        every=every or length,
        looks=np.empty((len(looked_at(length, every)), len(state.w))),
    )


def walked(walk: Walk, state: State) -> tuple[State, Array]:
    """The state and looks after a kernel has walked it."""
    mean = walk.mean if len(walk.shares) else walk.w
    return State(walk.w, walk.memory, mean, state.t + len(walk.paces), state.segments + 1), walk.looks


class Passing:
    """The same for a method that is walked in Python: `note` each point, then ask for `state` and `looks`."""

    def __init__(self, state: State, segment: Any, average: Any, every: int) -> None:
        self.before, self.average, self.length = state, average, segment.length
        self.due = set(looked_at(segment.length, every).tolist())
        self.mean, self.k = state.mean, 0
        self.looks: list[Array] = []

    def note(self, w: Array) -> None:
        """The point after the next step."""
        self.k += 1
        share = self.average.weight(self.before.t + self.k)
        self.mean = w if share == 1.0 else self.mean + share * (w - self.mean)
        if self.k in self.due:
            self.looks.append(self.mean)

    def end(self, w: Array, *memory: Array) -> tuple[State, Array]:
        """The state after the segment, and the looks."""
        after = State(w, memory, self.mean, self.before.t + self.length, self.before.segments + 1)
        return after, np.array(self.looks)
