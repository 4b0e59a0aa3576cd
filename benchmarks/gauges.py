"""What gauges cost: those that cost no gradient, as a share of a fit; the others beside the price that they say.

    python benchmarks/gauges.py [--quick]

Processor time, the least of several in turn. A mini-batch logistic fit of ten passes, looked at once a pass.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fallline import Linear, Plan
from fallline.gauges import (
    FREE,
    EffectiveRate,
    GradientNorm,
    GradientSpread,
    NoiseScale,
    Reach,
    StepCurvature,
    WithinMargin,
)
from fallline.losses import LogLoss
from fallline.penalties import L2
from text import wanted

COLUMNS, REPEATS = 50, 25
LOOKS = 4  # at a walk of three passes: the start, and after each
PRICED = (GradientNorm(), GradientSpread(), NoiseScale(), WithinMargin(), EffectiveRate(), StepCurvature(), Reach())


def main(quick: bool = False) -> float:
    """Print both tables; the largest share of a fit that the free gauges cost."""
    shares = [share(name, *size) for name, size in (("small", (2_000, 64)), ("large", (20_000, 64)), ("rows", (20_000, 1)))
              if not quick or name == "small"]  # fmt: skip
    print(f"\n{'gauge':<18}{'price in gradients':>20}{'measured':>10}")
    objective, plan = problem(2_000 if quick else 20_000), Plan("plain", rate=0.1, batch_size=64, amount=3.0)
    g = least([lambda: objective.gradient(objective.start())])[0]
    for gauge in PRICED:
        bare, with_it = least([partial(plan.run, objective), partial(plan.run, objective, gauges=[gauge])])
        print(f"{gauge.name():<18}{gauge.price(objective.n):20.3f}{(with_it - bare) / LOOKS / g:10.3f}")
    return max(shares)


def share(name: str, rows: int, batch: int) -> float:
    """What the free gauges add to a fit."""
    objective, plan = problem(rows), Plan("plain", rate=0.1 if batch > 1 else 0.01, batch_size=batch, amount=10.0)
    bare, with_them = least([lambda: plan.run(objective), lambda: plan.run(objective, gauges=FREE)])
    names = ", ".join(gauge.name() for gauge in FREE)
    print(f"{rows:,} x {COLUMNS}, {batch} rows a step: {bare * 1e3:.1f} ms, with {names} {with_them / bare - 1:+.1%}")
    return with_them / bare - 1.0


def problem(rows: int) -> Any:
    """Two classes that overlap."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, COLUMNS))
    y = np.where(X @ rng.standard_normal(COLUMNS) + rng.standard_normal(rows) > 0, 1.0, -1.0)
    return Linear(X, y, LogLoss(), L2(1e-3))


def least(what: list[Callable[[], Any]]) -> list[float]:
    """Seconds of processor of each, the least of several in turn; the first compiles."""
    found: list[list[float]] = [[] for _ in what]
    for _ in range(REPEATS + 1):
        for times, one in zip(found, what, strict=True):
            begun = time.process_time()
            one()
            times.append(time.process_time() - begun)
    return [min(times[1:]) for times in found]


def targets(worst: float) -> list[tuple[str, str, str, bool]]:
    """The issue's row."""
    return [("default gauges", "≤ 5 % of a fit", f"{worst:.1%}", worst <= 0.05)]


if __name__ == "__main__":
    main(*wanted()[:1])
