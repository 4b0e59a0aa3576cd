"""Guessing how a text table is laid out: what separates its fields, what quotes them, whether its first line
is names."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

SAMPLE_LINES = 200  # enough for every delimiter to show itself
DELIMITERS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "blanks"}  # the first of equals wins
MOSTLY = 0.9  # of a column's first values must be numbers for the column to count as one of numbers
csv.field_size_limit(1 << 30)  # a field longer than the module's own 131,072 is no reason to misjudge the rest
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)


class Layout(NamedTuple):
    """What separates fields (one character), and what quotes them ("" if quotes are ordinary characters)."""

    delimiter: str
    quote: str = '"'

    def records(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The fields of each record, slowly; a blank line is an empty record."""
        if not self.quote:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote)


def guess_quote(lines: Sequence[str]) -> str:
    """Double quotes, unless the file has none and its first line opens and closes with single ones."""
    first = lines[0]
    single = len(first) > 1 and first.startswith("'") and first.endswith("'") and not any('"' in line for line in lines)
    return "'" if single else '"'


def guess_delimiter(lines: Sequence[str], quote: str) -> str:
    """The delimiter under which most lines have the same number of fields, more than one; "" if none has."""
    shares = {delimiter: _regular(lines, Layout(delimiter, quote)) for delimiter in DELIMITERS}
    if max(share for delimiter, share in shares.items() if delimiter != " ") >= 0.5:
        del shares[" "]  # blanks stand between words, too
    best = max(shares, key=lambda delimiter: round(shares[delimiter], 2))
    return best if shares[best] > 0 else ""


def guess_header(first: Sequence[str], below: Sequence[Sequence[str]], missing: Sequence[str]) -> bool:
    """Whether the first record holds names: words above columns of numbers, or words found nowhere below.

    A number above numbers speaks against names and a word above numbers for them; the majority decides, as
    one odd value in the first row of data must not make it a header. Without columns of numbers, names are
    words that differ from each other and never come again below, while something else there does.
    """
    below = [[field.strip() for field in column] for column in below]
    votes = [0 if name in missing else (-1 if is_number(name) else 1) for name in map(str.strip, first)]
    if not any(below):
        return all(vote > 0 for vote in votes)
    numeric = [_numbers(column, missing) for column in below]
    if any(numeric):
        return sum(vote for vote, number in zip(votes, numeric, strict=True) if number) > 0
    repeats = any(len(set(column)) < len(column) for column in below)
    new = all(name.strip() not in column for name, column in zip(first, below, strict=True))
    return repeats and new and len(set(first)) == len(first)


def is_number(field: str) -> bool:
    """Whether a field is written as a number."""
    return _NUMBER.fullmatch(field) is not None


def _regular(lines: Sequence[str], layout: Layout) -> float:
    """The share of records with the usual number of fields; 0 where that is one."""
    try:
        counts = Counter(len(record) for record in layout.records(lines) if record)
    except csv.Error:
        return 0.0
    usual, times = counts.most_common(1)[0]
    return times / counts.total() if usual > 1 else 0.0


def _numbers(column: Sequence[str], missing: Sequence[str]) -> bool:
    present = [field for field in column if field not in missing]
    return bool(present) and sum(map(is_number, present)) >= MOSTLY * len(present)
