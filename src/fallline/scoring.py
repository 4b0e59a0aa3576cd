"""How right a model is on rows whose target is known."""

from typing import Any

import numpy as np

from fallline.data.column import Numbers, as_text, column
from fallline.data.sparse import Sparse
from fallline.data.table import Table
from fallline.data.wording import counted, listed, quoted
from fallline.errors import InputError
from fallline.model import Model

Array = np.ndarray[Any, Any]


def scored(model: Model, table: Table | Sparse, z: Array) -> tuple[str, ...]:
    """Sentences on how right the scores z of a table are, where the target stands in it; none where it does not."""
    target = _target(model, table)
    if target is None:
        return ()
    try:
        found = column(
            target, 0, getattr(model.encoder, "missing", ()), "leave the target out", levels=bool(model.classes)
        )
    except InputError as error:
        return (f"The target in it was left aside: {error}",)
    known = ~found.missing
    if not known.any():
        return ()
    if not model.classes:
        if not isinstance(found, Numbers):
            return (f"The target {quoted(found.name)} in it was left aside, as it is text.",)
        return (_amounts(found.values[known], model.predicted(z)[known]),)
    levels = as_text(found).levels
    own = {label: label for label in model.classes}
    labels = [own.get(level, own.get(level.rstrip("."), own.get(_short(level), ""))) for level in levels]
    truth = np.array([*labels, ""], dtype=object)[as_text(found).codes]
    known = truth != ""
    strange = [quoted(level) for level, label in zip(levels, labels, strict=True) if not label]
    told = [f"Labels in it that the model does not know were left aside: {listed(strange)}."] if strange else []
    if known.any():
        right = float((model.predicted(z)[known] == truth[known]).mean())
        told.append(f"The target is in it: {right:.2%} of {counted(int(known.sum()), 'row')} are right.")
    return tuple(told)


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


def _amounts(truth: Array, predicted: Array) -> str:
    off = truth - predicted
    spread = float(np.square(truth - truth.mean()).sum())
    r2 = f", R² {1.0 - float(np.square(off).sum()) / spread:.3f}" if spread > 0 else ""
    return f"The target is in it: off by {np.abs(off).mean():.4g} on average over {counted(len(off), 'row')}{r2}."
