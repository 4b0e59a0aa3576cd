"""One fit in a folder: walked in stretches, with a checkpoint after each, so that whatever happens little is lost.

The walk is that of `descend`, unchanged: a stopping rule ends a stretch, and the next goes on from its run, which is the
same bits as never having stopped.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fallline import __version__
from fallline.data.pieces import whole_only
from fallline.data.room import memory_for
from fallline.descent import Run
from fallline.errors import InputError
from fallline.fitting.checkpoint import checkpoint_of, mark_of, run_from
from fallline.fitting.folder import CHECKPOINT, PLAN, cleared, finished, locked, refuse_new, write
from fallline.fitting.log import Listener, Log, rows_of
from fallline.fitting.loggers import LOGGERS, refuse_loggers
from fallline.fitting.recipe import Recipe
from fallline.fitting.result import keep
from fallline.model import Model
from fallline.problem import Problem
from fallline.solver import one_blas_thread
from fallline.trace import Trace

EVERY = 10.0  # seconds between two checkpoints
STRETCH, STOPPED = "a checkpoint is due", "it was asked to stop"

Watch = Callable[[Problem, Trace], Any]


@dataclass(frozen=True)
class Hooks:
    """Who sees a fit: `watch(problem, trace)` after every segment, `asked()` whether to stop, `warn(sentence)`."""

    watch: Watch = lambda problem, trace: None
    asked: Callable[[], str] = lambda: ""
    warn: Callable[[str], Any] = lambda sentence: None
    reading: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class Fit:
    """What came of it. stopped: who asked to stop, "" where it ended by itself. model: None of a run that diverged."""

    folder: Path
    problem: Problem
    run: Run
    model: Model | None
    stopped: str


def fit(
    recipe: Recipe,
    folder: Path | str,
    *,
    overwrite: bool = False,
    every: float = EVERY,
    log_to: Sequence[str] = (),
    command: str = "",
    hooks: Hooks = Hooks(),
) -> Fit:
    """Fit as the recipe says, and leave model, trace, log, plan and report in a new folder.

    every: seconds between two checkpoints, from the last of which `go_on` goes on. log_to: "tensorboard", "mlflow".
    Raises InputError for data, plans and folders that cannot be used: before anything is written.
    """
    folder = Path(folder)
    refuse_loggers(log_to)
    refuse_new(folder, overwrite)
    hooks.reading()
    path = Path(recipe.source)
    if not recipe.memory and path.exists() and (memory := memory_for(path)):
        if kind := whole_only(path):
            hooks.warn(
                f"{path.name} may not fit into the memory that is free, and {kind} is not read in pieces: if the system ends the "
                "fit, make memory free, or fit fewer rows."
            )
        else:
            hooks.warn(
                f"{path.name} will not fit into the memory that is free: it is read in pieces, as with --memory {memory}."
            )
            recipe = replace(recipe, memory=memory)  # and goes into the plan, so that the fit goes on as it was begun
    if recipe.cache is not None and not recipe.memory:
        flag = "--cache" if recipe.cache else "--no-cache"
        raise InputError(
            f"{flag} is for rows that are read in pieces, and these fit into memory: add --memory, or leave it out."
        )
    problem = recipe.problem(folder if folder.is_dir() else folder.absolute().parent)
    for gauge in recipe.read_gauges():
        if hasattr(gauge, "refuse"):
            gauge.refuse(problem.objective)
    if (disk := problem.objective.disk) is not None and not disk.kept:
        recipe = replace(recipe, cache=False)  # as above: the order of the rows is another
    with locked(folder):
        refuse_new(folder, overwrite)  # again, now that nobody else can write there
        try:
            cleared(folder)
            write(folder, PLAN, recipe.to_toml())
        except OSError as error:
            raise _unwritten(folder, error) from None
        return _walked(recipe, problem, folder, None, every, log_to, command, hooks)


def go_on(
    folder: Path | str,
    *,
    source: str | None = None,
    every: float = EVERY,
    log_to: Sequence[str] = (),
    command: str = "",
    hooks: Hooks = Hooks(),
) -> Fit | dict[str, Any]:
    """Go on with the fit in a folder, from its last checkpoint, or from the beginning where there is none yet.

    source: where the data are now, if they were moved; they must be the same. Of a fit that has ended the summary is
    returned. Raises InputError for a folder without one, and for data other than it was begun on.
    """
    folder = Path(folder)
    refuse_loggers(log_to)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder} to go on in: leave --resume out to begin.")
    if not (folder / PLAN).exists():
        raise InputError(f"The folder {folder} holds no fit to go on with (no {PLAN}): leave --resume out to begin.")
    with locked(folder):
        if summary := finished(folder):
            return summary
        recipe = Recipe.from_toml(folder / PLAN)
        recipe = replace(recipe, cache=recipe.cache is not False)
        hooks.reading()
        problem = (recipe if source is None else replace(recipe, source=source)).problem(folder)
        run = None
        if (folder / CHECKPOINT).exists():
            run = run_from((folder / CHECKPOINT).read_bytes(), CHECKPOINT, mark_of(problem, recipe.walk))
        return _walked(recipe, problem, folder, run, every, log_to, command, hooks)


def _walked(
    recipe: Recipe,
    problem: Problem,
    folder: Path,
    run: Run | None,
    every: float,
    log_to: Sequence[str],
    command: str,
    hooks: Hooks,
) -> Fit:
    with ExitStack() as open_:
        try:
            listeners = [
                open_.enter_context(closing(made(folder))) for made in (Log, *map(LOGGERS.__getitem__, log_to))
            ]
        except OSError as error:
            raise _unwritten(folder, error) from None
        told = _Told(listeners, hooks.warn)
        run, stopped = _stretches(recipe, problem, folder, run, every, told, command, hooks)
        model = keep(folder, recipe, problem, run, stopped, command, _unwritten)
        told.event("stopped" if stopped else "ended", t=run.state.t, reason=stopped or run.reason, at=_now())
    return Fit(folder, problem, run, model, stopped)


def _stretches(
    recipe: Recipe,
    problem: Problem,
    folder: Path,
    run: Run | None,
    every: float,
    told: "_Told",
    command: str,
    hooks: Hooks,
) -> tuple[Run, str]:
    """Walk to the end, with a checkpoint after each stretch. Returns the run, and who asked to stop."""
    mark = mark_of(problem, recipe.walk)
    n, d = problem.data.X.shape
    if run is None:
        told.event("begun", fallline=__version__, command=command, rows=n, columns=d, objective=problem.text,
                   plan=recipe.plan.as_dict(), at=_now())  # fmt: skip
    else:
        told.event("resumed", t=run.state.t, looks=len(run.trace), command=command, at=_now())
    gauges = recipe.read_gauges()
    pause = _Pause(problem, told, hooks, every, 0 if run is None else len(run.trace))
    while True:
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            run = recipe.plan.run(problem.objective, gauges=gauges, stops=(pause.begun(),), start=run)
        if run.reason in (STRETCH, STOPPED):
            _checkpoint(folder, run, mark, told)
        if run.reason != STRETCH:
            pause.show(run.trace)
            return run, (hooks.asked() or STOPPED) if run.reason == STOPPED else ""


class _Pause:
    """A stopping rule that ends a stretch when a checkpoint is due or somebody asks; it shows what was walked meanwhile."""

    def __init__(self, problem: Problem, told: "_Told", hooks: Hooks, every: float, seen: int) -> None:
        self.problem, self.told, self.hooks, self.every = problem, told, hooks, every
        self.seen = self.first = seen  # looks
        self.since = 0.0

    def begun(self) -> "_Pause":
        """The rule at the beginning of a stretch."""
        self.since, self.first = time.perf_counter(), self.seen
        return self

    def reason(self, trace: Trace) -> str:
        self.show(trace)
        if self.hooks.asked():
            return STOPPED
        due = time.perf_counter() - self.since >= self.every and self.seen > max(self.first, 1)
        return STRETCH if due else ""

    def show(self, trace: Trace) -> None:
        """What was not shown yet."""
        if len(trace) > self.seen:
            for row in rows_of(trace, self.seen):
                self.told.look(row)
            self.seen = len(trace)
            self.hooks.watch(self.problem, trace)

    def room(self, trace: Trace, batch: int) -> float:
        return float("inf")

    def gauges(self) -> Sequence[Any]:
        return ()


class _Told:
    """Everybody who is told; one who cannot listen any more (a full disk) is said once, and the walk goes on."""

    def __init__(self, listeners: Sequence[Listener], warn: Callable[[str], Any]) -> None:
        self.listeners, self.warn = listeners, warn
        self.said = False

    def look(self, row: dict[str, Any]) -> None:
        self._each(lambda listener: listener.look(row))

    def event(self, kind: str, **facts: Any) -> None:
        self._each(lambda listener: listener.event(kind, **facts))

    def _each(self, tell: Callable[[Listener], None]) -> None:
        for listener in self.listeners:
            try:
                tell(listener)
            except OSError as error:
                if not self.said:
                    self.warn(f"The log cannot be written ({error.strerror}); the fit goes on without it.")
                self.said = True


def _checkpoint(folder: Path, run: Run, mark: str, told: _Told) -> None:
    try:
        write(folder, CHECKPOINT, checkpoint_of(run, mark))
    except OSError as error:
        before = "the one before it stands" if (folder / CHECKPOINT).exists() else "there is none yet"
        told.warn(
            f"The checkpoint at update {run.state.t:,} cannot be written ({error.strerror}): {before}, and the fit goes on."
        )
    else:
        told.event("checkpoint", t=run.state.t)


def _unwritten(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"The folder {folder} cannot be written ({error.strerror}): make room or change its permissions, and go on with "
        f"fallline fit --resume -o {folder}."
    )


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
