"""`fallline predict`: a fitted model on new rows."""

import csv
import io
import sys
from pathlib import Path
from typing import Any

import click

from fallline.cli.options import options
from fallline.errors import InputError

LAYOUT = [
    click.option(
        "--header/--no-header", default=None, help="Whether the first line names the columns.  [default: as fitted]"
    ),
    click.option("--delimiter", help='What separates fields, such as "," or ";".  [default: guessed]'),
    click.option("--encoding", help="Text encoding, such as latin-1.  [default: utf-8]"),
    click.option("--quote", help='Quoting character, or "none".  [default: guessed]'),
]


@click.command()
@click.argument("model")
@click.argument("data")
@options(LAYOUT)
@click.option("-o", "--output", type=click.Path(), help="CSV file to write.  [default: standard output]")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of what was handled.")
def predict(model: str, data: str, output: str | None, quiet: bool, **layout: Any) -> None:
    """Predict each row of DATA with MODEL, a folder that `fallline fit` wrote or the file in it.

    DATA is a raw table of the same shape as the one that was learnt from: columns in any order, the target there or not.
    Levels never seen and missing values are handled as the model learnt to, and counted on standard error. Writes a CSV with a
    line a row: the prediction, and for classes the probability of each where the loss has them.

    \b
    Example:
      fallline predict model new.csv -o predictions.csv
    """
    from fallline.files import write_whole
    from fallline.model import Model
    from fallline.scoring import scored

    fitted = Model.load(model)
    given = {name: value for name, value in layout.items() if value is not None}
    table = fitted.table(data, **given)
    X, told = fitted.encoder.matrix(table)
    z = fitted.scores(X)
    text = _csv(fitted, z)
    if output is None:
        sys.stdout.write(text)
    else:
        if not Path(output).absolute().parent.is_dir():
            raise InputError(f'"{Path(output).parent}" does not exist: make it first, or name another file with -o.')
        try:
            write_whole(output, text)
        except OSError as error:
            raise InputError(f"{output} cannot be written ({error.strerror}): name another with -o.") from None
    if not quiet:
        for sentence in (*told, *scored(fitted, table, z)):
            click.echo(sentence, err=True)
        if output is not None:
            click.echo(f"{len(z):,} rows predicted: {output}", err=True)


def _csv(model: Any, z: Any) -> str:
    """The predictions as text, a line a row."""
    names, columns = ["prediction"], [model.predicted(z).tolist()]
    if model.probable:
        names += [f"probability of {label}" for label in model.classes]
        columns += model.probabilities(z).T.tolist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()
