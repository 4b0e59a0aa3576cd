"""LIBSVM text: every number, every refusal as scikit-learn's reader has it, with the line named."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_svmlight_file

from fallline.data import load
from fallline.data.libsvm import parse, read_libsvm
from fallline.errors import InputError
from shared import shared

NAME = Path("t.svm")


def theirs(text):
    """scikit-learn's answer, or None where it refuses."""
    try:
        X, y = load_svmlight_file(io.BytesIO(text))
    except (ValueError, OverflowError):
        return None
    return X, y


def ours(text):
    try:
        found = read_libsvm(text, NAME)
    except InputError as error:
        return None if str(error).startswith("line ") and " of t.svm: " in str(error) else error
    return found.matrix, found.label[1]


def agree(text):
    """Both read the same bits, or both refuse. Returns whether they read."""
    one, other = ours(text), theirs(text)
    assert (one is None) == (other is None), (text, one, other)
    if one is None:
        return False
    (X, y), (A, b) = one, other
    assert np.array_equal(y, b, equal_nan=True)
    assert X.shape == A.shape
    assert np.array_equal(X.indptr, A.indptr)
    assert np.array_equal(X.indices, A.indices)
    assert np.array_equal(X.data.view(np.int64), A.data.view(np.int64))  # also −0.0 and NaN
    return True


FILES = {
    "plain": b"1 1:2 3:4\n-1 2:0.5\n",
    "no newline at the end": b"1 1:2\n-1 2:3",
    "CRLF": b"1 1:2\r\n-1 2:3\r\n",
    "tabs and many blanks": b"1\t1:2   \t 3:4 \n -1 2:3\n",
    "comments": b"# head\n1 1:2 # tail\n-1 2:3#close\n#\n",
    "blank lines": b"\n\n1 1:2\n   \n-1 2:3\n\n",
    "from zero": b"1 0:2 3:4\n-1 1:5\n",
    "exponents": b"1e0 1:1e-3 2:-2.5E+10 3:.5 4:5. 5:+7\n1 1:1e22 2:1e23 3:1e-22 4:1e-23 5:1e308 6:1e-320 7:1e400\n",
    "seventeen digits": b"1 1:0.12345678901234567 2:9007199254740993 3:1.7976931348623157e308 4:2.2250738585072011e-308\n",
    "long digits": b"1 1:" + b"1" * 40 + b" 2:0." + b"0" * 400 + b"1 3:" + b"0" * 30 + b"1.5\n",
    "query numbers": b"1 qid:1 1:2\n2 qid:1 2:3\n1 qid:2 1:1\n",
    "a query number of no sense": b"1 qid:x 1:2\n",
    "a query number without a colon": b"1 qid 1:2\n",
    "a query number behind": b"1 1:2 qid:1\n",
    "a label alone": b"1\n-1 1:2\n",
    "words that float reads": b"nan 1:inf 2:-Infinity 3:1_0\n",
    "words that int reads": b"1 +1:2 1_0:3\n",
    "minus zero": b"-0 1:-0 2:-0.0e5\n",
    "indices that fall": b"1 3:1 2:1\n",
    "an index twice": b"1 1:1\n1 2:1 2:3\n",
    "an index below zero": b"1 -1:2\n",
    "an index too large": b"1 2147483648:2\n",
    "an index much too large": b"1 " + b"9" * 30 + b":2\n",
    "no index": b"1 :2\n",
    "no value": b"1 2:\n",
    "no colon": b"1 2\n",
    "two colons": b"1 2:3:4\n",
    "a label of words": b"spam 1:2\n",
    "several labels": b"1,2 1:2\n",
    "a value of words": b"1 1:2\n1 1:x2\n",
    "a value that trails off": b"1 1:2e 3:4\n",
    "a lone sign": b"+ 1:2\n",
    "a lone point": b". 1:2\n",
    "bare CR": b"1 1:2\r-1 2:3\r",
    "a comment in a pair": b"1 1:2#:3\n",
}  # fmt: skip
REFUSED = {"a query number without a colon", "a query number behind", "indices that fall", "an index twice",
           "an index below zero", "an index too large", "an index much too large", "no index", "no value", "no colon",
           "two colons",
           "a label of words", "several labels", "a value of words", "a value that trails off", "a lone sign", "a lone point",
           "bare CR"}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_it_is_read_or_refused_as_by_scikit_learn(case):
    assert agree(FILES[case]) == (case not in REFUSED)


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"[+-]?[0-9]{0,20}\.?[0-9]{0,25}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
ROWS = st.lists(
    st.tuples(NUMBERS, st.lists(st.tuples(st.integers(0, 40), NUMBERS), max_size=6)), min_size=1, max_size=8
)


@given(ROWS, st.sampled_from(["\n", "\r\n", " # and so on\n", "\n\n"]), st.booleans())
@settings(max_examples=300)
def test_any_numbers_are_read_to_the_last_bit(rows, end, ordered):
    lines = [
        " ".join([label, *(f"{i}:{value}" for i, value in (sorted(dict(pairs).items()) if ordered else pairs))])
        for label, pairs in rows
    ]
    agree((end.join(lines) + end).encode())


@given(st.lists(st.sampled_from(list(b"0123456789.:+-eE \n#qidx_\t\r")), max_size=60).map(bytes))
@settings(max_examples=600)
@example(b"1 1:1\n1 1:0_1")
def test_any_bytes_are_read_or_refused_as_by_scikit_learn(text):
    if text.split(b"#")[0].strip():
        agree(text)


def test_what_the_compiled_reader_leaves_is_read_in_the_right_place():
    lines = [b"%d 1:%d.5 7:0.1234567890123456789" % (i, i) if i % 3 else b"%d +1:%d" % (i, i) for i in range(3000)]
    assert agree(b"\n".join(lines))


def test_more_hard_numbers_than_are_noted_at_once(monkeypatch):
    monkeypatch.setattr("fallline.data.libsvm.NOTED", 5)
    assert agree(b"1 1:0.1234567890123456789 2:0.9876543210987654321\n" * 40 + b"1 " + b" ".join(
        b"%d:0.1234567890123456789" % i for i in range(1, 20)
    ))  # fmt: skip


@pytest.mark.parametrize("name", ["a9a", "a9a.t", "agaricus.txt.train", "agaricus.txt.test"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_real_files_are_read_with_the_counts_they_are_known_for(name, packed, tmp_path):
    path = original = shared(f"libsvm/{name}")
    if packed:
        path = tmp_path / "packed"
        path.write_bytes(gzip.compress(original.read_bytes()))
    data = load(path, standardise=False)
    X, y = load_svmlight_file(str(original))
    assert (data.X != X).nnz == 0
    assert data.X.shape == X.shape
    assert np.array_equal(data.y, np.where(y > 0, 1.0, -1.0))
    assert data.columns[0] == "feature 1"
    assert data.task == "binary"


def test_a_table_of_times_is_one_where_it_is_said_to_be(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("".join(f"{i * i % 7} {i}:30\n" for i in range(30)))
    assert load(path).target == "label"  # 5 12:30 is LIBSVM text as well as a table
    assert load(path, 0, delimiter="blank", text=[1], rare=0).target == "column 0"


def test_an_index_that_makes_more_parameters_than_memory_holds_is_refused(monkeypatch):
    """Found by the fuzzer: it made a name for each of them."""
    monkeypatch.setattr("fallline.data.libsvm.free_memory", lambda: 10**10)
    with pytest.raises(InputError) as caught:
        read_libsvm(b"# head\n1 1:1\n0 999999999:0.1234567", NAME)
    assert str(caught.value) == (
        "the index 999999999 at line 3 of t.svm makes 999,999,999 parameters, for which a fit holds some 400,000 MB, and there "
        "are 10,000 MB free, so correct it, or make more free."
    )


def test_line_numbers_count_comments_and_blank_lines():
    with pytest.raises(InputError, match=r"line 5 of t.svm: the index 1 occurs twice"):
        parse(b"# one\n1 1:1\n\n1 2:2\n1 1:1 1:2\n", "t.svm")
    found = read_libsvm(b"# one\n1 1:1\n\n1 2:2\n", NAME)
    assert found.place(1) == "line 4 of t.svm"
