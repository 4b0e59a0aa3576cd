"""`fallline predict`: a fitted model on new rows."""

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fallline.cli.options import options
from fallline.errors import InputError
from fallline.files import written_whole

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
    line a row: the prediction, and for classes the probability of each where the loss has them. DATA may be larger than memory:
    it is read, and its predictions are written, piece by piece.

    \b
    Example:
      fallline predict model new.csv -o predictions.csv
    """
    from fallline.model import Model

    fitted = Model.load(model)
    given = {name: value for name, value in layout.items() if value is not None}
    if output is None:
        rows, told = _written(fitted, fitted.pieces(data, **given), sys.stdout.write)
    else:
        if not Path(output).absolute().parent.is_dir():
            raise InputError(f'"{Path(output).parent}" does not exist: make it first, or name another file with -o.')
        try:
            with written_whole(output) as file:
                rows, told = _written(fitted, fitted.pieces(data, **given), lambda text: file.write(text.encode()))
        except OSError as error:
            raise InputError(f"{output} cannot be written ({error.strerror}): name another with -o.") from None
    if not quiet:
        for sentence in told:
            click.echo(sentence, err=True)
        if output is not None:
            click.echo(f"{rows:,} rows predicted: {output}", err=True)


def _written(model: Any, pieces: Any, write: Callable[[str], Any]) -> tuple[int, tuple[str, ...]]:
    """Predict piece by piece and write each. Returns how many rows there were, and what there is to say of them."""
    from fallline.data.handled import Handled
    from fallline.scoring import Score

    rows, found, score = 0, Handled(), Score(model)
    for table in pieces:
        X, handled = model.encoder.handled(table)
        z = model.scores(X)
        write(_csv(model, z, names=not rows))
        score.add(table, z)
        rows, found = rows + len(z), found + handled
    return rows, (*found.sentences(), *score.sentences())


def _csv(model: Any, z: Any, names: bool) -> str:
    """The predictions as text, a line a row, below the names of the columns where they are wanted."""
    columns = [model.predicted(z).tolist(), *(model.probabilities(z).T.tolist() if model.probable else ())]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if names:
        writer.writerow(["prediction", *(f"probability of {label}" for label in model.classes if model.probable)])
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()
