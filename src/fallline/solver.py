"""The automatic solver: from an objective to its optimum, with nothing to set, and how close it is."""

import math
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from fallline.descent import Run, descend
from fallline.errors import InputError
from fallline.executors import terms
from fallline.executors.certificate import NOTHING, Bound, bound_of, dual_bound
from fallline.executors.conditioning import conditioning
from fallline.executors.dual_first import WAYS, DualFirst
from fallline.executors.interior import InteriorPoint, few_rows
from fallline.executors.level import height_at_level
from fallline.executors.newton import AFFORDABLE, lasso_of
from fallline.executors.preconditioned import PreconditionedLBFGS
from fallline.executors.quick import Quick
from fallline.executors.rounded import Rounded
from fallline.executors.sketched import Memory, Sketched
from fallline.executors.truncated import Truncated
from fallline.executors.working_set import WorkingSet
from fallline.losses import LogLoss, Softmax, SquaredError
from fallline.objectives.coordinates import WIDEST
from fallline.objectives.floor import floor_of
from fallline.objectives.order import run_of
from fallline.rows import CSR
from fallline.samplers import Shuffled, Sketch
from fallline.schedules import Constant
from fallline.steps import Plain
from fallline.stops import AnyOf, Epochs, Excess, Separable, Updates

Array = np.ndarray[Any, Any]

NARROW = 300  # parameters up to which a matrix of curvature costs less than the passes that it saves
SKETCHED = 200  # rows a parameter that a sketch has at most: the excess is then about 1/400 nat a fit
FEWEST, FAIR, MOST = 5_000, 10_000, 20_000  # rows of a sketch: at least, at most if parameters are few, and at most
LEAST = 40  # rows a parameter all the same
NEARLY = 0.7  # of the rows: such a sketch costs what all of them do
PASS, COLUMN, SQUARE = 100.0, 3.5, 2.0  # what a row costs: a pass, that a column more, the matrices a squared column
DIRECT = 30  # parameters up to which the matrix of least squares, which needs one, costs no more than two passes
STAND_IN = 12  # rows a column in a sketch that only preconditions
CLOSE = 3.0  # times the estimate: a proven bound that is no further from it is left at that
FINER = (1e-2, 1e-5, 1e-8)  # of the excess: where walks that prove a bound end
SEGMENTS = 200


class Solver(NamedTuple):
    """Who walks, and on which rows."""

    advance: Any
    sampler: Any
    text: str  # the way taken; empty where only the walk tells

    def chance(self, n: int) -> bool:
        """Whether another seed is another walk of n rows: some are drawn, or all in a drawn order."""
        drawn = isinstance(self.sampler, Sketch) and self.sampler.rows < n
        return isinstance(self.sampler, Shuffled) or drawn


def solve(
    objective: Any,
    tol: float = 1e-4,
    *,
    certify: bool = False,
    seed: int = 0,
    start: Any = None,
    budget: Any = None,
    gauges: Sequence[Any] = (),
) -> Run:
    """Go down `objective` until its estimated excess over the optimum is at most `tol` of the loss.

    objective: Linear or SoftmaxRegression. start: a point, or a Run of this solver to go on with. budget: a stopping rule
    beside `tol`, read between steps. gauges: extra columns of the trace.

    The trace has the estimate at every look, absolute, in the column `excess`; `run.reason` says how the walk ended, and
    `run.trace.about["solver"]` which way was taken; "separable" is in `about` where there is no optimum. For least squares on
    nearly dependent columns `about` has their `condition` and how many `digits` of the coefficients the data allow. With
    `certify`, `about["bound"]` is a proven bound of the excess, absolute, and `about["proof"]` says by what;
    executors/certificate.py has the proofs and their costs. The table is not
    copied, but for losses with corners on fewer rows than columns (executors/interior.py). Raises InputError for an objective
    that is not a model of rows.
    """
    terms.rows_of_a_model(objective, "solve")
    if not (isinstance(tol, int | float | np.number) and 0.0 <= tol < math.inf):
        raise InputError(f"tol is {tol!r}: it must be a share of the loss, zero or more, such as 1e-4.")
    refuse_seed(seed)
    if objective.disk is not None and not objective.disk.kept:
        raise InputError(
            "The solver makes many passes over the rows, and each would decode these anew: make room for a cache (without "
            "--no-cache, or cache=True), or walk them by a plan whose step is quick."
        )
    solver = solver_for(objective, seed, tol)
    with one_blas_thread():
        stops = stop_of(objective, tol)
        run = walked(objective, solver, AnyOf((*stops, *(() if budget is None else (budget,)))), start, gauges)
        run.trace.about["solver"] = solver.text or solver.advance.way(run.state)
        if any(isinstance(rule, Separable) and rule.reason(run.trace) for rule in stops):
            run.trace.about["separable"] = True
        if type(objective.loss) is SquaredError and isinstance(solver.advance, Sketched):
            run.trace.about.update(conditioning(objective, Memory(*run.state.memory).root))
        if certify:
            bound = certified(objective, solver, run)
            run.trace.about.update(bound=bound.value, proof=bound.proof)
    return run


def quick(
    objective: Any, passes: float = 1, *, seed: int = 0, start: Any = None, every: int = 0, gauges: Sequence[Any] = ()
) -> Run:
    """Go over the rows of `objective` `passes` times, once or a few, and answer with what that is worth.

    On ordinary large data the answer is within 1 % of the optimum after one pass; nothing is certified, and docs/solver.md says
    where it takes more. objective: Linear or SoftmaxRegression, any loss and penalty. start: a point, or a Run of this to go on
    with, until `passes` in all. every: rows between two looks; 0: a pass. Keeps some ten arrays of the parameters' size.
    Raises InputError for an objective that is not a model of rows.
    """
    if not (isinstance(passes, int | float | np.number) and 0.0 < passes < math.inf):
        raise InputError(f"passes is {passes!r}: it must be a number above zero, such as 1.")
    refuse_seed(seed)
    method = Quick()
    return descend(
        objective,
        sampler=method.sampler(seed)._replace(block=run_of(objective)),
        step=Plain(),  # it makes its own steps
        schedule=Constant(1.0),
        stop=Epochs(passes),
        advance=method,
        every=every,
        gauges=gauges,
        start=start,
    )


def refuse_seed(seed: Any) -> None:
    """Raise InputError for what no draw can begin with."""
    if not (isinstance(seed, int | np.integer) and seed >= 0):
        raise InputError(f"seed is {seed!r}: it must be a whole number, zero or more.")


def walked(objective: Any, solver: Solver, stop: AnyOf, start: Any, gauges: Sequence[Any] = ()) -> Run:
    """The solver's walk from `start` until `stop`."""
    return descend(
        objective,
        sampler=solver.sampler,
        step=Plain(),  # a solver makes its own steps
        schedule=Constant(1.0),
        stop=stop,
        advance=solver.advance,
        gauges=gauges,
        start=start,
    )


def certified(objective: Any, solver: Solver, run: Run) -> Bound:
    """A proven bound of the excess at the run's point.

    Where the point itself does not prove one close to the estimate, a walk goes on from it to points that are far lower still:
    the bound there, and the way down to it, are a bound here.
    """
    excess, height = float(run.trace.last("excess")), float(run.trace.last("loss"))
    best = proof_of(objective, solver, run)
    for share in FINER:
        if best.value <= CLOSE * excess:
            break
        run = walked(objective, solver, AnyOf(stop_of(objective, share * excess / (abs(height) or 1.0))), run)
        further = proof_of(objective, solver, run)
        below = height - float(run.trace.last("loss"))
        best = min(best, further._replace(value=below + further.value))
    return best


def proof_of(objective: Any, solver: Solver, run: Run) -> Bound:
    """The lowest bound that is known to the walk itself, where it is a dual one, or that its point proves."""
    excess, height = float(run.trace.last("excess")), float(run.trace.last("loss"))
    said = dual_bound(solver.advance.proven(run.state), height) if hasattr(solver.advance, "proven") else NOTHING
    return said if said.value < CLOSE * excess else min(said, bound_of(objective, run.w, _window(run)))


def _window(run: Run) -> float:
    return float(run.trace.last("window")) if "window" in run.trace.columns else 0.0


def solver_for(objective: Any, seed: int = 0, tol: float = 1e-4) -> Solver:
    """The solver for an objective, by its loss, its size and its storage; docs/solver.md has the rule as a table.

    tol: the share of the loss near which the excess must be well estimated.
    """
    n, size, sparse = objective.n, objective.size, isinstance(objective.model.rows, CSR)
    inside = objective.disk is None  # rows on disk are gone over, or sampled; not taken one by one, nor by columns
    rows = sketched(objective)
    exact = n * size**2 <= AFFORDABLE
    narrow = size <= NARROW or (lasso_of(objective) > 0.0 and size <= WIDEST)
    smooth = objective.loss.smooth()
    wide: Any = PreconditionedLBFGS(tol)
    if lasso_of(objective) > 0.0:
        wide = WorkingSet() if inside and objective.scores == 1 else Truncated()
    path = not smooth and inside and few_rows(objective)
    if sparse and inside and objective.scores == 1 and not (narrow and exact and smooth):
        first = DualFirst(wide if smooth else InteriorPoint() if path else Rounded())
        return Solver(first, first.sampler(n, seed), "")
    if path:
        return Solver(InteriorPoint(), InteriorPoint().sampler(), WAYS[InteriorPoint])
    if not smooth:
        return Solver(Rounded(), Sketch(rows, seed=seed), WAYS[Rounded])
    if narrow and (exact or not sparse):
        text = f"curvature sketched from {rows:,} rows"
        if rows >= n:
            closed = type(objective.loss) is SquaredError and lasso_of(objective) <= 0.0
            text = "least squares, solved at once" if closed else "exact Newton steps"
        return Solver(Sketched(), Sketch(rows, seed=seed), text)
    rows = min(n, max(STAND_IN * (objective.model.d + 1), MOST // 10))
    return Solver(wide, Sketch(rows, passes=2, growth=1, seed=seed), WAYS[type(wide)])


def sketched(objective: Any) -> int:
    """How many rows the curvature is sketched from: as many as make a few matrices cost a pass, within bounds."""
    n, size = objective.n, objective.size
    straight = isinstance(objective.loss, SquaredError) and lasso_of(objective) == 0.0 and size <= DIRECT
    if straight or isinstance(objective.model.rows, CSR):
        return n
    even = int(n * (PASS + COLUMN * size) / (SQUARE * size**2))
    rows = max(min(even, max(SKETCHED * size, FAIR), MOST), LEAST * size, FEWEST)
    return n if rows > NEARLY * n else rows


def stop_of(objective: Any, tol: float) -> tuple[Any, ...]:
    """Close enough, or no optimum to be close to, or enough tried."""
    level = cache(partial(height_at_level, objective))
    rules: list[Any] = [Excess(tol, floor_of(objective), level), Updates(SEGMENTS)]
    weights = objective.model.weights
    if type(objective.loss) in (LogLoss, Softmax) and objective.penalty.cost(1.0) == 0.0:
        rules.insert(0, Separable(math.log(2.0) * float(weights[weights > 0].min()) / objective.n))
    return tuple(rules)


def one_blas_thread() -> Any:
    """A context in which BLAS keeps to one thread: ours do the rest, and theirs would spin beside them."""
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
