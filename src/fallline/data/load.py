"""From a file, a bundled set, arrays or a frame to a Dataset, saying what was inferred on the way."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fallline.data.bundled import BUNDLED, bundled, unknown
from fallline.data.coding import Coding
from fallline.data.column import MISSING, Column, column
from fallline.data.dataset import Dataset
from fallline.data.encode import DTYPES, encode
from fallline.data.encoder import Encoder, SparseEncoder
from fallline.data.features import Story, coding_of
from fallline.data.frames import from_memory
from fallline.data.seen import seen
from fallline.data.source import read_path
from fallline.data.sparse import Sparse, apart, encode_sparse, from_sparse, in_type, is_sparse
from fallline.data.table import Table, refuse_one_row
from fallline.data.task import coded
from fallline.data.wording import listed, quoted
from fallline.errors import InputError

ANOTHER = "name another --target"


def load(
    data: Any,
    target: str | int | None = None,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    quote: str | None = None,
    missing: Sequence[str] = MISSING,
    task: str | None = None,
    standardise: bool = True,
    standardise_target: bool = True,
    rare: float | None = None,
    text: Sequence[str | int] | str = (),
    drop: Sequence[str | int] | str = (),
    dtype: str = "float64",
) -> Dataset:
    """The data set in `data`, encoded. `--some-option` in a note or an error is the argument `some_option`.

    data: the path of a text table (CSV and its relatives, plain or gzip), of LIBSVM text, of Parquet (a file or a
        folder), Arrow, Feather, .npz or .npy, the name of a bundled scikit-learn set, a pair (X, y), a NumPy array,
        a SciPy sparse matrix, or a pandas, polars or Arrow table.
    target: the column to learn, by name or by index from 0 (negative from the end); None for the last one.
    header, delimiter, encoding, quote: how a file is laid out; None to guess. A quote of "none" makes quotes
        mere characters.
    missing: what stands for a missing value, besides the empty field.
    task: "regression", "binary" or "multiclass"; None to infer it from the target.
    standardise: whether columns get mean 0 and deviation 1; standardise_target: the target of a regression.
    rare: levels of text on fewer rows are put together as "other"; a share of the rows if below 1, and 0
        keeps all. None: 0.5 % of the rows and at least 10, or a tenth of a table of fewer than 100; and the
        30 most frequent.
    text: columns to take as text though they look like numbers, or like names of rows.
    drop: columns to leave out.

    Raises InputError, naming value, place and fix, for whatever cannot be used.
    """
    if dtype not in DTYPES:
        raise InputError(f"--dtype {quoted(dtype)} is not one of {listed(DTYPES)}.")
    missing = (missing,) if isinstance(missing, str) else tuple(missing)
    layout: dict[str, Any] = {"header": header, "delimiter": delimiter, "encoding": encoding, "quote": quote}
    held = table_of(data, target, missing=missing, **layout)
    encoder: Any
    if isinstance(held, Sparse):
        matrix, kept, table = apart(held, target, _several(drop))
        goal, told = 0, tuple[str, ...]()
        refuse_one_row(table.rows, table.called)
        learnt, y = coded(column(table, 0, missing, ANOTHER), table.place, task, "", standardise_target)
        X, scale, scaled = encode_sparse(matrix, held.place, standardise)
        label = held.names[0].rsplit(" ", 1)[0]
        encoder = SparseEncoder(kept, scale, len(held.names), held.first, table.names[0], label)
        X = in_type(X, dtype, encoder.columns)
    else:
        table = held
        refuse_one_row(table.rows, table.called)
        goal = table.find((table.target or -1) if target is None else target, "--target")
        levels = {table.find(name, "--text") for name in _several(text)}
        known = table.task if table.names[goal] == table.target else ""
        learnt, y = coded(
            column(table, goal, missing, ANOTHER, goal in levels), table.place, task, known, standardise_target
        )
        codings, made, told = _codings(table, goal, missing, rare, levels, _several(drop))
        X, centre, scale, scaled = encode(codings, made, dtype, standardise)
        names = table.names[goal], table.named, missing
        encoder = Encoder(tuple(codings), centre, scale, table.names, *names)
    chosen = f"The target is {quoted(table.names[goal])}, the last column (--target)."
    guessed = (chosen,) if target is None and not table.target else ()
    return Dataset(
        X=X,
        y=y,
        columns=encoder.columns,
        target=table.names[goal],
        task=learnt.task,
        classes=learnt.classes,
        target_mean=learnt.mean,
        target_scale=learnt.scale,
        notes=(*table.notes, *guessed, *learnt.notes, *told, *scaled),
        source=table.source,
        encoder=encoder,
    )


def table_of(
    data: Any,
    target: str | int | None = None,
    *,
    missing: Sequence[str] = MISSING,
    names: Sequence[str] = (),
    **layout: Any,
) -> Table | Sparse:
    """The table that `data` names or holds, nothing inferred yet; a file goes before a bundled set of its name.

    layout: header, delimiter, encoding and quote of a text table; names: columns that it is known to have.
    """
    if isinstance(data, str) and not Path(data).is_file():
        if data in BUNDLED:
            return bundled(data)
        if not (Path(data).suffix or os.sep in data or Path(data).exists()):
            raise unknown(data)
    if isinstance(data, str | os.PathLike):
        return read_path(Path(data), missing=missing, names=names, **layout)
    return from_sparse(data) if is_sparse(data) else from_memory(data, target)


def _codings(
    table: Table,
    goal: int,
    missing: tuple[str, ...],
    rare: float | None,
    levels: set[int],
    drop: Sequence[str | int],
) -> tuple[list[Coding], list[Column], tuple[str, ...]]:
    """How each column but the target and those to drop is coded, those columns, and what happened to the rest."""
    out = {table.find(name, "--drop") for name in drop}
    if goal in out:
        raise InputError(f"--drop {quoted(table.names[goal])} names the target: leave out another column.")
    story = Story()
    codings: list[Coding] = []
    columns: list[Column] = []
    for position in range(len(table.names)):
        if position != goal and position not in out:
            name = quoted(table.names[position])
            drop_it = f"leave the column out with --drop {name}"
            found = column(table, position, missing, drop_it, position in levels)
            if found.missing.all():
                raise InputError(f"column {name} of {table.called} holds only missing values: {drop_it}.")
            coding = coding_of(seen(found), rare, position in levels, story)
            if coding.columns():
                codings.append(coding)
                columns.append(found)
    told = tuple(story.notes())
    if not codings:
        because = " ".join(told) or "Add a column of numbers or levels, or --drop fewer."
        raise InputError(f"{table.called} has no column to learn {quoted(table.names[goal])} from. {because}")
    return codings, columns, told


def _several(names: Sequence[str | int] | str | int) -> Sequence[str | int]:
    """One name is a list of one."""
    return [names] if isinstance(names, str | int) else names
