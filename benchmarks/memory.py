"""Memory that a fit takes beyond the table, as a share of it: the peak of a fresh process each, warm, Linux only.

    python benchmarks/memory.py [--quick]

A process loads the table, fits a few of its rows to load and compile, resets the kernel's record of the peak, and fits them all.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import peers
import synthetic
from peers import present
from text import wanted

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
TOOLS = (
    "fallline",
    "scikit-learn SGD",
    "scikit-learn lbfgs",
    "scikit-learn saga",
    "scikit-learn newton-cholesky",
    "LIBLINEAR",
)
ROWS = 2000
WARM = 20_000  # rows that are loaded with the tool: enough for it to go the same way
SHARE = 0.10


def main(quick: bool = False, only: tuple[str, ...] = ()) -> dict[str, dict[str, float]]:
    """Print the table; returns {table: {tool: share of the table}}."""
    found: dict[str, dict[str, float]] = {}
    if not RESET.exists():
        print("left out: this system has no /proc/self/clear_refs")
        return found
    print(f"{'':34s}{'dense':>18s}{'sparse':>18s}   MiB beyond the table, and its share of the table")
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"dense": written_dense(folder, quick), "sparse": written_sparse(folder, quick)}
        for tool in [p.name for p in present()[0] if p.name in TOOLS]:
            cells = ""
            for kind, size in sizes.items():
                command = [sys.executable, __file__, "--one", folder, kind, tool]
                answer = subprocess.run(command, capture_output=True, text=True, check=False)
                extra = float(answer.stdout.split()[-1]) if answer.returncode == 0 else np.nan
                found.setdefault(kind, {})[tool] = extra / size
                cells += f"{'failed':>18s}" if np.isnan(extra) else f"{extra / 2**20:9.1f} {extra / size:7.1%} "
            print(f"{tool:34s}{cells}", flush=True)
    return found


def written_dense(folder: str, quick: bool) -> int:
    """The dense table in a file; its bytes."""
    X, y, _ = synthetic.dense(False, ROWS * 10 if quick else synthetic.N)
    np.savez(Path(folder) / "dense.npz", X=X, y=y)
    return X.nbytes


def written_sparse(folder: str, quick: bool) -> int:
    """The sparse table in a file; its bytes."""
    X, y = synthetic.text(False, *((ROWS, ROWS) if quick else (synthetic.DOCUMENTS, synthetic.WORDS)))
    np.savez(Path(folder) / "sparse.npz", data=X.data, indices=X.indices, indptr=X.indptr, y=y, d=X.shape[1])
    return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes


def one(folder: str, kind: str, tool: str) -> None:
    """In a process of its own: fit, and print the bytes that the peak rose by."""
    from fallline.losses import LogLoss
    from tasks import Task

    with np.load(Path(folder) / f"{kind}.npz") as file:
        parts = dict(file)
    y = parts.pop("y")
    X = (
        parts["X"]
        if kind == "dense"
        else sp.csr_matrix((parts["data"], parts["indices"], parts["indptr"]), (len(y), int(parts["d"])))
    )
    parts.clear()
    peer = next(p for p in peers.present()[0] if p.name == tool)
    setting, budget = peer.settings[0], peer.budgets[3]
    task = Task(tool, X, y, LogLoss())
    part = Task(tool, X[:WARM], y[:WARM], LogLoss())
    peer.fit(peer.prepare(part, setting), part, setting, budget)
    RESET.write_text("5")
    before = peak()
    peer.fit(peer.prepare(task, setting), task, setting, budget)
    print(peak() - before)


def peak() -> int:
    """The most memory that was resident since the last reset, bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def targets(found: dict[str, dict[str, float]]) -> list[tuple[str, str, str, bool]]:
    """The issue's row."""
    own = [shares["fallline"] for shares in found.values()]
    reached = " / ".join(f"{share:.1%}" for share in own)
    return [("extra memory of a fit, dense / sparse", "≤ 10 % of X", reached, max(own) <= SHARE)] if own else []


if __name__ == "__main__":
    if "--one" in sys.argv:
        one(*sys.argv[2:])
    else:
        main(*wanted())
