"""What a table becomes: means and deviations, indicators, levels, tasks; the same from whatever holds it."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fallline.data import load

N = 120
CHANCE = np.random.default_rng(7)
TABLE = {
    "age": np.where(np.arange(N) % 10 == 3, np.nan, CHANCE.normal(40, 12, N).round(2)),
    "rooms": CHANCE.integers(1, 9, N),
    "town": CHANCE.choice(["Ulm", "Bonn", "Trier"], N),
    "heated": CHANCE.random(N) < 0.4,
    "price": CHANCE.gamma(2.0, 1e5, N).round(0),
}
TOWNS = [None if i % 17 == 5 else town for i, town in enumerate(TABLE["town"].tolist())]
FRAME = pd.DataFrame(TABLE | {"town": TOWNS})


def column(data, name):
    return data.X[:, data.columns.index(name)]


def sources(tmp_path):
    """The same table in everything that can hold it."""
    path = tmp_path / "table.csv"
    FRAME.to_csv(path, index=False)
    objects = FRAME.astype(object).to_numpy()
    yield "csv", path, "price"
    yield "pandas", FRAME, "price"
    yield "pandas of categories", FRAME.astype({"town": "category"}), "price"
    yield "pandas of objects", FRAME.astype(object), "price"
    yield "pandas with another index", FRAME.set_index(np.arange(N) * 7), "price"
    yield "polars", pl.DataFrame(TABLE | {"town": TOWNS}, nan_to_null=True), "price"
    yield "Arrow", pa.Table.from_pandas(FRAME, preserve_index=False), "price"
    yield "array of objects", objects, -1
    yield "pair of frame and series", (FRAME.drop(columns="price"), FRAME["price"]), None
    yield "pair of arrays", (objects[:, :-1], objects[:, -1]), None


def test_the_same_table_gives_the_same_bits_from_whatever_holds_it(tmp_path):
    first, *others = [(name, load(data, target)) for name, data, target in sources(tmp_path)]
    assert first[1].columns == (
        "age", "age is missing", "rooms", "town=Bonn", "town=Trier", "town=Ulm", "town is missing", "heated",
    )  # fmt: skip
    assert len(others) == 9
    for name, data in others:
        assert np.array_equal(data.X, first[1].X), name
        assert np.array_equal(data.y, first[1].y), name
        assert data.task == "regression"
        if "array" not in name:
            assert data.columns == first[1].columns, name


@pytest.mark.parametrize(("dtype", "rounding"), [("float64", 1e-12), ("float32", 1e-5)])
def test_standardised_columns_have_mean_0_and_deviation_1(dtype, rounding):
    data = load(FRAME, "price", dtype=dtype)
    assert data.X.dtype == dtype
    assert data.X.flags.c_contiguous
    assert np.abs(data.X.mean(axis=0, dtype=np.float64)).max() < rounding
    assert np.abs(data.X.std(axis=0, dtype=np.float64) - 1).max() < rounding
    assert data.y.dtype == np.float64
    assert data.y * data.target_scale + data.target_mean == pytest.approx(TABLE["price"])
    assert data.y.std() == pytest.approx(1)


def test_float32_is_float64_rounded():
    assert np.array_equal(load(FRAME, "price", dtype="float32").X, load(FRAME, "price").X.astype(np.float32))


def test_missing_numbers_are_filled_with_the_mean_and_marked():
    data = load(FRAME, "price", standardise=False, standardise_target=False)
    gone = np.isnan(TABLE["age"])
    assert 0 < gone.sum() < N
    assert np.array_equal(column(data, "age is missing"), gone)
    assert np.array_equal(column(data, "age")[~gone], TABLE["age"][~gone])
    assert column(data, "age")[gone] == pytest.approx(np.nanmean(TABLE["age"]))
    assert np.array_equal(data.y, TABLE["price"])
    assert (data.target_mean, data.target_scale) == (0, 1)


def test_each_row_has_one_level_and_missing_is_one():
    data = load(FRAME, "price", standardise=False)
    towns = [j for j, name in enumerate(data.columns) if name.startswith("town")]
    assert np.array_equal(data.X[:, towns].sum(axis=1), np.ones(N))
    assert np.array_equal(column(data, "town is missing"), [town is None for town in TOWNS])
    assert np.array_equal(column(data, "town=Ulm"), [town == "Ulm" for town in TOWNS])


def test_permuting_the_rows_permutes_the_encoded_rows():
    order = np.random.default_rng(1).permutation(N)
    data, permuted = load(FRAME, "price"), load(FRAME.iloc[order], "price")
    assert permuted.columns == data.columns
    np.testing.assert_allclose(permuted.X, data.X[order], rtol=0, atol=1e-12)
    np.testing.assert_allclose(permuted.y, data.y[order], rtol=0, atol=1e-12)


def test_permuting_the_columns_permutes_the_encoded_columns():
    turned = FRAME[["price", "heated", "town", "rooms", "age"]]
    data, permuted = load(FRAME, "price"), load(turned, "price")
    assert sorted(permuted.columns) == sorted(data.columns)
    for name in data.columns:
        assert np.array_equal(column(permuted, name), column(data, name))


TINY = 1e-270  # what is smaller loses bits to a change of unit


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, 30, elements=st.floats(-1e300, 1e300).map(lambda x: x if abs(x) > TINY else 0.0)),
    st.integers(-40, 0),
)
def test_any_finite_numbers_standardise_and_their_unit_does_not_matter(values, power):
    values[:2] = values[0], values[0] / 2 + 1.0  # two values at least
    y = np.arange(30.0)
    data = load((values, y))
    assert np.isfinite(data.X).all()
    assert np.abs(data.X.mean(axis=0)).max() < 1e-9
    assert data.X.std(axis=0).max() == pytest.approx(1)
    assert np.array_equal(load((np.ldexp(values, power), y)).X, data.X)


def levels_table(counts):
    towns = [name for name, count in counts.items() for _ in range(count)]
    return pd.DataFrame({"town": towns, "y": np.arange(len(towns)) * 1.5})


def test_rare_levels_stand_together_as_other():
    frame = levels_table({"big": 900, "middle": 80, "rare": 9, "rarer": 8, "rarest": 3})
    assert load(frame).columns == ("town=big", "town=middle", "town=other")
    assert column(load(frame, standardise=False), "town=other").sum() == 20
    assert load(frame, rare=9).columns == ("town=big", "town=middle", "town=rare", "town=other")
    assert load(frame, rare=0.0085).columns == ("town=big", "town=middle", "town=rare", "town=other")
    assert len(load(frame, rare=0).columns) == 5


def test_at_most_thirty_levels_stand_alone_unless_asked():
    frame = levels_table({f"town {i:02}": 20 + i for i in range(40)})
    columns = load(frame).columns
    assert len(columns) == 31
    assert columns[0] == "town=town 10"  # the ten smallest are the others
    assert columns[-1] == "town=other"
    assert len(load(frame, rare=5).columns) == 40


def test_a_level_that_is_called_other_is_not_the_others():
    columns = load(levels_table({"other": 50, "big": 50, "rare": 2})).columns
    assert columns == ("town=big", "town=other", "town=(other)")


def test_a_single_odd_row_does_not_outweigh_the_rest():
    frame = pd.DataFrame({"x": np.arange(20_000.0), "y": np.arange(20_000) * 0.5})
    frame.loc[123, "x"] = np.nan
    data = load(frame)
    assert data.columns == ("x", "x is missing")
    assert 10 < data.X[123, 1] < 15  # standardised to deviation 1 it would be 141
    assert abs(data.X[:, 1].mean()) < 1e-12
    assert any("fewer than 0.5 %" in note for note in data.notes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([4.0] * 40, "which is 4 in every row"),
        (["same"] * 40, 'which is "same" in every row'),
        ([f"person {i}" for i in range(40)], "40 different texts in 40 rows"),
        ([f"2024-01-{1 + i % 30:02}" for i in range(40)], "30 different texts in 40 rows"),
    ],
)
def test_columns_that_say_nothing_are_left_out_and_named(values, said):
    data = load(pd.DataFrame({"dull": values, "x": np.arange(40) ** 2.0, "y": np.arange(40) * 0.5}))
    assert data.columns == ("x",)
    assert any('"dull"' in note and said in note for note in data.notes)


def test_text_named_as_such_is_kept_and_numbers_become_levels():
    names = [f"person {i}" for i in range(5)] * 2 + ["nobody"] * 2
    frame = pd.DataFrame({"name": names, "rooms": [1, 2, 10] * 4, "y": np.arange(12) * 0.5})
    data = load(frame, text=["name", "rooms"], rare=0, standardise=False)
    assert data.columns[-3:] == ("rooms=1", "rooms=2", "rooms=10")
    assert sum(name.startswith("name=") for name in data.columns) == 6


def test_longer_text_becomes_the_presence_of_its_words():
    spam = [f"win a free prize now number {i} call us!" for i in range(40)]
    ham = [f"see you at the station around {i} tonight, dear" for i in range(60)]
    data = load(pd.DataFrame({"kind": ["spam"] * 40 + ["ham"] * 60, "text": spam + ham}), "kind", standardise=False)
    assert np.array_equal(column(data, "text has free"), data.y == 1)
    assert np.array_equal(column(data, "text has tonight"), data.y == -1)
    assert not any("text has 17" in name for name in data.columns)


def test_dropped_columns_are_not_even_read():
    frame = FRAME.assign(broken=np.inf)
    assert load(frame, "price", drop="broken").columns == load(FRAME, "price").columns
    assert load(frame, "price", drop=["broken", 0, "-3"]).columns[0] == "rooms"


def test_own_markers_of_the_missing_replace_the_usual_ones(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text("code,x,y\n" + "NA,1,2.5\nDE,-9,1\nFR,3,7\n" * 20)
    data = load(path, missing=["-9"], standardise=False)
    assert "code=NA" in data.columns
    assert column(data, "x is missing").sum() == 20
    assert column(data, "x").mean() == 2


TASKS = {
    "two numbers": ([0, 1] * 20, "binary", ("0", "1")),
    "two numbers that are not 0 and 1": ([3.5, 2] * 20, "binary", ("2", "3.5")),
    "two texts": (["yes", "no"] * 20, "binary", ("no", "yes")),
    "truth": ([True, False] * 20, "binary", ("False", "True")),
    "three texts": (["a", "b", "c", "a"] * 10, "multiclass", ("a", "b", "c")),
    "four whole numbers": ([1, 2, 3, 10] * 10, "multiclass", ("1", "2", "3", "10")),
    "four fractions": ([1, 2, 3, 0.5] * 10, "regression", ()),
    "whole numbers, few rows to each": ([1, 2, 3, 4, 5, 6, 7, 8] * 5, "regression", ()),
    "eleven whole numbers": (list(range(11)) * 20, "regression", ()),
    "three rows": ([1, 2, 3], "regression", ()),
}


@pytest.mark.parametrize("case", TASKS)
def test_the_task_is_inferred_from_the_target(case):
    y, task, classes = TASKS[case]
    data = load((np.arange(len(y)) ** 2.0, y))
    assert (data.task, data.classes) == (task, classes)
    assert any("--task" in note for note in data.notes)
    if task == "binary":
        assert np.array_equal(data.y == 1, [str(value).removesuffix(".0") == classes[1] for value in y])
        assert set(data.y) == {-1, 1}


def test_the_task_that_is_asked_for_is_done():
    X, y = np.arange(40.0) ** 2, np.array([0, 1] * 20)
    assert load((X, y), task="regression", standardise_target=False).y.tolist() == y.tolist()
    several = load((X, y), task="multiclass")
    assert (several.classes, sorted(set(several.y))) == (("0", "1"), [0, 1])


def test_sparse_stays_sparse_with_columns_of_root_mean_square_1():
    matrix = sp.random_array((200, 30), density=0.1, rng=np.random.default_rng(3), format="csr")
    matrix = sp.csr_array(sp.hstack([matrix * 1e3, sp.csr_array((200, 1))]))  # and one column of zeros
    y = np.arange(200) % 2
    data = load((matrix, y), dtype="float32")
    assert data.X.format == "csr"
    assert data.X.dtype == np.float32
    assert data.X.nnz == matrix.nnz
    squares = np.square(data.X.toarray().astype(float)).mean(axis=0)
    assert squares[:30] == pytest.approx(1, rel=1e-5)
    assert squares[30] == 0
    assert len(data.columns) == 31
    plain = load((matrix, y), standardise=False)
    assert np.array_equal(plain.X.toarray(), matrix.toarray())
    assert not np.shares_memory(plain.X.data, matrix.data)


def test_a_sparse_matrix_may_hold_its_target():
    dense = np.c_[np.eye(20), np.arange(20) * 1.5]
    data = load(sp.csc_matrix(dense), standardise=False, standardise_target=False, drop=[0])
    assert data.y.tolist() == dense[:, -1].tolist()
    assert np.array_equal(data.X.toarray(), dense[:, 1:-1])
    assert data.columns[0] == "column 1"


def test_masked_entries_are_missing():
    values = np.ma.masked_array(np.arange(40.0).reshape(20, 2) ** 2, mask=np.arange(40).reshape(20, 2) == 6)
    data = load((values, np.arange(20) * 0.5), standardise=False)
    assert column(data, "column 0 is missing").tolist() == [row == 3 for row in range(20)]


def test_the_input_is_left_as_it_was():
    X = np.arange(40.0).reshape(20, 2)
    y = np.arange(20.0) * 1.5
    load((X, y))
    assert np.array_equal(X, np.arange(40.0).reshape(20, 2))
    assert np.array_equal(y, np.arange(20.0) * 1.5)
