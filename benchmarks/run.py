"""Every benchmark, one after the other, into docs/benchmarks.md: `make bench`."""

import contextlib
import io
import os
import platform
from pathlib import Path

import classical
import imports
import solver
import speed

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
PARTS = {
    "Nanoseconds a row visit": speed,
    "The classical example": classical,
    "Import": imports,
    "The automatic solver": solver,
}


def main() -> None:
    """Run each, show what it prints, and write the page."""
    text = [
        "# Measured speed\n",
        "Written by `make bench`; each table is what one script of `benchmarks/` printed, and the script says what was",
        f"measured and how. Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.",
        "Machines differ and are noisy: read the ratios.\n",
    ]
    for heading, script in PARTS.items():
        heard = io.StringIO()
        with contextlib.redirect_stdout(heard):
            script.main()
        print(heard.getvalue())
        name = Path(script.__file__).name
        text.append(f"## {heading}\n\n`python benchmarks/{name}`\n\n```text\n{heard.getvalue().rstrip()}\n```\n")
    PAGE.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
