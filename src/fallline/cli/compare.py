"""`fallline compare`: settings of gradient descent on one table, with a verdict."""

import shlex
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fallline.cli.options import READING, WALKING, options
from fallline.errors import InputError

STOPPED = 130  # what shells give a command that Ctrl-C ended


@click.command()
@click.argument("data", required=False)
@options(READING, WALKING)
@click.option(
    "--plane", nargs=2, help="The two columns whose weights span the cost surface.  [default: where the paths go]"
)
@click.option("--baselines/--no-baselines", default=True, help="Also run the usual tools.", show_default=True)
@click.option("--plan", "plan_file", type=click.Path(), help="Repeat a comparison from its plan.toml.")
@click.option("-o", "--output", type=click.Path(), help="Folder to write.  [default: fallline-NAME]")
@click.option("--overwrite", is_flag=True, help="Replace the folder if a comparison stands in it.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict only.")
def compare(
    data: str | None, plan_file: str | None, output: str | None, overwrite: bool, quiet: bool, **settings: Any
) -> None:
    """Compare batch, stochastic and mini-batch gradient descent on DATA.

    DATA is a CSV file (plain or gz; any usual delimiter) or a set that comes with scikit-learn: breast_cancer,
    diabetes, digits, iris, wine. Runs every setting over several seeds under one equal budget, beside the usual tools,
    and ends with a verdict. Writes report.html, summary.json, plan.toml and a trace a run.

    \b
    Examples:
      fallline compare diabetes
      fallline compare wine.csv --target quality --task regression
      fallline compare clicks.csv.gz --target clicked --step plain --step adam --seconds 2
      fallline compare --plan fallline-diabetes/plan.toml -o again
    """
    from fallline.comparison import Study
    from fallline.comparison import compare as run
    from fallline.comparison.result import check_folder

    if plan_file:
        data, target, reading_options, study = _planned(plan_file, data)
    else:
        target, reading_options, study = _chosen(settings, Study)
    if data is None:
        raise InputError("DATA is missing: name a CSV file or one of scikit-learn's sets, such as diabetes.")
    folder = Path(output or f"fallline-{_stem(data)}")
    check_folder(folder, overwrite)
    command = shlex.join(["fallline", *sys.argv[1:]])
    with _progress(quiet) as tell:
        try:
            found = run(data, target, study, progress=tell, command=command, **reading_options)
        except KeyboardInterrupt:
            click.echo(f"Stopped; nothing was written. To start again: {command}", err=True)
            raise SystemExit(STOPPED) from None
    found.save(folder, overwrite)
    _print(found, folder, quiet)


def _chosen(options: dict[str, Any], study: Any) -> tuple[Any, dict[str, Any], Any]:
    """Target, reading options and study from the command line's options."""
    from fallline.data import MISSING

    budgets = [(name, options.pop(name)) for name in ("epochs", "updates", "visits", "seconds")]
    given = [(name, amount) for name, amount in budgets if amount is not None]
    if len(given) > 1:
        raise InputError(f"--{given[0][0]} and --{given[1][0]} are both budgets: give one.")
    options["budget"], options["amount"] = given[0] if given else ("epochs", None)
    set_ = {name: value for name, value in options.items() if value not in (None, ())}
    chosen = {name: set_.pop(name) for name in list(set_) if name in study.__dataclass_fields__}
    if "missing" in set_:
        set_["missing"] = (*MISSING, *set_["missing"])
    return set_.pop("target", None), set_, study(**chosen)


def _planned(path: str, data: str | None) -> tuple[Any, Any, dict[str, Any], Any]:
    """Data, target, reading options and study from a plan.toml."""
    from fallline.comparison import Study

    try:
        plan = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        where, study = dict(plan["data"]), Study.from_dict(plan["study"])
    except OSError as error:
        raise InputError(f"The plan {path} cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no plan of a comparison ({error}).") from error
    if "arrays" in where and data is None:
        raise InputError(f"{path} is of a comparison on arrays in memory: name the data beside --plan.")
    source, _ = data or where.pop("source", None), where.pop("source", None)
    where.pop("arrays", None)
    return source, where.pop("target", None), where, study


def _stem(data: str) -> str:
    return Path(data).name.split(".")[0] or "comparison"


class _progress:  # noqa: N801 - used like a function
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self.bar = Progress(*columns, transient=True, disable=quiet or not sys.stderr.isatty())
        self.task: Any = None

    def __enter__(self) -> Callable[[int, int, str], None]:
        self.bar.__enter__()
        self.task = self.bar.add_task("reading", total=None)
        return lambda done, total, text: self.bar.update(self.task, completed=done, total=total, description=text)

    def __exit__(self, *error: Any) -> None:
        self.bar.__exit__(*error)


def _print(found: Any, folder: Path, quiet: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from fallline.comparison.verdict import passes, percent, score, seconds

    console = Console(highlight=False, soft_wrap=True)
    n = found.data.X.shape[0]
    if not quiet:
        console.print(f"[bold]{found.data.source}[/bold]: {n:,} rows, {found.data.X.shape[1]} columns", markup=True)
        for note in found.data.notes:
            console.print(f"  · {note}", markup=False)
        console.print(f"  · Objective: {found.objective['text']}. Budget: {found.budget['text']}.", markup=False)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("setting", "to 1 %", "seconds", "excess at the end"):
            table.add_column(heading, justify="left" if heading == "setting" else "right")
        for entry in sorted(found.finals, key=score):
            visits, excess = score(entry)
            took = sorted(entry.reached("seconds"))[len(entry.traces) // 2]
            never = visits == float("inf")
            table.add_row(
                entry.plan.name,
                "never" if never else passes(visits, n),
                "" if never else seconds(took),
                percent(excess),
            )
        for baseline in found.baselines:
            never = baseline.seconds_to_1pct == float("inf")
            table.add_row(baseline.name, "never" if never else "", "" if never else seconds(baseline.seconds_to_1pct),
                          percent(baseline.excess))  # fmt: skip
        console.print(table)
    console.print(f"\n[bold]{found.verdict.headline}.[/bold]")
    for sentence in found.verdict.sentences:
        console.print(sentence, markup=False)
    console.print(f"\nReport: {folder / 'report.html'}", markup=False)
