"""Longer text as the presence of its words."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fallline.data.column import Text

WORDY = 6  # text of so many words on average is sentences; a full name has about four
MOST_WORDS = 200  # the most frequent ones, so that the matrix stays dense and small
_EDGES = "\"'`.,;:!?()[]{}<>*-_/\\"


def mean_words(column: Text) -> float:
    """Words to a text, on average over the levels."""
    return sum(level.count(" ") + 1 for level in column.levels) / len(column.levels)


def word_indicators(column: Text, fewest: float) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """For each of the most frequent words on at least `fewest` rows: a name, and which rows have the word (n,).

    A word is what stands between blanks, in lower case, without the punctuation around it.
    """
    words = [_words(level) for level in column.levels]
    rows: Counter[str] = Counter()
    for found, count in zip(words, column.counts.tolist(), strict=True):
        rows.update(dict.fromkeys(found, count))
    total = len(column.codes)
    frequent = sorted((word for word in rows if fewest <= rows[word] < total), key=lambda word: (-rows[word], word))
    for word in sorted(frequent[:MOST_WORDS]):
        has = np.array([word in found for found in words] + [False])  # the last is for code -1, missing
        yield f"{column.name} has {word}", has[column.codes]


def _words(text: str) -> frozenset[str]:
    return frozenset(word for piece in text.lower().split() if (word := piece.strip(_EDGES)))
