"""Nanoseconds a row visit of compiled descent, beside scikit-learn's SGD and the floor of this machine's memory, in one run.

    python benchmarks/speed.py            500,000 × 50 float32, logistic loss

Every line is the quickest of five epochs, warm; the clock of fallline is its trace's (walking, drawing the order of the
rows included, looking not). scikit-learn runs one epoch at a time, `max_iter=1`, its order of rows included.
"""

import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.linear_model import SGDClassifier

from fallline.descent import descend
from fallline.executors.compiled import compiled
from fallline.losses import LogLoss
from fallline.objectives import Linear
from fallline.penalties import L2
from fallline.samplers import Batch, InOrder, Shuffled
from fallline.schedules import Constant
from fallline.steps import Adam, Momentum, Plain
from fallline.stops import Epochs

N, D, REPEATS = 500_000, 50, 5


def main() -> list[tuple[str, float]]:
    """Print the table; returns (what, nanoseconds a row)."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D), dtype=np.float32)
    y = np.where(X @ rng.standard_normal(D) + rng.standard_normal(N) * 3 > 0, 1.0, -1.0)
    objective = Linear(X, y, LogLoss(), L2(1e-4))
    flat = X.reshape(-1)
    rows = [("read the table once (sum)", quickest(lambda: flat.sum()) / N * 1e9)]
    rows.append(("mean loss, all rows", quickest(lambda: objective.value(objective.start())) / N * 1e9))
    rows.append(("gradient, all rows", quickest(lambda: objective.gradient(objective.start())) / N * 1e9))
    settings = [
        ("stochastic, plain, shuffled row by row", Shuffled(1), Plain()),
        ("stochastic, plain, shuffled in blocks of 64", Shuffled(1, block=64), Plain()),
        ("stochastic, plain, in order", InOrder(1), Plain()),
        ("mini-batch 32, plain, shuffled row by row", Shuffled(32), Plain()),
        ("mini-batch 32, plain, shuffled in blocks of 64", Shuffled(32, block=64), Plain()),
        ("mini-batch 32, momentum, shuffled in blocks of 64", Shuffled(32, block=64), Momentum()),
        ("mini-batch 32, adam, shuffled in blocks of 64", Shuffled(32, block=64), Adam()),
        ("batch, plain", Batch(1), Plain()),
    ]
    for name, sampler, step in settings:
        rows.append((name, quickest_epoch(objective, sampler, step) / N * 1e9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SGDClassifier(loss="log_loss", alpha=1e-4, max_iter=1, tol=None, random_state=0)
        rows.append(("scikit-learn SGDClassifier, one epoch", quickest(lambda: model.fit(X, y)) / N * 1e9))
    reference = rows[-1][1]
    print(f"{N:,} × {D} float32, logistic loss, one thread")
    print(f"{'':52s}{'ns a row':>10s}{'× faster than scikit-learn':>28s}")
    for name, cost in rows:
        print(f"{name:52s}{cost:10.1f}{reference / cost:28.1f}")
    return rows


def quickest(work: Callable[[], object]) -> float:
    """Seconds of the quickest of a few calls, after one that compiles and warms."""
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def quickest_epoch(objective: Linear, sampler: object, step: object) -> float:
    """Seconds of the quickest of a few epochs, by the trace's own clock."""
    settings = {"sampler": sampler, "step": step, "schedule": Constant(1e-4), "advance": compiled}
    run = descend(objective, stop=Epochs(1), **settings)
    run = descend(objective, stop=Epochs(1 + REPEATS), start=run, **settings)
    return float(np.diff(run.trace["seconds"])[1:].min())


if __name__ == "__main__":
    main()
