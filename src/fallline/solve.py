"""The automatic solver: from an objective to its optimum, with nothing to set, and how close it is."""

import math
from typing import Any

import numpy as np

from fallline.descent import Run, descend
from fallline.executors.sketched import Sketched
from fallline.losses import LogLoss, Softmax
from fallline.objectives.floor import floor_of
from fallline.samplers import Sketch
from fallline.schedules import Constant
from fallline.steps import Plain
from fallline.stops import AnyOf, Excess, Separable, Updates

Array = np.ndarray[Any, Any]

SKETCHED = 200  # rows a parameter in the first sketch: its excess is then about 1/400 nat (see docs/solver.md)
FEWEST = 10_000  # rows: a smaller sketch saves nothing
MOST = 200  # segments


def solve(objective: Any, tol: float = 1e-4, *, seed: int = 0, start: Any = None) -> Run:
    """Go down `objective` to within `tol` of its optimum: the estimated excess as a share of the loss.

    The run's trace has the estimate at every look as column `excess`; `run.reason` says how it ended.
    """
    rows = max(SKETCHED * objective.size, FEWEST)
    sampler = Sketch(rows if objective.n > 2 * rows else objective.n, seed=seed)
    run = descend(
        objective,
        sampler=sampler,
        step=Plain(),
        schedule=Constant(1.0),
        stop=stop_of(objective, tol),
        advance=Sketched(),
        start=start,
    )
    run.trace.about["solver"] = "exact Newton steps" if sampler.rows >= objective.n else "sketched curvature"
    return run


def stop_of(objective: Any, tol: float) -> AnyOf:
    """Close enough, or no optimum to be close to, or enough tried."""
    rules: list[Any] = [Excess(tol, floor_of(objective)), Updates(MOST)]
    weights = objective.model.weights
    if type(objective.loss) in (LogLoss, Softmax) and objective.penalty.cost(1.0) == 0.0:
        rules.insert(0, Separable(math.log(2.0) * float(weights[weights > 0].min()) / objective.n))
    return AnyOf(tuple(rules))
