"""What watching costs: a loop with fallline.torch.watch beside it, over the same loop without.

    python benchmarks/networks_watch.py [--quick]

Processor time of one thread, watched and unwatched in turn within one process, a hundred steps at a time, one of which is
measured; the median of the pairs' ratios. The first 500 steps, of which 40 are measured, do not count. The loop is an expert's:
fused Adam, rows gathered by index, no `.item()`.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from fallline.torch import watch
from text import wanted

ROWS, WARM, STEPS = 4096, 500, 100  # rows to draw from; steps before the first pair; steps of each
LIMITS = {"MLP 784-256-10": 1.04, "CNN": 1.02, "GRU": 1.02}


class Recurrent(nn.Module):
    """Characters: 64 of 65 kinds, a GRU of 128."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.walk, self.out = nn.Embedding(65, 32), nn.GRU(32, 128, batch_first=True), nn.Linear(128, 65)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.out(self.walk(self.embed(x))[0])
        return scores.flatten(0, 1)


def networks() -> dict[str, tuple[Callable[[], nn.Module], torch.Tensor, torch.Tensor, int, int]]:
    """name → module, inputs, targets, rows a step, pairs."""
    chance = torch.Generator().manual_seed(0)
    flat, labels = torch.randn(ROWS, 784, generator=chance), torch.randint(10, (ROWS,), generator=chance)
    text = torch.randint(65, (512, 65), generator=chance)
    return {
        "MLP 784-256-10": (lambda: nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)), flat, labels, 64, 41),
        "CNN": (lambda: nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16),
            nn.ReLU(), nn.Flatten(), nn.Linear(400, 10)), flat.view(-1, 1, 28, 28), labels, 64, 41),
        "GRU": (Recurrent, text[:, :-1], text[:, 1:], 32, 9),
    }  # fmt: skip


def main(quick: bool = False) -> dict[str, float]:
    """Print the table; the ratio of each network."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print(f"{'network':<18}{'µs a step':>12}{'watched':>10}")
    found = {}
    for name, (build, X, y, rows, many) in networks().items():
        if quick and name == "GRU":
            continue
        alone, found[name] = pairs(build, X, y, rows, 5 if quick else many)
        print(f"{name:<18}{1e6 * alone:12,.0f}{found[name]:9.3f}x", flush=True)
    torch.set_num_threads(threads)
    return found


def pairs(
    build: Callable[[], nn.Module], X: torch.Tensor, y: torch.Tensor, rows: int, many: int
) -> tuple[float, float]:
    """Seconds of an unwatched step, and the watched ones over them: medians of so many pairs."""
    plain, watched = loop(build, X, y, rows), loop(build, X, y, rows, watching=True)
    plain(WARM), watched(WARM)
    ratios, alone = [], []
    for k in range(many):
        spent = {one: timed(one, STEPS) for one in ((plain, watched) if k % 2 else (watched, plain))}
        ratios.append(spent[watched] / spent[plain])
        alone.append(spent[plain] / STEPS)
    return median(alone), median(ratios)


def timed(what: Callable[[int], None], steps: int) -> float:
    """Processor seconds of so many steps."""
    begun = time.process_time()
    what(steps)
    return time.process_time() - begun


def loop(
    build: Callable[[], nn.Module], X: torch.Tensor, y: torch.Tensor, rows: int, watching: bool = False
) -> Callable[[int], None]:
    """Somebody's loop, which goes on for so many steps when it is called."""
    torch.manual_seed(0)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    seen: Any = watch(optimizer, model) if watching else None

    def go(steps: int) -> None:
        for picked in torch.randint(len(X), (steps, rows)):
            optimizer.zero_grad()
            functional.cross_entropy(model(X[picked]), y[picked].flatten()).backward()
            optimizer.step()
        assert seen is None or seen.record.told.all()

    return go


def targets(found: dict[str, float]) -> list[tuple[str, str, str, bool]]:
    """The issue's rows."""
    return [(f"watch, {name}", f"≤ {LIMITS[name]} × the loop alone", f"{ratio:.3f} ×", ratio <= LIMITS[name])
            for name, ratio in found.items()]  # fmt: skip


if __name__ == "__main__":
    main(*wanted()[:1])
