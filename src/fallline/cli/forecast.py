"""`fallline forecast`: what a descent will do, before it does."""

import json
import shlex
import sys
from typing import Any

import click

from fallline import __version__
from fallline.cli.options import BUDGET, CHARGING, MOVING, READING, budget_of, options, reading_of
from fallline.cli.progress import Progress
from fallline.errors import InputError

WALKING = [
    click.option("--variant", help="batch, stochastic or mini-batch.  [default: mini-batch]"),
    click.option("--step", help="plain, momentum or nesterov, such as momentum:beta=0.95.  [default: plain]"),
    click.option("--rate", type=float, help="Learning rate.  [default: 0.3 of the largest that works]"),
    click.option("--batch-size", type=int, help="Rows a step of mini-batch.  [default: 32]"),
    click.option("--schedule", help="Such as cosine or inverse_time:decay=0.01.  [default: constant]"),
    *MOVING,
    *CHARGING,
    click.option("--epochs", type=float, help="How far, in passes over the rows.  [default: 10]"),
    *BUDGET,
]
"""What to forecast: one walk."""


@click.command()
@click.argument("data")
@options(READING, WALKING)
@click.option(
    "--report", type=click.Path(), help="File to draw it in, with a map of rates and batch sizes, such as f.html."
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON, without the plans.")
def forecast(data: str, report: str | None, as_json: bool, **settings: Any) -> None:
    """Say what gradient descent on DATA will do, before it runs.

    The expected loss against updates with a band that holds 80 % of runs, the largest rates, what makes the problem slow, how
    large a batch pays, and where noise will stop a constant rate. DATA is as for fallline fit.

    --report draws the forecast, and the row visits to 1 % of the excess at every rate and batch size, a few of which are walked
    to check; that takes some seconds more.

    \b
    Examples:
      fallline forecast diabetes
      fallline forecast houses.csv --target price --variant batch --step nesterov --epochs 500
      fallline forecast houses.csv --target price --batch-size 64 --rate 0.05 --schedule cosine
    """
    from fallline.fitting.log import plain
    from fallline.forecast.ahead import forecast_of
    from fallline.forecast.choice import choose
    from fallline.forecast.grid import map_of
    from fallline.forecast.ground import ground_of
    from fallline.plan import Plan
    from fallline.problem import Charges, problem_of
    from fallline.report import write_report

    if as_json and report is not None:
        raise InputError("--json prints numbers and --report draws them: call fallline forecast once for each.")
    progress = Progress(None, quiet=as_json)
    budget, amount = budget_of(settings)
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    charges = Charges(**{name: given.pop(name) for name in Charges._fields if name in given})
    plan = {name: given.pop(name) for name in Plan.__dataclass_fields__ if name in given}
    if plan.get("step") == "auto":
        raise InputError(
            "The automatic solver has no rate to forecast: name a step, such as plain, or leave --step out."
        )
    target, weights = given.pop("target", None), given.pop("weights", None)
    problem = problem_of(data, target, charges, weights, **reading_of(given))
    table = problem.data
    plan |= {"budget": budget, "amount": amount}
    try:
        progress.say("finding the optimum and forecasting ...")
        ground = ground_of(problem.objective)
        found = forecast_of(problem.objective, ground=ground, timed=True, names=table.columns, **plan)
        numbers = found.as_dict() if as_json else {}
        by_batch = [] if as_json else found.updates_by_batch().sentences()
    finally:
        progress.end()
    if as_json:
        click.echo(json.dumps(plain(numbers), indent=1, ensure_ascii=False))
        return
    click.echo(f"{table.source}: {problem.objective.n:,} rows, {len(table.columns):,} columns; {problem.text}\n")
    click.echo(f"{'updates':>12s}{'passes':>10s}{'loss':>12s}{'80 % of runs between':>26s}{'excess left':>14s}")
    low, high = found.band
    for k in found.telling():
        between = f"{low[k]:.5g} … {high[k]:.5g}"
        left = f"{100 * found.excess[k] / found.excess[0]:.3g} %"
        passes = found.t[k] / found.per_pass
        click.echo(f"{found.t[k]:>12,.0f}{passes:>10.3g}{found.loss[k]:>12.5g}{between:>26s}{left:>14s}")
    click.echo()
    for sentence in found.sentences():
        click.echo(sentence)
    click.echo("\nTo 1 % of the excess, by rows a step, each at its best constant rate:")
    click.echo("\n".join(by_batch) + "\n")
    progress.say("forecasting other plans and trying the best three ...")
    try:
        chosen = choose(problem.objective, ground).sentence()
    except InputError as error:
        chosen = str(error)
    progress.end()
    click.echo(chosen)
    if report is not None:
        try:
            progress.say("forecasting every rate and batch size, and walking a few ...")
            drawn = map_of(problem.objective, found.plan.step, ground)
        finally:
            progress.end()
        pictures = [("The forecast", found.plot()), ("Every rate and batch size", drawn.plot())]
        summary = {
            "fallline": __version__,
            "verdict": {
                "headline": found.headline(),
                "sentences": [*found.sentences(), chosen],
            },
            "data": {
                "source": table.source,
                "n": problem.objective.n,
                "d": len(table.columns),
                "notes": list(table.notes),
            },
            "objective": {"text": problem.text},
            "command": shlex.join(["fallline", *sys.argv[1:]]),
        }
        click.echo(f"Report: {write_report(summary, (), (), report, pictures)}")
