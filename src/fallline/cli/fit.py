"""`fallline fit`: one model, by the automatic solver unless told otherwise, in a folder that survives whatever happens."""

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from fallline.cli.options import FITTING, READING, GaugeOption, budget_of, options, reading_of
from fallline.cli.progress import Progress
from fallline.errors import InputError

STOPPED = 128  # what shells add to the number of the signal that ended a command
DIVERGED = 1
BESIDE = ("data", "resume", "output", "quiet", "checkpoint", "log_to")  # what may stand beside --resume


@click.command()
@click.argument("data", required=False)
@options(READING, FITTING)
@click.option("-o", "--output", type=click.Path(), help="Folder to write.  [default: fallline-NAME-fit]")
@click.option("--overwrite", is_flag=True, help="Replace the folder if a fit stands in it.")
@click.option("--resume", is_flag=True, help="Go on with the fit in the folder from its last checkpoint.")
@click.option("--checkpoint", type=float, default=10.0, show_default=True, help="Seconds between two checkpoints.")
@click.option(
    "--memory",
    help="Read DATA in pieces and get by with so much memory, such as 1GB, beside the program's own.  [default: as it needs]",
)
@click.option(
    "--cache/--no-cache",
    default=None,
    help="Under --memory, keep encoded rows on the disk, or decode them at every pass.  [default: kept if there is room]",
)
@click.option(
    "--gauge",
    "gauges",
    cls=GaugeOption,
    multiple=True,
    help="One more column of trace.npz and log.jsonl, such as noise_scale or noise_scale:rows=64; repeat for more.",
)
@click.option("--log-to", multiple=True, help="tensorboard or mlflow, beside log.jsonl.")
@click.option("-q", "--quiet", is_flag=True, help="Print the outcome only.")
def fit(
    data: str | None, output: str | None, overwrite: bool, resume: bool, checkpoint: float, log_to: tuple[str, ...],
    quiet: bool, **settings: Any,
) -> None:  # fmt: skip
    """Fit a linear model to DATA and keep it in a folder.

    DATA is a table (CSV and its relatives, plain or gz; LIBSVM text; Parquet, a file or a folder; Arrow; .npz) or a set
    that comes with scikit-learn. With no more than that the automatic solver goes to the optimum; --step and its like make
    a descent of your own. Writes model.safetensors, trace.npz, log.jsonl, plan.toml, summary.json and report.html.
    Ctrl-C keeps what was learned; --resume goes on from there, and after a crash, to the same bits.

    \b
    Examples:
      fallline fit houses.csv --target price -o model
      fallline fit clicks.parquet --target clicked --step adam --epochs 3 --gauge noise_scale
      fallline fit --resume -o model
      fallline predict model new.csv -o predictions.csv
    """
    from fallline.fitting import fit as run
    from fallline.fitting import go_on
    from fallline.fitting.fit import Hooks

    command = shlex.join(["fallline", *sys.argv[1:]])
    if not 0.0 < checkpoint < float("inf"):
        raise InputError(f"--checkpoint {checkpoint:g} is no number of seconds above 0.")
    if resume:
        _refuse_beside_resume()
        if output is None and data is None:
            raise InputError("--resume needs the folder to go on in: name it with -o.")
    elif data is None:
        raise InputError("DATA is missing: name a table or one of scikit-learn's sets, such as diabetes.")
    folder = Path(output or f"fallline-{Path(str(data)).name.split('.')[0] or 'table'}-fit")
    recipe = None if resume else _recipe(str(data), settings)
    progress = Progress(recipe.plan if recipe else _planned(folder), quiet)
    with _asked() as asked:
        hooks = Hooks(
            watch=progress,
            asked=asked,
            warn=lambda sentence: click.echo(f"Warning: {sentence}", err=True),
            reading=lambda: progress.say(f"reading {data or 'the data'} ..."),
        )
        how: dict[str, Any] = {"every": checkpoint, "log_to": log_to, "command": command, "hooks": hooks}
        try:
            made = run(recipe, folder, overwrite=overwrite, **how) if recipe else go_on(folder, source=data, **how)
        except KeyboardInterrupt:
            progress.end()
            again = f"fallline fit --resume -o {shlex.quote(str(folder))}"
            last = f"the last checkpoint stands; to go on: {again}" if _stands(folder) else f"to start again: {command}"
            click.echo(f"Stopped; {last}", err=True)
            raise SystemExit(STOPPED + signal.SIGINT) from None
        progress.end()
    if isinstance(made, dict):
        click.echo(f"The fit in {folder} has ended already: {made['verdict']['headline']}.")
        return
    _show(made, quiet)
    if made.stopped:
        click.echo(
            f"Stopped by {made.stopped}; to go on: fallline fit --resume -o {shlex.quote(str(folder))}", err=True
        )
        raise SystemExit(STOPPED + signal.Signals[made.stopped].value)
    if made.model is None:
        raise SystemExit(DIVERGED)


def _refuse_beside_resume() -> None:
    """A fit goes on as it was: an option that would change it is a mistake."""
    context = click.get_current_context()
    given = [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name not in BESIDE
        and context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise InputError(f"--resume goes on with a fit as it was: leave {' and '.join(given)} out, or --resume.")


def _recipe(data: str, settings: dict[str, Any]) -> Any:
    """What the options say."""
    from fallline.fitting import Recipe
    from fallline.plan import Plan
    from fallline.problem import Charges

    budget, amount = budget_of(settings)
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    charges = Charges(**{name: given.pop(name) for name in Charges._fields if name in given})
    plan = {name: given.pop(name) for name in Plan.__dataclass_fields__ if name in given}
    if "step" not in plan and any(name in plan for name in ("variant", "rate", "batch_size", "schedule", "average")):
        plan["step"] = "plain"  # who names a variant or a rate means a descent of his own
    columns = {name: given.pop(name, None) for name in ("target", "weights", "memory", "cache")}
    gauges = given.pop("gauges", ())
    made = Plan(**plan, budget=budget, amount=amount)
    return Recipe(data, reading=reading_of(given), charges=charges, plan=made, gauges=gauges, **columns)


def _planned(folder: Path) -> Any:
    from fallline.fitting import Recipe
    from fallline.fitting.folder import PLAN
    from fallline.plan import Plan

    return Recipe.from_toml(folder / PLAN).plan if (folder / PLAN).exists() else Plan()


def _stands(folder: Path) -> bool:
    from fallline.fitting.folder import PLAN

    return (folder / PLAN).exists()


@contextmanager
def _asked() -> Iterator[Any]:
    """Ctrl-C and SIGTERM as a question that the walk asks after each segment; a second Ctrl-C ends at once.

    While the data are read there is nothing to keep, and the first ends at once.
    """
    heard: list[str] = []
    walking: list[bool] = []

    def hear(number: int, frame: Any) -> None:
        if heard or not walking:
            raise KeyboardInterrupt
        heard.append(signal.Signals(number).name)

    def asked() -> str:
        walking.append(True)
        return heard[0] if heard else ""

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(made: Any, quiet: bool) -> None:
    """What was inferred, and how it ended."""
    import json

    from fallline.fitting.folder import REPORT, SUMMARY

    found = json.loads((made.folder / SUMMARY).read_text("utf-8"))
    if not quiet:
        data = found["data"]
        click.echo(f"{data['source']}: {data['n']:,} rows, {data['d']:,} columns")
        for note in [*data["notes"], f"Objective: {found['objective']['text']}."]:
            click.echo(f"  · {note}")
        click.echo()
    click.echo(found["verdict"]["headline"] + ".")
    if not quiet:
        for sentence in found["verdict"]["sentences"]:
            click.echo(sentence)
        where = made.folder if made.model is not None else f"{made.folder} holds no model"
        click.echo(f"\nModel: {where}\nReport: {made.folder / REPORT}")
    if made.model is None:
        click.echo(
            f"No model was kept: {made.run.reason}. Take a smaller --rate, or leave --step out for the automatic solver.",
            err=True,
        )
