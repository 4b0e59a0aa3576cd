"""Wide models with an L1 share: Newton's method on the coefficients that are not, or will not stay, zero."""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fallline.descent import State
from fallline.executors import terms
from fallline.executors.known import HEIGHT, known
from fallline.executors.level import level_of
from fallline.executors.newton import Point, at, lasso_of, search
from fallline.executors.smoothness import squared_lengths
from fallline.kernels.columns import lasso_columns
from fallline.objectives.coordinates import Coordinates, plain, standard
from fallline.objectives.floor import room_below
from fallline.objectives.hessian import pull_slope, table_whole
from fallline.objectives.passes import curvature_diagonal, height_at_zero
from fallline.rows import CSR, Dense
from fallline.samplers import Batch

Array = np.ndarray[Any, Any]

FEWEST = 200  # coefficients in the set at least
GROWTH = 2  # times those that are not zero
ENOUGH = 0.05  # of what the step promises: once a sweep adds less, it is taken
STRIP = 4096  # rows gathered at once


class Memory(NamedTuple):
    """What the solver remembers of its walk."""

    g: Array  # (size,) gradient here
    p: Array  # (size,) the step to take next
    centre: Array  # (d,) of each column
    spread: Array  # (d,)
    numbers: Array  # height, estimated excess, length of the last step, rows visited in the last segment


class WorkingSet(NamedTuple):
    """Proximal Newton steps by coordinate descent (Friedman, Hastie & Tibshirani 2010; Yuan, Ho & Lin 2012) on a working set.

    In the set are the coefficients that are not zero, and of those whose slope overcomes the L1 share the ones that promise
    most: 200 in all, or twice those that are not zero. Their columns are copied out, and centred where the table is dense. One
    score a row, a smooth loss; no rate.

    The excess is estimated by what the next step promises, and what the coefficients that are left out do, each for itself.
    """

    def sampler(self, seed: int = 0) -> Batch:
        """The rows that it is meant for."""
        return Batch()

    def start(self, objective: Any, w: Array) -> Memory:
        """Nothing known yet."""
        terms.one_score(objective, "WorkingSet")
        terms.smooth_loss(objective, "WorkingSet")
        d = objective.model.d
        height = math.nan if w.any() else height_at_zero(objective)
        return Memory(
            np.zeros_like(w), np.zeros_like(w), np.zeros(d), np.zeros(d), np.array([height, math.inf, math.nan, 0.0])
        )

    def readings(self, state: State) -> dict[str, float]:
        """What it knows at the state's point."""
        return known(state.memory[-1])

    def __call__(
        self, objective: Any, state: State, segment: Any, step: Any, schedule: Any, average: Any, every: int
    ) -> tuple[State, Array]:
        """Walk one segment: one step (see descent.by_hand)."""
        terms.all_its_own("WorkingSet", step, schedule, state, average)
        n, memory, visits = objective.n, Memory(*state.memory), 0.0
        own = plain(objective)._replace(centre=memory.centre, spread=memory.spread)
        if memory.spread.any():
            point, p = Point(state.w, float(memory.numbers[HEIGHT]), memory.g), memory.p
        else:
            own, _ = standard(objective)
            own = own._replace(centre=np.zeros_like(own.centre)) if isinstance(objective.model.rows, CSR) else own
            point = at(objective, state.w if state.w.any() else level_of(objective))
            p, _ = way(objective, point, own)
            visits += 3.0 * n
        found = search(objective, point, p)
        p, promised = way(objective, found.point, own)
        promised = min(promised, room_below(objective, found.point.height))
        numbers = np.array([found.point.height, promised, found.length, visits + n * (found.passes + 2.0)])
        kept = Memory(found.point.g, p, own.centre, own.spread, numbers)
        return State(found.point.w, kept, found.point.w, state.t + 1, state.segments + 1), found.point.w[None]


def way(objective: Any, point: Point, own: Coordinates) -> tuple[Array, float]:
    """The step, and what it and the coefficients that are left out promise; two passes, and sweeps over the set's columns."""
    d, free, spread = objective.model.d, own.free, own.spread
    lasso, ridge = lasso_of(objective) / spread, pull_slope(objective) / spread**2
    bends, u = objective.curvature(point.w), point.w[:d] * spread
    slope = own.slope(point.g)[:d]
    chosen, left = working_set(u, slope, lasso, roughly(objective, bends, spread) + ridge)
    root = np.sqrt(bends / objective.n)
    columns = gathered(objective, chosen, root, own)
    H = np.append(squared_lengths(columns) + ridge[chosen], np.full(free, float(root @ root)))
    step, g = np.zeros(len(chosen) + free), np.append(slope[chosen], point.g[d:])
    promised = lasso_columns(columns, root, u[chosen], g, H, ridge[chosen], lasso[chosen], ENOUGH, step)
    p = np.zeros_like(point.w)
    p[chosen] = step[: len(chosen)] / spread[chosen]
    p[d:] = step[len(chosen) :] - float(p[:d] @ own.centre)
    return p, float(promised) + left


def working_set(u: Array, slope: Array, lasso: Array, H: Array) -> tuple[Array, float]:
    """Which coefficients are in the set, and what the others promise, each for itself."""
    promised = np.maximum(abs(slope) - lasso, 0.0) ** 2 / (2.0 * np.maximum(H, np.finfo(float).tiny))
    kept = u != 0.0
    chosen = np.flatnonzero(kept | (promised > 0.0))
    many = max(FEWEST, GROWTH * int(kept.sum()))
    if len(chosen) > many:
        rank = np.where(kept, np.inf, promised)[chosen]
        chosen = np.sort(chosen[np.argpartition(-rank, many - 1)[:many]])
    promised[chosen] = 0.0
    return chosen, float(promised.sum())


def roughly(objective: Any, bends: Array, spread: Array) -> Array:
    """The curvature's diagonal: as it is for a sparse table, for a standardised one as if rows bent alike."""
    if isinstance(objective.model.rows, CSR):
        return curvature_diagonal(objective, bends, 0) / spread**2
    return np.full(len(spread), bends.mean())


def gathered(objective: Any, chosen: Array, root: Array, own: Coordinates) -> Any:
    """Those columns, standardised and times √(curvature/n) of their rows, each as a row of a table."""
    whole, centre, spread = table_whole(objective), own.centre[chosen], own.spread[chosen]
    if isinstance(objective.model.rows, CSR):
        part = sp.csr_array(whole[:, chosen].T).astype(float)
        part.data *= root[part.indices]
        part.data /= np.repeat(spread, np.diff(part.indptr))
        return CSR(part.data, part.indices, part.indptr, objective.n)
    out = np.empty((len(chosen), objective.n))
    for first in range(0, objective.n, STRIP):
        rows = slice(first, min(first + STRIP, objective.n))
        out[:, rows] = (root[rows, None] * ((whole[rows][:, chosen] - centre) / spread)).T
    return Dense(out)
