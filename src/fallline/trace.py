"""The trace: what happened on a walk, as columns with one entry a look.

| column | what | unit |
| --- | --- | --- |
| t | updates made | steps |
| visits | gradients of single rows taken | rows |
| seconds | time spent walking; looking is not counted, and shared evenly between the looks of a segment | s |
| loss | the objective at the point that the run would answer with | the objective's |
| rate | the schedule's rate at the last step | |
| move, size | length of what the segment changed, and of the point | |

Gauges add columns, and so does an executor that has `readings` to offer. `path` keeps the points themselves. What an
executor knows of every single step stands in `steps`: arrays with an entry a step, NaN where it did not measure.
"""

import io
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zipfile import BadZipFile

import numpy as np

from fallline.errors import InputError
from fallline.files import write_whole
from fallline.gauges import Back

Array = np.ndarray[Any, Any]
Readings = Mapping[str, "float | Array"]

COLUMNS = ("t", "visits", "seconds", "loss", "rate", "move", "size")
PATH_LIMIT = 32_000_000  # bytes; a longer path is not kept
RUNAWAY = 1e100  # a loss this far up is lost even before it overflows
AT_LOOKS = {
    "loss_at_looks": "loss",
    "validation_loss": "validation_loss",
}  # measured where somebody looks: columns of looks
FORMAT = 1
STEP = "steps/"  # in the file, before the name of what is known of single steps


class Trace:
    """Append-only columns over the looks of one walk. `trace["loss"]` is an array; `trace.path` is (looks, size)."""

    def __init__(self, n: int = 1, gauges: Sequence[Any] = ()) -> None:
        self.n = n
        self.gauges = _by_name(gauges)
        self.columns: dict[str, list[Any]] = {name: [] for name in (*COLUMNS, *self.gauges)}
        self.points: list[Array] = []
        self.steps: dict[str, Array] = {}
        self.about: dict[str, Any] = {}
        self._walked = 0.0
        self.recent: list[Array] = []  # of looks that gauges look back on: the start and the last two
        self.latest: Array | None = None  # the point noted last, however long the path; None of a trace from a file

    def __len__(self) -> int:
        return len(self.columns["t"])

    def __getitem__(self, name: str) -> Array:
        if name == "epochs":
            return np.asarray(self.columns["visits"]) / self.n
        if name not in self.columns:
            raise KeyError(f"the trace has no column {name!r}; it has {', '.join(self.columns)}, epochs")
        return np.asarray(self.columns[name])

    def last(self, name: str) -> Any:
        """The newest entry of a column."""
        return self.columns[name][-1]

    @property
    def path(self) -> Array:
        """The points looked at, (looks, size); empty where they were too many to keep."""
        return np.array(self.points)

    @property
    @contextmanager
    def clock(self) -> Iterator[None]:
        """Time what happens inside as walking."""
        start = time.perf_counter()
        yield
        self._walked = time.perf_counter() - start

    def begin(self, objective: Any, w: Array, readings: Readings = MappingProxyType({})) -> None:
        """Note the start."""
        self._walked = 0.0
        self._note(objective, w[None], np.zeros(1, int), np.zeros(1, int), math.nan, 0.0, readings)

    def note(
        self, objective: Any, before: Array, looks: Array, steps: Array, visits: Array, rate: float,
        readings: Readings = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """Note the points `looks` (k, size), seen `steps` and `visits` after the last note; the last ends the segment.

        readings: what the executor knows at the last of them, as columns. A loss that it knows is not computed again, and
        visits that it counted itself stand for those of the segment, shared evenly between its looks. An array of it has an
        entry a step and goes into `steps`; the loss of a look is then the mean over the steps since the one before, unless
        there is one at looks. `looking` is time to be taken from that of walking.
        """
        readings = self._stepped(readings, steps)
        self._walked -= float(readings.pop("looking", 0.0))
        with np.errstate(over="ignore", invalid="ignore"):
            move = float(np.linalg.norm(looks[-1] - before))
        if "visits" in readings:
            visits = np.rint(visits * (readings["visits"] / visits[-1])).astype(int)
        self._note(objective, looks, steps, visits, rate, move, readings)

    def _note(
        self, objective: Any, looks: Array, steps: Array, visits: Array, rate: float, move: float, readings: Readings
    ) -> None:
        many, earlier = len(looks), len(self)
        t, seen, seconds = (self.last(name) if len(self) else 0 for name in ("t", "visits", "seconds"))
        columns = self.columns
        with np.errstate(over="ignore", invalid="ignore"):  # `broken` names a walk that runs away
            known = np.atleast_1d(readings.get("loss", ()))
            unknown = looks[: many - len(known)]
            columns["loss"].extend(objective.values(unknown).tolist() if len(unknown) else [])
            columns["loss"].extend(known.tolist())
            columns["size"].extend(np.linalg.norm(looks, axis=1).tolist())
            if self.gauges:
                self._gauge(objective, looks, steps.tolist(), rate)
        columns["t"].extend((t + steps).tolist())
        columns["visits"].extend((seen + visits).tolist())
        share = steps / steps[-1] if steps[-1] else np.zeros(many)
        columns["seconds"].extend((seconds + share * self._walked).tolist())
        columns["rate"].extend([rate] * many)
        columns["move"].extend([move] * many)
        for name in readings.keys() - columns.keys():
            columns[name] = [math.nan] * earlier
        for name in columns.keys() - {*COLUMNS, *self.gauges}:  # known at a segment's end only, or to an executor or
            known = np.atleast_1d(readings.get(name, math.nan))  # a gauge that is gone
            columns[name].extend([math.nan] * (many - len(known)) + known.tolist())
        self.latest = looks[-1].copy()
        if looks.itemsize * looks.shape[1] * len(self) <= PATH_LIMIT:
            self.points.extend(looks)
        else:
            self.points.clear()

    def _stepped(self, readings: Readings, steps: Array) -> dict[str, Any]:
        """Put what is known of every step into `steps`. Returns the rest, with the mean loss of each look's steps."""
        single = {name: np.asarray(value) for name, value in readings.items() if np.ndim(value)}
        if not single:
            return dict(readings)
        count, t = int(steps[-1]), int(self.last("t"))
        before = len(self.steps.get("t", ()))
        for name, values in {"t": np.arange(t + 1, t + count + 1), **single}.items():
            earlier = self.steps[name] if name in self.steps else np.full(before, math.nan)
            self.steps[name] = np.concatenate([earlier, values]) if len(earlier) else values
        for name in self.steps.keys() - {"t", *single}:
            self.steps[name] = np.concatenate([self.steps[name], np.full(count, math.nan)])
        rest = {name: value for name, value in readings.items() if name not in single}
        if "loss" in single:
            starts = np.append(0, steps[:-1])
            rest["loss"] = np.add.reduceat(single["loss"], starts) / (steps - starts)
        return rest | {column: single[name][steps - 1] for name, column in AT_LOOKS.items() if name in single}

    def _gauge(self, objective: Any, looks: Array, steps: list[int], rate: float) -> None:
        """Read every gauge at every look; one that looks back knows nothing at the start."""
        for w, before, after in zip(looks, (0, *steps), steps, strict=False):
            recent = self.recent
            earlier = recent[-2] if len(recent) > 1 else None
            back = Back(recent[0], recent[-1], earlier, after - before, rate) if recent else None
            for name, gauge in self.gauges.items():
                if not hasattr(gauge, "since"):
                    self.columns[name].append(gauge.read(objective, w))
                else:
                    self.columns[name].append(gauge.since(objective, w, back) if back is not None else math.nan)
            self.recent = [*recent[:1], *recent[1:][-1:], w]

    def broken(self) -> str:
        """Why the walk cannot go on, whatever the stopping rules say: a loss that is no number, or beyond all bounds."""
        loss, t = self.last("loss"), self.last("t")
        if math.isfinite(loss) and abs(loss) < RUNAWAY:
            return ""
        sound = [value for value in self.columns["loss"] if math.isfinite(value)]
        height = f"the loss went from {sound[0]:.3g} to {loss:.3g}" if sound else "the loss is no number at the start"
        return f"diverged: {height} by update {t:,}"

    def copy(self, gauges: Sequence[Any] = ()) -> "Trace":
        """Another trace with the same entries, to go on with; what a gauge has not read is NaN, and one anew is in its place."""
        other = Trace(self.n, tuple({**self.gauges, **_by_name(gauges)}.values()))
        unread = [math.nan] * len(self)
        for name in {**self.columns, **other.columns}:
            other.columns[name] = list(self.columns.get(name, unread))
        other.points, other.steps, other.about = list(self.points), dict(self.steps), dict(self.about)
        other.recent = list(self.recent) or [*self.points[:1], *self.points[1:][-2:]]  # of one that had no gauges
        return other

    def between(self, first: int, last: int | None = None) -> "Trace":
        """The looks from `first` up to `last`, not included, as a trace."""
        part = self.copy()
        part.columns = {name: column[first:last] for name, column in self.columns.items()}
        part.points = self.points[first:last]
        if self.steps and len(part):
            held = (self.steps["t"] <= part.last("t")) & (self.steps["t"] > (part.columns["t"][0] if first else 0))
            part.steps = {name: values[held] for name, values in self.steps.items()}
        return part

    def save(self, path: Path | str) -> Path:
        """Write the trace to a NumPy .npz file: a column an array, `path` for the points, `recent` for those that
        gauges look back on, `steps/NAME` for what is known of single steps, `about` as JSON text.
        """
        about = json.dumps({"format": FORMAT, "n": self.n, **self.about}, sort_keys=True)
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: self[name] for name in self.columns}
        arrays |= {STEP + name: values for name, values in self.steps.items()}
        np.savez_compressed(buffer, about=np.array(about), path=self.path, recent=np.array(self.recent), **arrays)
        return write_whole(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path | str) -> "Trace":
        """Read a trace that `save` wrote. Raises InputError for any other file."""
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = dict(file)
            about, points, recent = json.loads(str(arrays.pop("about"))), arrays.pop("path"), arrays.pop("recent")
            if about.pop("format") != FORMAT:
                raise ValueError("its format is another version's")
            steps = {name.removeprefix(STEP): arrays.pop(name) for name in list(arrays) if name.startswith(STEP)}
            lengths = {len(arrays[name]) for name in (*COLUMNS, *arrays)}
            if len(lengths) != 1 or len(points) not in (0, *lengths) or len({*map(len, steps.values())}) > 1:
                raise ValueError("its columns differ in length")
            trace = cls(int(about.pop("n")))
        except FileNotFoundError:
            raise InputError(f"There is no trace file {path}.") from None
        except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, BadZipFile) as error:
            raise InputError(f"{path} is not a trace that fallline wrote ({error}).") from error
        trace.points, trace.recent, trace.steps = list(points), list(recent), steps
        trace.columns = {name: column.tolist() for name, column in arrays.items()}
        trace.about = about
        return trace

    def plot(self, **options: Any) -> Any:
        """The loss curve as a Plotly figure (see figures/curves.py)."""
        from fallline.figures import plot_traces

        return plot_traces({"": [self]}, **options)


def _by_name(gauges: Sequence[Any]) -> dict[str, Any]:
    """Gauges by their columns. Raises InputError for two of one name that read different things."""
    named: dict[str, Any] = {}
    for gauge in gauges:
        name = gauge.name()
        if name in COLUMNS:
            raise InputError(f"A gauge is called {name}, which is a column of every trace: give it another name().")
        if not _alike(named.setdefault(name, gauge), gauge):
            raise InputError(
                f"Two gauges are called {name} and would be one column: leave one out, or give it another name()."
            )
    return named


def _alike(one: Any, other: Any) -> bool:
    """Whether both read the same: a gauge's name has its numbers, and what else it holds must be the same object."""
    if one is other:
        return True
    values = zip(one, other, strict=True) if type(one) is type(other) and isinstance(one, tuple) else ((one, other),)
    return all(a is b or (isinstance(a, int | float) and a == b) for a, b in values)
