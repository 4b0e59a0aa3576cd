"""A network of two layers from scratch: NumPy, gradients by hand, on the engine that walks everything else.

    hidden = tanh(x·A + a)        (rows, 8)
    z      = hidden·b + c         (rows,)
    loss   = mean log(1 + exp(−y·z)),  y = ±1

The chain rule, read from the loss backwards, gives the gradient; autograd gives the same to rounding. An objective is anything
that can say its rows, its start, its height and its slope, so thirty lines are enough for `descend` to walk it by any rule. The
task is two half moons, which no straight line parts.

Run it: python examples/two_layers.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import make_moons

from fallline import descend
from fallline.files import write_whole
from fallline.samplers import Shuffled
from fallline.schedules import Constant
from fallline.steps import Adam
from fallline.stops import Epochs

HIDDEN, EPOCHS, RATE = 8, 60, 0.02


class TwoLayers:
    """mean log(1 + exp(−y·z(x))) over rows; w is A (2, 8), a (8,), b (8,) and c in one vector of 33."""

    def __init__(self, X, y):
        self.X, self.y, self.n = X, y, len(X)

    def start(self):
        """Weights of the usual size, so that tanh begins where it bends; biases zero."""
        chance = np.random.default_rng(0)
        A, b = chance.standard_normal((2, HIDDEN)) / np.sqrt(2), chance.standard_normal(HIDDEN) / np.sqrt(HIDDEN)
        return np.concatenate([A.ravel(), np.zeros(HIDDEN), b, [0.0]])

    def parts(self, w):
        """A, a, b and c as views of w."""
        return w[: 2 * HIDDEN].reshape(2, HIDDEN), w[2 * HIDDEN : 3 * HIDDEN], w[3 * HIDDEN : 4 * HIDDEN], w[-1]

    def scores(self, w, X):
        """z of each row."""
        A, a, b, c = self.parts(w)
        return np.tanh(X @ A + a) @ b + c

    def value(self, w):
        """The mean loss."""
        return float(np.mean(np.logaddexp(0.0, -self.y * self.scores(w, self.X))))

    def values(self, points):
        """The same at many points."""
        return np.array([self.value(w) for w in points])

    def gradient(self, w, rows=slice(None)):
        """The chain rule, from the loss back to the weights."""
        X, y = self.X[rows], self.y[rows]
        A, a, b, c = self.parts(w)
        hidden = np.tanh(X @ A + a)
        dz = -y / (1.0 + np.exp(y * (hidden @ b + c))) / len(X)  # of the mean loss, by the score of each row
        dhidden = np.outer(dz, b) * (1.0 - hidden**2)  # through the second layer, then through tanh
        return np.concatenate([(X.T @ dhidden).ravel(), dhidden.sum(0), hidden.T @ dz, [dz.sum()]])

    def prox(self, w, rate):
        """Nothing is penalised."""
        return w


def by_autograd(objective, w):
    """The same gradient by torch."""
    import torch

    leaf = torch.tensor(w, requires_grad=True)
    A, a, b, c = objective.parts(leaf)
    X, y = torch.tensor(objective.X), torch.tensor(objective.y)
    torch.nn.functional.softplus(-y * (torch.tanh(X @ A + a) @ b + c)).mean().backward()
    return leaf.grad.numpy()


def main(out=None):
    """Check the gradient, walk, and say how well it parts the moons; returns the facts."""
    X, labels = make_moons(400, noise=0.15, random_state=0)
    objective = TwoLayers(X, np.where(labels == 1, 1.0, -1.0))
    w = objective.start()
    ours, theirs = objective.gradient(w), by_autograd(objective, w)
    run = descend(objective, sampler=Shuffled(16), step=Adam(), schedule=Constant(RATE), stop=Epochs(EPOCHS))
    right = float(np.mean(np.sign(objective.scores(run.w, X)) == objective.y))
    facts = {"apart": float(np.abs(ours - theirs).max()), "slope": float(np.abs(theirs).max()), "right": right,
             "loss": run.trace["loss"][[0, -1]].tolist()}  # fmt: skip
    first, last = facts["loss"]
    print(
        f"Gradient by hand and by autograd differ by {facts['apart']:.0e}, where its largest entry is {facts['slope']:.2f}."
    )
    print(f"{EPOCHS} passes take the loss from {first:.3f} to {last:.3f}: {right:.1%} of the rows are told right.")
    if out:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "two_layers.html", run.trace.plot().to_html(config={"displayModeBar": False}))
    return facts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A network of two layers, its gradient by hand.")
    parser.add_argument("--out", help="folder for the picture")
    main(**vars(parser.parse_args()))
