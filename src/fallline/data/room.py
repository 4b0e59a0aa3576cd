"""How much memory there is, and how much a table would take."""

import re

from fallline.data.wording import quoted
from fallline.errors import InputError

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
LEAST = 1 << 22  # bytes: with less there is no piece to work on


def bytes_of(text: str) -> int:
    """The bytes that a text such as 500MB, 1.5 GB, 2GiB or 4G stands for. Raises InputError for any other."""
    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([KMGT]?I?)B?\s*", text.upper())
    if not found or found[2] not in UNITS:
        raise InputError(f"--memory {quoted(text)} is no amount of memory: write it as 500MB or 2GB.")
    amount = int(float(found[1]) * UNITS[found[2]])
    if amount < LEAST:
        raise InputError(f"--memory {quoted(text)} is too little to work with: give 4.2MB or more.")
    return amount
