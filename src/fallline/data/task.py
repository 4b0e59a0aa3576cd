"""From the target column to numbers to learn: which task it is, and the code of each class."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fallline.data.column import Column, Numbers, Text, label, number_of
from fallline.data.dataset import BINARY, MULTICLASS, REGRESSION, TASKS, FloatArray
from fallline.data.scaling import centre_and_scale
from fallline.data.table import Place
from fallline.data.wording import counted, listed, quoted
from fallline.errors import InputError

MOST_NUMBERED_CLASSES = 10  # whole numbers with more values than this are amounts
ROWS_A_CLASS = 10  # and so are those with fewer rows to a value than this, on average
MOST_LEVELS = 20  # more classes than this, most of them of a single row, are names or amounts
MANY = 100_000  # classes beyond all sense


@dataclass(frozen=True)
class Target:
    """What was decided about the target; the fields are those of Dataset."""

    task: str
    classes: tuple[str, ...]
    mean: float
    scale: float
    notes: tuple[str, ...]

    def coded(self, column: Column) -> FloatArray:
        """The target's column, or some rows of it, as y."""
        if isinstance(column, Numbers) and self.task == REGRESSION:
            return column.values if (self.mean, self.scale) == (0.0, 1.0) else (column.values - self.mean) / self.scale
        if isinstance(column, Numbers):
            codes = np.searchsorted([*map(number_of, self.classes)], column.values).astype(np.float64)
        else:
            number = {label: code for code, label in enumerate(self.classes)}
            codes = np.array([number[level] for level in column.levels], dtype=np.float64)[column.codes]
        return np.where(codes == 1.0, 1.0, -1.0) if self.task == BINARY else codes


class Goal(NamedTuple):
    """What of the target's column the task is told from."""

    name: str
    rows: int
    numbers: bool
    whole: bool  # all of them whole numbers
    distinct: int  # different values, at least
    labels: tuple[str, ...]  # of its values, in order; of many, the first
    mean: float = 0.0  # of numbers
    scale: float = 1.0
    more: str = ""  # "more than " where not all different values were counted


def goal_of(column: Column) -> Goal:
    """Of a column that is whole."""
    if isinstance(column, Text):
        return Goal(column.name, len(column.codes), False, False, len(column.levels), column.levels)
    values = np.unique(column.values)
    labels = tuple(label(value, column.boolean) for value in values[:MANY].tolist())
    whole = bool((values == np.round(values)).all())
    return Goal(column.name, len(column.values), True, whole, len(values), labels, *centre_and_scale(column.values))


def coded(column: Column, place: Place, task: str | None, known: str, standardise: bool) -> tuple[Target, FloatArray]:
    """What is decided about the target, and it as y. Raises InputError for missing values, and as `decided` does."""
    refuse_missing(column, place)
    target = decided(goal_of(column), task, known, standardise)
    return target, target.coded(column)


def decided(goal: Goal, task: str | None, known: str, standardise: bool) -> Target:
    """What to learn, by the task that the user asks for, or that a bundled set is `known` for, or a guess.

    Raises InputError for a single value, for text with as many levels as rows, and for a task that the values do not allow.
    """
    if task is not None and task not in TASKS:
        raise InputError(f"--task {quoted(task)} is not one of {listed(TASKS)}.")
    if goal.distinct == 1:
        raise InputError(
            f"the target {quoted(goal.name)} is {quoted(goal.labels[0])} in every row, so there is nothing to "
            "learn: name another with --target."
        )
    chosen = task or known or _guess(goal)
    because = "" if task or known else _reason(goal, chosen)
    return _amounts(goal, standardise, because) if chosen == REGRESSION else _classes(goal, chosen, because)


def _guess(goal: Goal) -> str:
    if not goal.numbers:
        return BINARY if goal.distinct == 2 else MULTICLASS
    if goal.distinct == 2 and goal.rows > 2:
        return BINARY
    few = goal.distinct <= MOST_NUMBERED_CLASSES and goal.rows >= ROWS_A_CLASS * goal.distinct
    return MULTICLASS if goal.whole and few else REGRESSION


def _reason(goal: Goal, chosen: str) -> str:
    kind = "texts" if not goal.numbers else "whole numbers" if chosen == MULTICLASS else "numbers"
    return f", as it holds {goal.more}{goal.distinct} different {kind}"


def _amounts(goal: Goal, standardise: bool, because: str) -> Target:
    if not goal.numbers:
        raise InputError(
            f"--task regression needs numbers, and the target {quoted(goal.name)} is text such as "
            f"{quoted(goal.labels[0])}: leave --task out, or name another --target."
        )
    note = f"The task is regression on {quoted(goal.name)}{because} (--task)."
    if not standardise:
        return Target(REGRESSION, (), 0.0, 1.0, (note,))
    if goal.scale == 0.0:
        raise InputError(
            f"the target {quoted(goal.name)} is {goal.mean:g} in every row up to rounding, so there is nothing "
            "to learn: name another with --target."
        )
    units = (
        f"The target was standardised: one unit of y is {goal.scale:.6g} of {quoted(goal.name)}, counted from "
        f"its mean {goal.mean:.6g} (--no-standardise-target)."
    )
    return Target(REGRESSION, (), goal.mean, goal.scale, (note, units))


def _classes(goal: Goal, task: str, because: str) -> Target:
    _refuse_names(goal)
    if task == BINARY and goal.distinct != 2:
        raise InputError(
            f"--task binary needs two classes, and the target {quoted(goal.name)} has {goal.distinct}: use "
            "--task multiclass or regression."
        )
    labels = goal.labels
    if task == BINARY:
        what = f"two classes, {quoted(labels[0])} as -1 and {quoted(labels[1])} as +1"
    else:
        what = f"{len(labels)} classes, {listed([quoted(name) for name in labels])}"
    note = f"The task is to tell {what}, by {quoted(goal.name)}{because} (--task)."
    return Target(task, labels, 0.0, 1.0, (note,))


def refuse_missing(column: Column, place: Place) -> None:
    """Raise InputError for the first row without a target."""
    gone = np.flatnonzero(column.missing)
    if len(gone) == len(column.missing):
        raise InputError(f"the target {quoted(column.name)} is missing in every row: name another --target.")
    if len(gone):
        others = f" and in {counted(len(gone) - 1, 'other row')}" if len(gone) > 1 else ""
        raise InputError(
            f"the target {quoted(column.name)} is missing at {place(int(gone[0]))}{others}: fill in or "
            f"delete {'these rows' if others else 'this row'}, or name another --target."
        )


def _refuse_names(goal: Goal) -> None:
    if (
        goal.distinct == goal.rows
        or goal.distinct > MANY
        or (goal.distinct > goal.rows / 2 and goal.distinct > MOST_LEVELS)
    ):
        raise InputError(
            f"the target {quoted(goal.name)} has {goal.more}{goal.distinct} different values in {goal.rows} rows, such as "
            f"{quoted(goal.labels[0])}, which is too many for classes: name another --target, or --task "
            "regression if they are amounts."
        )
