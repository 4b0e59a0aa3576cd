"""A walk over rows as they come: k chunks are the same walk as the whole table at once, to the last bit."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fallline.averages import AVERAGES
from fallline.descent import Run, State
from fallline.errors import InputError
from fallline.executors import METHODS
from fallline.executors.compiled import in_pieces
from fallline.parts import named, part
from fallline.plan import RATE, WAYS
from fallline.samplers import Segment
from fallline.schedules import SCHEDULES
from fallline.steps import Plain
from fallline.stops import Diverged
from fallline.trace import Trace

Array = np.ndarray[Any, Any]
Make = Callable[[Any, Array, Array], Any]
"""From rows, targets and weights to an objective that counts each row by its weight as it is."""

AUTOMATIC, MEAN = "cocob", "polyak_ruppert"  # takes no rate; each column finds its own scale; its mean is the answer
CORNERED = "quick"  # takes no rate either, and a penalty with a corner
ENDLESS = (
    "quick",
    "dog",
    "prodigy",
    "d_adaptation",
    "cocob",
    "schedule_free_sgd",
    "schedule_free_adamw",
)  # methods that keep no table


class Rows(NamedTuple):
    """Rows with their targets and weights."""

    X: Any
    y: Array
    weights: Array

    def __add__(self, other: Any) -> "Rows":
        """These and then those."""
        if not len(self.y):
            return other
        mine, theirs = self.X, other.X
        if sp.issparse(theirs):
            X = sp.vstack([sp.csr_array(mine), sp.csr_array(theirs)], format="csr")
        else:
            X = np.concatenate([mine.toarray() if sp.issparse(mine) else mine, theirs])
        return Rows(X, np.concatenate([self.y, other.y]), np.concatenate([self.weights, other.weights]))

    def part(self, first: int, last: int) -> "Rows":
        """From row `first` up to `last`, not included."""
        return Rows(self.X[first:last], self.y[first:last], self.weights[first:last])


class Stream:
    """Where a walk over rows in the order of their coming is.

    A step takes `batch` rows. Those that do not fill one yet are walked for the answer's sake, as the last, shorter step of a
    pass is, and kept: the next chunk begins before them.
    """

    def __init__(self, advance: Any, step: Any, schedule: Any, average: Any, batch: int) -> None:
        self.advance, self.step, self.schedule, self.average, self.batch = advance, step, schedule, average, batch
        self.state: State | None = None  # before the rows that are kept
        self.kept: Rows | None = None
        self.trace = Trace()

    def learn(self, rows: Rows, make: Make, start: Array | None = None) -> Run:
        """Walk over these rows, too; `start` is the point to begin at, if this is the beginning."""
        new = len(rows.y)
        if self.kept is not None:
            rows = self.kept + rows
        objective = make(*rows)
        if self.state is None:
            w = objective.start() if start is None else start
            own = hasattr(self.advance, "start")
            memory = self.advance.start(objective, w) if own else self.step.start(w)
            self.state = State(w, memory, w, 0, 0)
            self.trace.begin(objective, w)
        before = self.state
        whole = objective.n // self.batch * self.batch
        with self.trace.clock, np.errstate(over="ignore", invalid="ignore"):
            if whole:
                self.state = self._walk(make(*rows.part(0, whole)), self.state)
            self.kept = rows.part(whole, objective.n)
            state = self._walk(make(*self.kept), self.state) if len(self.kept.y) else self.state
        steps, visits = np.array([state.t - self.trace.last("t")]), np.array([new])
        self.trace.note(objective, before.mean, state.mean[None], steps, visits, self.schedule.at(state.t))
        self.trace.n = self.trace.last("visits")  # one pass, however long it gets
        reason = self.trace.broken() or Diverged().reason(self.trace)
        return Run(state, self.trace, reason or f"learnt from {self.trace.last('visits'):,} rows as they came")

    def _walk(self, objective: Any, state: State) -> State:
        n = objective.n
        size = min(self.batch, n)
        segment = Segment(np.arange(n), size, -(-n // size))
        state, _ = self.advance(objective, state, segment, self.step, self.schedule, self.average, 0)
        return state


def stream_of(
    step: Any, schedule: Any, rate: float | None, average: Any, batch: int | None, alpha: float, corner: bool
) -> Stream:
    """A stream as its settings' names and numbers ask for; None is what is usual. corner: whether the penalty has one, as L1 has.

    Raises InputError for what needs to know all rows, or how many will come.
    """
    if isinstance(step, str) and step == "auto":
        step, average = (CORNERED, average) if corner else (AUTOMATIC, MEAN if average is None else average)
    name, made = named(step, WAYS), part(WAYS, step, "step")
    method = name in METHODS
    if method and name not in ENDLESS:
        raise InputError(
            f'step="{name}" needs all rows, and partial_fit sees some at a time: take one of {", ".join(ENDLESS)}.'
        )
    if name == CORNERED and (batch or 1, average or "none") != (1, "none"):
        raise InputError(
            'step="quick", which partial_fit takes under an L1 penalty unless another is named, takes rows one by one and '
            "averages by itself: leave batch_size and average out, or name a step rule."
        )
    if rate is None and name == "schedule_free_sgd":
        raise InputError(
            'step="schedule_free_sgd" finds its rate from all rows, and partial_fit sees some at a time: give eta0.'
        )
    if rate is None:
        rate = 0.01 if name == "schedule_free_adamw" else 1.0 if method else RATE
    pace = part(SCHEDULES, "constant" if schedule is None else schedule, "schedule", rate=rate, alpha=alpha)
    if hasattr(pace, "react"):
        raise InputError(
            f"learning_rate={schedule!r} waits for the loss of all rows, and partial_fit sees some at a time: take constant, "
            "inverse_scaling or inverse_sqrt."
        )
    mean = part(AVERAGES, "none" if average is None else average, "average")
    return Stream(made if method else in_pieces, Plain() if method else made, pace, mean, batch or 1)
