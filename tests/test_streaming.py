"""Tables larger than memory: read in pieces, encoded as in memory, walked in windows, and gone on with to the same bits."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from fallline.averages import Last, PolyakRuppert
from fallline.data import load
from fallline.data.cache import Disk
from fallline.data.column import Numbers, Text, column
from fallline.data.facts import facts_of
from fallline.data.pieces import pieces_of
from fallline.data.pieces.arrays import ArrayPieces
from fallline.data.pieces.columnar import ParquetPieces
from fallline.data.scaling import merged
from fallline.data.stream import stream
from fallline.data.table import Table
from fallline.descent import by_hand, descend
from fallline.errors import InputError
from fallline.executors.compiled import compiled
from fallline.executors.windows import InWindows, in_windows
from fallline.fitting import Recipe
from fallline.objectives import Linear
from fallline.plan import Plan
from fallline.problem import Charges, Room, problem_of
from fallline.samplers import Streamed
from fallline.schedules import InverseTime
from fallline.steps import Adam, Plain
from fallline.stops import Updates
from shared import shared

SMALL = 4_200_000  # bytes: pieces are then 64 KB of text or a thousand rows or two
N = 6000


def frame():
    """Numbers, some missing; text with rare levels; truth; whole numbers; a constant; and two classes."""
    chance = np.random.default_rng(0)
    towns = np.array(["Ulm", "Bern", "Graz", "Metz, Est", *(f"hamlet {k}" for k in range(9))])
    height = chance.normal(170.0, 9.0, N).round(3)
    height[chance.random(N) < 0.03] = np.nan
    weight = chance.normal(70.0, 12.0, N).round(2)
    town = towns[np.minimum(chance.geometric(0.35, N) - 1, 12)]
    signal = 0.1 * (weight - 70.0) + (town == "Bern") + chance.normal(size=N)
    return pd.DataFrame(
        {
            "height": height, "weight": weight, "town": town, "owner": chance.random(N) < 0.4,
            "rooms": chance.integers(1, 9, N), "always": 1.0, "sold": np.where(signal > 0.3, "yes", "no"),
        }
    )  # fmt: skip


def written(form, folder):
    table, path = frame(), folder / f"table.{form}"
    if form == "csv":
        table.to_csv(path, index=False)
    elif form == "csv.gz":
        path.write_bytes(gzip.compress(table.to_csv(index=False, lineterminator="\r\n").encode()))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path, row_group_size=2500)
    elif form == "folder":
        pq.write_to_dataset(pa.Table.from_pandas(table, preserve_index=False), path, partition_cols=["rooms"])
    elif form == "npz":
        np.savez_compressed(path, **{name: text(table[name]) for name in table})
    elif form == "feather":
        feather.write_feather(table, path)
    else:
        held = pa.Table.from_pandas(table, preserve_index=False)
        with ipc.new_stream(path, held.schema) as file:
            file.write_table(held, max_chunksize=2000)
    return path


def text(column):
    return column.to_numpy(str) if column.dtype == object or column.dtype == "str" else column.to_numpy()


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "folder", "feather", "arrows", "npz"])
def test_a_file_read_in_pieces_is_encoded_as_the_same_table_in_memory(form, tmp_path):
    path = written(form, tmp_path)
    whole, pieces = load(path, "sold"), stream(path, "sold", memory=SMALL, folder=tmp_path)
    assert pieces.columns == whole.columns
    assert (pieces.task, pieces.classes, pieces.target) == (whole.task, whole.classes, whole.target)
    assert len(whole.columns) > 8
    np.testing.assert_allclose(pieces.X, whole.X, rtol=0, atol=1e-12)  # means are added up in another order
    assert np.array_equal(pieces.y, whole.y)
    assert pieces.notes[:-1] == whole.notes
    assert "in pieces" in pieces.notes[-1]


def test_a_target_of_amounts_a_column_of_weights_and_columns_told_as_text_are_as_in_memory(tmp_path):
    path = written("csv", tmp_path)
    room = Room(SMALL, tmp_path)
    with pytest.raises(InputError, match='the weight "height" at line'):
        problem_of(path, "weight", Charges(), "height", room=room)
    table = frame().fillna({"height": 100.0})
    table.to_csv(path, index=False)
    how = {"drop": ["town"], "text": ["rooms"], "rare": 0}
    whole = problem_of(path, "weight", Charges(), "height", **how)
    pieces = problem_of(path, "weight", Charges(), "height", room=room, **how)
    assert pieces.data.columns == whole.data.columns
    assert "rooms=3" in whole.data.columns
    np.testing.assert_allclose(pieces.data.y, whole.data.y, rtol=0, atol=1e-12)
    np.testing.assert_allclose(pieces.objective.model.weights, whole.objective.model.weights, rtol=1e-12)
    w = np.linspace(-1, 1, whole.objective.size)
    assert pieces.objective.value(w) == pytest.approx(whole.objective.value(w), rel=1e-12)


def test_text_that_looks_like_numbers_for_a_while_is_text_from_the_first_row_on(tmp_path):
    codes = [str(k % 7) for k in range(N)]
    codes[-900:] = ["7A", "7B", "3"] * 300
    pd.DataFrame({"code": codes, "x": np.arange(N) % 13, "y": np.arange(N) % 5 * 1.5}).to_csv(
        tmp_path / "t.csv", index=False
    )
    whole = load(tmp_path / "t.csv", "y", task="regression")
    pieces = stream(tmp_path / "t.csv", "y", memory=SMALL, folder=tmp_path, task="regression")
    assert pieces.columns == whole.columns
    assert "code=7A" in whole.columns
    np.testing.assert_allclose(pieces.X, whole.X, rtol=0, atol=1e-12)


@pytest.mark.parametrize("spare", [0, 1 << 62])
def test_a_file_is_decoded_once_where_the_disk_has_room_and_to_the_same_bits_where_it_has_not(
    spare, tmp_path, monkeypatch
):
    monkeypatch.setattr("fallline.data.pieces.spilled.SPARE", spare)
    monkeypatch.setattr("fallline.data.pieces.spilled.SHARE", 1 << 62)
    passes, one_pass = [], ParquetPieces.__iter__
    monkeypatch.setattr(ParquetPieces, "__iter__", lambda self: passes.append(1) or one_pass(self))
    path = written("parquet", tmp_path)
    made = stream(path, "sold", memory=SMALL, folder=tmp_path)
    assert len(passes) == (2 if spare else 1)
    monkeypatch.undo()
    assert np.array_equal(made.X, stream(path, "sold", memory=SMALL, folder=tmp_path).X)


NUMBERS = {
    "large": [1e300, -1e308, 3.0], "tiny": [5e-324, 1e-310, 0.0], "counting": np.arange(7.0), "constant": [0.1] * 4,
    "single": np.array([16_777_217.0, 3.0], np.float32), "whole": [2, -(2**62)],
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_the_facts_of_numbers_are_those_of_numpy(name):
    values = np.array(NUMBERS[name])
    facts, wide = facts_of(values), np.longdouble(values)
    mean, deviation = merged([facts.moments])
    assert mean == pytest.approx(float(wide.mean()), rel=1e-14)
    assert deviation == pytest.approx(float(np.sqrt(np.square(wide - wide.mean()).mean())), rel=1e-14, abs=1e-15 * mean)
    assert (facts.first, facts.last) == (values[0], values[-1])
    assert facts.constant == (len(set(values.tolist())) == 1)
    assert facts.counting == bool((np.diff(values.astype(float)) == 1.0).all())
    for odd in (np.nan, np.inf, -np.inf):
        assert facts_of(np.append(values.astype(float), odd)) is None


@pytest.mark.parametrize(
    "words", ["1,2.5,-3e-2", "1,,?,-.5", "+7,nan,1.", "1, 2,3 ", "-9,4", "1,two", "1,nan(1)", "007,1e999"]
)
def test_text_of_numbers_is_read_fast_to_what_it_is_value_by_value(words, monkeypatch):
    table, missing = Table("t", ("x",), (pa.array(words.split(",") * 3),), "row {}".format), ("", "?", "nan", "-9")

    def looked_at():
        try:
            return column(table, 0, missing, "drop it", part=True)
        except InputError as error:
            return str(error)

    fast = looked_at()
    monkeypatch.setattr("fallline.data.column.parsed", lambda values, missing: values)
    slow = looked_at()
    assert type(fast) is type(slow)
    if isinstance(fast, Numbers):
        np.testing.assert_array_equal(fast.values, slow.values)
    elif isinstance(fast, Text):
        assert (fast.codes.tolist(), fast.levels) == (slow.codes.tolist(), slow.levels)
    else:
        assert fast == slow


FAR = 5500  # a row of the third piece or later
MISTAKES = {
    "a slip": ("5.5", "5,5x", 'column "x" at line 5502 of t.csv is not a number'),
    "an infinity": ("5.5", "inf", '"x" at line 5502 of t.csv is inf'),
    "a ragged row": ("5.5", "5.5;1", "line 5502 of t.csv has 4 fields where most lines have 3"),
    "a missing target": ("no", "", 'the target "sold" is missing at line 5502 of t.csv'),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_far_down_the_file_is_named_with_its_line_and_column(name, tmp_path):
    before, after, sentence = MISTAKES[name]
    lines = [f"{k % 11}.25;{k % 3};{'yes' if k % 4 else 'no'} longer than need be" for k in range(N)]
    lines[FAR] = "5.5;1;no".replace(before, after)
    (tmp_path / "t.csv").write_text("x;z;sold\n" + "\n".join(lines) + "\n")
    with pytest.raises(InputError) as caught:
        stream(tmp_path / "t.csv", "sold", memory=SMALL, folder=tmp_path)
    assert sentence in str(caught.value)


def test_a_nan_far_down_a_parquet_target_is_named_with_its_row(tmp_path):
    y = np.arange(N) * 1.0
    y[FAR] = np.nan
    pq.write_table(pa.table({"x": np.arange(N) % 10, "y": y}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=f'the target "y" is missing at row {FAR} of t.parquet'):
        stream(tmp_path / "t.parquet", memory=SMALL, folder=tmp_path)


def test_what_cannot_be_read_in_pieces_says_what_to_do(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.asfortranarray(np.ones((9, 2))), y=np.arange(9))
    with pytest.raises(
        InputError, match="an array in Fortran's order, which is not read in pieces: leave --memory out"
    ):
        stream(tmp_path / "t.npz", memory=SMALL, folder=tmp_path)
    sp.save_npz(tmp_path / "t.npz", sp.eye_array(9, format="csr"))
    with pytest.raises(
        InputError, match="of SciPy's, which is not read in pieces: leave --memory out, or write it as LIBSVM"
    ):
        stream(tmp_path / "t.npz", memory=SMALL, folder=tmp_path)
    with pytest.raises(InputError, match='--memory "much" is no amount'):
        Recipe("t.csv", memory="much")
    with pytest.raises(InputError, match="too little to work with"):
        Recipe("t.csv", memory="10KB")


@pytest.mark.parametrize("packed", [False, True])
def test_arrays_of_numpy_are_read_some_rows_at_a_time(packed, tmp_path):
    chance = np.random.default_rng(2)
    X, y = chance.normal(size=(N, 5)).astype(np.float32), chance.integers(0, 2, N)
    (np.savez_compressed if packed else np.savez)(tmp_path / "t.npz", X=X, y=y)
    np.save(tmp_path / "t.npy", np.column_stack([X, y]))
    for name in ("t.npz", "t.npy"):
        whole, pieces = (
            load(tmp_path / name),
            stream(tmp_path / name, memory=SMALL, folder=tmp_path),
        )
        assert (pieces.columns, pieces.target) == (whole.columns, whole.target)
        assert np.array_equal(pieces.y, whole.y)
        np.testing.assert_allclose(pieces.X, whole.X, rtol=0, atol=1e-12)
        assert pieces.notes[:-1] == whole.notes
        assert len(list(pieces_of(tmp_path / name, SMALL))) > 1


def test_more_columns_than_the_cap_has_room_for_are_refused_with_the_cap_that_would_do(tmp_path):
    path = tmp_path / "wide.npy"
    np.save(path, np.random.default_rng(0).normal(size=(30, 60)))
    with pytest.raises(InputError, match=r"wide.npy has 60 columns, .* takes 5 MB: give --memory 6MB or more"):
        problem_of(path, 0, Charges(), room=Room(SMALL, tmp_path))
    assert problem_of(path, 0, Charges(), room=Room(6_000_000, tmp_path)).objective.n == 30


def test_what_goes_wrong_while_a_file_is_read_is_not_told_of_the_folder(tmp_path, monkeypatch):
    path, one_pass, passes = written("npz", tmp_path), ArrayPieces.__iter__, []

    def broken(self):
        passes.append(1)
        yield from one_pass(self)
        if len(passes) == 2:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(ArrayPieces, "__iter__", broken)
    with pytest.raises(InputError, match=r"table.npz cannot be read \(Input/output error\)"):
        stream(path, "sold", memory=SMALL, folder=tmp_path)
    assert len(passes) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
@pytest.mark.parametrize("name", ["X", "y"])
def test_a_disk_that_is_full_says_so_at_the_last_byte_too(name, tmp_path):
    disk = Disk(tmp_path, 1 << 20)
    disk.write(name, np.ones(9))
    with open("/dev/full", "wb") as full:
        os.dup2(full.fileno(), disk.files[name].fileno())
    with pytest.raises(InputError, match=r"cannot be kept in .*No space left.*make room"):
        disk.mapped(name)


def test_a_file_of_numpy_that_lost_its_end_is_refused(tmp_path):
    np.save(tmp_path / "t.npy", np.random.default_rng(0).normal(size=(N, 3)))
    (tmp_path / "t.npy").write_bytes((tmp_path / "t.npy").read_bytes()[:-20_000])
    with pytest.raises(InputError, match=r"t.npy cannot be read as NumPy data .its end is missing"):
        stream(tmp_path / "t.npy", memory=SMALL, folder=tmp_path)


# --- the order of rows, and the walk ---


@pytest.mark.parametrize(("n", "batch", "window", "run"), [(1000, 32, 200, 7), (1000, 1, 64, 64), (97, 10, 500, 3)])
def test_windows_hold_each_row_once_a_pass_from_all_over_the_table(n, batch, window, run):
    segment = Streamed(batch, 3, window, run).segment(n, 0)
    held = [rows[order] for rows, order in segment.windows()]
    assert sorted(np.concatenate(held).tolist()) == list(range(n))
    assert all(len(rows) % batch == 0 for rows in held[:-1])
    assert all(len(rows) < window + batch + run for rows in held)
    again = Streamed(batch, 3, window, run).segment(n, 0)
    assert np.array_equal(again.order, segment.order)
    assert not np.array_equal(Streamed(batch, 3, window, run).segment(n, 1).order, segment.order)
    if len(held) > 3 and window > 10 * run:  # a window of a sorted table is a sample of it
        assert all(rows.min() < 0.4 * n < 0.6 * n < rows.max() for rows in held[:-1])


class InMemory:
    """A table in memory that is read as one on disk is."""

    window, kept = 150, True

    def __init__(self, objective):
        self.X = objective.model.rows.X
        self.width, self.asked = self.X.shape[1], 0

    def rows(self, chosen, into):
        into[: len(chosen)] = self.X[chosen]
        return into[: len(chosen)]

    def ask_for(self, chosen):
        self.asked += len(chosen)

    def room(self, rows):
        return np.empty((rows, self.width))

    def bring(self, first, last):
        pass

    def let_go(self, first, last):
        pass

    def let_all_go(self):
        pass


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize(("step", "average", "every"), [(Adam(), Last(), 0), (Plain(), PolyakRuppert(), 5)])
def test_a_walk_in_windows_is_the_walk_by_hand_in_the_same_order(step, average, every, mixed):
    chance = np.random.default_rng(1)
    objective = Linear(chance.normal(size=(700, 5)), chance.normal(size=700))
    objective.disk = InMemory(objective)
    how = {"step": step, "schedule": InverseTime(0.05, decay=0.01), "average": average, "every": every}
    how |= {"sampler": Streamed(16, 0, 150, 10, mixed), "stop": Updates(100)}
    by, ours = descend(objective, advance=by_hand, **how), descend(objective, advance=InWindows(compiled), **how)
    assert np.abs(by.w).max() > 0.03  # it went somewhere
    np.testing.assert_allclose(ours.w, by.w, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.trace["loss"], by.trace["loss"], rtol=1e-10)
    assert ours.trace["t"].tolist() == by.trace["t"].tolist()
    assert ours.trace["visits"].tolist() == by.trace["visits"].tolist()


def test_a_method_that_remembers_every_row_is_refused():
    from fallline.executors import SAGA

    with pytest.raises(InputError, match="remembers something of every row"):
        in_windows(SAGA(), "saga")


def heights(path, target, room, plan, passes, seeds):
    """The mean loss over the seeds after so many passes, each."""
    problem = problem_of(path, target, Charges(loss="log_loss"), room=room)
    runs = [[Plan(**plan, seed=seed, amount=float(many)).run(problem.objective) for seed in seeds] for many in passes]
    return np.array([np.mean([run.trace.last("loss") for run in row]) for row in runs])


def sorted_by_class(tmp_path):
    chance = np.random.default_rng(5)
    y = np.repeat([0, 1], 20_000)
    X = chance.normal(size=(40_000, 6)) + 0.4 * y[:, None]
    pq.write_table(pa.table({**{f"x{j}": X[:, j] for j in range(6)}, "y": y}), tmp_path / "t.parquet")
    return tmp_path / "t.parquet", "y"


def elec(tmp_path):
    table = pd.read_csv(shared("large/elec.csv.gz"))
    pq.write_table(pa.Table.from_pandas(pd.concat([table] * 2), preserve_index=False), tmp_path / "t.parquet")
    return tmp_path / "t.parquet", "class"


def kdd(tmp_path):
    table = pd.read_csv(shared("large/kddcup.data_10_percent.gz"), header=None)[::8]
    table.columns = [f"c{k}" for k in range(42)]
    table["c41"] = table["c41"] == "normal."
    pq.write_table(pa.Table.from_pandas(table.sort_values("c41"), preserve_index=False), tmp_path / "t.parquet")
    return tmp_path / "t.parquet", "c41"


@pytest.mark.parametrize("data", [sorted_by_class, elec, kdd])
def test_rows_in_order_of_class_or_time_are_learnt_as_well_as_in_memory(data, tmp_path):
    """Within 1 %, after 1, 2 and 5 passes, by windows that hold a small part of the rows."""
    path, target = data(tmp_path)
    plan = {"step": "plain", "rate": 0.003}
    rooms = None, Room(SMALL, tmp_path, mixed=True)
    inside, outside = (heights(path, target, room, plan, (1, 2, 5), (0,)) for room in rooms)
    np.testing.assert_allclose(outside, inside, rtol=0.01)


@pytest.mark.parametrize("data", [sorted_by_class, elec])
def test_quick_learns_them_as_well_on_average(data, tmp_path):
    """One order of the rows is up to 1 % from another in memory, too."""
    path, target = data(tmp_path)
    plan, seeds = {"step": "quick"}, range(4)
    inside, outside = (heights(path, target, room, plan, (1, 2), seeds) for room in (None, Room(SMALL, tmp_path)))
    np.testing.assert_array_less(outside, 1.01 * inside)


def test_rows_in_an_order_are_shuffled_on_the_disk_with_their_targets_and_every_stretch_is_a_sample(tmp_path):
    path, target = sorted_by_class(tmp_path)
    made = [
        problem_of(path, target, Charges(), room=Room(SMALL, tmp_path, mixed=mixed)) for mixed in (True, True, False)
    ]
    X, y = np.asarray(made[0].data.X), np.asarray(made[0].data.y)
    assert made[0].objective.disk.window < len(y) / 2  # by more than one window
    assert np.array_equal(X, made[1].data.X)
    order, before = (np.argsort(np.asarray(each.data.X)[:, 0]) for each in (made[0], made[2]))
    assert not np.array_equal(order, before)
    assert np.array_equal(X[order], np.asarray(made[2].data.X)[before])
    assert np.array_equal(y[order], made[2].data.y[before])
    assert np.array_equal(made[0].objective.model.y, y)
    shares = (y > 0).reshape(100, -1).mean(axis=1)  # of a class, in 400 neighbours: 0.5 ± 0.025 if drawn one by one
    assert shares.std() < 0.03
    assert np.abs(shares - 0.5).max() < 0.1


@pytest.mark.parametrize("rows", [[7, 1, 400, 3, 90], [1000], [1] * 9])
def test_what_is_written_in_blocks_is_what_was_given(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("fallline.data.cache.BLOCK", 1 << 10)
    X = np.random.default_rng(0).normal(size=(sum(rows), 3))
    disk = Disk(tmp_path, 1 << 30)
    for part in np.split(X, np.cumsum(rows)[:-1]):
        disk.write("X", part)
    assert np.array_equal(disk.mapped("X", 3), X)


def test_the_automatic_solver_comes_to_the_same_optimum(tmp_path):
    path, target = sorted_by_class(tmp_path)
    inside = Plan().run(problem_of(path, target, Charges()).objective)
    outside = Plan().run(problem_of(path, target, Charges(), room=Room(SMALL, tmp_path)).objective)
    assert outside.trace.last("loss") == pytest.approx(inside.trace.last("loss"), rel=2e-4)
    assert outside.trace.last("excess") <= 1e-4 * outside.trace.last("loss")
