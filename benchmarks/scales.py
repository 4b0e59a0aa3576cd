"""Column scales 1e-6 … 1e6 on twenty tables with five seeds: does the automatic solver ever do worse than a constant?

    python benchmarks/scales.py            the table
    python benchmarks/scales.py wine iris  those tables

Every column is multiplied by 10^U(−6, 6), the rest is as it came; lambda = 1/n, `tol` at its default, float64 and float32.
The columns say what came of the five seeds: of how many the loss was above that of the best constant without an error or a
named cause, and the largest excess over the optimum of the same scaled problem, as a share of the loss: over the lowest of the
reference and of the solver carried on. Beside it the largest loss of scikit-learn's solver at its defaults, over the constant's,
where it has the loss.
"""

import sys
import warnings
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from fallline.errors import InputError
from fallline.executors.level import level_of
from fallline.losses import AbsoluteError, Hinge, LogLoss, Poisson, Softmax, SquaredError
from fallline.objectives import Linear, SoftmaxRegression
from fallline.objectives.floor import floor_of
from fallline.penalties import L2
from fallline.reference import optimum_of
from fallline.solver import solve
from sets import table
from targets import Target

SEEDS = 5
DECADES = 6
ROWS = 20_000  # of a table at most
CASES = {
    "breast cancer": LogLoss(), "breast cancer ": Hinge(), "diabetes": SquaredError(), "diabetes ": AbsoluteError(),
    "diabetes  ": Poisson(), "digits": Softmax(), "iris": Softmax(), "linnerud": SquaredError(), "wine": Softmax(),
    "California": SquaredError(), "red wine": SquaredError(), "white wine": SquaredError(), "abalone": Poisson(),
    "adult": LogLoss(), "titanic": LogLoss(), "mushrooms": LogLoss(), "a9a": LogLoss(), "Elec2": LogLoss(),
    "HTRU2": LogLoss(), "bike, hours": Poisson(), "bike, days": SquaredError(), "doctor visits": Poisson(),
}  # fmt: skip


def main(names: tuple[str, ...] = ()) -> Any:
    """Print the table; returns the counts: fits, worse than the constant, stopped with a named cause, refused."""
    print(
        f"{'':34s}{'fits':>5s}{'worse':>6s}{'named':>6s}{'errors':>7s}{'excess':>10s}   scikit-learn over the constant"
    )
    totals = np.zeros(4, dtype=int)
    for key, loss in CASES.items():
        name = key.strip()
        if names and name not in names:
            continue
        try:
            X, y = table(name)
        except FileNotFoundError as error:
            print(f"{name}: left out, {error}")
            continue
        found = [
            outcome(X[:ROWS], y[:ROWS], loss, seed, kind) for seed in range(SEEDS) for kind in (np.float64, np.float32)
        ]
        counts = np.array(
            [len(found), *(sum(how == what for how, _, _ in found) for what in ("worse", "named", "error"))]
        )
        totals += counts
        excess = max((share for how, share, _ in found if how == "fit"), default=np.nan)
        others = max(other for _, _, other in found)
        label = f"{name}, {type(loss).__name__}"
        print(
            f"{label:34s}{counts[0]:5d}{counts[1]:6d}{counts[2]:6d}{counts[3]:7d}{excess:10.1e}   {others:.2g}",
            flush=True,
        )
    print(f"{'all':34s}{totals[0]:5d}{totals[1]:6d}{totals[2]:6d}{totals[3]:7d}")
    return totals


def targets(totals: Any) -> list[Target]:
    """What was to be reached."""
    fits, worse, named, errors = totals.tolist()
    return [
        Target(f"scales 1e-6 … 1e6 a column × {len({name.strip() for name in CASES})} sets × {SEEDS} seeds",
               "no fit worse than the constant model without an error or a named cause",
               f"{worse} of {fits} worse; {named} with a named cause, {errors} refused", worse == 0, "scales"),
    ]  # fmt: skip


def outcome(X: Any, y: Any, loss: Any, seed: int, kind: Any) -> tuple[str, float, float]:
    """What came of one fit: "fit", "worse", "named" or "error"; its excess; what scikit-learn's loss is over the constant's."""
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.uniform(-DECADES, DECADES, X.shape[1])
    X = (X.multiply(scales).tocsr() if hasattr(X, "multiply") else X * scales).astype(kind)
    penalty = L2(1.0 / len(y))
    objective = SoftmaxRegression(X, y, None, penalty) if isinstance(loss, Softmax) else Linear(X, y, loss, penalty)
    constant = level(objective)
    other = max(rival(objective, X, y, loss) / constant, 0.0)
    try:
        run = solve(objective)
    except InputError:
        return "error", np.nan, other
    if run.trace["loss"][-1] > constant * (1.0 + 1e-9):
        return "named" if "no optimum" in run.reason or run.diverged else "worse", np.nan, other
    lowest = min(optimum_of(objective).value, solve(objective, 1e-10).trace["loss"].min())
    return "fit", (run.trace["loss"][-1] - lowest) / max(constant * 1e-3, lowest - floor_of(objective)), other


def level(objective: Any) -> float:
    """The loss of the best constant: the solver's start, or nearly."""
    if objective.scores > 1:
        shares = np.bincount(objective.model.y, minlength=objective.classes) / objective.n
        return float(-(shares * np.log(shares)).sum())
    return float(objective.value(level_of(objective)))


def rival(objective: Any, X: Any, y: Any, loss: Any) -> float:
    """The loss of scikit-learn's answer; NaN where it has no such loss."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what came of it is in the loss
        if isinstance(loss, SquaredError):
            model: Any = Ridge(alpha=1.0).fit(X, y)
        elif isinstance(loss, LogLoss | Softmax):
            model = LogisticRegression(C=1.0).fit(X, y)
        else:
            return np.nan
    return float(objective.value(np.concatenate([np.ravel(model.coef_), np.ravel(model.intercept_)]).astype(float)))


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
