"""LIBSVM text at the speed of memory: the plain lines of a file. What is not plain is left to `data/libsvm.py`."""

from typing import Any

import numpy as np

from fallline.kernels.bridge import exactly

Array = np.ndarray[Any, Any]

LINE, COLON, COMMENT, POINT, PLUS, MINUS, ZERO = (ord(letter) for letter in "\n:#.+-0")
EXACT = 2**53  # whole numbers below are floats, and times or over 10²² at most they round once: the nearest float
POWERS = 10.0 ** np.arange(23)
DIGITS = 18  # that a 64-bit number holds whatever they are
LARGEST = 2**31 - 1  # index, as scikit-learn's


@exactly
def blank(letter: int) -> bool:
    """Whether a byte divides fields: blank, tab, vertical tab, form feed, CR."""
    return letter == 32 or letter == 9 or 11 <= letter <= 13


@exactly
def count(text: Array, letter: int) -> int:
    """How often a byte occurs."""
    found = 0
    for k in range(len(text)):
        found += text[k] == letter
    return found


@exactly
def number(text: Array, at: int) -> tuple[float, int, bool]:
    """The decimal number at `at`, where its field ends, and whether that is the nearest float for sure."""
    end, k = len(text), at
    minus = k < end and text[k] == MINUS
    if k < end and (text[k] == MINUS or text[k] == PLUS):
        k += 1
    whole, digits, seen, power, point = 0, 0, 0, 0, False
    while k < end:
        digit = text[k] - ZERO
        if 0 <= digit <= 9:
            whole = whole * 10 + digit if digits < DIGITS else whole
            digits += whole > 0
            seen += 1
            power -= point
        elif text[k] == POINT and not point:
            point = True
        else:
            break
        k += 1
    if k < end and (text[k] == 101 or text[k] == 69) and seen > 0:  # e, E
        k += 1
        down = k < end and text[k] == MINUS
        if k < end and (text[k] == MINUS or text[k] == PLUS):
            k += 1
        size, seen = 0, 0
        while k < end and 0 <= text[k] - ZERO <= 9:
            size = min(size * 10 + text[k] - ZERO, 9999)
            seen += 1
            k += 1
        power += -size if down else size
    plain = seen > 0 and digits <= DIGITS and whole < EXACT and (-22 <= power <= 22 or whole == 0)
    value = float(whole)
    if plain and whole > 0:
        value = value / POWERS[-power] if power < 0 else value * POWERS[power]
    stop = k
    while stop < end and text[stop] != LINE and text[stop] != COMMENT and not blank(text[stop]):
        stop += 1
    return -value if minus else value, stop, plain and stop == k


@exactly
def scan(text: Array, at: int, row: int, k: int, labels: Array, starts: Array, indices: Array, values: Array,
         hard: Array) -> tuple[int, int, int, int]:  # fmt: skip
    """Read lines from byte `at` on, up to the end or to the first line that is not plain, which is left unread.

    labels (rows,), starts (rows + 1,), indices and values (entries,): filled from `row` and entry `k` on. A number that
    is not the nearest float for sure is noted in hard (…, 3): where it belongs (an entry, or −1 − row for a label), and
    where it begins and ends. Returns the byte, row and entry to go on at, and how many were noted.
    """
    end, noted = len(text), 0
    while at < end:
        begun, entries, before = at, k, noted
        sound, field, last = True, 0, -1
        while sound and at < end and text[at] != LINE:
            if blank(text[at]):
                at += 1
            elif text[at] == COMMENT:
                while at < end and text[at] != LINE:
                    at += 1
            elif field == 1 and at + 2 < end and text[at] == 113 and text[at + 1] == 105 and text[at + 2] == 100:  # qid
                colon = False
                field = 2
                while at < end and text[at] != LINE and text[at] != COMMENT and not blank(text[at]):
                    colon = colon or text[at] == COLON
                    at += 1
                sound = colon
            else:
                if field > 0:
                    index, first = 0, at
                    while at < end and 0 <= text[at] - ZERO <= 9 and index <= LARGEST:
                        index = index * 10 + (text[at] - ZERO)
                        at += 1
                    sound = at > first and at < end and text[at] == COLON and last < index <= LARGEST
                    last, at = index, at + 1
                if sound:
                    value, stop, exact = number(text, at)
                    if not exact:
                        sound = noted < len(hard)
                        if sound:
                            hard[noted, 0], hard[noted, 1], hard[noted, 2] = k if field > 0 else -1 - row, at, stop
                            noted += 1
                    if field == 0:
                        labels[row] = value
                    else:
                        indices[k], values[k] = last, value
                        k += 1
                    at = stop
                field += 1
        if not sound:
            return begun, row, entries, before
        if field > 0:
            row += 1
            starts[row] = k
        at += 1
    return end, row, k, noted
