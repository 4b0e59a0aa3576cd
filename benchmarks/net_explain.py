"""Findings on networks held to planted faults: recall by symptom, precision, and false alarms on sound runs.

    python benchmarks/net_explain.py [--quick] [setting]

Perceptron, convolutional and recurrent network on the digits of scikit-learn. Every plant comes gross and at half strength (half
way between sound and gross, in decades of what is wrong); a plant that does no harm where that is a matter of degree is
taken out and counted. Thresholds were set on seed 0 (`setting`) and frozen; the figures are of other seeds. A finding is
right if the plant accepts it; precision is of first findings; an alarm is any finding on a sound run.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from fallline import Net, Plan
from fallline.files import write_whole
from fallline.torch.gauges import curvature
from targets import Target
from text import wanted

KEPT = Path(__file__).resolve().parent / "results" / "net_explain.json"
ROWS, SEEDS, HEALTHY = 1200, (1, 2), 5
USUAL: dict[str, Any] = {"step": "adam", "rate": 3e-3, "batch_size": 32, "amount": 4.0}
KINDS = ("mlp", "cnn", "rnn")


class Recurrent(nn.Module):
    """Rows of a picture one after the other, and what is left after the last of them."""

    def __init__(self, made: Callable[..., Any] = nn.GRU, **more: Any) -> None:
        super().__init__()
        self.cell = made(8, 32, batch_first=True, **more)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cell(x.reshape(-1, 8, 8))[0][:, -1]


class Fault(NamedTuple):
    """accepted: symptoms that are right. plant: (kind, strength, seed) → (net, settings), None where it does not apply."""

    accepted: tuple[str, ...]
    plant: Callable[[str, float, int], Any]
    degree: bool = False  # whether harm is to be shown


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
    torch.manual_seed(seed)
    module = nn.Sequential(*(parts or layers(kind)))
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
    times = {"mlp": 30.0, "cnn": 30.0, "rnn": 8.0}[kind] ** (1.0 if strength == 1.0 else 0.6)
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
    X[[101, 707]] *= -(300.0**strength)
    return made(kind, seed, data=(X, y, U, v)), {"rate": 1e-3}


def clipping(kind: str, strength: float, seed: int) -> Any:
    if kind != "rnn":
        return None

    def change(module: nn.Sequential) -> None:
        module[0].cell.weight_hh_l0.mul_(2.6 if strength == 1.0 else 2.0)

    return made(kind, seed, change, parts=[Recurrent(nn.RNN, nonlinearity="relu"), nn.Linear(32, 10)]), {
        "step": "momentum",
        "rate": 0.02,
    }


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


def batch(size: int, amount: float) -> Callable[[str, float, int], Any]:
    def plant(kind: str, strength: float, seed: int) -> Any:
        return made(kind, seed), {"batch_size": round(32 * (size / 32) ** strength), "amount": amount}

    return plant


SOME = ("net_too_high", "net_edge")  # whose advice is a lower rate, as is that of units which die on the way
FAULTS = {
    "vanishing": Fault(("net_vanishing",), vanishing),
    "exploding": Fault(("net_exploding", "net_bad_start"), exploding),
    "dead units": Fault(("net_dead",), dead),
    "bad initialisation": Fault(("net_bad_start", "net_exploding"), bad_start),
    "rate too high, Adam": Fault((*SOME, "net_dead"), rate(100.0), True),
    "rate too high, SGD": Fault((*SOME, "net_dead"), rate(100.0, "momentum", 0.03), True),
    "rate too low": Fault(("net_too_low",), rate(1e-3), True),
    "beyond the edge": Fault(SOME, edge, True),
    "not a number": Fault(("net_not_a_number",), not_a_number),
    "spike": Fault(("net_spike",), spike),
    "clipping": Fault(("net_clipping", "net_exploding"), clipping, True),
    "softmax twice": Fault(("net_softmax_twice",), softmax),
    "labels": Fault(("net_labels",), labels),
    "cannot fit a batch": Fault(("net_one_batch", "net_softmax_twice"), unfit),
    "frozen": Fault(("net_frozen",), frozen),
    "mode": Fault(("net_mode",), modes),
    "dropout in evaluation": Fault(("net_drops",), drops),
    "overfitting": Fault(("net_overfitting",), overfitting),
    "batch too small": Fault(("net_batch",), batch(1, 1.0), True),
    "batch too large": Fault(("net_batch",), batch(600, 4.0), True),
}
SOUND: dict[str, Any] = {
    "Adam": {}, "SGD": {"step": "momentum", "rate": 0.03},
    "default": {"step": "auto", "rate": None, "batch_size": None, "amount": 6.0},
    "cosine": {"schedule": "cosine", "warmup": 10, "rate": 5e-3},
}  # fmt: skip


def told(name: str, kind: str, strength: float, seed: int) -> dict[str, Any] | None:
    """What is found where that was planted; None where it cannot be."""
    planted = FAULTS[name].plant(kind, strength, seed)
    if planted is None:
        return None
    net, settings = planted
    run = Plan(**{**USUAL, "seed": seed, **settings}).run(net)
    harm = True
    if FAULTS[name].degree:
        sound = Plan(**{**USUAL, "seed": seed}).run(made(kind, seed))
        tails = [one.trace.steps["loss"][-20:].mean() for one in (run, sound)]
        harm = bool(not tails[0] <= 1.25 * tails[1])
    began = time.perf_counter()
    found = run.explain()
    right = [one.symptom in FAULTS[name].accepted for one in found]
    return {
        "fault": name, "kind": kind, "strength": strength, "seed": seed, "harm": harm, "found": [one.symptom for one in found],
        "right": right, "refuted": [one.symptom for one in found.refuted], "seconds": time.perf_counter() - began,
    }  # fmt: skip


def sound(name: str, kind: str, seed: int) -> dict[str, Any]:
    """What is found on a sound run: every finding is a false alarm."""
    parts = layers(kind)
    if name == "cosine":  # with dropout and batch norm
        parts = [*parts[:-1], nn.BatchNorm1d(parts[-1].in_features), nn.Dropout(0.2), parts[-1]]
    run = Plan(**{**USUAL, "seed": seed, **SOUND[name]}).run(made(kind, seed, parts=parts))
    found = run.explain()
    return {"fault": "", "kind": kind, "setting": name, "seed": seed, "found": [one.symptom for one in found]}


def main(quick: bool = False, words: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Run the battery, print and keep it."""
    torch.set_num_threads(1)
    setting, began, records = "setting" in words, time.perf_counter(), []
    names = [name for name in FAULTS if name in words] or list(FAULTS)
    for name in [] if "sound" in words else names[:: 5 if quick else 1]:
        for strength in (1.0, 0.5):
            for kind in KINDS[:1] if quick else KINDS:
                for seed in (0,) if setting or quick else SEEDS:
                    one = told(name, kind, strength, seed)
                    records += [one] if one else []
                    if one and (setting or quick):
                        print(
                            f"{name:22s}{kind} {strength} {one['harm']} {one['found']} {one['refuted']}",
                            flush=True,
                        )
    for name in list(SOUND)[: 1 if quick else None] if names == list(FAULTS) else ():
        for kind in KINDS[:1] if quick else KINDS:
            for seed in range(100, 101) if setting or quick else range(1000, 1000 + HEALTHY + 1):
                records.append(sound(name, kind, seed))
                if records[-1]["found"]:
                    print(f"alarm: {name} {kind} {seed} {records[-1]['found']}", flush=True)
    print("\n" + "\n".join(summary(records)))
    print(f"{time.perf_counter() - began:.0f} s")
    if not (quick or setting or words):
        write_whole(KEPT, json.dumps(records, indent=1) + "\n")
    return records


def figures(records: list[dict[str, Any]]) -> dict[str, tuple[float, int]]:
    """Each figure of the issue: a share, and of how many."""
    harmful = [one for one in records if one["fault"] and one["harm"]]
    still = [one for one in records if not one["fault"]]
    firsts = [one["right"][0] for one in harmful if one["found"]] + [False for one in still if one["found"]]
    found = {
        "recall, gross": [any(one["right"]) for one in harmful if one["strength"] == 1.0],
        "recall, half": [any(one["right"]) for one in harmful if one["strength"] < 1.0],
        "precision": firsts,
        "sound runs with an alarm": [bool(one["found"]) for one in still],
    }
    return {name: (float(np.mean(values)) if values else float("nan"), len(values)) for name, values in found.items()}


def summary(records: list[dict[str, Any]]) -> list[str]:
    """By symptom, and the figures."""
    lines = [f"{'fault':24s}{'gross':>8s}{'half':>8s}{'harmless':>10s}   said instead"]
    by = defaultdict(list)
    for one in records:
        by[one["fault"]].append(one)
    for name in FAULTS:
        if not by[name]:
            continue
        parts = [
            [one for one in by[name] if one["harm"] and (one["strength"] == 1.0) is gross] for gross in (True, False)
        ]
        hits = [f"{sum(any(one['right']) for one in part)}/{len(part)}" for part in parts]
        wrong = Counter((one["found"] or ["nothing"])[0] for part in parts for one in part if not any(one["right"]))
        said = ", ".join(f"{what} ({count})" for what, count in wrong.items())
        harmless = sum(not one["harm"] for one in by[name])
        lines.append(f"{name:24s}{hits[0]:>8s}{hits[1]:>8s}{harmless:10d}   {said}")
    found = figures(records)
    lines += ["", *(f"{name:30s}{100 * share:6.1f} % of {count}" for name, (share, count) in found.items())]
    alarms = Counter(what for one in by[""] for what in one["found"])
    return [*lines, f"alarms on sound runs: {dict(alarms) or 'none'}"]


def targets(records: list[dict[str, Any]]) -> list[Target]:
    """The rows of the issue."""
    goals = {
        "recall, gross": (0.95, 1),
        "recall, half": (0.85, 1),
        "precision": (0.95, 1),
        "sound runs with an alarm": (0.03, -1),
    }
    found = figures(records)
    return [
        Target(
            f"explain networks: {name}", f"{'≥' if sign > 0 else '≤'} {100 * goal:.0f} %",
            f"{100 * found[name][0]:.1f} % of {found[name][1]}", bool(sign * found[name][0] >= sign * goal), "net_explain",
        )
        for name, (goal, sign) in goals.items()
    ]  # fmt: skip


if __name__ == "__main__":
    for target in targets(main(*wanted())):
        print(target)
