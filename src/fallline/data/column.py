"""A column after the first guess: numbers, or text from a set of levels.

The same values make the same column, whether they came as text in a file, as an array or in a frame.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fallline.data.dataset import FloatArray
from fallline.data.layout import is_number
from fallline.data.table import Place, Table
from fallline.data.wording import quoted
from fallline.errors import InputError

MISSING = ("", "?", "NA", "N/A", "nan", "NaN", "null", "None")
STRAY_SHARE = 0.01  # fewer values than this that are not numbers are taken for slips of the pen, not for text
STRAY_ROWS = 10  # from here on a single one is, too
NUMERIC = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
STRINGS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
WRITTEN = (
    *STRINGS,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_timestamp,
)
NAN = pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(np.full(1, np.nan))])[0]  # see _texts
GONE = pa.Array.from_buffers(pa.int64(), 1, [None, pa.py_buffer(np.full(1, -1, np.int64))])[0]
TRUTH = {"true": 1.0, "false": 0.0}
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(?i:inf|infinity|nan)$"
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class Numbers:
    """Values (n,) float64, NaN where missing."""

    name: str
    values: FloatArray
    boolean: bool = False

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        return np.isnan(self.values)

    @cached_property
    def gone(self) -> int:
        """How many are missing."""
        return int(self.missing.sum()) if np.isnan(self.values.min()) else 0  # the least is NaN where one is


@dataclass(frozen=True)
class Text:
    """Codes (n,) into `levels`, -1 where missing. Every level occurs; they are sorted, or in an order of their own."""

    name: str
    codes: NDArray[np.int64]
    levels: tuple[str, ...]
    counts: NDArray[np.int64]  # rows of each level

    @property
    def missing(self) -> NDArray[np.bool_]:
        return self.codes < 0

    @property
    def gone(self) -> int:
        """How many are missing."""
        return int(self.missing.sum())


Column = Numbers | Text


def column(
    table: Table, position: int, missing: Collection[str], otherwise: str, levels: bool = False, part: bool = False
) -> Column:
    """Column `position` of the table as numbers or text; with `levels`, numbers are levels too.

    `otherwise` is what errors advise to whoever cannot mend the column. Of a `part` of a column alone nobody can tell whether
    a word among numbers is a slip: `refuse_strays` tells when all of it was seen.

    Text of which every value present is a number is a column of numbers; true and false are 1 and 0. Raises
    InputError for infinite values, for a stray word among numbers, and for nested values.
    """
    name, values = table.names[position], table.arrays[position]
    values = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    kind = values.type
    if pa.types.is_dictionary(kind):
        made: Column = _categories(name, values, missing)
    elif pa.types.is_boolean(kind):
        made = Numbers(name, _floats(values.cast(pa.uint8())), boolean=True)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        made = Numbers(name, _floats(values))
    elif pa.types.is_temporal(kind) or any(holds(kind) for holds in STRINGS):
        made = _from_text(name, values, missing, levels, table.place, "" if part else otherwise)
    else:
        raise InputError(
            f"column {quoted(name)} of {table.called} holds {kind}, not numbers or text: convert it, or {otherwise}."
        )
    if isinstance(made, Numbers):
        refuse_infinite(made, table.place, otherwise)
        return as_text(made) if levels else made
    return made


def plain(table: Table, position: int) -> Numbers | None:
    """Column `position` where its type alone says that it is numbers, all of them there; NaN and infinities stay as they are.

    None of any other: `column` looks at it.
    """
    values = table.arrays[position]
    if values.null_count or (isinstance(values, pa.ChunkedArray) and values.num_chunks != 1):
        return None
    if pa.types.is_boolean(values.type):
        return Numbers(table.names[position], _floats(values.cast(pa.uint8())), boolean=True)
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return Numbers(
            table.names[position], _numpy(values.chunk(0) if isinstance(values, pa.ChunkedArray) else values)
        )
    return None


def as_text(made: Column) -> Text:
    """The column with its numbers as levels, in the order of the numbers; a column of text as it is."""
    if isinstance(made, Text):
        return made
    values, codes = np.unique(made.values, return_inverse=True)  # NaN sorts last
    levels = tuple(label(value, made.boolean) for value in values[~np.isnan(values)])
    codes = np.where(made.missing, -1, codes).astype(np.int64)
    return Text(made.name, codes, levels, np.bincount(codes[codes >= 0], minlength=len(levels)))


def label(value: float, boolean: bool = False) -> str:
    """A number as the label of a class: 3 for 3.0, False for 0 where the column is of truth values."""
    if boolean:
        return str(bool(value))
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def number_of(level: str) -> float:
    """The number that `label` made it of."""
    return {"False": 0.0, "True": 1.0}[level] if level in ("False", "True") else float(level)


def _floats(values: Any) -> FloatArray:
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    if (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)) and not values.null_count:
        return _numpy(values).astype(np.float64, copy=False)
    floats = values.cast(pa.float64(), safe=False)
    return _numpy(pc.fill_null(floats, NAN) if floats.null_count else floats)


def _numpy(values: Any) -> NDArray[Any]:
    """Numbers without nulls as they lie there. Arrow's own `to_numpy` imports pandas, which takes 30 MB."""
    made: NDArray[Any] = np.from_dlpack(values)
    return made


def _texts(words: Iterable[str]) -> Any:
    """Texts as an array, without pandas: Arrow imports it (30 MB) to look at what is Python's."""
    coded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, coded)], dtype=np.int64)
    return pa.LargeStringArray.from_buffers(len(coded), pa.py_buffer(ends), pa.py_buffer(b"".join(coded)))


def _truths(values: Any) -> NDArray[np.bool_]:
    """Truth values without nulls."""
    return _numpy(values.cast(pa.uint8())).view(np.bool_)


def _from_text(name: str, values: Any, missing: Collection[str], levels: bool, place: Place, otherwise: str) -> Column:
    if not levels and pa.types.is_floating((found := parsed(values, missing)).type):
        return Numbers(name, _floats(found))
    encoded = values.cast(pa.large_string()).dictionary_encode().unify_dictionaries().combine_chunks()
    codes = _codes(encoded)
    words = pc.utf8_trim_whitespace(encoded.dictionary)
    gone = pc.is_in(words, value_set=_texts(["", *missing]))
    numeric = pc.match_substring_regex(words, NUMBER)
    word = pc.invert(pc.or_(gone, numeric))  # neither missing nor a number
    if levels or pc.any(word).as_py():
        made = _levels(name, codes, words.to_pylist(), _truths(gone))
        if levels:
            return made
        if made.levels and {level.lower() for level in made.levels} <= TRUTH.keys():
            truth = np.array([TRUTH[level.lower()] for level in made.levels] + [np.nan])
            return Numbers(name, truth[made.codes], boolean=True)
        if otherwise:
            refuse_strays(made, place, otherwise)
        return made
    present = pc.if_else(gone, pa.nulls(1, pa.large_string())[0], words)
    floats = np.append(_floats(present), np.nan)  # code -1, a null, is the last
    return Numbers(name, floats[codes])


def parsed(values: Any, missing: Collection[str]) -> Any:
    """Text of which every value is a plain number or a marker as it stands, as numbers, many times as fast as by its different
    values; any other column as it is.

    A value may have blanks around it, be no number, or be a number that says so by a word such as nan.
    """
    if not any(holds(values.type) for holds in STRINGS):
        return values
    for marked in (True,) if _numbers_among(tuple(missing)) else (False, True):
        found = values
        try:
            if marked:
                gone = pc.is_in(values, value_set=_texts(["", *missing]).cast(values.type))
                found = pc.if_else(gone, pa.nulls(1, values.type)[0], values)
            floats = found.cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        if not pc.any(pc.is_nan(floats)).as_py():
            return floats
    return values


@lru_cache
def _numbers_among(missing: tuple[str, ...]) -> bool:
    """Whether a marker of missing values is a number."""
    return any(map(is_number, missing))


def _categories(name: str, values: Any, missing: Collection[str]) -> Text:
    encoded = values.unify_dictionaries().combine_chunks()
    words = [(word or "").strip() for word in encoded.dictionary.cast(pa.string()).to_pylist()]
    gone = np.array([word in missing or not word for word in words], dtype=bool)
    return _levels(name, _codes(encoded), words, gone, keep_order=bool(encoded.type.ordered))


def _codes(encoded: Any) -> NDArray[np.int64]:
    indices = encoded.indices.cast(pa.int64())
    codes: NDArray[np.int64] = _numpy(pc.fill_null(indices, GONE))
    return codes


def _levels(
    name: str, codes: NDArray[np.int64], words: list[str], gone: NDArray[np.bool_], keep_order: bool = False
) -> Text:
    """Text from words that may repeat (blanks around them differed), be missing, or never occur."""
    used = np.bincount(codes[codes >= 0], minlength=len(words)) > 0
    kept = dict.fromkeys(word for word, drop, occurs in zip(words, gone, used, strict=True) if occurs and not drop)
    levels = tuple(kept) if keep_order else tuple(sorted(kept))
    number = {level: code for code, level in enumerate(levels)}
    renumber = np.array([-1 if drop else number.get(word, -1) for word, drop in zip(words, gone, strict=True)] + [-1])
    renumbered = renumber.astype(np.int64)[codes]
    return Text(name, renumbered, levels, np.bincount(renumbered[renumbered >= 0], minlength=len(levels)))


def refuse_infinite(numbers: Numbers, place: Place, otherwise: str) -> None:
    """Raise InputError for the first infinite value."""
    infinite = np.isinf(numbers.values)
    if infinite.any():
        row = int(infinite.argmax())
        *ways, last = dict.fromkeys(
            ("correct it", "delete the row", otherwise)
        )  # who cannot mend the column deletes the row
        raise InputError(
            f"{quoted(numbers.name)} at {place(row)} is {numbers.values[row]:g}, which nothing can be learnt from: "
            f"{', '.join(ways)}, or {last}."
        )


def refuse_strays(made: Text, place: Place, otherwise: str) -> None:
    """A column of numbers with a few words in it is rather a slip than text, and no model shows which."""
    if slip := slip_in(made.levels, made.counts):
        rows = np.flatnonzero(np.isin(made.codes, [made.levels.index(word) for word in slip.words]))
        raise slip.error(made.name, made.levels[made.codes[rows[0]]], place(int(rows[0])), otherwise)


class Slip(NamedTuple):
    """Words among the numbers of a column, and what is wrong with them."""

    words: tuple[str, ...]
    wrong: str

    def error(self, name: str, word: str, where: str, otherwise: str) -> InputError:
        """The sentence for the first of them."""
        found = quoted(word)
        header = "--header if that line holds the names, " if where.startswith("line 1 ") else ""
        return InputError(
            f"{found} in column {quoted(name)} at {where} {self.wrong}, or give {header}--missing {found} to count it as "
            f"missing, or --text {quoted(name)} to take the column as text, or {otherwise}."
        )


def first_word(made: Text) -> tuple[str, int]:
    """The first value that is no number, and its row; the first of all where every one is."""
    numeric = pc.match_substring_regex(pa.array(made.levels, pa.large_string()), NUMBER)
    words = ~np.append(numeric.to_numpy(zero_copy_only=False).astype(bool), True)
    found = words[made.codes] if words.any() else ~made.missing
    row = int(np.argmax(found))
    return made.levels[made.codes[row]], row


def slip_in(levels: Sequence[str], counts: NDArray[np.int64]) -> Slip | None:
    """What is a slip among the levels of a column, each on so many rows; None of one that is text."""
    numeric = _truths(pc.match_substring_regex(_texts(levels), NUMBER))
    words = tuple(level for level, number in zip(levels, numeric, strict=True) if not number)
    present, strays = int(counts.sum()), int(counts[~numeric].sum())
    if strays < STRAY_SHARE * present or (strays == 1 and present > STRAY_ROWS):
        number = f"is not a number, while {present - strays} of the column's {present} values are: correct it"
        return Slip(words, number) if words else None
    if all(map(DECIMAL_COMMA.fullmatch, words)):
        return Slip(words, "looks like a number with a decimal comma: write the numbers with a point")
    return None
