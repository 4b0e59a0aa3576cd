"""Reading text tables: CSV and its relatives, every field kept as text."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv

from fallline.data.layout import (
    DELIMITERS,
    SAMPLE_LINES,
    Layout,
    guess_delimiter,
    guess_header,
    guess_quote,
    is_number,
)
from fallline.data.table import Table, numbered
from fallline.data.wording import counted, quoted
from fallline.errors import InputError

BLOCK = 1 << 24  # bytes parsed at a time; a record must fit into one
SAMPLE_RECORDS = 1000  # rows looked at to tell a header from data
DELIMITER_WORDS = {
    "tab": "\t",
    "\\t": "\t",
    "comma": ",",
    "semicolon": ";",
    "bar": "|",
    "blank": " ",
    "space": " ",
}
NO_QUOTES = ("", "none")
NOWHERE = "\x1f"  # the delimiter of a single column: it stands in no text


def read(text: bytes, name: str, **options: Any) -> Table:
    """The table that `first_part` finds in a whole text."""
    return first_part(text, name, **options)[0]


def first_part(
    text: bytes,
    name: str,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    missing: tuple[str, ...] = (),
    names: Sequence[str] = (),
) -> tuple[Table, Layout]:
    """The table in a text whose lines end in LF (content.lines_of), from the file `name`, and its layout.

    None leaves a question to be guessed; the guesses are in the table's notes. Blank lines are passed over. `quote` is a
    character, or "none" where quotes are ordinary characters. `names` are columns that the table is known to have: a first
    line with one of them holds names, and a single column will do.
    Raises InputError for lines with more or fewer fields than others.
    """
    layout = _layout(text, name, delimiter, quote, alone=bool(names))
    text = _tidied(text, layout)
    fields, layout = _parsed(text, layout, name, guess=quote is None)
    first = [column[0].as_py().strip() for column in fields.columns]
    if header is None and names:
        header = not set(names).isdisjoint(first)
    if header is None:
        below = fields.slice(1, SAMPLE_RECORDS)
        header = guess_header(first, [column.to_pylist() for column in below.columns], ("", *missing))
    if header:
        fields = fields.slice(1)
    called = [(header and word) or numbered(position) for position, word in enumerate(first)]
    table = Table(
        source=name,
        names=tuple(called),
        arrays=tuple(fields.columns),
        place=_places(text, layout, name, skipped=int(header)),
        notes=(_note(name, layout, header),),
        first_line=() if header else tuple(word for word in first if not is_number(word)),
        named=header,
    )
    return table, layout


def next_part(text: bytes, first: Table, layout: Layout, rows: int, lines: int, guess: bool) -> Table:
    """More rows of the file that `first` began, from a text with so many rows and lines before it.

    guess: whether quotes may turn out to be mere characters here.
    """
    text = _tidied(text, layout)
    fields, layout = _parsed(text, layout, first.source, guess, lines, len(first.names))
    if fields.num_columns != len(first.names):
        raise _ragged(text, layout, first.source, None, lines, len(first.names))
    place = _places(text, layout, first.source, 0, rows, lines)
    return replace(first, arrays=tuple(fields.columns), place=place, notes=())


def _note(name: str, layout: Layout, header: bool) -> str:
    """What was inferred of the layout."""
    between = "nothing" if layout.delimiter == NOWHERE else DELIMITERS.get(layout.delimiter, quoted(layout.delimiter))
    first = "names" if header else "data"
    override = f"--delimiter, --{'no-' if header else ''}header"
    quotes = {'"': "", "": "; quotes are mere characters"}.get(layout.quote, f"; {layout.quote} quotes")
    override += ", --quote" if quotes else ""
    return f"Fields of {name} are separated by {between}; its first line holds {first}{quotes} ({override})."


def _layout(text: bytes, name: str, delimiter: str | None, quote: str | None, alone: bool) -> Layout:
    """The delimiter and the quote character, as named or as guessed from the first lines; `alone`: one column will do."""
    lines = [line.decode() for line in islice(_lines(text), SAMPLE_LINES)]
    if quote is None:
        quote = guess_quote(lines)
    elif quote in NO_QUOTES:
        quote = ""
    guess = guess_delimiter(lines, quote)
    if delimiter is None:
        if not guess and alone:
            return Layout(NOWHERE, quote)
        if not guess:
            raise InputError(
                f"{name} seems to have a single column: nothing divides {quoted(lines[0])} and the lines "
                "below alike, so name what separates the fields with --delimiter."
            )
        return Layout(guess, quote)
    wanted = DELIMITER_WORDS.get(delimiter, delimiter if delimiter == " " else delimiter.strip(" "))
    if len(wanted.encode()) != 1 or wanted in ("\n", "\r", quote):
        raise InputError(
            f"--delimiter {quoted(delimiter)} is not a single plain character: give one such as ';' or tab."
        )
    if wanted not in lines[0]:
        fix = f"it looks separated by {DELIMITERS[guess]}, so leave --delimiter out" if guess else "name another"
        raise InputError(
            f"--delimiter {quoted(delimiter)} does not occur in the first line of {name}, {quoted(lines[0])}: {fix}."
        )
    return Layout(wanted, quote)


def _tidied(text: bytes, layout: Layout) -> bytes:
    """The text without the blanks that a strict parser would take for fields, or for the start of a field."""
    if layout.delimiter == " ":
        return re.sub(rb"(?m)^ | $", b"", re.sub(rb"[ \t]+", b" ", text))
    if layout.quote and (" " + layout.quote).encode() in text:
        before = re.escape(layout.delimiter.encode()) + rb" +" + layout.quote.encode()
        return re.sub(before, (layout.delimiter + layout.quote).encode(), text)
    return text


def _parsed(text: bytes, layout: Layout, name: str, guess: bool, lines: int = 0, wide: int = 0) -> tuple[Any, Layout]:
    """All records as columns of text, and the layout that this took.

    Quotes that belong to the words ("so," he said) can swallow line ends silently. They are told from quotes
    that hold a field together by what happens without them: then each line has the same number of fields.
    """
    fields, error = _attempt(text, layout, wide)
    if guess and layout.quote.encode() in text:
        delimiters = [line.count(layout.delimiter.encode()) for line in _lines(text)]
        swallowed = fields is None or len(fields) < len(delimiters)
        if swallowed and len(set(delimiters)) == 1:
            layout = layout._replace(quote="")
            fields, error = _attempt(text, layout, wide)
    if fields is None:
        raise _ragged(text, layout, name, error, lines, wide)
    if fields.num_columns == 1 and layout.delimiter != NOWHERE:
        raise InputError(
            f"{name} has a single column when divided by {quoted(layout.delimiter)}: name another --delimiter."
        )
    return fields, layout


def _attempt(text: bytes, layout: Layout, wide: int) -> tuple[Any, Exception | None]:
    """The columns, or None and why not."""
    try:
        return _columns(text, layout, wide), None
    except (pa.ArrowInvalid, csv.Error) as error:
        return None, error


def _columns(text: bytes, layout: Layout, wide: int) -> Any:
    if not wide:
        sample = [line.decode() for line in islice(_lines(text), SAMPLE_LINES)]
        wide = max(len(record) for record in layout.records(sample))
    several_lines = bool(layout.quote) and layout.quote.encode() in text
    return arrow_csv.read_csv(
        pa.BufferReader(text),
        read_options=arrow_csv.ReadOptions(
            autogenerate_column_names=True,
            block_size=max(BLOCK, min(len(text), 1 << 30)) if several_lines else BLOCK,
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=layout.delimiter, quote_char=layout.quote or False, newlines_in_values=several_lines
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={f"f{position}": pa.string() for position in range(wide)}, check_utf8=False
        ),
    )


def _ragged(
    text: bytes, layout: Layout, name: str, error: Exception | None, before: int = 0, wide: int = 0
) -> InputError:
    """The sentence for a file whose records differ in their number of fields. before: lines; wide: the usual number."""
    try:
        sizes = [
            (line, len(record), any("\n" in field for field in record)) for line, record in _numbered(text, layout)
        ]
    except csv.Error:
        sizes = []
    usual = wide or (Counter(size for _, size, _ in sizes).most_common(1)[0][0] if sizes else 0)
    for line, size, long in sizes:
        if size != usual:
            cause = ", and a quote opened on it ends lines later" if long else ""
            fix = "give --quote none if quotes are mere characters" if long else "name another --delimiter"
            return InputError(
                f"line {before + line} of {name} has {counted(size, 'field')} where most lines have {usual}{cause}: "
                f"put text that holds a {quoted(layout.delimiter)} in double quotes, mend or delete the "
                f"line, or {fix}."
            )
    return InputError(
        f"{name} cannot be divided into fields by {quoted(layout.delimiter)} ({error}): name another --delimiter."
    )


def _places(
    text: bytes, layout: Layout, name: str, skipped: int, rows: int = 0, lines: int = 0
) -> Callable[[int], str]:
    """Says on which line of the file a row stands. Counted only when asked, as only errors ask.

    skipped: records before the rows; rows, lines: those of the file before the text.
    """

    @lru_cache
    def place(row: int) -> str:
        try:
            line, _ = next(islice(_numbered(text, layout), row + skipped, None))
        except (StopIteration, csv.Error):
            return f"row {rows + row + 1} of {name}"
        return f"line {lines + line} of {name}"

    return place


def _numbered(text: bytes, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of the line on which it starts."""
    reader: Any = layout.records(line + "\n" for line in text.decode().split("\n"))
    ended = 0
    for record in reader:
        if record:
            yield ended + 1, record
        ended = reader.line_num


def _lines(text: bytes) -> Iterator[bytes]:
    """The lines that are not blank, without their ends."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        if end > start:
            yield text[start:end]
        start = end + 1
