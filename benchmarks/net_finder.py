"""The rate finder beside the best of a 15-point grid, on ten problems, under the schedule that it names.

    python benchmarks/net_finder.py [--quick] [problem …]

A problem is a table, a step rule and an activation: 3,000 rows of it to learn from and 2,000 held out, columns and amounts at
one scale, a hidden layer of 64, batches of 32, 8 passes under a cosine to zero. The grid has 15 rates over five decades. Pick and
grid walk from the same two seeds and keep their best epoch by the rows held out; excess is of the mean of those losses. The
finder's race sees the rows held out, as the grid does. A problem that was measured is kept in results/net_finder_problems.json
and measured again only where it is named.
"""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

import sets
from fallline import Net, Plan
from fallline.files import write_whole
from fallline.torch import find_rate
from targets import Target
from text import wanted

ROWS, HELD, HIDDEN, SEEDS = 3_000, 2_000, 64, (0, 1)
PASSES, BATCH, SCHEDULE = 8.0, 32, "cosine"
CLOSE, ENOUGH = 0.05, 9
KEPT = Path(__file__).resolve().parent / "results" / "net_finder_problems.json"


class Problem(NamedTuple):
    """A table, how it is walked, and the grid's rates."""

    table: str
    step: str
    activation: type[nn.Module]
    classes: bool

    @property
    def name(self) -> str:
        return f"{self.table}, {self.step}, {self.activation.__name__}"

    @property
    def grid(self) -> Any:
        return np.logspace(-5, 0, 15) if self.step == "adam" else np.logspace(-4, 1, 15)


PROBLEMS = {
    one.name: one
    for one in (
        Problem("California", "adam", nn.ReLU, False),
        Problem("California", "momentum", nn.Tanh, False),
        Problem("white wine", "adam", nn.Tanh, False),
        Problem("bike, hours", "adam", nn.ReLU, False),
        Problem("bike, hours", "momentum", nn.ReLU, False),
        Problem("adult", "adam", nn.ReLU, True),
        Problem("a9a", "momentum", nn.ReLU, True),
        Problem("MNIST", "adam", nn.ReLU, True),
        Problem("MNIST", "momentum", nn.Tanh, True),
        Problem("Elec2", "adam", nn.Tanh, True),
    )
}


def main(quick: bool = False, words: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Measure what is named or was not yet, and print all."""
    kept: dict[str, dict[str, Any]] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() and not quick else {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    asked = [name for name in PROBLEMS if name in words]
    for name in asked or ([*PROBLEMS][:1] if quick else [name for name in PROBLEMS if name not in kept]):
        try:
            kept[name] = measured(PROBLEMS[name], 400 if quick else ROWS)
        except FileNotFoundError as error:
            print(f"{name}: left out, {error}")
            continue
        if not quick:
            write_whole(KEPT, json.dumps(kept, indent=1) + "\n")
        print(f"  {name}: {kept[name]['said']}", flush=True)
    torch.set_num_threads(threads)
    print(f"{'':30s}{'excess':>8s}{'pick':>10s}{'interval':>20s}{'grid best':>11s}{'grid within':>13s}{'edge/10':>9s}")
    for name, found in ((name, kept[name]) for name in PROBLEMS if name in kept):
        best = min(found["grid"])
        close = sum(loss <= (1.0 + CLOSE) * best for loss in found["grid"])
        span = f"{found['low']:.2g} – {found['high']:.2g}"
        print(
            f"{name:30s}{excess(found):8.1%}{found['pick']:10.2g}{span:>20s}"
            f"{found['rates'][int(np.argmin(found['grid']))]:11.2g}{close:10d}/15{excess(found, 'bare'):9.1%}"
        )
    return kept


def excess(found: dict[str, Any], way: str = "picked") -> float:
    """How far the loss at the pick is above the grid's best."""
    return float(found[way] / min(found["grid"]) - 1.0)


def measured(problem: Problem, rows: int) -> dict[str, Any]:
    """Losses of the grid, of the finder's pick, and of a tenth of the edge, which is its pick without the race."""
    began = time.process_time()
    net, plan = network(problem, rows), Plan(
        step=problem.step, rate=1e-3, batch_size=BATCH, schedule=SCHEDULE, amount=PASSES
    )  # fmt: skip
    found = find_rate(net, plan)
    spent = time.process_time() - began
    rates = problem.grid.tolist()
    grid = [walked(problem, replace(plan, rate=rate), rows) for rate in rates]
    return {
        "rates": rates, "grid": grid, "pick": found.pick, "low": found.low, "high": found.high, "edge": found.edge,
        "spread": found.spread, "picked": walked(problem, found.plan, rows),
        "bare": walked(problem, replace(plan, rate=found.edge / 10.0), rows), "said": str(found), "finding": spent,
        "seconds": time.process_time() - began,
    }  # fmt: skip


def network(problem: Problem, rows: int, seed: int = 0) -> Net:
    """The network on the table's first rows in a random order."""
    X, y = sets.table(problem.table)
    order = np.random.default_rng(0).permutation(len(y))[: rows + min(HELD, rows)]
    part = X[order]
    X = np.asarray(part.todense() if hasattr(part, "todense") else part, dtype=float)
    X = np.clip((X - X[:rows].mean(0)) / np.maximum(X[:rows].std(0), 1e-9), -10.0, 10.0)
    y = np.unique(y[order], return_inverse=True)[1] if problem.classes else y[order]
    y = y if problem.classes else (y - y[:rows].mean()) / y[:rows].std()
    inputs = torch.from_numpy(X).float()
    targets = torch.from_numpy(y).long() if problem.classes else torch.from_numpy(y).float()[:, None]
    torch.manual_seed(seed)
    outputs = int(targets.max()) + 1 if problem.classes else 1
    module = nn.Sequential(nn.Linear(X.shape[1], HIDDEN), problem.activation(), nn.Linear(HIDDEN, outputs))
    return Net(module, (inputs[:rows], targets[:rows]), validation=(inputs[rows:], targets[rows:]))


def walked(problem: Problem, plan: Plan, rows: int) -> float:
    """The loss on rows held out at the best epoch, the mean of the seeds; infinite where a walk never was below anything."""
    losses = []
    for seed in SEEDS:
        with np.errstate(all="ignore"):
            looks = replace(plan, seed=seed).run(network(problem, rows, seed)).trace["validation_loss"]
        sound = looks[np.isfinite(looks)]
        losses.append(float(sound.min()) if len(sound) else float("inf"))
    return float(np.mean(losses))


def targets(kept: dict[str, dict[str, Any]]) -> list[Target]:
    """The issue's row, once all problems are measured."""
    if len(kept) < len(PROBLEMS):
        return []
    close = sum(excess(found) <= CLOSE for found in kept.values())
    return [
        Target("rates found for networks, beside a 15-point grid", f"within {CLOSE:.0%} on ≥ {ENOUGH} of {len(PROBLEMS)}",
               f"on {close}", close >= ENOUGH, "net_finder"),
    ]  # fmt: skip


if __name__ == "__main__":
    main(*wanted())
