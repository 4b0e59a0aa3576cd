"""The first fit of a process: fallline's default on breast cancer beside scikit-learn's, imports and all.

    python benchmarks/first_fit.py

Fresh processes in turn, wall seconds of each from start to exit, a bare interpreter's start taken off; both load the table
from one .npy file, and scikit-learn's LogisticRegression is at its defaults (it stops early). *Cold*: an empty cache of machine
code, as after an installation; `fallline warm` fills it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.datasets import load_breast_cancer

from targets import Target

TURNS, COLD_TURNS = 7, 3
WARM_LIMIT, COLD_LIMIT = 1.5, 5.0  # times scikit-learn's
HEAVY = ("narwhals", "pyarrow", "plotly", "sklearn", "pandas", "torch", "rich", "click")
READ = "import numpy as np; T = np.load('table.npy'); X, y = T[:, :-1], T[:, -1]; "
OURS = READ + (
    "import fallline; from fallline.losses import LogLoss; from fallline.penalties import L2; "
    "fallline.solve(fallline.Linear(X, 2.0 * y - 1.0, LogLoss(), L2(1.0 / len(y))))"
)
THEIRS = READ + "from sklearn.linear_model import LogisticRegression; LogisticRegression().fit(X, y)"
LOADED = f"; import sys; print(*[name for name in {HEAVY} if name in sys.modules])"


def main(quick: bool = False) -> dict[str, float]:
    """Print the table; returns the median seconds by name."""
    with tempfile.TemporaryDirectory() as folder:
        X, y = load_breast_cancer(return_X_y=True)
        np.save(Path(folder) / "table.npy", np.column_stack([X, y]))
        cache = Path(folder) / "cache"
        spent: dict[str, list[float]] = {"bare": [], "scikit-learn": [], "fallline, warm": [], "fallline, cold": []}
        for turn in range(2 if quick else TURNS):
            if turn < (1 if quick else COLD_TURNS):
                shutil.rmtree(cache, ignore_errors=True)
                spent["fallline, cold"].append(seconds(OURS, folder, cache))
            spent["bare"].append(seconds("pass", folder, cache))
            spent["scikit-learn"].append(seconds(THEIRS, folder, cache))
            spent["fallline, warm"].append(seconds(OURS, folder, cache))
        loaded = started(OURS + LOADED, folder, cache).split()
    bare = median(spent.pop("bare"))
    found = {name: median(times) - bare for name, times in spent.items()}
    for name, times in spent.items():
        print(
            f"{name:18s}{found[name]:8.2f} s   {found[name] / found['scikit-learn']:5.2f} of scikit-learn's"
            f"   ({min(times) - bare:.2f}-{max(times) - bare:.2f})"
        )
    print(f"of {', '.join(HEAVY)} a fit loads: {', '.join(loaded) or 'none'}")
    return found


def seconds(code: str, folder: str, cache: Path) -> float:
    """Wall seconds of a fresh process."""
    start = time.perf_counter()
    started(code, folder, cache)
    return time.perf_counter() - start


def started(code: str, folder: str, cache: Path) -> str:
    """What a fresh process prints."""
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry)
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, check=True, capture_output=True, text=True
    ).stdout


def targets(found: dict[str, float]) -> list[Target]:
    """What was to be reached."""
    rows = []
    for kind, limit in (("warm", WARM_LIMIT), ("cold", COLD_LIMIT)):
        ratio = found[f"fallline, {kind}"] / found["scikit-learn"]
        what = f"first fit of a process, {kind} cache"
        rows.append(Target(what, f"≤ {limit:g} × scikit-learn's", f"{ratio:.2f} ×", ratio <= limit, "first_fit"))
    return rows


if __name__ == "__main__":
    main("--quick" in sys.argv)
