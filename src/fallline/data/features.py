"""How each column is to be coded, decided from its values, and the story of what was left out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fallline.data.coding import Coding, Levels, Numeric, Words
from fallline.data.seen import NAMES_SHARE, WORDY, NumbersSeen, Seen, TextSeen
from fallline.data.wording import counted, listed, quoted
from fallline.data.words import frequent_words, mean_words
from fallline.errors import InputError

RARE_SHARE = 0.005  # levels on fewer rows than this share teach little and cost a long column
RARE_ROWS = 10  # nor do levels on fewer rows than this,
RARE_TENTH = 0.1  # unless the table is so small that these are a tenth of it
MOST_LEVELS = 30  # of a column of text, by default


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


def coding_of(column: Seen, rare: float | None, keep: bool, story: Story) -> Coding:
    """How a column is to be coded. `rare` is as in `load`; with `keep`, text that names rows is levels too."""
    if isinstance(column, NumbersSeen):
        return _of_numbers(column, story)
    most = MOST_LEVELS if rare is None else None
    return _of_text(column, fewest_rows(rare, column.rows), most, keep, story)


def fewest_rows(rare: float | None, rows: int) -> float:
    """The number of rows from which on a level has a column of its own."""
    if rare is None:
        return max(RARE_SHARE * rows, min(RARE_ROWS, RARE_TENTH * rows))
    if rare < 0:
        raise InputError(f"--rare {rare:g} is negative: give a number of rows, or a share of them such as 0.01.")
    return rare * rows if rare < 1 else rare


def _of_numbers(column: NumbersSeen, story: Story) -> Numeric:
    marked, mean = column.gone > 0, column.centre_and_scale()[0]
    if column.constant:
        where = "wherever it is present" if marked else "in every row"
        story.dropped.append(f"{quoted(column.name)}, which is {column.last:g} {where}")
    elif not marked and column.rows > 2 and column.counting:
        story.counters.append(quoted(column.name))
    if marked:
        story.filled.append(f"{quoted(column.name)} ({counted(column.gone, 'row')})")
    return Numeric(column.name, mean, valued=not column.constant, marked=marked)


def _of_text(column: TextSeen, fewest: float, most: int | None, keep: bool, story: Story) -> Coding:
    name, marked, present = quoted(column.name), column.gone > 0, column.rows - column.gone
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
        story.unknown.append(f"{name} ({counted(column.gone, 'row')})")
    return made


def _one_hot(column: TextSeen, fewest: float, most: int | None, story: Story) -> Levels:
    """A column for each level, rare ones together.

    No level is left out as the reference: with a penalty that would make the answer depend on which one.
    """
    levels, counts = column.levels, column.counts
    by_count = np.argsort(-counts, kind="stable")  # equal counts: the first level in order stays
    kept = sorted(int(code) for code in by_count[:most] if counts[code] >= fewest)
    own = set(kept)
    others = tuple(level for code, level in enumerate(levels) if code not in own)
    marked = column.gone > 0
    if not kept and not marked:
        story.dropped.append(
            f"{quoted(column.name)}, none of whose {len(others)} texts stands on {math.ceil(fewest)} rows"
        )
        return Levels(column.name, ())
    rest = "" if not others else "other" if "other" not in levels else "(other)"
    rare = f", {counted(len(others), 'rare one')} together as {quoted(rest)}" if others else ""
    story.one_hot.append(f"{quoted(column.name)} ({counted(len(levels), 'level')}{rare})")
    return Levels(column.name, tuple(levels[code] for code in kept), others, rest, marked)
