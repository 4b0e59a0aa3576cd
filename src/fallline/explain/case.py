"""A case: one run, and what the functions of symptoms ask about it. Everything is worked out once, when it is first asked."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from fallline.explain.changed import standardised
from fallline.explain.finding import EXCESS, Effect
from fallline.explain.prospect import Prospect
from fallline.losses import CLASSIFICATION, Softmax
from fallline.objectives.variants import subset
from fallline.plan import Plan, variant_of
from fallline.reference.limits import gathered_rows
from fallline.trace import Trace

Array = np.ndarray[Any, Any]

DONE = 0.01  # of the excess at the start: a run that leaves no more has arrived
TAIL = 3  # the last third of the looks says whether the loss still falls
FALLS = 0.15  # of what is left: a fall over the tail by less is none
FEW = 6  # looks below which no tail is read
SURE = 2.0  # deviations of the tail's differences
SURELY = 20.0  # the gain, in nats, of a walk that arrives over one that runs away
SEEN = 20_000  # rows that stand for all where columns and targets are looked at
WIDE = 1_500  # columns beyond which they are not looked at pair by pair


class Sample(NamedTuple):
    """Rows as they are seen: their numbers, the dense table without its column of ones, targets and weights."""

    chosen: Array
    X: Array
    y: Array
    weights: Array


@dataclass(frozen=True)
class Case:
    """A run of a plan on an objective. units: mean and scale of the target; names: of the columns; cut: whether a rule ended
    the run before its budget, so that the plan's is what was walked.
    """

    objective: Any
    plan: Plan
    trace: Trace
    w: Array
    diverged: bool = False
    names: tuple[str, ...] = ()
    units: tuple[float, float] = (0.0, 1.0)
    cut: bool = False
    untried = ""  # why no change can be tried: a walk on rows that are known can

    @cached_property
    def start(self) -> Array:
        """Where the run began."""
        points = self.trace.points
        return np.asarray(points[0]) if points and len(points[0]) == self.objective.size else self.objective.start()

    @cached_property
    def prospect(self) -> Prospect:
        """What other plans would leave."""
        return Prospect(self.objective, self.start)

    @cached_property
    def even(self) -> Prospect:
        """What plans would leave on columns of one scale, from zero."""
        return Prospect(standardised(self.objective))

    @cached_property
    def lost(self) -> bool:
        """Whether the run ran away, or ended clearly above where it began."""
        loss = self.trace["loss"]
        return self.diverged or not np.isfinite(loss[-1]) or loss[-1] > loss[0] + 0.5 * self.prospect.first

    @cached_property
    def excess(self) -> Array:
        """(looks,) above the optimum."""
        return np.asarray(self.trace["loss"] - self.prospect.height)

    @cached_property
    def left(self) -> float:
        """The share of the excess at the start that the run left."""
        return np.inf if self.lost else max(float(self.excess[-1]), 0.0) / self.prospect.first

    @property
    def far(self) -> bool:
        """Whether it ended further than 1 % of the excess at the start from the optimum."""
        return self.left > DONE

    @property
    def walks(self) -> bool:
        """Whether the run made steps of a rate, which another would change."""
        return not self.plan.automatic and self.plan.rate is not None

    @property
    def rate(self) -> float:
        """The plan's."""
        return float(self.plan.rate or np.nan)

    @property
    def size(self) -> int:
        """Rows a step."""
        return self.plan.size(self.objective.n)

    @property
    def batch(self) -> bool:
        """Whether each step sees all rows."""
        return self.size >= self.objective.n

    @cached_property
    def relative(self) -> float:
        """The rate over the largest that works; NaN where that is not known."""
        return self.rate / self.prospect.limit(self.plan)

    @cached_property
    def constant(self) -> bool:
        """Whether the rate stays what it is."""
        return self.plan.schedule in (None, "constant")

    @cached_property
    def falling(self) -> bool:
        """Whether the loss still falls at the end: over the last third by more than a share of what is left, and than chance."""
        loss, t = self.trace["loss"], self.trace["t"]
        tail = max(len(loss) - len(loss) // TAIL, 1)
        if len(loss) < FEW or not np.isfinite(loss[tail:]).all():
            return True
        slope = np.polyfit(t[tail:] - t[tail:].mean(), loss[tail:], 1)[0]
        around = np.diff(loss[tail:] - slope * t[tail:]).std()
        fall = -slope * float(t[-1] - t[tail])
        return bool(fall > max(FALLS * max(self.excess[-1], 0.0), SURE * around))

    def gain(self, left: float) -> float:
        """log of what the plan leaves, as foreseen, over `left`: how many times closer a change comes, in nats."""
        now = self.prospect.left(self.plan)
        if not np.isfinite(left):
            return 0.0
        return SURELY if not np.isfinite(now) else float(np.log(max(now, 1e-12) / max(left, 1e-12)))

    def expected(self, left: float) -> Effect | None:
        """What a change to a walk that leaves so much would do; None where that is not forecast."""
        forecast = self.prospect.forecasts(self.plan) and np.isfinite(left)
        return Effect(EXCESS, self.left, left) if forecast else None

    def resized(self, batch: int) -> Plan:
        """The plan with so many rows a step, for as many row visits."""
        n = self.objective.n
        passes = self.plan.updates(n) * self.size / n
        return replace(
            self.plan, variant=variant_of(batch, n), batch_size=batch, budget="epochs", amount=float(f"{passes:.4g}")
        )

    @property
    def narrow(self) -> bool:
        """Whether there are few enough columns to look at each."""
        return bool(self.objective.model.d <= WIDE)

    @property
    def plain_rows(self) -> bool:
        """Whether columns and targets can be looked at together: one score a row, and not too wide."""
        return self.narrow and not isinstance(self.objective.loss, Softmax)

    @cached_property
    def sample(self) -> Sample:
        """Rows that stand for all; all of them where they are few."""
        n, model = self.objective.n, self.objective.model
        chosen = np.arange(n) if n <= SEEN else np.sort(np.random.default_rng(0).choice(n, SEEN, replace=False))
        part = self.objective if len(chosen) == n else subset(self.objective, chosen)
        X = gathered_rows(part, np.arange(len(chosen)))[:, : model.d]
        return Sample(chosen, np.asarray(X, float), model.y[chosen], model.weights[chosen])

    @cached_property
    def spread(self) -> Array:
        """(d,) deviation of each column."""
        return np.asarray(self.sample.X.std(axis=0))

    @cached_property
    def correlation(self) -> Array:
        """(d, d) of the columns; one that does not vary goes with none."""
        X, live = self.sample.X, self.spread > 1e-12 * np.abs(self.sample.X).max(axis=0, initial=1e-300)
        Z = np.where(live, (X - X.mean(axis=0)) / np.where(live, self.spread, 1.0), 0.0)
        C = Z.T @ Z / len(Z)
        np.fill_diagonal(C, 1.0)
        return np.asarray(C)

    @cached_property
    def classes(self) -> bool:
        """Whether the target is one of two classes."""
        return type(self.objective.loss) in CLASSIFICATION.values()

    @cached_property
    def target(self) -> Array:
        """The sample's targets in the user's units."""
        return self.sample.y * self.units[1] + self.units[0]

    def name(self, j: int) -> str:
        """What a column is called."""
        return (
            f'"{self.names[j]}"'
            if j < len(self.names)
            else f"column {j}"
            if j < self.objective.model.d
            else "the intercept"
        )

    def named(self, columns: Any, most: int = 4) -> str:
        """Several of them."""
        said = [self.name(int(j)) for j in columns[:most]]
        more = f" and {len(columns) - most} more" if len(columns) > most else ""
        return (", ".join(said[:-1]) + " and " + said[-1] if len(said) > 1 and not more else ", ".join(said)) + more
