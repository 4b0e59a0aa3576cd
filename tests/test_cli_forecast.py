"""`fallline forecast`: numbers and words, or one sentence and exit code 2."""

import json

import pytest
from click.testing import CliRunner

from fallline.cli import main


def call(*arguments):
    return CliRunner().invoke(main, ["forecast", *map(str, arguments)])


def test_a_forecast_says_its_curve_its_limits_and_its_cost(tmp_path):
    said = call("diabetes", "--batch-size", "16", "--rate", "0.05", "--epochs", "20", "--report", tmp_path / "f.html")
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert "442 rows" in lines[0]
    first, last = lines[3].split(), next(line for line in lines if line.split()[:1] == ["560"]).split()
    assert first[:2] == ["0", "0"]
    assert float(last[2]) < float(first[2])
    for word in (
        "Mini-batch 16 · rate 0.05",
        "working limit",
        "condition number is",
        '"s1"',
        "critical batch",
        "Forecast from all rows",
        "rows a step",
        "plans it would take",
        f"Report: {tmp_path / 'f.html'}",
    ):
        assert word in said.output
    page = (tmp_path / "f.html").read_text("utf-8")
    assert "is forecast to have" in page
    assert "Ringed cells were walked" in page
    assert '<fieldset id="axis" hidden>' in page  # nothing there has another time axis


def test_json_has_the_curve_and_the_updates_by_batch():
    said = call("diabetes", "--batch-size", "16", "--rate", "0.05", "--epochs", "20", "--json")
    assert said.exit_code == 0, said.output
    found = json.loads(said.output)
    assert len(found["curve"]["updates"]) == len(found["curve"]["loss"])
    assert found["by batch"]["sizes"] == [1, 4, 16, 64, 442]
    assert found["updates to"]["updates"] > 0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--step", "adam"], "plain, momentum or nesterov"),
        (["--step", "auto"], "name a step"),
        (["--loss", "absolute_error"], "corners"),
        (["--penalty", "l1"], "L1 share"),
        (["--epochs", "3", "--updates", "3"], "both budgets"),
        (["--rate", "-1"], "above zero"),
    ],
)
def test_what_is_not_forecast_ends_in_a_sentence(options, word):
    said = call("diabetes", *options)
    assert said.exit_code == 2
    assert word in said.output
    assert "Traceback" not in said.output
