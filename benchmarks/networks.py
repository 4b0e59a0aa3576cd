"""The engine of networks beside an expert's plain loop with fused Adam, one thread, the default trace on.

    python benchmarks/networks.py [--quick]

Both walk the same rows in the same order from the same weights, epoch by epoch in turn; processor time, and the median of
the ratios of paired epochs. Before it counts, the two must end at the same bits.
"""

import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn

from fallline import Net, descend
from fallline.samplers import Shuffled
from fallline.schedules import Constant
from fallline.steps.named import Optimizer
from fallline.stops import Updates
from text import wanted

BATCH, STEPS, ROUNDS = 64, 200, 40
RATE = 1e-3


def mlp() -> nn.Module:
    """784-256-10."""
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn() -> nn.Module:
    """5,226 parameters: three convolutions with batch norm, a pool and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, 2), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(144, 10),
    )  # fmt: skip


class Recurrent(nn.Module):
    """A GRU of 64 units over 28 inputs a step, 28 steps, and a linear layer on its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.GRU(28, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.cell(x)[0][:, -1])


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "784-256-10 MLP": (mlp, (784,)),
    "small CNN": (cnn, (1, 28, 28)),
    "GRU of 64": (Recurrent, (28, 28)),
}


def main(quick: bool = False) -> dict[str, float]:
    """Print the table; the median ratio of each network."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        print(f"{'batch 64, fused Adam':<24}{'plain loop':>14}{'fallline':>12}{'ratio':>8}{'quartiles':>16}")
        return {name: row(name, *parts, quick) for name, parts in NETWORKS.items()}
    finally:
        torch.set_num_threads(before)


def row(name: str, make: Callable[[], nn.Module], shape: tuple[int, ...], quick: bool) -> float:
    """One network's row."""
    steps, rounds = (20, 3) if quick else (STEPS, ROUNDS)
    chance = torch.Generator().manual_seed(0)
    X = torch.randn(steps * BATCH, *shape, generator=chance)
    y = torch.randint(0, 10, (len(X),), generator=chance)
    torch.manual_seed(0)
    module = make()
    plain, ours = Plain(module, X, y), Engine(module, X, y)
    pairs = []
    for k in range(rounds + 1):
        if k % 2:  # each goes first as often as the other
            pairs.append((timed(plain.epoch), timed(ours.epoch)))
        else:
            pairs.append((timed(ours.epoch), timed(plain.epoch))[::-1])
        theirs = torch.cat([tensor.detach().reshape(-1) for tensor in plain.module.parameters()]).numpy()
        if not np.array_equal(theirs, ours.run.w):
            raise AssertionError(f"{name}: the two loops have parted")
    seconds = np.array(pairs[1:]) / steps
    ratio = seconds[:, 1] / seconds[:, 0]
    low, middle, high = np.quantile(ratio, (0.25, 0.5, 0.75))
    one, other = (f"{1e6 * value:,.0f} µs" for value in np.median(seconds, axis=0))
    print(f"{name:<24}{one:>14}{other:>12}{middle:8.3f}{low:>10.3f}–{high:.3f}")
    return float(middle)


class Plain:
    """What an expert writes."""

    def __init__(self, module: nn.Module, X: torch.Tensor, y: torch.Tensor) -> None:
        self.module, self.X, self.y, self.epochs = deepcopy(module).train(), X, y, 0
        self.optimizer = torch.optim.Adam(self.module.parameters(), RATE, fused=True)
        self.criterion = nn.CrossEntropyLoss()

    def epoch(self) -> None:
        order = torch.from_numpy(Shuffled(BATCH).segment(len(self.X), self.epochs).order)
        self.epochs += 1
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            self.optimizer.zero_grad()
            loss = self.criterion(self.module(self.X[rows]), self.y[rows])
            loss.backward()
            self.optimizer.step()


class Engine:
    """The same by fallline, an epoch a call."""

    def __init__(self, module: nn.Module, X: torch.Tensor, y: torch.Tensor) -> None:
        self.net, self.run, self.steps = Net(module, (X, y), "cross_entropy"), None, -(-len(X) // BATCH)
        self.walked: Any = 0

    def epoch(self) -> None:
        self.walked += self.steps
        self.run = descend(
            self.net, sampler=Shuffled(BATCH), step=Optimizer("Adam"), schedule=Constant(RATE), stop=Updates(self.walked),
            advance=self.net.walker(0), start=self.run,
        )  # fmt: skip


def timed(what: Callable[[], None]) -> float:
    """Seconds of processor."""
    begun = time.process_time()
    what()
    return time.process_time() - begun


def targets(ratios: dict[str, float]) -> list[tuple[str, str, str, bool]]:
    """The issue's rows."""
    asked = ("784-256-10 MLP", "small CNN")
    return [
        (f"network engine, {name}, of a plain loop", "≤ 1.00 ×", f"{ratios[name]:.3f} ×", ratios[name] <= 1.0)
        for name in asked
    ]


if __name__ == "__main__":
    main(*wanted()[:1])
