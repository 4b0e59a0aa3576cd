"""Faults that are planted in a perceptron, a convolutional and a recurrent network on the digits of scikit-learn, gross and half.

Half strength is half way between sound and gross, in decades of what is wrong where it has an amount.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from fallline import Net
from fallline.torch.gauges import curvature

ROWS = 1200  # to learn from
SPIKED = [101, 707]  # rows
USUAL: dict[str, Any] = {"step": "adam", "rate": 3e-3, "batch_size": 32, "amount": 4.0}
KINDS = ("mlp", "cnn", "rnn")


class Recurrent(nn.Module):
    """Rows of a picture one after the other (or parts of them, `wide` pixels each), and what is left after the last of them."""

    def __init__(self, made: Callable[..., Any] = nn.GRU, wide: int = 8, **more: Any) -> None:
        super().__init__()
        self.wide = wide
        self.cell = made(wide, 32, batch_first=True, **more)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cell(x.reshape(len(x), -1, self.wide))[0][:, -1]


class Fault(NamedTuple):
    """accepted: symptoms that are right. plant: (kind, strength, seed) → (net, settings), None where it does not apply.

    harm: where it is a matter of degree, what shows it: the "end" of the run beside that of a sound network's, its "peak" beside
    that on sound rows, or its end beside the same with other settings, the cure.
    """

    accepted: tuple[str, ...]
    plant: Callable[[str, float, int], Any]
    harm: Any = ""


def layers(kind: str) -> list[nn.Module]:
    """A sound network."""
    if kind == "mlp":
        return [nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 10)]
    if kind == "cnn":
        return [
            nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(144, 10),
        ]  # fmt: skip
    return [Recurrent(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)]


def digits(seed: int) -> tuple[Any, Any, Any, Any]:
    """Pictures and labels, to learn from and held out."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(X))
    X, y = torch.tensor(X[order] / 16).float(), torch.tensor(y[order])
    return X[:ROWS], y[:ROWS], X[ROWS:], y[ROWS:]


def made(
    kind: str, seed: int, change: Callable[[nn.Sequential], Any] | None = None, *, data: Any = None, parts: Any = None
) -> Net:
    """The network of a kind, with what is to be changed about it."""
    module = nn.Sequential(*(parts or layers(kind)))
    torch.manual_seed(seed)
    for part in module.modules():  # whoever made the parts: the seed alone says what they begin with
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    if change is not None:
        with torch.no_grad():
            module = change(module) or module
    X, y, U, v = data or digits(seed)
    return Net(module, (X, y), validation=(U, v))


def weights(module: nn.Module) -> list[torch.Tensor]:
    return [tensor for tensor in module.parameters() if tensor.ndim > 1]


def vanishing(kind: str, strength: float, seed: int) -> Any:
    depth = 10 if strength == 1.0 else 6
    squash = [nn.Sigmoid() if kind != "rnn" else nn.Tanh()]
    if kind == "cnn":
        parts = [nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3, padding=1)]
        parts += [one for _ in range(depth) for one in (*deepcopy(squash), nn.Conv2d(8, 8, 3, padding=1))]
        return made(kind, seed, parts=[*parts, nn.Flatten(), nn.Linear(512, 10)]), {}
    if kind == "rnn":
        parts = [Recurrent(nn.RNN, num_layers=depth // 2), nn.Linear(32, 10)]
        return made(
            kind, seed, lambda module: [tensor.mul_(0.1) for tensor in module[0].parameters()] and None, parts=parts
        ), {}
    parts = [nn.Linear(64, 48), *(one for _ in range(depth) for one in (*deepcopy(squash), nn.Linear(48, 48)))]
    return made(kind, seed, parts=[*parts, nn.Sigmoid(), nn.Linear(48, 10)]), {}


def exploding(kind: str, strength: float, seed: int) -> Any:
    times = {"mlp": 30.0, "cnn": 30.0, "rnn": 12.0}[kind] ** (1.0 if strength == 1.0 else 0.6)
    parts = [Recurrent(nn.RNN, nonlinearity="relu"), nn.Linear(32, 10)] if kind == "rnn" else None
    return made(kind, seed, lambda module: [tensor.mul_(times) for tensor in weights(module)] and None, parts=parts), {}


def dead(kind: str, strength: float, seed: int) -> Any:
    def change(module: nn.Sequential) -> None:
        first = next(one for k, one in enumerate(module) if isinstance(module[min(k + 1, len(module) - 1)], nn.ReLU))
        first.bias[: round(len(first.bias) * (1.0 if strength == 1.0 else 0.65))] = -30.0

    return made(kind, seed, change), {}


def bad_start(kind: str, strength: float, seed: int) -> Any:
    X, y, _, _ = digits(seed)

    def change(module: nn.Sequential) -> None:
        while functional.cross_entropy(module(X), y) < 10.0**strength * np.log(10.0):
            module[-1].weight.mul_(1.2)

    return made(kind, seed, change), {}


def rate(times: float, step: str = "adam", sound: float = 3e-3) -> Callable[[str, float, int], Any]:
    return lambda kind, strength, seed: (made(kind, seed), {"step": step, "rate": sound * times**strength})


def edge(kind: str, strength: float, seed: int) -> Any:
    net = made(kind, seed)
    limit = 2.0 * 1.9 / curvature(net, net.start())
    return net, {"step": "momentum", "variant": "batch", "batch_size": None, "amount": 100.0,
                 "rate": limit * (4.0 if strength == 1.0 else 2.0)}  # fmt: skip


class Root(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 0, x.sqrt(), 0.0 * x)


class Unit(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 4.0 * x / x.norm(dim=1, keepdim=True)


def not_a_number(kind: str, strength: float, seed: int) -> Any:
    X, y, U, v = digits(seed)
    if strength < 1.0:  # one row without a length
        X[37] = 0.0
        return made(kind, seed, data=(X, y, U, v), parts=[Unit(), *layers(kind)]), {}
    parts = layers(kind)
    return made(kind, seed, parts=[*parts[:-1], nn.Linear(parts[-1].in_features, 16), Root(), nn.Linear(16, 10)]), {}


def spike(kind: str, strength: float, seed: int) -> Any:
    X, y, U, v = digits(seed)
    X[SPIKED] *= -(1e5**strength)
    unbounded = [Recurrent(nn.RNN, nonlinearity="relu"), *layers(kind)[1:]]  # gates would make any row harmless
    return made(kind, seed, data=(X, y, U, v), parts=unbounded if kind == "rnn" else None), {"rate": 1e-3}


def clipping(kind: str, strength: float, seed: int) -> Any:
    if kind != "rnn":
        return None
    parts = [Recurrent(nn.RNN, 4, nonlinearity="relu"), nn.Linear(32, 10)]

    def change(module: nn.Sequential) -> None:
        module[0].cell.weight_hh_l0.mul_(2.0**strength)

    return made(kind, seed, change, parts=parts), {"step": "momentum", "rate": 0.1}


def cold(kind: str, strength: float, seed: int) -> Any:
    """Six layers for one epoch at a rate that they bear once they have begun. Perceptrons and gates gain nothing by it."""
    if kind != "cnn":
        return None
    parts = layers(kind)[:2]
    parts += [one for _ in range(4) for one in (nn.GELU(), nn.Conv2d(8, 8, 3, padding=1))]
    parts += [nn.GELU(), nn.Flatten(), nn.Linear(512, 10)]
    return made(kind, seed, parts=parts), {"rate": 0.04 if strength == 1.0 else 0.03, "amount": 1.0}


def softmax(kind: str, strength: float, seed: int) -> Any:
    return (made(kind, seed, parts=[*layers(kind), nn.Softmax(1)]), {}) if strength == 1.0 else None


def labels(kind: str, strength: float, seed: int) -> Any:
    X, y, U, v = digits(seed)
    chance = np.random.default_rng(seed)
    for part in (y, v):
        chosen = np.flatnonzero(chance.random(len(part)) < (1.0 if strength == 1.0 else 0.95))
        part[chosen] = part[chance.permutation(chosen)]
    return made(kind, seed, data=(X, y, U, v)), {}


class Times(nn.Module):
    def __init__(self, times: float) -> None:
        super().__init__()
        self.times = times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.times * torch.tanh(x)


def unfit(kind: str, strength: float, seed: int) -> Any:
    parts = [Times(0.0), *layers(kind)] if strength == 1.0 else [*layers(kind), Times(0.1)]
    return made(kind, seed, parts=parts), {}


def frozen(kind: str, strength: float, seed: int) -> Any:
    def change(module: nn.Sequential) -> None:
        named = list(module.parameters())
        for tensor in named[:-2] if strength == 1.0 else named[:1]:
            tensor.requires_grad_(False)

    return made(kind, seed, change), {}


class Asleep(nn.BatchNorm1d):
    def train(self, mode: bool = True) -> Any:
        return super().train(False)


def modes(kind: str, strength: float, seed: int) -> Any:
    parts, size = layers(kind), 10
    norm = Asleep(size) if strength == 1.0 else nn.BatchNorm1d(size, track_running_stats=False)
    return made(kind, seed, parts=[*parts, norm]), {}


class Drops(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.dropout(x, self.p)


def drops(kind: str, strength: float, seed: int) -> Any:
    parts = layers(kind)
    return made(kind, seed, parts=[*parts[:-1], Drops(0.5 if strength == 1.0 else 0.1), parts[-1]]), {}


def overfitting(kind: str, strength: float, seed: int) -> Any:
    X, y, U, v = digits(seed)
    chance = np.random.default_rng(seed)
    for part in (y, v):
        chosen = np.flatnonzero(chance.random(len(part)) < (0.4 if strength == 1.0 else 0.2))
        part[chosen] = torch.from_numpy(chance.integers(10, size=len(chosen)))
    rows = 300
    return made(kind, seed, data=(X[:rows], y[:rows], U, v)), {"amount": 60.0}


def batch(size: int, **settings: Any) -> Callable[[str, float, int], Any]:
    def plant(kind: str, strength: float, seed: int) -> Any:
        return made(kind, seed), {"batch_size": round(32 * (size / 32) ** strength), **settings}

    return plant


SOME = ("net_too_high", "net_edge")  # whose advice is a lower rate, as is that of units which die on the way
FAULTS = {
    "vanishing": Fault(("net_vanishing",), vanishing),
    "exploding": Fault(("net_exploding", "net_bad_start"), exploding),
    "dead units": Fault(("net_dead",), dead),
    "bad initialisation": Fault(("net_bad_start", "net_exploding"), bad_start),
    "rate too high, Adam": Fault((*SOME, "net_dead"), rate(100.0), "end"),
    "rate too high, SGD": Fault((*SOME, "net_dead"), rate(100.0, "momentum", 0.03), "end"),
    "rate too low": Fault(("net_too_low",), rate(1e-3), "end"),
    "beyond the edge": Fault(SOME, edge, "end"),
    "not a number": Fault(("net_not_a_number",), not_a_number),
    "spike": Fault(("net_spike",), spike, "peak"),
    "clipping": Fault(("net_clipping",), clipping, {"clip_norm": 1.0}),
    "warm-up missing": Fault(("net_warm_up",), cold, {"warmup": 10}),
    "softmax twice": Fault(("net_softmax_twice",), softmax),
    "labels": Fault(("net_labels",), labels),
    "cannot fit a batch": Fault(("net_one_batch", "net_softmax_twice"), unfit),
    "frozen": Fault(("net_frozen",), frozen),
    "mode": Fault(("net_mode",), modes),
    "dropout in evaluation": Fault(("net_drops",), drops),
    "overfitting": Fault(("net_overfitting",), overfitting),
    "batch too small": Fault(("net_batch",), batch(1, rate=0.01, amount=2.0), {"batch_size": 32}),
    "batch too large": Fault(("net_batch",), batch(600), "end"),
}
SOUND: dict[str, Any] = {
    "Adam": {}, "SGD": {"step": "momentum", "rate": 0.03},
    "default": {"step": "auto", "rate": None, "batch_size": None, "amount": 6.0},
    "cosine": {"schedule": "cosine", "warmup": 10, "rate": 5e-3},
}  # fmt: skip
