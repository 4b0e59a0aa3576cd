"""Names of columns that came without any, made when they are asked for: ten million of them would take longer than the rows."""

from collections.abc import Iterator, Sequence
from typing import Any, overload


class Numbered(Sequence[str]):
    """`label` and a number for each column, such as "feature 7": as a tuple of them would be, in no time and no memory.

    numbers: of the columns in their order, most often a range; first: what is added to each.
    """

    def __init__(self, label: str, numbers: Sequence[int], first: int = 0) -> None:
        self.label, self.numbers, self.first = label, numbers, first

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "Numbered": ...
    def __getitem__(self, place: int | slice) -> "str | Numbered":
        if isinstance(place, slice):
            return Numbered(self.label, self.numbers[place], self.first)
        return self._name(self.numbers[place])

    def __iter__(self) -> Iterator[str]:
        return map(self._name, self.numbers)

    def __contains__(self, name: object) -> bool:
        number = self._number(name)
        return number is not None and number in self.numbers

    def index(self, name: Any, start: int = 0, stop: int | None = None) -> int:
        """The first place of a name. Raises ValueError where there is none."""
        number = self._number(name)
        places = self.numbers if number is None else self.numbers[start:stop]
        if number is None or number not in places:
            raise ValueError(f"{name!r} is not among the names")
        return range(len(self))[start:stop][places.index(number)]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Numbered | tuple):
            return NotImplemented
        return len(self) == len(other) and all(ours == theirs for ours, theirs in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Numbered({self.label!r}, {self.numbers!r}, {self.first})"

    def _name(self, number: int) -> str:
        return f"{self.label} {number + self.first}"

    def _number(self, name: object) -> int | None:
        """The number in a name, written as it would be here."""
        digits = name.removeprefix(f"{self.label} ") if isinstance(name, str) else ""
        number = int(digits) - self.first if digits.isascii() and digits.isdigit() else None
        return number if number is not None and self._name(number) == name else None
