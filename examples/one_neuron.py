"""The cost of a single neuron over its weight and bias, and four walks down it from one marked start.

The neuron answers σ(w·x + b); what it should answer is what another one with w = 1.5 and b = −1 does, so the lowest
place is known. Its cost is ½(σ − y)², averaged over seven points. σ goes flat on both sides, so the cost is no bowl: a
plain with a hollow in it. A good rate goes down into the hollow; one that is too small has hardly left the start; one
above the stable limit rocks across the floor for ever; one far above it is thrown out onto the plain, where no slope
is left to come back by.

Run it: python examples/one_neuron.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

from fallline.descent import descend
from fallline.figures import draw_relief, draw_surface
from fallline.files import write_whole
from fallline.objectives import Function
from fallline.plane import surface_of
from fallline.samplers import Batch
from fallline.schedules import Constant
from fallline.steps import Plain
from fallline.stops import Updates

BEST = np.array([1.5, -1.0])  # weight, bias
START = np.array([-1.5, 3.0])
UPDATES = 2000
RATES = {"too small": 0.001, "good": 10.0, "above the limit": 100.0, "far above": 1000.0}


def sigmoid(z):
    """σ(z), in the form that never overflows."""
    return 0.5 * (1.0 + np.tanh(0.5 * z))


X = np.linspace(-3.0, 3.0, 7)
Y = sigmoid(BEST[0] * X + BEST[1])


def cost(w):
    """½(σ(w·x + b) − y)², averaged over the points."""
    return 0.5 * np.mean((sigmoid(w[0] * X + w[1]) - Y) ** 2)


def gradient(w):
    """Its slope: the miss, times how steep σ is there, times what the parameter multiplies."""
    out = sigmoid(w[0] * X + w[1])
    force = (out - Y) * out * (1.0 - out)
    return np.array([np.mean(force * X), np.mean(force)])


NEURON = Function(cost, gradient, START)


def walk(rate):
    """Plain steps from the start, looked at after every one."""
    return descend(
        NEURON, sampler=Batch(UPDATES), step=Plain(), schedule=Constant(rate), stop=Updates(UPDATES), every=1
    )


def stable_limit():
    """Two over the largest curvature at the lowest place: above it, plain steps cannot come to rest there."""
    steep = Y * (1.0 - Y)
    both = steep[:, None] * np.column_stack([X, np.ones_like(X)])  # slope of each answer over weight and bias
    return 2.0 / np.linalg.eigvalsh(both.T @ both / len(X))[-1]


def main(out=None):
    """Walk at four rates; returns the facts."""
    runs = {name: walk(rate) for name, rate in RATES.items()}
    steps = {name: np.linalg.norm(np.diff(run.trace.path, axis=0), axis=1) for name, run in runs.items()}
    facts = {
        "limit": stable_limit(),
        "start_cost": cost(START),
        "end": {name: run.w for name, run in runs.items()},
        "cost": {name: run.trace["loss"][-1] for name, run in runs.items()},
        "slope": {name: np.linalg.norm(gradient(run.w)) for name, run in runs.items()},
        "longest_step": {name: length.max() for name, length in steps.items()},
        "last_step": {name: length[-1] for name, length in steps.items()},
    }
    report(facts)
    if out:
        save(Path(out), runs)
    return facts


def report(facts):
    """Say it in words."""
    print(f"From w = {START[0]}, b = {START[1]}, cost {facts['start_cost']:.4f}, towards w = 1.5, b = −1, cost 0.")
    print(f"The stable limit there is a rate of {facts['limit']:.1f}. After {UPDATES:,} updates:\n")
    for name, (w, b) in facts["end"].items():
        print(
            f"  {name:15}  rate {RATES[name]:<6g} w = {w:7.3f}, b = {b:7.3f}   cost {facts['cost'][name]:.4f}"
            f"   slope {facts['slope'][name]:.0e}   last step {facts['last_step'][name]:.0e}"
        )


def save(folder, runs):
    """The surface with the four walks, from above and in relief."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = dict(zip(RATES, ("batch", "mini-batch", "automatic", "stochastic"), strict=True))  # borrowed
    for name, run in runs.items():
        run.trace.about.update(name=f"{name}, rate {RATES[name]:g}", variant=colours[name], rate=RATES[name])
        run.trace.about.update(columns=["weight", "bias"], diverged=name == "far above")  # it is drawn until it leaves
    surface = surface_of(NEURON, [run.trace for run in runs.values()], best=BEST)
    title = "Rate 10 finds the lowest place; 0.001 has hardly left the start,<br>100 rocks across the floor, 1,000 is thrown out"
    for name, draw in {"one_neuron": draw_surface, "one_neuron_relief": draw_relief}.items():
        picture = draw(surface).update_layout(title_text=title)
        write_whole(folder / f"{name}.html", picture.to_html(auto_play=False, config={"displayModeBar": False}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The cost of one neuron, and what the learning rate does on it.")
    parser.add_argument("--out", help="folder for the pictures")
    main(**vars(parser.parse_args()))
