"""Whether the rows of a table stand in any order, which decides how they may be shuffled.

Runs of neighbouring rows moved whole are read several times as fast as single rows, from a table larger than the cache. In a
table sorted by class, or by time, a run is then many steps the same way: the excess after two passes was measured up to eight
times as high. So neighbours are first asked whether they are more alike than strangers.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.objectives.variants import gathered
from fallline.rows import CSR

RUN = 64  # rows moved together: more gain nothing
MANY = 100_000  # rows from which it is worth while
RUNS = 256  # looked at, evenly over the table
DIRECTIONS = 8  # signs at random that a sparse row is multiplied with; its number of entries is looked at, too
ALIKE = 1.5  # times what chance explains: over 256 runs and a hundred columns chance itself reaches 1.35


def run_of(objective: Any) -> int:
    """How many neighbouring rows a shuffle may move together: RUN for a long table in no order, else 1."""
    return RUN if objective.n >= MANY and not ordered(objective) else 1


def ordered(objective: Any) -> bool:
    """Whether the mean of some column or target differs from run to run by more than its rows' differences explain.

    F = RUN·(variance of the runs' means)/(mean variance within a run), which is near 1 for rows in no order (Fisher 1925); with
    a correlation ρ of neighbours it is 1 + (RUN − 1)·ρ, by which runs add to the noise of a step.
    """
    y = objective.model.y
    coin = np.array([-1.0, 1.0], dtype=np.float32)
    signs = np.random.default_rng(0).choice(coin, (objective.model.d, DIRECTIONS))
    means, within = [], []
    for first in np.linspace(0, objective.n - RUN, RUNS).astype(int).tolist():
        rows = gathered(objective, np.arange(first, first + RUN))
        if isinstance(rows, CSR):
            part = sp.csr_array((rows.data, rows.indices, rows.indptr), shape=rows.shape())
            seen = np.column_stack([part @ signs, np.diff(rows.indptr)])
        else:
            seen = rows.X
        run = np.column_stack([y[first : first + RUN], seen])
        means.append(run.mean(axis=0))
        within.append(run.var(axis=0, ddof=1))
    between = RUN * np.var(means, axis=0, ddof=1)
    return bool((between > ALIKE * np.mean(within, axis=0)).any())
