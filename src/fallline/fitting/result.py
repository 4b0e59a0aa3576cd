"""What a fit leaves: the model, the trace, the summary and the report."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fallline import __version__
from fallline.data.dataset import Dataset
from fallline.data.wording import counted
from fallline.descent import Run
from fallline.errors import InputError
from fallline.figures import ahead_of, draw_ahead
from fallline.fitting.folder import CHECKPOINT, REPORT, SUMMARY, TRACE, write
from fallline.fitting.log import plain
from fallline.fitting.recipe import Recipe
from fallline.forecast.ahead import forecast_of
from fallline.losses import Perceptron
from fallline.model import FILE, Model
from fallline.problem import Problem
from fallline.report import write_report
from fallline.trace import Trace

ROUNDING = 1e-12  # of the loss: an excess below is none
STRIP = 1 << 14  # rows predicted at a time
LISTED = 200  # coefficients of a report, the largest
SHORT, LOOKED_AT = 2_000_000, 10  # entries of a table that is forecast in no time; passes that a forecast costs


def keep(
    folder: Path,
    recipe: Recipe,
    problem: Problem,
    run: Run,
    stopped: str,
    command: str,
    unwritten: Callable[[Path, OSError], InputError],
) -> Model | None:
    """Write all of it, the summary last; the checkpoint goes once nothing is left to go on with.

    A run that diverged leaves its trace and report and no model.
    """
    model = None if run.diverged else _model(recipe, problem, run)
    trace = _trace(recipe, problem, run)
    found = summary_of(recipe, problem, run, model, stopped, command)
    try:
        if model is not None:
            write(folder, FILE, model.to_bytes())
        trace.save(folder / TRACE)
        write_report(found, [trace], (), folder / REPORT, foreseen(recipe, problem, trace))
        write(folder, SUMMARY, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        if not stopped:
            (folder / CHECKPOINT).unlink(missing_ok=True)
    except OSError as error:
        raise unwritten(folder, error) from None
    return model


def foreseen(recipe: Recipe, problem: Problem, trace: Trace) -> list[tuple[str, Any]]:
    """The run over its forecast, as a section of the report; none where there is no forecast, or where it would cost more
    than the walk did and is not short either.
    """
    objective = problem.objective
    entries = objective.n * objective.size
    if recipe.plan.automatic or objective.disk is not None or (entries > SHORT and trace["epochs"][-1] < LOOKED_AT):
        return []
    try:
        forecast = forecast_of(objective, recipe.plan)
    except InputError:
        return []
    return [("The forecast under the run", draw_ahead(ahead_of(forecast, [trace])))]


def _model(recipe: Recipe, problem: Problem, run: Run) -> Model:
    about = {
        "fallline": __version__, "source": problem.data.source, "rows": problem.objective.n, "objective": problem.text,
        "plan": recipe.plan.as_dict(), "updates": int(run.state.t), "reason": run.reason, "fitted_loss": run.trace.last("loss"),
    }  # fmt: skip
    return Model.of(problem.data, problem.objective, run.w, problem.loss, plain(about))


def _trace(recipe: Recipe, problem: Problem, run: Run) -> Trace:
    plan, trace = recipe.plan, run.trace.copy()
    trace.about |= {
        "name": plan.name, "variant": plan.variant, "step": plan.step, "schedule": plan.schedule, "rate": plan.rate,
        "batch_size": plan.size(trace.n), "seed": plan.seed, "limit": None, "reason": run.reason, "diverged": run.diverged,
        "d": problem.objective.model.d, "loss": type(problem.objective.loss).__name__, "columns": list(problem.data.columns),
    }  # fmt: skip
    return trace


def summary_of(
    recipe: Recipe, problem: Problem, run: Run, model: Model | None, stopped: str, command: str
) -> dict[str, Any]:
    """Everything but the curve, as plain numbers and text (summary.json)."""
    data, trace = problem.data, run.trace
    n, d = data.X.shape
    return plain(
        {
            "fallline": __version__,
            "finished": not stopped,
            "diverged": run.diverged,
            "reason": stopped or run.reason,
            "data": {
                "source": data.source, "n": n, "d": d, "task": data.task, "target": data.target,
                "classes": list(data.classes), "columns": list(data.columns), "notes": list(data.notes),
            },
            "objective": {"text": problem.text, **recipe.charges._asdict(), "loss": problem.loss},
            "updates": int(run.state.t),
            "passes": trace["epochs"][-1],
            "seconds": trace.last("seconds"),
            "loss": trace.last("loss"),
            "excess": trace.last("excess") if "excess" in trace.columns else None,
            "in_sample": in_sample(problem, model),
            "verdict": {"headline": headline(run, stopped), "sentences": sentences(problem, run, model, stopped)},
            "coefficients": coefficients(model) if model else [],
            "plan": recipe.to_toml(),
            "command": command,
        }
    )  # fmt: skip


def headline(run: Run, stopped: str) -> str:
    """How it ended, in a line."""
    loss, passes = f"the loss is {run.trace.last('loss'):.4g}", f"{run.trace['epochs'][-1]:.3g} passes"
    if run.diverged:
        return "The fit diverged: there is no model"
    above = ""
    if np.isfinite(excess := run.trace.columns.get("excess", [np.nan])[-1]):
        share = max(excess, 0.0) / (abs(run.trace.last("loss")) or 1.0)
        what = f"an estimated {float(f'{100 * share:.2g}'):g} % above the optimum"
        above = f", {what if share > ROUNDING else 'the optimum up to rounding'}"
    if stopped:
        return f"The fit was stopped after {passes}: {loss}{above}"
    return f"Fitted{'' if above else f' in {passes} over the rows'}: {loss}{above}"


def sentences(problem: Problem, run: Run, model: Model | None, stopped: str) -> list[str]:
    """What more there is to say of it."""
    trace = run.trace
    said = [f"It {'was asked to stop by ' + stopped if stopped else 'ended as it ' + worded(run.reason)}."]
    updates = counted(run.state.t, "update")
    said.append(
        f"It made {updates} over {trace.n:,} rows and {problem.data.X.shape[1]:,} columns in "
        f"{trace.last('seconds'):.2g} s of walking; the loss fell from {trace['loss'][0]:.4g}."
    )
    found = in_sample(problem, model)
    if found:
        said.append(f"On the rows it was fitted to: {found['text']}.")
    if isinstance(problem.objective.loss, Perceptron) and not run.w.any():
        said.append(
            "Every coefficient is 0, where this loss is at its least: it asks for the right side of 0 and for no margin. "
            "--loss hinge does."
        )
    return said


def worded(reason: str) -> str:
    """A stopping rule's reason as the end of a sentence that begins with "it ended as it"."""
    verbs = ("made ", "used ", "diverged")
    return reason if reason.startswith(verbs) else f"found that {reason}"


def in_sample(problem: Problem, model: Model | None) -> dict[str, Any] | None:
    """How the model does on the rows that it was fitted to: accuracy of classes, R² of amounts."""
    if model is None:
        return None
    data = problem.data
    strips = [slice(first, first + STRIP) for first in range(0, len(data.y), STRIP)]  # of a table that may be on disk
    if data.task == "regression":
        y = data.y * data.target_scale + data.target_mean
        rest, left = float(np.square(y - y.mean()).sum()), 0.0
        for rows in brought(data, strips):
            left += float(np.square(y[rows] - model.predicted(model.scores(data.X[rows]))).sum())
        r2 = 1.0 - left / rest if rest > 0 else float("nan")
        return {"r2": r2, "text": f"R² {r2:.3f}"}
    truth, right = (data.y > 0).astype(int) if data.task == "binary" else data.y.astype(int), 0
    for rows in brought(data, strips):
        z = model.scores(data.X[rows])
        right += int(((z.argmax(axis=1) if z.ndim == 2 else z > 0) == truth[rows]).sum())
    share, most = right / len(truth), float(np.bincount(truth).max() / len(truth))
    return {"accuracy": share, "text": f"{share:.1%} right, where the largest class alone is {most:.1%}"}


def brought(data: Dataset, strips: Sequence[slice]) -> Iterator[slice]:
    """The same, once the rows are there, which are let go of afterwards where memory does not hold them."""
    for rows in strips:
        if data.held is not None:
            data.held.disk.bring(rows.start, min(rows.stop, len(data.y)))
        yield rows
        if data.held is not None:
            data.held.disk.let_go(rows.start, min(rows.stop, len(data.y)))


def coefficients(model: Model) -> list[dict[str, Any]]:
    """The largest coefficients by what a deviation of their column adds to the score, with the intercept first."""
    names = model.classes if len(model.level) > 1 else ("",)
    rows = [
        {"column": "intercept", "class": name, "value": float(value), "standardised": None}
        for name, value in zip(names, model.intercept, strict=True)
    ]
    size = np.abs(model.weights)
    for flat in np.argsort(-size, axis=None, kind="stable")[:LISTED].tolist():
        k, j = divmod(flat, model.weights.shape[1])
        rows.append(
            {
                "column": model.columns[j], "class": names[k], "value": float(model.coefficients[k, j]),
                "standardised": float(model.weights[k, j]),
            }
        )  # fmt: skip
    return rows
