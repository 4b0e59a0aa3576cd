"""What a network answers at the points of a run's path: on the plane of two inputs, or on a few rows."""

from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch.func import functional_call

from fallline.errors import InputError
from fallline.torch.batches import Tensors, tensor_of
from fallline.torch.modes import mode
from fallline.torch.packing import unpacked

Array = np.ndarray[Any, Any]

POINTS = 60  # of the grid, a side
LOOKS = 40  # of the path, at most
MARGIN = 0.1  # of the rows' extent, around them
MEANS = {
    "poisson": np.exp,
    "binary_cross_entropy": expit,
}  # what outputs mean where a loss takes the mean's logarithm or logit


def outputs(net: Any, run: Any, inputs: Any, looks: Array) -> Array:
    """The module's outputs at those looks of the run's path, (looks, rows, …); batch norm by the statistics of its end."""
    held = unpacked(run.state.memory[0])["buffers"] if run.trace.about.get("walker") == "Autograd" else net.buffers()
    X = tensor_of(inputs, "The inputs", net.device, net.flat.tensors[0].dtype)
    found = []
    with torch.no_grad(), mode(net.module, training=False), net.computing():
        for look in looks.tolist():
            named = {**net.named(run.trace.points[look]), **{name: part.to(net.device) for name, part in held.items()}}
            found.append(functional_call(net.module, named, (X,)).float().cpu().numpy())
    return np.array(found)


def kept(run: Any) -> Array:
    """Some of the looks whose points the trace has, evenly spread. Raises InputError where it has none."""
    count = len(run.trace.points)
    if not count:
        raise InputError("The trace keeps no path (too many parameters for it): look less often, with looks=1.")
    return np.unique(np.linspace(0, count - 1, LOOKS).round().astype(int))


def regions(net: Any, run: Any, points: int = POINTS) -> dict[str, Any]:
    """Classes over the plane of the two inputs at every look, as `figures.regions_of` takes them.

    Raises InputError for a network of other than two inputs, and for targets that are no classes.
    """
    rows = _two(net)
    low, high = rows.min(axis=0), rows.max(axis=0)
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    x, y = (np.linspace(low[axis], high[axis], points) for axis in (0, 1))
    grid = np.stack([np.tile(x, points), np.repeat(y, points)], axis=1).astype(rows.dtype)
    looks = kept(run)
    answers = outputs(net, run, np.concatenate([grid, rows]), looks).argmax(axis=2)
    classes = net.data.targets.cpu().numpy()
    return {
        "x": x, "y": y, "answers": answers[:, : points**2].reshape(len(looks), points, points),
        "visits": run.trace["visits"][looks], "rows": rows, "classes": classes,
        "right": (answers[:, points**2 :] == classes).mean(axis=1), "n": net.n,
    }  # fmt: skip


def predictions(net: Any, run: Any, rows: Any = (0, 1, 2, 3)) -> dict[str, Any]:
    """Answers on a few rows of the data at every look, as `figures.predictions_of` takes them."""
    if not isinstance(net.data, Tensors):
        raise InputError("Answers are drawn on rows of data in memory: give Net the inputs and targets as arrays.")
    chosen, looks = np.asarray(rows, dtype=int), kept(run)
    strange = chosen[(chosen < 0) | (chosen >= net.n)]
    if len(strange):
        raise InputError(
            f"Row {strange[0]:,} is asked for, and the data have {net.n:,}: rows go from 0 to {net.n - 1:,}."
        )
    inputs, targets, _ = net.data.batch(chosen)
    said = outputs(net, run, inputs.clone(), looks)
    about = {"visits": run.trace["visits"][looks], "n": net.n}
    if net.criterion.classed(targets):
        shares = np.exp(said - said.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        right = targets.cpu().numpy()
        answers = np.array([shares[:, k, label] for k, label in enumerate(right)])
        return {
            **about,
            "answers": answers,
            "names": [f"row {row}, class {label}" for row, label in zip(chosen, right, strict=True)],
        }
    wanted = targets.float().cpu().numpy().reshape(len(chosen), -1)[:, 0]
    answers = said.reshape(len(looks), len(chosen), -1)[:, :, 0].T
    if getattr(net.criterion.function, "log_input", True):  # torch's PoissonNLLLoss can be told to take the mean itself
        answers = MEANS.get(net.criterion.name, np.positive)(answers)
    return {**about, "answers": answers, "names": [f"row {row}" for row in chosen.tolist()], "wanted": wanted}


def _two(net: Any) -> Array:
    if not isinstance(net.data, Tensors) or net.data.inputs.ndim != 2 or net.data.inputs.shape[1] != 2:
        raise InputError("Regions are drawn over two inputs, (rows, 2), in memory; this network has others.")
    if not net.criterion.classed(net.data.targets):
        raise InputError("Regions are those of classes, and the targets are amounts.")
    rows: Array = net.data.inputs.cpu().numpy()
    return rows
