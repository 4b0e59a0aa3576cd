"""A comparison from table to folder: fair, repeatable, and honest where there is little to compare."""

import json
import tomllib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import fallline
from fallline import Plan, Study, Trace, compare, load
from fallline.data import fingerprint_of
from fallline.errors import InputError
from fallline.losses import CLASSIFICATION, LOSSES, MULTICLASS, POSITIVE, REGRESSION
from fallline.penalties import L2, NoPenalty
from fallline.steps import STEPS

n = 60
chance = np.random.default_rng(0)
X = chance.normal(size=(n, 3))
z = X @ [1.0, -2.0, 0.5]
TARGETS = {
    "numbers": z + chance.normal(size=n),
    "signs": np.where(z + chance.normal(size=n) > 0, "yes", "no"),
    "classes": np.array(["low", "middle", "high"])[np.digitize(z + chance.normal(size=n), [-1, 1])],
    "counts": chance.poisson(np.exp(0.3 * z)).astype(float),
    "amounts": np.exp(0.3 * z) * chance.gamma(2.0, size=n) + 0.1,
}
QUICK = {"seeds": 2, "final_seeds": 3, "amount": 4}
FILES = {"report.html", "summary.json", "plan.toml", "runs"}


def target_of(loss):
    kinds = {"numbers": REGRESSION, "signs": CLASSIFICATION, "amounts": POSITIVE, "classes": MULTICLASS}
    return next(kind for kind, table in kinds.items() if loss in table)


def losses(found):
    return [trace["loss"] for trace in found.traces]


def same(a, b):
    assert [e.plan for e in a.entries] == [e.plan for e in b.entries]
    for one, other in zip(losses(a), losses(b), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def found():
    return compare((X, TARGETS["numbers"]), **QUICK)


def test_every_variant_is_judged_on_fresh_seeds_under_one_budget(found):
    assert [entry.plan.variant for entry in found.finals] == ["batch", "stochastic", "mini-batch", "automatic"]
    for entry in found.entries:
        seeds = [trace.about["seed"] for trace in entry.traces]
        assert len(seeds) == (1 if not entry.chance else 3 if entry.final else 2)
        assert len(entry.again) == (2 if entry.final and not entry.chance else 0)  # timed as often as the others
        assert min(seeds) >= 1000 if entry.final else max(seeds) < 1000
        for trace in entry.traces:
            done = trace.about["diverged"] or entry.plan.automatic
            assert trace.last("visits") <= 4 * n if done else trace.last("visits") == 4 * n
            assert trace.about["columns"] == ["column 0", "column 1", "column 2"]
    best = {entry.plan for entry in found.finals if not entry.plan.automatic}
    assert best < {entry.plan for entry in found.entries if not entry.final}


def test_the_rates_span_the_stable_limit(found):
    for entry in found.finals[:3]:
        shares = [e.plan.rate / e.limit for e in found.entries if e.plan.kind == entry.plan.kind and not e.final]
        assert min(shares) < 0.05
        assert max(shares) == pytest.approx(1.2)


def test_the_report_of_numbers_agrees_with_the_runs(found):
    summary = found.summary()
    for told, entry in zip(summary["entries"], found.entries, strict=True):
        assert told["final_loss"] == [trace.last("loss") for trace in entry.traces]
        assert told["diverged"] == sum(trace.about["diverged"] for trace in entry.traces)
        for value, trace in zip(told["visits_to_1pct"], entry.traces, strict=True):
            close = trace["visits"][found.yard.excess(trace["loss"]) <= 0.01]
            assert value == (close[0] if len(close) and not trace.about["diverged"] else None)
    assert summary["verdict"]["headline"] == found.verdict.headline
    assert summary["data"]["n"] == n
    assert summary["optimum"]["value"] == found.yard.optimum
    assert found.verdict.headline in repr(found)


def test_the_same_comparison_twice_is_the_same_and_another_table_is_another(found):
    same(found, compare((X, TARGETS["numbers"]), **QUICK))
    other = compare((X[::-1].copy(), TARGETS["numbers"][::-1].copy()), **QUICK)
    assert losses(other)[-1][-1] != losses(found)[-1][-1]


FORMS = {
    "a pandas frame": lambda y: (pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y}), "y"),
    "a data set": lambda y: (load((X, y)), None),
    "one array": lambda y: (np.column_stack([X, y]), 3),
}


@pytest.mark.parametrize("form", FORMS)
def test_arrays_frames_and_data_sets_are_compared_alike(found, form):
    data, target = FORMS[form](TARGETS["numbers"])
    same(found, compare(data, target, **QUICK))


@pytest.mark.parametrize("kind", TARGETS)
def test_sparse_rows_are_compared_like_dense_ones(kind):
    holed = np.where(np.abs(X) < 0.5, 0.0, X)
    loss = {"counts": "poisson", "amounts": "gamma"}.get(kind)
    dense, sparse = (
        compare((form(holed), TARGETS[kind]), loss=loss, standardise=False, seeds=1, final_seeds=2, amount=2)
        for form in (np.array, sp.csr_array)
    )
    assert sp.issparse(sparse.data.X) or sparse.data.X.shape == (n, 3)
    for one, other in zip(losses(dense), losses(sparse), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("loss", [*LOSSES, *MULTICLASS])
def test_every_loss_is_compared_and_written_without_a_number_that_is_none(loss, tmp_path):
    found = compare((X, TARGETS[target_of(loss)]), loss=loss, **QUICK)
    folder = found.save(tmp_path / "out")
    assert {path.name for path in folder.iterdir()} == FILES
    summary = json.loads((folder / "summary.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert summary["objective"]["loss"] == loss
    assert summary["objective"]["text"].startswith(f"mean {loss} + 0.0001·½‖w‖²")
    assert len(summary["entries"]) == len(found.entries)
    assert any(excess is not None for entry in summary["entries"] for excess in entry["excess"])
    corners = loss not in MULTICLASS and not LOSSES[loss]().smooth()
    for entry in summary[
        "entries"
    ]:  # a loss with corners has no limit; of several classes only the batch limit is known
        unknown = corners or entry["rate"] is None or (loss in MULTICLASS and entry["variant"] != "batch")
        assert (entry["rate_over_limit"] is None) == unknown
    (own,) = [entry for entry in summary["entries"] if entry["variant"] == "automatic"]
    assert len(own["estimate"]) == len(own["seeds"])
    proven = [(bound, excess) for bound, excess in zip(own["bound"], own["excess"], strict=False) if bound is not None]
    assert all(excess <= bound + 1e-9 for bound, excess in proven)
    assert bool(proven) == bool(own["bound"])


def test_losses_of_amounts_keep_the_targets_unit():
    for loss in POSITIVE:
        found = compare((X, TARGETS["amounts"]), loss=loss, **QUICK)
        np.testing.assert_array_equal(found.data.y, TARGETS["amounts"])
        assert found.data.task == "regression"
    assert compare((X, TARGETS["counts"]), loss="poisson", **QUICK).data.task == "regression"  # though few values
    assert compare((X, TARGETS["amounts"]), **QUICK).data.y.mean() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("penalty", "text"),
    [
        ("none", "mean squared_error, the intercept free"),
        ("l2:alpha=0.5", "mean squared_error + 0.5·½‖w‖², the intercept free"),
        ("l1", "mean squared_error + 0.0001·‖w‖₁, the intercept free"),
        ("elasticnet:l1_ratio=0.25", "mean squared_error + 0.0001·(0.25·‖w‖₁ + 0.75·½‖w‖²), the intercept free"),
    ],
)
def test_the_objective_is_told_as_it_is(penalty, text):
    assert compare((X, TARGETS["numbers"]), penalty=penalty, **QUICK).objective["text"] == text


def test_a_perceptron_is_said_to_have_nothing_to_descend():
    found = compare((X, TARGETS["signs"]), loss="perceptron", **QUICK)
    assert "nothing to descend" in found.verdict.headline
    assert found.verdict.better_tool is None


def test_noise_without_signal_has_nobody_first():
    noise = np.random.default_rng(5).normal(size=2000)
    found = compare((np.random.default_rng(6).normal(size=(2000, 2)), noise), seeds=1, final_seeds=2, amount=2)
    assert "next to nothing to learn" in found.verdict.headline


def test_everybody_diverging_is_a_result_with_a_report(tmp_path):
    found = compare((X, TARGETS["numbers"]), rates=(1e6,), automatic=False, **QUICK)
    assert found.verdict.headline.startswith("Every setting diverged")
    assert all(trace.about["diverged"] for trace in found.traces)
    json.loads((found.save(tmp_path / "out") / "summary.json").read_text("utf-8"), parse_constant=pytest.fail)


@pytest.mark.parametrize("steps", [tuple(STEPS)[k::3] for k in range(3)])
def test_any_step_rules_are_compared(steps):
    found = compare(
        (X, TARGETS["signs"]), steps=steps, variants="mini-batch", seeds=1, final_seeds=2, amount=2, automatic=False
    )
    assert [entry.plan.step for entry in found.finals] == list(steps)
    assert len(found.verdict.differences) == len(steps) * (len(steps) - 1) / 2
    for entry in found.entries:
        assert (entry.limit is not None) == (entry.plan.step == "plain")


@pytest.mark.parametrize("kind", ["numbers", "signs"])
def test_methods_are_compared_on_their_own_rows_at_their_own_rates(kind):
    steps = ("saga", "lbfgs", "plain")
    found = compare(
        (X, TARGETS[kind]), steps=steps, variants="batch", seeds=1, final_seeds=2, amount=30, automatic=False
    )
    assert [entry.plan.name for entry in found.finals[1:]] == ["stochastic · saga", "batch · lbfgs"]
    assert len(found.entries) > len(found.finals)  # the rates of plain steps were chosen among several
    assert all(entry.final for entry in found.entries if entry.plan.step != "plain")
    assert found.finals[2].excess[0] < 0.05
    told = compare((X, TARGETS[kind]), steps="saga", rates=(0.001,), seeds=1, final_seeds=2, amount=4, automatic=False)
    assert {entry.plan.rate for entry in told.entries} == {0.001}


def test_a_method_that_cannot_honour_a_setting_is_refused_before_the_work():
    calls = []
    with pytest.raises(InputError, match="LBFGS takes no rate"):
        compare(
            (X, TARGETS["numbers"]), steps=("plain", "lbfgs"), rates=(0.1,), progress=lambda *call: calls.append(call)
        )
    assert not [call for call in calls if call[2].startswith(("batch", "stochastic", "mini-batch"))]


def test_the_automatic_solver_alone_is_a_comparison_with_the_usual_tools(tmp_path):
    found = compare((X, TARGETS["numbers"]), steps="auto", amount=9)
    (own,) = found.entries
    assert own.final
    assert not own.chance
    assert own.excess[0] < 1e-9
    assert own.excess[0] <= own.bound[0] + 1e-12
    assert "by itself" in " ".join(found.verdict.sentences)
    assert found.bowl.names[0].startswith("column")
    assert "The automatic solver" in (found.save(tmp_path / "out") / "report.html").read_text("utf-8")


def test_a_sketch_is_drawn_anew_for_each_seed_and_steps_beyond_the_budget_do_not_count():
    rows = np.random.default_rng(2).normal(size=(25_000, 3))
    y = np.where(rows @ [1.0, -1.0, 0.5] + np.random.default_rng(3).logistic(size=25_000) > 0, 1.0, -1.0)
    settings = {"steps": "auto", "final_seeds": 2, "baselines": False}
    (own,) = compare((rows, y), amount=9, **settings).entries
    assert own.chance
    assert own.traces[0].last("loss") != own.traces[1].last("loss")
    assert max(own.excess) < 1e-4
    assert all(trace.last("visits") <= 9 * 25_000 for trace in own.traces)
    found = compare((rows, y), amount=1, **settings)  # a first step reads the rows twice
    assert [len(trace) for trace in found.traces] == [1, 1]
    late = found.traces[0].about["beyond"]
    assert late["visits"] > 25_000
    assert "no answer yet when the budget ended: its first came after" in " ".join(found.verdict.sentences)
    assert found.entries[0].bound == []


def test_rates_go_on_where_the_best_is_at_their_end():
    y = np.where(np.arange(200) % 2, 1.0, -1.0)
    rows = 0.05 * y[:, None] + np.random.default_rng(4).normal(size=(200, 2))
    found = compare(
        (rows, y), loss="squared_hinge", alpha=0.5, variants="batch", amount=5, automatic=False, baselines=False
    )
    rates = sorted({entry.plan.rate for entry in found.entries})
    (best,) = found.finals
    inside = rates[0] < best.plan.rate < rates[-1]
    assert inside or len(rates) == 5 + 3
    named = compare((rows, y), rates=(1e-5, 1e-4), variants="batch", amount=5, automatic=False, baselines=False)
    assert {entry.plan.rate for entry in named.entries} == {1e-5, 1e-4}  # the user's are left as they are


def test_settings_without_chance_run_once():
    found = compare((X, TARGETS["numbers"]), sampler="in_order", **QUICK)
    assert {len(entry.traces) for entry in found.entries} == {1}
    assert "seeds" not in found.verdict.sentences[0]


def test_a_budget_in_seconds_is_the_same_time_for_everyone():
    found = compare((X, TARGETS["numbers"]), budget="seconds", amount=0.001, seeds=1, final_seeds=2)
    assert found.budget["text"] == "0.001 seconds a run"
    for trace in found.traces:
        solved = trace.about["variant"] == "automatic"
        assert trace.last("seconds") <= 0.001 if solved else trace.last("seconds") >= 0.001 or trace.about["diverged"]


def test_a_lower_point_than_the_optimum_becomes_the_optimum(monkeypatch):
    from fallline.comparison import run
    from fallline.reference import Optimum

    monkeypatch.setattr(run, "optimum_of", lambda o: Optimum(o.start(), o.value(o.start()), "a poor search", 0.0, 0.0))
    found = compare((X, TARGETS["numbers"]), **QUICK)
    lowest = min(trace["loss"].min() for trace in found.traces)
    assert found.yard.optimum <= lowest
    assert "lowest point" in found.yard.by
    assert all(trace.about["optimum"] == found.yard.optimum for trace in found.traces)
    assert all(entry.yard == found.yard for entry in found.entries)
    assert min(min(entry.excess) for entry in found.entries) >= 0.0


def test_a_comparison_is_run_again_from_its_plan(found, tmp_path):
    plan = tomllib.loads((found.save(tmp_path / "out") / "plan.toml").read_text("utf-8"))
    study = Study.from_dict(plan["study"])
    assert study.amount == 4
    assert study.loss == "squared_error"
    same(found, compare((X, TARGETS["numbers"]), study=study))


def test_a_fingerprint_changes_with_any_number_weight_or_name():
    table = load((X, TARGETS["numbers"]))
    other, y = X.copy(), TARGETS["numbers"].copy()
    other[7, 1] += 1e-9
    y[3] += 1e-9
    tables = [load((other, TARGETS["numbers"])), load((X, y)), replace(table, target="z"), load((sp.csr_array(X), y))]
    found = [fingerprint_of(table), fingerprint_of(table, np.ones(n)), *map(fingerprint_of, tables)]
    assert len(set(found)) == len(found)
    assert fingerprint_of(load((X.copy(), TARGETS["numbers"]))) == found[0]
    with pytest.raises(InputError, match="not what it was when the plan was written"):
        compare((X, y), fingerprint=found[0], **QUICK)


def test_saved_traces_are_those_of_the_runs(found, tmp_path):
    folder = found.save(tmp_path / "out")
    files = sorted((folder / "runs").iterdir())
    assert len(files) == len(found.traces)
    for file, trace in zip(files, found.traces, strict=True):
        loaded = Trace.load(file)
        assert loaded.about == trace.about
        np.testing.assert_array_equal(loaded["loss"], trace["loss"])
        np.testing.assert_array_equal(loaded.path, trace.path)
    text = (folder / "report.html").read_text("utf-8")
    assert found.verdict.headline.split(",")[0] in text


def test_a_folder_is_replaced_whole_and_only_if_a_comparison_stands_in_it(found, tmp_path):
    folder = tmp_path / "out"
    found.save(folder)
    before = (folder / "summary.json").read_bytes()
    with pytest.raises(InputError, match=r"exists already.*--overwrite"):
        found.save(folder)
    (folder / "runs" / "999.npz").write_bytes(b"old")
    found.save(folder, overwrite=True)
    assert (folder / "summary.json").read_bytes() == before
    assert not (folder / "runs" / "999.npz").exists()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        found.save(folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_filled_and_a_link_followed(found, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    found.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert {path.name for path in (tmp_path / "empty").iterdir()} == FILES


def test_a_save_that_fails_leaves_what_was_there(found, tmp_path, monkeypatch):
    folder = found.save(tmp_path / "out")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Trace, "save", fail)
    with pytest.raises(InputError, match="No space left on device"):
        found.save(folder, overwrite=True)
    with pytest.raises(InputError, match="No space left on device"):
        found.save(tmp_path / "other")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_written_folders_have_ordinary_permissions(found, tmp_path):
    (tmp_path / "ordinary").mkdir()
    (tmp_path / "ordinary" / "file").write_text("")
    folder = found.save(tmp_path / "out")
    assert folder.stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    assert (folder / "report.html").stat().st_mode == (tmp_path / "ordinary" / "file").stat().st_mode


def test_progress_counts_every_run():
    calls = []
    found = compare((X, TARGETS["numbers"]), progress=lambda *call: calls.append(call), **QUICK)
    done = [call for call in calls if call[2].startswith(("batch ·", "stochastic ·", "mini-batch", "automatic"))]
    timed_again = sum(len(entry.again) for entry in found.finals)
    assert len(done) == len(found.traces) + timed_again == done[-1][1]
    assert [call[0] for call in done] == list(range(len(done)))


def test_figures_come_out_of_a_comparison(found):
    for made in (found.plot(), found.traces[0].plot()):
        assert type(made).__name__ == "Figure"
        assert len(made.data) > 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"rate": 0.1}, ['"rate"', 'did you mean "rates"']),
        ({"hedder": True}, ['"hedder"', 'did you mean "header"']),
        ({"study": Study(), "seeds": 3}, ["study", "seeds"]),
        ({"loss": "softmax"}, ["softmax", "is a number"]),
        ({"loss": "hinge"}, ["hinge", "is for classes"]),
        ({"loss": "gamma", "task": "regression"}, ["Gamma", "above zero"]),
        ({"plane": ("column 0", "column 9")}, ['no parameter "column 9"', "column 0, column 1, column 2, intercept"]),
        ({"target": "column 0"}, ["column 0"]),
    ],
)
def test_what_cannot_be_compared_is_refused_before_the_work(settings, named, monkeypatch):
    monkeypatch.setattr("fallline.plan.Plan.run", lambda *args, **kwargs: pytest.fail("it ran"))
    with pytest.raises(InputError) as refusal:
        compare((X, TARGETS["numbers"]), **settings)
    for words in named:
        assert words in str(refusal.value)


def test_a_data_set_takes_no_reading_options():
    with pytest.raises(InputError, match=r"read already.*standardise"):
        compare(load((X, TARGETS["numbers"])), standardise=False)


def test_several_classes_need_a_loss_of_several_classes():
    with pytest.raises(InputError, match="3 classes: use --loss softmax"):
        compare((X, TARGETS["classes"]), loss="log_loss")
    assert compare((X, TARGETS["signs"]), loss="softmax", **QUICK).objective["loss"] == "softmax"


def test_the_plane_is_over_the_named_columns():
    found = compare((X, TARGETS["numbers"]), plane=("column 2", "intercept"), **QUICK)
    assert found.surfaces[0].names == ("column 2", "intercept")
    assert fallline.Comparison is type(found)


def test_whole_weights_equal_repeated_rows(tmp_path):
    times = np.random.default_rng(3).integers(1, 4, size=len(X))
    y = TARGETS["numbers"]
    plain = {"standardise": False, "standardise_target": False, "baselines": False, "variants": ("batch",), "amount": 4}
    weighted = compare((X, y), weights=times, **plain)
    repeated = compare((np.repeat(X, times, axis=0), np.repeat(y, times)), **plain)
    assert weighted.yard.optimum == pytest.approx(repeated.yard.optimum, rel=1e-9)
    assert weighted.traces[0]["loss"] == pytest.approx(repeated.traces[0]["loss"], rel=1e-9)
    table = tmp_path / "weighted.csv"
    rows = np.column_stack([X, times, y])
    names = [*(f"x{j}" for j in range(X.shape[1])), "times", "y"]
    np.savetxt(table, rows, delimiter=",", header=",".join(names), comments="", fmt="%.17g")
    read = compare(str(table), "y", weights="times", **plain)
    assert read.data.columns == tuple(names[:-2])
    assert read.traces[0]["loss"] == pytest.approx(weighted.traces[0]["loss"], rel=1e-9)
    assert read.plan["data"]["weights"] == "times"


def test_separable_classes_without_a_penalty_are_refused_by_name():
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    with pytest.raises(InputError, match="separable"):
        compare((X, y), penalty="none", **QUICK)


@pytest.mark.parametrize(
    ("schedule", "end"),
    [("step", 0.01), ("exponential", 0.01), ("inverse_time", 0.1), ("cosine", 0.0), ("polynomial", 0.0)],
)
def test_a_schedule_is_laid_out_over_the_budget(schedule, end):
    plan = Plan("plain", "batch", schedule=schedule, rate=0.01, budget="updates", amount=60)
    made = plan.pace(SimpleNamespace(n=10, penalty=L2(1e-4)), 0.01)
    assert made.at(1) == pytest.approx(0.01)
    assert made.at(60) == pytest.approx(0.01 * end, rel=0.2, abs=0.01 * 0.03)


def test_bottous_schedule_takes_the_penalty_of_the_objective():
    plan = Plan("plain", schedule="optimal", rate=0.5)
    assert plan.pace(SimpleNamespace(n=60, penalty=L2(0.1)), 0.5).alpha == 0.1
    with pytest.raises(InputError, match="L2"):
        plan.pace(SimpleNamespace(n=60, penalty=NoPenalty()), 0.5)


@pytest.mark.parametrize("settings", [{"schedules": ("cosine",)}, {"average": "tail"}])
def test_what_ends_with_the_budget_needs_one_in_steps(settings):
    with pytest.raises(InputError, match="seconds"):
        Study(budget="seconds", amount=1.0, **settings)
    Study(budget="seconds", amount=1.0, schedules=("cosine:steps=100",))
