"""Forecasts held to the runs: excess at checkpoints, updates to a target, band, stable and working limits, cost.

    python benchmarks/forecast.py [--quick] [--held] [table …]

Each table, raw and standardised, with a loss that fits it (least squares, Huber, logistic, Poisson; lambda = 1/n; targets of the
first two standardised), at most ROWS rows drawn from it. For every setting one forecast and SEEDS runs that it knows nothing of.
Checkpoints are log-spaced from update 3 on, and count where the mean of the runs is above 1e-4 of the excess at the start. A
target is 1 % of the start or, where the runs do not get there, twice what they end at; it is read off their mean. `3 seeds` is
what three of the runs say of the others: what repeating the experiment is worth. The working limit is where the floor of real
runs from the optimum, at five rates around the forecast one, crosses a tenth of the start's excess.
"""

import sys
import time
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np

from fallline import Linear, Plan
from fallline.errors import InputError
from fallline.forecast.ahead import forecast_of
from fallline.forecast.ground import Ground, ground_of
from fallline.losses import Huber, LogLoss, Poisson, SquaredError
from fallline.penalties import L2
from sets import table
from targets import Target
from text import wanted

Array = np.ndarray[Any, Any]

LOSSES = {"least squares": SquaredError(), "Huber": Huber(), "logistic": LogLoss(), "Poisson": Poisson()}
PAIRS = [
    *(
        (name, "least squares")
        for name in ("diabetes", "California", "red wine", "white wine", "abalone", "bike, hours", "linnerud")
    ),
    *((name, "Huber") for name in ("diabetes", "California", "red wine", "white wine", "abalone")),
    *((name, "logistic") for name in ("breast cancer", "adult", "titanic", "Elec2", "HTRU2")),
    *((name, "Poisson") for name in ("bike, hours", "bike, days", "doctor visits", "abalone", "car insurance")),
]
HELD = [
    *((name, "least squares") for name in ("digits", "wine")),
    *((name, "Huber") for name in ("digits", "iris")),
    *((name, "logistic") for name in ("mushrooms", "KDD'99")),
    ("digits", "Poisson"),
]
ROWS, SEEDS, PASSES, BATCH_STEPS = 2000, 12, 8, 1000
SPARED = 500  # the forecast's runs begin at this seed: nothing else draws from there
POINTS, LEAST = 10, 1e-4  # checkpoints of a run, and the share of the start below which none counts
FLOOR_PASSES, AROUND = 60, (0.5, 0.71, 1.0, 1.41, 2.0)
NEAR = (0.98, 1.02)  # of the stable limit: runs must settle at the first and not at the second


def settings(quick: bool) -> list[dict[str, Any]]:
    """Of each pair: shares of the stable or working limit, and what else a plan says."""
    made: list[dict[str, Any]] = [
        {"variant": "batch", "step": step, "share": share}
        for step in ("plain", "momentum", "nesterov")
        for share in ((0.5,) if quick else (0.1, 0.5, 0.9))
    ]
    for size in (1, 8, 64) if quick else (1, 8, 64, 256):
        made += [{"batch_size": size, "share": share} for share in ((0.3,) if quick else (0.1, 0.3, 1.0))]
    made += [{"batch_size": 8, "share": 0.3, "schedule": name} for name in ("cosine", "inverse_sqrt", "inverse_time")]
    made += [{"batch_size": 8, "share": 0.3, "step": step} for step in ("momentum", "nesterov")]
    return [*made, {"batch_size": 8, "share": 0.3, "sampler": "with_replacement"}]


def main(quick: bool = False, tables: tuple[str, ...] = (), held: bool = False) -> dict[str, Any]:
    """Print the tables."""
    found: dict[str, Any] = defaultdict(list)
    runs, refused = 0, []
    for name, kind in HELD if held else PAIRS:
        for raw in (False, True):
            if tables and name not in tables:
                continue
            text, began = f"{name}, {kind}, {'raw' if raw else 'standardised'}", time.perf_counter()
            try:
                objective = objective_of(name, kind, raw, 1000 if quick else ROWS)
                ground, cost = timed(lambda objective=objective: ground_of(objective))
            except (InputError, FileNotFoundError) as error:
                refused.append(f"{text}: {error}")
                continue
            made, walked = 0, 0.0
            for setting in settings(quick):
                more, seconds = one(objective, ground, kind, setting, found)
                made, walked = made + more, walked + seconds
            made += limits(objective, ground, kind, quick, found)
            runs += made
            found["cost"].append(cost)
            print(
                f"{text:44s}{made:6d} runs  ground {cost * 1e3:6.0f} ms  {time.perf_counter() - began:6.1f} s",
                flush=True,
            )
    print("\n" + "\n".join([*summary(found), f"{runs:,} runs; left out: {'; '.join(refused) or 'none'}"]))
    found["runs"].append(runs)
    return dict(found)


def objective_of(name: str, kind: str, raw: bool, rows: int) -> Linear:
    """A part of a table under a loss."""
    X, y = table(name)
    rng = np.random.default_rng(0)
    some = np.sort(rng.choice(len(y), rows, replace=False)) if len(y) > rows else np.arange(len(y))
    X, y = np.asarray(X[some], float), y[some]
    if kind in ("least squares", "Huber"):
        y = (y - y.mean()) / y.std()
    if not raw:
        spread = X.std(axis=0)
        X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return Linear(X, y, LOSSES[kind], L2(1.0 / len(y)))


def timed(work: Any) -> tuple[Any, float]:
    """What it gave, and CPU seconds of this thread."""
    work()
    start = time.thread_time()
    out = work()
    return out, time.thread_time() - start


def one(
    objective: Linear, ground: Ground, kind: str, setting: dict[str, Any], found: dict[str, Any]
) -> tuple[int, float]:
    """Forecast a setting, run it, and note how they compare; how many runs there were."""
    share, rest = setting["share"], {name: value for name, value in setting.items() if name != "share"}
    batch = rest.get("variant") == "batch"
    steps = BATCH_STEPS if batch else max(4, PASSES * -(-objective.n // rest["batch_size"]))
    plan = Plan(**{"step": "plain", "variant": "mini-batch", "rate": 1.0, "budget": "updates", "amount": steps, **rest})
    rates = forecast_of(objective, replace(plan, rate=1e-12), ground=ground).rates
    plan = replace(plan, rate=share * (rates.batch if batch else min(rates.working, rates.batch)))
    start = time.thread_time()
    ahead = forecast_of(objective, plan, ground=ground)
    found["forecast seconds"].append(time.thread_time() - start)
    seeds = range(1 if batch else SEEDS)
    t, runs = walked(objective, plan, seeds)
    runs = runs - ahead.optimum
    group = f"{kind}, {'batch' if batch else 'mini-batch'}"
    mean, first = runs.mean(axis=0), runs[:, 0].mean()
    said = np.maximum(ahead.at(t) - ahead.optimum, 1e-300)
    if not batch:
        points = checkpoints(t, mean / first)
        found[f"excess | {group}"] += (said[points] / mean[points]).tolist()
        others = runs[3:].mean(axis=0)
        found[f"excess, 3 seeds | {group}"] += (runs[:3].mean(axis=0)[points] / others[points]).tolist()
        deviation = np.interp(np.log1p(t), np.log1p(ahead.t), ahead.deviation)[points]
        middle = np.log(said[points]) - 0.5 * deviation**2
        inside = np.abs(np.log(np.maximum(runs[:, points], 1e-300)) - middle) <= 1.2815515655446004 * deviation
        found[f"band | {group}"] += inside.ravel().tolist()
    level = max(0.01 * first, 2.0 * mean[-1]) if not batch else 0.01 * first
    real, ours = crossing(t, mean, level), crossing(t, said, level) if batch else arrival(ahead, level)
    if np.isfinite(real) and real >= 3 and level < 0.5 * first:
        found[f"updates | {group}"].append(ours / real)
        if not batch:
            found[f"updates, 3 seeds | {group}"].append(
                crossing(t, runs[:3].mean(axis=0), level) / crossing(t, runs[3:].mean(axis=0), level)
            )
    elif batch and not np.isfinite(real):
        found[f"never | {group}"].append(bool(not np.isfinite(ours)))
    return len(seeds), 0.0


def walked(objective: Linear, plan: Plan, seeds: range) -> tuple[Array, Array]:
    """Looks in updates, and the loss of each seed there."""
    looks = 1 if plan.variant == "batch" else 8
    traces = [replace(plan, seed=SPARED + seed).run(objective, looks=looks).trace for seed in seeds]
    shortest = min(len(trace) for trace in traces)
    return traces[0]["t"][:shortest].astype(float), np.array([trace["loss"][:shortest] for trace in traces])


def checkpoints(t: Array, share: Array) -> Array:
    """Log-spaced looks from update 3 on at which the runs are still far enough from rounding."""
    wanted_ = np.geomspace(max(3.0, t[1]), t[-1], POINTS)
    points = np.unique(np.abs(np.log(np.maximum(t, 0.5))[:, None] - np.log(wanted_)).argmin(axis=0))
    return points[(share[points] > LEAST) & (t[points] >= 3)]


def crossing(t: Array, excess: Array, level: float) -> float:
    """When a curve first comes down to a level."""
    below = np.flatnonzero(excess <= level)
    if not len(below) or below[0] == 0:
        return np.inf
    k = int(below[0])
    high, low = np.log(excess[k - 1]), np.log(max(excess[k], 1e-300))
    return float(t[k - 1] + (t[k] - t[k - 1]) * (high - np.log(level)) / (high - low))


def arrival(ahead: Any, level: float) -> float:
    """The same of a forecast."""
    return float(ahead.updates_to(level / ahead.excess[0]))


def limits(objective: Linear, ground: Ground, kind: str, quick: bool, found: dict[str, Any]) -> int:
    """The stable limit near the optimum, and the working limit, against runs; how many."""
    runs = 0
    top = ground.limits.vectors[:, -1]
    for step in ("plain", "momentum", "nesterov"):
        limit = forecast_of(objective, step=step, variant="batch", rate=1e-12, ground=ground).rates.batch
        grew = []
        for share in NEAR:
            plan = Plan(step=step, variant="batch", rate=share * limit, budget="updates", amount=600)
            near = ground.w + 1e-3 * top / np.sqrt(ground.limits.values[-1])
            loss = plan.run(objective, looks=1, start=near).trace["loss"] - ground.value
            grew.append(bool(not np.isfinite(loss[-1]) or loss[-1] > loss[0]))
            runs += 1
        found[f"limit | {kind}"].append(grew == [False, True])
    for size in (8,) if quick else (1, 8, 64):
        plan = Plan(step="plain", variant="mini-batch", batch_size=size, rate=1e-12, amount=FLOOR_PASSES)
        ahead = forecast_of(objective, plan, ground=ground)
        if ahead.rates.working >= 0.99 * ahead.rates.batch:
            continue
        shares = []
        for factor in AROUND:
            ends = []
            for seed in range(3):
                plan = replace(plan, rate=factor * ahead.rates.working, seed=SPARED + seed)
                trace = plan.run(objective, looks=1, start=ground.w).trace
                loss = trace["loss"][len(trace) // 2 :]
                ends.append(np.mean(loss) - ahead.optimum if not trace.about.get("diverged") else np.inf)
                runs += 1
            shares.append(float(np.mean(ends)) / ahead.excess[0])
        shares_ = np.maximum.accumulate(np.nan_to_num(np.array(shares), nan=np.inf, posinf=1e30))
        if shares_[0] > 0.1:
            ratio = 1.0 / (AROUND[0] * 0.99)  # the real limit is below all rates tried
        elif shares_[-1] < 0.1:
            ratio = 1.0 / (AROUND[-1] * 1.01)
        else:
            ratio = 1.0 / float(np.exp(np.interp(np.log(0.1), np.log(shares_), np.log(AROUND))))
        found[f"working | {kind}"].append(ratio)
    return runs


def within(ratios: list[float], factor: float) -> float:
    """The share of ratios within a factor of one."""
    values = np.asarray(ratios, float)
    return float(np.mean((values <= factor) & (values >= 1.0 / factor))) if len(values) else float("nan")


def summary(found: dict[str, Any]) -> list[str]:
    """The table."""
    lines = [f"{'share within':44s}{'count':>8s}{'1.05 ×':>9s}{'1.25 ×':>9s}{'1.5 ×':>9s}{'2 ×':>9s}"]
    for key in sorted(found):
        if key.split(" |")[0] in ("excess", "excess, 3 seeds", "updates", "updates, 3 seeds", "working"):
            shares = [f"{100 * within(found[key], factor):.0f} %" for factor in (1.05, 1.25, 1.5, 2.0)]
            lines.append(f"{key:44s}{len(found[key]):8d}" + "".join(f"{share:>9s}" for share in shares))
    lines.append("")
    for key in sorted(found):
        if key.split(" |")[0] in ("band", "limit", "never"):
            lines.append(f"{key:44s}{len(found[key]):8d}{100 * np.mean(found[key]):8.0f} %")
    for key in ("cost", "forecast seconds"):
        values = np.array(found[key]) * 1e3
        lines.append(
            f"{key}: median {np.median(values):.0f} ms, 90 % under {np.quantile(values, 0.9):.0f} ms of a thread's CPU"
        )
    return lines


def gathered(found: dict[str, Any], what: str, kinds: tuple[str, ...] = tuple(LOSSES)) -> list[Any]:
    """All values of `what` over some losses."""
    return [
        value for key in found for value in found[key] if key.startswith(f"{what} |") and any(k in key for k in kinds)
    ]


def targets(found: dict[str, Any]) -> list[Target]:
    """The rows of the issue."""
    three, rows = ("least squares", "Huber", "logistic"), []

    def row(what: str, goal: str, shares: list[tuple[float, float]]) -> None:
        reached = " · ".join(f"{100 * share:.0f} %" for share, _ in shares)
        rows.append(
            Target(f"forecast: {what}", goal, reached, all(share >= least for share, least in shares), "forecast")
        )

    batch = [value for key in found if key.startswith("updates |") and key.endswith(", batch") for value in found[key]]
    mini = [
        value for key in found if key.startswith("updates |") and key.endswith("mini-batch") for value in found[key]
    ]
    row("updates to 1 %, batch", "within 1.05 × on 95 %", [(within(batch, 1.05), 0.95)])
    row("mean excess, mini-batch", "within 1.25 × on 90 %", [(within(gathered(found, "excess", three), 1.25), 0.9)])
    row(
        "mean excess, mini-batch, Poisson",
        "within 1.25 × on 80 %",
        [(within(gathered(found, "excess", ("Poisson",)), 1.25), 0.8)],
    )
    row(
        "updates to target, mini-batch",
        "2 × on 90 %, 1.25 × on 75 %",
        [(within(mini, 2.0), 0.9), (within(mini, 1.25), 0.75)],
    )
    row("stable limit, within 2 %", "every", [(float(np.mean(gathered(found, "limit"))), 1.0)])
    working = gathered(found, "working")
    row("working limit", "1.5 × on 75 %, 2 × on 85 %", [(within(working, 1.5), 0.75), (within(working, 2.0), 0.85)])
    inside = float(np.mean(gathered(found, "band")))
    rows.append(
        Target(
            "forecast: band of 80 %", "75 – 85 % inside", f"{100 * inside:.0f} %", 0.75 <= inside <= 0.85, "forecast"
        )
    )
    return rows


if __name__ == "__main__":
    for target in targets(main(*wanted(), held="--held" in sys.argv)):
        print(target)
