"""`fallline explain`: what ails a fit, and the one change that mends it."""

import json
import shlex
from pathlib import Path
from typing import Any

import click

from fallline.cli.progress import Progress
from fallline.errors import InputError

NOTHING = 1  # to apply


@click.command()
@click.argument("folder", metavar="RUN")
@click.option("--apply", "make", is_flag=True, help="Make the first change that was borne out, and fit again.")
@click.option("-o", "--output", type=click.Path(), help="Folder of the fit that --apply makes.  [default: RUN-mended]")
@click.option("--overwrite", is_flag=True, help="Replace that folder if a fit stands in it.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def explain(folder: str, make: bool, output: str | None, overwrite: bool, as_json: bool) -> None:
    """Say what ails the fit in RUN, a folder that fallline fit wrote, most important first.

    Each finding says what was seen and where, why it is so, the one change to make, what that should do by the forecast, and
    what it did when it was tried: for a quarter of the run's budget, beside the run's own plan for as long; or, where
    another loss or penalty is asked for, on rows held out. A change that trying did not bear out is not advice, and is named
    last. What only you can decide is marked so, and not tried. Where nothing ails it, it says so. RUN/explain.html draws the
    findings on the run's curve, noise against signal, the rate against its limits, and the excess by direction.

    --apply makes the first change that is borne out and fits again; the folder is like any other.

    \b
    Examples:
      fallline fit houses.csv --target price --step plain --rate 0.0001 -o model
      fallline explain model
      fallline explain model --apply -o better
    """
    from fallline.fitting.folder import PLAN, REPORT, TRACE
    from fallline.fitting.log import plain
    from fallline.fitting.recipe import Recipe

    path, progress = Path(folder), Progress(None, quiet=as_json)
    if not (path / PLAN).exists():
        raise InputError(f"The folder {path} holds no fit (no {PLAN}): name one that fallline fit wrote.")
    if not (path / TRACE).exists():
        raise InputError(
            f"The fit in {path} has not ended: go on with fallline fit --resume -o {path}, then explain it."
        )
    recipe = Recipe.from_toml(path / PLAN)
    read = _in_memory(recipe)
    try:
        progress.say("reading, forecasting and trying changes ...")
        found = _explained(path, read)
        progress.say("drawing ...")
        drawn = _reported(path, recipe, found)
    finally:
        progress.end()
    click.echo(json.dumps(plain(found.as_dict()), indent=1, ensure_ascii=False) if as_json else str(found))
    if not as_json:
        click.echo(f"\nReport: {drawn}")
    if not make:
        ready = [one for one in found if one.change is not None and one.change.ready and one.tried is not None]
        if ready and not as_json:
            click.echo(f"\nTo make the change and fit again: fallline explain {shlex.quote(folder)} --apply")
        return
    changed = found.applied(recipe.charges, recipe.reading)
    if changed is None:
        click.echo("Nothing to apply: no change was borne out that a fit can make by itself.", err=True)
        raise SystemExit(NOTHING)
    from dataclasses import replace

    from fallline.fitting import fit

    change, charges, reading = changed
    into = Path(output or f"{path.absolute()}-mended")
    made = fit(replace(recipe, plan=change.plan, charges=charges, reading=reading), into, overwrite=overwrite)
    loss, before = f"The loss is {made.run.trace.last('loss'):.4g}", f"{found.loss:.4g}"
    same = not change.charges and not {"standardise_target", "task"} & change.reading.keys()
    said = (
        f"{loss}; it was {before}."
        if same
        else f"{loss}: of another kind than the {before} before, and no match for it."
    )
    made_words = f"\nApplied: {change.text}\n{said}\nModel: {made.folder}\nReport: {made.folder / REPORT}"
    click.echo(made_words, err=as_json)  # so that --json prints nothing but JSON


def _in_memory(recipe: Any) -> Any:
    """The recipe with its rows read whole. Raises InputError where memory does not hold them: they are walked again and again."""
    from dataclasses import replace

    from fallline.data.room import memory_for

    if recipe.memory and memory_for(Path(recipe.source)):
        raise InputError(
            f"{recipe.source} does not fit into memory, and a fit in pieces is not explained: fit a part of its rows that "
            "does, without --memory, and explain that fit."
        )
    return replace(recipe, memory=None, cache=None)


def _reported(folder: Path, recipe: Any, found: Any) -> Path:
    """The findings and their pictures as a page in the folder."""
    import sys

    from fallline import __version__
    from fallline.fitting.folder import EXPLAINED
    from fallline.report import write_report

    headline = f"{found.headline[0].upper()}{found.headline[1:]}"
    command = shlex.join(["fallline", *sys.argv[1:]])
    pictures, undrawn = found.pictures()
    verdict = {"headline": headline, "sentences": [*found.sentences(), *undrawn]}
    summary = {
        "fallline": __version__, "verdict": verdict, "data": {"source": recipe.source}, "command": command,
    }  # fmt: skip
    return write_report(summary, (), (), folder / EXPLAINED, pictures)


def _explained(folder: Path, recipe: Any) -> Any:
    """The findings of the fit in a folder."""
    import numpy as np

    from fallline.explain.explanation import explain as explained
    from fallline.explain.explanation import refuse_other_rows
    from fallline.fitting.folder import TRACE
    from fallline.model import FILE, Model
    from fallline.trace import Trace

    problem, trace = recipe.problem(folder), Trace.load(folder / TRACE)
    if (folder / FILE).exists():
        model = Model.load(folder / FILE)
        w = np.concatenate([model.weights.ravel(), model.level])
    else:
        w = trace.path[-1] if trace.points else problem.objective.start()
    data = problem.data
    fix = "give them back as they were, or fit again"
    refuse_other_rows(problem.objective, trace, w, f"The data in {recipe.source} are", fix)
    return explained(
        problem.objective, recipe.plan, trace, w, diverged=bool(trace.about.get("diverged")), names=data.columns,
        units=(data.target_mean, data.target_scale),
    )  # fmt: skip
