"""Quick: within about a percent after one pass, for large tables and for streams."""

from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State, looked_at
from fallline.executors import terms
from fallline.executors.newton import lasso_of
from fallline.kernels import quick as kernels
from fallline.kernels.quick import FADE, Memory
from fallline.penalties import ElasticNet
from fallline.rows import Dense
from fallline.samplers import Shuffled

Array = np.ndarray[Any, Any]


class Quick(NamedTuple):
    """Stochastic steps in each column's own scale, as long as the distance from the start says, averaged over the late walk.

    A step goes along each column by the gradient over the column's curvature, both learnt as the rows come, times r̄/√Σ‖g‖²:
    the largest distance from the start over the gradients so far, in the curvature's metric (DoG, Ivgi, Hinder & Carmon 2023).
    Dense columns are centred by the intercept; the penalty and a step's own curvature are taken at the step's end (implicitly),
    so no step overshoots where few rows have a column. The answer is the polynomial average (Shamir & Zhang 2013, eq. 2).

    Takes any loss and penalty, rows dense or sparse; a step on sparse rows costs their entries. Rows come one at a time and
    are stepped on 32 at a time, wherever segments end, so a stream in chunks is walked to the same bits as the whole. No
    rate, no certificate: on strongly dependent columns or tails without a variance it needs more passes than a few.
    """

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for, shuffled one by one: neighbours in a step count as if they were alike."""
        return Shuffled(1, seed)

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def start(self, objective: Any, w: Array) -> Memory:
        """Nothing known yet."""
        terms.rows_of_a_model(objective, "Quick")
        sums, columns = np.zeros(objective.model.d + 1), np.zeros(objective.model.d)
        steps = columns.astype(np.int64)
        nothing = (np.zeros_like(w), sums, sums, sums, sums, columns, steps, steps, steps, steps[:0], np.zeros(4))
        return copied((w, w, w, *nothing))._replace(counts=np.zeros(3, np.int64))

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: how far from the start it takes the optimum to be, in nats."""
        return {"reach": float(Memory(*state.memory).numbers[0])}

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand); a step of the segment is a row."""
        terms.all_its_own("Quick", step, schedule, state, average)
        terms.one_row(segment, "Quick")
        memory, room, penalty = copied(state.memory), np.empty(objective.scores), penalty_of(objective)
        ends = looked_at(segment.length, every)
        looks, first = np.empty((len(ends), len(state.w))), 0
        for look, last in zip(looks, ends.tolist(), strict=True):
            kernels.skim(objective.model, penalty, memory, segment.order[first:last], room)
            look[:] = answer(objective, copied(memory))
            first = last
        return State(memory.w.copy(), memory, looks[-1], state.t + segment.length, state.segments + 1), looks


def answer(objective: Any, memory: Memory) -> Array:
    """The average so far, the rows that wait taken in and every column brought up to date. Uses `memory` up."""
    dense = isinstance(objective.model.rows, Dense)
    if memory.counts[0]:
        kernels.step(memory, penalty_of(objective), dense, np.empty(objective.scores))
    now = memory.counts[2]
    if dense or not now:
        return memory.mean
    left = np.prod([(memory.met + u) / (now + u) for u in range(FADE + 1)], axis=0)  # kernels.quick.faded
    ridge = objective.penalty.pull(1.0)
    steep = memory.square[:-1] * left + ridge
    length = np.zeros(objective.size)
    length[: objective.penalised] = np.tile(
        np.divide(
            memory.numbers[3] * (now - memory.met), steep, out=np.zeros_like(steep), where=memory.square[:-1] > 0.0
        ),
        objective.scores,
    )
    w = objective.prox(memory.w, length) / (1.0 + length * ridge)
    late = np.ones(objective.size)
    late[: objective.penalised] = np.tile(left, objective.scores)
    return w + late * (memory.mean - w)


def penalty_of(objective: Any) -> ElasticNet:
    """The penalty by its two shares: whatever it is called, the kernels see one type, and compile once."""
    ridge, lasso = objective.penalty.pull(1.0), lasso_of(objective)
    return ElasticNet(ridge + lasso, lasso / (ridge + lasso) if lasso > 0.0 else 0.0)


def copied(memory: tuple[Array, ...]) -> Memory:
    """A memory of its own, to be changed in place."""
    return Memory(*(part.copy() for part in memory))
