"""How a column becomes numbers, as a value that serves again: on the table that it was learnt from, and on new ones.

A coding knows the name of its column, the names of the columns that it makes, and their values for any table; to make one
is the business of `features.py`. `as_dict` and `coding_from` take it through JSON.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fallline.data.column import Column, Numbers, Text
from fallline.data.dataset import FloatArray
from fallline.data.words import has

Values = FloatArray | NDArray[np.bool_]  # of a column of the matrix; bool for one that says yes or no


class Numeric(NamedTuple):
    """A column of numbers.

    fill: what stands for a missing one; valued: whether the numbers are learnt from, or only which are missing;
    marked: whether a column of its own says which are missing.
    """

    name: str
    fill: float = 0.0
    valued: bool = True
    marked: bool = False

    def columns(self) -> list[str]:
        return [self.name] * self.valued + [missing(self.name)] * self.marked

    def values(self, column: Column) -> Iterator[Values]:
        assert isinstance(column, Numbers)
        if self.valued:
            yield np.where(column.missing, np.float64(self.fill), column.values) if column.gone else column.values
        if self.marked:
            yield column.missing

    def unseen(self, column: Column) -> int:
        """How many rows have a value that the table learnt from did not have: none, of numbers."""
        return 0


class Levels(NamedTuple):
    """A column of text: a 0/1 column for each level that is `kept`, and one under the name `rest` for the `others`."""

    name: str
    kept: tuple[str, ...]
    others: tuple[str, ...] = ()
    rest: str = ""  # "" where there are no others
    marked: bool = False

    def columns(self) -> list[str]:
        own = [f"{self.name}={level}" for level in (*self.kept, *filter(None, (self.rest,)))]
        return own + [missing(self.name)] * self.marked

    def values(self, column: Column) -> Iterator[Values]:
        assert isinstance(column, Text)
        number = {level: k for k, level in enumerate(self.kept)}
        owns = np.array([number.get(level, len(number)) for level in column.levels] + [-1])[column.codes]
        yield from (owns == k for k in range(len(number)))
        if self.rest:
            yield owns == len(number)
        if self.marked:
            yield column.missing

    def unseen(self, column: Column) -> int:
        """How many rows have a level that the table learnt from did not have."""
        assert isinstance(column, Text)
        known = {*self.kept, *self.others}
        return sum(
            count for level, count in zip(column.levels, column.counts.tolist(), strict=True) if level not in known
        )


class Words(NamedTuple):
    """A column of longer text: a 0/1 column for each of its frequent words."""

    name: str
    words: tuple[str, ...]
    marked: bool = False

    def columns(self) -> list[str]:
        return [f"{self.name} has {word}" for word in self.words] + [missing(self.name)] * self.marked

    def values(self, column: Column) -> Iterator[Values]:
        assert isinstance(column, Text)
        yield from has(column, self.words)
        if self.marked:
            yield column.missing

    def unseen(self, column: Column) -> int:
        """None: text that is new is what words are for."""
        return 0


Coding = Numeric | Levels | Words
CODINGS: dict[str, Any] = {"numeric": Numeric, "levels": Levels, "words": Words}
"""The kinds of coding, by the name that a model file gives them."""


def missing(name: str) -> str:
    """The name of the column that says where another is missing."""
    return f"{name} is missing"


def as_dict(coding: Coding) -> dict[str, Any]:
    """The coding as JSON has it."""
    kind = next(name for name, made in CODINGS.items() if type(coding) is made)
    return {"kind": kind, **coding._asdict()}


def coding_from(values: dict[str, Any]) -> Coding:
    """The coding that `as_dict` wrote. Raises KeyError or TypeError for anything else."""
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    made: Coding = CODINGS[str(settings.pop("kind"))](**settings)
    for name, value in made._asdict().items():
        texts = value if isinstance(value, tuple) else ()
        if not isinstance(value, KINDS[name]) or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"{name} of a coding is {value!r}")
    return made


KINDS: dict[str, type] = {
    **dict.fromkeys(("name", "rest"), str),
    **dict.fromkeys(("kept", "others", "words"), tuple),
    **dict.fromkeys(("valued", "marked"), bool),
    "fill": float,
}
"""What the fields of codings are."""
