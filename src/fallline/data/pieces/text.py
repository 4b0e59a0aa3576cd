"""Text tables, block by block; a block ends where a record does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fallline.data.content import blocks_of
from fallline.data.layout import Layout
from fallline.data.read import first_part, next_part
from fallline.data.table import Table
from fallline.errors import InputError

LEAST, MOST = 1 << 16, 1 << 23  # bytes of a block
LONGEST = 1 << 26  # bytes of a record


class TextPieces:
    """CSV and its relatives, plain or gz. room: bytes of a piece; options: of read.first_part."""

    def __init__(self, path: Path, room: int, encoding: str | None, options: dict[str, Any]) -> None:
        self.path, self.encoding, self.options = path, encoding, options
        self.size = min(max(room // 4, LEAST), MOST)  # its fields as Arrow's text take about as much again

    def __iter__(self) -> Iterator[Table]:
        first, found, rows, lines = None, [Layout("")], 0, 0
        for text in records_in(blocks_of(self.path, self.size, self.encoding), found):
            text = re.sub(rb"(?m)^ +$", b"", text) if b"\n " in text or text.startswith(b" ") else text
            if text.strip():
                if first is None:
                    table, found[0] = first_part(text, self.path.name, **self.options)
                    first = table
                else:
                    table = next_part(text, first, found[0], rows, lines, self.options["quote"] is None)
                rows += table.rows
                yield table
            lines += text.count(b"\n")
        if first is None:
            raise InputError(f"{self.path.name} is empty: give a file with a line for each row.")


def records_in(blocks: Iterator[bytes], layout: list[Layout]) -> Iterator[bytes]:
    """The same text, each block ending where a line does that no quote holds open. layout: as far as it is
    known when the next is asked for."""
    held = b""
    for block in blocks:
        held += block
        end = _last_end(held, layout[0].quote.encode())
        if end:
            yield held[:end]
            held = held[end:]
        elif len(held) > LONGEST:
            raise InputError(
                f"a record of the file is longer than {LONGEST:,} bytes: close the quote that opens it, or give --quote none "
                "if quotes are mere characters."
            )
    if held:
        yield held if held.endswith(b"\n") else held + b"\n"


def _last_end(text: bytes, quote: bytes) -> int:
    """Where the last whole record ends, 0 if none does: behind a line end with an even number of quotes before it."""
    end = text.rfind(b"\n") + 1
    odd = bool(quote) and text.count(quote, 0, end) % 2 == 1
    while odd and end:
        before = text.rfind(b"\n", 0, end - 1) + 1
        odd = text.count(quote, before, end) % 2 == 0
        end = before
    return end
