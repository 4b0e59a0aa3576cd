"""Tables larger than memory on a disk without room for a cache: decoded anew at every pass, to the same numbers."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fallline.data.stream import stream
from fallline.descent import descend
from fallline.errors import InputError
from fallline.executors.compiled import compiled
from fallline.executors.windows import InWindows
from fallline.fitting import Recipe, fit, go_on
from fallline.fitting.fit import Hooks
from fallline.model import FILE
from fallline.plan import Plan
from fallline.problem import Charges, Room, problem_of
from fallline.samplers import Streamed
from fallline.schedules import InverseTime
from fallline.solver import solve
from fallline.steps import Adam
from fallline.stops import Updates
from test_streaming import SMALL, N, heights, written

GROUPS = tuple((first, min(first + 70, 1000)) for first in range(0, 1000, 70))


@pytest.fixture
def no_room(monkeypatch):
    """A disk with room for two numbers a row, and not for the rows."""
    for place in ("cache", "stream"):
        monkeypatch.setattr(f"fallline.data.{place}.spare", lambda folder: 20 * N)


@pytest.mark.parametrize("streams", [1, 4, len(GROUPS)])
def test_windows_hold_each_row_once_a_pass_and_of_each_stretch_its_share(streams):
    cuts = [len(GROUPS) * k // streams for k in range(streams + 1)]
    stretches = tuple(GROUPS[first:last] for first, last in pairwise(cuts))
    made = Streamed(8, 3, 200, stretches=stretches)
    held = [rows[order] for rows, order in made.segment(1000, 0).windows()]
    assert sorted(np.concatenate(held).tolist()) == list(range(1000))
    assert all(len(rows) % 8 == 0 for rows in held[:-1])
    assert all(len(rows) < 200 + 8 + streams for rows in held)
    for stretch in stretches:
        shares = [np.mean((rows >= stretch[0][0]) & (rows < stretch[-1][1])) for rows in held]
        assert np.ptp(shares) < 0.07
    assert np.array_equal(made.segment(1000, 0).order, made.segment(1000, 0).order)
    assert not np.array_equal(made.segment(1000, 0).order, made.segment(1000, 1).order)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "folder", "feather", "npz"])
def test_rows_are_decoded_to_the_bits_of_the_cache_in_any_order(form, tmp_path):
    path = written(form, tmp_path)
    kept, decoded = (stream(path, "sold", memory=SMALL, folder=tmp_path, cache=cache) for cache in (True, False))
    chosen = np.random.default_rng(0).permutation(N)[:900]
    chosen[100:400] = np.arange(N - 300, N)
    for rows in (chosen, np.arange(N)):
        assert np.array_equal(decoded.held.disk.rows(rows), np.asarray(kept.X)[rows])
    assert np.array_equal(decoded.y, kept.y)
    assert np.array_equal(decoded.held.weights, kept.held.weights)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("loss", ["log_loss", "softmax"])
def test_a_walk_on_decoded_rows_is_the_walk_from_the_cache_in_the_same_order(loss, tmp_path):
    path = written("parquet", tmp_path)
    kept, decoded = (
        problem_of(path, "sold", Charges(loss=loss), room=Room(SMALL, tmp_path, cache)).objective
        for cache in (True, False)
    )
    how = {"step": Adam(), "schedule": InverseTime(0.05, decay=0.01), "stop": Updates(500), "every": 50}
    sampler = Streamed(16, 0, 1000, stretches=decoded.disk.stretches)
    ran = [descend(objective, sampler=sampler, advance=InWindows(compiled), **how) for objective in (kept, decoded)]
    assert np.abs(ran[0].w).max() > 0.03
    assert np.array_equal(ran[0].w, ran[1].w)
    np.testing.assert_allclose(ran[1].trace["loss"], ran[0].trace["loss"], rtol=0 if loss == "log_loss" else 1e-12)


def test_whoever_asks_for_decoded_rows_gets_them_or_a_refusal(tmp_path):
    path = written("parquet", tmp_path)
    kept, decoded = (
        problem_of(path, "sold", Charges(), room=Room(SMALL, tmp_path, cache)).objective for cache in (True, False)
    )
    w, rows = np.random.default_rng(0).normal(size=kept.size), np.array([3, 4, 5, 999, 70, N - 1])
    for which in (rows, slice(None)):
        assert np.array_equal(decoded.gradient(w, which), kept.gradient(w, which))
    assert np.array_equal(decoded.margins(w), kept.margins(w))
    assert decoded.spread(w, rows) == kept.spread(w, rows)
    with pytest.raises(InputError, match="decode these anew"):
        decoded.forecast(rate=0.01)


def sorted_by_class(tmp_path):
    chance = np.random.default_rng(5)
    y = np.repeat([0, 1], 20_000)
    X = chance.normal(size=(40_000, 6)) + 0.4 * y[:, None]
    table = pa.table({**{f"x{j}": X[:, j] for j in range(6)}, "y": y})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=1000)
    return tmp_path / "t.parquet", "y"


@pytest.mark.parametrize("plan", [{"step": "plain", "rate": 0.003}, {"step": "quick"}])
def test_rows_in_order_of_class_are_learnt_as_well_as_in_memory(plan, tmp_path):
    """Within 1 %, after 1, 2 and 5 passes, by windows that hold a part of the rows."""
    path, target = sorted_by_class(tmp_path)
    seeds = (0,) if plan["step"] == "plain" else (0, 1, 2)
    rooms = None, Room(SMALL, tmp_path, False)
    inside, outside = (heights(path, target, room, plan, (1, 2, 5), seeds) for room in rooms)
    np.testing.assert_array_less(outside, 1.01 * inside)


def test_a_disk_without_room_has_rows_decoded_and_a_stopped_fit_goes_on_to_the_same_bits(tmp_path, no_room):
    recipe = Recipe(str(written("parquet", tmp_path)), "sold", plan=Plan(step="adam", amount=6.0), memory="4.2MB")
    whole = fit(recipe, tmp_path / "whole")
    assert "decoded at every pass" in whole.problem.data.notes[-1]
    assert "Of its 3 row groups 3 are read side by side: if they are sorted" in whole.problem.data.notes[-1]
    looks = []
    fit(recipe, tmp_path / "m", hooks=Hooks(asked=lambda: looks.append(1) or ("SIGINT" if len(looks) > 1 else "")))
    assert Recipe.from_toml(tmp_path / "m/plan.toml").cache is False
    made = go_on(tmp_path / "m")
    assert made.problem.objective.disk.kept is False
    assert (tmp_path / "m" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "table.parquet", "whole"]


def test_what_they_come_to_on_their_own_rows_is_that_of_the_cache(tmp_path):
    recipe = Recipe(
        str(written("csv", tmp_path)), "sold", plan=Plan(step="adam", amount=2.0), memory="4.2MB", cache=False
    )
    made = fit(recipe, tmp_path / "m")
    z = made.model.scores(made.problem.objective.disk.rows(np.arange(N)))
    right = float(((z > 0) == (made.problem.data.y > 0)).mean())
    assert f"{right:.1%} right" in (tmp_path / "m/summary.json").read_text()


def test_a_fit_that_was_begun_with_a_cache_is_not_gone_on_with_without(tmp_path, monkeypatch):
    recipe = Recipe(str(written("parquet", tmp_path)), "sold", plan=Plan(step="adam", amount=6.0), memory="4.2MB")
    fit(recipe, tmp_path / "m", hooks=Hooks(asked=lambda: "SIGINT"))
    monkeypatch.setattr("fallline.data.cache.spare", lambda folder: 20 * N)
    with pytest.raises(InputError, match=r"0 MB to spare: make room, or name a folder on another disk"):
        go_on(tmp_path / "m")


@pytest.mark.parametrize("plan", [{}, {"step": "plain", "variant": "batch"}, {"step": "saga"}, {"step": "lbfgs"}])
def test_what_makes_full_passes_needs_the_cache_and_says_what_does_not(plan, tmp_path, no_room):
    path = str(written("parquet", tmp_path))
    with pytest.raises(
        InputError, match=r"to spare: make room, or name .* -o, or take rows that are decoded .*--step quick"
    ):
        Recipe(path, "sold", plan=Plan(**plan), memory="4.2MB").problem(tmp_path)
    with pytest.raises(InputError, match=r"needs? the encoded rows on the disk: .*--step quick"):
        Recipe(path, "sold", plan=Plan(**plan), memory="4.2MB", cache=False)
    objective = problem_of(path, "sold", Charges(), room=Room(SMALL, tmp_path, False)).objective
    with pytest.raises(InputError, match=r"needs? the encoded rows on the disk"):
        Plan(**plan).run(objective)
    with pytest.raises(InputError, match="each would decode these anew: make room for a cache"):
        solve(objective)


def test_a_disk_without_room_for_two_numbers_a_row_is_refused(tmp_path, monkeypatch):
    for place in ("cache", "stream"):
        monkeypatch.setattr(f"fallline.data.{place}.spare", lambda folder: 10)
    with pytest.raises(InputError, match="make room"):
        Recipe(str(written("csv", tmp_path)), "sold", plan=Plan(step="quick"), memory="4.2MB").problem(tmp_path)
