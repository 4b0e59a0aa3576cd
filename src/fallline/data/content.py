"""The text of a file: opened, unpacked and decoded, with one kind of line end."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    refuse_foreign(held, path)
    text = _as_utf8(held, path, encoding).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\n " in text or text.startswith(b" "):
        text = re.sub(rb"(?m)^ +$", b"", text)  # a line of blanks is a blank line
    if not text.strip():
        raise InputError(f"{path.name} is empty: give a file with a line for each row.")
    return text if text.endswith(b"\n") else text + b"\n"


def blocks_of(path: Path, size: int, encoding: str | None = None) -> Iterator[bytes]:
    """A text file block by block, about `size` bytes each, as `lines_of` has it whole; a block may end within a line."""
    lines, decoder = 0, None
    try:
        for raw in raw_blocks(path, size):
            if decoder is None:
                refuse_foreign(raw, path)
                encoding = encoding or _guessed(raw, path)
                decoder = io.IncrementalNewlineDecoder(_decoder(encoding), translate=True)
            text = decoder.decode(raw, final=False)
            lines += text.count("\n")
            yield text.encode()
        if decoder is not None and (rest := decoder.decode(b"", final=True)):
            yield rest.encode()
    except UnicodeError as error:
        held = error.object if isinstance(error, UnicodeDecodeError) else b""
        raise _not_decoded(bytes(held), path, str(encoding), error, lines) from None


def raw_blocks(path: Path, size: int) -> Iterator[bytes]:
    """A file's bytes, unpacked where they are gzip, `size` at a time. Raises InputError as `raw` does."""
    try:
        with _streamed(path) as file:
            while held := file.read(size):
                yield held
    except EOFError:
        raise _cut_short(path) from None
    except (OSError, zlib.error) as error:
        raise InputError(f"{path.name} is damaged gzip data ({error}): fetch or copy it again.") from None


def _streamed(path: Path) -> Any:
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == GZIP
    except OSError as error:
        raise _not_opened(path, error) from None
    return gzip.open(path) if packed else open(path, "rb")


def _guessed(start: bytes, path: Path) -> str:
    """The encoding by the first bytes."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in start[:4096]:
        raise _binary(path)
    return "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8"


def _decoder(encoding: str) -> Any:
    try:
        return codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise _no_encoding(encoding) from None


def refuse_foreign(start: bytes, path: Path) -> None:
    """Raise InputError for a file that begins as something else than text does."""
    for magic, (kind, fix) in NOT_TEXT.items():
        if start.startswith(magic):
            raise InputError(f"{path.name} is {kind}, not a text table: {fix}.")


def _opened(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _not_opened(path, error) from None


def _not_opened(path: Path, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"there is no file {path}: check the name and the folder.")
    if isinstance(error, IsADirectoryError):
        inside = sorted(file.name for file in path.iterdir() if file.is_file())
        fix = f"name a file in it, such as {listed(inside[:3])}" if inside else "name a file"
        return InputError(f"{path} is a folder, not a file: {fix}.")
    return InputError(f"{path} cannot be read ({error.strerror}): check its permissions.")


def _unpacked(raw: bytes, path: Path) -> bytes:
    if not raw.startswith(GZIP):
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError:
        raise _cut_short(path) from None
    except (OSError, zlib.error) as error:
        raise InputError(f"{path.name} is damaged gzip data ({error}): fetch or copy it again.") from None


def _as_utf8(raw: bytes, path: Path, encoding: str | None) -> bytes:
    if encoding is None:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        elif b"\0" in raw[:4096]:
            raise _binary(path)
        else:
            encoding = "utf-8"
    try:
        text = raw.decode(encoding)
    except LookupError:
        raise _no_encoding(encoding) from None
    except UnicodeError as error:
        raise _not_decoded(raw, path, encoding, error) from None
    if encoding == "utf-8" and not text.startswith("\ufeff"):
        return raw
    return text.removeprefix("\ufeff").encode()


def _cut_short(path: Path) -> InputError:
    return InputError(f"{path.name} is cut short: its gzip data ends early, so fetch or copy it again.")


def _binary(path: Path) -> InputError:
    return InputError(f"{path.name} holds zero bytes, so it is not a text table: save it as CSV in UTF-8.")


def _no_encoding(encoding: str) -> InputError:
    return InputError(f'there is no encoding "{encoding}": name one such as utf-8, latin-1 or cp1252.')


def _not_decoded(raw: bytes, path: Path, encoding: str, error: UnicodeError, before: int = 0) -> InputError:
    start = error.start if isinstance(error, UnicodeDecodeError) else 0
    line = before + raw[:start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
    fix = "utf-8" if encoding not in ("utf-8", "utf8", "UTF-8") else "latin-1 or --encoding cp1252"
    return InputError(
        f"byte 0x{raw[start]:02x} on line {line} of {path.name} is not {encoding}: name "
        f"the file's encoding, such as --encoding {fix}."
    )
