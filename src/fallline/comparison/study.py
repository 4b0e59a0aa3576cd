"""A study: which settings to compare, under which budget. It turns into the plans of the runs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from fallline.averages import AVERAGES
from fallline.comparison.entry import FINE
from fallline.errors import InputError
from fallline.executors import METHODS
from fallline.losses import LOSSES, MULTICLASS
from fallline.parts import known, part, positive
from fallline.penalties import PENALTIES
from fallline.plan import AUTO, BUDGETS, ORDERS, RATE, VARIANTS, WAYS, Plan
from fallline.schedules import SCHEDULES
from fallline.steps import STEPS
from fallline.steps.named import class_in, is_class, rate_of

FRACTIONS = (0.03, 0.1, 0.3, 0.9, 1.2)  # of the stable limit: from safe and slow to just above it
SLOWEST = 0.01  # added for one row a step, where noise asks for less
ADAPTIVE_RATES = (0.001, 0.003, 0.01, 0.03, 0.1)  # for rules that divide by the gradient's size: the step itself
NATURAL_RATES = {"adadelta": (0.1, 0.3, 1.0, 3.0, 10.0), "lion": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)}
PLANNED = ("polynomial", "cosine", "one_cycle", "tail")  # these end with the budget
WORK = 4e10  # table entries that a comparison may touch by default; some tens of seconds
SEVERAL = ("variants", "steps", "rates", "batch_sizes", "schedules")  # what a study may name more than one of
EPOCHS = (5, 50)  # fewest and most passes a run by default
DONE = 0.1 * FINE  # of the loss: where the automatic solver's estimate ends its run; what is judged is then behind it


@dataclass(frozen=True)
class Study:
    """What to compare. Parts are written as in a Plan; None means: chosen from the table, and said.

    variants, steps, rates, batch_sizes, schedules: one or several, each with each. A step may be a step rule, or a method
    (see fallline.executors), which walks on the rows that it is meant for whatever the variants and batch sizes.
    automatic: whether the automatic solver runs beside them, under the same budget, until its own estimate says 1e-5.
    rates: learning rates for every setting; None for a few around each variant's stable limit, and a method's own.
    amount: the size of the budget, in `budget`'s unit, the same for every run.
    seeds: how many orders of the rows each setting is tried with; the best rate of each is then run on `final_seeds`
    fresh ones, so that choosing and judging do not share their luck.
    """

    variants: Sequence[str] = VARIANTS
    steps: Sequence[str] = ("plain",)
    rates: Sequence[float] | None = None
    batch_sizes: Sequence[int] = (32,)
    schedules: Sequence[str] = ("constant",)
    average: str = "none"
    sampler: str = "shuffled"
    warmup: int = 0
    clip_norm: float | None = None
    clip_value: float | None = None
    loss: str | None = None
    penalty: str = "l2"
    alpha: float = 1e-4
    l1_ratio: float = 0.15
    seeds: int = 3
    final_seeds: int = 8
    budget: str = "epochs"
    amount: float | None = None
    automatic: bool = True
    baselines: bool = True
    plane: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Take one for a list of one; refuse what cannot be run."""
        for name in SEVERAL:
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, (given,) if isinstance(given, str | int | float) else tuple(given))
        for variant in self.variants:
            known(variant, VARIANTS, "variant")
        known(self.budget, BUDGETS, "budget")
        for texts, table, kind in (
            ([text for text in self.steps if text != AUTO and not is_class(text)], WAYS, "step"),
            ([text for text in self.schedules if not is_class(text)], SCHEDULES, "schedule"),
            ((self.sampler,), ORDERS, "sampler"),
            ((self.average,), AVERAGES, "average"),
            ((self.penalty,), PENALTIES, "penalty"),
            ((self.loss,) if self.loss else (), {**LOSSES, **MULTICLASS}, "loss"),
        ):
            for text in texts:
                part(table, text, kind)
        if self.budget == "seconds":
            for text in (*self.schedules, self.average):
                if text.partition(":")[0] in PLANNED and "steps" not in text:
                    raise InputError(
                        f"{text} must know how many steps there are, which a budget in seconds does not tell: "
                        "give --updates, --visits or --epochs, or write "
                        f"{text.partition(':')[0]}:steps=NUMBER."
                    )
        for name in ("variants", "steps", "batch_sizes", "schedules"):
            if not getattr(self, name):
                raise InputError(f"{name} is empty: name at least one.")
        for size in self.batch_sizes:
            _count("batch size", size)
        for rate in self.rates or ():
            positive("rate", rate)
        for name, given in ((self.budget, self.amount), *((n, getattr(self, n)) for n in ("clip_norm", "clip_value"))):
            if given is not None:
                positive(name.replace("_", " "), given)
        if self.amount is None and self.budget != "epochs":
            raise InputError(f"The budget is in {self.budget}, and amount is not given: say how many.")
        _count("seeds", self.seeds)
        _count("final seeds", self.final_seeds)
        _count("warmup", self.warmup, least=0)
        if not 0 <= self.alpha < math.inf:
            raise InputError(f"alpha is {self.alpha:g}: a penalty cannot be negative or infinite; 0 for none.")
        if not 0 <= self.l1_ratio <= 1:
            raise InputError(f"l1_ratio is {self.l1_ratio:g}: it is a share, from 0 (all L2) to 1 (all L1).")
        if self.plane is not None and len(self.plane) != 2:
            raise InputError(f"plane names {len(self.plane)} columns: a cost surface is over two.")

    def passes(self, n: int, d: int) -> float:
        """The default budget: as many passes as keep the whole comparison to some tens of seconds."""
        runs = len(self.steps) * len(self.schedules) * len(self.batch_sizes) * 10 * self.seeds
        least, most = EPOCHS
        return float(min(most, max(least, round(WORK / (runs * n * (d + 20))))))

    def plans(self, n: int, d: int, limit_of: Callable[[int], float]) -> list[Plan]:
        """Every setting, at every rate; the seeds come later. `limit_of` is the stable limit by rows a step."""
        amount = self.amount if self.amount is not None else self.passes(n, d)
        budget: dict[str, Any] = {"budget": self.budget, "amount": float(amount)}
        rules = [step for step in self.steps if not _method(step) and step != AUTO]
        made = [
            self._tuned(step, schedule, rate, variant=variant, batch_size=min(size, n), sampler=self.sampler, **budget)
            for variant in self.variants
            for size in (self.batch_sizes if variant == "mini-batch" else (1,))
            for rows in [{"batch": n, "stochastic": 1, "mini-batch": size}[variant]]
            for step in rules
            for schedule in self.schedules
            for rate in self.rates or default_rates(step, limit_of(rows), rows)
        ]
        made += [
            self._tuned(step, schedule, rate, **budget)
            for step in filter(_method, self.steps)
            for schedule in self.schedules
            for rate in self.rates or (None,)
        ]
        if self.automatic or AUTO in self.steps:
            made.append(Plan(tol=DONE, certify=True, **budget))
        return list(dict.fromkeys(made))  # batch sizes beyond the table's end are one and the same

    def _tuned(self, step: str, schedule: str, rate: float | None, **rows: Any) -> Plan:
        clips = {"clip_norm": self.clip_norm, "clip_value": self.clip_value}
        rest = {"warmup": self.warmup, "average": self.average, **clips, **rows}
        return Plan(step, schedule=schedule, rate=None if rate is None else float(rate), **rest)

    def as_dict(self) -> dict[str, Any]:
        """Its fields, those that are None left out, sequences as lists."""
        pairs = asdict(self).items()
        return {k: list(v) if isinstance(v, tuple | list) else v for k, v in pairs if v is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Study":
        """A study from the fields that `as_dict` gave."""
        names = [field.name for field in fields(cls)]
        for name in values:
            known(name, names, "setting of a study")
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**settings)


def _method(step: str) -> bool:
    """Whether a step is a method, which brings its own rows and rate."""
    return step.partition(":")[0].strip() in METHODS


def default_rates(step: str, limit: float, rows: int) -> list[float]:
    """A few rates for a rule: around the stable limit where it has one, at its natural scale where it makes its own."""
    name = step.partition(":")[0].strip()
    if name in ("plain", "momentum", "nesterov", "SGD"):
        beta = (
            class_in(step, "step")[1].get("momentum", 0.0)
            if is_class(step)
            else getattr(part(STEPS, step, "step rule"), "beta", 0.0)
        )
        damping = 1.0 - beta  # a lasting gradient counts 1/(1 − beta) times
        fractions = (SLOWEST, *FRACTIONS) if rows == 1 else FRACTIONS
        return [fraction * limit * damping for fraction in fractions]
    higher = rate_of(step, RATE) / RATE
    return [rate * higher for rate in NATURAL_RATES.get(name, ADAPTIVE_RATES)]


def _count(name: str, value: float, least: int = 1) -> None:
    if not (value >= least and value == int(value)):
        raise InputError(f"{name} is {value:g}: it must be a whole number from {least} on.")
