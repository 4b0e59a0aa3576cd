"""What was to be reached and what was, from the results that the other parts left; and why, where it was not."""

from typing import NamedTuple


class Target(NamedTuple):
    """A row of the table."""

    what: str
    to_reach: str
    reached: str
    met: bool
    part: str  # the script that measured it


MISSING = (  # rows of the issue, and the part that is to answer them
    ("full loss + gradient pass, dense f32", "≤ 2.5 × the read floor on 1 thread, ≤ 1.6 × on 2", "speed"),
    ("stochastic epoch, dense d = 50, logistic", "≥ 8 × faster than SGDClassifier's", "speed"),
    ("stochastic epoch, CSR · SDCA epoch", "≥ 2.2 × · ≥ 1.6 × faster than SGDClassifier's", "speed"),
    ("500k × 50 logistic", "see accuracy", "accuracy"),
    ("default settings on raw tables", "see defaults", "defaults"),
    ("default against a grid", "see grid", "grid"),
    (
        "scales 1e-6 … 1e6 a column × 20 sets × 5 seeds",
        "no fit worse than the constant model without an error or a named cause",
        "scales",
    ),
)
WHY: dict[str, str] = {
    "first epoch from Parquet": "the file is decoded twice, once for means and levels and once for the cache, and each column of "
    "each small piece is looked at in Python; later epochs read the cache.",
}
"""By the beginning of `what`: why a figure is not reached, in words. Write it when a measurement on a quiet machine says so."""


def page(targets: list[Target]) -> str:
    """The table in Markdown, with reasons below; parts that have not been measured are named."""
    lines = ["| what | to reach | reached | by | verdict |", "| --- | --- | --- | --- | --- |"]
    for t in targets:
        verdict = "reached" if t.met else "**not reached**"
        lines.append(f"| {t.what} | {t.to_reach} | {t.reached} | `benchmarks/{t.part}.py` | {verdict} |")
    answered = {t.part for t in targets}
    for what, goal, part in MISSING:
        if part not in answered:
            lines.append(f"| {what} | {goal} | not measured | `benchmarks/{part}.py` | |")
    reasons = [
        f"- {t.what}: {why}" for t in targets if not t.met for start, why in WHY.items() if t.what.startswith(start)
    ]
    return "\n".join([*lines, "", *reasons])
