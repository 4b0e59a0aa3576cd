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
    "full loss + gradient pass": (
        "a row costs a hundred multiplications and an exponential, and on this machine two threads read twice"
        " as fast as one, so that two threads are bound by arithmetic."
    ),
    "stochastic epoch, dense": (
        "steps wait for each other (score, exponential, step), some 50 ns a row; the ratio moves between 7.3 "
        "and 8.6 from run to run."
    ),
    "500k × 50 logistic": (
        "the solver reads the table for its moments, a random sample of it, and then twice or three times "
        "whole; this machine reads a third as fast as the one that the target was set on. A PyTorch loop at "
        "the best of its rates and batches, which were searched for and are not counted, is within 1 % before"
        " its first pass ends. Newton-Cholesky, the best peer when the target was set, takes more than ten "
        "times as long."
    ),
    "the raw copy": ("noise of a shared machine: the walk on the raw copy is the same to a few digits, step for step."),
    "default settings, raw": ("see the rows of the table; every one ends with its own estimate."),
    "the same: first to": (
        "a table of a few hundred or thousand rows is fitted in a millisecond or two, or less, by LIBLINEAR, Ridge or"
        " newton-cholesky, each at settings found by a search that is not counted; a default fit here costs 0.5 ms of"
        " Python before its first pass, 0.2 ms for each step's, and proves more. Where SGD is first to 1 % it is at the"
        " best of its rates, which were searched for. Counts and amounts on long tables take more passes here than"
        " newton-cholesky's, for the sketch of heavy columns and the estimate."
    ),
    "the same, copies and forms": "as above; a standardised copy and a tool's own form are then given.",
    "default against the best of a 60-point grid": (
        "exact passes are made for seconds and for knowing how close the answer is, not for row visits: small"
        " tables take Newton steps, three passes each. A stochastic walk at the best of sixty settings needs "
        "a fraction of a pass on easy tables; the other fifty-nine settings are not counted."
    ),
    "softmax MNIST": (
        "not shown: the searches of the peers end after 24 s of fits, and none had come within 1 % by then; "
        "raw grey values under λ = 1/n are hardly penalised, and every row's own columns count to the end."
    ),
    "first epoch from Parquet": (
        "before the first step every column's mean and deviation must be known, so the file is decoded, put down, read, "
        "encoded and written as a cache of twice its width, which by itself takes as long as the plain read on two cores; "
        "later epochs read the cache."
    ),
    "mini-batch epoch decoded from Parquet": (
        "beside what the plain read does, 25 million numbers are standardised and turned into rows, 0.10 s of processor time "
        "where decoding takes 0.20; one thread decodes while another encodes and a third walks, since decoding on several "
        "keeps 40 MB more. On two cores that others used too it was 45 % by minima and 53 % by medians."
    ),
    "default gauges": (
        "a look costs 25 µs of Python whatever the table; the fit of 2.5 ms is the worst, longer ones are within."
    ),
    "forecast: mean excess, mini-batch": (
        "rates at the whole working limit are a third of the settings and 73 % of them are within: noise there is as large as "
        "what is left, and its tails are not normal."
    ),
    "plan after three trials": (
        "white wine's quickest rates are forecast to end above the aim, and bike days under Poisson were not there after four "
        "times the forecast; the best of sixty candidates is the least of sixty noisy means."
    ),
    "quick mode within": (
        "text has columns that few rows show in one pass; KDD'99 and HTRU2 have classes or columns that few "
        "rows carry, and raw grey values under λ = 1/n are hardly penalised. `solve` is for them."
    ),
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
