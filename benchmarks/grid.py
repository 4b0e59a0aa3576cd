"""The default against the best of a grid of 60 settings, 4 rules × 5 rates × 3 batches, in row visits to 1 % of the optimum.

    python benchmarks/grid.py [--quick] [table …]

The grid walks fallline's own compiled descent on a standardised copy, its rows shuffled each pass, as a good engineer would; its
optimum is that copy's. The default has the raw table and nothing set. Looks are every tenth of a pass, and cost neither
side anything: of the default's passes the one that measures the loss within 1 % is not counted. Beside the visits stand the
seconds until then, the trials of the other 59 settings not counted, and how far quick mode is after one pass.
"""

import math
from statistics import median
from typing import Any, NamedTuple

import numpy as np

import fallline
import sets
from fallline import compiled
from fallline.samplers import Shuffled
from fallline.schedules import Constant
from fallline.steps import AdaGrad, Adam, Momentum, Plain
from fallline.stops import AnyOf, TargetLoss, Visits
from tasks import Task
from text import wanted

RULES = {
    "plain": (Plain(), (1e-3, 1e-2, 1e-1, 1.0, 10.0)),
    "momentum": (Momentum(), (1e-4, 1e-3, 1e-2, 1e-1, 1.0)),
    "adagrad": (AdaGrad(), (1e-2, 3e-2, 1e-1, 3e-1, 1.0)),
    "adam": (Adam(), (1e-4, 1e-3, 1e-2, 1e-1, 1.0)),
}
BATCHES = (1, 32, 256)
TARGET, MARGIN = 1e-2, 1.05
PASSES = 50  # at most
LOOKS = 10  # a pass
LARGEST = 3e7  # numbers of a table: looking at more takes minutes
SETS = (
    "breast cancer", "wine", "digits", "diabetes", "California", "red wine", "white wine", "abalone", "adult", "titanic",
    "mushrooms", "Elec2", "HTRU2", "KDD'99", "bike, hours", "bike, days", "doctor visits", "car insurance", "iris", "linnerud",
)  # fmt: skip
QUICK = ("iris", "diabetes")


class Row(NamedTuple):
    """Row visits over n, to 1 %, and seconds; infinite if never."""

    name: str
    own: float
    best: float
    seconds: float
    least: float  # of the best setting
    quick: float  # excess after one pass of quick mode
    setting: str


def main(quick: bool = False, only: tuple[str, ...] = ()) -> list[Row]:
    """Print the table and the share."""
    print(f"{'':38s}{'passes over the rows to 1 %':>27s}{'ms to 1 %':>20s}{'quick,':>10s}")
    print(f"{'':38s}{'default':>15s}{'best of 60':>12s}{'default':>10s}{'best':>10s}{'1 pass':>10s}   the best setting")
    rows, done = [], set()
    for task in sets.tasks(only or (QUICK if quick else SETS)):
        if task.lasso or task.X.size > LARGEST or not task.loss.smooth() or task.name.split(",")[0] in done:
            continue
        done.add(task.name.split(",")[0])  # one loss a table
        own, seconds = default(task)
        visits, least, setting = best(task.standardised())
        rows.append(
            Row(task.name, own, visits, seconds, least, task.excess(fallline.quick(task.objective()).w), setting)
        )
        tell(rows[-1])
    for what, _, reached, _ in targets(rows):
        print(f"{what}: {reached}")
    return rows


def tell(row: Row) -> None:
    """A line of the table."""
    print(f"{row.name:38s}{row.own:15.2f}{row.best:12.2f}{row.seconds * 1e3:10.2f}{row.least * 1e3:10.2f}{row.quick:10.1e}"
          f"   {row.setting}", flush=True)  # fmt: skip


def default(task: Task) -> tuple[float, float]:
    """Passes and seconds of the default solver, warm, until it stands within 1 %; what it visits before its first look counts."""
    fallline.solve(task.objective())
    trace = fallline.solve(task.objective()).trace
    passes, seconds = first(trace, height(task))
    return passes - 1.0, seconds


def best(task: Task) -> tuple[float, float, str]:
    """The fewest passes of any setting, its seconds, and which; a walk ends where it can no longer be the best."""
    objective, goal = task.objective(), height(task)
    found, least, name = math.inf, math.inf, "none arrives"
    for rule, (step, rates) in RULES.items():
        for rate in rates:
            for batch in BATCHES:
                steps = -(-task.n // min(batch, task.n))
                budget = Visits(min(found, PASSES) * task.n)
                run = fallline.descend(
                    objective, sampler=Shuffled(batch), step=step, schedule=Constant(rate), advance=compiled,
                    stop=AnyOf((TargetLoss(goal), budget)), every=max(1, steps // LOOKS),
                )  # fmt: skip
                passes, seconds = first(run.trace, goal)
                if passes < found:
                    found, least, name = passes, seconds, f"{rule}, rate {rate:g}, batch {batch}"
    return found, least, name


def height(task: Task) -> float:
    """The loss at 1 % of excess."""
    return task.optimum + TARGET * (task.optimum - task.floor)


def first(trace: Any, goal: float) -> tuple[float, float]:
    """Passes and seconds until the loss is at most `goal`."""
    below = np.flatnonzero(trace["loss"] <= goal)
    return (float(trace["epochs"][below[0]]), float(trace["seconds"][below[0]])) if len(below) else (math.inf, math.inf)


def targets(rows: list[Row]) -> list[tuple[str, str, str, bool]]:
    """The issue's row."""
    share = sum(row.own <= MARGIN * row.best for row in rows) / len(rows)
    return [
        (f"default against the best of a 60-point grid in row visits, {len(rows)} sets", "within 5 % on ≥ 90 % of the sets",
         f"on {share:.0%}; {median(row.own / row.best for row in rows):.1f} × the visits and "
         f"{median(row.seconds / row.least for row in rows):.2f} × the seconds in the median; quick mode's one pass is within "
         f"1 % on {sum(row.quick <= TARGET for row in rows)}", share >= 0.9)
    ]  # fmt: skip


if __name__ == "__main__":
    main(*wanted())
