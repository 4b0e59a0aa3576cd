"""The loop: an objective is walked down until a rule gives a reason. Read this file first."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fallline.averages import Last
from fallline.errors import InputError
from fallline.nouns import Average, Objective, Schedule, StepRule, StoppingRule
from fallline.samplers import Segment
from fallline.trace import Readings, Trace

Array = np.ndarray[Any, Any]


class State(NamedTuple):
    """Where the walk is: with the trace, all that is needed to go on from here."""

    w: Array  # (size,) parameters
    memory: tuple[Array, ...]  # what the step rule remembers, each (size,)
    mean: Array  # (size,) the average of the points so far, which the run answers with
    t: int  # steps taken
    segments: int  # segments walked


class Run(NamedTuple):
    """A walk and why it ended."""

    state: State
    trace: Trace
    reason: str
    objective: Any = None  # what was walked down
    plan: Any = None  # by which plan; None where the parts were given one by one

    @property
    def w(self) -> Array:
        """The answer: the last point, or the average that was asked for."""
        return self.state.mean

    @property
    def diverged(self) -> bool:
        """Whether the walk ran away; its point is then no answer."""
        return "diverged:" in self.reason  # as trace.broken and stops.Diverged word it, alone or among other reasons

    def explain(self, plan: Any = None) -> Any:
        """What ails it and the one change that mends it: fallline.explain.explanation.explain. plan: where none walked it."""
        from fallline.explain.explanation import explain_run

        return explain_run(self, plan)

    def __str__(self) -> str:
        """Where it ended, how close to the optimum if anybody knows, and why."""
        trace, about = self.trace, self.trace.about
        text = f"loss {trace.last('loss'):.6g} after {trace.last('visits') / trace.n:.3g} passes"
        excess, bound = trace.last("excess") if "excess" in trace.columns else np.inf, about.get("bound", np.inf)
        if excess < bound:
            text += f", about {excess:.2g} above the optimum"
        if np.isfinite(bound):
            text += f" (proven: at most {bound:.2g})"
        return f"{text}; {self.reason}"


def by_hand(
    objective: Objective,
    state: State,
    segment: Segment,
    step: StepRule,
    schedule: Schedule,
    average: Average,
    every: int,
) -> tuple[State, Array]:
    """Walk one segment the obvious way. Every other way of walking must agree with this one.

    Returns the state after it and the points seen after every `every` steps and at the end, (looks, size).
    """
    w, memory, mean, t, segments = state
    looks = []
    for k, rows in enumerate(segment.steps(), start=1):
        t += 1
        g = objective.gradient(w, rows)
        rate, c = schedule.at(t), step.begin(t, g)  # what depends on the step as a whole, once a step
        update, memory = step.update(g, w, memory, c)
        w = objective.prox(w - rate * update, rate * step.gain(memory, c))
        share = average.weight(t)
        mean = w if share == 1.0 else mean + share * (w - mean)
        if k == segment.length or (every and k % every == 0):
            looks.append(mean)
    return State(w, memory, mean, t, segments + 1), np.array(looks)


def descend(
    objective: Objective,
    *,
    sampler: Any,
    step: StepRule,
    schedule: Any,
    stop: StoppingRule,
    average: Average = Last(),  # noqa: B008 - a value that never changes
    advance: Any = by_hand,
    gauges: Sequence[Any] = (),
    every: int = 0,
    start: "Run | Array | None" = None,
) -> Run:
    """Walk down `objective` until `stop` gives a reason.

    `start` is a point, or a Run to go on with: 10 segments and then 10 more are the same bits as 20. `every` looks
    more often than at the ends of segments: after so many steps. `gauges` are extra columns of the trace. The walk of a
    segment is done by `advance`; the slow and obvious `by_hand` unless told otherwise. An executor that remembers more
    than a step rule does (a line search, a table of gradients) has a method `start(objective, w)` for its first memory; one
    that knows more of a point than where it is (its loss, how far it is from the optimum) has `readings(state)`.
    """
    state, trace = _begin(objective, sampler, step, advance, start, (*stop.gauges(), *gauges))
    while not (reason := trace.broken() or stop.reason(trace)):
        before = state
        pace = schedule.react(trace) if hasattr(schedule, "react") else schedule
        with trace.clock, np.errstate(over="ignore", invalid="ignore"):  # the clock stands still while we look
            room = stop.room(trace, sampler.size(objective.n))
            segment = sampler.segment(objective.n, before.segments).first(room)
            state, looks = advance(objective, before, segment, step, pace, average, every)
        steps = looked_at(segment.length, every)
        known = readings(advance, state)
        trace.note(objective, before.mean, looks, steps, segment.visits(steps), pace.at(state.t), known)
    return Run(state, trace, reason, objective)


def readings(advance: Any, state: State) -> Readings:
    """What the executor knows of the state beside its point, as numbers for the trace's columns."""
    return advance.readings(state) if hasattr(advance, "readings") else {}


def looked_at(count: int, every: int) -> Array:
    """After which of `count` steps a segment is looked at: every so many, and the last."""
    steps = np.arange(every, count + 1, every) if every else np.zeros(0, int)
    return steps if len(steps) and steps[-1] == count else np.append(steps, count)


def _begin(
    objective: Objective, sampler: Any, step: StepRule, advance: Any, start: Run | Array | None, gauges: Sequence[Any]
) -> tuple[State, Trace]:
    if sampler.size(objective.n) < 1:
        raise InputError(f"{sampler} takes {sampler.size(objective.n)} rows a step: it must take at least one.")
    walker = type(advance if hasattr(advance, "start") else step).__name__
    if isinstance(start, Run):
        before = start.trace.about.get("walker", walker)
        if before != walker:
            raise InputError(
                f"The run to go on with was walked by {before}, whose memory {walker} cannot use: begin anew."
            )
        return start.state, start.trace.copy(gauges)
    origin = objective.start()
    w = np.array(origin if start is None else start, dtype=np.result_type(origin, np.float32))
    if w.shape != np.shape(origin):
        raise InputError(f"start has shape {w.shape} where the objective has {len(origin)} parameters.")
    memory = advance.start(objective, w) if hasattr(advance, "start") else step.start(w)
    trace = Trace(objective.n, gauges)
    trace.about["walker"] = walker
    state = State(w, memory, w, t=0, segments=0)
    trace.begin(objective, w, readings(advance, state))
    return state, trace
