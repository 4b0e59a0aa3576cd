"""The three loops of every PyTorch tutorial, batch, stochastic and mini-batch, each beside its line of fallline.

The tutorial's task: a straight line, y = 5 + 4x + noise, learnt by one linear layer under the squared error. Each loop is written
as tutorials write it; fallline walks the same rows in the same order, and ends at the same bits. What it adds is what a
loop does not have: a trace, a reason to stop, resuming, and a word when it diverges.

Run it: python examples/torch_loops.py
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fallline import Net, Plan

EPOCHS, RATE, BATCH, ROWS = 5, 0.05, 16, 64
GIVEN = {"step": "SGD:fused=false", "rate": RATE, "amount": EPOCHS, "sampler": "in_order"}


def data():
    """x in [−1, 1], (64, 1), and y = 5 + 4x + noise."""
    chance = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(ROWS, 1, generator=chance) - 1
    return x, 5 + 4 * x + 0.1 * torch.randn(ROWS, 1, generator=chance)


def line():
    """The model, the same weights every time."""
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def batch(x, y):
    """Batch gradient descent: all rows at every step."""
    model, criterion = line(), nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    return model


def stochastic(x, y):
    """Stochastic gradient descent: one row at every step."""
    model, criterion = line(), nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for i in range(len(x)):
            optimizer.zero_grad()
            loss = criterion(model(x[i : i + 1]), y[i : i + 1])
            loss.backward()
            optimizer.step()
    return model


def mini_batch(x, y):
    """Mini-batch gradient descent by a DataLoader."""
    model, criterion = line(), nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for inputs, targets in DataLoader(TensorDataset(x, y), batch_size=BATCH):
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
    return model


def main():
    """Walk each both ways; returns the facts."""
    x, y = data()
    net, loader = Net(line(), (x, y)), Net(line(), DataLoader(TensorDataset(x, y), batch_size=BATCH))
    pairs = {
        "batch": (batch(x, y), Plan(variant="batch", **GIVEN).run(net)),
        "stochastic": (stochastic(x, y), Plan(variant="stochastic", **GIVEN).run(net)),
        "mini-batch": (mini_batch(x, y), Plan(variant="mini-batch", **GIVEN).run(loader)),
    }
    facts = {}
    for name, (model, run) in pairs.items():
        theirs = [tensor.item() for tensor in model.parameters()]
        facts[name] = {
            "torch": theirs,
            "fallline": run.w.tolist(),
            "updates": run.state.t,
            "loss": run.trace.last("loss"),
        }
        same = "the loop's to the bit" if theirs == run.w.tolist() else f"where the loop has {theirs}"
        slope, start = facts[name]["fallline"]
        print(f"{name:<11} {run.state.t:4} updates: y = {start:.4f} + {slope:.4f}·x, {same}; {run.reason}")
    return facts


if __name__ == "__main__":
    main()
