"""Who sees a walk after every segment, and may ask it to stop; nobody changes it."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from fallline.trace import Trace

Viewer = Callable[[Trace], Any]
"""Is shown the trace so far, a copy; a true answer asks to stop, a sentence says why."""


class Watching:
    """A stopping rule that shows each segment to its viewers, once, and stops where one of them asks to."""

    def __init__(self, viewers: Sequence[Viewer]) -> None:
        self.viewers = viewers
        self.seen = 1  # looks; the start is no segment

    def reason(self, trace: Trace) -> str:
        if len(trace) <= self.seen:
            return ""
        self.seen = len(trace)
        answers = [viewer(trace.copy()) for viewer in self.viewers]
        asked = next((answer for answer in answers if answer), "")
        return "" if not asked else asked if isinstance(asked, str) else "was asked to stop by a hook"

    def room(self, trace: Trace, batch: int) -> float:
        return float("inf")

    def gauges(self) -> Sequence[Any]:
        return ()


class Line:
    """Write a line a segment to standard output: verbose."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, trace: Trace) -> None:
        excess = f", estimated excess {trace.last('excess'):.2g}" if "excess" in trace.columns else ""
        sys.stdout.write(
            f"[{self.name}] after {trace['epochs'][-1]:.4g} passes and {trace.last('seconds'):.2g} s: "
            f"loss {trace.last('loss'):.6g}{excess}\n"
        )


def viewers_of(estimator: Any, name: str, context: Any, shown: dict[str, Any], fitted: Any = None) -> list[Any]:
    """Those that an estimator's arguments and callbacks ask for: verbose, watch and scikit-learn's, in this order."""
    viewers: list[Any] = [Line(name)] if estimator.verbose else []
    viewers += [estimator.watch] if estimator.watch is not None else []
    if getattr(estimator, "_skl_callbacks", ()):
        viewers.append(Callbacks(estimator, context, shown, fitted))
    return viewers


class Callbacks:
    """scikit-learn's callbacks (SLEP023): a segment is a task, and what it leaves is a model that can predict.

    fitted: from a point to the attributes that predictions are made from; None where a walk learns but one of several classes.
    The point is looked up in the trace; where the trace keeps none, of very wide models, `fitted_estimator` is None.
    """

    def __init__(self, estimator: Any, context: Any, data: dict[str, Any], fitted: Any = None) -> None:
        self.estimator, self.context, self.data, self.fitted = estimator, context, data, fitted

    def __call__(self, trace: Trace) -> bool:
        task = self.context.subcontext(task_name="segment")
        task.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        fitted = (lambda: self.fitted(trace.points[-1])) if trace.points and self.fitted is not None else None
        asked = task.call_on_fit_task_end(estimator=self.estimator, **self.data, reconstruction_attributes=fitted)
        return bool(asked)
