"""Samplers: which rows next? A segment, usually one pass over them, depends on (seed, segments walked) alone."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Stretches = tuple[tuple[tuple[int, int], ...], ...]


class Segment(NamedTuple):
    """A bounded run of steps: step k takes the next `batch` entries of `order`, from the front again after its end."""

    order: Array  # (rows,) int64
    batch: int
    length: int  # steps

    def steps(self) -> Iterator[Array]:
        """The rows of each step in turn."""
        passes = -(-len(self.order) // self.batch)
        for k in range(self.length):
            first = k % passes * self.batch
            yield self.order[first : first + self.batch]

    def first(self, steps: float) -> "Segment":
        """The same segment cut short after that many steps (at least one)."""
        return self if steps >= self.length else self._replace(length=max(1, int(steps)))

    def visits(self, steps: Array) -> Array:
        """Rows visited after so many of its steps."""
        passes = -(-len(self.order) // self.batch)
        visits: Array = steps // passes * len(self.order) + steps % passes * self.batch
        return visits


class Batch(NamedTuple):
    """Every row at every step: batch gradient descent. A segment is `steps` steps."""

    steps: int = 1

    def size(self, n: int) -> int:
        return n

    def segment(self, n: int, segments: int) -> Segment:
        return Segment(np.arange(n), n, self.steps)


class Shuffled(NamedTuple):
    """Each row once a pass, in a new random order every pass: sampling without replacement, the usual choice.

    batch: rows a step; 1 is stochastic gradient descent. block: rows kept together as neighbours while shuffling; 1
    shuffles row by row, 64 moves runs of 64 rows whole, which reads memory several times faster: for tables larger than
    the cache whose rows are in no special order. A plan that leaves it open finds out (objectives/order.py).
    """

    batch: int = 1
    seed: int = 0
    block: int = 1

    def size(self, n: int) -> int:
        return min(self.batch, n)

    def segment(self, n: int, segments: int) -> Segment:
        chance = np.random.default_rng((self.seed, segments))
        if 2 * self.block > n or self.block == 1:
            order = chance.permutation(n)
        else:
            whole, order = n // self.block, np.empty(n, dtype=np.int64)
            runs, short = chance.permutation(whole)[:, None] * self.block, n - whole * self.block
            before = int(chance.integers(whole + 1))  # runs before the short last one, which comes anywhere
            cut = before * self.block
            np.add(runs[:before], np.arange(self.block), out=order[:cut].reshape(before, self.block))
            order[cut : cut + short] = np.arange(n - short, n)
            np.add(runs[before:], np.arange(self.block), out=order[cut + short :].reshape(-1, self.block))
        return Segment(order, min(self.batch, n), -(-n // min(self.batch, n)))


class Windows(NamedTuple):
    """A pass over a table that is larger than memory, in windows that are not: what is read at once, and mixed.

    Runs of neighbouring rows are drawn for a window from all over the table, one from each stretch of it (stratified sampling,
    Cochran 1977), so that a window has each class of a sorted table in its share. Their rows are permuted, or stay as they are
    where the table is in no order; what a step of `batch` leaves over of the last run waits for
    the next window. The order depends on seed and segment alone.

    Of a file that is decoded as it is walked, `stretches` says which rows come one after the other (see Streamed): its groups
    are permuted within each, and a window has of every stretch its share, from where the last window ended.
    """

    n: int
    batch: int
    length: int  # steps
    seed: int
    segments: int
    window: int  # rows held at a time
    run: int  # neighbouring rows read together
    mixed: bool = True  # whether the rows of a window are permuted
    stretches: Stretches = ()

    def windows(self) -> Iterator[tuple[Array, Array]]:
        """The rows of each window as they are read, neighbours together, and the order in which the steps take them; all
        windows but the last are a multiple of the batch.
        """
        chance = np.random.default_rng((self.seed, self.segments))
        if self.stretches:
            yield from ((rows, chance.permutation(len(rows))) for rows in self._from_groups(chance))
            return
        runs, left = -(-self.n // self.run), np.empty(0, dtype=np.int64)
        count = -(-runs // max(self.window // self.run, 1))  # windows
        strata = chance.permuted(np.arange(-(-runs // count) * count).reshape(-1, count), axis=1)
        for k, held in enumerate(chance.permuted(strata.T, axis=1)):
            rows = (held[:, None] * self.run + np.arange(self.run)).ravel()
            rows = np.concatenate([left, rows[rows < self.n]])
            whole = len(rows) - len(rows) % self.batch if k < count - 1 else len(rows)
            if whole:
                yield rows[:whole], chance.permutation(whole) if self.mixed else np.arange(whole)
            left = rows[whole:]

    def _from_groups(self, chance: np.random.Generator) -> Iterator[Array]:
        """The rows of each window, those of a group from front to end."""
        groups = [np.array(stretch)[chance.permutation(len(stretch))] for stretch in self.stretches]
        ends = [np.append(0, np.cumsum(np.diff(each).ravel())) for each in groups]
        many, done = np.array([each[-1] for each in ends]), np.zeros(len(ends), dtype=np.int64)
        count = -(-self.n // self.window)
        for k in range(1, count + 1):
            upto = many * k // count
            over = int((upto - done).sum()) % self.batch if k < count else 0
            for at in range(len(upto) - 1, -1, -1):  # whole steps only: to go back would be to decode again
                less = min(over, int(upto[at] - done[at]))
                upto[at], over = upto[at] - less, over - less
            parts = [
                np.arange(max(first, begin) + start - begin, min(last, end) + start - begin)
                for each, bounds, first, last in zip(groups, ends, done.tolist(), upto.tolist(), strict=True)
                for (start, _), (begin, end) in zip(each.tolist(), pairwise(bounds.tolist()), strict=True)
                if first < end and begin < last
            ]
            done = upto
            if parts:
                yield np.concatenate(parts)

    @property
    def order(self) -> Array:
        """All of them, (n,)."""
        return np.concatenate([rows[order] for rows, order in self.windows()])

    def steps(self) -> Iterator[Array]:
        """The rows of each step in turn."""
        return Segment(self.order, self.batch, self.length).steps()

    def first(self, steps: float) -> "Windows":
        """The same segment cut short after that many steps (at least one)."""
        return self if steps >= self.length else self._replace(length=max(1, int(steps)))

    def visits(self, steps: Array) -> Array:
        """Rows visited after so many of its steps."""
        visits: Array = np.minimum(steps * self.batch, self.n)
        return visits


class Streamed(NamedTuple):
    """Each row once a pass, in a new order every pass, as far as a window at a time allows (see Windows).

    batch: rows a step; window: rows held at a time; run: neighbouring rows that are read together; mixed:
    whether the rows of a window are permuted, which those of a table in no order need not be; stretches: of a file that is
    decoded as it is walked, for each stretch the first row and the one behind the last of its row groups.
    """

    batch: int = 1
    seed: int = 0
    window: int = 1 << 16
    run: int = 64
    mixed: bool = True
    stretches: Stretches = ()

    def size(self, n: int) -> int:
        return min(self.batch, n)

    def segment(self, n: int, segments: int) -> Windows:
        batch = min(self.batch, n)
        window, length = max(self.window, batch), -(-n // batch)
        return Windows(n, batch, length, self.seed, segments, window, self.run, self.mixed, self.stretches)


class WithReplacement(NamedTuple):
    """Each step draws its rows from all of them, afresh: the textbook's independent draws."""

    batch: int = 1
    seed: int = 0

    def size(self, n: int) -> int:
        return min(self.batch, n)

    def segment(self, n: int, segments: int) -> Segment:
        order = np.random.default_rng((self.seed, segments)).integers(n, size=n)
        return Segment(order, min(self.batch, n), -(-n // min(self.batch, n)))


class InOrder(NamedTuple):
    """Each row once a pass, in the order of the table. Sorted tables make this slow or wrong: shuffle if in doubt."""

    batch: int = 1

    def size(self, n: int) -> int:
        return min(self.batch, n)

    def segment(self, n: int, segments: int) -> Segment:
        return Segment(np.arange(n), min(self.batch, n), -(-n // min(self.batch, n)))


class Sketch(NamedTuple):
    """A few random rows first, to learn the curvature from, and then all rows: for solvers that precondition by a sketch.

    rows: how many are sketched at first. A segment is one step on all rows; every `passes` segments it begins with a
    sketch, each from `growth` times as many rows as the last, so that a poor sketch is soon a better one. Where that
    would be all rows, every segment begins with all of them: exact Newton steps.
    """

    rows: int = 10_000
    passes: int = 4
    growth: int = 4
    seed: int = 0

    def size(self, n: int) -> int:
        return n

    def segment(self, n: int, segments: int) -> Segment:
        stage, late = divmod(segments, self.passes)
        rows = min(self.rows * self.growth**stage, n)
        sketch = np.arange(0)
        if rows == n:
            sketch = np.arange(n, dtype=np.int32)
        elif not late:
            sketch = np.random.default_rng((self.seed, segments)).choice(n, rows, replace=False)
        kind = np.int32 if n < 2**31 else np.int64  # no kernel walks this order, and it is as long as the table
        order = np.arange(-len(sketch), n, dtype=kind)
        order[: len(sketch)] = sketch
        return Segment(order, len(order), 1)


SAMPLERS = {"batch": Batch, "shuffled": Shuffled, "with_replacement": WithReplacement, "in_order": InOrder}
