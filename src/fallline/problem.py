"""A problem: an encoded table and what is to be walked down on it, from the words that commands and plans use."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fallline.data import Dataset, load
from fallline.data.load import table_of
from fallline.data.stream import stream
from fallline.data.table import Place
from fallline.errors import InputError
from fallline.losses import CLASSIFICATION, LOSSES, MULTICLASS, POSITIVE
from fallline.objectives.linear import refuse_targets
from fallline.objectives.order import run_of
from fallline.parts import part
from fallline.penalties import L1, L2, ElasticNet
from fallline.plan import objective_of
from fallline.rows import CSR, Dense

LOSS_OF = {"regression": "squared_error", "binary": "log_loss", "multiclass": "softmax"}
LAYOUT = ("header", "delimiter", "encoding", "quote", "missing")  # of load's options, those that say how to read a file


class Charges(NamedTuple):
    """What the objective charges for, as in a plan: loss None means the usual one of the task."""

    loss: str | None = None
    penalty: str = "l2"
    alpha: float = 1e-4
    l1_ratio: float = 0.15


class Room(NamedTuple):
    """Where rows are kept that memory does not hold: bytes of memory to get by with, and a folder with room for the rest.

    cache: whether they are kept, or decoded at every reading; None: decoded where the folder's disk has no room.
    mixed: whether rows that stand in any order are shuffled there, for a plan that walks in windows.
    """

    memory: int
    folder: Path
    cache: bool | None = True
    mixed: bool = False


class Problem(NamedTuple):
    """The table, the objective over it, its loss as text, and the objective in words."""

    data: Dataset
    objective: Any
    loss: str
    text: str


def problem_of(
    data: Any, target: Any, charges: Charges, weights: Any = None, *, room: Room | None = None, **reading: Any
) -> Problem:
    """Read the data (see fallline.load) and set up the objective. `weights`: (n,), or the column that says them.

    room: where the rows go that memory does not hold (see data/stream.py); None: all of them are read into memory.
    Raises InputError for what cannot be read, and for a loss that does not suit the target.
    """
    reading = suited(charges.loss, reading)
    if room is None:
        if isinstance(weights, str | int):
            weights, reading = weights_in(data, weights, reading)
        table = load(data, target, **reading)
    else:
        where: dict[str, Any] = {"memory": room.memory, "folder": room.folder, "cache": room.cache}
        table = stream(Path(data), target, weights=weights, **where, **reading)
        weights = table.held and table.held.weights
    loss = charges.loss or LOSS_OF[table.task]
    placed = place_in(data, reading) if room is None else f"in row {{}} of {table.source} (counted from 0)".format
    objective = objective_on(table, weights, loss, charges, placed)
    if room is not None and table.held is not None:
        objective.disk = disk = table.held.disk
        if room.mixed and disk.shuffles and run_of(objective) == 1:
            disk.shuffle()
            objective = objective_on(table, weights, loss, charges, placed)
            objective.disk = disk
    return Problem(table, objective, loss, wording(objective, loss))


def suited(loss: str | None, reading: dict[str, Any]) -> dict[str, Any]:
    """The reading options that a loss asks for: one of amounts takes them in their own units, even two or three of them."""
    if loss and loss.partition(":")[0] in POSITIVE:
        return {"standardise_target": False, "task": "regression", **reading}
    return reading


def weights_in(data: Any, column: str | int, reading: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The column of weights, read as a target would be, and the options that leave it out of what is learnt from."""
    layout = {name: reading[name] for name in LAYOUT if name in reading}
    dropped = reading.get("drop", ())
    dropped = (dropped,) if isinstance(dropped, str | int) else tuple(dropped)
    numbers = load(data, column, task="regression", standardise_target=False, **layout).y
    return numbers, {**reading, "drop": (*dropped, column)}


def place_in(data: Any, reading: dict[str, Any]) -> Place:
    """Says where in the data a row stands; they are read again for it, since only errors ask."""
    if isinstance(data, Dataset):
        return "in row {}".format
    layout = {name: reading[name] for name in LAYOUT if name in reading}
    return lambda row: f"at {table_of(data, **layout).place(row)}"


def objective_on(table: Dataset, weights: Any, loss: str, charges: Any, place: Place) -> Any:
    """The objective of a loss over a table. Raises InputError where the loss does not suit the target; `place`: of a row."""
    name = loss.partition(":")[0]
    if table.task == "multiclass" and name not in MULTICLASS:
        raise InputError(f'{loss} takes one score a row, and "{table.target}" has {len(table.classes)} classes: '
                         "use --loss softmax, or --task regression.")  # fmt: skip
    if table.task == "regression" and name in (*CLASSIFICATION, *MULTICLASS):
        raise InputError(f'{loss} is for classes, and "{table.target}" is a number: use --loss squared_error, '
                         "or --task binary or multiclass.")  # fmt: skip
    y = np.where(table.y > 0, 1.0, 0.0) if table.task == "binary" and name in MULTICLASS else table.y
    classes = max(2, len(table.classes))
    if name in LOSSES:
        refuse_targets(part(LOSSES, loss, "loss"), y, f'"{table.target}"', place)
    X = table.X if table.held is None else held_rows(table.X)  # known to be finite, and not to be read for that
    return objective_of(X, y, loss, charges.penalty, charges.alpha, charges.l1_ratio, classes, weights=weights)


def held_rows(X: Any) -> Dense | CSR:
    """A table on disk as rows, nothing copied."""
    return CSR(X.data, X.indices, X.indptr, X.shape[1]) if hasattr(X, "indptr") else Dense(X)


def wording(objective: Any, loss: str) -> str:
    """The objective in words."""
    alpha, ratio = strength(objective.penalty)
    terms = {
        L2: f" + {alpha:g}·½‖w‖²",
        L1: f" + {alpha:g}·‖w‖₁",
        ElasticNet: f" + {alpha:g}·({ratio:g}·‖w‖₁ + {1 - ratio:g}·½‖w‖²)",
    }
    return f"mean {loss}{terms.get(type(objective.penalty), '')}, the intercept free"


def strength(penalty: Any) -> tuple[float, float]:
    """A penalty's alpha, and its share of L1."""
    return getattr(penalty, "alpha", 0.0), getattr(penalty, "l1_ratio", float(isinstance(penalty, L1)))
