"""Findings: every symptom has a run that shows it and one that does not; advice is tried before it is told."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.exceptions import ConvergenceWarning

from fallline import GDClassifier, GDRegressor, Linear, Plan, SoftmaxRegression, load, solve
from fallline.cli import main
from fallline.errors import DivergedError, InputError
from fallline.executors.certificate import Bound
from fallline.explain import pace
from fallline.explain.case import Case
from fallline.explain.concepts import CONCEPTS
from fallline.explain.explanation import HEALTHY, explain
from fallline.explain.finding import Effect, Tried
from fallline.explain.probe import probe
from fallline.explain.prospect import Prospect
from fallline.explain.symptoms import SYMPTOMS, signs
from fallline.fitting import Recipe
from fallline.fitting.folder import PLAN
from fallline.gauges import Validation
from fallline.losses import LogLoss, SquaredError
from fallline.penalties import L1, L2, NoPenalty
from shared import shared

ROWS, COLUMNS = 500, 4
RNG = np.random.default_rng(0)
X = RNG.standard_normal((ROWS, COLUMNS))
SLOPES = np.array([1.0, -1.0, 0.5, 0.2])
NOISE = RNG.standard_normal(ROWS)
Y = X @ SLOPES + 0.5 * NOISE
SIDES = np.where(X @ SLOPES + RNG.logistic(size=ROWS) > 0.0, 1.0, -1.0)
SQUARES, LOGISTIC, MILD = SquaredError(), LogLoss(), L2(1.0 / ROWS)
MINI = Plan(step="plain", batch_size=16, rate=0.1, schedule="cosine", amount=30.0)
CONSTANT = replace(MINI, schedule="constant")


def case_of(on: Linear, plan: Plan, **more: Any) -> Case:
    """The case of a plan's run."""
    start, gauges = more.pop("start", None), more.pop("gauges", ())
    run = plan.run(on, start=start, gauges=gauges)
    return Case(on, plan, run.trace, run.w, run.diverged, **more)


def numbers(X: Any = X, y: Any = Y, penalty: Any = MILD, loss: Any = SQUARES) -> Linear:
    return Linear(X, y, loss, penalty)


def classes(X: Any = X, y: Any = SIDES, penalty: Any = MILD) -> Linear:
    return Linear(X, y, LOGISTIC, penalty)


def limit(on: Linear, plan: Plan) -> float:
    return Prospect(on).limit(plan)


def at(share: float, on: Linear, plan: Plan, **settings: Any) -> Case:
    """At that share of the largest rate."""
    plan = replace(plan, **settings)
    return case_of(on, replace(plan, rate=share * limit(on, plan)))


def skewed() -> Linear:
    """Two columns at 0.99 correlation, and an answer between them."""
    narrow = 0.1 * NOISE
    table = np.column_stack([X[:, :2], X[:, 0] + narrow])
    return numbers((table - table.mean(axis=0)) / table.std(axis=0), narrow * 10.0 + 0.1 * Y, L2(1e-6))


def copies() -> Linear:
    narrow = 0.01 * NOISE
    return numbers(np.column_stack([X[:, :2], X[:, 0] + narrow]), narrow * 100.0, L2(1e-6))


def scarce(rows: int) -> Case:
    """As many columns as rows, or few; rows held out."""
    rng = np.random.default_rng(1)
    wide = np.column_stack([X, rng.standard_normal((ROWS, 46))])
    on = numbers(wide[:rows], Y[:rows] + NOISE[:rows], L2(1e-6))
    held = numbers(wide[-100:], Y[-100:] + NOISE[-100:], L2(1e-6))
    return case_of(on, Plan(step="plain", variant="batch", rate=0.2, amount=400.0), gauges=[Validation(held)])


ORDER = np.argsort(Y)
TAIL = np.exp(1.2 * X @ SLOPES)
BATCH = {"variant": "batch", "schedule": "constant"}

SICK = {
    "saturated": lambda: case_of(classes(), MINI, start=np.array([40.0, 40.0, -40.0, 0.0, 0.0])),
    "digits": lambda: case_of(numbers((X + np.array([3e5, 0, 0, 0])).astype(np.float32)), Plan()),
    "file_order": lambda: case_of(numbers(X[ORDER], Y[ORDER]), replace(CONSTANT, sampler="in_order")),
    "leak": lambda: case_of(numbers(np.column_stack([X, Y + 0.01 * NOISE])), Plan()),
    "removed_all": lambda: case_of(numbers(penalty=L1(5.0)), Plan()),
    "dominates": lambda: case_of(numbers(penalty=L2(10.0)), Plan()),
    "imbalance": lambda: case_of(classes(y=np.where(X @ SLOPES > 3.2, 1.0, -1.0)), Plan()),
    "separable": lambda: case_of(classes(y=np.sign(X @ SLOPES), penalty=NoPenalty()), MINI),
    "two_values": lambda: case_of(numbers(y=(SIDES > 0) * 1.0), Plan()),
    "counts": lambda: case_of(numbers(y=np.random.default_rng(0).poisson(TAIL) * 1.0), Plan()),
    "amounts": lambda: case_of(numbers(y=TAIL * np.exp(0.3 * NOISE)), Plan()),
    "bounded": lambda: case_of(numbers(y=1.0 / (1.0 + np.exp(-3.0 * Y))), Plan()),
    "outliers": lambda: case_of(numbers(y=Y + np.where(np.arange(ROWS) % 100 == 0, 40.0, 0.0)), Plan()),
    "overfitting": lambda: scarce(60),
    "collinear": lambda: at(0.3, copies(), CONSTANT),
    "diverged": lambda: at(1.5, numbers(), CONSTANT, **BATCH, amount=100.0),
    "above": lambda: at(1.3, numbers(), CONSTANT, amount=10.0),
    "edge": lambda: at(0.997, numbers(), CONSTANT, **BATCH, amount=60.0),
    "unscaled": lambda: case_of(numbers(X * [1.0, 0.02, 1.0, 1.0]), MINI),
    "momentum": lambda: at(0.5, numbers(), CONSTANT, **BATCH, step="momentum:beta=0.995", amount=200.0),
    "noise_floor": lambda: at(0.6, numbers(), CONSTANT),
    "decays_soon": lambda: at(0.1, numbers(), MINI, schedule="inverse_time:decay=5"),
    "too_small": lambda: at(0.003, numbers(), CONSTANT, amount=5.0),
    "warmup": lambda: case_of(numbers(), Plan(step="adam", batch_size=16, rate=3.0, schedule="cosine", amount=1.0)),
    "batch_large": lambda: at(0.3, skewed(), CONSTANT, **BATCH, amount=10.0),
    "stopped_early": lambda: at(0.06, numbers(), CONSTANT, amount=1.0),
    "conditioned": lambda: at(0.3, skewed(), MINI),
    "ran_long": lambda: at(0.5, numbers(), CONSTANT, **BATCH, amount=1000.0),
}
"""A run that shows each symptom."""

WELL = {
    "saturated": lambda: case_of(classes(), MINI, start=np.array([1.0, 0.0, 0.0, 0.0, 0.0])),
    "digits": lambda: case_of(numbers((X + np.array([30.0, 0, 0, 0])).astype(np.float32)), Plan()),
    "file_order": lambda: case_of(numbers(), replace(CONSTANT, sampler="in_order")),
    "leak": lambda: case_of(numbers(np.column_stack([X, Y + NOISE])), Plan()),
    "removed_all": lambda: case_of(numbers(penalty=L1(0.05)), Plan()),
    "imbalance": lambda: case_of(classes(y=np.where(X @ SLOPES > 2.0, 1.0, -1.0)), Plan()),
    "separable": lambda: case_of(classes(y=np.sign(X @ SLOPES)), MINI),
    "two_values": lambda: case_of(classes(), Plan()),
    "counts": lambda: case_of(numbers(y=np.round(20.0 + Y)), Plan()),
    "amounts": lambda: case_of(numbers(y=20.0 + Y), Plan()),
    "bounded": lambda: case_of(numbers(y=0.5 + 0.02 * Y), Plan()),
    "outliers": lambda: case_of(numbers(y=Y + np.where(np.arange(ROWS) % 100 == 0, 2.0, 0.0)), Plan()),
    "overfitting": lambda: scarce(400),
    "collinear": lambda: at(0.3, numbers(np.column_stack([X, X[:, 0] + 0.01 * NOISE])), MINI),  # copies that do no harm
    "edge": lambda: at(0.6, numbers(), CONSTANT, **BATCH, amount=60.0),
    "momentum": lambda: at(0.5, numbers(), CONSTANT, **BATCH, step="momentum:beta=0.995", amount=5000.0),
    "warmup": lambda: case_of(numbers(), Plan(step="adam", batch_size=16, rate=0.01, schedule="cosine", amount=3.0)),
    "ran_long": lambda: at(0.5, numbers(), CONSTANT, **BATCH, amount=15.0),
}
"""A near miss, where a run that ails nothing is none."""


@pytest.mark.parametrize("name", SICK)
def test_a_run_that_shows_a_symptom_is_seen_and_one_that_does_not_is_not(name):
    symptom = SYMPTOMS[name]
    sick = symptom.detect(SICK[name]())
    assert sick is not None
    assert sick.seen
    well = WELL.get(name, lambda: case_of(numbers(), MINI))
    assert symptom.detect(well()) is None


def test_every_symptom_has_such_a_run_but_batches_that_only_noise_tells_apart():
    assert set(SYMPTOMS) - set(SICK) == {"batch_small"}  # the same picture as the noise floor
    assert {symptom.concept for symptom in SYMPTOMS.values()} <= set(CONCEPTS)


@pytest.mark.parametrize("name", ["too_small", "diverged", "leak", "outliers", "above"])
def test_the_cause_is_the_first_finding_and_its_change_helps_in_full(name):
    case = SICK[name]()
    found = explain(case.objective, case.plan, case.trace, case.w, diverged=case.diverged)
    first = found.findings[0]
    assert first.symptom == name
    assert first.title in str(found)
    if first.change.asks:
        assert first.tried is None
        return
    assert first.tried.helped
    if first.expected is not None:
        left = Prospect(case.objective).tried(first.change.plan, 1.0, seed=77)
        assert left < 0.5 * min(found.left, 1.0)
        assert abs(np.log(max(left, 1e-9) / max(first.expected.after, 1e-9))) < np.log(3.0) or left < 1e-6


def test_a_sound_run_is_healthy_and_one_that_is_far_off_without_a_cause_is_not_called_so():
    assert numbers_explained(MINI).headline == HEALTHY
    assert numbers_explained(Plan()).headline == HEALTHY
    assert not numbers_explained(MINI).trials
    on, plan = numbers(), replace(MINI, amount=0.1)
    run = plan.run(on)
    found = explain(on, plan, run.trace, on.start() + 1.0)
    assert found.left > 0.01
    assert HEALTHY not in str(found)


NOISY = np.random.default_rng(3).standard_normal((ROWS, 2))


@pytest.mark.parametrize(
    ("more", "those"),
    [
        ([NOISY[:, 0], Y - NOISY[:, 0]], {4, 5}),
        (
            [NOISY[:, 0], NOISY[:, 1], 2.0 * Y - NOISY.sum(axis=1), Y + 0.5 * NOISY[:, 1]],
            {5, 7},
        ),  # found behind a closer one
        ([NOISY[:, 0], NOISY[:, 1], 2.0 * Y - NOISY.sum(axis=1)], {4, 5, 6}),
        ([NOISY[:, 0], Y - NOISY[:, 0] + 0.01 * NOISE], None),
        ([NOISY[:, 0], NOISY[:, 1]], None),
    ],
)
def test_a_few_columns_of_which_a_sum_is_the_target_give_it_away_and_nearly_is_not_exactly(more, those):
    sign = SYMPTOMS["leak"].detect(case_of(numbers(np.column_stack([X, *more])), Plan()))
    assert (set(sign.columns) if sign is not None else None) == those


def test_what_all_columns_give_is_no_leak_and_a_constant_target_has_none():
    assert SYMPTOMS["leak"].detect(case_of(numbers(X[:, :3], X[:, :3] @ SLOPES[:3]), Plan())) is None
    assert SYMPTOMS["leak"].detect(case_of(numbers(y=np.ones(ROWS)), Plan())) is None
    sides = np.where(np.arange(200) < 100, 1.0, -1.0)
    both = np.column_stack(
        [sides + 0.1 * X[:200, 0], sides + 0.1 * X[:200, 1]]
    )  # two columns that tell all apart: easy, no leak
    assert SYMPTOMS["leak"].detect(case_of(classes(both, sides), Plan())) is None


def test_the_two_kinds_of_riders_of_which_the_day_is_the_sum_are_told_of_first():
    data = load(shared("counts/bike_day.csv"))
    run = Plan().run(numbers(data.X, data.y))
    first = explain(run.objective, run.plan, run.trace, run.w, names=data.columns).findings[0]
    assert (first.symptom, set(first.columns)) == ("leak", {"casual", "registered"})
    assert set(first.change.reading["drop"]) == {"casual", "registered"}
    assert first.tried is None


def test_raw_columns_on_which_a_walk_diverged_are_named_instead_of_its_rate():
    raw = numbers(X * [100.0, 1.0, 1.0, 1.0])
    found = replace(CONSTANT, rate=0.1, amount=10.0).run(raw).explain()  # which their deviations would bear
    assert [one.symptom for one in found] == ["unscaled"]
    assert "The run diverged" in found.findings[0].seen
    assert found.findings[0].tried.effect.after < 0.05
    alike = numbers(X * [3.0, 1.0, 1.0, 1.0])
    found = replace(CONSTANT, rate=3.0, amount=10.0).run(alike).explain()
    assert [one.symptom for one in found] == ["diverged"]


def numbers_explained(plan: Plan) -> Any:
    return plan.run(numbers()).explain()


def test_causes_silence_what_they_explain():
    case = SICK["file_order"]()
    case = at(0.003, case.objective, case.plan, amount=5.0)
    assert SYMPTOMS["too_small"].detect(case) is not None
    assert next(iter(signs(case))) == "file_order"
    assert "too_small" not in signs(case)


def test_advice_that_the_probe_does_not_bear_out_is_not_given():
    assert not Tried("", Effect("", 1.0, 0.9)).helped
    assert Tried("", Effect("", np.inf, 0.5)).helped
    assert not Tried("", Effect("", np.inf, 2.0)).helped  # no longer lost, and no lower than the start
    case = SICK["file_order"]()
    case = at(1e-4, case.objective, case.plan, amount=3.0)  # too slow for the order to matter
    assert not probe(case, SYMPTOMS["file_order"].detect(case)).helped
    found = explain(case.objective, case.plan, case.trace, case.w)
    assert "file_order" in [one.symptom for one in found.refuted]
    assert "file_order" not in [one.symptom for one in found.findings]
    assert "did not help: the rows come in the file's order" in str(found)
    assert found.findings[0].symptom == "too_small"  # what is not borne out silences nothing


def test_several_classes_and_losses_with_corners_are_explained_as_far_as_they_can_be():
    codes = np.digitize(X @ SLOPES, [-0.5, 0.5])
    on = SoftmaxRegression(X, codes, 3, MILD)
    assert solve(on).explain().headline == HEALTHY
    for rate in (1e-3, 1e-7):
        found = Plan(step="plain", rate=rate, amount=30.0).run(on).explain()
        assert found.findings[0].symptom == "too_small"
        assert found.findings[0].change.plan.rate >= 0.01
        assert found.trials
        assert "short trials" in str(found)
    lost = Plan(step="plain", rate=1e4, amount=30.0).run(on).explain()
    assert lost.findings[0].symptom == "diverged"
    assert lost.findings[0].tried.effect.after < 0.1
    raw = SoftmaxRegression(X * [100.0, 1.0, 1.0, 0.1], codes, 3, MILD)
    found = Plan(step="plain", rate=1e-4, amount=10.0).run(raw).explain()
    assert "unscaled" in [one.symptom for one in found]
    order = np.argsort(codes, kind="stable")
    walk = Plan(step="plain", rate=1.0, amount=10.0, sampler="in_order")
    found = walk.run(SoftmaxRegression(X[order], codes[order], 3, MILD)).explain()
    assert found.findings[0].symptom == "file_order"
    shuffled = walk.run(SoftmaxRegression(X, codes, 3, MILD))
    assert SYMPTOMS["file_order"].detect(Case(shuffled.objective, walk, shuffled.trace, shuffled.w)) is None
    removed = Plan().run(SoftmaxRegression(X, codes, 3, L1(5.0))).explain().findings[0]
    assert removed.symptom == "removed_all"
    assert removed.tried.helped


def test_a_walk_that_began_at_the_optimum_is_only_told_that_it_was_long():
    on = Linear(X, Y, SQUARES, L1(5.0), intercept=False)
    found = Plan(step="plain", variant="batch", rate=0.1, amount=30.0).run(on).explain()
    assert [one.symptom for one in found] == ["removed_all", "ran_long"]


def test_a_rate_that_falls_to_zero_can_be_too_small_as_well():
    case = at(0.003, numbers(), MINI, amount=5.0)
    assert explain(case.objective, case.plan, case.trace, case.w).findings[0].symptom == "too_small"


def test_a_proven_bound_is_told_only_where_it_is_near_what_is_left(monkeypatch):
    case = SICK["stopped_early"]()
    assert "(at most" in SYMPTOMS["stopped_early"].detect(case).seen
    monkeypatch.setattr(pace, "bound_of", lambda objective, w: Bound(30.0 * case.excess[-1], "a loose one"))
    assert "at most" not in SYMPTOMS["stopped_early"].detect(case).seen


def test_what_cannot_be_explained_is_refused_in_a_sentence():
    run = MINI.run(numbers())._replace(plan=None)
    with pytest.raises(InputError, match="name it"):
        run.explain()
    with pytest.raises(InputError, match="no rows"):
        explain(object(), MINI, run.trace, run.w)


def test_estimators_are_explained_on_their_data():
    found = GDRegressor(step="plain", eta0=1e-4, max_epochs=5, tol=None).fit(X, Y).explain(X, Y)
    assert found.findings[0].symptom == "too_small"
    ended = GDRegressor(step="plain", eta0=1e-4, max_epochs=1000, tol=1e-2).fit(X, Y)  # by its rule, far before that
    assert ended.explain(X, Y).findings[0].symptom == "too_small"
    assert GDRegressor().fit(X, Y).explain(X, Y).headline == HEALTHY
    single = X.astype(np.float32)
    with pytest.warns(ConvergenceWarning):
        kept = GDRegressor(step="plain", eta0=1e-4, max_epochs=3).fit(single, Y)
    assert kept.explain(single, Y).findings  # the very rows, of 32 bits
    for rows, target in ((single[:400], Y[:400]), (single, Y + 0.1), (single[:, :3], Y)):
        with pytest.raises(InputError, match="X and y are not what was fitted"):
            kept.explain(rows, target)
    lost = GDRegressor(step="plain", eta0=10.0)
    with pytest.raises(DivergedError):
        lost.fit(X, Y)
    assert lost.explain(X, Y).findings[0].symptom == "diverged"
    with pytest.raises(InputError, match="two classes"):
        GDClassifier("hinge").fit(X, np.digitize(Y, [-1, 1])).explain(X, np.digitize(Y, [-1, 1]))


def call(*arguments: Any) -> Any:
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_the_command_explains_a_folder_and_apply_makes_another(tmp_path: Path):
    sick, better = tmp_path / "sick", tmp_path / "better"
    assert call("fit", "diabetes", "--step", "plain", "--rate", "0.0001", "-o", sick, "-q").exit_code == 0
    said = call("explain", sick)
    assert said.exit_code == 0, said.output
    for word in ("1. The rate is far too small", "Seen:", "Why:", "Change: raise the rate", "Expected:", "Tried ("):
        assert word in said.output
    page = (sick / "explain.html").read_text("utf-8")
    assert "<p>1. The rate is far too small.</p><p>Seen:" in page.replace("\u00a0", " ")
    assert "above the optimum," in page.replace("\u00a0", " ").partition("<details")[0]
    found = json.loads(call("explain", sick, "--json").stdout)
    first = found["findings"][0]
    assert (first["symptom"], first["gist"]) == ("too_small", CONCEPTS[first["concept"]].gist)
    assert CONCEPTS[first["concept"]].gist in said.output
    changed = replace(Recipe.from_toml(sick / PLAN).plan, rate=first["change"]["plan"]["rate"])
    assert Plan(**first["change"]["plan"]) == changed
    assert first["change"]["applies"]
    applied = call("explain", sick, "--apply", "--json", "-o", better)
    assert json.loads(applied.stdout)["headline"] == found["headline"]
    assert "it was" in applied.stderr
    losses = [json.loads((folder / "summary.json").read_text("utf-8"))["loss"] for folder in (sick, better)]
    assert losses[1] < 0.7 * losses[0]
    assert call("explain", better).output.startswith("Healthy: nothing to change")
    nothing = call("explain", better, "--apply")
    assert (nothing.exit_code, "Nothing to apply" in nothing.output) == (1, True)


def test_a_fit_that_diverged_is_explained_from_its_folder_and_what_is_no_fit_is_refused(tmp_path: Path):
    lost = tmp_path / "lost"
    assert call("fit", "diabetes", "--step", "plain", "--rate", "5", "-o", lost, "-q").exit_code == 1
    said = call("explain", lost).output
    assert "The run diverged" in said
    assert "; the rate is 5, " in said
    assert "times the largest that works here" in said
    assert "holds no fit" in call("explain", tmp_path).output


def test_every_concept_has_a_gist_of_one_sentence():
    for name, concept in CONCEPTS.items():
        assert concept.gist.endswith("."), name
        assert ". " not in concept.gist, name


def test_a_fit_in_pieces_is_explained_where_memory_holds_its_rows_and_refused_at_once_where_not(
    tmp_path: Path, monkeypatch
):
    table, folder = tmp_path / "t.csv", tmp_path / "m"
    rows = ("\n".join(",".join(f"{value:.4f}" for value in row) for row in np.column_stack([X, Y]))) + "\n"
    table.write_text("a,b,c,d,y\n" + rows)
    walk = ["--step", "plain", "--rate", "0.0001", "--memory", "5MB", "-q", "-o", folder]
    assert call("fit", table, *walk).exit_code == 0
    said = call("explain", folder)
    assert "The rate is far too small" in said.output
    table.write_text("a,b,c,d,y\n" + rows.replace("-", ""))
    other = call("explain", folder)
    assert (other.exit_code, "t.csv are not what was fitted" in other.output) == (2, True)
    monkeypatch.setattr("fallline.data.room.free_memory", lambda: 100)
    table.write_bytes(b"\0" * len(rows))  # not read: its size alone tells
    refused = call("explain", folder)
    assert (refused.exit_code, "does not fit into memory" in refused.output) == (2, True)
