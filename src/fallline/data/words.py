"""Longer text as the presence of its words."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fallline.data.column import Text
from fallline.data.seen import TextSeen

MOST_WORDS = 200  # the most frequent ones, so that the matrix stays dense and small
_EDGES = "\"'`.,;:!?()[]{}<>*-_/\\"


def mean_words(column: TextSeen) -> float:
    """Words to a text, on average over the levels."""
    return sum(level.count(" ") + 1 for level in column.levels) / len(column.levels)


def words_of(text: str) -> frozenset[str]:
    """The words of a text: what stands between blanks, in lower case, without the punctuation around it."""
    return frozenset(word for piece in text.lower().split() if (word := piece.strip(_EDGES)))


def frequent_words(column: TextSeen, fewest: float) -> tuple[str, ...]:
    """The most frequent words on at least `fewest` rows and not on all of them, in order of the alphabet."""
    rows: Counter[str] = Counter()
    for level, count in zip(column.levels, column.counts.tolist(), strict=True):
        rows.update(dict.fromkeys(words_of(level), count))
    total = column.rows
    frequent = sorted((word for word in rows if fewest <= rows[word] < total), key=lambda word: (-rows[word], word))
    return tuple(sorted(frequent[:MOST_WORDS]))


def has(column: Text, words: Sequence[str]) -> NDArray[np.bool_]:
    """Which rows have which words, (words, n)."""
    found = [words_of(level) for level in column.levels]
    table = np.array([[word in level for level in found] + [False] for word in words])  # the last: code -1, missing
    return table.reshape(len(words), len(found) + 1)[:, column.codes]
