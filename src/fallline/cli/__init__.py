"""The command line: `fallline compare`, `fit`, `forecast` and others. Options in, parts out; no mathematics, no drawing."""

from typing import Any

import click

from fallline import __version__
from fallline.cli.compare import compare
from fallline.cli.explain import explain
from fallline.cli.fit import fit
from fallline.cli.forecast import forecast
from fallline.cli.predict import predict
from fallline.cli.warm import warm
from fallline.errors import InputError

BAD_INPUT = 2  # as click says of an unknown option


class Mendable(click.ClickException):
    """An error that the user can mend: one sentence, exit code 2."""

    exit_code = BAD_INPUT


class Commands(click.Group):
    """Commands whose bad input ends in one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise Mendable(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fallline")
def main() -> None:
    """Gradient descent that tunes itself and shows its work.

    \b
    Try:
      fallline compare diabetes                    a set that comes with scikit-learn
      fallline compare houses.csv --target price   your own table
      fallline fit houses.csv --target price -o model
      fallline forecast houses.csv --target price  what a descent will do, before it does
      fallline explain model                       what ails a fit, and the one change that mends it
      fallline predict model new.csv -o predictions.csv
      fallline warm                                compile ahead: no first fit waits
    """


for command in (compare, explain, fit, forecast, predict, warm):
    main.add_command(command)
