"""The options that several commands share: the same word means the same in each."""

from collections.abc import Callable
from typing import Any

import click

from fallline.errors import InputError

Command = Callable[..., Any]

READING = [
    click.option(
        "--target", help="Column to learn: its name, or its number from 0 (-1 is the last).  [default: the last]"
    ),
    click.option("--weights", metavar="COLUMN", help="Column that says how much each row counts."),
    click.option(
        "--header/--no-header", default=None, help="Whether the first line names the columns.  [default: guessed]"
    ),
    click.option("--delimiter", help='What separates fields, such as "," or ";".  [default: guessed]'),
    click.option("--encoding", help="Text encoding, such as latin-1.  [default: utf-8]"),
    click.option("--quote", help='Quoting character, or "none".  [default: guessed]'),
    click.option(
        "--missing", multiple=True, metavar="TEXT", help='One more marker of a missing value, beside "?" and NA.'
    ),
    click.option("--task", help="regression, binary or multiclass.  [default: inferred from the target]"),
    click.option(
        "--text", multiple=True, metavar="COLUMN", help="Take this column as text though it looks like numbers."
    ),
    click.option("--drop", multiple=True, metavar="COLUMN", help="Leave this column out."),
    click.option(
        "--rare", type=float, help="Put levels on fewer rows than this together; below 1 a share of the rows."
    ),
    click.option(
        "--standardise/--no-standardise", default=True, help="Give columns mean 0 and deviation 1.  [default: yes]"
    ),
    click.option(
        "--standardise-target/--no-standardise-target",
        default=None,
        help="The target of a regression likewise.  [default: yes, but for poisson, gamma and tweedie]",
    ),
]
"""How to read a table."""


def several(option: str, name: str, help: str, kind: Any = str) -> Any:
    """An option that may be given again and again, to compare."""
    return click.option(option, name, multiple=True, type=kind, help=help)


class StepOption(click.Option):
    """An option whose help lists every step there is; the tables are read only when somebody asks."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help."""
        from fallline.executors import METHODS
        from fallline.steps import STEPS

        record = super().get_help_record(ctx)
        return record and (record[0], f"{record[1]}  Rules: {', '.join(STEPS)}.  Methods: {', '.join(METHODS)}.")


class GaugeOption(click.Option):
    """An option whose help lists every gauge with its price; the table is read only when somebody asks."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help."""
        from fallline.gauges import WRITTEN

        record, many = super().get_help_record(ctx), 100_000
        prices = ", ".join(f"{name} {made().price(many):.2g}" for name, made in WRITTEN.items())
        return record and (record[0], f"{record[1]}  A look at {many:,} rows costs, in passes over them: {prices}.")


MOVING = [
    click.option("--warmup", type=int, help="Steps of linear warm-up before the schedule."),
    click.option("--sampler", help="shuffled, with_replacement or in_order.  [default: shuffled]"),
    click.option("--average", help="none, polyak_ruppert, tail or fading.  [default: none]"),
    click.option("--clip-norm", type=float, help="Bound on the length of the gradient."),
    click.option("--clip-value", type=float, help="Bound on each entry of the gradient."),
]
"""How to walk, beside step and rate."""

CHARGING = [
    click.option("--loss", help="Such as huber or log_loss.  [default: by the task]"),
    click.option("--penalty", help="none, l2, l1 or elasticnet.  [default: l2]"),
    click.option("--alpha", type=float, help="Strength of the penalty.  [default: 0.0001]"),
    click.option("--l1-ratio", type=float, help="Share of L1 in elasticnet.  [default: 0.15]"),
]
"""What to walk down."""

BUDGET = [
    click.option("--updates", type=int, help="Budget in updates instead."),
    click.option("--visits", type=float, help="Budget in row visits instead."),
    click.option("--seconds", type=float, help="Budget in seconds instead."),
]
"""How far, in other units than passes over the rows."""

COMPARING = [
    several("--variant", "variants", "batch, stochastic or mini-batch; repeat to compare.  [default: all three]"),
    click.option(
        "--step",
        "steps",
        cls=StepOption,
        multiple=True,
        help="Step rule, such as adam or momentum:beta=0.95; or a method, which brings its own rows and rate; or auto; "
        "repeat to compare.  [default: plain]",
    ),
    several("--rate", "rates", "Learning rate; repeat to compare.  [default: around the stable limit]", float),
    several("--batch-size", "batch_sizes", "Rows a step of mini-batch; repeat to compare.  [default: 32]", int),
    several("--schedule", "schedules", "Such as cosine or inverse_time:decay=0.01.  [default: constant]"),
    *MOVING,
    *CHARGING,
    click.option("--seeds", type=int, help="Orders of the rows to try each setting with.  [default: 3]"),
    click.option("--final-seeds", type=int, help="Fresh orders to judge the best rate of each with.  [default: 8]"),
    click.option(
        "--epochs", type=float, help="Budget of each run in passes over the rows.  [default: by the table's size]"
    ),
    *BUDGET,
]
"""What to compare: several settings, each with each."""

FITTING = [
    click.option(
        "--step",
        cls=StepOption,
        help="Step rule, such as adam or momentum:beta=0.95; or a method, which brings its own rows and rate; or auto, the "
        "automatic solver.  [default: auto]",
    ),
    click.option("--variant", help="batch, stochastic or mini-batch, of a step rule.  [default: mini-batch]"),
    click.option("--rate", type=float, help="Learning rate of a step rule.  [default: 0.01]"),
    click.option("--batch-size", type=int, help="Rows a step of mini-batch.  [default: 32]"),
    click.option("--schedule", help="Such as cosine or inverse_time:decay=0.01.  [default: constant]"),
    *MOVING,
    *CHARGING,
    click.option(
        "--tol",
        type=float,
        help="How far from the optimum the solver may end, as a share of the loss.  [default: 0.0001]",
    ),
    click.option("--seed", type=int, help="Order of the rows.  [default: 0]"),
    click.option("--epochs", type=float, help="Budget in passes over the rows.  [default: 10; of the solver none]"),
    *BUDGET,
]
"""How to fit: one setting."""


def options(*groups: list[Any]) -> Callable[[Command], Command]:
    """Decorate a command with groups of options, in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


def budget_of(given: dict[str, Any]) -> tuple[str, float | None]:
    """The unit and the amount of the budget, taken out of the options; InputError for two of them."""
    from fallline.parts import positive

    budgets = [(name, given.pop(name)) for name in ("epochs", "updates", "visits", "seconds")]
    chosen = [(name, amount) for name, amount in budgets if amount is not None]
    if len(chosen) > 1:
        raise InputError(f"--{chosen[0][0]} and --{chosen[1][0]} are both budgets: give one.")
    for name, amount in chosen:
        positive(name, amount)
    return chosen[0] if chosen else ("epochs", None)


def reading_of(given: dict[str, Any]) -> dict[str, Any]:
    """The options of reading as `fallline.load` takes them: a marker of the missing that is given comes to the usual ones."""
    from fallline.data import MISSING

    return {**given, "missing": (*MISSING, *given["missing"])} if given.get("missing") else given
