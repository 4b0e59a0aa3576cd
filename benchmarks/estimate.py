"""How close the solver says that it is, and how close it is: real tables × losses that fit × penalties × precisions.

    python benchmarks/estimate.py                every table but the largest; some five minutes
    python benchmarks/estimate.py wine abalone   those tables

For every fit at the default `tol`: the estimate that the trace ends with and the proven bound, over the true excess
F(w) − F*, and what the proof costs in time. F* is the lowest of `reference.optimum_of`, of the solver carried on to its end
and of all points met. Heights are sums of thousands of roundings, so an excess below ROUNDING of the height is not seen:
estimate, bound and truth are each raised to that before they are divided, so that a truth below it counts as met only if the
estimate is there too. Classes that are separable without a penalty have no optimum, and are counted apart.
"""

import math
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fallline import losses
from fallline.comparison.run import yardstick
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.reference import optimum_of
from fallline.solver import solve
from sets import TABLES, table
from targets import Target

ROUNDING = 1e-12
LARGE = ("KDD'99", "MNIST", "AG News TF-IDF", "AG News sport", "SMS TF-IDF", "SMS hashed", "agaricus", "mushrooms", "a9a",
         "adult", "digits", "bike, hours", "doctor visits", "car insurance")  # fmt: skip
"""Their optimum to all digits takes minutes a table; by name they are measured too."""
TOL = 1e-4
FINE = 1e-13  # of the loss: how far the solver is carried on
FINE_ROUNDED = 1e-8  # the same for losses with corners, whose last digits are slow
FACTOR = 3.0  # that an estimate may be off
LOOSE = 10.0  # that a bound may be above
WORST = 25  # cases that are named


class Fit(NamedTuple):
    """One fit: its name, and everything absolute but the scale of the loss."""

    name: str
    estimate: float
    bound: float
    truth: float
    scale: float  # of the loss: what `tol` is a share of
    height: float
    reference: float  # how far `optimum_of` is above the lowest point met
    seconds: float
    proof: float  # more seconds for the bound
    reason: str
    rounded: bool  # whether the loss has corners

    def over(self, said: float) -> float:
        """What was said over what is true."""
        least = ROUNDING * max(abs(self.height), self.scale)
        return max(said, least) / max(self.truth, least)

    @property
    def held(self) -> bool:
        """Whether the excess is at most `tol`."""
        return self.truth <= TOL * self.scale


def main(names: tuple[str, ...] = ()) -> list[Fit]:
    """Print the shares, and the worst cases by name; answers with the fits that have an optimum."""
    fits, separable = [], []
    for fit in all_fits(names or tuple(name for name in TABLES if name not in LARGE)):
        (separable if "separable" in fit.reason else fits).append(fit)
        print(f"  {fit.name:55s} estimate {fit.over(fit.estimate):9.3g}× bound {fit.over(fit.bound):9.3g}×"
              f" excess {fit.truth / fit.scale:8.1e} {fit.seconds * 1e3:7.1f} ms", file=sys.stderr, flush=True)  # fmt: skip
    print(f"{len(fits)} fits, and {len(separable)} without an optimum, which say so.")
    for kind, some in (
        ("smooth losses", [f for f in fits if not f.rounded]),
        ("with corners", [f for f in fits if f.rounded]),
    ):
        if some:
            summary(kind, some)
    return fits


def targets(fits: list[Fit]) -> list[Target]:
    """The rows for the page."""
    close = np.mean([1.0 / FACTOR <= fit.over(fit.estimate) <= FACTOR for fit in fits])
    proven = np.array([fit.over(fit.bound) for fit in fits])
    below, median = int((proven < 1.0 - 1e-3).sum()), float(np.median(proven))
    fit = f"{len(fits)} fits"
    return [
        Target(
            "estimated excess within 3 × of the truth",
            "on ≥ 95 % of fits",
            f"{close:.1%} of {fit}",
            close >= 0.95,
            "estimate",
        ),
        Target("proven bound below the true excess", "never", f"{below} of {fit}", below == 0, "estimate"),
        Target(
            "proven bound over the true excess, median",
            f"≤ {LOOSE:g} ×",
            f"{median:.3g} ×",
            median <= LOOSE,
            "estimate",
        ),
    ]


def summary(kind: str, fits: list[Fit]) -> None:
    """Shares and cases."""
    told = np.array([fit.over(fit.estimate) for fit in fits])
    proven = np.array([fit.over(fit.bound) for fit in fits])
    close = (told <= FACTOR) & (told >= 1.0 / FACTOR)
    print(f"{kind}: {len(fits)} fits")
    print(
        f"  estimate within {FACTOR:g}× of the truth     {close.mean():6.1%}   too low {np.mean(told < 1 / FACTOR):.1%}"
    )
    print(f"  excess at most tol                 {np.mean([fit.held for fit in fits]):6.1%}")
    print(f"  excess at most 1 %                 {np.mean([fit.truth <= 0.01 * fit.scale for fit in fits]):6.1%}")
    print(f"  a bound is proven                  {np.isfinite(proven).mean():6.1%}")
    print(f"  bound 0.1 % below the truth              {np.mean(proven < 1.0 - 1e-3):6.1%}")
    print(
        f"  bound over truth, median           {np.median(proven):6.3g}   at most {LOOSE:g}×: {np.mean(proven <= LOOSE):.1%}"
    )
    print(f"  proof over fit, seconds, median    {np.median([fit.proof / fit.seconds for fit in fits]):6.3g}")
    for heading, order in (("estimate", -abs(np.log(np.maximum(told, 1e-300)))), ("bound", -proven)):
        print(f"  the worst by {heading}:")
        for at in np.argsort(order, kind="stable")[:WORST]:
            fit = fits[at]
            if (heading == "estimate" and close[at]) or (heading == "bound" and proven[at] <= LOOSE):
                continue
            print(
                f"    {fit.name:55s} estimate {told[at]:9.3g}× bound {proven[at]:9.3g}× excess {fit.truth / fit.scale:8.1e}"
            )
    for fit in fits:
        if not fit.held:
            print(f"  above tol: {fit.name}, {fit.truth / fit.scale:.2g}; {fit.reason}")
        if fit.reference > 1e-9 * fit.scale:
            print(f"  the reference itself is {fit.reference / fit.scale:.1e} above the lowest: {fit.name}")


def all_fits(names: tuple[str, ...]) -> Iterator[Fit]:
    """Every fit of those tables, one after the other; penalties take turns at the two precisions."""
    for name in names:
        try:
            X, y = table(name)
        except FileNotFoundError as error:
            print(f"{name}: left out, {error}")
            continue
        for loss in losses_for(y):
            for place, penalty in enumerate(penalties_for(len(y))):
                yield fit_of(name, X.astype((np.float32, np.float64)[place % 2]), y, loss, penalty)


def losses_for(y: Any) -> list[Any]:
    """Those that fit the targets; lengths among their settings in units of y."""
    values = np.unique(y)
    if len(values) == 2 and set(values) == {-1.0, 1.0}:
        return [losses.LogLoss(), losses.Hinge(), losses.SquaredHinge(), losses.ModifiedHuber()]
    if len(values) <= 10 and set(values) == set(range(len(values))):
        return [losses.Softmax()]
    unit = float(y.std())
    made = [losses.SquaredError(), losses.Huber(unit), losses.AbsoluteError(), losses.Quantile(0.9),
            losses.EpsilonInsensitive(0.1 * unit), losses.SquaredEpsilonInsensitive(0.1 * unit)]  # fmt: skip
    made += [losses.Poisson(), losses.Tweedie()] if y.min() >= 0.0 else []
    return made + ([losses.Gamma()] if y.min() > 0.0 else [])


def penalties_for(n: int) -> list[Any]:
    """Weak to strong, and none."""
    return [L2(1.0 / n), L2(1e-4), ElasticNet(1e-3, 0.5), L1(1e-3), NoPenalty()]


def fit_of(name: str, X: Any, y: Any, loss: Any, penalty: Any) -> Fit:
    """One fit, told and proven, and how it is."""
    many = isinstance(loss, losses.Softmax)
    objective = SoftmaxRegression(X, y, None, penalty) if many else Linear(X, y, loss, penalty)
    start = time.perf_counter()
    run = solve(objective, TOL)
    seconds, start = time.perf_counter() - start, time.perf_counter()
    bound = solve(objective, TOL, certify=True).trace.about["bound"]
    proof = max(time.perf_counter() - start - seconds, 0.0)
    height = run.trace["loss"][-1]
    label = f"{name}, {type(loss).__name__}, {penalty_name(penalty)}, {X.dtype}"
    if "separable" in run.reason:
        return Fit(label, math.nan, math.nan, math.nan, 1.0, height, 0.0, seconds, proof, run.reason, False)
    reference = optimum_of(objective).value
    lowest = min(reference, height, solve(objective, FINE if loss.smooth() else FINE_ROUNDED).trace["loss"].min())
    scale = yardstick(objective, lowest, "").scale
    return Fit(label, float(run.trace["excess"][-1]), bound, height - lowest, scale, height, reference - lowest,
               seconds, proof, run.reason, not loss.smooth())  # fmt: skip


def penalty_name(penalty: Any) -> str:
    """As short as it can be."""
    return f"{type(penalty).__name__}({penalty[0]:.2g})" if len(penalty) else "none"


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
