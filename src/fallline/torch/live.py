"""A watched loop as it goes: a line that is written over on a terminal, a figure that is drawn anew in a notebook."""

import math
import sys
import time
from typing import Any

import numpy as np

BLOCKS = "▁▂▃▄▅▆▇█"
WIDE = 24  # blocks of a curve
TERMINAL, PIPE = 0.2, 10.0  # seconds between two lines
SHARE = 0.02  # of the time at most goes into drawing


class Live:
    """Shows a `Seen` after a look, where there is something new to see and time to draw it."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.next, self.width = 0.0, 0
        self.handle: Any = None

    def __call__(self, seen: Any) -> None:
        began = time.perf_counter()
        if began < self.next:
            return
        shown = display() if seen.record.known else None
        if shown is not None:
            self._draw(shown, seen.plot())
        else:
            self._write(str(seen))
        pause = TERMINAL if self.terminal or shown else PIPE
        now = time.perf_counter()
        self.next = now + max(pause, (now - began) / SHARE)

    def end(self) -> None:
        """Go to the next line, where one is being written over."""
        if self.terminal and self.width:
            sys.stderr.write("\n")
            self.width = 0

    def _draw(self, shown: Any, figure: Any) -> None:
        if self.handle is None:
            self.handle = shown(figure, display_id=True)
        else:
            self.handle.update(figure)

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text:<{self.width}}" if self.terminal else f"{text}\n")
        sys.stderr.flush()
        self.width = len(text)


def display() -> Any:
    """The notebook's function that shows a value and can show another in its place; None outside of one."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return sys.modules["IPython.display"].display


def line(trace: Any) -> str:
    """Where a loop is: steps, loss and its curve so far, the gradient's norm, and the tensor that a step changes most."""
    if not len(trace):
        return "no step was seen yet"
    steps = trace.steps
    parts = [f"step {len(steps['t']):,}"]
    heights = trace["loss"][np.isfinite(trace["loss"])]
    parts.append(f"loss {heights[-1]:.4g} {curve(heights)}" if len(heights) else "no loss was told")
    parts.append(f"gradient {newest(steps['gradient_norm']):.3g}")
    moves = {
        name.removeprefix("update/"): newest(values) for name, values in steps.items() if name.startswith("update/")
    }
    most = max(moves, key=lambda name: moves[name] if moves[name] == moves[name] else -1.0)
    return " · ".join([*parts, f"update/weight {moves[most]:.2g} ({most})"])


def newest(values: Any) -> float:
    """The last one that was measured."""
    measured = values[~np.isnan(values)]
    return float(measured[-1]) if len(measured) else math.nan


def curve(heights: Any) -> str:
    """Heights as a row of blocks, on a logarithmic scale where all are positive."""
    picked = heights[np.unique(np.linspace(0, len(heights) - 1, WIDE).round().astype(int))]
    drawn = np.log(picked) if (picked > 0.0).all() else picked
    span = float(np.ptp(drawn)) or 1.0
    return "".join(BLOCKS[round(float(value - drawn.min()) / span * (len(BLOCKS) - 1))] for value in drawn)
