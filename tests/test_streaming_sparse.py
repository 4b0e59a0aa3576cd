"""LIBSVM text larger than memory: read in pieces, scaled as in memory, walked as compressed rows that stay on disk."""

import gzip
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from fallline.data import load
from fallline.data.sparse_cache import SparseDisk
from fallline.data.stream import stream
from fallline.errors import InputError
from fallline.fitting import Recipe, fit, go_on
from fallline.fitting.fit import Hooks
from fallline.model import FILE, Model
from fallline.objectives.variants import gathered
from fallline.plan import Plan
from fallline.problem import Charges, Room, problem_of

SMALL = 4_200_000  # bytes: pieces are then 64 KB of text
N, D = 6000, 90


def lines(labels=lambda z, k: 2 * int(z > 0) - 1, first=1, ordered=False):
    """Rows of some features each, one row without any, a stored zero, and a feature from 1e-3 to 1e6 in size."""
    chance, truth = np.random.default_rng(4), np.random.default_rng(5).normal(size=D)
    made = []
    for k in range(N):
        columns = np.flatnonzero(chance.random(D) < 0.12 * (k % 50 > 0))
        values = chance.normal(1.0, 2.0, len(columns)).round(4)
        z = values @ truth[columns] + chance.normal()
        sizes = np.where(columns == 7, 1e6, np.where(columns == 8, 1e-3, 1.0))
        pairs = [f"{j + first}:{v:.9g}" for j, v in zip(columns, values * sizes, strict=True)]
        made.append((z, f"{labels(z, k)} {' '.join(pairs)}"))
    made = sorted(made) if ordered else made
    return [line for _, line in made]


def written(path, **how):
    text = lines(**how)
    text[1] = "# a comment\n\n" + text[1].replace(" ", " qid:3 ", 1)
    text[2] += f" {D + first_of(how)}:0"
    held = ("\n".join(text) + "\n").encode()
    path.write_bytes(gzip.compress(held) if path.suffix == ".gz" else held)
    return path


def first_of(how):
    return how.get("first", 1)


KINDS = {
    "two classes": {},
    "from zero": {"first": 0},
    "amounts": {"labels": lambda z, k: f"{z:.6f}"},
    "several classes": {"labels": lambda z, k: int(z > -2) + int(z > 2)},
}


@pytest.mark.parametrize("name", ["t.svm", "t.svm.gz"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_read_in_pieces_is_encoded_as_in_memory(kind, name, tmp_path):
    path = written(tmp_path / name, **KINDS[kind])
    whole, pieces = load(path), stream(path, memory=SMALL, folder=tmp_path)
    assert pieces.columns == whole.columns
    assert (pieces.task, pieces.classes, pieces.target) == (whole.task, whole.classes, whole.target)
    np.testing.assert_allclose(pieces.y, whole.y, rtol=0, atol=1e-12)
    assert np.array_equal(pieces.X.indptr, whole.X.indptr)
    assert np.array_equal(pieces.X.indices, whole.X.indices)
    np.testing.assert_allclose(pieces.X.data, whole.X.data, rtol=1e-12)
    assert pieces.notes[:-1] == whole.notes
    assert "in pieces" in pieces.notes[-1]


def test_columns_are_dropped_and_left_in_their_units_as_in_memory(tmp_path):
    path, how = written(tmp_path / "t.svm"), {"drop": ["feature 3", "-1"], "standardise": False, "dtype": "float32"}
    whole, pieces = load(path, **how), stream(path, memory=SMALL, folder=tmp_path, **how)
    assert pieces.columns == whole.columns
    assert "feature 3" not in pieces.columns
    assert (pieces.X != whole.X).nnz == 0
    assert pieces.X.dtype == np.float32


FAR = 5500  # a line of the third piece or later
MISTAKES = {
    "an index twice": ("1 4:1 4:2", "line 5501 of t.svm: the index 4 occurs twice"),
    "no number": ("1 4:x", 'line 5501 of t.svm: "x" is no number'),
    "an infinity": ("1 4:inf", "of line 5501 of t.svm is inf"),
    "a missing label": ("nan 4:1", 'the target "label" is missing at line 5501 of t.svm'),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_far_down_the_file_is_named_with_its_line_as_in_memory(name, tmp_path):
    text, sentence = lines(), MISTAKES[name][1]
    text[FAR] = MISTAKES[name][0]
    (tmp_path / "t.svm").write_text("\n".join(text) + "\n")
    for read in (load, lambda path: stream(path, memory=SMALL, folder=tmp_path)):
        with pytest.raises(InputError) as caught:
            read(tmp_path / "t.svm")
        assert sentence in str(caught.value)


REFUSALS = {
    "another target": ({"target": "feature 3"}, '--target "feature 3" does not go with t.svm'),
    "weights": ({"weights": "feature 3"}, '--weights "feature 3" does not go with t.svm'),
    "a column that is not there": ({"drop": ["feature 300"]}, '--drop "feature 300" is not a column of t.svm'),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_does_not_go_with_libsvm_text_is_refused(name, tmp_path):
    how, sentence = REFUSALS[name]
    with pytest.raises(InputError) as caught:
        stream(written(tmp_path / "t.svm"), memory=SMALL, folder=tmp_path, **how)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "1 2:1 70000000:1\n-1 1:3\n",
            "70,000,000 parameters, for which a fit holds some 28,000 MB, and there are 4 MB of --memory",
        ),
        ("1 2:1\n", "holds one row of data"),
    ],
)
def test_a_file_that_no_cap_or_no_model_is_for_is_refused(text, sentence, tmp_path):
    (tmp_path / "t.svm").write_text(text)
    with pytest.raises(InputError, match=sentence):
        stream(tmp_path / "t.svm", memory=SMALL, folder=tmp_path)


def test_rows_without_any_entry_are_fitted_as_in_memory(tmp_path):
    (tmp_path / "t.svm").write_text("2 2:0\n-1 1:0\n4\n" * 9)
    inside, outside = (
        problem_of(tmp_path / "t.svm", None, Charges(), room=room) for room in (None, Room(SMALL, tmp_path))
    )
    assert outside.data.X.shape == (27, 2)
    assert Plan().run(outside.objective).trace.last("loss") == pytest.approx(
        Plan().run(inside.objective).trace.last("loss")
    )


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=(64 << 20) + 1000))
    with pytest.raises(InputError, match=r"the encoded rows of t.svm take 1 MB, and .* has 0 MB to spare"):
        stream(written(tmp_path / "t.svm"), memory=SMALL, folder=tmp_path)


@pytest.mark.parametrize("at_once", [True, False])
def test_rows_are_read_from_the_disk_as_they_stand_in_the_table(at_once, tmp_path, monkeypatch):
    monkeypatch.setattr("fallline.data.sparse_cache.AT_ONCE", at_once)
    path = written(tmp_path / "t.svm")
    inside, outside = (problem_of(path, None, Charges(), room=room).objective for room in (None, Room(SMALL, tmp_path)))
    chosen = np.array([5, 6, 7, 100, 50, 51, 0, N - 1, 100])  # runs, one again, and rows without any entry
    ours, theirs = gathered(outside, chosen), gathered(inside, chosen)
    assert np.array_equal(ours.indptr, theirs.indptr)
    assert np.array_equal(ours.indices, theirs.indices)
    np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-12)
    rows = np.arange(2000, 5000)
    outside.disk.ask_for(rows)  # neither changes what is read
    outside.disk.let_go(0, N)
    assert gathered(outside, rows).indices.tolist() == gathered(inside, rows).indices.tolist()


def test_more_entries_than_a_short_integer_counts_begin_where_they_do(tmp_path):
    disk, rows = SparseDisk(tmp_path, SMALL), sp.csr_array(np.eye(3))
    disk.filled = 2**31 - 2
    disk.add(rows, np.int64)
    disk.add(rows, np.int64)
    assert (disk.mapped("starts")[1:] - 2**31).tolist() == [-1, 0, 1, 2, 3, 4]


def test_a_number_too_large_for_the_type_is_refused_by_column(tmp_path):
    (tmp_path / "t.svm").write_text("1 1:1 2:1e60\n-1 1:2\n" * 9)
    how = {"dtype": "float32", "standardise": False}
    for read in (load, partial(stream, memory=SMALL, folder=tmp_path)):
        with pytest.raises(InputError, match='column "feature 2" has values too large for float32'):
            read(tmp_path / "t.svm", **how)


CHARGES = {
    "two classes": (Charges(), "two classes"),
    "lasso": (Charges(penalty="l1", alpha=1e-2), "two classes"),
    "hinge": (Charges(loss="hinge", alpha=1e-2), "two classes"),
    "amounts": (Charges(), "amounts"),
    "softmax": (Charges(alpha=1e-3), "several classes"),
}


@pytest.mark.parametrize("name", CHARGES)
def test_the_automatic_solver_comes_to_the_optimum_of_the_rows_in_memory(name, tmp_path):
    charges, kind = CHARGES[name]
    path = written(tmp_path / "t.svm", ordered=True, **KINDS[kind])
    inside, outside = (problem_of(path, None, charges, room=room).objective for room in (None, Room(SMALL, tmp_path)))
    lowest, run = Plan(tol=1e-7).run(inside).trace.last("loss"), Plan(tol=1e-5).run(outside)
    assert run.trace.last("loss") == pytest.approx(lowest, rel=1e-4)
    assert inside.value(run.w) == pytest.approx(run.trace.last("loss"), rel=1e-10)


def test_a_walk_in_windows_learns_sorted_rows_as_well_as_one_in_memory(tmp_path):
    path = written(tmp_path / "t.svm", ordered=True)
    inside, outside = (problem_of(path, None, Charges(), room=room).objective for room in (None, Room(SMALL, tmp_path)))
    outside.disk.window = N // 10
    for step, rate in (("plain", 0.02), ("adam", 0.003), ("quick", None)):
        plan = Plan(step=step, rate=rate, amount=2.0)
        loss = [plan.run(objective).trace.last("loss") for objective in (inside, outside)]
        assert loss[1] == pytest.approx(loss[0], rel=0.01)


def test_a_method_that_remembers_every_row_is_refused(tmp_path):
    problem = problem_of(written(tmp_path / "t.svm"), None, Charges(), room=Room(SMALL, tmp_path))
    with pytest.raises(InputError, match=r"saga remembers something of every row, .* or leave --memory out"):
        Plan(step="saga", amount=1.0).run(problem.objective)


# --- a fit in a folder ---


PLANS = {"solver": Plan(tol=1e-8), "walk": Plan(step="adam", amount=3.0)}


@pytest.mark.parametrize("name", PLANS)
def test_a_fit_that_was_stopped_goes_on_to_the_same_bits_and_predicts(name, tmp_path):
    path = written(tmp_path / "t.svm")
    recipe = Recipe(str(path), plan=PLANS[name], memory="4.2MB")
    fit(recipe, tmp_path / "whole")
    looks = []
    fit(recipe, tmp_path / "m", hooks=Hooks(asked=lambda: looks.append(1) or ("SIGINT" if len(looks) > 1 else "")))
    assert not (tmp_path / "m/summary.json").read_text().count('"finished": true')
    assert go_on(tmp_path / "m").model is not None
    assert (tmp_path / "m" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m", "t.svm", "whole"]
    right = Model.load(tmp_path / "m").predict(path) == np.array([line.split()[0] for line in lines()])
    assert right.mean() > 0.85


def test_a_file_that_will_not_fit_is_read_in_pieces_and_said_so(tmp_path, monkeypatch):
    path, said = written(tmp_path / "t.svm"), []
    monkeypatch.setattr("fallline.data.room.free_memory", lambda: 100_000)
    made = fit(Recipe(str(path)), tmp_path / "m", hooks=Hooks(warn=said.append))
    assert said == ["t.svm will not fit into the memory that is free: it is read in pieces, as with --memory 5MB."]
    assert made.problem.data.held is not None


PEAKS = """
import re, sys
from pathlib import Path
from fallline.fitting import Recipe, fit
from fallline.plan import Plan
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
for name in ("small", "large"):
    for step in ("auto", "plain"):
        plan = Plan() if step == "auto" else Plan(step=step, amount=1.0)
        fit(Recipe(f"{sys.argv[1]}/{name}.svm", memory="8MB", plan=plan), f"{sys.argv[1]}/m", overwrite=True)
    print(peak())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say what a process has held")
def test_what_a_fit_holds_hardly_grows_with_the_file(tmp_path):
    """Rows that take 80 MB beside some that take 1 MB, after which program, kernels and report are in memory."""
    text = "\n".join(lines()) + "\n"
    (tmp_path / "small.svm").write_text(text)
    with open(tmp_path / "large.svm", "w") as file:
        for _ in range(100):
            file.write(text)
    child = subprocess.run([sys.executable, "-c", PEAKS, str(tmp_path)], capture_output=True, text=True, check=True)
    before, after = map(int, child.stdout.split())
    assert after - before < 50e6
