"""Vowpal Wabbit: its usual adaptive SGD at three rates, its coin betting, and its L-BFGS.

Its cache file is made before the clock runs.
"""

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file
from vowpalwabbit import Workspace

from peers import Peer

LOSSES = {"LogLoss": "logistic", "Hinge": "hinge", "SquaredError": "squared", "Quantile": "quantile"}
WRITABLE = 2e7  # numbers of a text file
CONSTANT = 11650396  # where it keeps the intercept


def can(task: Any) -> str:
    numbers = task.X.nnz if task.sparse else task.n * task.d
    if task.lasso:
        return "its L1 is truncated, another objective"
    return (
        "" if numbers <= WRITABLE else f"it reads text, and {numbers / 1e6:.0f} million numbers take minutes to write"
    )


def prepare(task: Any, setting: Any) -> Any:
    """A folder with the rows as text; the first pass leaves a cache beside it."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "rows.txt"
    dump_svmlight_file(sp.csr_matrix(task.X), task.y, str(path))
    path.write_text("".join(line.replace(" ", " | ", 1) for line in path.read_text().splitlines(keepends=True)))
    Workspace(f"{_source(folder)} --passes 2 {_common(task)}").finish()
    return folder


def fit(folder: Any, task: Any, setting: Any, passes: float) -> Any:
    options = f"{setting['options']} --passes {int(passes)} {_common(task)}"
    bulk = "--bfgs" in options
    scale = 2.0 if task.kind == "SquaredError" else 1.0  # its squared error has no half
    options += f" --l2 {scale * task.lam * (task.n if bulk else 1)!r} --no_bias_regularization"
    model = Workspace(f"{_source(folder)} {options}")

    def fetched() -> Any:
        w = np.array([model.get_weight(j) for j in (*range(task.d), CONSTANT)])
        model.finish()
        return w

    return fetched


def _common(task: Any) -> str:
    bits = max(18, int(np.ceil(np.log2(task.d + 1))))
    tau = f" --quantile_tau {task.loss.level!r}" if task.kind == "Quantile" else ""
    return f"--loss_function {LOSSES[task.kind]}{tau} -b {bits} --holdout_off --quiet"


def _source(folder: Any) -> str:
    return f"-d {folder}/rows.txt --cache_file {folder}/rows.cache"


SETTINGS = tuple({"options": text} for text in ("-l 0.1", "-l 0.5", "-l 2", "--coin", "--bfgs --mem 15"))
PEERS = [
    Peer(
        "Vowpal Wabbit",
        tuple(LOSSES),
        SETTINGS,
        (2, 4, 8, 16, 32, 64, 128),
        fit,
        "rate, coin betting or L-BFGS",
        can,
        prepare,
    )
]
