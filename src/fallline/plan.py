"""A plan is one run as text: names and numbers, from which the parts are made. Strings stop here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from fallline.averages import AVERAGES
from fallline.descent import Run, descend
from fallline.errors import InputError
from fallline.executors.compiled import compiled
from fallline.losses import LOSSES, MULTICLASS
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import PENALTIES
from fallline.samplers import SAMPLERS, Batch
from fallline.schedules import SCHEDULES, Warmup
from fallline.steps import STEPS, ClipNorm, ClipValue
from fallline.stops import AnyOf, Diverged, Epochs, Seconds, Updates, Visits

VARIANTS = ("batch", "stochastic", "mini-batch")
BUDGETS = {"epochs": Epochs, "updates": Updates, "visits": Visits, "seconds": Seconds}
BATCH_LOOKS = 100  # steps of batch descent between two decisions; each step is still looked at where that is cheap


@dataclass(frozen=True)
class Plan:
    """One run: which rows, which rule, how far, how long. Parts are written `name` or `name:field=value,field=value`."""

    variant: str = "mini-batch"
    batch_size: int = 32
    sampler: str = "shuffled"
    step: str = "plain"
    rate: float = 0.01
    schedule: str = "constant"
    warmup: int = 0  # steps
    average: str = "none"
    clip_norm: float | None = None
    clip_value: float | None = None
    seed: int = 0
    budget: str = "epochs"
    amount: float = 10.0

    @property
    def name(self) -> str:
        """How people call it: "mini-batch 32 · adam · rate 0.05"."""
        kind = f"{self.variant} {self.batch_size}" if self.variant == "mini-batch" else self.variant
        rest = [part for part, usual in ((self.step, "plain"), (self.schedule, "constant"), (self.average, "none"))
                if part != usual]  # fmt: skip
        return " · ".join([kind, *rest, f"rate {self.rate:.3g}"])

    def updates(self, n: int) -> int:
        """Steps that the budget allows on n rows; for a budget in seconds, those of 100 passes."""
        size = self.size(n)
        passes = {"epochs": self.amount, "visits": self.amount / n, "seconds": 100.0}
        return int(self.amount) if self.budget == "updates" else max(1, round(passes[self.budget] * -(-n // size)))

    def size(self, n: int) -> int:
        """Rows a step."""
        return {"batch": n, "stochastic": 1}.get(self.variant, min(self.batch_size, n))

    def run(self, objective: Any, looks: int = 1, gauges: Any = ()) -> Run:
        """Walk down `objective`, looking about `looks` times a pass over the rows."""
        n, updates = objective.n, self.updates(objective.n)
        size = self.size(n)
        sampler: Any = Batch(min(updates, BATCH_LOOKS))
        if self.variant != "batch":
            sampler = part(SAMPLERS, self.sampler, "sampler", batch=size)
            sampler = sampler._replace(seed=self.seed) if hasattr(sampler, "seed") else sampler
        step: Any = part(STEPS, self.step, "step rule")
        step = ClipValue(step, self.clip_value) if self.clip_value is not None else step
        step = ClipNorm(step, self.clip_norm) if self.clip_norm is not None else step
        horizon = {"steps": updates}
        schedule: Any = part(SCHEDULES, self.schedule, "schedule", rate=self.rate, **horizon)
        schedule = Warmup(schedule, self.warmup) if self.warmup else schedule
        average: Any = part(AVERAGES, self.average, "average", **horizon)
        amount: Any = int(self.amount) if self.budget == "updates" else self.amount
        stop = AnyOf((Diverged(), BUDGETS[self.budget](amount)))
        steps = -(-n // size)
        every = max(1, steps // looks) if looks and steps > 1 else 1
        return descend(
            objective, sampler=sampler, step=step, schedule=schedule, stop=stop,
            average=average, advance=compiled, gauges=gauges, every=every,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Its fields, those that are not set left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def part(table: Mapping[str, Any], text: str, kind: str, **defaults: Any) -> Any:
    """The part that `text` names, `name` or `name:field=value,…`; `defaults` fill fields of those names.

    Raises InputError for an unknown name or field, or a value that is no number, with the nearest that exists.
    """
    name, _, rest = text.partition(":")
    made = table[known(name.strip(), table, kind)]
    fields = made._fields
    values = {field: value for field, value in defaults.items() if field in fields}
    for setting in filter(None, rest.split(",")):
        field, equals, number = (piece.strip() for piece in setting.partition("="))
        if not equals:
            raise InputError(f'"{setting}" in {kind} "{text}" is no setting: write {name}:field=value.')
        known(field, fields, f"field of {name}")
        try:
            value = float(number)
        except ValueError:
            raise InputError(f'{field}="{number}" in {kind} "{text}" is no number.') from None
        whole = isinstance(made._field_defaults.get(field), int) and value.is_integer()
        values[field] = int(value) if whole else value
    return made(**values)


def known(name: str, names: Any, kind: str) -> str:
    """`name` if it is one of `names`; otherwise an InputError that lists them and suggests the nearest."""
    if name in names:
        return name
    near = get_close_matches(name, list(names), n=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    raise InputError(f'There is no {kind} "{name}": {hint}There are {", ".join(names)}.')


def objective_of(
    X: Any, y: Any, loss: str, penalty: str, alpha: float, l1_ratio: float, classes: int = 0, **rest: Any
) -> Any:
    """The objective that those names and numbers stand for."""
    charge = part(PENALTIES, penalty, "penalty", alpha=alpha, l1_ratio=l1_ratio)
    if loss.partition(":")[0] in MULTICLASS:
        return SoftmaxRegression(X, y, classes or None, charge, **rest)
    return Linear(X, y, part(LOSSES, loss, "loss"), charge, **rest)
