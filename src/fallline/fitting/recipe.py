"""A recipe: all that it takes to fit again, as text. `plan.toml` holds it."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from fallline.averages import AVERAGES
from fallline.data.room import bytes_of
from fallline.errors import InputError
from fallline.gauges import WRITTEN
from fallline.losses import LOSSES, MULTICLASS
from fallline.parts import part
from fallline.penalties import PENALTIES
from fallline.plan import ORDERS, WAYS, Plan
from fallline.problem import Charges, Problem, Room, problem_of
from fallline.schedules import SCHEDULES


@dataclass(frozen=True)
class Recipe:
    """The data and how to read them, what to charge for, and the plan of the walk.

    source: a path or the name of a bundled set. reading: options of `fallline.load`. weights: the column of row weights.
    memory: such as "1GB", to read the data in pieces and get by with so much beside what the program itself takes; None:
    whatever the whole table takes. cache: whether encoded rows are put on the disk then, or decoded at every pass; None:
    decoded where the disk has no room and the plan can do with it. gauges: further columns of the trace, such as "noise_scale" or
    "noise_scale:rows=64" (fallline.gauges.WRITTEN).
    """

    source: str
    target: str | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None
    charges: Charges = field(default_factory=Charges)
    plan: Plan = field(default_factory=Plan)
    memory: str | None = None
    cache: bool | None = None
    gauges: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse parts that there are not, and settings that cannot be: before anything is read."""
        plan, charges = self.plan, self.charges
        for text, table, kind in (
            (None if plan.automatic else plan.step, WAYS, "step"),
            (plan.schedule, SCHEDULES, "schedule"),
            (plan.average, AVERAGES, "average"),
            (plan.sampler, ORDERS, "sampler"),
            (charges.penalty, PENALTIES, "penalty"),
            (charges.loss, {**LOSSES, **MULTICLASS}, "loss"),
        ):
            if text:
                part(table, text, kind)
        self.read_gauges()
        if self.memory:
            bytes_of(self.memory)
        if self.cache is False:
            plan.refuse_decoded()
        if plan.warmup < 0:
            raise InputError(f"warmup is {plan.warmup}: it must be a whole number from 0 on.")
        if not 0 <= charges.alpha < math.inf:
            raise InputError(f"alpha is {charges.alpha:g}: a penalty cannot be negative or infinite; 0 for none.")
        if not 0 <= charges.l1_ratio <= 1:
            raise InputError(f"l1_ratio is {charges.l1_ratio:g}: it is a share, from 0 (all L2) to 1 (all L1).")

    def problem(self, folder: Path = Path()) -> Problem:
        """Read the data and set up the objective. Raises InputError for what cannot be used.

        folder: with room for the rows that memory does not hold, while they are needed.
        """
        cache = True if self.cache is None and not self.plan.in_windows else self.cache
        room = Room(bytes_of(self.memory), folder, cache, self.plan.in_windows) if self.memory else None
        return problem_of(self.source, self.target, self.charges, self.weights, room=room, **self.reading)

    def read_gauges(self) -> tuple[Any, ...]:
        """The gauges. Raises InputError for one that there is not."""
        return tuple(part(WRITTEN, text, "gauge") for text in self.gauges)

    @property
    def walk(self) -> str:
        """All that the steps depend on beside the data, as text."""
        return repr(self.plan) + (self.memory or "") + "decoded" * (self.cache is False)

    def to_toml(self) -> str:
        """The recipe as text."""
        columns = {"target": self.target, "weights": self.weights, "memory": self.memory, "cache": self.cache}
        reading = {name: list(value) if isinstance(value, tuple) else value for name, value in self.reading.items()}
        tables = {
            "data": {"source": self.source, **columns, **reading},
            "objective": self.charges._asdict(),
            "plan": self.plan.as_dict(),
        }
        trace = {"trace": {"gauges": list(self.gauges)}} if self.gauges else {}
        return tomli_w.dumps({name: _given(table) for name, table in (tables | trace).items()})

    @classmethod
    def from_toml(cls, path: Path) -> "Recipe":
        """The recipe that `to_toml` wrote. Raises InputError for any other file."""
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
            data: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in tables["data"].items()
            }
            columns = {name: data.pop(name, None) for name in ("target", "weights", "memory", "cache")}
            charges, plan = Charges(**tables["objective"]), Plan(**tables["plan"])
            gauges = tuple(tables.get("trace", {}).get("gauges", ()))
            return cls(data.pop("source"), reading=data, charges=charges, plan=plan, gauges=gauges, **columns)
        except InputError:
            raise
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path} is no plan of a fit ({error}): name the folder that fallline fit wrote."
            ) from None


def _given(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}
