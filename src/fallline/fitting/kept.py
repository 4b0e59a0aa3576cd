"""A plan's run with checkpoints in a file, for objectives made in Python: the same call goes on after whatever ended it."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fallline.descent import Run
from fallline.errors import InputError
from fallline.files import write_whole
from fallline.fitting.checkpoint import checkpoint_of, mark_on, run_from
from fallline.plan import Plan
from fallline.trace import Trace

EVERY = 10.0  # seconds between two checkpoints
DUE = "a checkpoint is due"


def checkpointed(
    plan: Plan, objective: Any, path: Path | str, *, every: float = EVERY, stops: Sequence[Any] = (), gauges: Any = ()
) -> Run:
    """Run a plan on an objective, and put the walk into a file every so many seconds, and at its end.

    Where the file exists, the walk goes on from it, to the same bits as if nothing had ended it (for a network on a CPU, with
    as many threads); a run that was over is given back as it ended. The file is replaced as a whole: a kill while it is written
    leaves the one before. every: seconds between two checkpoints, taken at the ends of segments. Raises InputError for a file of
    other data or another plan, a damaged one, and one that cannot be written.
    """
    path, mark = Path(path), mark_on(objective, repr(plan))
    run = run_from(path.read_bytes(), path.name, mark) if path.exists() else None
    while True:
        due = _Due(every, 0 if run is None else len(run.trace))
        run = plan.run(objective, gauges=gauges, stops=(*stops, due), start=run)
        try:
            write_whole(path, checkpoint_of(run, mark))
        except OSError as error:
            raise InputError(
                f"The checkpoint {path} cannot be written ({error.strerror}): name another place."
            ) from error
        if run.reason != DUE:
            return run


class _Due:
    """A stopping rule: when the checkpoint is due, but not before something was walked."""

    def __init__(self, every: float, looks: int) -> None:
        self.since, self.every, self.looks = time.perf_counter(), every, max(looks, 1)

    def reason(self, trace: Trace) -> str:
        return DUE if len(trace) > self.looks and time.perf_counter() - self.since >= self.every else ""

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()
