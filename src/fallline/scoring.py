"""How right a model is on rows whose target is known."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fallline.data.column import Numbers, Text, as_text, column, first_word
from fallline.data.scaling import Moments, merged, moments_of
from fallline.data.sparse import Sparse
from fallline.data.table import Table
from fallline.data.wording import counted, listed, quoted
from fallline.errors import InputError
from fallline.model import Model

Array = np.ndarray[Any, Any]


@dataclass
class Score:
    """What there is to say of a model's scores on rows whose target is known; rows may come piece by piece."""

    model: Model
    aside: str = ""  # why the target is left aside
    right: int = 0
    known: int = 0
    strange: set[str] = field(default_factory=set)  # labels that the model does not know
    truth: list[Moments] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)  # sums of each piece
    squares: list[float] = field(default_factory=list)

    def add(self, table: Table | Sparse, z: Array) -> None:
        """See more rows, whose scores are z; nothing where the target does not stand among them."""
        target = _target(self.model, table)
        if target is None or self.aside:
            return
        missing, classes = getattr(self.model.encoder, "missing", ()), bool(self.model.classes)
        try:
            found = column(target, 0, missing, "leave the target out", levels=classes, part=True)
        except InputError as error:
            self.aside = f"The target in it was left aside: {error}"
            return
        known = ~found.missing
        if not known.any():
            return
        if classes:
            self._labels(as_text(found), z)
        elif isinstance(found, Numbers):
            truth = found.values[known]
            off = truth - self.model.predicted(z[known])
            self.truth.append(moments_of(truth, float(np.abs(truth).max())))
            self.errors.append(float(np.abs(off).sum()))
            self.squares.append(float(np.square(off).sum()))
        else:
            word, row = first_word(found)
            where = f"{quoted(word)} at {target.place(row)}"
            self.aside = f"The target {quoted(found.name)} in it was left aside, as {where} is text."

    def _labels(self, found: Text, z: Array) -> None:
        own = {label: label for label in self.model.classes}
        labels = [own.get(level, own.get(level.rstrip("."), own.get(_short(level), ""))) for level in found.levels]
        truth = np.array([*labels, ""], dtype=object)[found.codes]
        known = truth != ""
        self.strange |= {level for level, label in zip(found.levels, labels, strict=True) if not label}
        self.known += int(known.sum())
        self.right += int((self.model.predicted(z[known]) == truth[known]).sum())

    def sentences(self) -> tuple[str, ...]:
        """How right the model is; none where the target was not seen."""
        if self.aside:
            return (self.aside,)
        told = []
        if self.strange:
            strange = listed([quoted(level) for level in sorted(self.strange)])
            told.append(f"Labels in it that the model does not know were left aside: {strange}.")
        if self.known:
            told.append(
                f"The target is in it: {self.right / self.known:.2%} of {counted(self.known, 'row')} are right."
            )
        if self.truth:
            told.append(self._amounts())
        return tuple(told)

    def _amounts(self) -> str:
        rows, (_, deviation) = sum(part.rows for part in self.truth), merged(self.truth)
        share = math.fsum(self.squares) / rows
        r2 = f", R² {1.0 - share / deviation**2:.3f}" if deviation > 0 else ""
        return f"The target is in it: off by {math.fsum(self.errors) / rows:.4g} on average over {counted(rows, 'row')}{r2}."


def _target(model: Model, table: Table | Sparse) -> Table | None:
    """The target's column as a table of its own."""
    if isinstance(table, Sparse):
        if table.label is None:
            return None
        return Table(table.source, (model.target,), (table.label[1],), table.place)
    table = model.encoder.placed(table)  # type: ignore[union-attr]
    if model.target not in table.names:
        return None
    return Table(table.source, (model.target,), (table.arrays[table.names.index(model.target)],), table.place)


def _short(level: str) -> str:
    """A number as a label: 3 for 3.0."""
    try:
        return f"{float(level):.17g}"
    except ValueError:
        return level
