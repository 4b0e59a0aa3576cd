"""Heights of a network's loss at many points, from some of the rows, with how far off they may be."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.func import functional_call

from fallline.torch.batches import Made, Tensors
from fallline.torch.modes import mode
from fallline.torch.nested import cut, rows_in

Array = np.ndarray[Any, Any]

FEWEST = 256  # rows: from these, a surface of 21 × 21 points is right to some per cent of its range
EPOCHS = 2.0  # what a survey may cost
FORWARD, CHEAP = 0.4, 0.2  # what evaluating a row costs in shares of training on it; of linear layers alone
CHUNK = 16  # rows whose mean loss counts as one measurement, of a criterion that gives means alone


class Survey(NamedTuple):
    """Heights and their standard errors."""

    heights: Array  # (points,)
    errors: Array  # (points,)
    rows: int  # that they were taken on
    of: float  # that there are: infinite where a function makes them


def survey(net: Any, points: Iterable[Array], count: int, centre: Array) -> Survey:
    """The mean loss of `net` at each of the points (size,), from as many rows as two epochs pay for at `count` points.

    By centre differences: f̂(w) = mean(ℓᵢ(w) − ℓᵢ(centre)) over the rows drawn, plus the loss of all rows at the centre: what the
    rows have in common falls out, which halves the error for nothing. Dropout is off; batch norm takes the statistics of the
    rows at hand, since the running ones belong to one point.
    """
    rows, of, batches = _drawn(net, count)
    here, counts = _losses(net, centre, batches)
    full = np.average(here, weights=counts) if rows >= of else _whole(net, centre)
    heights, errors = [], []
    for w in points:
        apart = _losses(net, w, batches)[0] - here
        heights.append(full + np.average(apart, weights=counts))
        errors.append(apart.std(ddof=1) / math.sqrt(len(apart)) if rows < of and len(apart) > 1 else 0.0)
    return Survey(np.array(heights), np.array(errors), rows, of)


def filtered(net: Any, w: Array, seed: int = 0) -> Array:
    """Two random directions at w, each filter as long as the filter itself, (2, size) (Li et al. 2018, §4).

    Without that, a layer with small weights would look sharp only for being small. Vectors (biases, batch norm) stay as they are.
    """
    chance = torch.Generator().manual_seed(seed)
    pair = []
    for _ in range(2):
        parts = []
        for piece in net.flat.pieces(torch.from_numpy(np.array(w))):
            drawn = torch.randn(piece.shape, generator=chance).to(piece)
            if piece.ndim < 2:
                drawn = torch.zeros_like(piece)
            else:
                filters, rows = piece.flatten(1), drawn.flatten(1)
                drawn = rows * (filters.norm(dim=1) / rows.norm(dim=1))[:, None]
            parts.append(drawn.reshape(-1))
        pair.append(torch.cat(parts).numpy())
    return np.array(pair)


def _drawn(net: Any, count: int) -> tuple[int, float, list[tuple[Any, Any, Any]]]:
    """How many rows, of how many, and they themselves in batches."""
    held = [part for part in net.module.modules() if any(True for _ in part.parameters(recurse=False))]
    cost = CHEAP if all(isinstance(part, torch.nn.Linear) for part in held) else FORWARD
    share = EPOCHS / (cost * count)  # of a pass
    if isinstance(net.data, Tensors):
        rows = int(min(net.n, max(FEWEST, share * net.n)))
        chosen = np.sort(np.random.default_rng(0).choice(net.n, rows, replace=False))
        chosen = chosen if rows < net.n else np.arange(net.n)
        inputs, targets, weights = net.data.batch(chosen)
        return rows, net.n, [(inputs.clone(), targets, weights)]
    batches, seen, of = [], 0, math.inf if isinstance(net.data, Made) else net.n
    for batch in net.data.blocks(FEWEST):
        batches.append(batch)
        seen += rows_in(batch[1])
        in_pass = net.n if of == net.n else net.data.length * seen / len(batches)
        if seen >= max(FEWEST, share * in_pass):
            break
    return int(min(seen, of)), of, batches


def _losses(net: Any, w: Array, batches: list[tuple[Any, Any, Any]]) -> tuple[Array, Array]:
    """The loss of each row, where the criterion is one of torch's functions, or else the mean of each chunk of the rows; and of
    how many it is.
    """
    found: list[tuple[Array, Array]] = []
    named = net.named(w)
    with torch.no_grad(), mode(net.module, training=False, norms=True), net.computing():
        for inputs, targets, weights in batches:
            buffers = {name: held.clone() for name, held in net.buffers().items()}
            outputs = functional_call(net.module, {**named, **buffers}, (inputs,))
            rows = rows_in(targets)
            if (held := net.criterion.each(outputs, targets, weights)) is not None:
                found.append((held.double().cpu().numpy(), np.ones(rows)))
                continue
            parts = [slice(first, min(first + CHUNK, rows)) for first in range(0, rows, CHUNK)]
            means = [net.criterion(cut(outputs, part), cut(targets, part), cut(weights, part)) for part in parts]
            found.append(
                (np.array([float(mean) for mean in means]), np.array([part.stop - part.start for part in parts]))
            )
    return np.concatenate([losses for losses, _ in found]), np.concatenate([counts for _, counts in found])


def _whole(net: Any, w: Array) -> float:
    """The mean loss over all rows, by the same statistics of blocks."""
    total, seen = 0.0, 0
    for batch in net.data.blocks(1024):
        losses, counts = _losses(net, w, [batch])
        total, seen = total + float(losses @ counts), seen + int(counts.sum())
    return total / seen
