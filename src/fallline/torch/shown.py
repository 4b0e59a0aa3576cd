"""A network's run as a page: its loss, what ails it, gradients by layer, updates, the cost surface, and what it answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fallline import words
from fallline.errors import InputError
from fallline.torch.answers import predictions, regions
from fallline.torch.engine import PER_LAYER
from fallline.trace import Trace

ROWS = 4  # whose answers are drawn


def report(net: Any, run: Any, path: Path | str) -> Path:
    """Write a run of `net` to one HTML file that opens without a network (see Net.report)."""
    from fallline import __version__
    from fallline.figures import (
        draw_layers,
        draw_predictions,
        draw_regions,
        layers_of,
        predictions_of,
        regions_of,
    )
    from fallline.plane import surface_of
    from fallline.report import write_report

    found, trace = run.explain(), run.trace
    drawn, undrawn = found.pictures()
    surfaces: list[Any] = []
    parts: dict[str, Callable[[], Any]] = {
        "Gradients by layer": lambda: draw_layers(layers_of(trace)),
        "Updates": lambda: draw_updates(trace),
        "What it answers": lambda: draw_predictions(predictions_of(**predictions(net, run, range(min(ROWS, net.n))))),
        "The cost surface": lambda: surfaces.append(surface_of(net, [trace])),
    }
    if getattr(getattr(net.data, "inputs", None), "shape", ())[1:] == (2,):
        parts["Where it decides"] = lambda: draw_regions(regions_of(**regions(net, run)))
    pictures = list(drawn)
    for heading, draw in parts.items():
        try:
            figure = draw()
        except (InputError, ValueError) as error:
            undrawn.append(f"{heading}: not drawn: {error}")
        else:
            pictures += [(heading, figure)] if figure is not None else []
    loss = (words.number(trace["loss"][0]), words.number(trace.last("loss")))
    sentences = [
        f"The loss goes from {loss[0]} to {loss[1]} in {words.times(int(trace.last('t')), 'update', 'updates')}."
    ]
    headline = f"{found.headline[0].upper()}{found.headline[1:]}"
    summary = {
        "fallline": __version__,
        "verdict": {"headline": headline, "sentences": [*sentences, *found.sentences(), *undrawn]},
        "data": {"n": net.n},
        "objective": {"text": f"{net.criterion.name}, {net.size:,} parameters in {len(net.layers)} tensors"},
        "budget": {"text": run.plan.name if run.plan is not None else run.reason},
        "loss": trace.last("loss"),
    }
    return write_report(summary, (), surfaces, path, pictures)


def draw_updates(trace: Trace, **options: Any) -> Any:
    """How much of its length a step changes a tensor by: the largest, the middle and the smallest of them."""
    from fallline.figures import draw_lines

    held = np.array([column for name, column in trace.steps.items() if name.startswith(PER_LAYER[1])])
    if not len(held):
        raise InputError("the trace has no norms of single steps.")
    seen = np.flatnonzero(np.isfinite(held).any(axis=0))
    t, held = trace.steps["t"][seen], held[:, seen]
    parts: dict[str, Any] = {"largest": np.nanmax, "median": np.nanmedian, "smallest": np.nanmin}
    lines = {name: (t.tolist(), part(held, axis=0).tolist()) for name, part in parts.items()}
    title = f"In the end a step changes a tensor by {np.nanmedian(held[:, -1]):.2g} of its length in the median"
    return draw_lines(lines, title, y="‖Δw‖/‖w‖ of the tensors", log="y", **options)
