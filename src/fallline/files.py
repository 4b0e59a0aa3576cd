"""Writing files so that a reader finds either the old content or the new one, never half of it."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path | str, content: bytes | str) -> Path:
    """Write `content` to `path` at one stroke: to a temporary name beside it, synced, then renamed."""
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files private; an ordinary file is what people expect
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
