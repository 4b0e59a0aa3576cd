"""`fallline compare`: settings of gradient descent on one table, with a verdict."""

import shlex
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fallline.cli.options import COMPARING, READING, budget_of, options, reading_of
from fallline.cli.show import show
from fallline.errors import InputError

STOPPED = 130  # what shells give a command that Ctrl-C ended


@click.command()
@click.argument("data", required=False)
@options(READING, COMPARING)
@click.option(
    "--plane", nargs=2, help="The two columns whose weights span the cost surface.  [default: where the paths go]"
)
@click.option(
    "--automatic/--no-automatic", default=True, help="Also run the automatic solver, untuned.", show_default=True
)
@click.option("--baselines/--no-baselines", default=True, help="Also run the usual tools.", show_default=True)
@click.option("--plan", "plan_file", type=click.Path(), help="Repeat a comparison from its plan.toml.")
@click.option("-o", "--output", type=click.Path(), help="Folder to write.  [default: fallline-NAME]")
@click.option("--overwrite", is_flag=True, help="Replace the folder if a comparison stands in it.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict only.")
def compare(
    data: str | None, plan_file: str | None, output: str | None, overwrite: bool, quiet: bool, **settings: Any
) -> None:
    """Compare batch, stochastic and mini-batch gradient descent, and the automatic solver, on DATA.

    DATA is a table (CSV and its relatives, plain or gz; LIBSVM text; Parquet, a file or a folder; Arrow; .npz) or a set
    that comes with scikit-learn: breast_cancer, diabetes, digits, iris, wine. Runs every setting over several seeds
    under one equal budget, beside the usual tools, and ends with a verdict. Writes report.html, summary.json, plan.toml
    and a trace a run.

    \b
    Examples:
      fallline compare diabetes
      fallline compare wine.csv --target quality --task regression
      fallline compare clicks.csv.gz --target clicked --step plain --step adam --seconds 2
      fallline compare --plan fallline-diabetes/plan.toml -o again
    """
    command = shlex.join(["fallline", *sys.argv[1:]])
    try:
        _run(data, plan_file, output, overwrite, quiet, command, settings)
    except KeyboardInterrupt:
        click.echo(f"Stopped; nothing was written. To start again: {command}", err=True)
        raise SystemExit(STOPPED) from None


def _run(
    data: str | None,
    plan_file: str | None,
    output: str | None,
    overwrite: bool,
    quiet: bool,
    command: str,
    settings: dict[str, Any],
) -> None:
    from fallline.comparison import Study
    from fallline.comparison import compare as run
    from fallline.comparison.result import check_folder

    if plan_file:
        _refuse_beside_plan()
        data, target, reading_options, study = _planned(plan_file, data)
    else:
        target, reading_options, study = _chosen(settings, Study)
    if data is None:
        raise InputError("DATA is missing: name a CSV file or one of scikit-learn's sets, such as diabetes.")
    folder = Path(output or f"fallline-{_stem(data)}")
    check_folder(folder, overwrite)
    with _Progress(quiet) as tell:
        found = run(data, target, study, progress=tell, command=command, **reading_options)
        tell(1, 1, "writing the report")
        found.save(folder, overwrite)
    show(found, folder, quiet)


def _refuse_beside_plan() -> None:
    """A plan repeats what was run: an option that would change it is a mistake."""
    context = click.get_current_context()
    given = [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name not in ("data", "plan_file", "output", "overwrite", "quiet")
        and context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise InputError(f"--plan repeats a comparison as it was: leave {' and '.join(given)} out, or --plan.")


def _chosen(options: dict[str, Any], study: Any) -> tuple[Any, dict[str, Any], Any]:
    """Target, reading options and study from the command line's options."""
    options["budget"], amount = budget_of(options)
    set_ = {name: value for name, value in {**options, "amount": amount}.items() if value not in (None, ())}
    chosen = {name: set_.pop(name) for name in list(set_) if name in study.__dataclass_fields__}
    return set_.pop("target", None), reading_of(set_), study(**chosen)


def _planned(path: str, data: str | None) -> tuple[Any, Any, dict[str, Any], Any]:
    """Data, target, reading options and study from a plan.toml."""
    from fallline.comparison import Study

    try:
        plan = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        where, study = dict(plan["data"]), Study.from_dict(plan["study"])
    except OSError as error:
        raise InputError(
            f"The plan {path} cannot be read ({error.strerror}): name the plan.toml of a comparison."
        ) from error
    except InputError:
        raise
    except KeyError as error:
        raise InputError(
            f"{path} is no plan of a comparison (it has no {error}): name the plan.toml that one wrote."
        ) from None
    except (ValueError, TypeError) as error:  # no TOML, no text, a value of another kind
        raise InputError(f"{path} is no plan of a comparison ({error}): name the plan.toml that one wrote.") from error
    if "arrays" in where and data is None:
        raise InputError(f"{path} is of a comparison on arrays in memory: name the data beside --plan.")
    where.pop("arrays", None)
    source = where.pop("source", None)
    if data is not None:  # named on purpose: other data may be other data
        where.pop("fingerprint", None)
    return data or source, where.pop("target", None), where, study


def _stem(data: str) -> str:
    return Path(data).name.split(".")[0] or "comparison"


class _Progress:
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
