"""What was handled on the way from a new table to a matrix: counts that add up over the pieces of a file."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from fallline.data.wording import counted, listed, quoted


@dataclass(frozen=True)
class Handled:
    """missing, unseen: rows by column where a value is missing, or a level was never seen before.

    extra: columns that the model does not know; beyond: entries of such columns in a sparse table.
    """

    missing: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    extra: tuple[str, ...] = ()
    beyond: int = 0

    def __add__(self, more: "Handled") -> "Handled":
        """Of both tables, one below the other."""
        extra = tuple(dict.fromkeys((*self.extra, *more.extra)))
        missing, unseen = Counter(self.missing), Counter(self.unseen)
        missing.update(more.missing)  # a sum of counters would drop zeros, and with them the order of the columns
        unseen.update(more.unseen)
        return Handled(missing, unseen, extra, self.beyond + more.beyond)

    def sentences(self) -> tuple[str, ...]:
        """What there is to say of it."""
        told = []
        if any(self.missing.values()):
            told.append(f"Missing values were filled as they were learnt: {_by_column(self.missing)}.")
        if any(self.unseen.values()):
            told.append(
                f"Levels never seen before count as other or none of the known ones: {_by_column(self.unseen)}."
            )
        if self.extra:
            told.append(
                f"Columns that the model does not know were left aside: {listed(list(map(quoted, self.extra)))}."
            )
        if self.beyond:
            what = counted(self.beyond, "entry", "entries")
            told.append(f"Left aside: {what} of features that the model does not know.")
        return tuple(told)


def _by_column(rows: Mapping[str, int]) -> str:
    return listed([f"{quoted(name)} ({counted(count, 'row')})" for name, count in rows.items() if count])
