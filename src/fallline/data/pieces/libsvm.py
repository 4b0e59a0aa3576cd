"""LIBSVM text, block by block; a block ends where a line does."""

from collections.abc import Iterator
from pathlib import Path

from fallline.data.content import raw_blocks
from fallline.data.libsvm import Parsed, is_libsvm, parse, sparse_of
from fallline.data.sparse import Sparse

LEAST, MOST = 1 << 16, 1 << 23  # bytes of a block
SAMPLE = 1 << 20  # bytes by which a file is told to be LIBSVM text
MARK = b"\xef\xbb\xbf"  # that says UTF-8


class LibsvmPieces:
    """LIBSVM text, plain or gz. room: bytes of a piece.

    All pieces are as wide as the file, and counted from 0 if an index is 0 anywhere in it: so it is gone over once before the
    first of them. Their columns have no names, which would take more room than they.
    """

    def __init__(self, path: Path, room: int) -> None:
        self.path, self.size = path, min(max(room // 4, LEAST), MOST)  # entries take three times their text
        self.span: tuple[int, int] | None = None  # the least index and the largest, once they are known

    def __iter__(self) -> Iterator[Sparse]:
        if self.span is None:
            for _ in self.widening():
                pass
        assert self.span is not None
        for lines, text, found in self._parsed():
            if len(found.labels):
                yield sparse_of(found, text, self.path.name, *self.span, lines)

    def widening(self) -> Iterator[Sparse]:
        """The pieces, each as wide as those so far and counted from 0 or 1 as they are."""
        least, most = 1, 0
        for lines, text, found in self._parsed():
            if len(found.indices):
                least, most = min(least, int(found.indices.min())), max(most, int(found.indices.max()))
            if len(found.labels):
                yield sparse_of(found, text, self.path.name, least, max(most, least), lines)
        self.span = least, max(most, least)

    def _parsed(self) -> Iterator[tuple[int, bytes, Parsed]]:
        """How many lines stand before each block, the block, and what is in it."""
        lines, held, start = 0, b"", MARK
        for block in raw_blocks(self.path, self.size):
            held, start = held + block.removeprefix(start), b""
            end = held.rfind(b"\n") + 1
            if end:
                yield lines, held[:end], parse(held[:end], self.path.name, lines)
                lines, held = lines + held.count(b"\n", 0, end), held[end:]
        if held:
            yield lines, held, parse(held, self.path.name, lines)


def is_libsvm_file(path: Path) -> bool:
    """Whether the file begins as LIBSVM text does."""
    return is_libsvm(next(raw_blocks(path, SAMPLE), b"").removeprefix(MARK))
