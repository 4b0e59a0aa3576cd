"""What was seen of a column: enough to decide how it is coded, whether the column was seen whole or piece by piece."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fallline.data.column import Column, Numbers, Text, number_of
from fallline.data.facts import Facts, facts_of
from fallline.data.scaling import Moments, merged

NAMES_SHARE = 0.5  # text with more levels than this to a row names the rows: names, identifiers, dates
WORDY = 6  # text of so many words on average is sentences; a full name has about four
MOST_TEXTS = 100_000  # different texts of a column that are kept while it is read in pieces


@dataclass
class NumbersSeen:
    """Of a column of numbers: rows, missing ones, and of those present whether they vary and how."""

    name: str
    rows: int = 0
    gone: int = 0
    boolean: bool = False
    constant: bool = True  # all of them the same
    counting: bool = True  # each one above the last
    first: float = math.nan
    last: float = math.nan
    moments: list[Moments] = field(default_factory=list)

    def see(self, facts: Facts) -> None:
        """See more rows, all present."""
        self.rows += facts.moments.rows
        self.first = facts.first if math.isnan(self.first) else self.first
        self.constant = self.constant and facts.constant and facts.first == self.first
        self.counting = self.counting and (math.isnan(self.last) or facts.first - self.last == 1.0) and facts.counting
        self.last = facts.last
        self.moments.append(facts.moments)

    def add(self, column: Numbers) -> None:
        """See more rows."""
        gone = column.missing
        present = column.values[~gone] if gone.any() else column.values
        self.boolean = self.boolean or column.boolean
        self.rows, self.gone = self.rows + len(gone) - len(present), self.gone + len(gone) - len(present)
        if len(present) and (facts := facts_of(present)):
            self.see(facts)

    def centre_and_scale(self) -> tuple[float, float]:
        """Mean and deviation of those present, as scaling.centre_and_scale has them."""
        return merged(self.moments)


@dataclass
class TextSeen:
    """Of a column of text: the rows of each level, as far as there are not too many."""

    name: str
    rows: int = 0
    gone: int = 0
    held: dict[str, int] | None = field(default_factory=dict)  # level → rows; None: more than MOST_TEXTS
    numbers: bool = False  # whether the levels are numbers, which stand in their own order
    ordered: tuple[str, ...] = ()  # levels in an order of their own
    naming: bool = False  # whether, where there are too many, they name the rows
    wordy: bool = False  # and whether they are sentences

    def add(self, column: Text, numbers: bool = False) -> None:
        """See more rows."""
        self.rows, self.gone = self.rows + len(column.codes), self.gone + column.gone
        self.numbers = self.numbers or numbers
        if list(column.levels) != sorted(column.levels) and not numbers:
            self.ordered = tuple(dict.fromkeys((*self.ordered, *column.levels)))
        if self.held is None:
            return
        for level, count in zip(column.levels, column.counts.tolist(), strict=True):
            self.held[level] = self.held.get(level, 0) + count
        if len(self.held) > MOST_TEXTS:
            self.naming = len(self.held) > NAMES_SHARE * (self.rows - self.gone)
            self.wordy = sum(level.count(" ") + 1 for level in self.held) >= WORDY * len(self.held)
            self.held = None

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that occur, in their order."""
        held = self.held or {}
        if self.ordered:
            return tuple(level for level in dict.fromkeys((*self.ordered, *sorted(held))) if level in held)
        return tuple(sorted(held, key=number_of)) if self.numbers else tuple(sorted(held))

    @property
    def counts(self) -> Any:
        """Rows of each."""
        return np.array([(self.held or {})[level] for level in self.levels], dtype=np.int64)


Seen = NumbersSeen | TextSeen


def seen(column: Column) -> Seen:
    """A column that was seen whole."""
    if isinstance(column, Numbers):
        numbers = NumbersSeen(column.name)
        numbers.add(column)
        return numbers
    made = TextSeen(column.name, held={})
    made.rows, made.gone = len(column.codes), column.gone
    made.held = dict(zip(column.levels, column.counts.tolist(), strict=True))
    made.ordered = column.levels
    return made
