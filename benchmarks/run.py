"""The benchmarks into docs/benchmarks.md: `make bench` for all, or parts of them by name.

    python benchmarks/run.py [--quick] [part …]

A part is a script whose `main()` prints a table. It may take `quick` for tiny sizes and `images`, the folder of pictures, and
may have `targets(found)`: rows (what, to reach, reached, whether) of what main returned. What a part printed is kept in
benchmarks/results, so one part can be measured again and the page written whole. `--quick` leaves results and page alone.
"""

import contextlib
import importlib
import inspect
import io
import json
import os
import platform
import sys
import time
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fallline.files import write_whole
from fallline.solver import one_blas_thread
from targets import Target, page
from text import wanted

HERE = Path(__file__).resolve().parent
PAGE, RESULTS, IMAGES = HERE.parent / "docs" / "benchmarks.md", HERE / "results", HERE.parent / "docs" / "images"
PARTS = {
    "speed": "Nanoseconds a row visit",
    "accuracy": "Seconds to come close to the optimum",
    "defaults": "Default settings on raw tables",
    "grid": "The default against a grid",
    "scales": "Columns of any scale",
    "estimate": "How right the estimate is",
    "first_fit": "The first fit of a process",
    "quick": "Quick mode",
    "forecast": "Forecasts held to runs",
    "plans": "Plans of a forecast held to the best",
    "explain": "Findings held to planted faults",
    "gauges": "What gauges cost",
    "net_explain": "Findings on networks held to planted faults",
    "net_finder": "Rates that are found beside a grid",
    "networks": "Networks: the engine beside a plain loop",
    "networks_watch": "What watching a loop costs",
    "net_surface": "The cost surface of a network",
    "examples_full": "Networks: the examples at full scale",
    "memory": "Memory",
    "streaming": "Larger than memory",
    "ordered": "Larger than memory, in order of time and class",
    "solver": "The automatic solver",
    "classical": "The classical example",
    "mlp": "Networks beside scikit-learn's",
    "mlp_grid": "A network's default against a grid",
    "imports": "Import",
}
PACKAGES = (
    "fallline",
    "numpy",
    "numba",
    "scipy",
    "scikit-learn",
    "torch",
    "liblinear-official",
    "vowpalwabbit",
    "skglm",
)
OWN_THREADS = ("speed", "solver")  # parts that are run with one BLAS thread; others say their own


def main(quick: bool = False, only: tuple[str, ...] = ()) -> None:
    """Run the parts, show what they print, and write the page."""
    unknown = [part for part in only if not (HERE / f"{part}.py").exists()]
    if unknown:
        sys.exit(
            f"There is no part {unknown[0]!r}; there are {', '.join(p for p in PARTS if (HERE / f'{p}.py').exists())}."
        )
    for part in only or PARTS:
        if (HERE / f"{part}.py").exists():
            measure(part, quick)
    if not quick:
        write_whole(PAGE, written())


def measure(part: str, quick: bool) -> None:
    """Run one part and keep what it printed and reached."""
    script = importlib.import_module(part)
    offered = {"quick": quick, "images": None if quick else IMAGES}
    options = {name: value for name, value in offered.items() if name in inspect.signature(script.main).parameters}
    if quick and "quick" not in options:
        print(f"{part}: has no quick form, left out")
        return
    heard, start = Both(sys.stdout), time.perf_counter()
    alone = one_blas_thread() if part in OWN_THREADS else contextlib.nullcontext()
    with contextlib.redirect_stdout(heard), alone:
        found = script.main(**options)
    rows = (
        [[str(x) for x in row[:3]] + [bool(row[3])] for row in script.targets(found)]
        if hasattr(script, "targets")
        else []
    )
    print(f"{part}: {time.perf_counter() - start:.0f} s\n")
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        kept = {"text": heard.getvalue(), "targets": rows, "measured": str(date.today()), "on": machine()}
        write_whole(RESULTS / f"{part}.json", json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def written() -> str:
    """The page, from what is kept."""
    kept = {
        part: json.loads((RESULTS / f"{part}.json").read_text("utf-8"))
        for part in PARTS
        if (RESULTS / f"{part}.json").exists()
    }
    rows = [Target(*row, part) for part, found in kept.items() for row in found["targets"]]
    text = [
        "# Measured speed\n",
        "`make bench` measures everything and writes this page; `make bench PARTS=grid` measures one part again. Each table",
        "is what one script of `benchmarks/` printed; the script says what was measured and how, and every tool stands at its",
        "best settings. Machines differ and are noisy: read the ratios.\n",
        "## What was to be reached\n",
        page(rows),
    ]
    for part, found in kept.items():
        pictures = (
            "".join(picture(path) for path in sorted(IMAGES.glob("race-*-light.png"))) if part == "accuracy" else ""
        )
        text.append(
            f"## {PARTS[part]}\n\n`python benchmarks/{part}.py`, {found['measured']}, {found['on']}\n\n{pictures}"
            f"```text\n{found['text'].strip()}\n```\n"
        )
    return "\n".join(text)


def picture(light: Path) -> str:
    """A picture that follows the reader's theme."""
    dark = light.name.replace("light", "dark")
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="images/{dark}">'
        f'<img src="images/{light.name}" alt="Seconds against excess over the optimum, a line a tool; the table below has the '
        'numbers"></picture>\n\n'
    )


def machine() -> str:
    """Cores, memory, processor, and the versions of everything."""
    found = []
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    processor = next(
        (line.split(":")[1].strip() for line in lines(Path("/proc/cpuinfo")) if line.startswith("model name")), ""
    )
    return f"{os.cpu_count()} cores, {processor or platform.machine()}, Python {platform.python_version()}, {', '.join(found)}"


def lines(path: Path) -> list[str]:
    """Of a file that may not be there."""
    return path.read_text().splitlines() if path.exists() else []


class Both(io.StringIO):
    """Keeps what is printed and shows it as it comes."""

    def __init__(self, screen: Any) -> None:
        super().__init__()
        self.screen = screen

    def write(self, text: str) -> int:
        self.screen.write(text)
        self.screen.flush()
        return super().write(text)


if __name__ == "__main__":
    main(*wanted())
