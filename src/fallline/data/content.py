"""The text of a file: opened, unpacked and decoded, with one kind of line end."""

import codecs
import gzip
import re
import zlib
from pathlib import Path

from fallline.data.wording import listed
from fallline.errors import InputError

GZIP = b"\x1f\x8b"
NOT_TEXT = {
    b"FEA1": ("a Feather file of version 1", "write it again as Feather 2 or Parquet"),
    b"PAR1": ("packed Parquet data", "unpack it first"),
    b"PK\x03\x04": ("a zip archive or a spreadsheet", "unpack it, or save it as CSV; NumPy's must be called .npz"),
    b"\x89HDF": ("an HDF5 file", "write its table as CSV or Parquet"),
    b"SQLite format 3": ("a database", "write its table as CSV or Parquet"),
    b"BZh": ("a bzip2 archive", "unpack it first; only gzip is read packed"),
    b"\xfd7zXZ": ("an xz archive", "unpack it first; only gzip is read packed"),
    b"\x93NUMPY": ("packed NumPy data", "unpack it first"),
    b"\x80\x04": ("a pickle, which may run anything", "save its table as CSV or Parquet"),
    b"\x80\x05": ("a pickle, which may run anything", "save its table as CSV or Parquet"),
}


def raw(path: Path) -> bytes:
    """The file's bytes, unpacked where they are gzip. Raises InputError for what cannot be opened or is cut short."""
    return _unpacked(_opened(path), path)


def lines_of(held: bytes, path: Path, encoding: str | None = None) -> bytes:
    """A file's bytes as UTF-8 text with lines that end in LF; a lone CR ends a line, too.

    Raises InputError for what is not text, is empty, or is in another encoding.
    """
    for magic, (kind, fix) in NOT_TEXT.items():
        if held.startswith(magic):
            raise InputError(f"{path.name} is {kind}, not a text table: {fix}.")
    text = _as_utf8(held, path, encoding).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\n " in text or text.startswith(b" "):
        text = re.sub(rb"(?m)^ +$", b"", text)  # a line of blanks is a blank line
    if not text.strip():
        raise InputError(f"{path.name} is empty: give a file with a line for each row.")
    return text if text.endswith(b"\n") else text + b"\n"


def _opened(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}: check the name and the folder.") from None
    except IsADirectoryError:
        inside = sorted(file.name for file in path.iterdir() if file.is_file())
        fix = f"name a file in it, such as {listed(inside[:3])}" if inside else "name a file"
        raise InputError(f"{path} is a folder, not a file: {fix}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check its permissions.") from None


def _unpacked(raw: bytes, path: Path) -> bytes:
    if not raw.startswith(GZIP):
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError:
        raise InputError(f"{path.name} is cut short: its gzip data ends early, so fetch or copy it again.") from None
    except (OSError, zlib.error) as error:
        raise InputError(f"{path.name} is damaged gzip data ({error}): fetch or copy it again.") from None


def _as_utf8(raw: bytes, path: Path, encoding: str | None) -> bytes:
    if encoding is None:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        elif b"\0" in raw[:4096]:
            raise InputError(f"{path.name} holds zero bytes, so it is not a text table: save it as CSV in UTF-8.")
        else:
            encoding = "utf-8"
    try:
        text = raw.decode(encoding)
    except LookupError:
        raise InputError(f'there is no encoding "{encoding}": name one such as utf-8, latin-1 or cp1252.') from None
    except UnicodeError as error:
        raise _not_decoded(raw, path, encoding, error) from None
    if encoding == "utf-8" and not text.startswith("\ufeff"):
        return raw
    return text.removeprefix("\ufeff").encode()


def _not_decoded(raw: bytes, path: Path, encoding: str, error: UnicodeError) -> InputError:
    start = error.start if isinstance(error, UnicodeDecodeError) else 0
    line = raw[:start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
    fix = "utf-8" if encoding not in ("utf-8", "utf8", "UTF-8") else "latin-1 or --encoding cp1252"
    return InputError(
        f"byte 0x{raw[start]:02x} on line {line} of {path.name} is not {encoding}: name "
        f"the file's encoding, such as --encoding {fix}."
    )
