"""The cost surface of a network: how far off its heights are, and what it costs in epochs.

    python benchmarks/net_surface.py [--quick]     digits, 1,797 rows, and MNIST, 60,000; perceptron, CNN and GRU

21 × 21 points over the plane of the path and over two filter-normalised directions, after two epochs of Adam in batches of 64.
Processor time on one thread; an epoch is a training epoch of the same walk, half of two. `said`: the median standard error
of a height, in % of the range; `true`: the median miss at 16 of the points, beside all rows. `rows` are those of a height.
"""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import sets
from fallline import Net, Plan
from fallline.plane import surface_of
from targets import Target
from text import wanted

EPOCHS, ERROR = 2.0, 0.02  # what a surface may cost, and how far off it may be, of the range
POINTS = 16  # at which the truth is measured


class Found(NamedTuple):
    """Of one surface."""

    name: str
    rows: int
    said: float
    true: float
    epochs: float


class Recurrent(nn.Module):
    """A picture read line by line."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.walk, self.out = nn.GRU(side, 32, batch_first=True), nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.out(self.walk(x[:, 0])[0][:, -1])
        return scores


def networks(side: int) -> dict[str, Any]:
    """name → a function that makes the module."""
    left = side // 2 - 2
    return {
        "MLP": lambda: nn.Sequential(nn.Flatten(), nn.Linear(side * side, 64), nn.ReLU(), nn.Linear(64, 10)),
        "CNN": lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(16 * left**2, 10)),
        "GRU": lambda: Recurrent(side),
    }  # fmt: skip


def tables(quick: bool) -> Iterator[tuple[str, Any, Any]]:
    """Pictures (rows, 1, side, side) and labels."""
    X, y = load_digits(return_X_y=True)
    yield "digits", (X / 16).astype(np.float32).reshape(-1, 1, 8, 8), y
    if quick:
        return
    try:
        X, y = sets.table("MNIST")
    except FileNotFoundError as error:
        print(f"MNIST left out: {error}")
        return
    yield "MNIST", (X / np.float32(255)).reshape(-1, 1, 28, 28), y.astype(int)


def main(quick: bool = False) -> list[Found]:
    """Print the table; a row a surface."""
    threads, found = torch.get_num_threads(), []
    torch.set_num_threads(1)
    print(f"{'network, table, plane':<32}{'rows':>8}{'said':>9}{'true':>9}{'epochs':>9}")
    for table, X, y in tables(quick):
        for name, make in networks(X.shape[-1]).items():
            torch.manual_seed(0)
            net = Net(make(), (X, y))
            plan = Plan(step="AdamW", rate=3e-3, batch_size=64, amount=2)
            plan.run(net, looks=5)
            begun = time.process_time()
            run = plan.run(net, looks=5)
            epoch = (time.process_time() - begun) / 2
            for plane, directions in (("path", None), ("random", net.filtered(run.w))):
                one = measured(f"{name}, {table}, {plane}", net, run, directions, epoch)
                found.append(one)
                print(f"{one.name:<32}{one.rows:8,}{100 * one.said:8.2f}%{100 * one.true:8.2f}%{one.epochs:9.1f}")
    torch.set_num_threads(threads)
    return found


def measured(name: str, net: Net, run: Any, directions: Any, epoch: float) -> Found:
    """One surface, and the truth at some of its points."""
    begun = time.process_time()
    surface = surface_of(net, [run.trace], directions=directions)
    spent = (time.process_time() - begun) / epoch
    reach = float(np.ptp(surface.heights))
    chance = np.random.default_rng(0)
    w = run.trace.path[int(np.argmin(run.trace["loss"]))]
    around = run.trace.path[chance.integers(len(run.trace.path), size=POINTS)] - w if directions is None else directions[
        chance.integers(2, size=POINTS)]  # fmt: skip
    points = w + chance.uniform(-1, 1, (POINTS, 1)) * around
    heights = net.survey(points, len(surface.x) * len(surface.y), w).heights
    miss = float(np.median(np.abs(heights - net.values(points)))) / reach
    return Found(name, surface.rows, surface.error / reach, miss, spent)


def targets(found: list[Found]) -> list[Target]:
    """The issue's row, of the worst and of how many reach it."""
    if not found:
        return []
    good = [one for one in found if one.said <= ERROR and one.epochs <= EPOCHS]
    far, dear = max(found, key=lambda one: one.said), max(found, key=lambda one: one.epochs)
    reached = f"{len(good)} of {len(found)}; at most {100 * far.said:.1f} % ({far.name}), {dear.epochs:.1f} epochs ({dear.name})"
    return [
        Target(
            "cost surface of a network, 21 × 21 points",
            "≤ 2 % of the range in two epochs",
            reached,
            len(good) == len(found),
            "net_surface",
        )
    ]


if __name__ == "__main__":
    main(*wanted()[:1])
