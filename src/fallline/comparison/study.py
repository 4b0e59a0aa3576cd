"""A study: which settings to compare, under which budget. It turns into the plans of the runs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from fallline.averages import AVERAGES
from fallline.errors import InputError
from fallline.losses import LOSSES, MULTICLASS
from fallline.penalties import PENALTIES
from fallline.plan import BUDGETS, VARIANTS, Plan, known, part
from fallline.reference.limits import Limits
from fallline.samplers import SAMPLERS
from fallline.schedules import SCHEDULES
from fallline.steps import STEPS

FRACTIONS = (0.03, 0.1, 0.3, 0.9, 1.2)  # of the stable limit: from safe and slow to just above it
SLOWEST = 0.01  # added for one row a step, where noise asks for less
ADAPTIVE_RATES = (0.001, 0.003, 0.01, 0.03, 0.1)  # for rules that divide by the gradient's size: the step itself
NATURAL_RATES = {"adadelta": (0.1, 0.3, 1.0, 3.0, 10.0), "lion": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)}
WORK = 4e10  # table entries that a comparison may touch by default; some tens of seconds
EPOCHS = (5, 50)  # fewest and most passes a run by default


@dataclass(frozen=True)
class Study:
    """What to compare. Parts are written as in a Plan; None means: chosen from the table, and said.

    rates: learning rates for every setting; None for a few around each variant's stable limit.
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
    baselines: bool = True
    plane: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        for variant in self.variants:
            known(variant, VARIANTS, "variant")
        known(self.budget, BUDGETS, "budget")
        for texts, table, kind in (
            (self.steps, STEPS, "step rule"),
            (self.schedules, SCHEDULES, "schedule"),
            ((self.sampler,), SAMPLERS, "sampler"),
            ((self.average,), AVERAGES, "average"),
            ((self.penalty,), PENALTIES, "penalty"),
            ((self.loss,) if self.loss else (), {**LOSSES, **MULTICLASS}, "loss"),
        ):
            for text in texts:
                part(table, text, kind)
        for name in ("variants", "steps", "batch_sizes", "schedules"):
            if not getattr(self, name):
                raise InputError(f"{name} is empty: name at least one.")
        for size in self.batch_sizes:
            _positive("batch size", size)
        for rate in self.rates or ():
            _positive("rate", rate)
        for name in ("seeds", "final_seeds", "amount", "clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                _positive(name.replace("_", " "), getattr(self, name))
        if self.alpha < 0:
            raise InputError(f"alpha is {self.alpha:g}: a penalty cannot be negative; 0 for none.")
        if not 0 <= self.l1_ratio <= 1:
            raise InputError(f"l1_ratio is {self.l1_ratio:g}: it is a share, from 0 (all L2) to 1 (all L1).")

    def passes(self, n: int, d: int) -> float:
        """The default budget: as many passes as keep the whole comparison to some tens of seconds."""
        runs = len(self.steps) * len(self.schedules) * len(self.batch_sizes) * 10 * self.seeds
        least, most = EPOCHS
        return float(min(most, max(least, round(WORK / (runs * n * (d + 20))))))

    def plans(self, n: int, d: int, limits: Limits) -> list[Plan]:
        """Every setting, at every rate; the seeds come later."""
        amount = self.amount if self.amount is not None else self.passes(n, d)
        made = []
        for variant in self.variants:
            sizes = self.batch_sizes if variant == "mini-batch" else (1,)
            for size in sizes:
                rows = {"batch": n, "stochastic": 1, "mini-batch": size}[variant]
                limit = limits.of(rows, n)
                for step in self.steps:
                    for schedule in self.schedules:
                        for rate in self.rates or default_rates(step, limit, rows):
                            made.append(
                                Plan(
                                    variant=variant, batch_size=min(size, n), sampler=self.sampler, step=step,
                                    rate=float(rate), schedule=schedule, warmup=self.warmup, average=self.average,
                                    clip_norm=self.clip_norm, clip_value=self.clip_value, budget=self.budget,
                                    amount=float(amount),
                                )
                            )  # fmt: skip
        return made

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


def default_rates(step: str, limit: float, rows: int) -> list[float]:
    """A few rates for a rule: around the stable limit where it has one, at its natural scale where it makes its own."""
    name, _, rest = step.partition(":")
    if name in ("plain", "momentum", "nesterov"):
        beta = float(dict(piece.split("=") for piece in rest.split(",") if piece).get("beta", 0.9))
        damping = 1.0 if name == "plain" else 1.0 - beta  # a lasting gradient counts 1/(1 − beta) times
        fractions = (SLOWEST, *FRACTIONS) if rows == 1 else FRACTIONS
        return [fraction * limit * damping for fraction in fractions]
    return list(NATURAL_RATES.get(name, ADAPTIVE_RATES))


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise InputError(f"{name} is {value:g}: it must be above zero.")
