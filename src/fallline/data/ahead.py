"""Pieces made by a thread while others are worked on."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


def ahead(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same, the next one made while one is worked on."""
    left = iter(pieces)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, left, None)
        while (piece := coming.result()) is not None:
            coming = pool.submit(next, left, None)
            yield piece
