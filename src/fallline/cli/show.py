"""A comparison's outcome on the terminal: what was inferred, a table, the verdict."""

import math
import sys
from pathlib import Path
from typing import Any

WIDE = 200  # columns where there is no terminal: a file or a pipe has no edge to break lines at


def show(found: Any, folder: Path, quiet: bool) -> None:
    """Print a comparison that was saved in `folder`; the verdict only if quiet."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
    if not quiet:
        n, d = found.data.X.shape
        console.print(f"[bold]{escape(found.data.source)}[/bold]: {n:,} rows, {d:,} columns")
        for note in found.data.notes:
            console.print(f"  · {note}", markup=False)
        console.print(f"  · Objective: {found.objective['text']}. Budget: {found.budget['text']}.", markup=False)
        console.print(_table(found, n))
    console.print(f"\n[bold]{escape(found.verdict.headline)}.[/bold]")
    for sentence in found.verdict.sentences:
        console.print(sentence, markup=False)
    console.print(f"\nReport: {folder / 'report.html'}", markup=False)


def _table(found: Any, n: int) -> Any:
    from statistics import median

    from rich.table import Table

    from fallline.comparison.entry import FINE, WITHIN, score
    from fallline.comparison.wording import certified
    from fallline.words import passes, percent, seconds

    solved = any(entry.estimate for entry in found.finals)
    headings = ["setting", "within 1 % after", "time", "time to 0.01 %", "above the optimum at the end"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in [*headings, *(["by its own estimate (proven)"] if solved else [])]:
        table.add_column(heading, justify="left" if heading == "setting" else "right", no_wrap=heading == "setting")
    for entry in sorted(found.finals, key=score):
        visits, excess = score(entry)
        took, fine = (median(entry.reached("seconds", level)) for level in (WITHIN, FINE))
        reached = (passes(visits / n), seconds(took)) if visits < math.inf else ("never", "")
        end = "diverged" if excess == math.inf else percent(excess)
        finer = seconds(fine) if fine < math.inf else "never"
        table.add_row(entry.plan.name, *reached, finer, end, *([certified(entry)] if solved else []))
    for baseline in found.baselines:
        took = baseline.seconds_to_1pct
        reached = ("", seconds(took)) if took < math.inf else ("never", "")
        table.add_row(baseline.name, *reached, "", percent(baseline.excess))
    return table
