"""The trace: columns, the clock, and files that come back as they went."""

import io
import math
import time
import zipfile

import numpy as np
import pytest

from fallline.descent import descend
from fallline.errors import InputError
from fallline.gauges import GAUGES, Distance, GradientNorm, Validation
from fallline.objectives import Linear
from fallline.penalties import L1
from fallline.samplers import Shuffled
from fallline.schedules import Cosine
from fallline.steps import Adam
from fallline.stops import Epochs
from fallline.trace import COLUMNS, PATH_LIMIT, Trace
from walks import halving

CHANCE = np.random.default_rng(6)
X = CHANCE.normal(size=(10, 2))
Y = X @ [1.0, -2.0] + 0.5
ROWS = Linear(X, Y, penalty=L1(0.01))
SCHEDULE = Cosine(0.1, 60)


def walk(gauges=(), every=2, objective=ROWS):
    return descend(
        objective,
        sampler=Shuffled(2),
        step=Adam(),
        schedule=SCHEDULE,
        stop=Epochs(6),
        gauges=gauges,
        every=every,
    )


def test_a_trace_notes_the_start_and_every_look():
    trace = walk().trace
    assert set(trace.columns) == set(COLUMNS)
    assert trace["t"].tolist() == [0, *(5 * k + more for k in range(6) for more in (2, 4, 5))]
    assert trace["visits"].tolist() == (2 * trace["t"]).tolist()
    assert trace["epochs"].tolist() == (trace["visits"] / 10).tolist()
    assert len(trace) == 19 == len(trace.path)


def test_the_columns_are_what_they_say_of_the_points():
    run = walk()
    trace = run.trace
    np.testing.assert_allclose(trace["loss"], [ROWS.value(w) for w in trace.path], rtol=1e-12)
    np.testing.assert_allclose(trace["size"], np.linalg.norm(trace.path, axis=1), rtol=1e-12)
    assert trace.path[0].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_array_equal(trace.path[-1], run.w)
    ends = trace.path[trace["t"] % 5 == 0]
    moves = np.linalg.norm(np.diff(ends, axis=0), axis=1)
    np.testing.assert_allclose(trace["move"][trace["t"] % 5 == 0], [0.0, *moves], rtol=1e-12)
    assert math.isnan(trace["rate"][0])
    assert trace["rate"][trace["t"] % 5 == 0][1:].tolist() == [SCHEDULE.at(t) for t in range(5, 31, 5)]


def test_time_goes_forward_and_only_while_walking():
    trace = walk().trace
    for name in ("t", "visits", "seconds", "epochs"):
        assert (np.diff(trace[name]) >= 0.0).all(), name
    assert trace["seconds"][0] == 0.0
    assert trace["seconds"][-1] > 0.0


def test_looking_is_not_counted_as_walking():
    slept = []

    class Slow(Linear):
        def values(self, points):
            slept.append(time.sleep(0.05))
            return Linear.values(self, points)

    start = time.perf_counter()
    trace = walk(objective=Slow(X, Y)).trace
    elapsed = time.perf_counter() - start
    assert trace["seconds"][-1] <= elapsed - 0.05 * len(slept)  # on any machine: the sleep is not in it
    assert len(slept) > 1


def test_gauges_are_columns():
    optimum = np.array([1.0, -2.0, 0.5])
    other = Linear(X[:4], Y[:4])
    gauges = (GradientNorm(), Validation(other), Distance(optimum))
    assert [GAUGES[gauge.name()] for gauge in gauges] == [type(gauge) for gauge in gauges]
    trace = walk(gauges).trace
    np.testing.assert_allclose(trace["distance"], np.linalg.norm(trace.path - optimum, axis=1), rtol=1e-12)
    np.testing.assert_allclose(trace["validation_loss"], [other.value(w) for w in trace.path], rtol=1e-12)
    first = ROWS.gradient(np.zeros(3))
    mapped = np.where(np.abs(first[:2]) > 0.01, first[:2] - 0.01 * np.sign(first[:2]), 0.0)
    assert trace["gradient_norm"][0] == pytest.approx(np.linalg.norm([*mapped, first[2]]), rel=1e-12)


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(KeyError, match=r"no column 'los'; it has t, visits, .*epochs"):
        walk().trace["los"]


def test_a_path_too_long_to_keep_is_not_kept_and_the_columns_are():
    class Wide:
        def values(self, points):
            return points[:, 0]

    trace = Trace()
    trace.begin(Wide(), np.zeros(PATH_LIMIT // 16))
    assert len(trace.path) == 1
    for _ in range(2):
        trace.note(Wide(), np.zeros(1), np.zeros((1, PATH_LIMIT // 16)), np.ones(1, int), np.ones(1, int), 0.1)
    assert len(trace.path) == 0
    assert trace["t"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("losses", "says"),
    [
        ([1.0, 2.0], ""),
        ([1.0, -1e99], ""),
        ([1.0, math.nan], "diverged: the loss went from 1 to nan by update 1"),
        ([1.0, math.inf], "diverged: the loss went from 1 to inf by update 1"),
        ([1.0, 2e100], "diverged: the loss went from 1 to 2e+100 by update 1"),
        ([math.nan], "diverged: the loss is no number at the start by update 0"),
    ],
)
def test_a_loss_that_is_no_number_or_beyond_bounds_is_broken(losses, says):
    trace = Trace()
    trace.columns["loss"], trace.columns["t"] = losses, list(range(len(losses)))
    assert trace.broken() == says


def test_a_copy_goes_its_own_way():
    trace = walk((GradientNorm(),)).trace
    trace.about["name"] = "first"
    copy = trace.copy()
    copy.columns["loss"].append(0.0)
    copy.points.append(np.zeros(3))
    copy.about["name"] = "second"
    assert len(trace.columns["loss"]) == len(trace) == len(trace.path)
    assert trace.about["name"] == "first"
    assert list(copy.gauges) == list(trace.gauges)


def same(one, other):
    assert list(one.columns) == list(other.columns)
    for name in one.columns:
        np.testing.assert_array_equal(one[name], other[name])
        assert one[name].dtype == other[name].dtype
    np.testing.assert_array_equal(one.path, other.path)
    assert (one.about, one.n) == (other.about, other.n)


def test_a_trace_comes_back_from_its_file_as_it_went(tmp_path):
    trace = walk((GradientNorm(),)).trace
    trace.about.update(step="adam", rate=0.1, seeds=[1, 2], name="μ × 2")
    file = trace.save(tmp_path / "run.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]
    same(Trace.load(file), trace)
    same(Trace.load(str(file)), trace)


def test_saving_again_replaces_the_file(tmp_path):
    walk().trace.save(tmp_path / "run.npz")
    trace = walk(every=1).trace
    same(Trace.load(trace.save(tmp_path / "run.npz")), trace)


def other_files(folder):
    """Files that fallline did not write as traces, by what is wrong with them."""
    good = walk().trace.save(folder / "good.npz").read_bytes()
    with np.load(io.BytesIO(good)) as file:
        arrays = dict(file)
    about = str(arrays["about"])

    def npz(**changes):
        buffer = io.BytesIO()
        kept = {**arrays, **changes}
        np.savez_compressed(buffer, **{name: array for name, array in kept.items() if array is not None})
        return buffer.getvalue()

    def npy():
        buffer = io.BytesIO()
        np.save(buffer, np.arange(3))
        return buffer.getvalue()

    def other_zip():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("readme.txt", "hello")
        return buffer.getvalue()

    damaged = bytearray(good)
    damaged[len(good) // 3 : len(good) // 3 + 40] = bytes(40)
    return {
        "empty": b"",
        "text": b"x,y\n1,2\n",
        "pickle": b"\x80\x04K\x01.",
        "one array": npy(),
        "another archive": other_zip(),
        "cut short": good[: len(good) // 2],
        "damaged": bytes(damaged),
        "no about": npz(about=None),
        "about is no JSON": npz(about=np.array("hello")),
        "about is a list": npz(about=np.array("[1, 2]")),
        "another format": npz(about=np.array(about.replace('"format": 1', '"format": 99'))),
        "no n": npz(about=np.array('{"format": 1}')),
        "no path": npz(path=None),
        "no loss": npz(loss=None),
        "a column too short": npz(loss=arrays["loss"][:-1]),
    }


OTHER_FILES = (
    *("empty", "text", "pickle", "one array", "another archive", "cut short", "damaged"),
    *("no about", "about is no JSON", "about is a list", "another format"),
    *("no n", "no path", "no loss", "a column too short"),
)


@pytest.mark.parametrize("name", OTHER_FILES)
def test_loading_refuses_a_file_that_is_no_trace(tmp_path, name):
    file = tmp_path / "other.npz"
    file.write_bytes(other_files(tmp_path)[name])
    with pytest.raises(InputError, match=r"other\.npz is not a trace"):
        Trace.load(file)


def test_loading_names_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"no trace file .*missing\.npz"):
        Trace.load(tmp_path / "missing.npz")
    with pytest.raises(InputError, match="is not a trace"):
        Trace.load(tmp_path)


def test_the_looks_between_two_are_a_trace_of_their_own():
    trace = halving(11, path=np.arange(22.0).reshape(11, 2))
    part = trace.between(3, 7)
    for name in trace.columns:
        assert part[name].tolist() == trace[name][3:7].tolist()
    np.testing.assert_array_equal(part.path, trace.path[3:7])
    assert part.about == trace.about
    assert len(trace) == 11
    assert trace.between(10)["t"].tolist() == [10]
