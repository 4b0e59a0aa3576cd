"""A first pass over the pieces of a file: what its columns are and how they are coded, as if they were seen whole."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fallline.data.ahead import ahead
from fallline.data.coding import Coding, Numeric, Words
from fallline.data.column import Column, Numbers, Text, column, label, plain, slip_in
from fallline.data.dataset import FloatArray
from fallline.data.encode import notes_of, share_standard
from fallline.data.encoder import Encoder
from fallline.data.facts import Facts, facts_of
from fallline.data.features import Story, coding_of
from fallline.data.room import refuse_columns
from fallline.data.seen import MOST_TEXTS, NumbersSeen, Seen, TextSeen
from fallline.data.table import Table, refuse_one_row
from fallline.data.task import Goal, Target, decided, refuse_missing
from fallline.data.wording import quoted
from fallline.data.words import words_of
from fallline.errors import InputError

MOST_DIFFERENT = 10_000  # values of a target that are told apart
MEND = "name another --target"


class Wanted(NamedTuple):
    """What the user asks for; see load."""

    target: str | int | None = None
    weights: str | int | None = None
    missing: tuple[str, ...] = ()
    task: str | None = None
    standardise: bool = True
    standardise_target: bool = True
    rare: float | None = None
    text: Sequence[str | int] = ()
    drop: Sequence[str | int] = ()
    memory: int | None = None  # bytes to get by with


@dataclass(frozen=True)
class Surveyed:
    """What there is to know of a file before its rows are coded."""

    rows: int
    goal: int  # the target's position
    worded: bool  # whether it is text
    weights: int | None  # the position of the column of weights
    target: Target
    encoder: Encoder
    notes: tuple[str, ...]
    source: str
    share: float  # what brings the weights to mean one

    def y(self, table: Table) -> FloatArray:
        """The target of some rows."""
        return self.target.coded(column(table, self.goal, self.encoder.missing, MEND, self.worded, part=True))

    def weight(self, table: Table) -> FloatArray:
        """Their weights, whose mean over the file is one."""
        if self.weights is None:
            return np.ones(table.rows)
        return weights_in(table, self.weights, self.encoder.missing) * self.share


@dataclass
class _Columns:
    """The columns of a file as far as they were seen."""

    wanted: Wanted
    texts: set[int]  # positions of columns that are text, whatever they look like
    out: set[int] = field(default_factory=set)
    first: Table | None = None
    goal: int = 0
    weights: int | None = None
    total: float = 0.0  # of the weights
    rows: int = 0
    seen: dict[int, Seen] = field(default_factory=dict)
    different: FloatArray | None = field(default_factory=lambda: np.empty(0))
    mixed: set[int] = field(default_factory=set)  # positions of numbers here and words there

    def begin(self, table: Table) -> None:
        wanted = self.wanted
        self.first = table
        if wanted.memory is not None:
            refuse_columns(table.source, len(table.names), wanted.memory)
        self.goal = table.find((table.target or -1) if wanted.target is None else wanted.target, "--target")
        self.out = {table.find(name, "--drop") for name in wanted.drop}
        if self.goal in self.out:
            raise InputError(f"--drop {quoted(table.names[self.goal])} names the target: leave out another column.")
        if wanted.weights is not None:
            self.weights = table.find(wanted.weights, "--weights")
            self.out.add(self.weights)
        self.texts |= {table.find(name, "--text") for name in wanted.text}

    def add(self, table: Table) -> None:
        if self.first is None:
            self.begin(table)
        self.rows += table.rows
        for position in (position for position in range(len(table.names)) if position not in self.out):
            made = None if position in self.texts else plain(table, position)
            facts = None if made is None else facts_of(made.values)
            self._see(position, made if made and facts else self._looked_at(table, position), table, facts)
        if self.weights is not None:
            self.total += float(weights_in(table, self.weights, self.wanted.missing).sum())

    def _looked_at(self, table: Table, position: int) -> Column:
        drop = f"leave the column out with --drop {quoted(table.names[position])}"
        otherwise = MEND if position == self.goal else drop
        return column(table, position, self.wanted.missing, otherwise, position in self.texts, part=True)

    def _see(self, position: int, made: Column, table: Table, facts: Facts | None = None) -> None:
        if position == self.goal:
            if facts is None:
                refuse_missing(made, table.place)
            if isinstance(made, Numbers):
                self.different = joined(self.different, made.values)
        seen = self.seen.get(position)
        if seen is None or not seen.rows - seen.gone:
            earlier, seen = seen, NumbersSeen(made.name) if isinstance(made, Numbers) else TextSeen(made.name)
            seen.rows = seen.gone = earlier.rows if earlier else 0
            self.seen[position] = seen
        if isinstance(seen, NumbersSeen) and isinstance(made, Numbers):
            if facts is None:
                seen.add(made)
            else:
                seen.boolean = seen.boolean or made.boolean
                seen.see(facts)
        elif isinstance(seen, TextSeen) and isinstance(made, Text):
            seen.add(made, numbers=_typed(table, position))
        elif not made.missing.all():
            self.mixed.add(position)
        else:
            seen.rows, seen.gone = seen.rows + len(made.missing), seen.gone + len(made.missing)


def survey(pieces: Iterable[Table], wanted: Wanted, words: set[int]) -> Surveyed:
    """Go over the pieces, a second time where a column turns out to be text that looked like numbers at first: it joins `words`.

    Raises InputError as `load` does, and for text with too many different values to be kept.
    """
    while True:
        columns = _Columns(wanted, words)
        for table in ahead(pieces):
            columns.add(table)
        if not columns.mixed:
            return _judged(columns, pieces)
        words |= columns.mixed


def weights_in(table: Table, position: int, missing: Sequence[str]) -> FloatArray:
    """The weights of some rows. Raises InputError for one that is missing, negative or no number."""
    made = column(table, position, missing, "name another --weights")
    name = quoted(table.names[position])
    if not isinstance(made, Numbers):
        raise InputError(f"--weights needs numbers, and {name} is text such as {quoted(made.levels[0])}: name another.")
    wrong = np.flatnonzero(~(made.values >= 0))
    if len(wrong):
        found = made.values[wrong[0]]
        raise InputError(
            f"the weight {name} at {table.place(int(wrong[0]))} is {'missing' if math.isnan(found) else f'{found:g}'}: a weight "
            "cannot be negative; use 0 to leave a row out."
        )
    return made.values


def _judged(columns: _Columns, pieces: Iterable[Table]) -> Surveyed:
    wanted, first = columns.wanted, columns.first
    assert first is not None
    refuse_one_row(columns.rows, first.called)
    asked = {first.find(name, "--text") for name in wanted.text}
    story, codings, scales, floored = Story(), list[Coding](), list[tuple[float, float]](), 0
    for position, seen in columns.seen.items():
        name = quoted(seen.name)
        if isinstance(seen, TextSeen) and position not in asked:
            _refuse_slips(columns, position, pieces)
        if position == columns.goal:
            continue
        if seen.rows == seen.gone:
            raise InputError(
                f"column {name} of {first.called} holds only missing values: leave the column out with --drop {name}."
            )
        if isinstance(seen, TextSeen) and seen.held is None:
            _refuse_wide(seen, first, story)
            continue
        coding = coding_of(seen, wanted.rare, position in asked, story)
        if coding.columns():
            codings.append(coding)
            for centre, scale, low in standards(coding, seen):
                scales.append((centre, scale) if wanted.standardise else (0.0, 1.0))
                floored += low
    told = tuple(story.notes())
    if not codings:
        because = " ".join(told) or "Add a column of numbers or levels, or --drop fewer."
        raise InputError(f"{first.called} has no column to learn {quoted(first.names[columns.goal])} from. {because}")
    if columns.weights is not None and not columns.total:
        raise InputError("weights are all zero: at least one row must count.")
    target = decided(_goal(columns), wanted.task, "", wanted.standardise_target)
    both = np.array(scales)
    goal = first.names[columns.goal]
    encoder = Encoder(
        tuple(codings), both[:, 0].copy(), both[:, 1].copy(), first.names, goal, first.named, wanted.missing
    )
    guessed = wanted.target is None and not first.target
    chosen = (f"The target is {quoted(goal)}, the last column (--target).",) if guessed else ()
    notes = (*first.notes, *chosen, *target.notes, *told, *notes_of(wanted.standardise, floored))
    share = columns.rows / columns.total if columns.total else 1.0
    worded = isinstance(columns.seen[columns.goal], TextSeen)
    return Surveyed(columns.rows, columns.goal, worded, columns.weights, target, encoder, notes, first.source, share)


def _goal(columns: _Columns) -> Goal:
    seen, different = columns.seen[columns.goal], columns.different
    if isinstance(seen, TextSeen):
        more = "more than " if seen.held is None else ""
        levels = seen.levels or ("",)
        return Goal(seen.name, seen.rows, False, False, MOST_TEXTS if more else len(levels), levels, more=more)
    return goal_of_numbers(seen, different)


def joined(different: FloatArray | None, values: FloatArray) -> FloatArray | None:
    """The different values among those and more; None for too many."""
    found = None if different is None else np.union1d(different, values)
    return found if found is not None and len(found) <= MOST_DIFFERENT else None


def goal_of_numbers(seen: NumbersSeen, different: FloatArray | None) -> Goal:
    """A target of numbers, from what was seen of it and its `different` values."""
    labels: tuple[str, ...]
    if different is None:
        labels = (label(seen.first, seen.boolean),)
        return Goal(seen.name, seen.rows, True, False, MOST_DIFFERENT, labels, *seen.centre_and_scale(), "more than ")
    whole, values = bool((different == np.round(different)).all()), different.tolist()
    labels = tuple(label(value, seen.boolean) for value in values)
    return Goal(seen.name, seen.rows, True, whole, len(values), labels, *seen.centre_and_scale())


def standards(coding: Coding, seen: Seen) -> Iterator[tuple[float, float, bool]]:
    """Centre, scale and whether that was raised to the floor, of each column that a coding makes (see encode)."""
    if isinstance(coding, Numeric):
        assert isinstance(seen, NumbersSeen)
        if coding.valued:
            mean, deviation = seen.centre_and_scale()
            yield mean, deviation * math.sqrt((seen.rows - seen.gone) / seen.rows) or 1.0, False
    else:
        assert isinstance(seen, TextSeen)
        for count in _counts(coding, seen):
            yield share_standard(count / seen.rows)
    if coding.marked:
        yield share_standard(seen.gone / seen.rows)


def _counts(coding: Any, seen: TextSeen) -> Iterator[int]:
    held = seen.held or {}
    if isinstance(coding, Words):
        found = [(words_of(level), count) for level, count in held.items()]
        yield from (sum(count for words, count in found if word in words) for word in coding.words)
    else:
        yield from (held[level] for level in coding.kept)
        if coding.rest:
            yield sum(held[level] for level in coding.others)


def _refuse_slips(columns: _Columns, position: int, pieces: Iterable[Table]) -> None:
    """Refuse words among numbers as a whole table's are; who errs may wait for the place to be found."""
    seen = columns.seen[position]
    assert isinstance(seen, TextSeen)
    slip = slip_in(seen.levels, seen.counts) if seen.held and not seen.numbers else None
    if slip is None:
        return
    for table in pieces:
        made = column(table, position, columns.wanted.missing, "", levels=True, part=True)
        assert isinstance(made, Text)
        rows = np.flatnonzero(np.isin(made.codes, [k for k, level in enumerate(made.levels) if level in slip.words]))
        if len(rows):
            otherwise = MEND if position == columns.goal else f"leave the column out with --drop {quoted(seen.name)}"
            raise slip.error(seen.name, made.levels[made.codes[rows[0]]], table.place(int(rows[0])), otherwise)


def _refuse_wide(seen: TextSeen, table: Table, story: Story) -> None:
    """Leave out text that names the rows; refuse other text of which too much would have to be kept."""
    if seen.naming and not seen.wordy:
        story.dropped.append(f"{quoted(seen.name)}, which has more than {MOST_TEXTS:,} different texts")
        return
    raise InputError(
        f"column {quoted(seen.name)} of {table.called} has more than {MOST_TEXTS:,} different texts, too many to keep while a "
        f"file is read in pieces: leave the column out with --drop {quoted(seen.name)}."
    )


def _typed(table: Table, position: int) -> bool:
    """Whether the file itself says that a column is of numbers."""
    import pyarrow as pa

    kind = table.arrays[position].type
    return not (pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
                or pa.types.is_string_view(kind) or pa.types.is_temporal(kind))  # fmt: skip
