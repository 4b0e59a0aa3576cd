"""The folder of a fit: what may stand in it, who may write in it, and what became of a run."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fallline.errors import InputError
from fallline.files import write_whole
from fallline.model import FILE as MODEL

try:
    import fcntl
except ImportError:  # no such locks on this system
    fcntl = None  # type: ignore[assignment]

PLAN, LOG, CHECKPOINT, TRACE, SUMMARY, REPORT, EXPLAINED = (
    "plan.toml",
    "log.jsonl",
    "checkpoint.safetensors",
    "trace.npz",
    "summary.json",
    "report.html",
    "explain.html",
)
CONTENTS = (PLAN, LOG, CHECKPOINT, MODEL, TRACE, SUMMARY, REPORT, EXPLAINED)
ASIDE = "tensorboard"  # a folder in it


def refuse_new(folder: Path, overwrite: bool) -> None:
    """Raise InputError where a new fit would lose something or cannot be written: before the work, not after."""
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file: name a folder with -o.")
        inside = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be used ({error.strerror}): name another with -o.") from None
    inside = {name for name in inside if not is_stray(name)}
    if inside - {*CONTENTS, ASIDE}:
        raise InputError(
            f"The folder {folder} holds other files than a fit's, which will not be replaced: name another with -o."
        )
    if inside and not overwrite:
        if PLAN in inside and not finished(folder):
            raise InputError(
                f"The folder {folder} holds a fit that has not ended: go on with --resume, or add --overwrite to begin anew."
            )
        raise InputError(f"The folder {folder} exists already: name another with -o, or add --overwrite to replace it.")
    above = folder.absolute().parent
    if not above.is_dir():
        what = "is a file" if above.exists() else "does not exist"
        raise InputError(f'"{folder.parent}", where {folder.name} is to be made, {what}: name another with -o.')
    writable = folder if folder.exists() else above
    if not os.access(writable, os.W_OK | os.X_OK):
        raise InputError(f"The folder {writable} may not be written: name another with -o, or change its permissions.")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process out of the folder; what a killed one left half written is removed.

    Raises InputError where another process is at work in it, and where it cannot be made or written.
    """
    try:
        folder.mkdir(exist_ok=True)
        held = os.open(folder, os.O_RDONLY) if fcntl else -1
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be written ({error.strerror}): name another with -o.") from None
    try:
        if fcntl:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it when the process ends
            except OSError:
                raise InputError(
                    f"Another process is fitting in the folder {folder}: wait for it, or name another with -o."
                ) from None
        for path in folder.iterdir():
            if is_stray(path.name):
                path.unlink()
        yield
    except PermissionError as error:
        raise InputError(f"The folder {folder} cannot be written ({error.strerror}): change its permissions.") from None
    finally:
        if held >= 0:
            os.close(held)


def is_stray(name: str) -> bool:
    """Whether a file is one that `write_whole` did not get to rename."""
    return any(name.startswith(f".{known}.") for known in CONTENTS)


def cleared(folder: Path) -> None:
    """Remove an earlier fit, its summary first: what is left of it then never passes for a finished one."""
    import shutil

    for name in (SUMMARY, *CONTENTS):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / ASIDE, ignore_errors=True)


def finished(folder: Path) -> dict[str, Any] | None:
    """The summary of a fit that ended; None of one that did not."""
    try:
        summary = json.loads((folder / SUMMARY).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return summary if isinstance(summary, dict) and summary.get("finished") else None


def write(folder: Path, name: str, content: bytes | str) -> None:
    """Write one of the folder's files at one stroke."""
    write_whole(folder / name, content)
