"""How each column is to be coded, decided from its values, and the story of what was left out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fallline.data.coding import Coding, Levels, Numeric, Words
from fallline.data.column import Column, Numbers, Text
from fallline.data.scaling import centre_and_scale
from fallline.data.wording import counted, listed, quoted
from fallline.data.words import WORDY, frequent_words, mean_words
from fallline.errors import InputError

RARE_SHARE = 0.005  # levels on fewer rows than this share teach little and cost a long column
RARE_ROWS = 10  # nor do levels on fewer rows than this,
RARE_TENTH = 0.1  # unless the table is so small that these are a tenth of it
MOST_LEVELS = 30  # of a column of text, by default
NAMES_SHARE = 0.5  # text with more levels than this to a row names the rows: names, identifiers, dates


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


def coding_of(column: Column, rare: float | None, keep: bool, story: Story) -> Coding:
    """How a column is to be coded. `rare` is as in `load`; with `keep`, text that names rows is levels too."""
    if isinstance(column, Numbers):
        return _of_numbers(column, story)
    most = MOST_LEVELS if rare is None else None
    return _of_text(column, fewest_rows(rare, len(column.codes)), most, keep, story)


def fewest_rows(rare: float | None, rows: int) -> float:
    """The number of rows from which on a level has a column of its own."""
    if rare is None:
        return max(RARE_SHARE * rows, min(RARE_ROWS, RARE_TENTH * rows))
    if rare < 0:
        raise InputError(f"--rare {rare:g} is negative: give a number of rows, or a share of them such as 0.01.")
    return rare * rows if rare < 1 else rare


def _of_numbers(column: Numbers, story: Story) -> Numeric:
    gone = column.missing
    marked = bool(gone.any())
    present = column.values[~gone] if marked else column.values
    constant = bool((present == present[0]).all())
    if constant:
        where = "wherever it is present" if marked else "in every row"
        story.dropped.append(f"{quoted(column.name)}, which is {present[0]:g} {where}")
    elif not marked and len(present) > 2 and (np.diff(present) == 1.0).all():
        story.counters.append(quoted(column.name))
    if marked:
        story.filled.append(f"{quoted(column.name)} ({counted(int(gone.sum()), 'row')})")
    return Numeric(column.name, centre_and_scale(present)[0], valued=not constant, marked=marked)


def _of_text(column: Text, fewest: float, most: int | None, keep: bool, story: Story) -> Coding:
    gone, name = column.missing, quoted(column.name)
    marked = bool(gone.any())
    present = len(column.codes) - int(gone.sum())
    levels = len(column.levels)
    made: Coding = Levels(column.name, (), marked=marked)
    if levels > max(NAMES_SHARE * present, 2) and not keep:
        if mean_words(column) >= WORDY:
            made = Words(column.name, frequent_words(column, fewest), marked)
            story.words.append(f"{name} ({counted(len(made.words), 'word')})")
        else:
            story.dropped.append(f"{name}, which has {levels} different texts in {present} rows")
    elif levels == 1 and not marked:
        story.dropped.append(f"{name}, which is {quoted(column.levels[0])} in every row")
    else:
        made = _one_hot(column, fewest, most, story)
    if marked:
        story.unknown.append(f"{name} ({counted(int(gone.sum()), 'row')})")
    return made


def _one_hot(column: Text, fewest: float, most: int | None, story: Story) -> Levels:
    """A column for each level, rare ones together.

    No level is left out as the reference: with a penalty that would make the answer depend on which one.
    """
    by_count = np.argsort(-column.counts, kind="stable")  # equal counts: the first level in order stays
    kept = sorted(int(code) for code in by_count[:most] if column.counts[code] >= fewest)
    own = set(kept)
    others = tuple(level for code, level in enumerate(column.levels) if code not in own)
    marked = bool(column.missing.any())
    if not kept and not marked:
        story.dropped.append(
            f"{quoted(column.name)}, none of whose {len(others)} texts stands on {math.ceil(fewest)} rows"
        )
        return Levels(column.name, ())
    rest = "" if not others else "other" if "other" not in column.levels else "(other)"
    rare = f", {counted(len(others), 'rare one')} together as {quoted(rest)}" if others else ""
    story.one_hot.append(f"{quoted(column.name)} ({counted(len(column.levels), 'level')}{rare})")
    return Levels(column.name, tuple(column.levels[code] for code in kept), others, rest, marked)
