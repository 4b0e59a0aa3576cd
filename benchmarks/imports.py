"""Seconds to import, each in a fresh process, in turn: fallline and what people import today.

python benchmarks/imports.py
"""

import subprocess
import sys
import time
from statistics import median

TURNS = 7
MODULES = ("fallline", "numpy", "sklearn.linear_model", "fallline.comparison")


def main() -> dict[str, float]:
    """Print the table; returns the median seconds of each, a bare interpreter's start taken off."""
    seconds: dict[str, list[float]] = {name: [] for name in ("", *MODULES)}
    for _ in range(TURNS):
        for name in seconds:
            code = f"import {name}" if name else "pass"
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            seconds[name].append(time.perf_counter() - start)
    bare = median(seconds.pop(""))
    found = {name: median(values) - bare for name, values in seconds.items()}
    reference = found["sklearn.linear_model"]
    for name, value in found.items():
        print(f"import {name:24s}{value:8.3f} s   {value / reference:6.3f} of sklearn.linear_model's")
    return found


if __name__ == "__main__":
    main()
