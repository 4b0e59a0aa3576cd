"""The log of a fit, `log.jsonl`: a line an event, only ever added to. What else is written of a run can be told from it.

    {"event": "begun", …}  {"event": "look", "t": 40, "loss": 0.31, …}  {"event": "checkpoint", "t": 40}
    {"event": "resumed", "t": 40}  {"event": "stopped", …}  {"event": "ended", …}

After a crash looks may stand in it that the next run walks again: `looks_in` leaves out what came after the point that was
resumed from.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from fallline.fitting.folder import LOG
from fallline.trace import Trace


class Listener(Protocol):
    """What is told of a fit as it happens: the log, TensorBoard, MLflow."""

    def look(self, row: dict[str, Any]) -> None:
        """A row of the trace."""

    def event(self, kind: str, **facts: Any) -> None:
        """Anything else."""

    def close(self) -> None:
        """The end."""


class Log:
    """The file. Raises OSError where it cannot be written; the next line then begins afresh."""

    def __init__(self, folder: Path) -> None:
        self.file = open(folder / LOG, "a+b", buffering=0)  # noqa: SIM115 - held open for the whole fit
        end = self.file.seek(0, 2)
        self.file.seek(max(end - 1, 0))
        self.whole = self.file.read(1) in (b"", b"\n")  # a line that a crash cut short is left as it is

    def look(self, row: dict[str, Any]) -> None:
        self._line({"event": "look", **row})

    def event(self, kind: str, **facts: Any) -> None:
        self._line({"event": kind, **facts})

    def close(self) -> None:
        self.file.close()

    def _line(self, entry: dict[str, Any]) -> None:
        text = json.dumps(plain(entry), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        line = (b"" if self.whole else b"\n") + text.encode() + b"\n"
        self.whole = False
        self.whole = self.file.write(line) == len(line)


def rows_of(trace: Trace, first: int) -> Sequence[dict[str, Any]]:
    """The looks of a trace from number `first` on, a dictionary each."""
    return [{name: column[k] for name, column in trace.columns.items()} for k in range(first, len(trace))]


def events_in(path: Path) -> list[dict[str, Any]]:
    """The events of a log, in their order; lines that a crash cut short are left out."""
    found = []
    for line in path.read_bytes().split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "event" in entry:
            found.append(entry)
    return found


def looks_in(path: Path) -> list[dict[str, Any]]:
    """The looks of the run in a log, each once: what was walked again after a crash stands as it was walked last."""
    looks: list[dict[str, Any]] = []
    for entry in events_in(path):
        if entry["event"] == "begun":
            looks = []
        elif entry["event"] == "resumed":
            looks = looks[: entry["looks"]]
        elif entry["event"] == "look":
            looks.append({name: value for name, value in entry.items() if name != "event"})
    return looks


def plain(value: Any) -> Any:
    """The same with numbers that JSON has no word for as null, and NumPy's as Python's."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
