"""The door: from a run to what ails it, most important first, each change tried before it is told."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.explain.case import DONE, Case
from fallline.explain.finding import Change, Finding
from fallline.explain.network_trajectory import NetTrajectory, network_trajectory_of
from fallline.explain.probe import probe
from fallline.explain.symptoms import SLOW, SYMPTOMS, Symptom, finding_of, signs
from fallline.explain.trajectory import HEADINGS, Trajectory, trajectory_of
from fallline.objectives.linear import RowObjective
from fallline.plan import Plan
from fallline.problem import Charges
from fallline.trace import Trace
from fallline.words import number, percent

Array = np.ndarray[Any, Any]

HEALTHY = "healthy: nothing to change"
WHOLE = 0.9  # of the updates that a budget allows: with fewer the run did not come to its end
SAME, ROUNDED = 1e-4, 1e-6  # of the loss at the end, and at the start: what 32 bits lose of a table and of coefficients
TRIED = 3  # causes of a slow walk that are tried, the largest gain first, until one is borne out


@dataclass(frozen=True)
class Explanation:
    """What ails a run: findings, the most important first; and what looked like one until it was tried."""

    findings: tuple[Finding, ...]
    refuted: tuple[Finding, ...]
    left: float  # of the excess at the start; infinite of a run that ran away
    excess: float  # above the optimum
    loss: float  # at the end
    seconds: float
    case: Any = field(repr=False, compare=False)  # the Case, or a network's NetCase
    trials: bool = False  # whether short trials stand for forecasts, as this plan on this objective is not forecast

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def headline(self) -> str:
        """In a line: what is first, or that nothing is."""
        if self.findings:
            more = f" (and {len(self.findings) - 1} more)" if len(self.findings) > 1 else ""
            return f"{self.findings[0].title}{more}"
        if self.case.untried:
            return "nothing stands out in what was seen"
        if self.left <= DONE or np.isnan(self.left):  # of a network nobody knows the optimum
            return HEALTHY
        return (
            f"no cause found, and {percent(self.left)} of the excess at the start is left"
            if np.isfinite(self.left)
            else "no cause found, and the run is lost"
        )

    def plot(self, theme: str = "light") -> Any:
        """The run's excess (a network's loss) as a Plotly figure, each finding shaded at the updates that show it.

        theme: "light" or "dark".
        """
        from fallline.figures.findings import draw_found, found_of

        return draw_found(found_of(self), theme)

    def trajectory(self) -> Trajectory | NetTrajectory:
        """What the walk met: excess by direction, noise and signal, rate and limits; of a network its noise scale beside the
        batch and its rate beside the edge of stability. Raises InputError where no point is kept and it cannot be walked again.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if isinstance(self.case, Case):
                return trajectory_of(self.case)
            return network_trajectory_of(self.case)

    def plots(self) -> list[tuple[str, Any]]:
        """Every picture that can be drawn of the run, each with its heading: findings, noise, rates, directions."""
        return self.pictures()[0]

    def pictures(self) -> tuple[list[tuple[str, Any]], list[str]]:
        """The same, and why the others are not drawn, a sentence each."""
        made = [("Where it shows", self.plot())]
        try:
            walk = self.trajectory()
        except InputError as error:
            return made, [f"Noise, rates and directions along the way are not drawn: {error}"]
        return made + walk.plots(), [f"{HEADINGS[name]}: not drawn. {why}" for name, why in walk.missing.items()]

    def applied(self, charges: Charges, reading: Mapping[str, Any]) -> tuple[Change, Charges, dict[str, Any]] | None:
        """The first change that is borne out and that a recipe can say, with charges and reading changed likewise."""
        for finding in self.findings:
            change = finding.change
            if change is not None and change.ready and finding.tried is not None:
                return change, charges._replace(**change.charges), {**reading, **change.reading}
        return None

    def __str__(self) -> str:
        """The findings as a page of text."""
        said = [f"{self.headline[0].upper()}{self.headline[1:]}.", *self.ended()]
        for k, finding in enumerate(self.findings, start=1):
            said += ["", f"{k}. {finding.title}", *(f"   {line}" for line in finding.lines())]
        return "\n".join([*said, *(line for one in self.left_out() for line in ("", one))])

    def sentences(self) -> list[str]:
        """What stands under the headline of a page, a paragraph each."""
        found = [line for k, one in enumerate(self.findings, start=1) for line in (f"{k}. {one.title}.", *one.lines())]
        return [*self.ended(), *found, *self.left_out()]

    def ended(self) -> list[str]:
        """Where the run ended, and that nothing was forecast of it or tried, in sentences."""
        said = [f"Nothing was tried: {self.case.untried}."] if self.case.untried else []
        if np.isfinite(self.left):
            said.append(
                f"The run ended {number(max(self.excess, 0.0))} above the optimum, {percent(self.left)} of the excess at the "
                "start."
            )
        if self.trials:
            said.append("Nothing is forecast of this run: what other settings would leave was found by short trials.")
        return said

    def left_out(self) -> list[str]:
        """What looked like a finding until it was tried, in a sentence, if anything did."""
        if not self.refuted:
            return []
        return [
            f"Looked at and left out, as trying it did not help: {'; '.join(_refuted(one) for one in self.refuted)}."
        ]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "headline": self.headline, "left": self.left, "excess": self.excess, "seconds": self.seconds,
            "trials": self.trials, "untried": self.case.untried,
            "findings": [finding.as_dict() for finding in self.findings],
            "refuted": [finding.as_dict() for finding in self.refuted],
        }  # fmt: skip


def _refuted(finding: Finding) -> str:
    assert finding.tried is not None
    assert finding.change is not None
    return f"{finding.title.lower()} ({finding.change.text.rstrip('.')}: {finding.tried.effect})"


def explain_run(run: Any, plan: Plan | None = None, names: Any = ()) -> Explanation:
    """What ails a Run. Raises InputError where neither it nor the caller knows the plan."""
    plan = plan or run.plan
    if plan is None and "solver" in run.trace.about:
        plan = Plan()
    if plan is None:
        raise InputError(
            "The run was put together from parts, and no plan says how: name it, run.explain(plan=Plan(...))."
        )
    if hasattr(run.objective, "probing"):
        from fallline.explain.networks import explain_network

        return explain_network(run, plan)
    return explain(run.objective, plan, run.trace, run.w, diverged=run.diverged, names=names)


def explain(
    objective: Any, plan: Plan, trace: Trace, w: Array, *, diverged: bool = False, names: Any = (),
    units: tuple[float, float] = (0.0, 1.0),
) -> Explanation:  # fmt: skip
    """What ails a run of `plan` on `objective` that left `trace` and the point `w`.

    names: of the columns; units: mean and scale that the target was brought to one scale by. A change is tried for a quarter of
    the run's budget each way, or by fits to three quarters of the rows measured on the others, and told as advice only where that
    bears it out. Raises InputError for an objective that is not a model of rows.
    """
    if not isinstance(objective, RowObjective):
        raise InputError(
            "Only models of rows are explained (Linear, SoftmaxRegression): a function has no rows to look at."
        )
    if objective.disk is not None:
        raise InputError(
            "Rows that are read in pieces are not explained: explain a fit to as many rows as memory holds."
        )
    began = time.perf_counter()
    walked = plan if diverged else _walked(plan, trace)
    cut = walked is not plan and plan.budget != "seconds"
    case = Case(objective, walked, trace, np.asarray(w, float), diverged, tuple(map(str, names)), units, cut)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        findings, refuted = borne_out(case)
        left, excess = case.left, float(case.excess[-1])
        trials = case.walks and not case.prospect.forecasts(plan)
    loss = float(trace.last("loss"))
    return Explanation(tuple(findings), tuple(refuted), left, excess, loss, time.perf_counter() - began, case, trials)


def refuse_other_rows(objective: Any, trace: Trace, w: Array, what: str, fix: str) -> None:
    """Raise InputError where the rows of `objective` are not those that the trace's walk ended on at `w`: other rows have
    another loss there.

    what: the rows in words; fix: what to give instead.
    """
    there = float(objective.value(w)) if len(w) == objective.size else np.nan
    loss, first = float(trace.last("loss")), float(trace["loss"][0])
    if objective.n == trace.n and (
        not np.isfinite(loss) or abs(there - loss) <= SAME * abs(loss) + ROUNDED * abs(first)
    ):
        return
    rows = f"{objective.n:,} rows of {objective.model.d:,} columns"
    rows += "" if objective.n == trace.n else f" where {trace.n:,} rows were fitted"
    height = f", with a loss of {number(there)} where the fit ended at {number(loss)}" if np.isfinite(there) else ""
    raise InputError(f"{what} not what was fitted ({rows}{height}): {fix}.")


def _walked(plan: Plan, trace: Trace) -> Plan:
    """The plan for as many passes as were made, where its budget does not say: seconds, or a run that a rule ended before."""
    if plan.amount is None or (plan.budget != "seconds" and trace.last("t") >= WHOLE * plan.updates(trace.n)):
        return plan
    return replace(plan, budget="epochs", amount=max(float(f"{trace['epochs'][-1]:.4g}"), 1.0 / trace.n))


def borne_out(case: Any, table: Mapping[str, Symptom] = SYMPTOMS) -> tuple[list[Finding], list[Finding]]:
    """Findings that trying bears out, or that only the user can decide; and the others, which silence nothing: the rest
    are looked at again without them.
    """
    known: dict[str, Finding] = {}
    mistaken: dict[str, Finding] = {}
    while True:
        findings: list[Finding] = []
        refuted = list(mistaken.values())
        told: dict[str, int] = {}  # tries of a kind; TRIED once one has spoken
        for name, sign in signs(case, mistaken, table).items():
            kind = table[name].kind
            if kind in SLOW and told.get(kind, 0) >= TRIED:
                continue
            if name not in known:
                known[name] = replace(finding_of(name, sign, case, table), tried=probe(case, sign))
            tried = known[name].tried
            fine = tried is None or tried.helped
            (findings if fine else refuted).append(known[name])
            told[kind] = TRIED if fine else told.get(kind, 0) + 1
        silencing = {one.symptom: one for one in refuted if table[one.symptom].quiets}
        if silencing.keys() == mistaken.keys():
            return findings, refuted
        mistaken = silencing
