"""A plan is one run as text: names and numbers, from which the parts are made. Strings stop here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fallline.averages import AVERAGES
from fallline.descent import Run, descend
from fallline.errors import InputError
from fallline.executors import METHODS
from fallline.executors.compiled import compiled
from fallline.executors.windows import BY_ROWS, in_windows, streamed
from fallline.losses import LOSSES, MULTICLASS
from fallline.objectives import Linear, SoftmaxRegression
from fallline.objectives.order import run_of
from fallline.parts import known, named, part, positive
from fallline.penalties import PENALTIES
from fallline.samplers import SAMPLERS, Batch, InOrder, Shuffled
from fallline.schedules import SCHEDULES, Warmup
from fallline.solver import solve, solver_for
from fallline.steps import STEPS, ClipNorm, ClipValue, Plain
from fallline.steps.named import Optimizer, is_class, rate_of
from fallline.stops import AnyOf, Diverged, Epochs, Seconds, Updates, Visits

AUTO = "auto"  # the step of a plan that names none: the automatic solver
AUTOMATIC = "automatic"  # what it is called beside the variants
VARIANTS = ("batch", "stochastic", "mini-batch")
WAYS = {**STEPS, **METHODS}  # step rules, and methods that bring their own steps
BUDGETS = {"epochs": Epochs, "updates": Updates, "visits": Visits, "seconds": Seconds}
ORDERS = {name: made for name, made in SAMPLERS.items() if made is not Batch}  # batch descent has no order to choose
ROWS, RATE, EPOCHS, TOLERANCE = 32, 0.01, 10.0, 1e-4  # what a plan takes where it is not told
BATCH_LOOKS = 100  # steps of batch descent between two decisions; each step is still looked at where that is cheap
TIMED = 1_000_000  # row visits between two decisions under a budget in seconds or with other stops, kept to so many
TUNED = ("batch_size", "sampler", "rate", "schedule", "warmup", "average", "clip_norm", "clip_value")  # not the solver
SOLVED = ("tol", "certify")  # the solver alone


@dataclass(frozen=True)
class Plan:
    """One run: who steps, on which rows, how far, how long. Parts are written `name` or `name:field=value,field=value`; in
    Python a step, a schedule or an average may be the part itself, of any class: such a plan runs, and is no text.

    step: "auto", the automatic solver; a step rule; or a method (see fallline.executors), which brings its own steps. None
    elsewhere means what is usual with that step: for a method its own rows and the rate that theory gives, for the solver
    no budget but `tol`. tol and certify are the solver's (see fallline.solver.solve), the rest is not: it takes no rate,
    and a plan that gives it one is refused.
    """

    step: Any = AUTO
    variant: str | None = None
    batch_size: int | None = None
    sampler: str | None = None
    rate: float | None = None
    schedule: Any = None
    warmup: int = 0  # steps
    average: Any = None
    clip_norm: float | None = None
    clip_value: float | None = None
    tol: float | None = None
    certify: bool = False
    seed: int = 0
    budget: str = "epochs"
    amount: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be run, and fill in what is usual; the parts are read when it runs."""
        known(self.budget, BUDGETS, "budget")
        if isinstance(self.step, str) and not is_class(self.step):
            known(self._way, (AUTO, *WAYS), "step")
        for name, value in (self._solvers() if self.automatic else self._usual()).items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        known(str(self.variant), (AUTOMATIC,) if self.automatic else VARIANTS, "variant")
        for name in ("batch_size", "rate", "amount", "clip_norm", "clip_value", "tol"):
            if getattr(self, name) is not None:
                positive(name.replace("_", " "), getattr(self, name))

    @property
    def _way(self) -> str:
        return named(self.step, WAYS)

    @property
    def automatic(self) -> bool:
        """Whether the automatic solver walks."""
        return isinstance(self.step, str) and self.step == AUTO

    @property
    def in_windows(self) -> bool:
        """Whether it goes over rows that memory does not hold in windows alone, a step after the other, without full passes."""
        way = METHODS.get(self._way)
        return (
            self.variant in ("stochastic", "mini-batch")
            and self.sampler == "shuffled"
            and (way is None or issubclass(way, BY_ROWS))
        )

    def refuse_decoded(self) -> None:
        """Raise InputError for a walk that cannot be made on rows which are decoded as they are read."""
        if not self.in_windows:
            raise InputError(
                f"{self.kind} makes full passes, which need the encoded rows on the disk: leave --no-cache out, name a folder "
                "with room for them with -o, or take --step quick or a step rule with shuffled rows."
            )

    def _solvers(self) -> dict[str, Any]:
        """What is usual for the solver; refuses what it does not take."""
        given = ["variant"] if self.variant not in (None, AUTOMATIC) else []
        for name in [*given, *(name for name in TUNED if getattr(self, name))]:
            raise InputError(
                f"The automatic solver takes no {name.replace('_', ' ')}: leave it out, or name a step rule, such as plain."
            )
        return {"variant": AUTOMATIC, "tol": TOLERANCE}

    def _usual(self) -> dict[str, Any]:
        """What is usual for a step rule or a method; refuses what only the solver takes."""
        for name in SOLVED:
            if getattr(self, name):
                raise InputError(
                    f'{name} is for the automatic solver, and the step is "{self.step}": leave one of them out.'
                )
        rows = METHODS[self._way]().sampler() if self._way in METHODS else Shuffled(ROWS)
        size = getattr(rows, "batch", ROWS)
        variant = "batch" if isinstance(rows, Batch) else "stochastic" if size == 1 else "mini-batch"
        order = next((name for name, made in ORDERS.items() if type(rows) is made), "shuffled")
        own = {"variant": variant, "batch_size": size, "sampler": order, "schedule": "constant", "average": "none"}
        return {**own, "rate": None if self._way in METHODS else rate_of(self.step, RATE), "amount": EPOCHS}

    @property
    def kind(self) -> str:
        """All but its rate, as people call it: "mini-batch 32 · adam"."""
        if self.automatic:
            return AUTOMATIC
        rows = f"{self.variant} {self.batch_size}" if self.variant == "mini-batch" else str(self.variant)
        parts = ((self.step, "plain"), (self.schedule, "constant"), (self.average, "none"))
        return " · ".join([rows, *(str(part) for part, usual in parts if part != usual)])

    @property
    def name(self) -> str:
        """How people call it: "mini-batch 32 · adam · rate 0.05"."""
        return self.kind if self.rate is None else f"{self.kind} · rate {self.rate:.3g}"

    def chance(self, objective: Any) -> bool:
        """Whether another seed is another run on `objective`; the solver draws rows only where it does not take all."""
        if self.automatic:
            return solver_for(objective).chance(objective.n)
        return self.variant != "batch" and part(ORDERS, str(self.sampler), "sampler").__class__ is not InOrder

    def updates(self, n: int) -> int:
        """Steps that the budget allows on n rows; for a budget in seconds, those of 100 passes."""
        amount = float(self.amount or 0.0)
        passes = {"epochs": amount, "visits": amount / n, "seconds": 100.0}
        return int(amount) if self.budget == "updates" else max(1, round(passes[self.budget] * -(-n // self.size(n))))

    def size(self, n: int) -> int:
        """Rows a step."""
        return {"batch": n, AUTOMATIC: n, "stochastic": 1}.get(str(self.variant), min(self.batch_size or n, n))

    def on(self, objective: Any) -> "Plan":
        """This plan as `objective` has it: with the default that is its own, and with its own batches where it brings some.

        Raises InputError for batch and stochastic descent over data that come in batches.
        """
        if self.automatic and hasattr(objective, "usual"):
            own: Plan = objective.usual(self)
            return own
        rows = getattr(objective, "rows", None)
        if rows is None or self.automatic or (self.variant == "mini-batch" and self.batch_size == rows):
            return self
        if self.variant != "mini-batch":
            raise InputError(
                f"The variant is {self.variant}, and the data come in batches of {rows}: leave the variant at mini-batch, or "
                "give the rows as (inputs, targets)."
            )
        return replace(self, batch_size=rows)

    def _limit(self) -> Any:
        """The budget as a stopping rule; None where there is none."""
        amount: Any = self.amount and (int(self.amount) if self.budget == "updates" else self.amount)
        return amount and BUDGETS[self.budget](amount)

    def run(
        self, objective: Any, looks: int = 1, gauges: Any = (), stops: Sequence[Any] = (), start: Any = None
    ) -> Run:
        """Walk down `objective`, looking about `looks` times a pass over the rows; the solver looks after each of its steps.

        stops: stopping rules beside the budget. start: a point, or a run to go on with.
        """
        if objective.disk is not None and not objective.disk.kept:
            self.refuse_decoded()
        limits = (*stops, *filter(None, (self._limit(),)))
        if (plan := self.on(objective)) is not self:
            return plan.run(objective, looks, gauges, stops, start)
        if self.automatic:
            settings: dict[str, Any] = {"certify": self.certify, "seed": self.seed, "gauges": gauges, "start": start}
            return solve(objective, float(self.tol or 0.0), budget=AnyOf(limits), **settings)._replace(plan=self)
        n, updates = objective.n, self.updates(objective.n)
        size = self.size(n)
        timely = max(1, TIMED // n) if self.budget == "seconds" or stops else updates
        sampler: Any = Batch(
            1 if self._way in METHODS else min(timely, BATCH_LOOKS)
        )  # a method's step may be many visits
        step, advance, rate = self.stepper(objective)
        if self.variant != "batch":
            if objective.disk is not None:
                advance = in_windows(advance, str(self.step))
            sampler = self.order(objective, size)
        schedule = self.pace(objective, rate)
        average: Any = part(AVERAGES, self.average, "average", steps=updates)
        stop = AnyOf((Diverged(), *limits))
        steps = -(-n // size)
        every = max(1, steps // looks) if looks and steps > 1 else 1
        run = descend(
            objective, sampler=sampler, step=step, schedule=schedule, stop=stop,
            average=average, advance=advance, gauges=gauges, every=every, start=start,
        )  # fmt: skip
        return run._replace(plan=self)

    def order(self, objective: Any, size: int) -> Any:
        """The order of the rows: in windows where they are more than memory holds, and the data's own where they bring one."""
        if hasattr(objective, "sampler") and (own := objective.sampler(size, self.seed)) is not None:
            return own
        if objective.disk is None:
            block = 1 if hasattr(objective, "sampler") else run_of(objective)
            return part(ORDERS, str(self.sampler), "sampler", batch=size, seed=self.seed, block=block)
        if self.sampler != "shuffled":
            raise InputError(
                f'Rows that are read in pieces come shuffled, and the sampler is "{self.sampler}": leave --sampler out, or '
                "--memory."
            )
        return streamed(objective, size, self.seed)

    def pace(self, objective: Any, rate: float) -> Any:
        """The schedule of the walk on `objective`, from that rate."""
        schedule: Any = self._schedule(objective, rate)
        return Warmup(schedule, self.warmup) if self.warmup else schedule

    def stepper(self, objective: Any) -> tuple[Any, Any, float]:
        """The step rule, who walks, and the rate."""
        made: Any = Optimizer.read(self.step) if is_class(self.step) else part(WAYS, self.step, "step", seed=self.seed)
        if hasattr(objective, "walker"):  # it brings its own, a network
            if self._way in METHODS:
                raise InputError(
                    f"{self._way} walks linear models: for a network name a step rule, or a class of torch.optim."
                )
            return self._clipped(made), objective.walker(self.seed), float(self.rate or RATE)
        if isinstance(made, Optimizer):
            raise InputError(
                f"{made.name} is a class of torch.optim, for networks: there are {', '.join((AUTO, *WAYS))}."
            )
        if self._way in METHODS:
            return self._clipped(Plain()), made, made.rate(objective) if self.rate is None else self.rate
        return self._clipped(made), compiled, float(self.rate or RATE)

    def _clipped(self, step: Any) -> Any:
        step = ClipValue(step, self.clip_value) if self.clip_value is not None else step
        return ClipNorm(step, self.clip_norm) if self.clip_norm is not None else step

    def _schedule(self, objective: Any, rate: float) -> Any:
        """The schedule; what its text leaves open is laid out over the budget, so that it does what it is for."""
        text = self.schedule
        if not isinstance(text, str):
            return text
        if is_class(text):
            if not hasattr(objective, "schedule"):
                raise InputError(f"{text} is a class of torch.optim, for networks: there are {', '.join(SCHEDULES)}.")
            return objective.schedule(text, rate, self.updates(objective.n))
        updates, alpha = self.updates(objective.n), float(objective.penalty.pull(1.0))
        name = named(text, SCHEDULES)
        if name == "optimal" and not alpha and "alpha" not in text:
            raise InputError('The schedule "optimal" is made for an L2 penalty, and there is none: add --penalty l2.')
        laid_out: dict[str, Any] = {
            "steps": updates,
            "every": max(1, updates // 3),  # two falls
            "period": max(1, updates // 7),  # of 1 + 2 + 4 periods
            "half": max(1, updates // 10),  # five times up and down
            "low": 0.1 * rate,
            "alpha": alpha,
            "decay": 9.0 / updates,  # down to a tenth of the rate
        }
        if name == "exponential":
            laid_out["factor"] = 0.01 ** (1.0 / updates)  # down to a hundredth
        schedule = part(SCHEDULES, text, "schedule", rate=rate, **laid_out)
        if getattr(schedule, "low", 0.0) > rate:
            raise InputError(f"{text} swings down from rate {rate:g} to low: low must not be above the rate.")
        return schedule

    def as_dict(self) -> dict[str, Any]:
        """Its fields, those that are not set left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def variant_of(size: int, n: int) -> str:
    """What descent on `size` of n rows a step is called."""
    return "batch" if size >= n else "stochastic" if size == 1 else "mini-batch"


def objective_of(
    X: Any, y: Any, loss: Any, penalty: Any, alpha: float, l1_ratio: float, classes: int = 0, **rest: Any
) -> Any:
    """The objective that those names and numbers stand for."""
    charge = part(PENALTIES, penalty, "penalty", alpha=alpha, l1_ratio=l1_ratio)
    if named(loss, MULTICLASS) in MULTICLASS:
        return SoftmaxRegression(X, y, classes or None, charge, **rest)
    return Linear(X, y, part(LOSSES, loss, "loss"), charge, **rest)
