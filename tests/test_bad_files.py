"""Odd files at the command line: a clear error (exit code 2) or a right answer, never a traceback."""

import datetime
import decimal
import gzip
import json
import os

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from fallline.cli import main

N = 60
X = np.arange(N) ** 2 % 17 + 0.5
Y = 3.0 * X - 7.0  # what there is to learn
GOOD = ["x,y", *(f"{x},{y}" for x, y in zip(X, Y, strict=True))]
RIGHT = "R² 1.000"


def lines(rows, end="\n"):
    return (end.join(rows) + end).encode()


def columns(**more):
    """The good table with further columns, as text."""
    rows = zip(X, Y, *more.values(), strict=True)
    return lines([",".join(["x", "y", *more]), *(",".join(map(str, row)) for row in rows)])


def arrow(**more):
    return pa.table({"x": X, "y": Y, **more})


def packed(table):
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()


# file → its name, its bytes, and what is said: of a right answer or, with "!", of the error
CASES = {
    "a byte-order mark": ("t.csv", b"\xef\xbb\xbf" + lines(GOOD), [RIGHT]),
    "UTF-16": ("t.csv", lines(GOOD).decode().encode("utf-16"), [RIGHT]),
    "bare CR": ("t.csv", lines(GOOD, "\r"), [RIGHT]),
    "CRLF and no end": ("t.csv", lines(GOOD, "\r\n")[:-2], [RIGHT]),
    "a second part of gzip": ("t.gz", gzip.compress(lines(GOOD[:30])) + gzip.compress(lines(GOOD[30:])), [RIGHT]),
    "gzip cut short": ("t.gz", gzip.compress(lines(GOOD))[:-9], ["!", "cut short"]),
    "gzip and garbage": ("t.gz", gzip.compress(lines(GOOD)) + b"garbage", ["!", "gzip"]),
    "gzip in gzip": ("t.gz", gzip.compress(gzip.compress(lines(GOOD))), ["!", "t.gz"]),
    "zero bytes": ("t.csv", lines(GOOD).replace(b"3", b"\0", 1), ["!", "zero bytes"]),
    "ragged rows": ("t.csv", lines([*GOOD, "1,2,3"]), ["!", "line 62", "3 fields"]),
    "a row of delimiters": ("t.csv", lines([*GOOD, ","]), ["!", '"y"', "missing", "line 62"]),
    "a comment": ("t.csv", lines(["# made by hand", *GOOD]), ["!", "t.csv"]),
    "text among numbers": ("t.csv", lines([*GOOD, "many,3"]), ["!", '"many"', "line 62"]),
    "text in a column of its own": ("t.csv", columns(note=["u", "v"] * 30), ["R² 1.000", '"note"']),
    "mixed types": ("t.csv", columns(mixed=[1, "a", 2.5, "b"] * 15), [RIGHT, '"mixed"']),
    "an empty column": ("t.csv", columns(gone=[""] * N), ["!", '"gone"', "missing", "--drop"]),
    "an empty column without a name": ("t.csv", columns(**{"": [""] * N}), ["!", '"column 2"', "--drop"]),
    "a column twice": ("t.csv", columns().replace(b"x,y", b"x,x"), ["!", "two columns", "rename"]),
    "a constant column": ("t.csv", columns(same=[4] * N), [RIGHT, '"same"', "in every row"]),
    "a copy of a column": ("t.csv", columns(again=X), ["R² 0.999", "R² 1.000"]),
    "integers beyond 64 bits": ("t.csv", columns(big=[10**30 + i * 10**28 for i in range(N)]), [RIGHT]),
    "integers beyond floats": ("t.csv", columns(big=["9" * 400, *range(N - 1)]), ["!", "inf", "line 2"]),
    "scales of 1e150": ("t.csv", columns(big=[x * 1e150 for x in X]), ["R² 0.999", "R² 1.000"]),
    "scales of 1e-150": ("t.csv", columns(small=[x * 1e-150 for x in X]), ["R² 0.999", "R² 1.000"]),
    "denormals": ("t.csv", columns(tiny=[i * 5e-324 for i in range(N)]), [RIGHT]),
    "dates": ("t.csv", columns(day=[datetime.date(2024, 1, 1 + i % 28) for i in range(N)]), [RIGHT, '"day"']),
    "infinity": ("t.csv", lines([*GOOD, "inf,3"]), ["!", "inf", '"x"', "line 62"]),
    "NaN": ("t.csv", lines([*GOOD, "nan,3"]), ['"x" (1 row)']),
    "truth": ("t.csv", columns(yes=["true", "False"] * 30), [RIGHT]),
    "hexadecimal": ("t.csv", columns(code=[f"0x{i % 7:x}" for i in range(N)]), [RIGHT, '"code"']),
    "thousands": ("t.csv", columns(price=['"1,000"', '"2,500"'] * 30), ["!", "decimal comma", "line 2"]),
    "a quote left open": ("t.csv", lines([*GOOD[:30], '"1,2', *GOOD[30:]]), ["!", "line 31"]),
    "one row": ("t.csv", lines(GOOD[:2]), ["!", "one row"]),
    "names alone": ("t.csv", lines(GOOD[:1]), ["!", "no rows"]),
    "nothing": ("t.csv", b"", ["!", "empty"]),
    "blanks alone": ("t.csv", b" \n\n  \n", ["!", "empty"]),
    "a target of one value": ("t.csv", lines(["x,y", *(f"{x},1" for x in X)]), ["!", "every row"]),
    "a target with a hole": ("t.csv", lines([*GOOD, "1,"]), ["!", "missing", "line 62"]),
    "a line of a megabyte": ("t.csv", lines([*GOOD[:9], "1," + "9" * 10**6, *GOOD[9:]]), ["!", "line 10"]),
    "a name of markup": ("t.csv", columns(**{"<script>": np.arange(N) % 3}), [RIGHT]),
    "JSON": ("t.json", b'[{"x": 1, "y": 2}, {"x": 2, "y": 3}]\n', ["!", "t.json"]),
    "a picture": ("t.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, ["!", "t.png"]),
    "a spreadsheet": ("t.xlsx", b"PK\x03\x04" + bytes(200), ["!", "spreadsheet", "CSV"]),
    "a pickle": ("t.pkl", b"\x80\x04\x95" + bytes(40), ["!", "pickle"]),
    "LIBSVM that falls": ("t.svm", b"1 2:1 1:1\n0 3:1 5:1\n" * 9, ["!", "line 1", "must rise"]),
    "LIBSVM with infinity": ("t.svm", b"1 1:1 2:inf\n0 1:2 2:3\n" * 9, ["!", "inf", "line 1"]),
    "Parquet": ("t.parquet", packed(arrow()), [RIGHT]),
    "Parquet cut short": ("t.parquet", packed(arrow())[:-200], ["!", "Parquet", "again"]),
    "Parquet flipped": ("t.parquet", packed(arrow()).replace(b"x", b"\xff"), ["!", "t.parquet"]),
    "a list": ("t.parquet", packed(arrow(nested=[[1, 2]] * N)), ["!", '"nested"', "--drop"]),
    "a struct": ("t.parquet", packed(arrow(nested=[{"a": 1}] * N)), ["!", '"nested"', "--drop"]),
    "a map": (
        "t.parquet",
        packed(arrow(nested=pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int8())))),
        ["!", '"nested"', "--drop"],
    ),
    "bytes": ("t.parquet", packed(arrow(raw=[b"\xff\xfe", b"a"] * 30)), ["!", '"raw"', "--drop"]),
    "durations": (
        "t.parquet",
        packed(arrow(took=pa.array([datetime.timedelta(seconds=i % 9) for i in range(N)]))),
        [RIGHT],
    ),
    "times": ("t.parquet", packed(arrow(at=[datetime.time(i % 24) for i in range(N)])), [RIGHT, '"at"']),
    "moments in a zone": (
        "t.parquet",
        packed(arrow(at=pa.array([datetime.datetime(2024, 1, 1 + i % 9) for i in range(N)], pa.timestamp("us", "UTC")))),
        [RIGHT, '"at"'],
    ),
    "decimals": ("t.parquet", packed(arrow(price=[decimal.Decimal(i % 7) / 4 for i in range(N)])), [RIGHT]),
    "halves": ("t.parquet", packed(arrow(half=pa.array(np.arange(N, dtype=np.float16)))), [RIGHT]),
    "64 bits without a sign": ("t.parquet", packed(arrow(big=pa.array([2**64 - 1 - i for i in range(N)], pa.uint64()))), [RIGHT]),
    "a dictionary of numbers": ("t.parquet", packed(arrow(kind=pa.array([1, 2, 3] * 20).dictionary_encode())), [RIGHT]),
    "nulls alone": ("t.parquet", packed(arrow(gone=pa.nulls(N))), ["!", '"gone"', "missing"]),
    "an infinite target": ("t.parquet", packed(pa.table({"x": X, "y": [float("-inf"), *Y[1:]]})), ["!", "-inf", "row 0"]),
    "no columns": ("t.parquet", packed(pa.table({})), ["!", "t.parquet"]),
    "one column": ("t.parquet", packed(pa.table({"y": Y})), ["!", "no column to learn"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_odd_file_is_read_rightly_or_refused(case, tmp_path):
    name, content, said = CASES[case]
    (tmp_path / name).write_bytes(content)
    target = [] if name.endswith((".svm", ".json", ".png", ".xlsx", ".pkl")) else ["--target", "y"]
    result = CliRunner().invoke(
        main, ["fit", str(tmp_path / name), *target, "-o", str(tmp_path / "m"), "--tol", "1e-9"]
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    if said[0] == "!":
        assert result.exit_code == 2, result.output
        assert not (tmp_path / "m").exists()
        sentence = result.stderr.strip().split("\n")[-1]
        assert sentence.startswith("Error: ")
        for words in said[1:]:
            assert words in sentence
        return
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "m" / "summary.json").read_text("utf-8"))
    assert found["in_sample"]["r2"] > 0.999
    for words in said:
        assert words in result.stdout or words.startswith("R² ")
    again = CliRunner().invoke(main, ["predict", str(tmp_path / "m"), str(tmp_path / name)])
    assert again.exit_code == 0, again.output
    own = [float(value) for value in again.stdout.split("\n")[1:-1]]
    assert own[:N] == pytest.approx(Y, rel=0.05, abs=0.5)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a POSIX pipe")
@pytest.mark.parametrize("case", ["a folder", "a folder of CSV", "a broken link", "a file that may not be read"])
def test_what_is_no_file_is_refused(case, tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    if case.startswith("a folder"):
        path.mkdir()
        if "CSV" in case:
            (path / "part.csv").write_bytes(lines(GOOD))
    elif case == "a broken link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.write_bytes(lines(GOOD))

        def refuse(*args, **kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    result = CliRunner().invoke(main, ["fit", str(path), "-o", str(tmp_path / "m")])
    assert result.exit_code == 2, result.output
    assert "t.csv" in result.stderr
    assert not (tmp_path / "m").exists()
