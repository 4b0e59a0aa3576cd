"""A fit of a table larger than memory, in its folder: stopped, killed, gone on with, and what it holds."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from fallline.errors import InputError
from fallline.fitting import Recipe, fit, go_on
from fallline.fitting.fit import Hooks
from fallline.model import FILE
from fallline.plan import Plan
from test_streaming import written

PLANS = {"solver": Plan(tol=1e-8), "walk": Plan(step="adam", amount=6.0)}


@pytest.mark.parametrize("name", PLANS)
def test_a_fit_that_was_stopped_goes_on_to_the_same_bits(name, tmp_path):
    recipe = Recipe(str(written("csv", tmp_path)), "sold", plan=PLANS[name], memory="4.2MB")
    fit(recipe, tmp_path / "whole")
    looks = []
    fit(recipe, tmp_path / "m", hooks=Hooks(asked=lambda: looks.append(1) or ("SIGINT" if len(looks) > 1 else "")))
    assert not (tmp_path / "m/summary.json").read_text().count('"finished": true')
    made = go_on(tmp_path / "m")
    assert made.model is not None
    assert (tmp_path / "m" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()


def test_a_system_that_takes_no_advice_on_mapped_files_fits_to_the_same_bits(tmp_path, monkeypatch):
    recipe = Recipe(str(written("csv", tmp_path)), "sold", plan=PLANS["walk"], memory="4.2MB")
    fit(recipe, tmp_path / "m")
    monkeypatch.setattr("fallline.data.cache.ADVISED", False)
    fit(recipe, tmp_path / "n")
    assert (tmp_path / "m" / FILE).read_bytes() == (tmp_path / "n" / FILE).read_bytes()


def test_a_fit_is_not_gone_on_with_under_another_cap(tmp_path):
    recipe = Recipe(str(written("csv", tmp_path)), "sold", plan=PLANS["walk"], memory="4.2MB")
    fit(recipe, tmp_path / "m", hooks=Hooks(asked=lambda: "SIGINT"))
    plan = tmp_path / "m/plan.toml"
    plan.write_text(plan.read_text().replace("4.2MB", "8MB"))
    with pytest.raises(InputError, match="another plan"):
        go_on(tmp_path / "m")


@pytest.mark.parametrize("form", ["csv", "parquet", "folder", "npz"])
def test_a_file_that_will_not_fit_is_read_in_pieces_and_said_so(form, tmp_path, monkeypatch):
    monkeypatch.setattr("fallline.data.room.free_memory", lambda: 100_000)
    said = []
    path = written(form, tmp_path)
    made = fit(Recipe(str(path), "sold"), tmp_path / "m", hooks=Hooks(warn=said.append))
    assert said == [
        f"{path.name} will not fit into the memory that is free: it is read in pieces, as with --memory 5MB."
    ]
    assert made.problem.data.held is not None
    assert Recipe.from_toml(tmp_path / "m/plan.toml").memory == "5MB"
    monkeypatch.undo()
    assert fit(Recipe(str(path), "sold"), tmp_path / "n").problem.data.held is None


def test_a_file_that_may_not_fit_and_is_not_read_in_pieces_is_fitted_in_memory_and_said_so(tmp_path, monkeypatch):
    sp.save_npz(tmp_path / "t.npz", sp.csr_array(np.column_stack([np.arange(300) % 5, np.arange(300) % 7 * 1.5])))
    monkeypatch.setattr("fallline.data.room.free_memory", lambda: 500)
    said = []
    made = fit(Recipe(str(tmp_path / "t.npz")), tmp_path / "m", hooks=Hooks(warn=said.append))
    assert len(said) == 1
    assert (
        "t.npz may not fit into the memory that is free, and a sparse matrix of SciPy's is not read in pieces"
        in said[0]
    )
    assert made.model is not None
    assert Recipe.from_toml(tmp_path / "m/plan.toml").memory is None


KILLED = """
import os, signal, sys
from fallline.fitting import Recipe, fit
from fallline.fitting.fit import Hooks
from fallline.plan import Plan
def watch(problem, trace):
    if len(trace) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
fit(Recipe(sys.argv[1], "sold", plan=Plan(step="adam", amount=6.0), memory="4.2MB"), sys.argv[2], every=1e-9,
    hooks=Hooks(watch=watch))
"""


@pytest.mark.skipif(os.name != "posix", reason="kills by a POSIX signal")
def test_killed_on_its_way_it_leaves_no_rows_on_the_disk_and_goes_on_to_the_same_bits(tmp_path):
    path = written("parquet", tmp_path)
    fit(Recipe(str(path), "sold", plan=PLANS["walk"], memory="4.2MB"), tmp_path / "whole")
    child = subprocess.run([sys.executable, "-c", KILLED, str(path), str(tmp_path / "m")])
    assert child.returncode == -signal.SIGKILL
    assert sorted(file.name for file in (tmp_path / "m").iterdir()) == [
        "checkpoint.safetensors",
        "log.jsonl",
        "plan.toml",
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m", "table.parquet", "whole"]
    go_on(tmp_path / "m")
    assert (tmp_path / "m" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()


PEAKS = """
import re, sys
from pathlib import Path
from fallline.fitting import Recipe, fit
from fallline.plan import Plan
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
for name in ("small", "large"):
    for step, cache in (("auto", True), ("plain", True), ("plain", False)):
        plan = Plan() if step == "auto" else Plan(step=step, amount=1.0)
        recipe = Recipe(f"{sys.argv[1]}/{name}.parquet", "y", memory="8MB", plan=plan, cache=cache)
        fit(recipe, f"{sys.argv[1]}/m", overwrite=True)
    print(peak())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say what a process has held")
def test_what_a_fit_holds_hardly_grows_with_the_table(tmp_path):
    """A table of 98 MB beside one of 1 MB, which takes the program, its kernels and its report into memory first."""
    chance = np.random.default_rng(0)
    for name, rows in (("small", 3000), ("large", 300_000)):
        X = chance.standard_normal((rows, 41)).astype(np.float32)
        columns = {**{f"x{j}": X[:, j] for j in range(41)}, "y": X[:, 0] + chance.normal(size=rows) > 0}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet", row_group_size=30_000)
    child = subprocess.run([sys.executable, "-c", PEAKS, str(tmp_path)], capture_output=True, text=True, check=True)
    before, after = map(int, child.stdout.split())
    assert after - before < 50e6


@pytest.mark.parametrize(("cache", "flag"), [(True, "--cache"), (False, "--no-cache")])
def test_whether_there_is_a_cache_is_not_asked_of_rows_in_memory(cache, flag, tmp_path):
    recipe = Recipe(str(written("csv", tmp_path)), "sold", plan=Plan(step="adam", amount=1.0), cache=cache)
    with pytest.raises(InputError, match=f"^{flag} is for rows that are read in pieces.*add --memory, or leave it out"):
        fit(recipe, tmp_path / "m")
    assert not (tmp_path / "m").exists()
