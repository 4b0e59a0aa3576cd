"""`fallline fit` and `fallline predict`: from real tables to predictions, and what is said on the way."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from fallline.cli import main
from fallline.fitting import Recipe, fit
from fallline.fitting.fit import Hooks
from fallline.fitting.folder import CHECKPOINT, CONTENTS, EXPLAINED, LOG, PLAN, TRACE
from fallline.fitting.log import looks_in
from fallline.model import FILE, Model
from fallline.trace import Trace
from shared import shared
from test_bad_input import OPTIONS, TABLE, TABLES

FILES = {"model.safetensors", "trace.npz", "log.jsonl", "plan.toml", "summary.json", "report.html"}


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def fitted(*arguments):
    result = call("fit", *arguments)
    assert result.exit_code == 0, result.output
    assert not result.exception
    return result


def predicted(*arguments):
    result = call("predict", *arguments)
    assert result.exit_code == 0, result.output
    return result


# table and options → how right the model is at least on the rows that it was fitted to: a share of labels, or R²
REAL = {
    "regression/california_housing.csv --target median_house_value": 0.6,
    "regression/winequality-red.csv --task regression": 0.3,
    "regression/winequality-white.csv --task regression": 0.25,
    "regression/abalone.csv": 0.5,
    "classification/titanic.csv --target Survived": 0.78,
    "classification/agaricus-lepiota.data --target 0": 0.99,
    "large/HTRU_2.csv.gz": 0.97,
    "large/elec.csv.gz --target class": 0.73,
    "text/sms.tsv --target 0": 0.95,
    "text/ag_news_test.csv --target 0": 0.7,
    "counts/bike_hour.csv --target cnt --drop casual --drop registered --loss poisson": 0.3,
    "counts/bike_day.csv --target cnt --drop casual --drop registered": 0.7,
    "counts/randhie.csv --target mdvis --loss poisson": 0.05,
    "counts/dataCar.csv.gz --target numclaims --loss poisson --drop clm --drop claimcst0": 0.01,
    "glm/spector.csv --target GRADE --drop OBS": 0.7,
    "glm/scotland.csv --target YES --loss gamma": 0.5,
    "libsvm/a9a": 0.84,
    "libsvm/agaricus.txt.train": 0.99,
}


@pytest.mark.parametrize("arguments", REAL)
def test_real_tables_are_fitted_and_predicted_raw(arguments, tmp_path):
    name, *options = arguments.split()
    path = shared(name)
    result = fitted(path, *options, "-o", tmp_path / "m", "--tol", "1e-3")
    assert {path.name for path in (tmp_path / "m").iterdir()} == FILES
    summary = json.loads((tmp_path / "m" / "summary.json").read_text("utf-8"))
    right = summary["in_sample"].get("accuracy", summary["in_sample"].get("r2"))
    assert right > REAL[arguments]
    assert summary["verdict"]["headline"] in result.stdout
    layout = [option for option in options if option.startswith(("--no-header", "--delimiter"))]
    said = predicted(tmp_path / "m", path, "-o", tmp_path / "out.csv", *layout).stderr
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text("utf-8").splitlines()))
    assert len(rows) == summary["data"]["n"]
    model = Model.load(tmp_path / "m")
    if model.classes:
        assert {row["prediction"] for row in rows} <= set(model.classes)
        assert f"{right:.2%} of" in said
    else:
        assert np.isfinite([float(row["prediction"]) for row in rows]).all()
        assert f"R² {right:.3f}" in said
    assert "Traceback" not in said + result.output


@pytest.mark.parametrize("name", ["sequence/airline-passengers.csv", "sequence/daily-min-temperatures.csv"])
def test_a_real_table_of_dates_alone_is_refused_for_that(name, tmp_path):
    result = call("fit", shared(name), "-o", tmp_path / "m")
    assert result.exit_code == 2
    assert "has no column to learn" in result.stderr
    assert "different texts" in result.stderr


@pytest.mark.parametrize(
    ("train", "test", "least"),
    [
        ("classification/adult-train.csv.gz", "classification/adult-test.csv.gz", 84.5),  # labels with a full stop
        ("libsvm/a9a", "libsvm/a9a.t", 84.5),  # a feature less
        ("libsvm/agaricus.txt.train", "libsvm/agaricus.txt.test", 99.0),
    ],
)
def test_a_test_file_is_predicted_as_it_comes(train, test, least, tmp_path):
    fitted(shared(train), "-o", tmp_path / "m", "-q")
    said = predicted(tmp_path / "m", shared(test), "-o", tmp_path / "out.csv").stderr
    share = float(re.search(r"([\d.]+)% of", said).group(1))
    assert share > least


def test_new_rows_are_predicted_from_every_kind_of_file(tmp_path):
    """The target and the order of columns are the file's own affair."""
    frame = pd.DataFrame({"a": np.arange(40.0) % 7, "b": ["red", "blue"] * 20, "y": np.arange(40) % 7 * 2.0 + 1.0})
    frame.to_csv(tmp_path / "t.csv", index=False)
    new = frame[["b", "a"]]
    new.to_csv(tmp_path / "n.csv", index=False)
    new.to_csv(tmp_path / "n.tsv.gz", sep="\t", index=False)
    new.to_parquet(tmp_path / "n.parquet")
    new.to_feather(tmp_path / "n.arrow")
    new.to_parquet(tmp_path / "folder", partition_cols=["b"])
    np.savez(tmp_path / "n.npz", b=new["b"].to_numpy(str), a=new["a"])
    fitted(tmp_path / "t.csv", "-o", tmp_path / "m")
    told = {name: predicted(tmp_path / "m", tmp_path / name, "-q").stdout
            for name in ("n.csv", "n.tsv.gz", "n.parquet", "n.arrow", "n.npz", "folder")}  # fmt: skip
    assert sorted(told.pop("folder").split()) == sorted(told["n.csv"].split())  # a folder has an order of its own
    assert len(set(told.values())) == 1
    assert len(told["n.csv"].split()) == 41


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The working folder, with a good table in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path


def test_predictions_go_to_standard_output_and_the_rest_to_standard_error(table):
    fitted("t.csv", "-o", "m")
    result = predicted("m", "t.csv")
    assert result.stdout.split("\n")[0] == "prediction"
    assert result.stdout.count("\n") == 61
    assert "The target is in it" in result.stderr
    assert predicted("m/model.safetensors", "t.csv", "-q").stderr == ""


def test_levels_never_seen_missing_values_and_turned_columns_are_counted(table):
    rows = "".join(f"{['red', 'blue', 'green'][i % 3]},{i * i % 7},{i % 5}.5\n" for i in range(60))
    (table / "t.csv").write_text("colour,b,y\n" + rows)
    fitted("t.csv", "-o", "m")
    (table / "new.csv").write_text("b,extra,colour\n1,9,red\n,9,pink\n?,8,\n")
    said = predicted("m", "new.csv").stderr
    assert 'Missing values were filled as they were learnt: "colour" (1 row) and "b" (2 rows)' in said
    assert '"colour" (1 row)' in said.split("\n")[1]
    assert '"extra"' in said
    (table / "less.csv").write_text("colour\nred\n")
    result = call("predict", "m", "less.csv")
    assert result.exit_code == 2
    assert 'lacks the column "b"' in result.stderr


def test_a_path_with_blanks_and_more_than_ascii(table):
    folder = table / "Ordner – größer"
    folder.mkdir()
    (folder / "Tabelle eins.csv").write_text(TABLE)
    fitted(folder / "Tabelle eins.csv", "-o", folder / "mein Modell")
    predicted(folder / "mein Modell", folder / "Tabelle eins.csv", "-o", folder / "aus.csv")
    assert (folder / "aus.csv").read_text().count("\n") == 61


def test_explicit_options_make_a_descent_of_ones_own(table):
    fitted(
        "t.csv",
        "-o",
        "m",
        "--variant",
        "batch",
        "--rate",
        "0.2",
        "--updates",
        "30",
        "--penalty",
        "l1",
        "--alpha",
        "0.01",
    )
    summary = json.loads((table / "m" / "summary.json").read_text("utf-8"))
    assert summary["updates"] == 30
    assert 'step = "plain"' in summary["plan"]
    assert "0.01·‖w‖₁" in summary["objective"]["text"]


def test_a_run_that_diverges_says_so_and_keeps_no_model(table):
    result = call("fit", "t.csv", "-o", "m", "--variant", "batch", "--rate", "90")
    assert result.exit_code == 1
    assert "diverged" in result.stdout
    assert "smaller --rate" in result.stderr
    assert not (table / "m" / FILE).exists()
    assert call("predict", "m", "t.csv").exit_code == 2


def test_a_loss_that_is_optimal_from_the_start_has_a_report_all_the_same(table):
    (table / "two.csv").write_text("x,kind\n" + "1,a\n2,b\n3,a\n" * 9)
    result = fitted("two.csv", "-o", "m", "--loss", "perceptron")
    assert "no updates" in result.stdout
    assert (table / "m" / "report.html").exists()


def test_the_same_command_leaves_the_same_model(table):
    fitted("t.csv", "-o", "one", "--step", "adam")
    fitted("t.csv", "-o", "two", "--step", "adam")
    assert (table / "one" / FILE).read_bytes() == (table / "two" / FILE).read_bytes()


def test_progress_says_how_far_it_is_and_what_is_left(monkeypatch, capsys):
    from fallline.cli import progress
    from fallline.plan import Plan
    from fallline.problem import Charges, problem_of
    from fallline.stops import Updates

    problem, plan = problem_of("breast_cancer", None, Charges()), Plan(step="adam", amount=8.0)
    run = plan.run(problem.objective, stops=(Updates(36),))  # 18 updates a pass
    text = progress.line(plan, run.trace, seconds=2.0, visits=1138.0)
    assert text.startswith(f"2 passes · loss {run.trace.last('loss'):.5g} · 569 rows/s · ")
    assert text.endswith(" MB · about 6 s left")
    clock = iter([0.0, 0.0, 1.0, 2.5, 3.0, 60.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    told = progress.Progress(plan, quiet=False)
    for _ in range(5):
        told(problem, run.trace)
    assert capsys.readouterr().err.count("passes") == 2  # after two seconds, and then every ten


def test_progress_of_the_solver_is_the_way_down_to_its_tolerance():
    from fallline.cli.progress import share
    from fallline.plan import Plan
    from fallline.trace import Trace

    trace = Trace(1)
    trace.columns |= {"loss": [1.0, 1.0], "excess": [1.0, 0.01]}
    assert share(Plan(), trace) == pytest.approx(0.5)


# --- signals ---


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_was_learned_and_the_command_it_prints_goes_on(number, code, table):
    settings = ["--step", "adam", "--seed", "3", "--epochs", "4000"]
    command = [sys.executable, "-m", "fallline"]
    running = subprocess.Popen(
        [*command, "fit", "t.csv", "-o", "m", *settings, "--checkpoint", "0.2"], cwd=table, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (table / "m" / CHECKPOINT).exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == code, err
    assert (table / "m" / CHECKPOINT).exists()
    assert f"Stopped by {number.name}; to go on: fallline fit --resume -o m" in err
    assert "was stopped after" in out
    predicted("m", "t.csv")
    again = shlex.split(err.strip().split("to go on: ")[1])[1:]
    done = subprocess.run([*command, *again], cwd=table, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fitted("t.csv", "-o", "whole", *settings)
    assert (table / "m" / FILE).read_bytes() == (table / "whole" / FILE).read_bytes()
    assert "has ended already" in fitted("--resume", "-o", "m").stdout


# --- bad input: one sentence, exit code 2, no traceback, nothing written ---


def refused(folder, arguments):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    sentence = result.stderr.strip().split("\n")[-1]
    assert sentence.startswith("Error: ")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return sentence


COMPARED = {"a plane over no column", "no seeds", "half a plane", "a plan that is not there", "a plan that is no plan",
            "a plan with other settings"}  # fmt: skip


@pytest.mark.parametrize("case", [case for case in TABLES if case not in COMPARED])
def test_a_bad_table_is_refused(case, table):
    content, arguments, named = TABLES[case]
    (table / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    sentence = refused(table, ["fit", "t.csv", "-o", "out", *arguments])
    for words in named:
        assert words in sentence


@pytest.mark.parametrize("case", [case for case in OPTIONS if case not in COMPARED])
def test_a_bad_option_is_refused(case, table):
    arguments, named = OPTIONS[case]
    step = [] if "--step" in arguments or "--variant" in arguments else ["--step", "plain"]
    sentence = refused(table, ["fit", "t.csv", "-o", "out", *step, *arguments])
    assert named[0] in sentence


# arguments of fit or predict → what the sentence must name
WRONG = {
    "no data": (["fit"], ["DATA is missing"]),
    "a table that is not there": (["fit", "absent.csv"], ["absent.csv"]),
    "a folder where a file belongs": (["fit", "empty"], ["empty", "folder"]),
    "a set that nobody knows": (["fit", "iriss"], ['did you mean "iris"']),
    "a rate for the solver": (["fit", "t.csv", "--step", "auto", "--rate", "1"], ["takes no rate"]),
    "a tolerance for a step rule": (["fit", "t.csv", "--step", "adam", "--tol", "1e-3"], ["tol"]),
    "a loss that does not suit": (["fit", "t.csv", "--loss", "log_loss"], ["log_loss", '"y"']),
    "counts below zero": (["fit", "n.csv", "--loss", "poisson"], ["Poisson", "line 62 of n.csv"]),
    "three classes for a margin": (["fit", "iris", "--loss", "hinge"], ["hinge", "3 classes"]),
    "weights below zero": (["fit", "n.csv", "--target", "a", "--weights", "y"], ["weights", "negative"]),
    "weights that are not there": (["fit", "t.csv", "--weights", "w"], ['"w"']),
    "no time between checkpoints": (["fit", "t.csv", "--checkpoint", "0"], ["--checkpoint 0"]),
    "a logger that nobody knows": (["fit", "t.csv", "--log-to", "wandb"], ['"wandb"', "tensorboard"]),
    "a file for a folder": (["fit", "t.csv", "-o", "t.csv"], ["is a file"]),
    "a folder of others": (["fit", "t.csv", "-o", "."], ["other files"]),
    "a folder in no folder": (["fit", "t.csv", "-o", "no/out"], ["does not exist"]),
    "going on nowhere": (["fit", "--resume", "-o", "absent"], ["absent", "--resume"]),
    "going on where nothing was": (["fit", "--resume", "-o", "empty"], ["empty", "no fit"]),
    "going on without a folder": (["fit", "--resume"], ["-o"]),
    "going on otherwise": (["fit", "--resume", "-o", "m", "--rate", "1"], ["--rate", "--resume"]),
    "a plan that is none": (["fit", "--resume", "-o", "broken"], ["plan.toml"]),
    "a model that is not there": (["predict", "absent", "t.csv"], ["absent"]),
    "a folder without a model": (["predict", "empty", "t.csv"], ["empty", "model.safetensors"]),
    "a table for a model": (["predict", "t.csv", "t.csv"], ["t.csv", "no file that fallline wrote"]),
    "no new table": (["predict", "m", "absent.csv"], ["absent.csv"]),
    "a new table without a column": (["predict", "m", "less.csv"], ['"b"']),
    "a new table of no rows": (["predict", "m", "names.csv"], ["no rows"]),
    "text among numbers": (["predict", "m", "text.csv"], ['"many"', "line 2"]),
    "infinite values": (["predict", "m", "inf.csv"], ["inf", '"a"', "line 2"]),
    "two columns of one name": (["predict", "m", "twice.csv"], ["rename"]),
    "sparse rows": (["predict", "m", "s.svm"], ["sparse"]),
    "ragged rows": (["predict", "m", "ragged.csv"], ["line 3", "2 fields"]),
    "predictions in no folder": (["predict", "m", "t.csv", "-o", "no/out.csv"], ["does not exist"]),
    "predictions in a folder": (["predict", "m", "t.csv", "-o", "empty"], ["empty", "cannot be written"]),
    "an option that there is not": (["predict", "m", "t.csv", "--target", "y"], ["No such option"]),
}


@pytest.fixture(scope="module")
def model_of_the_table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / "t.csv").write_text(TABLE)
    fitted(folder / "t.csv", "-o", folder / "m", "-q")
    return {path.name: path.read_bytes() for path in (folder / "m").iterdir()}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_refused(case, table, model_of_the_table):
    for name in ("empty", "m", "broken"):
        (table / name).mkdir()
    for name, content in model_of_the_table.items():
        (table / "m" / name).write_bytes(content)
    (table / "broken" / "plan.toml").write_text("data = 3\n")
    held = {
        "n.csv": TABLE.replace(".5", "") + "1,1,-3\n", "less.csv": "a\n1\n", "names.csv": "a,b\n", "text.csv": "a,b\nmany,1\n",
        "inf.csv": "a,b\ninf,1\n", "twice.csv": "a,b,a\n1,2,3\n4,5,6\n", "s.svm": "1 1:2\n0 3:4\n",
        "ragged.csv": "a,b,c\n1,2,3\n1,2\n1,2,3\n",
    }  # fmt: skip
    for name, content in held.items():
        (table / name).write_text(content)
    arguments, named = WRONG[case]
    sentence = refused(table, arguments)
    for words in named:
        assert words in sentence


def test_every_file_of_a_fit_is_known_to_its_folder():
    assert FILES | {CHECKPOINT, EXPLAINED} == set(CONTENTS)
    assert LOG in FILES


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "arrow", "folder"])
def test_a_table_of_several_pieces_is_predicted_to_the_bytes_of_one(form, tmp_path, monkeypatch):
    """The counts, the score and the columns left aside too; the first half has nothing of what the second has."""
    chance = np.random.default_rng(3)
    n = 9000
    late = np.arange(n) > n // 2
    frame = pd.DataFrame({"a": chance.normal(size=n), "town": chance.choice(["Ulm", "Bern", "Graz, Est"], n)})
    frame["b"] = np.where(late & (chance.random(n) < 0.1), np.nan, chance.integers(0, 9, n))
    frame["y"] = np.where(frame["a"] + (frame["town"] == "Ulm") > chance.normal(size=n), "yes", "no")
    frame.to_csv(tmp_path / "t.csv", index=False)
    fitted(tmp_path / "t.csv", "-o", tmp_path / "m", "--tol", "1e-3")
    new = frame.assign(other=1, part=late * 1)[["town", "other", "b", "a", "y", "part"]]
    new.loc[late & (new.index % 5 == 0), "town"] = "Pfullingen"
    new.loc[n - 3, "y"] = "perhaps"
    path = tmp_path / f"n.{form}"
    if form == "folder":
        new.to_parquet(path, partition_cols=["part"])
    elif form == "parquet":
        new.to_parquet(path)
    elif form == "arrow":
        new.to_feather(path)
    else:
        new.to_csv(path, index=False)
    whole = predicted(tmp_path / "m", path, "-o", tmp_path / "whole.csv").stderr
    monkeypatch.setattr("fallline.model.MEMORY", 1 << 20)
    assert len(list(Model.load(tmp_path / "m").pieces(path))) > 2
    pieces = predicted(tmp_path / "m", path, "-o", tmp_path / "pieces.csv").stderr
    assert (tmp_path / "pieces.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert pieces == whole.replace("whole.csv", "pieces.csv")
    assert f'"b" ({int(new["b"].isna().sum())} rows)' in whole
    assert f'"town" ({int((new["town"] == "Pfullingen").sum())} rows)' in whole
    assert '"other" and "part"' in whole
    assert '"perhaps"' in whole
    assert f"of {n - 1} rows are right" in whole


def test_a_mistake_in_a_later_piece_leaves_the_old_predictions_as_they_were(table, monkeypatch):
    fitted("t.csv", "-o", "m")
    monkeypatch.setattr("fallline.model.MEMORY", 1 << 20)
    (table / "n.csv").write_text("a,b\n" + "1.5,2.5\n" * 20_000 + "1,two\n")
    (table / "out.csv").write_text("old")
    result = call("predict", "m", "n.csv", "-o", "out.csv")
    assert result.exit_code == 2
    assert '"two" in column "b" at line 20002 of n.csv is text, and the model learnt numbers there' in result.stderr
    assert (table / "out.csv").read_text() == "old"
    assert sorted(file.name for file in table.iterdir()) == ["m", "n.csv", "out.csv", "t.csv"]


def test_libsvm_text_of_several_pieces_is_predicted_to_the_bytes_of_one(tmp_path, monkeypatch):
    """An index 0 in the last piece counts for the first; a mistake there has its own line."""
    chance = np.random.default_rng(4)
    lines = [f"{k % 3} 2:{chance.normal():.4f} 7:{k % 3 + chance.normal():.4f} # {k}" for k in range(9000)]
    (tmp_path / "t.svm").write_text("\n".join(lines[:900]) + "\n3 0:1\n0 0:2\n")
    fitted(tmp_path / "t.svm", "-o", tmp_path / "m", "--tol", "1e-3", "--task", "regression")
    (tmp_path / "n.svm").write_text("\n\n" + "\n".join([*lines, "1 0:1.5 9:1"]))
    whole = predicted(tmp_path / "m", tmp_path / "n.svm", "-o", tmp_path / "whole.csv").stderr
    monkeypatch.setattr("fallline.model.MEMORY", 1 << 20)
    assert len(list(Model.load(tmp_path / "m").pieces(tmp_path / "n.svm"))) > 2
    pieces = predicted(tmp_path / "m", tmp_path / "n.svm", "-o", tmp_path / "pieces.csv").stderr
    assert (tmp_path / "pieces.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert pieces == whole.replace("whole.csv", "pieces.csv")
    assert "Left aside: 1 entry of features" in whole
    own = Model.load(tmp_path / "m").predict(str(tmp_path / "n.svm"))
    assert own.tolist() == [float(line) for line in (tmp_path / "whole.csv").read_text().split()[1:]]
    (tmp_path / "n.svm").write_text("\n".join([*lines, "1 3:1 2:1"]))
    result = call("predict", tmp_path / "m", tmp_path / "n.svm")
    assert result.exit_code == 2
    assert "line 9001 of n.svm: the index 2 comes after 3" in result.stderr


@pytest.mark.parametrize("name", ["n.npy", "n.npz"])
def test_arrays_of_numpy_of_several_pieces_are_predicted_to_the_bytes_of_one(name, tmp_path, monkeypatch):
    chance = np.random.default_rng(4)
    X = chance.normal(size=(9000, 3))
    y = (X @ [1.0, -1.0, 0.5] > 0).astype(int)
    np.savez(tmp_path / "t.npz", X=X[:500], y=y[:500])
    fitted(tmp_path / "t.npz", "-o", tmp_path / "m", "--tol", "1e-3")
    np.save(tmp_path / "n.npy", X)
    np.savez_compressed(tmp_path / "n.npz", X=X, y=y)
    whole = predicted(tmp_path / "m", tmp_path / name, "-o", tmp_path / "whole.csv").stderr
    monkeypatch.setattr("fallline.model.MEMORY", 1 << 20)
    assert len(list(Model.load(tmp_path / "m").pieces(tmp_path / name))) > 2
    pieces = predicted(tmp_path / "m", tmp_path / name, "-o", tmp_path / "pieces.csv").stderr
    assert (tmp_path / "pieces.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert pieces == whole.replace("whole.csv", "pieces.csv")
    assert ("of 9000 rows are right" in whole) == (name == "n.npz")


def test_gauges_are_columns_of_the_trace_and_the_log_and_survive_a_stop(tmp_path):
    asked = ["--gauge", "noise_scale:rows=32", "--gauge", "travelled", "--gauge", "within_margin"]
    walk = ["breast_cancer", "--step", "plain", "--variant", "batch", "--rate", "0.1", "--updates", "400", *asked, "-q"]
    fitted(*walk, "-o", tmp_path / "whole")
    folder = tmp_path / "stopped"
    recipe = Recipe.from_toml(tmp_path / "whole" / PLAN)
    assert recipe.gauges == ("noise_scale:rows=32", "travelled", "within_margin")
    looks = []
    hooks = Hooks(watch=lambda problem, trace: looks.append(trace), asked=lambda: "SIGINT" if len(looks) > 1 else "")
    assert fit(recipe, folder, hooks=hooks).stopped
    assert (folder / CHECKPOINT).exists()
    fitted("--resume", "-o", folder, "-q")
    whole, gone_on = (Trace.load(place / TRACE) for place in (tmp_path / "whole", folder))
    for name in recipe.gauges:
        np.testing.assert_array_equal(gone_on[name], whole[name])
        assert np.isfinite(whole[name][1:]).all()
        assert name in looks_in(folder / LOG)[-1]


def test_a_gauge_that_there_is_not_or_that_does_not_suit_is_refused_before_anything_is_written(tmp_path):
    for table, gauge, said in (
        ("diabetes", "noise_scael", 'There is no gauge "noise_scael": did you mean "noise_scale"?'),
        ("diabetes", "validation_loss", 'There is no gauge "validation_loss"'),
        ("diabetes", "sharpness:rounds=0", "must be at least 1"),
        ("diabetes", "within_margin", "for two classes"),
    ):
        result = call("fit", table, "--gauge", gauge, "-o", tmp_path / "m")
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
        assert not (tmp_path / "m").exists()
    assert "noise_scale 1," in " ".join(call("fit", "--help").output.split())
