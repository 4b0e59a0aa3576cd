"""From the target column to numbers to learn: which task it is, and the code of each class."""

from dataclasses import dataclass

import numpy as np

from fallline.data.column import Column, Numbers, Text, as_text
from fallline.data.dataset import BINARY, MULTICLASS, REGRESSION, TASKS, FloatArray
from fallline.data.scaling import centre_and_scale
from fallline.data.table import Place
from fallline.data.wording import counted, listed, quoted
from fallline.errors import InputError

MOST_NUMBERED_CLASSES = 10  # whole numbers with more values than this are amounts
ROWS_A_CLASS = 10  # and so are those with fewer rows to a value than this, on average
MOST_LEVELS = 20  # more classes than this, most of them of a single row, are names or amounts


@dataclass(frozen=True)
class Target:
    """The coded target and what was decided about it; the fields are those of Dataset."""

    y: FloatArray
    task: str
    classes: tuple[str, ...]
    mean: float
    scale: float
    notes: tuple[str, ...]


def coded(column: Column, place: Place, task: str | None, known: str, standardise: bool) -> Target:
    """The target as y, for the task that the user asks for, or that a bundled set is `known` for, or guessed.

    Raises InputError for missing values, for a single value, for text with as many levels as rows, and for a
    task that the values do not allow.
    """
    if task is not None and task not in TASKS:
        raise InputError(f"--task {quoted(task)} is not one of {listed(TASKS)}.")
    _refuse_missing(column, place)
    distinct = len(column.levels) if isinstance(column, Text) else len(np.unique(column.values))
    if distinct == 1:
        only = as_text(column).levels[0]
        raise InputError(
            f"the target {quoted(column.name)} is {quoted(only)} in every row, so there is nothing to "
            "learn: name another with --target."
        )
    chosen = task or known or _guess(column, distinct)
    because = "" if task or known else _reason(column, distinct, chosen)
    if chosen == REGRESSION:
        return _amounts(column, standardise, because)
    return _classes(as_text(column), chosen, because)


def _guess(column: Column, distinct: int) -> str:
    if isinstance(column, Text):
        return BINARY if distinct == 2 else MULTICLASS
    if distinct == 2 and len(column.values) > 2:
        return BINARY
    whole = bool((column.values == np.round(column.values)).all())
    few = distinct <= MOST_NUMBERED_CLASSES and len(column.values) >= ROWS_A_CLASS * distinct
    return MULTICLASS if whole and few else REGRESSION


def _reason(column: Column, distinct: int, chosen: str) -> str:
    kind = "texts" if isinstance(column, Text) else "whole numbers" if chosen == MULTICLASS else "numbers"
    return f", as it holds {distinct} different {kind}"


def _amounts(column: Column, standardise: bool, because: str) -> Target:
    if not isinstance(column, Numbers):
        raise InputError(
            f"--task regression needs numbers, and the target {quoted(column.name)} is text such as "
            f"{quoted(column.levels[0])}: leave --task out, or name another --target."
        )
    note = f"The task is regression on {quoted(column.name)}{because} (--task)."
    if not standardise:
        return Target(column.values, REGRESSION, (), 0.0, 1.0, (note,))
    mean, scale = centre_and_scale(column.values)
    if scale == 0.0:
        raise InputError(
            f"the target {quoted(column.name)} is {mean:g} in every row up to rounding, so there is nothing "
            "to learn: name another with --target."
        )
    units = (
        f"The target was standardised: one unit of y is {scale:.6g} of {quoted(column.name)}, counted from "
        f"its mean {mean:.6g} (--no-standardise-target)."
    )
    return Target((column.values - mean) / scale, REGRESSION, (), mean, scale, (note, units))


def _classes(column: Text, task: str, because: str) -> Target:
    _refuse_names(column)
    labels = column.levels
    if task == BINARY and len(labels) != 2:
        raise InputError(
            f"--task binary needs two classes, and the target {quoted(column.name)} has {len(labels)}: use "
            "--task multiclass or regression."
        )
    if task == BINARY:
        y = np.where(column.codes == 1, 1.0, -1.0)
        what = f"two classes, {quoted(labels[0])} as -1 and {quoted(labels[1])} as +1"
    else:
        y = column.codes.astype(np.float64)
        what = f"{len(labels)} classes, {listed([quoted(name) for name in labels])}"
    note = f"The task is to tell {what}, by {quoted(column.name)}{because} (--task)."
    return Target(y, task, labels, 0.0, 1.0, (note,))


def _refuse_missing(column: Column, place: Place) -> None:
    gone = np.flatnonzero(column.missing)
    if len(gone) == len(column.missing):
        raise InputError(f"the target {quoted(column.name)} is missing in every row: name another --target.")
    if len(gone):
        others = f" and in {counted(len(gone) - 1, 'other row')}" if len(gone) > 1 else ""
        raise InputError(
            f"the target {quoted(column.name)} is missing at {place(int(gone[0]))}{others}: fill in or "
            f"delete {'these rows' if others else 'this row'}, or name another --target."
        )


def _refuse_names(column: Text) -> None:
    levels, rows = len(column.levels), len(column.codes)
    if levels == rows or (levels > rows / 2 and levels > MOST_LEVELS):
        raise InputError(
            f"the target {quoted(column.name)} has {levels} different values in {rows} rows, such as "
            f"{quoted(column.levels[0])}, which is too many for classes: name another --target, or --task "
            "regression if they are amounts."
        )
