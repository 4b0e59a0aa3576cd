"""A table as it came: named columns with nothing inferred yet, and a way to say where a row stands in its source."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fallline.data.wording import counted, listed, quoted
from fallline.errors import InputError

ARRAYS = "arrays"  # the source of what is in memory
Place = Callable[[int], str]  # where row i, from 0, stands in its source: "line 17 of houses.csv", "row 16"


@dataclass(frozen=True)
class Table:
    """Columns of one length, as Arrow arrays (text where they come from a file), each under its own name.

    target, task: what a bundled set or a pair (X, y) says about itself; "" where it says nothing.
    first_line: the fields of a first line that was taken for data, to explain a target not found.
    named: whether the names are its own, and not numbers given to its columns.
    """

    source: str
    names: tuple[str, ...]
    arrays: tuple[Any, ...]
    place: Place
    notes: tuple[str, ...] = ()
    target: str = ""
    task: str = ""
    first_line: tuple[str, ...] = ()
    named: bool = True

    def __post_init__(self) -> None:
        positions: dict[str, int] = {}
        for position, name in enumerate(self.names):
            if name in positions:
                raise InputError(
                    f"{self.called} has two columns named {quoted(name)}, columns {positions[name]} and "
                    f"{position} counted from 0: rename one of them."
                )
            positions[name] = position
        if not self.arrays or len(self.arrays[0]) == 0:
            raise InputError(f"{self.called} holds no rows of data: give a table with some.")

    @property
    def called(self) -> str:
        """The source as the subject of a sentence."""
        return "the table" if self.source == ARRAYS else self.source

    def called_as(self, names: tuple[str, ...]) -> "Table":
        """The same columns under other names."""
        return replace(self, names=names)

    @property
    def rows(self) -> int:
        return len(self.arrays[0])

    def find(self, wanted: str | int, option: str) -> int:
        """The position of a column given by name or by index from 0, negative from the end.

        An exact name wins, so that "8" can be a name; otherwise a whole number in text is an index.
        """
        return find_column(self.names, wanted, option, self.called, self.first_line)


def refuse_one_row(rows: int, called: str) -> None:
    """Raise InputError for a table of one row."""
    if rows == 1:
        raise InputError(f"{called} holds one row of data, and nothing can be learnt from one: give more rows.")


def find_column(
    names: Sequence[str], wanted: str | int, option: str, source: str, first_line: Sequence[str] = ()
) -> int:
    """Where in `names` the column stands that `option` asks for; InputError with the nearest name if nowhere."""
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    index = _whole_number(wanted)
    if index is not None:
        if -len(names) <= index < len(names):
            return index % len(names)
        raise InputError(
            f"{option} {index} is outside {source}, which has {counted(len(names), 'column')}: use 0 to "
            f"{len(names) - 1}, or -1 for the last."
        )
    if wanted in first_line:
        raise InputError(
            f"{option} {quoted(wanted)} stands in the first line of {source}, which was taken for data: say "
            "that it holds the names with --header."
        )
    near = difflib.get_close_matches(str(wanted), names, n=1, cutoff=0.5)
    near = [name for name in names if name.lower() == str(wanted).lower()] or near
    meant = f"did you mean {quoted(near[0])}? T" if near else "t"
    raise InputError(
        f"{option} {quoted(wanted)} is not a column of {source}: {meant}he columns are "
        f"{listed([quoted(name) for name in names])}."
    )


def numbered(position: int) -> str:
    """The name of a column that came without one."""
    return f"column {position}"


def _whole_number(wanted: str | int) -> int | None:
    try:
        return int(wanted)
    except ValueError:
        return None
