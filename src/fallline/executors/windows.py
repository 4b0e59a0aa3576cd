"""Walking a table that is larger than memory: a window of rows at a time, while a thread reads the next."""

from collections.abc import Iterator
from itertools import cycle, pairwise
from typing import Any, NamedTuple

import numpy as np

from fallline.data.ahead import ahead
from fallline.descent import State, looked_at
from fallline.errors import InputError
from fallline.executors.quick import Quick
from fallline.executors.rate_free import COCOB, DAdaptation, DoG, Prodigy, ScheduleFreeAdamW, ScheduleFreeSGD
from fallline.objectives.order import run_of
from fallline.objectives.variants import in_order
from fallline.samplers import Segment, Streamed

Array = np.ndarray[Any, Any]

BY_ROWS = (Quick, DoG, Prodigy, DAdaptation, COCOB, ScheduleFreeSGD, ScheduleFreeAdamW)  # they remember no row
RUNS = 2048  # in a window of a table in order: with 256 the loss after a pass over KDD'99 by class was 4 % above random access's
FEW = 4  # and of a table in no order, which are walked where they lie
LONGEST = 1 << 21  # bytes of a run: a large page


def streamed(objective: Any, batch: int, seed: int) -> Streamed:
    """The order in which rows on disk are read, so many of them held at a time."""
    disk = objective.disk
    if not disk.kept:
        return Streamed(batch, seed, disk.window, disk.streams, stretches=disk.stretches)
    mixed = not disk.shuffled and run_of(objective) == 1
    run = max(min(disk.window // (RUNS if mixed else FEW), LONGEST // disk.row), 1)
    return Streamed(batch, seed, disk.window, run, mixed)


class InWindows(NamedTuple):
    """An executor whose segments are `samplers.Windows`: each window is copied out and walked by `advance`, any that sees rows
    one step at a time and remembers no row. The steps are those of `descent.by_hand` on the same order.
    """

    advance: Any

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        before, looks, done = state.segments, [], 0
        due = looked_at(segment.length, every)
        for part, order in _windows(objective, segment):
            last = min(done + -(-len(order) // segment.batch), segment.length)
            stops = [done, *due[(due > done) & (due < last)].tolist(), last]
            for first, end in pairwise(stops):
                rows = order[(first - done) * segment.batch : (end - done) * segment.batch]
                piece = Segment(rows, segment.batch, end - first)
                state, seen = self.advance(part, state, piece, step, schedule, average, 0)
                if end in due:
                    looks.append(seen[-1])
            done = last
        return state._replace(segments=before + 1), np.array(looks)


class RowsInWindows(InWindows):
    """The same for an executor with a memory of its own."""

    def start(self, objective: Any, w: Array) -> Any:
        """Its first memory."""
        return self.advance.start(objective, w)

    def readings(self, state: State) -> dict[str, float]:
        """What it knows beside the point."""
        return self.advance.readings(state) if hasattr(self.advance, "readings") else {}


def in_windows(advance: Any, name: str) -> InWindows:
    """The executor for rows on disk. Raises InputError for one that remembers every row or needs them all at a step."""
    if not hasattr(advance, "start"):
        return InWindows(advance)
    if not isinstance(advance, BY_ROWS):
        raise InputError(
            f"{name} remembers something of every row, and the rows are read in pieces: take quick, a step rule or the "
            "automatic solver, or leave --memory out."
        )
    return RowsInWindows(advance)


def _windows(objective: Any, segment: Any) -> Iterator[tuple[Any, Array]]:
    """The objective over the rows of each window, and their order in it; the next is read meanwhile.

    Rows that need no mixing are not copied: the system is asked to read them, and their pages are let go of afterwards.
    """
    disk = objective.disk
    if not segment.mixed:
        for rows in ahead(_asked_for(disk, segment)):
            yield objective, rows
            disk.let_all_go()
        return
    most = min(segment.window + segment.batch + segment.run, objective.n)
    rooms = cycle([disk.room(most), disk.room(most)])
    yield from ahead((in_order(objective, rows, next(rooms)), order) for rows, order in _needed(segment))


def _asked_for(disk: Any, segment: Any) -> Iterator[Array]:
    """The rows of each window; the system begins to read them."""
    for rows, _ in _needed(segment):
        disk.ask_for(rows)
        yield rows


def _needed(segment: Any) -> Iterator[tuple[Array, Array]]:
    """The windows that its steps reach."""
    left = segment.length * segment.batch
    for rows, order in segment.windows():
        yield rows, order
        left -= len(rows)
        if left <= 0:
            return
