"""Full passes and stochastic epochs beside the floor of this machine's memory and scikit-learn's SGD, in one run.

    python benchmarks/speed.py [--quick]     500,000 × 50 float32 and 200,000 × 50,000 with 15M non-zeros, logistic loss

The floor is a compiled, vectorised sum of the same array, by the same threads. What is measured takes turns, and the least of the
repeats counts. On one thread the clock is the thread's CPU time, so that other programs matter less; on two it is the wall's, and
the machine must be idle. Epochs draw the order of their rows; scikit-learn's are `max_iter=1`.
"""

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

import numpy as np
from numba import njit
from sklearn.linear_model import SGDClassifier

import synthetic
from fallline.averages import Last
from fallline.descent import State
from fallline.executors import SDCA
from fallline.executors.compiled import compiled
from fallline.losses import LogLoss
from fallline.objectives import Linear
from fallline.objectives.order import run_of
from fallline.objectives.passes import curvature_times, curvatures, loss_and_gradient, losses_at, moments
from fallline.penalties import L2
from fallline.samplers import InOrder, Shuffled
from fallline.schedules import Constant
from fallline.solver import one_blas_thread
from fallline.steps import Adam, Plain
from targets import Target

REPEATS = 7
Works = dict[str, Callable[[], object]]


def main(quick: bool = False) -> dict[str, float]:
    """Print the tables; returns the ratios by name."""
    with one_blas_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one epoch does not converge
        n = 20_000 if quick else synthetic.N
        X, y, _ = synthetic.dense(False, n)
        dense = Linear(X, y, LogLoss(), L2(1.0 / n))
        found = passes(dense, X.reshape(-1))
        found |= epochs("dense", dense, X, n, "a row")
        T, labels = synthetic.text(n=4000 if quick else synthetic.DOCUMENTS)
        text = Linear(T, labels, LogLoss(), L2(1.0 / T.shape[0]))
        found |= epochs("CSR", text, T, T.nnz, "a non-zero")
    return found


def targets(found: dict[str, float]) -> list[Target]:
    """What was to be reached."""
    one, two = found["pass, 1 thread"], found["pass, 2 threads"]
    alone = found["pass, 2 threads, one reads"]
    step, sparse, dual = found["stochastic, dense"], found["stochastic, CSR"], found["SDCA, CSR"]
    single = found["SDCA, CSR, row by row"]
    return [
        Target("full loss + gradient pass, dense f32", "≤ 2.5 × the read floor on 1 thread, ≤ 1.6 × on 2",
               f"{one:.2f} ×, {two:.2f} × (of what two threads read; {alone:.2f} × of what one does)",
               one <= 2.5 and two <= 1.6, "speed"),
        Target("stochastic epoch, dense d = 50, logistic", "≥ 8 × faster than SGDClassifier's",
               f"{step:.1f} ×", step >= 8.0, "speed"),
        Target("stochastic epoch, CSR · SDCA epoch", "≥ 2.2 × · ≥ 1.6 × faster than SGDClassifier's",
               f"{sparse:.1f} × · {dual:.1f} × in runs of 64, as the solver walks ({single:.1f} × row by row)",
               sparse >= 2.2 and dual >= 1.6, "speed"),
    ]  # fmt: skip


def passes(objective: Any, flat: Any) -> dict[str, float]:
    """Full passes in units of the floor by as many threads."""
    w, found, floors = 0.1 * np.random.default_rng(1).standard_normal(objective.size), {}, []
    for threads, clock in ((1, time.thread_time), (2, time.perf_counter)):
        took = least(
            {
                "floor": lambda k=threads: read(flat, k),
                "pass": lambda k=threads: loss_and_gradient(objective, w, k),
                "loss": lambda k=threads: losses_at(objective, w[None], k),
                "curvature of rows": lambda k=threads: curvatures(objective, w, k),
                "curvature times a vector": lambda k=threads: curvature_times(objective, objective.model.weights, w, k),
                "moments": lambda k=threads: moments(objective, k),
            },
            clock,
        )
        floor = took.pop("floor")
        print(
            f"{threads} thread(s): a sum of the table takes {floor * 1e3:.2f} ms, {flat.nbytes / floor / 1e9:.1f} GB/s"
        )
        for name, seconds in took.items():
            print(f"  {name:46s}{seconds / objective.n * 1e9:8.1f} ns a row{seconds / floor:8.2f} × the floor")
        found[f"pass, {threads} thread{'s' * (threads > 1)}"] = took["pass"] / floor
        floors.append(floor)
    found["pass, 2 threads, one reads"] = found["pass, 2 threads"] * floors[1] / floors[0]
    return found


def epochs(name: str, objective: Any, X: Any, units: int, unit: str) -> dict[str, float]:
    """Epochs on one thread, and how many times as fast as scikit-learn's they are."""
    model = SGDClassifier(loss="log_loss", alpha=objective.penalty.alpha, max_iter=1, tol=None, random_state=0)
    sparse = name == "CSR"
    run, dual = run_of(objective), SDCA()
    works: Works = {
        "SGDClassifier": lambda: model.fit(X, objective.model.y),
        f"stochastic, usual (runs of {run})": epoch(objective, Shuffled(1, block=run)),
        "stochastic, row by row": epoch(objective, Shuffled(1)),
        "stochastic, in order": epoch(objective, InOrder(1)),
        "mini-batch 32, usual": epoch(objective, Shuffled(32, block=run)),
    }
    if sparse:
        works["SDCA, its usual rows"] = epoch(objective, dual.sampler(0), dual)
        works[f"SDCA, runs of {run}"] = epoch(objective, Shuffled(1, block=run), dual)
    else:
        works["mini-batch 32, Adam, usual"] = epoch(objective, Shuffled(32, block=run), step=Adam())
    took = least(works, time.thread_time)
    reference = took["SGDClassifier"]
    print(f"{name}, one thread")
    for what, seconds in took.items():
        print(f"  {what:46s}{seconds / units * 1e9:8.1f} ns {unit}{reference / seconds:8.1f} × SGDClassifier")
    found = {f"stochastic, {name}": reference / took[f"stochastic, usual (runs of {run})"]}
    if sparse:
        found["SDCA, CSR"] = reference / took[f"SDCA, runs of {run}"]
        found["SDCA, CSR, row by row"] = reference / took["SDCA, its usual rows"]
    return found


def epoch(objective: Any, sampler: Any, advance: Any = compiled, step: Any = None) -> Callable[[], object]:
    """One segment after another, each from where the last one ended."""
    step = Plain() if step is None else step
    w = objective.start()
    memory = step.start(w) if advance is compiled else advance.start(objective, w)
    state = State(w, memory, w, 0, 0)

    def walk() -> None:
        nonlocal state
        segment = sampler.segment(objective.n, state.segments)
        state = advance(objective, state, segment, step, Constant(1e-3 if advance is compiled else 1.0), Last(), 0)[0]

    return walk


def least(works: Works, clock: Callable[[], float]) -> dict[str, float]:
    """Seconds of the quickest of a few calls each, taking turns, after one that compiles and warms."""
    best = dict.fromkeys(works, np.inf)
    for repeat in range(REPEATS + 1):
        for name, work in works.items():
            start = clock()
            work()
            best[name] = min(best[name], clock() - start) if repeat else np.inf
    return best


@njit(nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def total(values: Any) -> Any:
    """Their sum, by as many lanes as the machine has."""
    out = values[0] - values[0]
    for k in range(values.shape[0]):  # `for value in values` is not vectorised, and would be no floor
        out += values[k]
    return out


def read(flat: Any, threads: int) -> None:
    """Read an array once."""
    parts: Sequence[Any] = np.array_split(flat, threads)
    others = [Thread(target=total, args=(part,)) for part in parts[1:]]
    for other in others:
        other.start()
    total(parts[0])
    for other in others:
        other.join()


if __name__ == "__main__":
    main("--quick" in sys.argv)
