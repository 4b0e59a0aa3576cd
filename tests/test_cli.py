"""The command line as its users meet it: every option means something, and every ending is a clean one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib

import click
import numpy as np
import pytest
from click.testing import CliRunner

import fallline
from fallline import Study, Trace
from fallline.cli import main
from fallline.cli.compare import compare as command
from fallline.data import MISSING
from shared import shared

QUICK = ["--epochs", "3", "--seeds", "1", "--final-seeds", "2"]


def call(*arguments):
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    """A CSV of sixty rows: a level, two numbers, a target; the working folder is the one it is in."""
    chance = np.random.default_rng(0)
    rows = [
        f"{'uvw'[k % 3]},{a:.4f},{b:.4f},{2 * a - b + c:.4f}" for k, (a, b, c) in enumerate(chance.normal(size=(60, 3)))
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["kind,a,b,y", *rows]) + "\n")
    return path


@pytest.fixture
def reached(monkeypatch):
    """What the command hands to `fallline.compare`, which does not run."""
    handed = {}

    def catch(data, target, study, *, progress, command, **reading):
        handed.update(data=data, target=target, study=study, command=command, reading=reading)
        raise fallline.InputError("caught")

    monkeypatch.setattr("fallline.comparison.compare", catch)
    return handed


OPTIONS = {  # arguments → what reaches the study, and what the reading of the table
    "--variant batch --variant stochastic": ({"variants": ("batch", "stochastic")}, {}),
    "--step adam --step momentum:beta=0.5": ({"steps": ("adam", "momentum:beta=0.5")}, {}),
    "--rate 0.1 --rate 0.01": ({"rates": (0.1, 0.01)}, {}),
    "--batch-size 8 --batch-size 16": ({"batch_sizes": (8, 16)}, {}),
    "--schedule cosine --schedule constant": ({"schedules": ("cosine", "constant")}, {}),
    "--warmup 10": ({"warmup": 10}, {}),
    "--sampler in_order": ({"sampler": "in_order"}, {}),
    "--average tail": ({"average": "tail"}, {}),
    "--clip-norm 2": ({"clip_norm": 2.0}, {}),
    "--clip-value 3": ({"clip_value": 3.0}, {}),
    "--loss huber:delta=2": ({"loss": "huber:delta=2"}, {}),
    "--penalty elasticnet": ({"penalty": "elasticnet"}, {}),
    "--alpha 0.5": ({"alpha": 0.5}, {}),
    "--alpha 0": ({"alpha": 0.0}, {}),
    "--l1-ratio 0.5": ({"l1_ratio": 0.5}, {}),
    "--seeds 5": ({"seeds": 5}, {}),
    "--final-seeds 4": ({"final_seeds": 4}, {}),
    "--epochs 2.5": ({"budget": "epochs", "amount": 2.5}, {}),
    "--updates 100": ({"budget": "updates", "amount": 100}, {}),
    "--visits 1e3": ({"budget": "visits", "amount": 1000.0}, {}),
    "--seconds 0.5": ({"budget": "seconds", "amount": 0.5}, {}),
    "--no-automatic": ({"automatic": False}, {}),
    "--no-baselines": ({"baselines": False}, {}),
    "--plane a b": ({"plane": ("a", "b")}, {}),
    "--target a": ({}, {"target": "a"}),
    "--header": ({}, {"header": True}),
    "--no-header": ({}, {"header": False}),
    "--delimiter ;": ({}, {"delimiter": ";"}),
    "--encoding latin-1": ({}, {"encoding": "latin-1"}),
    "--quote none": ({}, {"quote": "none"}),
    "--missing x --missing -9": ({}, {"missing": (*MISSING, "x", "-9")}),
    "--task regression": ({}, {"task": "regression"}),
    "--text a --text b": ({}, {"text": ("a", "b")}),
    "--drop a --drop b": ({}, {"drop": ("a", "b")}),
    "--rare 0": ({}, {"rare": 0.0}),
    "--weights w": ({}, {"weights": "w"}),
    "--no-standardise": ({}, {"standardise": False}),
    "--no-standardise-target": ({}, {"standardise_target": False}),
    "--standardise-target": ({}, {"standardise_target": True}),
}


@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_reaches_what_it_is_about(options, table, reached):
    result = call(table, *options.split(), "-o", table.parent / "out")
    assert (result.exit_code, result.stderr) == (2, "Error: caught\n")
    study, reading = OPTIONS[options]
    target = reading.pop("target", None) if "target" in reading else None
    assert reached["data"] == str(table)
    assert reached["target"] == target
    assert reached["study"] == Study(**study)
    assert reached["reading"] == {"standardise": True, **reading}


def test_no_option_is_forgotten_here():
    named = {option for options in OPTIONS for option in re.findall(r"--[\w-]+", options)}
    beside = {"--plan", "--output", "--overwrite", "--quiet", "--baselines", "--automatic", "--standardise", "--help"}
    there = {
        name
        for parameter in command.get_params(click.Context(command))
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }
    assert there == named | beside


@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_the_help_names_and_explains_every_option(asked):
    result = call(asked)
    assert result.exit_code == 0
    for parameter in command.params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            assert name in result.stdout or isinstance(parameter, click.Argument)
        if isinstance(parameter, click.Option):
            assert parameter.help
    assert "fallline compare diabetes" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_the_main_command_says_what_there_is():
    result = CliRunner().invoke(main, ["--help"])
    assert "compare" in result.stdout
    assert CliRunner().invoke(main, ["--version"]).stdout.strip().endswith(fallline.__version__)


def test_a_table_is_compared_and_a_folder_written(table):
    out = table.parent / "out"
    result = call(table, "-o", out, *QUICK)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {"report.html", "summary.json", "plan.toml", "runs"}
    summary = json.loads((out / "summary.json").read_text("utf-8"), parse_constant=pytest.fail)
    text = result.stdout
    assert "t.csv: 60 rows, 5 columns" in text
    assert 'The target is "y", the last column (--target).' in text
    assert "Budget: 3 passes over the rows a run." in text
    assert summary["verdict"]["headline"] + "." in text
    for sentence in summary["verdict"]["sentences"]:
        assert sentence in text
    for entry in summary["entries"]:
        assert not entry["final"] or f"\n{entry['name']} " in text
    assert f"Report: {out / 'report.html'}" in text
    assert len(list((out / "runs").iterdir())) == sum(len(entry["seeds"]) for entry in summary["entries"])
    for file in (out / "runs").iterdir():
        assert np.isfinite(Trace.load(file)["loss"][0])


def test_quiet_prints_the_verdict_only(table):
    result = call(table, "-o", table.parent / "out", "-q", *QUICK)
    assert "60 rows" not in result.stdout
    assert "within 1 %" in result.stdout
    assert result.stderr == ""


def test_the_folder_is_named_after_the_table(table, monkeypatch):
    monkeypatch.chdir(table.parent)
    assert call("t.csv", "--no-baselines", *QUICK).exit_code == 0
    assert (table.parent / "fallline-t" / "report.html").exists()


def test_a_column_with_brackets_in_its_name_is_no_markup(table):
    table.write_text(table.read_text().replace("kind,a,b,y", "kind,a,b,[bold]y[/]"))
    result = call(table, "-o", table.parent / "out", *QUICK)
    assert result.exit_code == 0
    assert '"[bold]y[/]"' in result.stdout


def losses(folder):
    return [Trace.load(file)["loss"] for file in sorted((folder / "runs").iterdir())]


@pytest.mark.parametrize("more", [[], ["--loss", "huber:delta=2", "--penalty", "l1", "--step", "adam", "--drop", "a"]])
def test_a_plan_repeats_the_runs_bit_for_bit(table, more):
    first, again = table.parent / "first", table.parent / "again"
    assert call(table, "--target", "b", "-o", first, *QUICK, *more).exit_code == 0
    result = call("--plan", first / "plan.toml", "-o", again)
    assert result.exit_code == 0, result.output
    for one, other in zip(losses(first), losses(again), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (first / "plan.toml").read_bytes() == (again / "plan.toml").read_bytes()


def test_a_plan_may_be_repeated_on_other_data(table):
    other = table.with_name("other.csv")
    other.write_text(table.read_text().replace("u,", "v,"))
    call(table, "-o", table.parent / "first", *QUICK)
    result = call(other, "--plan", table.parent / "first" / "plan.toml", "-o", table.parent / "again")
    assert result.exit_code == 0
    assert "other.csv: 60 rows" in result.stdout


def test_a_plan_is_not_repeated_on_data_that_have_changed(table):
    first, again = table.parent / "first", table.parent / "again"
    call(table, "-o", first, *QUICK)
    digits = tomllib.loads((first / "plan.toml").read_text("utf-8"))["data"]["fingerprint"]
    table.write_text(table.read_text().replace("u,", "v,", 1))
    result = call("--plan", first / "plan.toml", "-o", again)
    assert result.exit_code == 2
    assert f"t.csv is not what it was when the plan was written (fingerprint {digits} then" in result.stderr
    assert not again.exists()
    assert call(table, "--plan", first / "plan.toml", "-o", again).exit_code == 0  # named on purpose


def test_a_target_that_a_loss_refuses_is_named_by_its_column_and_line(table):
    result = call(table, "--loss", "gamma", "-o", table.parent / "out")
    assert result.exit_code == 2
    assert re.search(r'"y" at line \d+ of t.csv is -?[\d.]+, for which Gamma is not defined', result.stderr)


def test_a_plan_of_arrays_asks_for_data(tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 2))
    fallline.compare((X, X[:, 0]), seeds=1, final_seeds=2, amount=2).save(tmp_path / "out")
    result = call("--plan", tmp_path / "out" / "plan.toml", "-o", tmp_path / "again")
    assert result.exit_code == 2
    assert "arrays in memory: name the data beside --plan" in result.stderr


def test_overwrite_replaces_a_comparison_and_nothing_else(table):
    out = table.parent / "out"
    call(table, "-o", out, *QUICK)
    again = call(table, "-o", out, *QUICK)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    assert call(table, "-o", out, "--overwrite", "--no-baselines", *QUICK).exit_code == 0
    assert json.loads((out / "summary.json").read_text("utf-8"))["baselines"] == []
    (out / "mine.txt").write_text("mine")
    assert call(table, "-o", out, "--overwrite", *QUICK).exit_code == 2
    assert (out / "mine.txt").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_in_the_middle_ends_with_130_one_sentence_and_nothing_written(tmp_path):
    arguments = ["compare", "digits", "-o", "out", "--seeds", "50"]
    running = subprocess.Popen(
        [sys.executable, "-m", "fallline", *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    time.sleep(4)  # it would run for minutes
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    # A shell calls both 130: Python ends by the signal where it fell into text that was compiled at that moment.
    assert running.returncode in (130, -signal.SIGINT)
    assert err.strip() == f"Stopped; nothing was written. To start again: fallline {' '.join(arguments)}"
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_is_no_error(table):
    script = f"{sys.executable} -m fallline compare t.csv -o out {' '.join(QUICK)} | head -1"
    result = subprocess.run(script, cwd=table.parent, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr
    assert (table.parent / "out" / "report.html").exists()


SETS = {
    "classification/titanic.csv --target Survived": "14 columns",
    "regression/abalone.csv --loss poisson": "10 columns",
    "counts/bike_day.csv --target cnt --loss poisson": "14 columns",
    "glm/scotland.csv --target YES --loss gamma": "7 columns",
}


@pytest.mark.parametrize("arguments", SETS)
def test_real_tables_are_compared(arguments, tmp_path):
    name, *options = arguments.split()
    result = call(shared(name), *options, "-o", tmp_path / "out", *QUICK)
    assert result.exit_code == 0, result.output
    assert SETS[arguments] in result.stdout
    assert "optimum" in result.stdout
