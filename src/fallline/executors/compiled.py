"""The compiled executor: `descent.by_hand` as machine code, for models of one score a row and of one a class."""

import dis
from typing import Any

import numpy as np

from fallline.averages import Last
from fallline.descent import State, looked_at
from fallline.kernels.lazy import sweep_lazy
from fallline.kernels.sums import LinearModel
from fallline.kernels.sweep import rates, sweep, sweep_single, weights
from fallline.penalties import PENALTIES
from fallline.rows import CSR, Dense
from fallline.steps import Plain

Array = np.ndarray[Any, Any]

LARGE = 1_000_000  # entries of a table from which the leaner kernel saves more time than it takes to compile


def compiled(
    objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
) -> tuple[State, Array]:
    """Walk one segment of a linear model (see descent.by_hand). A combination of parts compiles at its first call."""
    return _walked(objective, state, segment, step, schedule, average, every, lean=True)


def in_pieces(
    objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
) -> tuple[State, Array]:
    """The same by the general kernel whatever the table, so that a table and its pieces are walked with the same bits."""
    return _walked(objective, state, segment, step, schedule, average, every, lean=False)


def _walked(
    objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int, lean: bool
) -> tuple[State, Array]:
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
    often = every or segment.length
    parts = objective.model, objective.penalty, step, segment, paces, shares, after, often, looks
    if lean and suits_lazy(objective, step, paces) and not averaged:
        sweep_lazy(objective.model, objective.penalty, segment, paces, after, often, looks)
    elif lean and segment.batch == 1 and suits_single(objective, step):
        sweep_single(*parts)
    else:
        sweep(*parts, np.empty(objective.scores))
    mean = after.mean if averaged else after.w
    return State(after.w, after.memory, mean, state.t + segment.length, state.segments + 1), looks


def suits_lazy(objective: Any, step: Any, paces: Array) -> bool:
    """Whether steps may leave out the columns that their rows leave out: plain ones on a sparse table, each short enough."""
    sparse = isinstance(objective.model.rows, CSR) and isinstance(objective.model, LinearModel)
    known = type(objective.penalty) in PENALTIES.values() and isinstance(step, Plain)
    return sparse and known and bool(paces.max() * objective.penalty.pull(1.0) < 1.0)


def suits_single(objective: Any, step: Any) -> bool:
    """Whether single rows are walked by the leaner kernel: a large dense table, and a rule that allows it."""
    rows = objective.model.rows
    large = isinstance(rows, Dense) and rows.X.size >= LARGE and isinstance(objective.model, LinearModel)
    return large and not reads_gradient(step)


def reads_gradient(step: Any) -> bool:
    """Whether the rule's `begin`, or that of a rule within it, so much as mentions the gradient."""
    mentions = {instruction.argval for instruction in dis.get_instructions(step.begin)}
    return "g" in mentions or any(reads_gradient(held) for held in step if hasattr(held, "begin"))
