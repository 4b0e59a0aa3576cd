"""What a column becomes: features, each a name and n values, and the story of what was left out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fallline.data.column import Column, Numbers, Text
from fallline.data.dataset import FloatArray
from fallline.data.scaling import centre_and_scale
from fallline.data.wording import counted, listed, quoted
from fallline.data.words import WORDY, mean_words, word_indicators
from fallline.errors import InputError

RARE_SHARE = 0.005  # levels on fewer rows than this share teach little and cost a long column
RARE_ROWS = 10  # nor do levels on fewer rows than this,
RARE_TENTH = 0.1  # unless the table is so small that these are a tenth of it
MOST_LEVELS = 30  # of a column of text, by default
NAMES_SHARE = 0.5  # text with more levels than this to a row names the rows: names, identifiers, dates


@dataclass(frozen=True)
class Feature:
    """A column of the matrix: float64, or bool for one that says yes or no."""

    name: str
    values: FloatArray | NDArray[np.bool_]


@dataclass
class Story:
    """What happened to columns, kind by kind, until it is told in notes."""

    dropped: list[str] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    one_hot: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    counters: list[str] = field(default_factory=list)

    def notes(self) -> Iterator[str]:
        """One sentence for each kind that occurred."""
        if self.dropped:
            yield f"Left out: {listed(self.dropped)} (--text keeps text as levels)."
        if self.filled:
            yield (
                "Missing numbers were filled with the column's mean and marked in a column of their own: "
                f"{listed(self.filled)} (--missing)."
            )
        if self.unknown:
            yield f"Missing text was marked in a column of its own: {listed(self.unknown)} (--missing)."
        if self.one_hot:
            yield f"Text became one 0/1 column for each level: {listed(self.one_hot)} (--rare, --drop)."
        if self.words:
            yield f"Longer text became 0/1 columns of its words: {listed(self.words)} (--rare, --drop)."
        if self.counters:
            yield f"Left in, though it only counts the rows: {listed(self.counters)} (--drop)."


def features(column: Column, rare: float | None, keep: bool, story: Story) -> Iterator[Feature]:
    """The features of one column. `rare` is as in `load`; with `keep`, text that names rows is levels too."""
    if isinstance(column, Numbers):
        yield from _of_numbers(column, story)
    else:
        most = MOST_LEVELS if rare is None else None
        yield from _of_text(column, fewest_rows(rare, len(column.codes)), most, keep, story)


def fewest_rows(rare: float | None, rows: int) -> float:
    """The number of rows from which on a level has a column of its own."""
    if rare is None:
        return max(RARE_SHARE * rows, min(RARE_ROWS, RARE_TENTH * rows))
    if rare < 0:
        raise InputError(f"--rare {rare:g} is negative: give a number of rows, or a share of them such as 0.01.")
    return rare * rows if rare < 1 else rare


def _of_numbers(column: Numbers, story: Story) -> Iterator[Feature]:
    gone = column.missing
    present = column.values[~gone] if gone.any() else column.values
    if (present == present[0]).all():
        where = "wherever it is present" if gone.any() else "in every row"
        story.dropped.append(f"{quoted(column.name)}, which is {present[0]:g} {where}")
    elif gone.any():
        mean, _ = centre_and_scale(present)
        yield Feature(column.name, np.where(gone, mean, column.values))
    else:
        if len(present) > 2 and (np.diff(present) == 1.0).all():
            story.counters.append(quoted(column.name))
        yield Feature(column.name, present)
    if gone.any():
        story.filled.append(f"{quoted(column.name)} ({counted(int(gone.sum()), 'row')})")
        yield _missing(column)


def _of_text(column: Text, fewest: float, most: int | None, keep: bool, story: Story) -> Iterator[Feature]:
    gone, name = column.missing, quoted(column.name)
    present = len(column.codes) - int(gone.sum())
    levels = len(column.levels)
    if levels > max(NAMES_SHARE * present, 2) and not keep:
        if mean_words(column) >= WORDY:
            made = list(word_indicators(column, fewest))
            story.words.append(f"{name} ({counted(len(made), 'word')})")
            yield from (Feature(word, values) for word, values in made)
        else:
            story.dropped.append(f"{name}, which has {levels} different texts in {present} rows")
    elif levels == 1 and not gone.any():
        story.dropped.append(f"{name}, which is {quoted(column.levels[0])} in every row")
    else:
        yield from _one_hot(column, fewest, most, story)
    if gone.any():
        story.unknown.append(f"{name} ({counted(int(gone.sum()), 'row')})")
        yield _missing(column)


def _one_hot(column: Text, fewest: float, most: int | None, story: Story) -> Iterator[Feature]:
    """A column for each level, rare ones together.

    No level is left out as the reference: with a penalty that would make the answer depend on which one.
    """
    by_count = np.argsort(-column.counts, kind="stable")  # equal counts: the first level in order stays
    kept = sorted(int(code) for code in by_count[:most] if column.counts[code] >= fewest)
    own = np.zeros(len(column.levels) + 1, dtype=bool)  # the last is for code -1, missing
    own[kept] = True
    together = len(column.levels) - len(kept)
    if not kept and not column.missing.any():
        story.dropped.append(
            f"{quoted(column.name)}, none of whose {together} texts stands on {math.ceil(fewest)} rows"
        )
        return
    other = "other" if "other" not in column.levels else "(other)"
    rare = f", {counted(together, 'rare one')} together as {quoted(other)}" if together else ""
    story.one_hot.append(f"{quoted(column.name)} ({counted(len(column.levels), 'level')}{rare})")
    for code in kept:
        yield Feature(f"{column.name}={column.levels[code]}", column.codes == code)
    if together:
        yield Feature(f"{column.name}={other}", (column.codes >= 0) & ~own[column.codes])


def _missing(column: Column) -> Feature:
    return Feature(f"{column.name} is missing", column.missing)
