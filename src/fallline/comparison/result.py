"""What a comparison found: every run, what they are held against, and the verdict."""

import json
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import tomli_w

from fallline.comparison.entry import FINE, Baseline, Entry, Verdict, Yardstick
from fallline.data import Dataset
from fallline.errors import InputError
from fallline.trace import Trace

CONTENTS = {"report.html", "summary.json", "plan.toml", "runs"}  # of a folder that a comparison wrote


@dataclass(frozen=True)
class Comparison:
    """A finished comparison. `verdict`, `entries`, `baselines`; `plot()`, `save(folder)`."""

    data: Dataset | None  # None of a network, whose rows are no table
    facts: dict[str, Any]  # what there is to say of the data: source, n, d, task, target, classes, columns, notes
    objective: dict[str, Any]  # names and numbers: loss, penalty, alpha, l1_ratio, text
    budget: dict[str, Any]
    yard: Yardstick
    limits: dict[str, Any]
    entries: Sequence[Entry]
    baselines: Sequence[Baseline]
    verdict: Verdict
    plan: dict[str, Any]  # what repeats it
    command: str
    surfaces: Sequence[Any] = field(default=(), repr=False)
    bowl: Any = field(default=None, repr=False)  # what sketched curvature does here (see fallline.bowl)

    def __repr__(self) -> str:
        return f"Comparison({self.facts['source']}: {self.verdict.headline})"

    @property
    def traces(self) -> list[Trace]:
        """Every run's trace."""
        return [trace for entry in self.entries for trace in entry.traces]

    @property
    def finals(self) -> list[Entry]:
        """The best rate of each kind of setting, on fresh seeds, best first."""
        return [entry for entry in self.entries if entry.final]

    def plot(self, **options: Any) -> Any:
        """The picture that carries the verdict: excess over the optimum of the best setting of each kind."""
        from fallline.figures import plot_traces

        groups = {entry.plan.name: list(entry.traces) for entry in self.finals}
        return plot_traces(groups, **{"y": "excess", **options})

    def summary(self) -> dict[str, Any]:
        """Everything but the curves, as plain numbers and text (summary.json)."""
        from fallline import __version__

        verdict = self.verdict
        return _finite(
            {
                "fallline": __version__,
                "data": self.facts,
                "objective": self.objective,
                "budget": self.budget,
                "optimum": {"value": self.yard.optimum, "by": self.yard.by, "start": self.yard.start,
                            "scale": self.yard.scale, "goal": self.yard.goal},
                "limits": self.limits,
                "entries": [_entry(entry) for entry in self.entries],
                "baselines": [vars(baseline) for baseline in self.baselines],
                "verdict": {
                    "headline": verdict.headline,
                    "sentences": list(verdict.sentences),
                    "differences": [vars(difference) for difference in verdict.differences],
                    "better_tool": verdict.better_tool,
                },
                "plan": tomli_w.dumps(self.plan),
                "command": self.command,
            }
        )  # fmt: skip

    def _fans(self) -> list[tuple[str, Any]]:
        """For one feature: the data with the fitted lines of successive iterations, of the best setting of each kind."""
        from fallline.figures import draw_fan, fan_of

        data = self.data
        if data is None or data.X.shape[1] != 1 or data.task == "multiclass" or not isinstance(data.X, np.ndarray):
            return []
        standard = abs(data.X.mean()) < 1e-9 and abs(data.X.std() - 1.0) < 1e-9
        names = (
            data.columns[0] + (", deviations from its mean" if standard else ""),
            data.target + (", deviations from its mean" if data.target_scale != 1.0 else ""),
        )
        return [
            (
                f"The fit of {entry.plan.name}, iteration by iteration",
                draw_fan(fan_of(data.X, data.y, trace, names=names)),
            )
            for entry in self.finals
            if len((trace := entry.traces[0]).points) and not trace.about["diverged"]
        ]

    def save(self, folder: Path | str, overwrite: bool = False) -> Path:
        """Write report.html, summary.json, plan.toml and runs/*.npz into a new folder, all or nothing.

        Raises InputError if the folder exists (and is not to be overwritten) or cannot be written.
        """
        from fallline.report import write_report

        folder = Path(folder)
        check_folder(folder, overwrite)
        room = _room(folder)
        try:
            summary = self.summary()
            (room / "runs").mkdir()
            for number, trace in enumerate(self.traces):
                trace.save(room / "runs" / f"{number:03d}.npz")
            (room / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", "utf-8")
            (room / "plan.toml").write_text(summary["plan"], "utf-8")
            write_report(summary, self.traces, list(self.surfaces), room / "report.html", self._fans(), self.bowl)
            _put(room, folder.resolve())
        except OSError as error:
            raise InputError(
                f"The folder {folder} cannot be written ({error.strerror}): name another with -o."
            ) from error
        finally:
            shutil.rmtree(room, ignore_errors=True)
        return folder


def check_folder(folder: Path, overwrite: bool) -> None:
    """Raise InputError for an output folder that would lose something or cannot be made: before the work, not after."""
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file: name a folder with -o.")
        inside = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except OSError as error:  # a name too long, a folder that may not be read
        raise InputError(f"The folder {folder} cannot be used ({error.strerror}): name another with -o.") from error
    if inside and not ("summary.json" in inside and inside <= CONTENTS):
        raise InputError(
            f"The folder {folder} exists and holds other files than a comparison's, which will not be replaced: "
            "name another with -o."
        )
    if inside and not overwrite:
        raise InputError(f"The folder {folder} exists already: name another with -o, or add --overwrite to replace it.")
    above = folder.absolute().parent
    if not above.is_dir():
        what = "is a file" if above.exists() else "does not exist"
        fix = "" if above.exists() else "make it first, or "
        raise InputError(f'"{folder.parent}", where {folder.name} is to be made, {what}: {fix}name another with -o.')
    _room(folder).rmdir()


def _room(folder: Path) -> Path:
    """A new folder beside the one to write, under a name of its own."""
    place = folder.resolve()
    room = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        room.mkdir()
        return room
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be written ({error.strerror}): name another with -o.") from error


def _put(room: Path, folder: Path) -> None:
    """Give `room` the name `folder`; what stood there goes only once the new one stands."""
    old = folder.with_name(f"{room.name}.old")
    if folder.exists():
        folder.rename(old)
    room.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _entry(entry: Entry) -> dict[str, Any]:
    plan = entry.plan
    return {
        "name": plan.name,
        "variant": plan.variant,
        "step": plan.step,
        "schedule": plan.schedule,
        "batch_size": int(entry.traces[0].about["batch_size"]),
        "rate": plan.rate,
        "rate_over_limit": plan.rate / entry.limit if entry.limit and plan.rate else None,
        "final": entry.final,
        "seeds": [trace.about["seed"] for trace in entry.traces],
        "final_loss": [trace.last("loss") for trace in entry.traces],
        "excess": entry.excess,
        "visits_to_1pct": entry.reached("visits"),
        "seconds_to_1pct": entry.reached("seconds"),
        "visits_to_1e-4": entry.reached("visits", FINE),
        "seconds_to_1e-4": entry.reached("seconds", FINE),
        "estimate": entry.estimate,
        "bound": entry.bound,
        "median_excess": median(entry.excess),
        "diverged": entry.diverged,
        "solver": entry.traces[0].about.get("solver"),
        "reasons": sorted({trace.about["reason"] for trace in entry.traces}),
        "plan": plan.as_dict(),
    }


def _finite(value: Any) -> Any:
    """The same with numbers that JSON has no word for (never reached, diverged) as null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
