"""Parquet and Arrow, batch by batch."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from fallline.data.columnar import STREAM, damaged, row_place
from fallline.data.table import Table
from fallline.errors import InputError

MOST, LEAST = 1 << 16, 1 << 10  # rows of a piece
BUFFER = 1 << 16  # bytes read at a time of each column
PAGE = 1 << 20  # bytes of a column that most writers put into one page, which is unpacked whole
NUMBER = 8  # bytes of a value, decoded
TEXT = 4  # columns of numbers that take as much as one of text: it has codes, and a column for each of its levels


class ParquetPieces:
    """A Parquet file or a partitioned folder. room: bytes of a piece."""

    def __init__(self, path: Path, room: int) -> None:
        self.path, self.room = path, room

    def __iter__(self) -> Iterator[Table]:
        return _tables(self._batches(), self.path, "Parquet")

    def groups(self) -> tuple[list[int], int]:
        """The rows of each row group, and bytes that it takes at most to be within one: for each column its dictionary, as it
        lies there and unpacked, and a page. Of a folder, which is gone over from front to end, no group.
        """
        if self.path.is_dir():
            return [], 0
        about = self._file.metadata
        held = [about.row_group(k) for k in range(about.num_row_groups)]
        return [group.num_rows for group in held], max((_within(group) for group in held), default=0)

    def group(self, k: int, rows: int) -> Iterator[Table]:
        """Row group k, so many rows at a time, on the thread that asks."""
        return _tables(self._file.iter_batches(rows, row_groups=[k], use_threads=False), self.path, "Parquet")

    @cached_property
    def _file(self) -> Any:
        from pyarrow.parquet import ParquetFile

        return ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False)

    def _batches(self) -> Iterator[Any]:
        if self.path.is_dir():
            from pyarrow import dataset

            how = dataset.ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True, buffer_size=BUFFER)
            files = dataset.ParquetFileFormat(default_fragment_scan_options=how)
            folder = dataset.dataset(self.path, format=files, partitioning="hive")
            rows = rows_of(self.room, width_of(folder.schema))
            yield from folder.to_batches(batch_size=rows, batch_readahead=1, fragment_readahead=1)
        else:
            from pyarrow.parquet import ParquetFile

            with ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False) as file:
                yield from file.iter_batches(rows_of(self.room, width_of(file.schema_arrow)), use_threads=False)


class ArrowPieces:
    """An Arrow file or stream, or a Feather file. room: bytes of a piece."""

    def __init__(self, path: Path, room: int) -> None:
        self.path, self.room = path, room

    def __iter__(self) -> Iterator[Table]:
        return _tables(self._batches(), self.path, "Arrow")

    def _batches(self) -> Iterator[Any]:
        from pyarrow import ipc

        with pa.OSFile(str(self.path)) as file:
            streamed = file.read(4) == STREAM
            file.seek(0)
            reader = ipc.open_stream(file) if streamed else ipc.open_file(file)
            held = reader if streamed else map(reader.get_batch, range(reader.num_record_batches))
            rows = rows_of(self.room, width_of(reader.schema))
            for batch in held:
                batch.validate(full=True)  # see columnar.read_arrow
                yield from (batch.slice(first, rows) for first in range(0, batch.num_rows, rows))


def _within(group: Any) -> int:
    """Bytes that it takes to be within a row group."""
    held = 0
    for chunk in map(group.column, range(group.num_columns)):
        packed = max(chunk.total_compressed_size, 1)
        words = chunk.data_page_offset - chunk.dictionary_page_offset if chunk.has_dictionary_page else 0
        words = max(words, 0) * max(chunk.total_uncompressed_size, packed) // packed
        held += 2 * words + min(chunk.total_uncompressed_size, PAGE) + BUFFER
    return held


def rows_of(room: int, columns: int) -> int:
    """How many rows of so many columns of numbers take that many bytes."""
    return min(max(room // (NUMBER * max(columns, 1)), LEAST), MOST)


def width_of(schema: Any) -> int:
    """How many columns of numbers take as much as these."""
    return sum(1 if pa.types.is_primitive(kind) and not pa.types.is_temporal(kind) else TEXT for kind in schema.types)


def _tables(batches: Iterator[Any], path: Path, kind: str) -> Iterator[Table]:
    """Each batch as a table that knows where its rows stand."""
    rows = 0
    try:
        for batch in batches:
            if batch.num_rows:
                yield Table(path.name, tuple(map(str, batch.schema.names)), tuple(batch.columns), row_place(path, rows))
                rows += batch.num_rows
        if not rows:
            raise InputError(f"{path.name} holds no rows of data: give a table with some.")
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, kind, error) from None
