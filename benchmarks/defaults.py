"""Default settings on raw tables, float32 and float64: how far from the optimum, and who is the first to 1 % and to 1e-4.

    python benchmarks/defaults.py [--quick] [table …]

fallline: the excess is that of `solve(objective)`, nothing set; the times are those of the whole call at the largest `tol`, a
power of ten, that came close enough, as a peer's are at its best budget. Peers: at their best settings, on the raw table and,
dense ones, on a standardised copy; a peer's search ends where it could no longer be first. The two quickest are then timed
again in turn with fallline; medians. Everybody begins with the user's array: what a peer needs before it can fit, a
standardised copy or a form of its own, is counted; who would be first if it were not is counted apart.
"""

import math
from typing import Any, NamedTuple

import numpy as np

import sets
from peers import present
from race import entrants, timed
from tasks import Task
from text import figures, wanted

CLOSE, NEAR = 1e-2, 1e-4
DTYPES = (np.float32, np.float64)
ALLOWED = 4.0  # seconds of fits a peer, or as many as fallline itself takes if that is more
SLACK = 1.5  # times fallline's own seconds after which a peer cannot be first
RIVALS = 2
QUICK = ("breast cancer", "diabetes", "iris")


class Row(NamedTuple):
    """One task in one type of float."""

    name: str
    dtype: str
    excess: float  # of the default
    seconds: tuple[float | None, float | None]  # of fallline to 1 % and to 1e-4
    first: tuple[str, str]  # who was
    theirs: tuple[float | None, float | None]  # seconds of the quickest peer
    ready: tuple[bool, bool]  # whether fallline were first if peers began with what they need


def main(quick: bool = False, only: tuple[str, ...] = ()) -> list[Row]:
    """Print the table and the shares."""
    peers = present()[0]
    print(
        f"{'':38s}{'float':>8s}{'excess':>10s}{'1 %':>10s}{'1e-4':>10s}   first to 1 % · to 1e-4, where another tool was"
    )
    rows = []
    for task in sets.tasks(only or (QUICK if quick else ())):
        for dtype in DTYPES if not task.sparse or task.X.dtype != np.float32 else (np.float32,):
            rows.append(measure(peers, Task(task.name, task.X.astype(dtype), task.y, task.loss, task.lam, task.lasso)))
            tell(rows[-1])
    for what, _, reached, _ in targets(rows):
        print(f"{what}: {reached}")
    return rows


def measure(peers: Any, task: Task) -> Row:
    """fallline's default, then whoever may be quicker."""
    able, _ = entrants(peers, task, standardise=True)
    own = able[0]
    own.search(ALLOWED, finest=NEAR)
    default = own.fit({}, NEAR)
    goals = (CLOSE, NEAR)
    points = [own.quickest(goal) or default for goal in goals]
    longest = SLACK * max(p.seconds for p in points)
    for entrant in able[1:]:
        entrant.search(max(ALLOWED, longest / SLACK), longest, NEAR)
    seconds, first, theirs, ready = [], [], [], []
    for goal, point in zip(goals, points, strict=True):
        found = [(e, p) for e in able[1:] if (p := e.quickest(goal))]
        bare = sorted(found, key=lambda pair: pair[1].seconds)[:RIVALS]
        whole = sorted(found, key=lambda pair: pair[1].seconds + pair[0].before(pair[1]))[:RIVALS]
        rivals = [*bare, *(pair for pair in whole if pair not in bare)]
        own_seconds, *others = [median for median, _, _ in timed([(own, point), *rivals])]
        reached = point.excess <= goal
        full = [fit + entrant.before(theirs) for fit, (entrant, theirs) in zip(others, rivals, strict=True)]
        best = min(full, default=None)
        ahead = best is not None and (not reached or best < own_seconds)
        seconds.append(own_seconds if reached else None)
        theirs.append(best)
        first.append(rivals[full.index(best)][0].name if ahead else "fallline" if reached else "nobody")
        ready.append(reached and own_seconds <= min(others, default=math.inf))
    return Row(task.name, str(task.X.dtype), default.excess, tuple(seconds), tuple(first), tuple(theirs), tuple(ready))


def tell(row: Row) -> None:
    """A line of the table."""
    others = " · ".join(
        "" if who == "fallline" else f"{who} {figures(their * 1e3)} ms" if their else who
        for who, their in zip(row.first, row.theirs, strict=True)
    )
    cells = "".join(f"{figures(s * 1e3) + ' ms' if s else 'never':>10s}" for s in row.seconds)
    print(
        f"{row.name:38s}{row.dtype[5:]:>8s}{row.excess:10.1e}{cells}   {others if others != ' · ' else ''}", flush=True
    )


def targets(rows: list[Row]) -> list[tuple[str, str, str, bool]]:
    """The issue's row."""
    within = sum(row.excess <= CLOSE for row in rows) / len(rows)
    first = [sum(row.first[k] == "fallline" for row in rows) / len(rows) for k in range(2)]
    bare = [sum(row.ready[k] for row in rows) / len(rows) for k in range(2)]
    many = len({row.name for row in rows})
    return [
        (f"default settings, raw, f32 and f64, {many} data sets and losses", "within 1 % of the optimum on every one",
         f"on {within:.0%}", within == 1.0 and many >= 30),
        ("the same: first to 1 % / to 1e-4", "on ≥ 80 %", f"{first[0]:.0%} / {first[1]:.0%}", min(first) >= 0.8),
        ("the same, copies and forms that peers need not counted", "", f"{bare[0]:.0%} / {bare[1]:.0%}", min(bare) >= 0.8),
    ]  # fmt: skip


if __name__ == "__main__":
    main(*wanted())
