"""A recurrent network forecasts tomorrow's temperature from the last thirty days.

It must beat what everybody would say: as today (persistence), as the season has it (the mean of the days around the same date in
the years before), and a straight line through the last thirty days, fitted by fallline's solver. Without a file it makes up ten
years of a season with a disturbance that fades (`--file CSV` takes any with a date and a number, such as Melbourne's daily
minima, 1981 to 1990).

Run it: python examples/temperatures.py [--file CSV]
"""

import argparse
import csv

import numpy as np
import torch
from torch import nn

from fallline import GDRegressor, Net, Plan

DAYS, YEAR, UNSEEN = 30, 365, 2 * 365  # looked back on; in a year; the last two years


class Forecaster(nn.Module):
    """A GRU of 32 units over thirty days; it says by how much tomorrow will differ from today."""

    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x):
        """(rows, days, 1) → (rows, 1)."""
        return x[:, -1] + self.out(self.cell(x)[0][:, -1])


def made_up(seed=0):
    """Ten years: a season, and what a day keeps of the one before, in degrees."""
    chance = np.random.default_rng(seed)
    noise = np.zeros(10 * YEAR)
    for day in range(1, len(noise)):
        noise[day] = 0.6 * noise[day - 1] + 2.4 * chance.standard_normal()
    return 11 + 4 * np.cos(2 * np.pi * np.arange(len(noise)) / YEAR) + noise


def read(path):
    """The second column."""
    with open(path, newline="") as file:
        return np.array([float(row[1]) for row in list(csv.reader(file))[1:]])


def miss(said, true):
    """Root of the mean squared miss, in degrees."""
    return float(np.sqrt(np.mean((np.ravel(said) - true) ** 2)))


def season(degrees, day):
    """The mean of the days within a week of the same date in the years before."""
    return np.mean([degrees[k] for year in range(day - YEAR, 7, -YEAR) for k in range(year - 7, year + 8)])


def main(file=None, epochs=15):
    """Fit, forecast, and say by how much each misses; returns the facts."""
    degrees = read(file) if file else made_up()
    first = len(degrees) - UNSEEN
    middle, scale = degrees[:first].mean(), degrees[:first].std()
    rows = np.lib.stride_tricks.sliding_window_view((degrees - middle) / scale, DAYS)[:-1]
    X, y, true = rows.astype(np.float32), ((degrees[DAYS:] - middle) / scale).astype(np.float32), degrees[first:]
    train, unseen = slice(0, first - DAYS), slice(first - DAYS, None)
    torch.manual_seed(0)
    net = Net(Forecaster(), (X[train, :, None], y[train, None]))
    run = Plan(step="adam", rate=3e-3, batch_size=64, schedule="cosine", amount=epochs).run(net)
    with torch.inference_mode():
        said = net.fitted(run)(torch.from_numpy(X[unseen, :, None])).numpy()
    line = GDRegressor(alpha=1e-6).fit(X[train], y[train]).predict(X[unseen])
    facts = {
        "GRU": miss(said * scale + middle, true),
        "line": miss(line * scale + middle, true),
        "as today": miss(degrees[first - 1 : -1], true),
        "as the season": miss([season(degrees, day) for day in range(first, len(degrees))], true),
    }
    print(f"{len(degrees):,} days, the last {UNSEEN} unseen; a GRU of {net.size:,} parameters, {epochs} passes.")
    print(
        "It misses tomorrow's temperature by "
        + ", ".join(f"{value:.2f}° ({name})" for name, value in facts.items())
        + "."
    )
    return facts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Tomorrow's temperature from the last thirty days.")
    parser.add_argument("--file", help="a CSV file with a date and a number")
    main(**vars(parser.parse_args()))
