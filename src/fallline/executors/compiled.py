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
    w, memory, mean = state.w.copy(), tuple(part.copy() for part in state.memory), state.mean.copy()
    paces = np.empty(segment.length)
    rates(schedule, state.t, paces)
    averaged = not isinstance(average, Last)
    shares = np.empty(segment.length if averaged else 0)
    weights(average, state.t, shares)
    looks = np.empty((len(looked_at(segment.length, every)), len(w)))
    room = np.empty(objective.scores)
    sweep(
        objective.model, objective.penalty, step, segment.order, segment.batch, paces, shares,
        w, memory, mean, state.t, room, every or segment.length, looks,
    )  # fmt: skip
    return State(w, memory, mean if averaged else w, state.t + segment.length, state.segments + 1), looks
