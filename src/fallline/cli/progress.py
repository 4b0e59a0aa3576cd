"""A fit as it goes: loss, excess, rows a second, memory and the time left, once it takes over two seconds."""

import math
import sys
import time
from typing import Any

import click

QUICK = 2.0  # seconds; what ends within them shows nothing
TERMINAL, PIPE = 0.2, 10.0  # seconds between two lines


class Progress:
    """One line that is written over on a terminal, and one every ten seconds elsewhere, on standard error."""

    def __init__(self, plan: Any, quiet: bool) -> None:
        self.plan, self.quiet = plan, quiet
        self.terminal = sys.stderr.isatty()
        self.begun = self.last = time.perf_counter()
        self.first: tuple[float, float] | None = None  # seconds and visits where this walk began
        self.width = 0

    def say(self, text: str) -> None:
        """A sentence that replaces the line."""
        if self.terminal and not self.quiet:
            click.echo(f"\r{text:<{self.width}}", nl=False, err=True)
            self.width = len(text)

    def __call__(self, problem: Any, trace: Any) -> None:
        now = time.perf_counter()
        if self.first is None:
            self.begun, self.first = now, (now, float(trace.last("visits")))
        late = now - self.last >= (TERMINAL if self.terminal else PIPE if self.width else QUICK)
        if self.quiet or now - self.begun < QUICK or not late:
            return
        self.last = now
        text = line(self.plan, trace, now - self.first[0], trace.last("visits") - self.first[1])
        if self.terminal:
            self.say(text)
        else:
            click.echo(text, err=True)
            self.width = len(text)

    def end(self) -> None:
        """Leave the terminal clean."""
        if self.terminal and self.width:
            click.echo(f"\r{'':<{self.width}}\r", nl=False, err=True)


def line(plan: Any, trace: Any, seconds: float, visits: float) -> str:
    """The state of a walk in a line."""
    parts = [f"{trace['epochs'][-1]:.3g} passes", f"loss {trace.last('loss'):.5g}"]
    if "excess" in trace.columns and math.isfinite(trace.last("excess")):
        parts.append(f"excess {trace.last('excess'):.2g}")
    if seconds > 0:
        parts.append(f"{visits / seconds:,.0f} rows/s")
    parts.append(f"{memory():,.0f} MB")
    done = share(plan, trace)
    if 0.0 < done < 1.0:
        parts.append(f"about {seconds * (1.0 - done) / done:,.0f} s left")
    return " · ".join(parts)


def share(plan: Any, trace: Any) -> float:
    """How much of the way is done: of the budget or, of the solver, of the way down to its tolerance, on a log scale."""
    if plan.amount:
        spent = {"epochs": trace["epochs"][-1], "updates": trace.last("t")}.get(plan.budget)
        return float((trace.last(plan.budget) if spent is None else spent) / plan.amount)
    known = [value for value in trace.columns.get("excess", ()) if value > 0.0]
    goal = float(plan.tol or 0.0) * abs(trace.last("loss"))
    if len(known) < 2 or goal <= 0.0 or known[0] <= goal:
        return 0.0
    return math.log(known[0] / known[-1]) / math.log(known[0] / goal)


def memory() -> float:
    """Peak resident memory of this process in MB."""
    try:
        import resource
    except ImportError:  # not on this system
        return math.nan
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform != "darwin" else 1e6)
