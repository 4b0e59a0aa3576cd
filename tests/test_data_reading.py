"""Text tables of every layout are read as what they say, and the real ones with the counts they are known for."""

import gzip

import numpy as np
import pytest

from fallline.data import load
from shared import shared

ROWS = [("blue", 1, 2.5), ("red", 2, -1.0), ("blue", 3, 0.25), ("red", 5, 1e3), ("blue", 8, 7.0), ("red", 13, 0.5)] * 4


def text(delimiter=",", end="\n", header=True, quote="", last="\n"):
    """The same table of 24 rows, laid out in some way."""
    lines = [("colour", "count", "amount")] if header else []
    lines += [tuple(map(str, row)) for row in ROWS]
    return end.join(delimiter.join(f"{quote}{field}{quote}" for field in line) for line in lines) + last


LAYOUTS = {
    "commas": text(),
    "semicolons": text(";"),
    "tabs": text("\t"),
    "bars": text("|"),
    "blanks": text(" "),
    "runs of blanks": text("    "),
    "comma and blank": text(", "),
    "CRLF": text(end="\r\n"),
    "bare CR": text(end="\r", last="\r"),
    "no header": text(header=False),
    "no newline at the end": text(last=""),
    "trailing blank lines": text(last="\n\n  \n\n"),
    "leading blank lines": "\n\n" + text(),
    "blank lines between": text(end="\n\n"),
    "double quotes": text(quote='"'),
    "quotes after blanks": text(", ", quote='"'),
    "single quotes": text(" ", quote="'"),
    "byte order mark": "\ufeff" + text(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_every_layout_of_a_table_is_read_as_the_same_numbers(layout, packed, tmp_path):
    raw = LAYOUTS[layout].encode()
    path = tmp_path / "table.dat"  # the name says nothing: packed or not is seen in the content
    path.write_bytes(gzip.compress(raw) if packed else raw)
    data = load(path, -1, standardise=False, standardise_target=False)
    assert data.y.tolist() == [row[2] for row in ROWS]
    assert data.X.tolist() == [[row[0] == "blue", row[0] == "red", row[1]] for row in ROWS]
    assert data.target == ("column 2" if layout == "no header" else "amount")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
def test_a_named_encoding_is_decoded(encoding, tmp_path):
    path = tmp_path / "towns.csv"
    path.write_bytes(
        "größe,ort\n".encode(encoding)
        + b"".join(
            f"{size},{town}\n".encode(encoding).removeprefix(b"\xff\xfe").removeprefix(b"\xef\xbb\xbf")
            for size, town in zip(range(12), ["Köln", "Orléans"] * 6, strict=True)
        )
    )
    data = load(path, encoding=encoding)
    assert data.classes == ("Köln", "Orléans")
    assert data.columns == ("größe",)


def test_quoted_fields_may_hold_delimiters_line_ends_and_doubled_quotes(tmp_path):
    path = tmp_path / "quoted.csv"
    path.write_text("note,x,y\n" + '"a, b",1,0\n"two\nlines",2,1\n"so ""called""",4,1\n' * 8)
    data = load(path, "y", rare=0)
    assert len(data.y) == 24
    assert data.columns == ("note=a, b", 'note=so "called"', "note=two\nlines", "x")


def test_stray_quotes_swallow_no_rows(tmp_path):
    path = tmp_path / "stray.tsv"
    path.write_text('ham\t1\tplain\nspam\t2\t"an opened quote\nham\t3\tmore\nspam\t4\tclosed" here\n' * 5)
    data = load(path, 0)
    assert len(data.y) == 20
    assert any("--quote" in note for note in data.notes)


HEADERS = {
    "words above numbers": ("a,b\n1,2\n3,4\n5,6\n", True),
    "numbers above numbers": ("0,1\n1,2\n3,4\n5,6\n", False),
    "words above words that repeat": ("name,kind\nx,u\ny,v\nx,u\ny,v\n", True),
    "words that come again": ("x,u\nx,u\ny,v\nx,v\n", False),
    "one odd word in the first row of numbers": ("1,2,-\n1,2,3\n3,4,5\n5,6,7\n", False),
    "a nameless column of row numbers": (",a,b\n0,1,2\n1,3,4\n2,5,6\n", True),
    "missing in the first row": ("?,2\n1,2\n3,4\n5,6\n", False),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_is_told_from_data(case, tmp_path):
    from fallline.data.column import MISSING
    from fallline.data.source import read_path as read

    content, header = HEADERS[case]
    path = tmp_path / "table.csv"
    path.write_text(content)
    lines = content.count("\n")
    assert read(path, missing=MISSING).rows == lines - header
    assert read(path, missing=MISSING, header=True).rows == lines - 1
    assert read(path, missing=MISSING, header=False).rows == lines


def test_what_was_inferred_is_said_with_the_option_that_overrides_it(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text(";"))
    said = " ".join(load(path).notes)
    for words in ("semicolons", "names", '"amount"', "last column", "regression", "colour", "standardised"):
        assert words in said
    for option in ("--delimiter", "--no-header", "--target", "--task", "--no-standardise", "--no-standardise-target"):
        assert option in said


# file, target, rows, then the classes with their rows, or how many columns of the encoded table are certain
REAL = [
    ("regression/california_housing.csv", "median_house_value", 20640, None),
    ("regression/winequality-red.csv", None, 1599, {"3": 10, "4": 53, "5": 681, "6": 638, "7": 199, "8": 18}),
    ("regression/abalone.csv", -1, 4177, None),
    ("classification/adult-train.csv.gz", "-1", 32561, {"<=50K": 24720, ">50K": 7841}),
    ("classification/adult-test.csv.gz", 14, 16281, {"<=50K.": 12435, ">50K.": 3846}),
    ("classification/titanic.csv", "Survived", 891, {"0": 549, "1": 342}),
    ("classification/agaricus-lepiota.data", 0, 8124, {"e": 4208, "p": 3916}),
    ("large/HTRU_2.csv.gz", "8", 17898, {"0": 16259, "1": 1639}),
    ("large/elec.csv.gz", "class", 45312, {"0": 26075, "1": 19237}),
    ("text/sms.tsv", 0, 5574, {"ham": 4827, "spam": 747}),
    ("text/ag_news_test.csv", 0, 7600, {"1": 1900, "2": 1900, "3": 1900, "4": 1900}),
    ("counts/bike_hour.csv", "cnt", 17379, None),
    ("counts/randhie.csv", "mdvis", 20190, None),
    ("counts/dataCar.csv.gz", "numclaims", 67856, {"0": 63232, "1": 4333, "2": 271, "3": 18, "4": 2}),
    ("glm/spector.csv", "GRADE", 32, {"0": 21, "1": 11}),
    ("glm/scotland.csv", "YES", 32, None),
]


@pytest.mark.parametrize(("name", "target", "rows", "classes"), REAL, ids=[row[0] for row in REAL])
def test_real_tables_load_with_the_counts_they_are_known_for(name, target, rows, classes):
    data = load(shared(name), target)
    assert data.X.shape == (rows, len(data.columns))
    assert np.isfinite(data.X).all()
    if classes is None:
        assert data.task == "regression"
        assert abs(data.y.mean()) < 1e-9
        assert data.y.std() == pytest.approx(1)
    else:
        codes, counts = np.unique(data.y, return_counts=True)
        assert dict(zip(data.classes, counts.tolist(), strict=True)) == classes
        assert codes.tolist() == ([-1, 1] if len(classes) == 2 else list(range(len(classes))))


@pytest.mark.slow
def test_half_a_million_rows_of_kddcup_load_with_their_23_classes():
    data = load(shared("large/kddcup.data_10_percent.gz"), dtype="float32")
    assert data.X.shape[0] == 494021
    counts = dict(zip(data.classes, np.bincount(data.y.astype(int)).tolist(), strict=True))
    assert len(counts) == 23
    assert (counts["smurf."], counts["neptune."], counts["normal."]) == (280790, 107201, 97278)
    assert not any(name in data.columns for name in ("column 19", "column 20"))  # the constant ones


def test_what_is_missing_in_real_tables_is_marked_where_it_is():
    adult = load(shared("classification/adult-train.csv.gz"), standardise=False)
    for name, rows in (("column 1", 1836), ("column 6", 1843), ("column 13", 583)):
        assert adult.X[:, adult.columns.index(f"{name} is missing")].sum() == rows
    titanic = load(shared("classification/titanic.csv"), "Survived", standardise=False)
    for name, rows in (("Age", 177), ("Cabin", 687), ("Embarked", 2)):
        assert titanic.X[:, titanic.columns.index(f"{name} is missing")].sum() == rows
    assert "Name" not in " ".join(titanic.columns)


@pytest.mark.parametrize(
    ("name", "shape", "task", "classes"),
    [
        ("diabetes", (442, 10), "regression", ()),
        ("breast_cancer", (569, 30), "binary", ("malignant", "benign")),
        ("digits", (1797, 61), "multiclass", tuple("0123456789")),  # three of 64 pixels are never lit
        ("wine", (178, 13), "multiclass", ("class_0", "class_1", "class_2")),
        ("iris", (150, 4), "multiclass", ("setosa", "versicolor", "virginica")),
    ],
)
def test_bundled_sets_know_their_target_and_task(name, shape, task, classes):
    data = load(name)
    assert (data.X.shape, data.task, data.classes, data.source) == (shape, task, classes, name)


def test_a_file_goes_before_a_bundled_set_of_its_name(tmp_path, monkeypatch):
    (tmp_path / "iris").write_text("a,b\n1,2.5\n2,3.5\n4,1.5\n")
    monkeypatch.chdir(tmp_path)
    assert load("iris").columns == ("a",)
