"""LIBSVM text (`+1 3:0.5 11:1`): accepted, refused and numbered as scikit-learn's reader does, many times as fast.

Comments from # to the end of the line, blank lines, CRLF, a query number (`qid:7`, left out) after the label. Indices must
rise within a row; they count from 0 if the file has an index 0, and otherwise from 1. The plain lines are read by
`kernels/libsvm.py`; a line with anything else in it is read here, the slow way.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fallline.data.numbered import Numbered
from fallline.data.room import free_memory, refuse_wide
from fallline.data.sparse import Sparse
from fallline.data.wording import quoted
from fallline.errors import InputError
from fallline.kernels.libsvm import COLON, LARGEST, LINE, count, scan

LABEL, FEATURE = "label", "feature"
SAMPLE_LINES = 50
MANY = 1_000_000  # features, from which it is asked whether memory has room for them
NOTED = 65_536  # numbers of a scan that are left to float()
_PAIR = re.compile(rb"\d+:[^\s:]+")


class Parsed(NamedTuple):
    """labels (n,); the entries in compressed rows, their indices as written."""

    labels: Any
    starts: Any
    indices: Any
    values: Any


def is_libsvm(text: bytes) -> bool:
    """Whether the first lines hold a number and then index:value pairs, with a pair somewhere."""
    lines = [line.split(b"#")[0].split() for line in text[:1_000_000].split(b"\n")[:SAMPLE_LINES]]
    lines = [fields for fields in lines if fields]
    return any(len(fields) > 1 for fields in lines) and all(map(_looks, lines))


def _looks(fields: list[bytes]) -> bool:
    label, *pairs = fields
    pairs = pairs[1:] if pairs and pairs[0].startswith(b"qid:") else pairs
    return _number(label) is not None and all(map(_PAIR.fullmatch, pairs))


def read_libsvm(text: bytes, path: Path) -> Sparse:
    """The table in LIBSVM text. Raises InputError, naming the line, for what scikit-learn's reader would refuse."""
    found = parse(text, path.name)
    first = int(len(found.indices) == 0 or found.indices.min() > 0)
    last = int(found.indices.max()) if len(found.indices) else first
    if last >= MANY:
        row = int(np.searchsorted(found.starts, np.argmax(found.indices), side="right")) - 1
        where = f"the index {last} at {_line_of(text, row, path.name)}"
        refuse_wide(where, last + 1 - first, free_memory(), "free, so correct it, or make more free")
    return sparse_of(found, text, path.name, first, last)._replace(names=features(first, last))


def features(first: int, last: int) -> Numbered:
    """The names of the columns."""
    return Numbered(FEATURE, range(first, last + 1))


def sparse_of(found: Parsed, text: bytes, name: str, first: int, last: int, before: int = 0) -> Sparse:
    """The table of the features from `first` to `last`, left without names; `before`: lines of the file before the text."""
    shape = (len(found.labels), last + 1 - first)
    matrix = sp.csr_array((found.values, found.indices - np.int32(first), found.starts), shape=shape)
    counted = "" if first else ", which are counted from 0"
    return Sparse(
        matrix=matrix,
        names=(),
        label=(LABEL, found.labels),
        source=name,
        place=lambda row: _line_of(text, row, name, before),
        notes=(f"{name} is LIBSVM text: a label, then index:value for what is not zero{counted}.",),
        first=first,
    )


def parse(text: bytes, name: str, before: int = 0) -> Parsed:
    """Labels and entries of LIBSVM text; `before`: lines of the file before it."""
    raw = np.frombuffer(text, dtype=np.uint8)
    rows, entries = count(raw, LINE) + 1, count(raw, COLON)
    labels, starts = np.empty(rows), np.zeros(rows + 1, dtype=np.int64)
    indices, values = np.empty(entries, dtype=np.int32), np.empty(entries)
    hard = np.empty((NOTED, 3), dtype=np.int64)
    at = row = k = 0
    while at < len(text):
        at, row, k, noted = scan(raw, at, row, k, labels, starts, indices, values, hard)
        for owner, begin, end in hard[:noted].tolist():
            value = _number(text[begin:end])
            if value is None:
                why = f"{quoted(text[begin:end].decode('utf-8', 'replace'))} is no number"
                raise _refused(text, begin, name, why, before)
            if owner < 0:
                labels[-1 - owner] = value
            else:
                values[owner] = value
        if at < len(text):
            label, pairs, at = _line(text, at, name, before)
            labels[row] = label
            for index, value in pairs:
                indices[k], values[k] = index, value
                k += 1
            row += 1
            starts[row] = k
    return Parsed(labels[:row], starts[: row + 1], indices[:k], values[:k])


def _line(text: bytes, at: int, name: str, before: int) -> tuple[float, list[tuple[int, float]], int]:
    """One line, read with Python's own `int` and `float`, and where the next one begins."""
    end = text.find(b"\n", at)
    end = len(text) if end < 0 else end
    label, *fields = text[at:end].split(b"#")[0].split()
    target = _number(label)
    if target is None:
        raise _refused(text, at, name, f"the label {quoted(label.decode('utf-8', 'replace'))} is no number", before)
    if fields and fields[0].startswith(b"qid") and b":" in fields[0]:
        fields = fields[1:]
    pairs: list[tuple[int, float]] = []
    for field in fields:
        shown = quoted(field.decode("utf-8", "replace"))
        position, colon, number = field.partition(b":")
        value = _number(number)
        try:
            index = int(position)
        except ValueError:
            index = None
        if not colon or index is None or value is None:
            raise _refused(text, at, name, f"{shown} is no pair of an index and a number, such as 3:0.5", before)
        if not 0 <= index <= LARGEST:
            raise _refused(text, at, name, f"the index {index} is {'below 0' if index < 0 else 'too large'}", before)
        if pairs and index <= pairs[-1][0]:
            what = "occurs twice" if index == pairs[-1][0] else f"comes after {pairs[-1][0]}"
            raise _refused(text, at, name, f"the index {index} {what}, and the indices of a row must rise", before)
        pairs.append((index, value))
    return target, pairs, end + 1


def _number(field: bytes) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None


def _refused(text: bytes, at: int, name: str, why: str, before: int) -> InputError:
    return InputError(
        f"line {before + text.count(LINE.to_bytes(), 0, at) + 1} of {name}: {why}; correct or delete the line."
    )


def _line_of(text: bytes, row: int, name: str, before: int = 0) -> str:
    """Where a row stands; counted only when asked, as only errors ask."""
    seen = -1
    for number, line in enumerate(text.split(b"\n"), start=1):
        seen += bool(line.split(b"#")[0].split())
        if seen == row:
            return f"line {before + number} of {name}"
    return f"row {row} of {name}"
