"""A good PyTorch loop: slices of a shuffled table, no DataLoader, the rate falling to zero; and its L-BFGS on all rows."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from peers import Peer, grid, smooth_penalty


def prepare(task: Any, setting: Any) -> Any:
    """Tensors, the rows shuffled once."""
    order = np.random.default_rng(0).permutation(task.n)
    X, y = task.X[order], torch.from_numpy(task.y[order])
    y = y.long() if task.kind == "Softmax" else y.to(torch.from_numpy(X.data[:0] if task.sparse else X[:0]).dtype)
    if not task.sparse:
        return torch.from_numpy(X), y
    parts = (X.indices.astype(np.int64), X.indptr.astype(np.int64), X.data)
    return tuple(map(torch.from_numpy, parts)), y


def scores(X: Any, rows: slice, w: Any, b: Any) -> Any:
    """x·w + b of a slice of rows, (rows, classes)."""
    if not isinstance(X, tuple):
        return torch.addmm(b, X[rows], w)
    indices, starts, data = X
    begin, end = starts[rows.start], starts[min(rows.stop, len(starts) - 1)]
    offsets = starts[rows.start : min(rows.stop, len(starts) - 1)] - begin
    return functional.embedding_bag(indices[begin:end], w, offsets, per_sample_weights=data[begin:end], mode="sum") + b


def begun(task: Any, prepared: Any) -> Any:
    dtype = prepared[0][2].dtype if task.sparse else prepared[0].dtype
    w = torch.zeros((task.d, task.classes), dtype=dtype, requires_grad=True)
    return w, torch.zeros(task.classes, dtype=dtype, requires_grad=True)


def ended(w: Any, b: Any) -> Any:
    return np.concatenate([w.detach().numpy().T.ravel(), b.detach().numpy()])


def descent(prepared: Any, task: Any, setting: Any, epochs: float) -> Any:
    """Adam, or SGD with momentum, over random slices."""
    torch.set_num_threads(setting["threads"])
    (X, y), (w, b), batch = prepared, begun(task, prepared), setting["batch"]
    groups = [{"params": [w], "weight_decay": task.lam}, {"params": [b], "weight_decay": 0.0}]
    adam = setting["rule"] == "Adam"
    optimiser = (
        torch.optim.Adam(groups, lr=setting["rate"])
        if adam
        else torch.optim.SGD(groups, lr=setting["rate"], momentum=0.9)
    )
    starts, chance = np.arange(0, task.n, batch), np.random.default_rng(0)
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=int(epochs) * len(starts))
    for _ in range(int(epochs)):
        for start in chance.permutation(starts).tolist():
            rows = slice(start, start + batch)
            optimiser.zero_grad()
            LOSSES[task.kind](task.loss, y[rows], scores(X, rows, w, b)).backward()
            optimiser.step()
            falling.step()
    return ended(w, b)


def bulk(prepared: Any, task: Any, setting: Any, steps: float) -> Any:
    """L-BFGS with a strong Wolfe search."""
    torch.set_num_threads(setting["threads"])
    (X, y), (w, b) = prepared, begun(task, prepared)
    optimiser = torch.optim.LBFGS(
        [w, b],
        max_iter=int(steps),
        history_size=10,
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )

    def height() -> Any:
        optimiser.zero_grad()
        loss = LOSSES[task.kind](task.loss, y, scores(X, slice(0, task.n), w, b)) + 0.5 * task.lam * w.square().sum()
        loss.backward()
        return loss

    optimiser.step(height)
    return ended(w, b)


LOSSES = {
    "LogLoss": lambda loss, y, z: functional.softplus(-y * z[:, 0]).mean(),
    "Softmax": lambda loss, y, z: functional.cross_entropy(z, y),
    "Hinge": lambda loss, y, z: torch.relu(1.0 - y * z[:, 0]).mean(),
    "SquaredHinge": lambda loss, y, z: torch.relu(1.0 - y * z[:, 0]).square().mean(),
    "SquaredError": lambda loss, y, z: 0.5 * functional.mse_loss(z[:, 0], y),
    "AbsoluteError": lambda loss, y, z: functional.l1_loss(z[:, 0], y),
    "Huber": lambda loss, y, z: functional.huber_loss(z[:, 0], y, delta=loss.delta),
    "EpsilonInsensitive": lambda loss, y, z: torch.relu((z[:, 0] - y).abs() - loss.epsilon).mean(),
    "SquaredEpsilonInsensitive": lambda loss, y, z: torch.relu((z[:, 0] - y).abs() - loss.epsilon).square().mean(),
    "Quantile": lambda loss, y, z: torch.maximum(loss.level * (y - z[:, 0]), (1 - loss.level) * (z[:, 0] - y)).mean(),
    "Poisson": lambda loss, y, z: (z[:, 0].exp() - y * z[:, 0]).mean(),
    "Gamma": lambda loss, y, z: (z[:, 0] + y * (-z[:, 0]).exp()).mean(),
}
SMALL = (*grid(rule=("Adam",), rate=(1e-3, 1e-2, 1e-1)), *grid(rule=("SGD",), rate=(1e-2, 1e-1, 1.0)))
RATES = tuple(
    {**s, **b}
    for b in ({"batch": 256, "threads": 1}, {"batch": 4096, "threads": 1}, {"batch": 4096, "threads": 2})
    for s in SMALL
)
DOUBLINGS = tuple(2**k for k in range(9))
PEERS = [
    Peer("torch loop", tuple(LOSSES), RATES, DOUBLINGS, descent, "rule, rate, batch, threads", smooth_penalty, prepare),
    Peer(
        "torch L-BFGS", ("LogLoss", "Softmax", "SquaredError", "Poisson", "Gamma", "SquaredHinge"), grid(threads=(1, 2)),
        DOUBLINGS[2:], bulk, "threads", smooth_penalty, prepare,
    ),
]  # fmt: skip
