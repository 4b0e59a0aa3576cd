"""Stopping rules: why not go on? Each reads the trace and answers with a sentence, or with nothing to go on.

`reason(trace)` is that sentence; `room(trace, batch)` how many steps of `batch` rows are left at most, so that
budgets are kept to the step; `gauges()` the columns that it needs. `AnyOf` and `AllOf` combine rules freely. To add one: write
the class, add the row.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fallline.gauges import GradientNorm as GradientNormGauge
from fallline.gauges import Validation
from fallline.trace import Trace

START_SHARE = 1e-3  # of the start's loss: the least that excess is measured against
STUCK = 2  # segments in a row without a step


class Updates(NamedTuple):
    """After so many updates (steps)."""

    limit: int = 1000

    def reason(self, trace: Trace) -> str:
        return f"made its {self.limit:,} updates" if trace.last("t") >= self.limit else ""

    def room(self, trace: Trace, batch: int) -> float:
        return self.limit - trace.last("t")

    def gauges(self) -> Sequence[Any]:
        return ()


class Visits(NamedTuple):
    """After so many row visits: gradients of single rows."""

    limit: float = 1e6

    def reason(self, trace: Trace) -> str:
        return f"made its {self.limit:,.0f} row visits" if trace.last("visits") >= self.limit else ""

    def room(self, trace: Trace, batch: int) -> float:
        return math.ceil((self.limit - trace.last("visits")) / batch)

    def gauges(self) -> Sequence[Any]:
        return ()


class Epochs(NamedTuple):
    """After so many passes over the rows."""

    limit: float = 10

    def reason(self, trace: Trace) -> str:
        return f"made its {self.limit:g} passes over the rows" if trace.last("visits") >= self.limit * trace.n else ""

    def room(self, trace: Trace, batch: int) -> float:
        return math.ceil((self.limit * trace.n - trace.last("visits")) / batch)

    def gauges(self) -> Sequence[Any]:
        return ()


class Seconds(NamedTuple):
    """After so many seconds of walking; looking is not counted. Checked between segments."""

    limit: float = 10.0

    def reason(self, trace: Trace) -> str:
        return f"used its {self.limit:g} seconds" if trace.last("seconds") >= self.limit else ""

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()


class GradientNorm(NamedTuple):
    """When the gradient over all rows is shorter than `tol`. Costs a pass a look."""

    tol: float = 1e-6

    def reason(self, trace: Trace) -> str:
        norm = trace.last("gradient_norm")
        return f"the gradient's norm, {norm:.3g}, is at most {self.tol:g}" if norm <= self.tol else ""

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return (GradientNormGauge(),)


class LossChange(NamedTuple):
    """When the loss has changed by less than `tol` of itself between looks, `patience` looks in a row."""

    tol: float = 1e-6
    patience: int = 3

    def reason(self, trace: Trace) -> str:
        losses = trace.columns["loss"][-self.patience - 1 :]
        if len(losses) <= self.patience:
            return ""
        changes = [abs(new - old) for old, new in itertools.pairwise(losses)]
        if max(changes) > self.tol * abs(losses[-1]):
            return ""
        return f"the loss changed by less than {self.tol:g} of itself in each of the last {self.patience} looks"

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()


class UpdateSize(NamedTuple):
    """When a whole segment moved the point by less than `tol` of its length."""

    tol: float = 1e-8

    def reason(self, trace: Trace) -> str:
        move = trace.last("move")
        small = len(trace) > 1 and move <= self.tol * max(trace.last("size"), self.tol)
        return f"the last segment moved the point by {move:.3g}, at most {self.tol:g} of its length" if small else ""

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()


class TargetLoss(NamedTuple):
    """When the loss is down to `target`."""

    target: float = 0.0

    def reason(self, trace: Trace) -> str:
        loss = trace.last("loss")
        return f"the loss, {loss:.6g}, reached its target {self.target:.6g}" if loss <= self.target else ""

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()


class NoBetter(NamedTuple):
    """When the loss on validation rows has not fallen by `tol` of itself for `patience` looks (early stopping)."""

    validation: Any = (
        None  # an Objective over other rows; None where the run reads their loss itself, as a network's does
    )
    patience: int = 5
    tol: float = 1e-4

    def reason(self, trace: Trace) -> str:
        losses = trace.columns["validation_loss"]
        best, since = math.inf, 0
        for loss in losses:
            if math.isnan(loss):  # a look before the run was gone on with, which did not read it
                continue
            if best == math.inf or loss < best - self.tol * abs(best):
                best, since = loss, 0
            else:
                since += 1
        return f"no better on validation rows for {since} looks (best {best:.6g})" if since >= self.patience else ""

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return () if self.validation is None else (Validation(self.validation),)


class Diverged(NamedTuple):
    """When the loss has grown by `factor` times its size at the start: the walk is running away.

    Where it starts at zero (the perceptron's at w = 0), its size is that of the first look at which it does not.
    """

    factor: float = 1e3

    def reason(self, trace: Trace) -> str:
        losses = trace.columns["loss"]
        first, loss = losses[0], losses[-1]
        size = next((abs(value) for value in losses if abs(value) > 1e-12), 0.0)
        if loss <= first + self.factor * size:
            return ""
        return f"diverged: the loss grew from {first:.3g} to {loss:.3g} by update {trace.last('t'):,}"

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()


class Excess(NamedTuple):
    """When the executor's estimate of the excess over the optimum is at most `tol` of the loss, or no step descends any more.

    Only for executors that read their excess (see descent.descend). The share is of the loss above `floor`, the loss of a
    model that predicts every row perfectly, and of no less than a thousandth of where the walk started, or of what `level`
    answers, the loss of the best constant model, if that is less: a perfect fit need not be made more perfect
    (docs/decisions/0004). It is asked only where the fit is that good.
    """

    tol: float = 1e-4
    floor: float = 0.0
    level: Callable[[], float] = lambda: math.inf

    def reason(self, trace: Trace) -> str:
        losses = trace.columns["loss"]
        excess = min(trace.last("excess"), losses[-1] - self.floor)
        scale = losses[-1] - self.floor
        if scale < START_SHARE * (losses[0] - self.floor):
            scale = max(scale, START_SHARE * (min(losses[0], self.level()) - self.floor))
        share = excess / max(scale, 1e-300)
        if share <= self.tol:
            return f"the estimated excess over the optimum, {share:.2g} of the loss, is at most {self.tol:g}"
        lengths, windows = trace.columns["length"][-STUCK:], trace.columns.get("window", [])[-STUCK:]
        if len(lengths) == STUCK and not any(lengths) and len(set(windows)) <= 1:  # a narrower window is another walk
            return f"no step descends any more in floating point; the estimated excess is {share:.2g} of the loss"
        return ""

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()


class Separable(NamedTuple):
    """When so low a loss shows that the fit has no optimum: with classes told apart and nothing penalised, it falls for ever.

    bound: the mean loss below which every row is on its right side; for the logistic loss and softmax log 2 times the smallest
    weight over the number of rows (Albert & Anderson 1984 name the case).
    """

    bound: float

    def reason(self, trace: Trace) -> str:
        if trace.last("loss") >= self.bound:
            return ""
        return (
            "the classes are separable and nothing is penalised, so there is no optimum: the loss falls toward 0 as w grows; "
            "add a penalty"
        )

    def room(self, trace: Trace, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()


class AnyOf(NamedTuple):
    """As soon as one of these rules gives a reason; its reason is given."""

    rules: Sequence[Any]

    def reason(self, trace: Trace) -> str:
        return next((reason for rule in self.rules if (reason := rule.reason(trace))), "")

    def room(self, trace: Trace, batch: int) -> float:
        return min((rule.room(trace, batch) for rule in self.rules), default=math.inf)

    def gauges(self) -> Sequence[Any]:
        return tuple(gauge for rule in self.rules for gauge in rule.gauges())


class AllOf(NamedTuple):
    """Only when every one of these rules gives a reason; all are given."""

    rules: Sequence[Any]

    def reason(self, trace: Trace) -> str:
        reasons = [rule.reason(trace) for rule in self.rules]
        return " and ".join(reasons) if all(reasons) else ""

    def room(self, trace: Trace, batch: int) -> float:
        return max((room if (room := rule.room(trace, batch)) > 0 else 0.0 for rule in self.rules), default=math.inf)

    def gauges(self) -> Sequence[Any]:
        return tuple(gauge for rule in self.rules for gauge in rule.gauges())


STOPS = {
    "updates": Updates,
    "visits": Visits,
    "epochs": Epochs,
    "seconds": Seconds,
    "gradient_norm": GradientNorm,
    "loss_change": LossChange,
    "update_size": UpdateSize,
    "target_loss": TargetLoss,
    "no_better": NoBetter,
    "diverged": Diverged,
}
