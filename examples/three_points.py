"""Three points, two coefficients, and a number that a much-copied tutorial gets wrong.

X = [[1, 2], [2, 3], [3, 4]], y = [1, 2, 3], θ from (0, 0) down J = Σ(Xθ − y)²/2m at rate 0.01 for 1,000 iterations. The
tutorial prints (0.5780, 0.7721). Batch descent ends at (0.5764, 0.2936), and even that is only on the way: the optimum
is (1, 0), where the line goes through all three points. How much further it is can be known before the first step.

Run it: python examples/three_points.py [--out FOLDER]
"""

import argparse
import math
from pathlib import Path

import numpy as np

from fallline.descent import descend
from fallline.executors.compiled import compiled
from fallline.figures import draw_surface
from fallline.files import write_whole
from fallline.objectives import Linear
from fallline.plane import surface_of
from fallline.samplers import Batch, Shuffled
from fallline.schedules import Constant
from fallline.steps import Adam, Momentum, Plain
from fallline.stops import Updates

X = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])
Y = np.array([1.0, 2.0, 3.0])
RATE, ITERATIONS = 0.01, 1000
OPTIMUM = np.array([1.0, 0.0])
PRINTED = np.array([0.5780, 0.7721])  # by the tutorial
NEAR = 0.001  # a distance from the optimum that counts as there

J = Linear(X, Y, intercept=False)  # squared error is ½(z − y)², averaged over the rows: this J

WALKS = {
    "batch": (Batch(steps=ITERATIONS), Plain()),
    "stochastic": (Shuffled(1), Plain()),
    "mini-batch of 2": (Shuffled(2), Plain()),
    "batch, momentum": (Batch(steps=ITERATIONS), Momentum(0.9)),
    "batch, Adam": (Batch(steps=ITERATIONS), Adam()),
}


def walk(sampler, step, iterations=ITERATIONS):
    """Walk from (0, 0) and look after every iteration."""
    return descend(
        J, sampler=sampler, step=step, schedule=Constant(RATE), stop=Updates(iterations), advance=compiled, every=1
    )


def forecast():
    """What the curvatures of J say about plain batch steps, before any is made.

    Along the eigenvector of a curvature λ the distance to the optimum shrinks by 1 − rate·λ an iteration, whatever the
    other one does. The flat direction therefore sets the time.
    """
    curvatures, directions = np.linalg.eigh(X.T @ X / len(Y))
    apart = directions.T @ (J.start() - OPTIMUM)
    keep = 1.0 - RATE * curvatures
    left = np.linalg.norm(keep**ITERATIONS * apart) / np.linalg.norm(apart)
    needed = math.ceil(math.log(NEAR / abs(apart[0])) / math.log(keep[0]))
    return {"curvatures": curvatures, "condition": curvatures[1] / curvatures[0], "left": left, "needed": needed}


def main(out=None):
    """Forecast, walk, compare; returns the facts."""
    facts, runs = forecast(), {name: walk(*parts) for name, parts in WALKS.items()}
    batch = runs["batch"]
    distances = np.linalg.norm(walk(Batch(steps=5000), Plain(), facts["needed"]).trace.path - OPTIMUM, axis=1)
    facts |= {
        "theta": {name: run.w for name, run in runs.items()},
        "loss": {name: run.trace["loss"][-1] for name, run in runs.items()},
        "measured_left": np.linalg.norm(batch.w - OPTIMUM) / np.linalg.norm(OPTIMUM),
        "measured_needed": int(np.argmax(distances <= NEAR)),
        "printed_loss": J.value(PRINTED),
        "nearest_to_printed": np.linalg.norm(batch.trace.path - PRINTED, axis=1).min(),
    }
    report(facts, batch.trace["loss"])
    if out:
        save(Path(out), runs)
    return facts


def report(facts, losses):
    """Say it in words."""
    low, high = facts["curvatures"]
    print(f"From (0, 0) at rate {RATE}, {ITERATIONS:,} iterations; the optimum is (1, 0), where J = 0.\n")
    for name, theta in facts["theta"].items():
        print(f"  {name:16}  θ = ({theta[0]:.4f}, {theta[1]:+.4f})   J = {facts['loss'][name]:.2e}")
    print(
        f"\nThe tutorial's (0.5780, 0.7721) is not on the way: J is {facts['printed_loss']:.2f} there, which batch descent"
        f" has left behind\nafter {np.argmax(losses < facts['printed_loss'])} iterations, and it never comes nearer to it"
        f" than {facts['nearest_to_printed']:.2f}."
    )
    print(
        f"\nWhy it is slow: curvatures {high:.1f} and {low:.4f}, condition number {facts['condition']:.0f}. The forecast for"
        f" batch: {facts['left']:.1%} of\nthe distance left after {ITERATIONS:,} iterations (it was"
        f" {facts['measured_left']:.1%}), and {facts['needed']:,} to be within {NEAR} (it took"
        f" {facts['measured_needed']:,})."
    )


def save(folder, runs):
    """J from above, with the three walks that use all rows."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = {"batch": "batch", "batch, momentum": "mini-batch", "batch, Adam": "automatic"}  # borrowed
    for name, variant in colours.items():
        runs[name].trace.about.update(name=name, variant=variant, columns=["θ₁", "θ₂"])
    picture = draw_surface(surface_of(J, [runs[name].trace for name in colours], best=OPTIMUM))
    picture.update_layout(
        title_text="1,000 iterations take batch descent half way to (1, 0),<br>Adam a little further, momentum there"
    )
    write_whole(folder / "three_points.html", picture.to_html(auto_play=False, config={"displayModeBar": False}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Three points, and how far 1,000 iterations go.")
    parser.add_argument("--out", help="folder for the picture")
    main(**vars(parser.parse_args()))
