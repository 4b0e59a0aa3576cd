"""Bad input ends in one sentence that names the place and the fix."""

import gzip

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fallline.data import load
from fallline.errors import InputError

NUMBERS = "".join(f"{i},{i * i % 7},{i % 5}.5\n" for i in range(200))
TABLE = "a,b,y\n" + NUMBERS


def after(line, new, table=TABLE):
    """The table with another text on one line, counted from 1."""
    lines = table.split("\n")
    lines[line - 1] = new
    return "\n".join(lines).encode()


# what is wrong → the file, the options, and what the sentence must name
FILES = {
    "empty file": (b"", {}, ["t.csv", "empty"]),
    "only blank lines": (b"\n  \n\r\n", {}, ["t.csv", "empty"]),
    "header only": (b"a,b,y\n", {}, ["t.csv", "no rows"]),
    "header only, said no": (b"a,b,y\n", {"header": False}, ["t.csv", "one row"]),
    "one row": (b"a,b,y\n1,2,3\n", {}, ["t.csv", "one row"]),
    "gz cut short": (gzip.compress(TABLE.encode())[:-30], {}, ["t.csv", "cut short", "again"]),
    "gz damaged": (gzip.compress(TABLE.encode())[:40] + b"\xff" * 50, {}, ["t.csv", "gzip", "again"]),
    "wrong encoding": (after(17, "1,2,3\xe9").decode().encode("latin-1"), {},
                       ["0xe9", "line 17", "t.csv", "utf-8", "--encoding latin-1"]),
    "unknown encoding": (TABLE.encode(), {"encoding": "utf-7000"}, ["utf-7000", "latin-1"]),
    "not text": (b"\x01\x00\x02\x00" * 40, {}, ["t.csv", "zero bytes"]),
    "Parquet": (b"PAR1" + b"\x00" * 40, {}, ["t.csv", "Parquet", "again"]),
    "LIBSVM": (b"+1 3:1 11:1\n-1 2:1 5:0.5\n" * 5 + b"1 7:1 2:1", {}, ["line 11", "t.csv", "2 comes after 7"]),
    "single column": (b"5\n6\n7\n", {}, ["t.csv", "single column", "--delimiter"]),
    "wrong delimiter": (TABLE.replace(",", ";").encode(), {"delimiter": ","}, ["t.csv", "semicolons", "--delimiter"]),
    "long delimiter": (TABLE.encode(), {"delimiter": "::"}, ["::", "single"]),
    "row too long": (after(17, "1,2,3,4"), {}, ["line 17", "t.csv", "4 fields", "3"]),
    "row too short": (after(99, "1,2"), {}, ["line 99", "t.csv", "2 fields", "3"]),
    "quote left open": (after(3, '1,"2,3'), {}, ["'\"2'", "line 3", "t.csv", '"b"']),
    "quote left open before a delimiter": (after(3, '1,"2,3,4'), {}, ["line 3", "t.csv", "fields", "quote"]),
    "duplicate names": (b"a,b,a\n" + NUMBERS.encode(), {}, ["t.csv", '"a"', "0 and 2", "rename"]),
    "target absent": (TABLE.encode(), {"target": "yy"}, ['"yy"', "t.csv", 'did you mean "y"', '"a", "b" and "y"']),
    "target index too large": (TABLE.encode(), {"target": "3"}, ["3", "t.csv", "3 columns", "0 to 2"]),
    "target index too small": (TABLE.encode(), {"target": -4}, ["-4", "t.csv", "0 to 2"]),
    "target in an unused header": (TABLE.encode(), {"target": "y", "header": False}, ['"y"', "first line", "--header"]),
    "target with one value": (b"a,y\n" + b"1,5\n2,5\n" * 9, {}, ['"y"', '"5"', "every row", "--target"]),
    "target missing once": (after(17, "1,2,"), {}, ['"y"', "line 17", "t.csv", "--target"]),
    "target missing often": (after(17, "1,2,?", after(30, "1,2,NA").decode()), {}, ['"y"', "line 17", "1 other row"]),
    "target all missing": (b"a,y\n" + b"1,?\n2,\n" * 9, {"header": True}, ['"y"', "every row", "--target"]),
    "target of names": (b"a,y\n" + b"".join(b"%d,name%d\n" % (i, i) for i in range(30)), {}, ['"y"', "30", "--target"]),
    "target dropped": (TABLE.encode(), {"drop": ["y"]}, ['"y"', "--drop"]),
    "drop absent": (TABLE.encode(), {"drop": ["aa"]}, ["--drop", '"aa"', 'did you mean "a"']),
    "text absent": (TABLE.encode(), {"text": ["c c"]}, ["--text", '"c c"', "t.csv"]),
    "nothing to learn from": (TABLE.encode(), {"drop": ["a", "b"]}, ["t.csv", "no column", '"y"']),
    "column only missing": (b"a,b,y\n" + b"1,,2\n2,?,4\n3,NA,7\n" * 5, {}, ['"b"', "t.csv", "missing", '--drop "b"']),
    "infinite": (after(17, "inf,2,3"), {}, ['"a"', "line 17", "t.csv", "inf", "--drop"]),
    "infinite by size": (after(18, "1,-1e999,3"), {}, ['"b"', "line 18", "t.csv", "-inf"]),
    "infinite target": (after(19, "1,2,Infinity"), {}, ['"y"', "line 19", "t.csv", "inf"]),
    "word among numbers": (after(17, "twelve,2,3"), {}, ['"twelve"', '"a"', "line 17", "t.csv", "--missing", "--text"]),
    "word among target": (after(20, "1,2,abc"), {}, ['"abc"', '"y"', "line 20"]),
    "word under unsaid names": (TABLE.encode(), {"header": False}, ['"y"', "line 1 ", "--header"]),
    "decimal commas": (TABLE.replace(",", ";").replace(".", ",").encode(), {}, ['"y"', "decimal comma", "point"]),
    "unknown task": (TABLE.encode(), {"task": "classify"}, ['"classify"', "regression, binary and multiclass"]),
    "two of five": (TABLE.encode(), {"task": "binary"}, ["binary", '"y"', "5", "multiclass"]),
    "text as amounts": (b"a,y\n" + b"1,u\n2,v\n" * 9, {"task": "regression"}, ['"y"', "text", '"u"']),
    "amounts as classes": (TABLE.encode(), {"target": "a", "task": "multiclass"}, ['"a"', "200", "--task regression"]),
    "unknown dtype": (TABLE.encode(), {"dtype": "int8"}, ['"int8"', "float32"]),
    "negative rare": (b"a,y\n" + b"u,1.5\nv,2\nu,3\n" * 9, {"rare": -1}, ["--rare -1"]),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_refused_in_one_sentence_with_place_and_fix(case, tmp_path):
    content, options, named = FILES[case]
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        load(path, **options)
    said = str(refusal.value)
    for words in named:
        assert words in said
    assert said.endswith((".", ")"))
    assert "\n" not in said


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b,y\n1,"two\nlines",3\n\n' + "2,x,4\n3,z,5\n" * 20 + "inf,x,7\n")
    with pytest.raises(InputError, match="line 45 of"):
        load(path)
    path.write_text("a,b,y\r" + "2,x,4\r3,z,5\r" * 20 + "inf,x,7\r")
    with pytest.raises(InputError, match="line 42 of"):
        load(path)


def test_a_folder_and_a_file_that_is_not_there_are_refused(tmp_path):
    (tmp_path / "inside.csv").write_text(TABLE)
    with pytest.raises(InputError, match=r"is a folder.*inside\.csv"):
        load(tmp_path)
    with pytest.raises(InputError, match=r"no file .*absent\.csv"):
        load(str(tmp_path / "absent.csv"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("iriss", 'did you mean "iris".*breast_cancer, diabetes, digits, iris and wine'),
        ("linnerud", "three targets"),
        ("california", "download"),
    ],
)
def test_an_unknown_name_lists_the_bundled_sets(name, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        load(name)


X = np.arange(40.0).reshape(20, 2) % 7
y = np.arange(20) % 3 + 0.5
FRAME = pd.DataFrame({"age": [1, 2], "b": [1, 2]})
HOLED = np.where(np.arange(40).reshape(20, 2) == 11, np.inf, X)

MEMORY = {
    "X and y of different lengths": (((X, y[:-1]), {}), ["20 rows", "19"]),
    "three in a tuple": (((X, y, y), {}), ["tuple of 3", "(X, y)"]),
    "two targets": (((X, np.c_[y, y]), {}), ["2 columns"]),
    "a target beside y": (((X, y), {"target": "x"}), ['"x"', "(X, y)"]),
    "infinite": (((HOLED, y), {}), ['"column 1"', "row 5", "inf"]),
    "missing target": (((X, np.where(np.arange(20) == 4, np.nan, y)), {}), ["row 4", '"y"']),
    "no rows": (((X[:0], y[:0]), {}), ["no rows"]),
    "one row": (((X[:1], y[:1]), {}), ["one row"]),
    "three dimensions": ((X.reshape(2, 10, 2), {}), ["3 dimensions"]),
    "complex": (((X + 1j, y), {}), ["complex"]),
    "rows of different lengths": (([[1, 2], [3]], {}), ["same number"]),
    "a number": ((5, {}), ["int", "not a kind of data set"]),
    "a lazy frame": ((pl.LazyFrame({"a": [1]}), {}), ["LazyFrame"]),
    "sparse, infinite": (((sp.csr_array(HOLED), y), {}), ["column 1", "row 5", "inf"]),
    "sparse, of another length": (((sp.csr_array(X), y[:5]), {}), ["20 rows", "5"]),
    "sparse, target outside": ((sp.csr_array(X), {"target": 2}), ["2 columns"]),
    "too large for float32": (((X * 1e200, y), {"dtype": "float32", "standardise": False}), ["float32", '"column 0"']),
    "duplicate names in Arrow": ((pa.table([[1, 2], [3, 4]], names=["a", "a"]), {}), ['"a"', "rename"]),
    "duplicate names in pandas": ((pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), {}), ["DataFrame", "'a'"]),
    "lists in a column": ((pl.DataFrame({"a": [[1], [2]], "b": [1, 2]}), {}), ['"a"', "list", "--drop"]),
    "absent column of a frame": ((FRAME, {"target": "Age"}), ['did you mean "age"']),
}  # fmt: skip


@pytest.mark.parametrize("case", MEMORY)
def test_bad_arrays_and_frames_are_refused_in_one_sentence(case):
    (data, options), named = MEMORY[case]
    with pytest.raises(InputError) as refusal:
        load(data, **options)
    for words in named:
        assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


SCRAPS = [
    "1",
    "2.5",
    "-3",
    "",
    "?",
    "a",
    "cat dog",
    '"',
    "'",
    ",",
    ";",
    "\t",
    " ",
    "|",
    "\n",
    "\r",
    "\r\n",
    '"x,y"',
    "inf",
]
SCRAPS += ["1e400", "é", "\ufeff", "true", "2020-01-01", "3:1", "#", "3,5"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(SCRAPS), max_size=60), st.sampled_from([None, True, False]), st.sampled_from([None, "'"])
)
def test_any_text_is_loaded_or_refused_in_one_line(tmp_path, scraps, header, quote):
    path = tmp_path / "t.csv"
    path.write_bytes("".join(scraps).encode())
    try:
        data = load(path, header=header, quote=quote)
    except InputError as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017 - a refusal is one of two good ends
    else:
        assert data.X.shape == (len(data.y), len(data.columns))
        assert np.isfinite(data.X).all()
