"""Methods that find their own step length, and those that need no schedule. Formulas: kernels/rate_free.py.

All take steps of any number of rows, losses with corners, and smooth penalties; none keeps a table.
"""

from typing import Any, NamedTuple

import numpy as np

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.passing import walk_of, walked
from fallline.executors.smoothness import row_smoothness
from fallline.kernels.rate_free import (
    COCOBRule,
    DAdaptationRule,
    DoGRule,
    ProdigyRule,
    ScheduleFreeAdamWRule,
    ScheduleFreeSGDRule,
    wander,
)
from fallline.samplers import Shuffled

Array = np.ndarray[Any, Any]

BATCH = 16  # rows a step, unless told otherwise: steps that are cheap beside their own bookkeeping, and still many


def walk_by(
    rule: Any, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
) -> tuple[State, Array]:
    """Walk one segment by a rule of kernels/rate_free.py."""
    terms.own_step(step, type(rule).__name__.removesuffix("Rule"))
    walk = walk_of(state, segment, schedule, average, every)
    wander(objective.model, objective.penalty, rule, walk, np.empty(objective.scores))
    return walked(walk, state)


def memory_of(objective: Any, name: str, *arrays: Array, numbers: int) -> tuple[Array, ...]:
    """A rule's first memory: arrays, and so many numbers of the walk as a whole; refuses what no such rule can take."""
    terms.rows_of_a_model(objective, name)
    terms.no_prox(objective, name)
    return *(array.copy() for array in arrays), np.zeros(numbers)


class DoG(NamedTuple):
    """rate·r̄/√(Σ‖g‖²): the distance from the start over the gradients met so far (Ivgi, Hinder & Carmon 2023).

    The rate is a factor, 1 unless it runs away. Meant to be averaged. reach: the first step, relative to 1 + ‖w‖.
    """

    reach: float = 1e-6
    eps: float = 1e-8

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for."""
        return Shuffled(BATCH, seed)

    def rate(self, objective: Any) -> float:
        """1: its steps as they are."""
        return 1.0

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The start, and r̄ and Σ‖g‖²."""
        return memory_of(objective, "DoG", w, numbers=2)

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: how far from the start it takes the optimum to be."""
        return {"reach": float(state.memory[1][0])}

    def __call__(self, objective: Any, *segment: Any) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        return walk_by(DoGRule(self.reach, self.eps), objective, *segment)


class Prodigy(NamedTuple):
    """Adam times an estimate d of the distance to the optimum, that only grows (Mishchenko & Defazio 2024).

    The rate is a factor, and falls to zero for the walk to settle (Cosine). first: d at the start.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    first: float = 1e-6

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for."""
        return Shuffled(BATCH, seed)

    def rate(self, objective: Any) -> float:
        """1: its steps as they are."""
        return 1.0

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The start, the two moments, the weighted sum of gradients, and d and its numerator."""
        nothing = np.zeros_like(w)
        return memory_of(objective, "Prodigy", w, nothing, nothing, nothing, numbers=2)

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: how far from the start it takes the optimum to be."""
        return {"reach": float(state.memory[4][0])}

    def __call__(self, objective: Any, *segment: Any) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        return walk_by(ProdigyRule(*self), objective, *segment)


class DAdaptation(NamedTuple):
    """Adam times a lower bound d of the distance to the optimum, that only grows (Defazio & Mishchenko 2023, alg. 5).

    The rate is a factor, and falls to zero for the walk to settle (Cosine). first: d at the start.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    first: float = 1e-6

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for."""
        return Shuffled(BATCH, seed)

    def rate(self, objective: Any) -> float:
        """1: its steps as they are."""
        return 1.0

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The two moments, the weighted sum of gradients, and d and its numerator."""
        nothing = np.zeros_like(w)
        return memory_of(objective, "DAdaptation", nothing, nothing, nothing, numbers=2)

    def readings(self, state: State) -> dict[str, float]:
        """For the trace: how far from the start it takes the optimum to be."""
        return {"reach": float(state.memory[3][0])}

    def __call__(self, objective: Any, *segment: Any) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        return walk_by(DAdaptationRule(*self), objective, *segment)


class COCOB(NamedTuple):
    """Coin betting: each coordinate stakes a share of what it has won so far (Orabona & Tommasi 2017, alg. 2).

    Takes no rate at all. Meant to be averaged. alpha: how many largest gradients it waits before it bets high.
    """

    alpha: float = 100.0

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for."""
        return Shuffled(BATCH, seed)

    def rate(self, objective: Any) -> float:
        """1: it takes none."""
        return 1.0

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """The start; and for each coordinate the largest gradient, their sum, the reward and the signed sum."""
        nothing = np.zeros_like(w)
        return memory_of(objective, "COCOB", w, nothing, nothing, nothing, nothing, numbers=0)[:-1]

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_rate(schedule, state, "COCOB")
        return walk_by(COCOBRule(self.alpha), objective, state, segment, step, schedule, average, every)


class ScheduleFreeSGD(NamedTuple):
    """SGD whose answer is the mean of its points and whose gradients are taken near it (Defazio et al. 2024).

    Takes a rate, best constant after a warm-up, and no end to plan for. beta: how near the mean.
    """

    beta: float = 0.9

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for."""
        return Shuffled(BATCH, seed)

    def rate(self, objective: Any) -> float:
        """1/(2L), L the largest row's smoothness."""
        return 0.5 / float(row_smoothness(objective, "ScheduleFreeSGD").max())

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """Where the gradient is taken, the point that walks, and the sum of squared rates."""
        return memory_of(objective, "ScheduleFreeSGD", w, w, numbers=1)

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_average(average, "ScheduleFreeSGD")
        return walk_by(ScheduleFreeSGDRule(self.beta), objective, state, segment, step, schedule, average, every)


class ScheduleFreeAdamW(NamedTuple):
    """The same with Adam's scaling of each coordinate (Defazio et al. 2024, alg. 1).

    decay pulls on every parameter beside the objective's penalty and moves the resting point, as AdamW's does.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decay: float = 0.0

    def sampler(self, seed: int = 0) -> Shuffled:
        """The rows that it is meant for."""
        return Shuffled(BATCH, seed)

    def rate(self, objective: Any) -> float:
        """0.01: about how far a coordinate of standardised columns moves a step."""
        return 0.01

    def start(self, objective: Any, w: Array) -> tuple[Array, ...]:
        """Where the gradient is taken, the point that walks, the second moment, and the sum of squared rates."""
        return memory_of(objective, "ScheduleFreeAdamW", w, w, np.zeros_like(w), numbers=1)

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment (see descent.by_hand)."""
        terms.own_average(average, "ScheduleFreeAdamW")
        return walk_by(ScheduleFreeAdamWRule(*self), objective, state, segment, step, schedule, average, every)
