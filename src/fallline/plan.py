"""A plan is one run as text: names and numbers, from which the parts are made. Strings stop here."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

from fallline.averages import AVERAGES
from fallline.descent import Run, descend
from fallline.errors import InputError
from fallline.executors.compiled import compiled
from fallline.losses import LOSSES, MULTICLASS
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import PENALTIES
from fallline.samplers import SAMPLERS, Batch, InOrder
from fallline.schedules import SCHEDULES, Warmup
from fallline.solver import solve
from fallline.steps import STEPS, ClipNorm, ClipValue
from fallline.stops import AnyOf, Diverged, Epochs, Seconds, Updates, Visits

VARIANTS = ("batch", "stochastic", "mini-batch")
AUTOMATIC = "automatic"  # the solver that takes no settings: of a plan it needs its budget and its seed
BUDGETS = {"epochs": Epochs, "updates": Updates, "visits": Visits, "seconds": Seconds}
ORDERS = {name: made for name, made in SAMPLERS.items() if made is not Batch}  # batch descent has no order to choose
BATCH_LOOKS = 100  # steps of batch descent between two decisions; each step is still looked at where that is cheap
TIMED = 1_000_000  # row visits between two decisions under a budget in seconds, which is kept to so many
OWN = {"rate": "--rate", "batch": "--batch-size", "seed": "--seeds"}  # what a plan sets itself, and with which option


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

    def __post_init__(self) -> None:
        """Refuse what cannot be run; the parts are read when it runs."""
        known(self.variant, (*VARIANTS, AUTOMATIC), "variant")
        known(self.budget, BUDGETS, "budget")
        for name in ("batch_size", "rate", "amount", "clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                positive(name.replace("_", " "), getattr(self, name))

    @property
    def kind(self) -> str:
        """All but its rate, as people call it: "mini-batch 32 · adam"."""
        if self.variant == AUTOMATIC:
            return AUTOMATIC
        rows = f"{self.variant} {self.batch_size}" if self.variant == "mini-batch" else self.variant
        rest = [part for part, usual in ((self.step, "plain"), (self.schedule, "constant"), (self.average, "none"))
                if part != usual]  # fmt: skip
        return " · ".join([rows, *rest])

    @property
    def name(self) -> str:
        """How people call it: "mini-batch 32 · adam · rate 0.05"."""
        return AUTOMATIC if self.variant == AUTOMATIC else f"{self.kind} · rate {self.rate:.3g}"

    @property
    def chance(self) -> bool:
        """Whether another seed is another run."""
        return self.variant != "batch" and part(ORDERS, self.sampler, "sampler").__class__ is not InOrder

    def updates(self, n: int) -> int:
        """Steps that the budget allows on n rows; for a budget in seconds, those of 100 passes."""
        size = self.size(n)
        passes = {"epochs": self.amount, "visits": self.amount / n, "seconds": 100.0}
        return int(self.amount) if self.budget == "updates" else max(1, round(passes[self.budget] * -(-n // size)))

    def size(self, n: int) -> int:
        """Rows a step."""
        return {"batch": n, AUTOMATIC: n, "stochastic": 1}.get(self.variant, min(self.batch_size, n))

    def run(self, objective: Any, looks: int = 1, gauges: Any = ()) -> Run:
        """Walk down `objective`, looking about `looks` times a pass over the rows."""
        amount: Any = int(self.amount) if self.budget == "updates" else self.amount
        if self.variant == AUTOMATIC:
            return solve(objective, tol=0.0, seed=self.seed, budget=BUDGETS[self.budget](amount), gauges=gauges)
        n, updates = objective.n, self.updates(objective.n)
        size = self.size(n)
        timely = max(1, TIMED // n) if self.budget == "seconds" else updates
        sampler: Any = Batch(min(timely, BATCH_LOOKS))
        if self.variant != "batch":
            sampler = part(ORDERS, self.sampler, "sampler", batch=size, seed=self.seed)
        step: Any = part(STEPS, self.step, "step rule")
        step = ClipValue(step, self.clip_value) if self.clip_value is not None else step
        step = ClipNorm(step, self.clip_norm) if self.clip_norm is not None else step
        schedule: Any = self._schedule(updates, float(objective.penalty.pull(1.0)))
        schedule = Warmup(schedule, self.warmup) if self.warmup else schedule
        average: Any = part(AVERAGES, self.average, "average", steps=updates)
        stop = AnyOf((Diverged(), BUDGETS[self.budget](amount)))
        steps = -(-n // size)
        every = max(1, steps // looks) if looks and steps > 1 else 1
        return descend(
            objective, sampler=sampler, step=step, schedule=schedule, stop=stop,
            average=average, advance=compiled, gauges=gauges, every=every,
        )  # fmt: skip

    def _schedule(self, updates: int, alpha: float) -> Any:
        """The schedule; what its text leaves open is laid out over the budget, so that it does what it is for."""
        name = self.schedule.partition(":")[0].strip()
        if name == "optimal" and not alpha and "alpha" not in self.schedule:
            raise InputError('The schedule "optimal" is made for an L2 penalty, and there is none: add --penalty l2.')
        laid_out: dict[str, Any] = {
            "steps": updates,
            "every": max(1, updates // 3),  # two falls
            "period": max(1, updates // 7),  # of 1 + 2 + 4 periods
            "half": max(1, updates // 10),  # five times up and down
            "low": 0.1 * self.rate,
            "alpha": alpha,
            "decay": 9.0 / updates,  # down to a tenth of the rate
        }
        if name == "exponential":
            laid_out["factor"] = 0.01 ** (1.0 / updates)  # down to a hundredth
        schedule = part(SCHEDULES, self.schedule, "schedule", rate=self.rate, **laid_out)
        if getattr(schedule, "low", 0.0) > self.rate:
            raise InputError(
                f"{self.schedule} swings down from rate {self.rate:g} to low: low must not be above the rate."
            )
        return schedule

    def as_dict(self) -> dict[str, Any]:
        """Its fields, those that are not set left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Span(NamedTuple):
    """The numbers that a setting may be."""

    low: float
    high: float = math.inf
    open: str = ""  # "low", "high" or "both": which end does not count

    def __contains__(self, value: object) -> bool:
        inside = isinstance(value, float) and self.low <= value <= self.high and math.isfinite(value)
        return inside and not (
            (value == self.low and self.open in ("low", "both"))
            or (value == self.high and self.open in ("high", "both"))
        )

    def __str__(self) -> str:
        above = f"above {self.low:g}" if self.open in ("low", "both") else f"at least {self.low:g}"
        below = f"below {self.high:g}" if self.open in ("high", "both") else f"at most {self.high:g}"
        return above if self.high == math.inf else f"{above} and {below}"


SHARE, MEMORY, ABOVE, AMOUNT, COUNT = Span(0, 1), Span(0, 1, "high"), Span(0, open="low"), Span(0), Span(1)
SPANS = {
    **dict.fromkeys(("beta", "beta1", "beta2", "rho", "keep"), MEMORY),
    **dict.fromkeys(("l1_ratio", "warm"), SHARE),
    **dict.fromkeys(("alpha", "decay", "end", "power", "threshold", "epsilon", "psi"), AMOUNT),
    **dict.fromkeys(("eps", "factor", "delta", "low", "finish", "rate"), ABOVE),
    **dict.fromkeys(("every", "period", "half", "steps", "patience", "block", "start", "growth", "batch"), COUNT),
    "level": Span(0, 1, "both"),
    "share": Span(0, 1, "low"),
    "tweedie.power": Span(1, 2, "both"),
}
"""What the fields of parts may be; outside, a formula divides by zero, never ends or has no minimum."""


def part(table: Mapping[str, Any], text: str, kind: str, **defaults: Any) -> Any:
    """The part that `text` names, `name` or `name:field=value,…`; `defaults` fill fields of those names.

    Raises InputError for an unknown name or field, with the nearest that exists, for a field that the plan sets, and
    for a value that is no number or outside what the formula allows.
    """
    name, _, rest = text.partition(":")
    name = name.strip()
    made = table[known(name, table, kind)]
    values = {field: value for field, value in defaults.items() if field in made._fields}
    for setting in filter(None, rest.split(",")):
        field, equals, number = (piece.strip() for piece in setting.partition("="))
        if not equals:
            raise InputError(f'"{setting}" in {kind} "{text}" is no setting: write {name}:field=value.')
        known(field, made._fields, f"field of {name}")
        if field in OWN:
            raise InputError(f'{kind} "{text}" sets {field}, which is not its own to set: use {OWN[field]}.')
        try:
            value = float(number)
        except ValueError:
            raise InputError(f'{field}="{number}" in {kind} "{text}" is no number.') from None
        span = SPANS.get(f"{name}.{field}", SPANS.get(field, Span(-math.inf)))
        if value not in span:
            raise InputError(f'{field}={number} in {kind} "{text}" cannot be: it must be {span}.')
        whole = isinstance(made._field_defaults.get(field), int)
        if whole and not value.is_integer():
            raise InputError(f'{field}={number} in {kind} "{text}" cannot be: it must be a whole number.')
        values[field] = int(value) if whole else value
    return made(**values)


def positive(name: str, value: float) -> None:
    """Raise InputError for what is not a finite number above zero."""
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{name} is {value:g}: it must be above zero{'' if value < math.inf else ' and finite'}.")


def known(name: str, names: Any, kind: str) -> str:
    """`name` if it is one of `names`; otherwise an InputError that lists them and suggests the nearest."""
    if name in names:
        return name
    near = [other for other in names if other.lower() == name.lower()] or get_close_matches(name, list(names), n=1)
    hint = f'did you mean "{near[0]}"? T' if near else "t"
    raise InputError(f'There is no {kind} "{name}": {hint}here are {", ".join(names)}.')


def objective_of(
    X: Any, y: Any, loss: str, penalty: str, alpha: float, l1_ratio: float, classes: int = 0, **rest: Any
) -> Any:
    """The objective that those names and numbers stand for."""
    charge = part(PENALTIES, penalty, "penalty", alpha=alpha, l1_ratio=l1_ratio)
    if loss.partition(":")[0] in MULTICLASS:
        return SoftmaxRegression(X, y, classes or None, charge, **rest)
    return Linear(X, y, part(LOSSES, loss, "loss"), charge, **rest)
