"""Quick mode: how far from the optimum after 1, 2 and 5 passes, and seconds a pass beside SGDClassifier's.

    python benchmarks/quick.py [--quick] [set …]

Excess is F/F* − 1 above the lowest loss there is (decision 0004), the median over three orders of the rows, lambda = 1/n; F* from
the automatic solver at 1e-8 or, if lower, what was met. `in order`: one pass over the rows as they stand in the file. Seconds are
the least CPU seconds of a thread.
"""

import time
from statistics import median
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import SGDClassifier

import synthetic
from fallline.averages import Last
from fallline.descent import descend
from fallline.executors import Quick
from fallline.losses import LogLoss, Poisson, Softmax, SquaredError
from fallline.objectives.floor import floor_of
from fallline.samplers import InOrder, Shuffled
from fallline.schedules import Constant
from fallline.solver import one_blas_thread, solve
from fallline.steps import Plain
from fallline.stops import Epochs
from sets import table
from targets import Target
from tasks import Task
from text import wanted

SEEDS, PASSES, PROMISED = 3, (1, 2, 5), 0.01
REAL = {
    "Elec2": LogLoss(),
    "adult": LogLoss(),
    "a9a": LogLoss(),
    "KDD'99": LogLoss(),
    "HTRU2": LogLoss(),
    "California": SquaredError(),
    "bike, hours": Poisson(),
    "MNIST": Softmax(),
}


def main(quick: bool = False, only: tuple[str, ...] = ()) -> dict[str, list[float]]:
    """Print the table; returns each set's excess after 1, 2 and 5 passes, shuffled."""
    heads = "".join(f"{f'{k} pass' + 'es' * (k > 1):>11s}" for k in PASSES)
    print(f"{'':36s}{heads}{'in order':>11s}{'s a pass':>11s}{'SGDClassifier':>15s}")
    found = {}
    for name, make in sets(quick).items():
        if only and not any(word in name for word in only):
            continue
        try:
            made = make()
        except FileNotFoundError as error:
            print(f"{name}: left out, {error}")
            continue
        found[name] = row(name, made)
    return found


def sets(quick: bool) -> dict[str, Any]:
    """What is walked over, made when asked for."""
    n = 20_000 if quick else synthetic.N
    made: dict[str, Any] = {}
    for raw in (False, True):
        name = f"{n:,} × 50 {'raw' if raw else 'standardised'}"
        made[f"{name}, LogLoss"] = lambda raw=raw: task(*synthetic.dense(raw, n)[:2], LogLoss())
        made[f"{name}, SquaredError"] = lambda raw=raw: task(*synthetic.dense(raw, n)[::2], SquaredError())
    made["text, LogLoss"] = lambda: task(*(synthetic.text(n=2000, d=500) if quick else synthetic.text()), LogLoss())
    for name, loss in REAL.items():
        made[f"{name}, {type(loss).__name__}"] = lambda name=name, loss=loss: task(*table(name), loss)
    return made


def task(X: Any, y: Any, loss: Any) -> Task:
    return Task("", X, y, loss)


def row(name: str, made: Task) -> list[float]:
    """Measure one set and print its line."""
    objective = made.objective()
    with one_blas_thread():
        runs = [walk(objective, Shuffled(1, seed), max(PASSES)) for seed in range(SEEDS)]
        ordered = walk(objective, InOrder(1), 1)
        solved = solve(objective, tol=1e-8)
    lowest = min(solved.trace["loss"].min(), *(run.trace["loss"].min() for run in runs))
    scale = lowest - floor_of(objective)
    shares = [median(float(run.trace["loss"][k] - lowest) / scale for run in runs) for k in PASSES]
    late = float(ordered.trace.last("loss") - lowest) / scale
    print(
        f"{name:36s}"
        + "".join(f"{100 * share:9.3f} %" for share in (*shares, late))
        + f"{seconds(objective):11.3f}{peer(made):>15s}",
        flush=True,
    )
    return shares


def walk(objective: Any, sampler: Any, passes: int) -> Any:
    """Quick's walk on the rows that a sampler gives."""
    return descend(
        objective, sampler=sampler, step=Plain(), schedule=Constant(1.0), stop=Epochs(passes), advance=Quick()
    )


def seconds(objective: Any) -> float:
    """CPU seconds of a pass, with its order drawn and without the look at its end."""
    method = Quick()
    parts: dict[str, Any] = {"sampler": method.sampler(), "step": Plain(), "schedule": Constant(1.0)}
    best = np.inf
    state = descend(objective, **parts, stop=Epochs(1), advance=method).state
    for _ in range(3):
        start = time.thread_time()
        segment = parts["sampler"].segment(objective.n, state.segments)
        state, _ = method(objective, state, segment, parts["step"], parts["schedule"], Last(), 0)
        best = min(best, time.thread_time() - start)
    return float(best)


def peer(made: Task) -> str:
    """CPU seconds of an epoch of SGDClassifier, for two classes."""
    if made.kind != "LogLoss":
        return ""
    best, X = np.inf, made.X
    if made.sparse:  # it takes 32-bit indices only
        X = sp.csr_matrix((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape)
    for _ in range(2):
        model = SGDClassifier(loss="log_loss", alpha=made.lam)
        start = time.thread_time()
        model.partial_fit(X, made.y, classes=[-1.0, 1.0])
        best = min(best, time.thread_time() - start)
    return f"{best:.3f}"


def targets(found: dict[str, list[float]]) -> list[Target]:
    """Within 1 % after one pass on every set."""
    close = [name for name, shares in found.items() if shares[0] < PROMISED]
    far = ", ".join(name for name in found if name not in close)
    reached = f"{len(close)} of {len(found)}" + (f"; not on {far}" if far else "")
    return [Target("quick mode within 1 % after one pass", "every set", reached, not far, "quick")]


if __name__ == "__main__":
    main(*wanted())
