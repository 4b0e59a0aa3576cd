"""The compiled executor: `descent.by_hand` as machine code, for linear models."""

from typing import Any

import numpy as np

from fallline.averages import Last
from fallline.descent import State, looked_at
from fallline.kernels.sweep import rates, sweep, weights

Array = np.ndarray[Any, Any]


def compiled(
    objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
) -> tuple[State, Array]:
    """Walk one segment of a linear model (see descent.by_hand). A combination of parts compiles at its first call."""
    after = State(
        w=state.w.copy(),
        memory=tuple(part.copy() for part in state.memory),
        mean=state.mean.copy(),
        t=state.t,
        segments=state.segments,
    )
    averaged = not isinstance(average, Last)
    paces, shares = np.empty(segment.length), np.empty(segment.length if averaged else 0)
    rates(schedule, state.t, paces)
    weights(average, state.t, shares)
    looks = np.empty((len(looked_at(segment.length, every)), len(after.w)))
    room = np.empty(objective.scores)
    sweep(
        objective.model, objective.penalty, step, segment, paces, shares, after, every or segment.length, looks, room
    )  # fmt: skip
    mean = after.mean if averaged else after.w
    return State(after.w, after.memory, mean, state.t + segment.length, state.segments + 1), looks
