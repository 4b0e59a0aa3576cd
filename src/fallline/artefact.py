"""Numbers and facts in one file that says when it is damaged: safetensors, with a checksum over every byte.

The file is a safetensors file of named arrays whose metadata have one key, sorted JSON (several keys would be written in no
fixed order), so that the same content is the same bytes:

    {"checksum": SHA-256 of the file with this field zeroed, "facts": {…}, "format": 1, "kind": "model"}

Nothing in it can run anything.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fallline.errors import InputError

Array = np.ndarray[Any, Any]

FORMAT = 1
KEY = "fallline"
PREFIX = 8  # bytes that say how long the header is
LARGEST_HEADER = 50_000_000  # bytes; names and levels of a table, never more
BLANK = "0" * 64  # where the checksum goes


def packed(kind: str, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> bytes:
    """The bytes of a file with those arrays and facts (what JSON can hold). The same content is the same bytes."""
    about = {"checksum": BLANK, "facts": facts, "format": FORMAT, "kind": kind}
    text = json.dumps(about, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    blank = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {KEY: text})
    return blank.replace(BLANK.encode(), _checksum(blank), 1)


def unpacked(content: bytes, name: str, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and facts of a file that `packed` wrote; `name` is what errors call it.

    Raises InputError, with the reason, for one that is cut short, damaged, of another kind or of a newer version.
    """
    about = _about(_header(content, name), name)
    try:
        version, checksum, facts = int(about["format"]), str(about["checksum"]).encode(), dict(about["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name} is damaged (its header lacks {error}): copy it again.") from None
    if version > FORMAT:
        raise InputError(
            f"{name} was written by a newer fallline (format {version}, and this one reads up to {FORMAT}): update fallline."
        )
    if len(checksum) != len(BLANK) or _checksum(content.replace(checksum, BLANK.encode(), 1)) != checksum:
        raise InputError(f"{name} is damaged: its content does not match its checksum, so copy it again.")
    if about.get("kind") != kind:
        raise InputError(f"{name} is a {about.get('kind')} of fallline, not a {kind}: name another file.")
    try:
        return load(content), facts
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name} cannot be read ({error}): write it again.") from None


def _header(content: bytes, name: str) -> dict[str, Any]:
    if len(content) < PREFIX:
        raise InputError(f"{name} is {'cut short' if content else 'empty'}: copy it again.")
    (length,) = struct.unpack("<Q", content[:PREFIX])
    if length > LARGEST_HEADER or content[PREFIX : PREFIX + 1] != b"{":
        large = content[PREFIX : PREFIX + 1] == b"{"
        why = f"its header would be {length:,} bytes" if large else "it does not begin as one"
        raise InputError(f"{name} is no file that fallline wrote ({why}): name another.")
    if length > len(content) - PREFIX:
        raise InputError(f"{name} is cut short: its header alone is {length:,} bytes, so copy it again.")
    try:
        header = json.loads(content[PREFIX : PREFIX + length])
    except (ValueError, RecursionError):
        raise InputError(f"{name} is damaged: its header is no JSON, so copy it again.") from None
    if not isinstance(header, dict):
        raise InputError(f"{name} is damaged: its header is no table, so copy it again.")
    return header


def _about(header: Mapping[str, Any], name: str) -> dict[str, Any]:
    try:
        about = json.loads(header["__metadata__"][KEY])
    except (KeyError, TypeError):
        raise InputError(f"{name} is a safetensors file, but not one that fallline wrote: name another.") from None
    except (ValueError, RecursionError):
        raise InputError(f"{name} is damaged: its metadata are no JSON, so copy it again.") from None
    if not isinstance(about, dict):
        raise InputError(f"{name} is damaged: its metadata are no table, so copy it again.")
    return about


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
