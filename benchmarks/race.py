"""How long a tool takes to come within a share of the optimum: searched over its own settings, then timed side by side.

The search halves: every setting at the smallest budget, the better half at the next, and so on, until one is close enough
or the time allowed is used. Budgets are iterations, epochs or tolerances, a fresh fit each, warm. What counts is the quickest fit
that is close enough; those are then run again in turn with the others', and the median is reported.
"""

import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from peers import Peer, reason
from tasks import Point, Task

FINEST = 1e-6  # where a search ends
KEPT = 2  # settings that are not halved
STALLED = 0.8  # an excess that fell by less over three budgets will not fall
HOPELESS = 3.0  # times the seconds allowed: a setting that seems to take longer for its first fit is not tried
TIGHTER = (
    5.0  # times the seconds that a fit may take at the next tolerance: coordinate descent on long tables takes twenty
)
LARGE, SHARE = 3e6, 16  # numbers of a table whose tools are tried on a share of its rows first
REPEATS, ENOUGH = 5, 3.0  # times that a fit is run, and seconds after which it is not run again


class Entrant:
    """A peer on one task: what it was prepared, and the points it reached.

    copied: seconds that the task's table took to be made of the user's.
    """

    def __init__(self, peer: Peer, task: Task, name: str = "", copied: float = 0.0) -> None:
        self.peer, self.task, self.copied = peer, task, copied
        self.name = name or peer.name
        self.points: list[Point] = []
        self.failure = ""
        self._made: dict[Any, Any] = {}
        self._making: dict[Any, float] = {}

    def fit(self, setting: dict[str, Any], budget: float) -> Point:
        """One fit, timed and judged; a tool that gives up is infinitely far."""
        key = setting.get("dtype")
        if key not in self._made:
            self._making[key], self._made[key] = least(lambda: self.peer.prepare(self.task, setting))
        threads = threadpool_limits(setting["threads"]) if "threads" in setting else nullcontext()
        with threads, warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # what came of it is in the excess
            start = time.perf_counter()
            try:
                w = self.peer.fit(self._made[key], self.task, setting, budget)
            except (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError) as error:
                self.failure = str(error).splitlines()[0][:100]
                return Point(setting, budget, time.perf_counter() - start, np.inf)
            seconds = time.perf_counter() - start
            w = w() if callable(w) else w  # a tool whose answer has to be fetched
        return Point(setting, budget, seconds, self.task.excess(w))

    def before(self, point: Point) -> float:
        """Seconds from the user's table to what that fit was given: a standardised copy, the tool's own form."""
        return self.copied + self._making[point.setting.get("dtype")]

    def search(self, allowed: float, longest: float = np.inf, finest: float = FINEST) -> None:
        """Fill `points`: at most about `allowed` seconds of fitting, no fit expected beyond `longest`."""
        budgets, alive = self.peer.budgets, self._possible(allowed)
        if alive:
            self.fit(alive[0], budgets[0])  # warms: compiles, loads
        spent, seconds = 0.0, dict[str, float]()
        for k, budget in enumerate(budgets):
            ratio = budget / budgets[k - 1] if k else 1.0
            growth = ratio if ratio >= 1.0 else min(1.0 / ratio, TIGHTER)
            reached = []
            for setting in alive:
                expected = seconds.get(str(setting), 0.0) * growth
                if expected <= longest and spent + expected <= allowed:
                    point = self.fit(setting, budget)
                    spent += point.seconds
                    seconds[str(setting)] = point.seconds
                    reached.append(point)
            self.points += reached
            if not reached or min(p.excess for p in reached) <= finest:
                return
            reached.sort(key=lambda p: p.excess)
            alive = [p.setting for p in reached[: max(KEPT, (len(reached) + 1) // 2)] if not self._stalled(p)]

    def _possible(self, allowed: float) -> list[dict[str, Any]]:
        """The settings that will not take for ever, by a first fit of a sixteenth of the rows; all where the table is small.

        No fit can be interrupted, and some take minutes on a badly scaled table.
        """
        numbers = self.task.X.nnz if self.task.sparse else self.task.X.size
        if numbers < LARGE or self.peer.name == "fallline":
            return list(self.peer.settings)
        part = self.task.first(self.task.n // SHARE)
        part.optimum = part.floor = np.nan  # nobody asks
        trial = Entrant(self.peer, part)
        trial.fit(self.peer.settings[0], self.peer.budgets[0])  # warms
        return [
            s for s in self.peer.settings if trial.fit(s, self.peer.budgets[0]).seconds * SHARE <= HOPELESS * allowed
        ]

    def _stalled(self, point: Point) -> bool:
        before = [p.excess for p in self.points if p.setting == point.setting]
        return len(before) > 3 and point.excess > STALLED * before[-4]

    def quickest(self, target: float) -> Point | None:
        """The fit that came within `target` in the least time."""
        return min((p for p in self.points if p.excess <= target), key=lambda p: p.seconds, default=None)


def least(make: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of what is made, the second time where that is cheap: the first may load and compile; and what came of it."""
    start = time.perf_counter()
    made = make()
    seconds = time.perf_counter() - start
    if seconds < ENOUGH:
        start = time.perf_counter()
        made = make()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, made


def entrants(peers: Iterable[Peer], task: Task, standardise: bool) -> tuple[list[Entrant], dict[str, str]]:
    """Who can do the task, on the table as it is and, fallline excepted, on a standardised copy; and why not the others."""
    able, absent = [], {}
    copied, copy = least(task.standardised) if standardise and not task.sparse else (0.0, None)
    for peer in peers:
        if why := reason(peer, task):
            absent[peer.name] = why
            continue
        able.append(Entrant(peer, task))
        if copy and peer.name != "fallline":
            able.append(Entrant(peer, copy, f"{peer.name}, standardised", copied))
    return able, absent


def timed(chosen: list[tuple[Entrant, Point]], repeats: int = REPEATS) -> list[tuple[float, float, float]]:
    """Median, least and most seconds of several fits, the search's and more in turn, so that a noisy moment strikes all."""
    seconds = [[point.seconds] for _, point in chosen]
    for _ in range(repeats - 1):
        for k, (entrant, point) in enumerate(chosen):
            if sum(seconds[k]) < ENOUGH:
                seconds[k].append(entrant.fit(point.setting, point.budget).seconds)
    return [(median(found), min(found), max(found)) for found in seconds]
