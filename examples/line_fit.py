"""A straight line through 100 points, by all three variants at three rates.

y = 5 + 4x + noise; from slope 0.5 and intercept 0.5, 1,000 iterations at rates 0.1, 0.01 and 0.001 on the mean squared
error. fallline's squared error carries a half, ½(z − y)², so that the same step takes twice the rate.

Run it: python examples/line_fit.py [--out FOLDER]
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fallline.descent import descend
from fallline.executors.compiled import compiled
from fallline.figures import draw_fan, fan_of, plot_traces
from fallline.files import write_whole
from fallline.objectives import Linear
from fallline.samplers import Batch, Segment
from fallline.schedules import Constant
from fallline.steps import Plain
from fallline.stops import Updates

ITERATIONS = 1000
RATES = (0.1, 0.01, 0.001)  # on the mean squared error
START = np.array([0.5, 0.5])  # slope, intercept


class ManyPasses(NamedTuple):
    """Shuffled, but `passes` over the rows in one segment: a pass over 100 rows is walked sooner than it is set up.

    batch: rows a step; it must divide the number of rows. A sampler is no more than this: anyone can add one.
    """

    batch: int
    passes: int
    seed: int = 0

    def size(self, n):
        return self.batch

    def segment(self, n, segments):
        rows = np.tile(np.arange(n), (self.passes, 1))
        order = np.random.default_rng((self.seed, segments)).permuted(rows, axis=1).ravel()
        return Segment(order, self.batch, len(order) // self.batch)


VARIANTS = {
    "batch": Batch(steps=ITERATIONS),
    "stochastic": ManyPasses(batch=1, passes=10),
    "mini-batch": ManyPasses(batch=20, passes=200),
}


def points(seed=0):
    """100 points along y = 5 + 4x, each off by noise of deviation 1."""
    chance = np.random.default_rng(seed)
    x = chance.uniform(0.0, 2.0, 100)
    return x, 5.0 + 4.0 * x + chance.normal(size=100)


def walk(objective, sampler, rate):
    """1,000 plain steps, looked at after every one."""
    return descend(
        objective, sampler=sampler, step=Plain(), schedule=Constant(2.0 * rate), stop=Updates(ITERATIONS),
        advance=compiled, every=1, start=START,
    )  # fmt: skip


def main(out=None):
    """Walk nine times, compare with the closed form; returns the facts."""
    x, y = points()
    objective = Linear(x[:, None], y)
    best = np.linalg.lstsq(np.column_stack([x, np.ones_like(x)]), y, rcond=None)[0]
    runs = {(name, rate): walk(objective, sampler, rate) for name, sampler in VARIANTS.items() for rate in RATES}
    for (name, rate), run in runs.items():
        run.trace.about.update(
            name=f"{name}, rate {rate}", variant=name, rate=rate, columns=["slope"], optimum=objective.value(best)
        )
    facts = {
        "best": best,
        "lowest": 2.0 * objective.value(best),  # the mean squared error, not halved
        "line": {key: run.w for key, run in runs.items()},
        "error": {key: 2.0 * run.trace["loss"][-1] for key, run in runs.items()},
        "looks": {key: len(run.trace) - 1 for key, run in runs.items()},
    }
    report(facts)
    if out:
        save(Path(out), x, y, runs)
    return facts


def report(facts):
    """Say it in words."""
    slope, intercept = facts["best"]
    print(f"The best line is y = {intercept:.3f} + {slope:.3f}x: a mean squared error of {facts['lowest']:.4f}.\n")
    print(f"  {'':12}{'rate':>6}   {'line after 1,000 iterations':28}  mean squared error")
    for (name, rate), (slope, intercept) in facts["line"].items():
        line = f"y = {intercept:.3f} + {slope:.3f}x"
        print(f"  {name:12}{rate:6}   {line:28}  {facts['error'][name, rate]:.4f}")


def save(folder, x, y, runs):
    """The loss of all nine walks in one picture, and the fan of lines of each variant at rate 0.01."""
    folder.mkdir(parents=True, exist_ok=True)
    history = plot_traces({run.trace.about["name"]: [run.trace] for run in runs.values()}, x="updates")
    write_whole(folder / "line_fit_loss.html", history.to_html(config={"displayModeBar": False}))
    for name in VARIANTS:
        fan = draw_fan(fan_of(x, y, runs[name, 0.01].trace, names=("x", "y")))
        write_whole(folder / f"line_fit_{name}.html", fan.to_html(config={"displayModeBar": False}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A line through 100 points, by three variants at three rates.")
    parser.add_argument("--out", help="folder for the pictures")
    main(**vars(parser.parse_args()))
