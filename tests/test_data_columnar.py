"""Parquet, Arrow, Feather and NumPy files hold the same table as a CSV, to the last bit; what is none is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from pyarrow import feather, parquet

from fallline.data import load
from fallline.errors import InputError

N = 90
CHANCE = np.random.default_rng(11)
FRAME = pd.DataFrame(
    {
        "age": np.where(np.arange(N) % 10 == 3, np.nan, CHANCE.normal(40, 12, N)),
        "rooms": CHANCE.integers(1, 9, N),
        "town": CHANCE.choice(["Ulm", "Bonn", "Trier"], N),
        "heated": CHANCE.random(N) < 0.4,
        "price": CHANCE.gamma(2.0, 1e5, N),
    }
)
ARROW = pa.Table.from_pandas(FRAME, preserve_index=False)


def stream(table, path):
    with pa.ipc.new_stream(path, table.schema) as sink:
        sink.write_table(table)


def file(table, path):
    with pa.ipc.new_file(path, table.schema) as sink:
        sink.write_table(table, max_chunksize=17)


def folder(table, path):
    path.mkdir()
    for part, begin in enumerate(range(0, N, 40)):
        parquet.write_table(table.slice(begin, 40), path / f"{part}.parquet")


WRITERS = {
    "Parquet": lambda path: parquet.write_table(ARROW, path, row_group_size=13),
    "Parquet, zstd": lambda path: parquet.write_table(ARROW, path, compression="zstd"),
    "Parquet, dictionaries": lambda path: parquet.write_table(
        ARROW.set_column(2, "town", ARROW["town"].dictionary_encode()), path
    ),
    "a folder of Parquet files": lambda path: folder(ARROW, path),
    "Arrow file": lambda path: file(ARROW, path),
    "Arrow stream": lambda path: stream(ARROW, path),
    "Feather": lambda path: feather.write_feather(ARROW, path, compression="lz4"),
    "CSV": lambda path: FRAME.to_csv(path, index=False),
    "TSV with CRLF": lambda path: FRAME.to_csv(path, index=False, sep="\t", lineterminator="\r\n"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_table_gives_the_same_bits_from_every_kind_of_file(kind, tmp_path):
    path = tmp_path / "a table – größer.dat"  # a name with blanks and more than ASCII, that says nothing
    WRITERS[kind](path)
    data, frame = load(path, "price"), load(FRAME, "price")
    assert data.columns == frame.columns
    assert np.array_equal(data.X, frame.X)
    assert np.array_equal(data.y, frame.y)
    assert data.source == path.name


def test_folders_named_key_and_value_are_a_column(tmp_path):
    parquet.write_to_dataset(ARROW, tmp_path / "parts", partition_cols=["town"])
    data, frame = load(tmp_path / "parts", "price", standardise=False), load(FRAME, "price", standardise=False)
    assert sorted(data.columns) == sorted(frame.columns)
    for name in data.columns:
        one, other = (held.X[:, held.columns.index(name)] for held in (data, frame))
        assert one.sum() == pytest.approx(other.sum())


def test_arrays_of_an_npz_are_columns_and_y_is_the_target(tmp_path):
    X, y = CHANCE.normal(size=(N, 3)), CHANCE.normal(size=N)
    np.savez(tmp_path / "pair.npz", X=X, y=y)
    np.savez_compressed(tmp_path / "packed.npz", y=y, X=X)
    np.save(tmp_path / "table.npy", np.c_[X, y])
    np.savez(tmp_path / "columns.npz", a=X[:, 0], b=X[:, 1], c=X[:, 2], y=y)
    whole = load((X, y))
    for name in ("pair.npz", "packed.npz", "table.npy", "columns.npz"):
        data = load(tmp_path / name)
        assert np.array_equal(data.X, whole.X), name
        assert np.array_equal(data.y, whole.y), name
    assert load(tmp_path / "columns.npz").columns == ("a", "b", "c")
    assert load(tmp_path / "columns.npz", "a").columns == ("b", "c", "y")


@pytest.mark.parametrize("kind", [">i4", ">f8", ">u2"])
def test_numbers_of_the_other_byte_order_are_the_same_numbers(kind, tmp_path):
    values = CHANCE.integers(0, 99, (N, 3))
    np.save(tmp_path / "t.npy", values.astype(kind))
    assert np.array_equal(load(tmp_path / "t.npy").X, load(values).X)


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_matrix])
def test_a_sparse_matrix_that_scipy_saved_stays_sparse(form, tmp_path):
    matrix = form(sp.random_array((N, 12), density=0.3, rng=np.random.default_rng(5)))
    sp.save_npz(tmp_path / "m.npz", matrix)
    data, held = load(tmp_path / "m.npz"), load(matrix)
    assert sp.issparse(data.X)
    assert (data.X != held.X).nnz == 0
    assert np.array_equal(data.y, held.y)


def unlike(path):
    np.savez(path, X=np.ones((5, 2)), y=np.ones(4))


def nested(path):
    parquet.write_table(pa.table({"a": [[1, 2], [3]] * 9, "y": [1.5, 2.0] * 9}), path)


def objects(path):
    np.savez(path, X=np.array([{}, 1], dtype=object))


def cut(write, share):
    def cutting(path):
        write(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return cutting


def astray(path):
    """A text that is said to begin far beyond the memory's end: pyarrow by itself reads there and crashes (a find of fuzz.py)."""
    file(pa.table({"s": ["aa", "bb", "cc"] * 9, "y": np.arange(27) % 5 * 0.5}), path)
    begins = np.arange(0, 36, 2, dtype="<i4")  # of a batch of 17 texts of two letters
    wrong = begins.copy()
    wrong[5] = 10**8
    assert begins.tobytes() in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(begins.tobytes(), wrong.tobytes(), 1))


def unknown_packing(path):
    """A zip whose members say that they are packed in a way that there is not (a find of fuzz.py)."""
    np.savez(path, X=np.ones((9, 2)))
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(signature) + place] = 77
    path.write_bytes(content)


BAD = {
    "a zip packed in no known way": ("t.npz", unknown_packing, ["t.npz", "NumPy", "again"]),
    "texts that begin nowhere": ("t.arrow", astray, ["t.arrow", "Arrow", "again"]),
    "Parquet cut short": ("t.parquet", cut(WRITERS["Parquet"], 0.5), ["t.parquet", "Parquet", "again"]),
    "Arrow cut short": ("t.arrow", cut(WRITERS["Arrow file"], 0.5), ["t.arrow", "Arrow", "again"]),
    "an Arrow stream cut short": ("t.arrows", cut(WRITERS["Arrow stream"], 0.7), ["t.arrows", "Arrow", "again"]),
    "a nested column": ("t.parquet", nested, ['"a"', "list<", "--drop"]),
    "arrays of unlike length": ("t.npz", unlike, ["t.npz", "X (5, 2) and y (4,)", "one length"]),
    "Python objects": ("t.npz", objects, ["t.npz", "Python objects"]),
    "an array of no dimensions": ("t.npy", lambda path: np.save(path, np.float64(3)), ["t.npy", "one length"]),
    "an array without columns": ("t.npy", lambda path: np.save(path, np.ones((9, 0))), ["without columns"]),
    "an array of three": ("t.npy", lambda path: np.save(path, np.ones((2, 3, 4))), ["3 dimensions"]),
    "complex numbers": ("t.npy", lambda path: np.save(path, np.ones((9, 2), complex)), ["complex128"]),
    "no arrays": ("t.npz", lambda path: np.savez(path), ["t.npz", "no arrays"]),
    "an npz cut short": ("t.npz", cut(lambda path: np.savez(path, X=np.ones((9, 2))), 0.6), ["t.npz", "again"]),
    "a zip that is none of NumPy's": ("t.zip", lambda path: path.write_bytes(b"PK\x03\x04" + bytes(60)), ["zip"]),
    "a pickle": ("t.pkl", lambda path: pd.to_pickle(FRAME, path), ["pickle", "CSV or Parquet"]),
    "Parquet of no rows": ("t.pq", lambda path: parquet.write_table(ARROW.slice(0, 0), path), ["no rows"]),
    "a matrix of no sense": (
        "t.npz",
        lambda path: np.savez(path, data=[1.0], indices=[9], indptr=[0, 1], shape=[1, 2], format="csr"),
        ["t.npz", "SciPy"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_in_one_sentence(case, tmp_path):
    name, write, named = BAD[case]
    write(tmp_path / name)
    with pytest.raises(InputError) as refusal:
        load(tmp_path / name)
    for words in named:
        assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_nested_column_may_be_left_out(tmp_path):
    nested(tmp_path / "t.parquet")
    parquet.write_table(
        parquet.read_table(tmp_path / "t.parquet").append_column("b", pa.array(np.arange(18) ** 2)),
        tmp_path / "t.parquet",
    )
    assert load(tmp_path / "t.parquet", "y", drop="a").columns == ("b",)
