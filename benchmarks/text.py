"""How numbers are printed, and what the command line asks for; the same in every script."""

import sys

Times = tuple[float, float, float]  # median, least, most


def wanted() -> tuple[bool, tuple[str, ...]]:
    """Whether --quick was asked for, and the other words."""
    words = sys.argv[1:]
    return "--quick" in words, tuple(word for word in words if not word.startswith("-"))


def span(times: Times | None) -> str:
    """A median with its least and most: 12.3 ms (11.9-14.0)."""
    if times is None:
        return "never"
    scale, unit = (1e3, "ms") if times[0] < 1 else (1.0, "s")
    middle, low, high = (figures(value * scale) for value in times)
    return f"{middle} {unit} ({low}-{high})"


def figures(value: float) -> str:
    """Three figures."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
