"""Where a network's rows come from: tensors in memory, a loader, or a function that makes batches as it goes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from fallline.errors import InputError, saying
from fallline.torch.nested import leaves, over

Array = np.ndarray[Any, Any]
PARTS = (2, 3)  # of a batch: inputs, targets and, where given, how much each row counts
Picked = Any  # indices of rows, slice(None) for all, or a Given batch


class Given(NamedTuple):
    """A batch as a loader or a function gave it: (inputs, targets) or (inputs, targets, weights)."""

    inputs: Any
    targets: Any
    weights: Any = None


class Tensors:
    """Inputs (n, …) and targets (n, …) in memory, and how much each row counts, (n,), if not all alike."""

    def __init__(self, inputs: Any, targets: Any, weights: Any, device: torch.device, kind: torch.dtype) -> None:
        self.inputs, self.targets = (
            tensor_of(inputs, "The inputs", device, kind),
            tensor_of(targets, "The targets", device, kind),
        )
        self.targets = whole(self.targets)
        self.n = len(self.inputs)
        self.weights = None if weights is None else tensor_of(weights, "The weights", device, kind)
        for name, held in (("targets", self.targets), ("weights", self.weights)):
            if held is not None and len(held) != self.n:
                raise InputError(
                    f"There are {self.n:,} rows of inputs and {len(held):,} {name}: give one for each row."
                )
        if self.n == 0:
            raise InputError("The inputs have no rows: give at least one.")
        for name, held in (("inputs", self.inputs), ("targets", self.targets), ("weights", self.weights)):
            refuse_infinite(held, name)
        self._held: dict[int, torch.Tensor] = {}

    def batch(self, rows: Picked) -> tuple[Any, Any, Any]:
        """Inputs, targets and weights of those rows."""
        if isinstance(rows, slice):
            return self.inputs[rows], self.targets[rows], None if self.weights is None else self.weights[rows]
        index = torch.from_numpy(np.asarray(rows)).to(self.inputs.device)
        weights = None if self.weights is None else self.weights.index_select(0, index)
        return self._gathered(index), self.targets.index_select(0, index), weights

    def _gathered(self, index: torch.Tensor) -> torch.Tensor:
        """Rows into the buffer of their number, which is used again: fresh memory for every batch costs more than the copy."""
        count = len(index)
        held = self._held.get(count)
        if held is None:
            held = self._held[count] = self.inputs.new_empty((count, *self.inputs.shape[1:]))
        return torch.index_select(self.inputs, 0, index, out=held)

    def blocks(self, rows: int) -> Iterator[tuple[Any, Any, Any]]:
        """All rows, about so many at a time: none is left over alone, of which batch norm has no spread."""
        ends = np.linspace(0, self.n, -(-self.n // rows) + 1).astype(int).tolist()
        for first, last in pairwise(ends):
            yield self.batch(slice(first, last))

    def numbers(self) -> Iterator[Array]:
        """Its arrays."""
        yield from (held.cpu().numpy() for held in (self.inputs, self.targets, self.weights) if held is not None)

    def some(self) -> tuple[Any, Any, Any]:
        """A few rows, to try what they are taken by."""
        return self.batch(slice(0, 2))

    def sampler(self, batch: int, seed: int) -> Any:
        """None: the samplers of fallline draw the rows."""
        return None


class Loaded:
    """What a DataLoader, or anything that can be iterated over again, gives: (inputs, targets[, weights]) a batch.

    length: batches a pass, for one that does not say or goes on for ever. A loader that draws from torch's generator is
    reproducible: it is seeded before every pass. looked_at: what refuses targets before they are moved to the device, where
    the device itself cannot be asked afterwards.
    """

    def __init__(self, loader: Any, length: int | None, device: torch.device, kind: torch.dtype) -> None:
        self.loader, self.device, self.kind = loader, device, kind
        self.looked_at: Callable[[torch.Tensor], None] | None = None
        self.cut = length is not None
        if length is None:
            try:
                length = len(loader)
            except TypeError:
                raise InputError(
                    f"{type(loader).__name__} does not say how many batches it has: give Net(…, batches=…), those of a pass."
                ) from None
        if length < 1:
            raise InputError(f"{type(loader).__name__} has {length} batches: it must have at least one.")
        self.length = length
        self.rows = int(getattr(loader, "batch_size", None) or 1)
        data: Any = getattr(loader, "dataset", None)
        self.n = min(len(data) if hasattr(data, "__len__") else np.inf, self.length * self.rows)

    def batch(self, rows: Picked) -> tuple[Any, Any, Any]:
        """The batch on the module's device."""
        inputs, targets, weights = rows
        if self.looked_at is not None:
            self.looked_at(torch.as_tensor(targets))
        return over(inputs, self._placed), whole(over(targets, self._placed)), over(weights, self._placed)

    def _placed(self, part: Any) -> torch.Tensor:
        if isinstance(part, torch.Tensor):
            return moved(part, self.device)
        return tensor_of(part, "The parts of a batch", self.device, self.kind)

    def passed(self, seed: int) -> Iterator[Given]:
        """The batches of one pass."""
        if (own := getattr(self.loader, "generator", None)) is not None:
            own.manual_seed(seed)
        count = 0
        for batch in self.loader:
            if count == self.length and self.cut:
                break
            if count == self.length:
                raise InputError(
                    f"The loader gave more than the {self.length:,} batches that it said it had: its length must stay as it is."
                )
            yield given(batch, count + 1)
            count += 1
        if count < self.length:
            raise InputError(
                f"The loader ended after {count:,} of its {self.length:,} batches: one that can be gone over only once must be "
                "made anew for every pass (give a function), and its length must stay as it is."
            )

    def blocks(self, rows: int) -> Iterator[tuple[Any, Any, Any]]:
        """All rows, in its batches."""
        for number, batch in enumerate(self.passed(0), 1):
            with saying(f"Batch {number:,}"):
                held = self.batch(batch)
            yield held

    def numbers(self) -> Iterator[Array]:
        """How many rows and batches there are: all that is known of them without going over them."""
        yield np.array([self.n, self.length, self.rows])

    def some(self) -> tuple[Any, Any, Any]:
        """The first batch, to try what takes it."""
        return self.batch(next(self.passed(0)))

    def sampler(self, batch: int, seed: int) -> Any:
        """Its own batches, whatever size is asked for."""
        return Passes(self, seed)


class Made(Loaded):
    """Batches from a function: `make(module, seed)` gives an iterator of them; reinforcement learning plays that way."""

    def __init__(
        self, make: Callable[[Any, int], Any], module: Any, length: int, device: torch.device, kind: torch.dtype
    ) -> None:
        self.make, self.module, self.device, self.kind = make, module, device, kind
        self.looked_at = None
        self.n = self.length = length
        self.rows = 1

    def of(self, module: Any) -> "Made":
        """The same made from another module."""
        return Made(self.make, module, self.length, self.device, self.kind)

    def passed(self, seed: int) -> Iterator[Given]:
        count = 0
        for batch in islice(self.make(self.module, seed), self.length):
            yield given(batch, count + 1)
            count += 1
        if count < self.length:
            raise InputError(
                f"The function ended after {count:,} of the {self.length:,} batches of a pass: give Net(…, batches={count})."
            )


class Passes(NamedTuple):
    """The rows of a loader: a segment is one pass over it. Equal seeds give equal passes."""

    source: Loaded
    seed: int = 0

    def size(self, n: int) -> int:
        return self.source.rows

    def segment(self, n: int, segments: int) -> "Pass":
        return Pass(self.source, seed_of(self.seed, segments), self.source.length)


class Pass(NamedTuple):
    """One pass over a loader, or the first `length` batches of it."""

    source: Loaded
    seed: int
    length: int

    def steps(self) -> Iterator[Given]:
        """Its batches."""
        batches = self.source.passed(self.seed)
        return batches if self.length == self.source.length else islice(batches, self.length)

    def first(self, steps: float) -> "Pass":
        """The same pass cut short after that many steps (at least one)."""
        return self if steps >= self.length else self._replace(length=max(1, int(steps)))

    def visits(self, steps: Array) -> Array:
        """Rows visited after so many of its steps."""
        visits: Array = np.minimum(steps * self.source.rows, self.source.n)
        return visits


def listed(data: Any) -> bool:
    """Whether the data are a list of batches, and not (inputs, targets) themselves."""
    return isinstance(data, list) and all(
        isinstance(each, list | tuple)
        and len(each) in PARTS
        and all(isinstance(held, torch.Tensor | np.ndarray) for held in leaves(each))
        for each in data
    )


def seed_of(seed: int, segments: int) -> int:
    """One number from two, for torch's generator."""
    return int(np.random.SeedSequence((seed, segments)).generate_state(1)[0])


def given(batch: Any, number: int) -> Given:
    """A loader's batch as inputs, targets and weights. Raises InputError for anything else than two or three parts."""
    if not isinstance(batch, Sequence) or len(batch) not in PARTS:
        parts = f"{len(batch)} parts" if isinstance(batch, Sequence) else type(batch).__name__
        raise InputError(
            f"A batch is (inputs, targets) or (inputs, targets, weights), and batch {number:,} has {parts}: pack several inputs "
            "into one tuple."
        )
    return Given(*batch)


def refuse_infinite(held: torch.Tensor | None, name: str) -> None:
    """Raise InputError where a number is missing or infinite, with the first row that has one."""
    if held is not None and held.is_floating_point() and not bool(torch.isfinite(held.sum())):
        wrong = ~torch.isfinite(held.reshape(len(held), -1))
        if bool(wrong.any()):
            row, column = wrong.nonzero()[0].tolist()
            value = float(held.reshape(len(held), -1)[row, column])
            raise InputError(
                f"The {name} have {value:g} in row {row}, number {column} (counted from 0): fill it, or leave the row out."
            )


def whole(targets: Any) -> Any:
    """Numbers of classes in the one type that torch's losses take."""
    counted = isinstance(targets, torch.Tensor) and not targets.is_floating_point()
    return targets.long() if counted else targets


def shared(array: Array) -> torch.Tensor:
    """The array as a tensor in the same memory: Net copies an array, which may change, and no tensor."""
    return torch.from_numpy(array)


def tensor_of(data: Any, what: str, device: torch.device, kind: torch.dtype) -> torch.Tensor:
    """Data as a tensor on the device; floats in the module's type. Raises InputError for what is no table of numbers."""
    if not isinstance(data, torch.Tensor):
        try:
            array = np.asarray(data)
        except ValueError:
            raise InputError(
                f"{what} are a {type(data).__name__} of unlike parts: give one table; several inputs come as one tuple a batch, "
                "from a DataLoader or a list of batches."
            ) from None
        if array.dtype.kind not in "fiub":
            raise InputError(f"{what} are {array.dtype}, and a network takes numbers: encode them first.")
        data = torch.from_numpy(np.array(array))
    return moved(data.detach(), device, kind if data.is_floating_point() else data.dtype)


def moved(held: torch.Tensor, *where: Any) -> torch.Tensor:
    """`held.to(*where)`. Raises InputError for a tensor without numbers."""
    try:
        return held.to(*where)
    except NotImplementedError as error:
        raise InputError(
            f'The data are on the device "{held.device}", where tensors have shapes and no numbers: give the numbers.'
        ) from error
