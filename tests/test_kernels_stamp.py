"""The disk cache of kernels: an edited formula is compiled anew, an unedited one is not, and processes do not mix."""

import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.caching import IndexDataCacheFile

import fallline
from fallline.averages import AVERAGES
from fallline.kernels import sweep
from fallline.kernels.bridge import Cache, Files
from fallline.kernels.stamp import PACKAGE, SOURCES
from fallline.losses import LOSSES, MULTICLASS
from fallline.penalties import PENALTIES
from fallline.rows import CSR, Dense
from fallline.schedules import SCHEDULES
from fallline.steps import STEPS

PROGRAM = """
import json
import numpy as np
from fallline.descent import descend
from fallline.executors.compiled import compiled
from fallline.kernels import passes, penalty, sums, sweep
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import L1
from fallline.samplers import Shuffled
from fallline.schedules import Constant
from fallline.steps import Momentum
from fallline.stops import Epochs

X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 1.0]])
line = Linear(X, [1.0, 2.0, 3.0], penalty=L1(0.1))
classes = SoftmaxRegression(X, [0, 1, 2])
parts = {"sampler": Shuffled(), "step": Momentum(), "schedule": Constant(0.01), "stop": Epochs(2), "advance": compiled}
w = np.linspace(-1.0, 1.0, 9)
kernels = [passes.losses, sums.mean_losses, penalty.costs_of, penalty.pull_on, sweep.sweep, sweep.rates]
out = {
    "loss": line.value(w[:3]),
    "walk": descend(line, start=w[:3], **parts).w.tolist(),
    "softmax": classes.value(w),
    "slope": classes.gradient(w).tolist(),
    "softmax walk": descend(classes, start=w, **parts).w.tolist(),
}
out["compiled"] = sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels)
out["loaded"] = sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels)
print(json.dumps(out))
"""
SEEN_IN = {
    "losses/regression.py": ("return 0.5 * (z - y) * (z - y)", "return 0.25 * (z - y) * (z - y)", {"loss"}),
    "steps/momentum.py": (
        "m = self.beta * memory[0] + g\n        return m, (m,)",
        "m = self.beta * memory[0] - g\n        return m, (m,)",
        {"walk", "softmax walk"},
    ),
    "rows.py": (
        "total += x[j] * w[j]",
        "total += 2.0 * x[j] * w[j]",
        {"walk", "softmax", "softmax walk"},
    ),
    "kernels/blocks.py": ("a += X[i, j] * w[j]", "a += 2.0 * X[i, j] * w[j]", {"loss"}),
}


def run(folder):
    """What the program says with the copy of the package in `folder`, and a disk cache there too."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_an_edited_formula_changes_what_is_compiled_and_an_unedited_one_is_not_compiled_again(tmp_path):
    package = tmp_path / "fallline"
    shutil.copytree(Path(fallline.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    first, again = run(tmp_path), run(tmp_path)
    results = ("loss", "walk", "softmax", "slope", "softmax walk")
    assert [first[name] for name in results] == [again[name] for name in results]
    assert first["compiled"] >= 8
    assert first["loaded"] == 0
    assert (again["compiled"], again["loaded"]) == (0, first["compiled"])
    for name, (before, after, changes) in SEEN_IN.items():
        source = (package / name).read_text()
        assert source.count(before) == 1, name
        (package / name).write_text(source.replace(before, after))
        edited = run(tmp_path)
        assert {each for each in results if edited[each] != first[each]} == changes, name
        (package / name).write_text(source)


@pytest.mark.parametrize(
    "table", [LOSSES, MULTICLASS, PENALTIES, STEPS, SCHEDULES, AVERAGES, {"dense": Dense, "csr": CSR}], ids=len
)
def test_every_file_that_holds_a_compiled_part_is_stamped(table):
    stamped = {path for pattern in SOURCES for path in PACKAGE.glob(pattern)}
    assert {Path(inspect.getsourcefile(part)) for part in table.values()} <= stamped
    assert set((PACKAGE / "kernels").glob("*.py")) <= stamped


def test_processes_that_compile_at_the_same_time_do_not_read_each_others_machine_code(tmp_path, monkeypatch):
    """Numba numbers its files by what the index holds; two processes that read the same index take the same number."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    one, other = (Cache(sweep.rates.py_func)._cache_file for _ in range(2))
    other._load_index = dict  # it has read the index, still empty, when the first one begins
    keep = one._save_data

    def meanwhile(name, data):
        other.save("other's types", "other's code")
        keep(name, data)

    one._save_data = meanwhile
    one.save("one's types", "one's code")
    later = Cache(sweep.rates.py_func)._cache_file
    assert later.load("one's types") in (None, "one's code")
    assert later.load("other's types") in (None, "other's code")


class Removed:
    """Pickles as a class of a version that is gone."""

    def __reduce__(self):
        return getattr, (sys.modules["fallline.losses"], "RemovedLoss")


@pytest.mark.parametrize("numbered_by", [IndexDataCacheFile, Files], ids=["numba", "fallline"])
def test_an_index_that_names_a_part_which_an_upgrade_removed_is_left_aside(numbered_by, tmp_path, monkeypatch):
    """Numba unpickles the types that an index names before it looks whether the index is too old."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    now = Cache(sweep.rates.py_func)
    old = numbered_by(now._cache_path, now._impl.filename_base, source_stamp="the formulas before")
    now._impl.locator.ensure_cache_path()
    old._save_index({Removed(): "old code"})
    with pytest.raises(AttributeError, match="RemovedLoss"):
        old._load_index()  # to read it is what crashes
    assert now._cache_file.load("types") is None
    now._cache_file.save("types", "code")
    assert now._cache_file.load("types") == "code"
