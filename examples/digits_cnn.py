"""A small convolutional network learns to read digits: 17,354 parameters, four passes.

Three convolutions with batch norm, AdamW, and a rate that goes up and down once (one cycle). On scikit-learn's 1,797 digits of
8 × 8 it takes some seconds; on MNIST (`--mnist FOLDER`, with its four .gz files) half a minute.

Run it: python examples/digits_cnn.py [--mnist FOLDER] [--seeds 3]
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from fallline import Net, Plan

EPOCHS = 4


def network(pixels):
    """For pictures of 28 × 28; those of 8 × 8 get smaller filters, and more passes."""
    first, pool = (nn.Conv2d(1, 16, 5, 2), 3) if pixels == 28 else (nn.Conv2d(1, 16, 3), 2)
    strides = 2 if pixels == 28 else 1
    return nn.Sequential(
        first, nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, strides), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 32, 3), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(pool), nn.Flatten(), nn.Linear(32 * pool**2, 10),
    )  # fmt: skip


def mnist(folder):
    """Pictures in [0, 1], (rows, 1, 28, 28), and labels: for training, and unseen."""
    parts = []
    for name in ("train", "t10k"):
        with gzip.open(Path(folder) / f"{name}-images-idx3-ubyte.gz") as file:
            X = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28) / np.float32(255)
        with gzip.open(Path(folder) / f"{name}-labels-idx1-ubyte.gz") as file:
            y = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
        parts.append((X, y))
    return parts


def bundled():
    """scikit-learn's digits; the last 400 are unseen."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).reshape(-1, 1, 8, 8).astype(np.float32)
    return (X[:-400], y[:-400]), (X[-400:], y[-400:])


def main(folder=None, seeds=1, rows=None, epochs=None):
    """Train once a seed; returns the facts. rows: of the training part, all unless told."""
    (X, y), (unseen, labels) = mnist(folder) if folder else bundled()
    X, y = X[:rows], y[:rows]
    epochs = epochs or (EPOCHS if folder else 3 * EPOCHS)
    facts = {"right": [], "seconds": [], "epochs": epochs}
    for seed in range(seeds):
        torch.manual_seed(seed)
        module = network(X.shape[-1])
        net = Net(module, (X, y))
        plan = Plan(step="AdamW", rate=1e-2, batch_size=64, schedule="OneCycleLR", amount=epochs, seed=seed)
        run = plan.run(net)
        with torch.inference_mode():
            read = net.fitted(run)(torch.from_numpy(unseen)).argmax(1).numpy()
        facts["right"].append(float((read == labels).mean()))
        facts["seconds"].append(float(run.trace.last("seconds")))
        facts["parameters"] = net.size
        right, seconds = facts["right"][-1], facts["seconds"][-1]
        print(f"seed {seed}: {right:.2%} of {len(labels):,} unseen digits after {epochs} passes, {seconds:.1f} s")
    print(f"{len(y):,} digits of {X.shape[-1]} × {X.shape[-1]}, {net.size:,} parameters.")
    return facts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A small convolutional network on digits.")
    parser.add_argument("--mnist", dest="folder", help="folder with MNIST's four files")
    parser.add_argument("--seeds", type=int, default=1)
    main(**vars(parser.parse_args()))
