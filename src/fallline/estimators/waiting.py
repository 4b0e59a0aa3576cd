"""A stopping rule of estimators: no better for so many looks."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple


class Waited(NamedTuple):
    """When a column of the trace has brought no better value for `patience` looks: none `least` + `share`·|best| below the best.

    scikit-learn's `tol` is a `least`, in the loss's units; a share needs no units.
    """

    column: str = "loss"
    patience: int = 5
    share: float = 0.0
    least: float = 0.0

    def waits(self, trace: Any) -> tuple[int, int]:
        """How often the patience has run out so far, and the looks without a better value since then."""
        best, times, waited = math.inf, 0, 0
        for value in trace.columns[self.column][1:]:  # the start is no step's doing
            better = best == math.inf or value < best - self.least - self.share * abs(best)
            best = min(best, value)
            waited = 0 if better else waited + 1
            if waited >= self.patience:
                times, waited = times + 1, 0
        return times, waited

    def reason(self, trace: Any) -> str:
        times, _ = self.waits(trace)
        return (
            f"no better for {self.patience} looks (best {self.column}: {min(trace[self.column]):.6g})" if times else ""
        )

    def room(self, trace: Any, batch: int) -> float:
        return math.inf

    def gauges(self) -> Sequence[Any]:
        return ()
