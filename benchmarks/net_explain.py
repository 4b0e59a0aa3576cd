"""Findings on networks held to planted faults: recall by symptom, precision, and false alarms on sound runs.

    python benchmarks/net_explain.py [--quick] [setting] [kind …] [fault …]

Every plant of net_faults.py comes gross and at half strength, in a perceptron (mlp), a convolutional (cnn) and a recurrent
network (rnn); one that does no harm where that is a matter of degree is taken out and counted. Thresholds were set on seed 0
(`setting`, which keeps nothing) and 100 to 102, and frozen; the figures are of other seeds. A finding is right if the plant
accepts it; precision is of first findings; an alarm is any finding on a sound run.

What was measured is kept in results/net_explain, a file a kind and fault, so that a run which was cut off goes on, and the
summary speaks of all that is kept. A fault that is named is measured again.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fallline import Net, Plan
from fallline.files import write_whole
from net_faults import FAULTS, KINDS, SOUND, SPIKED, USUAL, digits, layers, made
from targets import Target
from text import wanted

KEPT = Path(__file__).resolve().parent / "results" / "net_explain"
SEEDS, HEALTHY = (3, 4), tuple(range(2000, 2006))
HARM, PEAK = 1.25, 1.5  # times the sound run's loss at the end, and of a step


def told(name: str, kind: str, strength: float, seed: int) -> dict[str, Any] | None:
    """What is found where that was planted; None where it cannot be."""
    planted = FAULTS[name].plant(kind, strength, seed)
    if planted is None:
        return None
    net, settings = planted
    run = Plan(**{**USUAL, "seed": seed, **settings}).run(net)
    harm = True
    if FAULTS[name].harm:
        harm = harmed(FAULTS[name].harm, run, kind, seed)
    began = time.perf_counter()
    found = run.explain()
    right = [one.symptom in FAULTS[name].accepted for one in found]
    return {
        "fault": name, "kind": kind, "strength": strength, "seed": seed, "harm": harm, "found": [one.symptom for one in found],
        "right": right, "refuted": [one.symptom for one in found.refuted], "seconds": time.perf_counter() - began,
    }  # fmt: skip


def harmed(how: Any, run: Any, kind: str, seed: int) -> bool:
    """Whether it did worse than a sound walk: at the end, than the usual one over no more rows, or than the same one with the
    cure; at the planted rows' steps, than the same one on the rows as they were, by more than elsewhere.
    """
    if how != "peak":
        usual = Plan(**{**USUAL, "seed": seed, "amount": min(USUAL["amount"], run.plan.amount)})
        other = usual.run(made(kind, seed)) if how == "end" else replace(run.plan, **how).run(run.objective)
        ends = [one.objective.probing(one).loss(one.state.w) for one in (run, other)]
        return not ends[0] <= HARM * ends[1]
    net = Net(run.objective.probing(run).module(), digits(seed)[:2])
    losses, others = (one.trace.steps["loss"] for one in (run, run.plan.run(net)))
    replay = run.objective.probing(run).replay
    planted = [k for k in range(len(losses)) if np.isin(SPIKED, replay.batch(k + 1)).any()]
    worse = losses / others
    return not (worse[planted] <= PEAK * np.median(worse)).all()


def sound(name: str, kind: str, seed: int) -> dict[str, Any]:
    """What is found on a sound run: every finding is a false alarm."""
    parts = layers(kind)
    if name == "cosine":  # with dropout and batch norm
        parts = [*parts[:-1], nn.BatchNorm1d(parts[-1].in_features), nn.Dropout(0.2), parts[-1]]
    run = Plan(**{**USUAL, "seed": seed, **SOUND[name]}).run(made(kind, seed, parts=parts))
    found = run.explain()
    return {
        "fault": "", "kind": kind, "setting": name, "seed": seed, "harm": False, "found": [one.symptom for one in found],
        "refuted": [one.symptom for one in found.refuted],
    }  # fmt: skip


def main(quick: bool = False, words: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Run what is not kept yet, or what is named; print all that is kept."""
    threads, setting, began = torch.get_num_threads(), "setting" in words, time.perf_counter()
    torch.set_num_threads(1)
    faults = [name for name in (*FAULTS, *SOUND) if name in words]
    kinds = [kind for kind in KINDS if kind in words] or list(KINDS[: 1 if quick else None])
    passing = quick or setting
    records: list[dict[str, Any]] = []
    names = faults or ([*FAULTS][::5] + [*SOUND][:1] if quick else [*FAULTS, *SOUND])
    for kind in kinds:
        for name in names:
            path = KEPT / f"{kind}-{name.replace(', ', '-').replace(' ', '-')}.json"
            if path.exists() and not passing and not faults:
                continue
            found = list(measured(name, kind, passing))
            for one in found if passing else ():
                print(
                    f"{name:22s}{kind} {one.get('strength', '')} {one['harm']} {one['found']} {one['refuted']}",
                    flush=True,
                )
            records += found
            if not passing:
                KEPT.mkdir(parents=True, exist_ok=True)
                write_whole(path, json.dumps(found, indent=1) + "\n")
                print(f"{kind}, {name}: {len(found)} runs, {time.perf_counter() - began:.0f} s", flush=True)
    torch.set_num_threads(threads)
    if not passing:
        records = [one for path in sorted(KEPT.glob("*.json")) for one in json.loads(path.read_text("utf-8"))]
    print("\n" + "\n".join(summary(records)))
    return records


def measured(name: str, kind: str, passing: bool) -> Iterator[dict[str, Any]]:
    """A fault at both strengths, or a setting of sound runs: on the seeds that count, or `passing` on those that do not."""
    if name in SOUND:
        yield from (sound(name, kind, seed) for seed in ((100,) if passing else HEALTHY))
        return
    for strength in (1.0, 0.5):
        for seed in (0,) if passing else SEEDS:
            one = told(name, kind, strength, seed)
            if one is not None:
                yield one


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
