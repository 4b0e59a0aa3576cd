"""Larger than memory: peak memory under a cap, and the speed of an epoch beside a plain read and an epoch in memory.

python benchmarks/streaming.py [--quick]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from fallline.files import write_whole
from fallline.plan import Plan
from fallline.problem import Charges, Room, problem_of

RESULTS = Path(__file__).parent / "results" / "streaming.json"
COLUMNS, REPEATS = 41, 3
FIT = """
import re, sys
from pathlib import Path
from fallline.fitting import Recipe, fit
from fallline.plan import Plan
plan = Plan() if sys.argv[4] == "auto" else Plan(step=sys.argv[4], amount=1.0)
fit(Recipe(sys.argv[1], "y", memory=sys.argv[3], plan=plan), sys.argv[2], overwrite=True)
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024)
"""


def written(folder: Path, rows: int, form: str) -> Path:
    """A file of 41 float32 columns and two classes, with a class's rows first and the other's then."""
    path, chance, w = folder / f"table.{form}", np.random.default_rng(0), np.linspace(-1, 1, COLUMNS)
    file = None
    for first in range(0, rows, 100_000):
        X = chance.standard_normal((min(100_000, rows - first), COLUMNS)).astype(np.float32)
        y = (X @ w + 2 * chance.standard_normal(len(X)) > 0).astype(np.int8)
        table = pa.table({**{f"x{j}": X[:, j] for j in range(COLUMNS)}, "y": y})
        if file is None:
            file = {"parquet": pq.ParquetWriter, "csv": arrow_csv.CSVWriter}[form](path, table.schema)
        file.write_table(table)
    file.close()
    return path


def peaks(folder: Path, path: Path, steps: list[str]) -> dict[str, dict[str, float]]:
    """Peak resident MB of a fit under a cap of a quarter of the file; the second of two runs, nothing left to compile."""
    cap, found = path.stat().st_size // 4_000_000, {}
    for step in steps:
        for _ in range(2):
            begun = time.perf_counter()
            command = [sys.executable, "-c", FIT, str(path), str(folder / "model"), f"{cap}MB", step]
            peak = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1e6
            found[step] = {
                "file": path.stat().st_size / 1e6,
                "cap": cap,
                "peak": peak,
                "seconds": time.perf_counter() - begun,
            }
        print(path.suffix, step, found[step])
    return found


def speeds(folder: Path, path: Path) -> dict[str, float]:
    """Seconds: a plain read; the passes that make the cache; a mini-batch epoch from the cache, and in memory."""
    cap = path.stat().st_size // 4
    found: dict[str, list[float]] = {name: [] for name in ("read", "cache", "epoch from the cache", "epoch in memory")}
    whole, plan = problem_of(path, "y", Charges()), Plan(step="plain", rate=0.01, amount=1.0)
    for _ in range(REPEATS + 1):  # the first compiles
        found["read"].append(timed(lambda: pq.read_table(path)))
        held = []
        found["cache"].append(timed(lambda: held.append(problem_of(path, "y", Charges(), room=Room(cap, folder)))))  # noqa: B023
        found["epoch from the cache"].append(plan.run(held[0].objective).trace.last("seconds"))
        found["epoch in memory"].append(plan.run(whole.objective).trace.last("seconds"))
    return {name: min(times[1:]) for name, times in found.items()}


def timed(what) -> float:
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the size")
    rows = 600_000 if parser.parse_args().quick else 2_400_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parquet = written(folder, rows, "parquet")
        found = {"rows": rows, "columns": COLUMNS, "parquet": peaks(folder, parquet, ["auto", "plain", "quick"])}
        found["csv"] = peaks(folder, written(folder, rows // 4, "csv"), ["auto"])
        found["seconds"] = speeds(folder, parquet)
    seconds = found["seconds"]
    found["from the cache, of the epoch in memory"] = seconds["epoch in memory"] / seconds["epoch from the cache"]
    found["first epoch, of the plain read"] = seconds["read"] / (seconds["cache"] + seconds["epoch from the cache"])
    print(json.dumps(found, indent=1))
    write_whole(RESULTS, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
