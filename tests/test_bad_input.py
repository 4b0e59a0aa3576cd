"""Bad input at the command line: one sentence that names the place and the fix, exit code 2, nothing written."""

import gzip
import subprocess
import sys

import pytest
from click.testing import CliRunner

from fallline.cli import main

ROWS = "".join(f"{i},{i * i % 7},{i % 5}.5\n" for i in range(60))
TABLE = "a,b,y\n" + ROWS


def after(line, new):
    lines = TABLE.split("\n")
    lines[line - 1] = new
    return "\n".join(lines)


# what is wrong → the file, further arguments, and what the sentence must name
TABLES = {
    "an empty file": ("", [], ["t.csv", "empty"]),
    "one row": ("a,b,y\n1,2,3\n", [], ["t.csv", "one row", "give more rows"]),
    "only names": ("a,b,y\n", [], ["t.csv", "no rows"]),
    "a target that is missing": (TABLE, ["--target", "z"], ['"z"', "t.csv", '"a", "b" and "y"']),
    "a target beyond the last column": (TABLE, ["--target", "3"], ["3", "t.csv", "0 to 2"]),
    "a target with a hole": (after(9, "1,2,"), [], ['"y"', "line 9", "t.csv", "fill in"]),
    "a target of one value": ("a,y\n" + "1,5\n2,5\n" * 9, [], ['"y"', '"5"', "every row", "--target"]),
    "as many levels as rows": ("a,y\n" + "".join(f"{i},n{i}\n" for i in range(30)), [], ['"y"', "30", "--target"]),
    "a column of only missing values": ("a,b,y\n" + "1,,2\n2,?,4\n3,NA,7\n" * 9, [], ['"b"', "t.csv", '--drop "b"']),
    "an infinite value": (after(9, "inf,2,3"), [], ['"a"', "line 9", "t.csv", "--drop"]),
    "an infinite target": (after(9, "1,2,-inf"), [], ['"y"', "line 9", "t.csv"]),
    "two columns of one name": ("a,b,a\n" + ROWS, [], ["t.csv", '"a"', "rename"]),
    "the wrong delimiter": (TABLE.replace(",", ";"), ["--delimiter", ","], ["t.csv", "--delimiter", "semicolons"]),
    "no delimiter": ("5\n6\n7\n", [], ["t.csv", "--delimiter"]),
    "the wrong encoding": (
        TABLE.replace("a,b", "ä,b").encode("latin-1"),
        [],
        ["line 1", "t.csv", "--encoding latin-1"],
    ),
    "an encoding that is not": (TABLE, ["--encoding", "utf-7000"], ["utf-7000"]),
    "gz cut short": (gzip.compress(TABLE.encode())[:-9], [], ["t.csv", "cut short"]),
    "lines of unlike length": (after(9, "1,2"), [], ["line 9", "t.csv", "2 fields"]),
    "a word among numbers": (after(9, "one,2,3"), [], ['"one"', "line 9", "--missing", "--text"]),
    "nothing to learn from": (TABLE, ["--drop", "a", "--drop", "b"], ["t.csv", '"y"']),
    "a loss for classes": (TABLE, ["--loss", "hinge"], ["hinge", '"y"', "squared_error"]),
    "a loss for amounts above zero": (
        TABLE,
        ["--target", "a", "--loss", "gamma"],
        ["line 2 of t.csv", "Gamma", "tweedie"],
    ),
    "a plane over no column": (TABLE, ["--plane", "a", "c"], ['"c"', "a, b, intercept"]),
}

OPTIONS = {
    "an unknown option": (["--epoch", "3"], ["No such option", "--epochs"]),
    "an unknown variant": (["--variant", "full"], ['"full"', "batch, stochastic, mini-batch"]),
    "an unknown step rule": (["--step", "adan"], ['"adan"', 'did you mean "adam"']),
    "an unknown setting of a step rule": (["--step", "adam:beta=1"], ['"beta"', "beta1"]),
    "a setting beyond its span": (["--step", "momentum:beta=1"], ["beta=1", "below 1"]),
    "an unknown schedule": (["--schedule", "cosin"], ['"cosin"', '"cosine"']),
    "an unknown loss": (["--loss", "hube"], ['"hube"', '"huber"']),
    "an unknown penalty": (["--penalty", "L2"], ['"L2"', 'did you mean "l2"']),
    "an unknown average": (["--average", "mean"], ['"mean"', "tail"]),
    "an unknown sampler": (["--sampler", "random"], ['"random"', "shuffled"]),
    "an unknown task": (["--task", "classify"], ['"classify"', "multiclass"]),
    "a rate that is no number": (["--rate", "fast"], ["fast", "--rate"]),
    "a rate of zero": (["--rate", "0"], ["rate is 0", "above zero"]),
    "an endless budget": (["--epochs", "inf"], ["epochs is inf", "finite"]),
    "a budget of nothing": (["--updates", "0"], ["updates is 0"]),
    "two budgets": (["--epochs", "1", "--seconds", "1"], ["--epochs", "--seconds", "give one"]),
    "no rows a step": (["--batch-size", "0"], ["batch size is 0"]),
    "no seeds": (["--seeds", "0"], ["seeds is 0"]),
    "a negative penalty": (["--alpha", "-1"], ["alpha is -1"]),
    "a share above one": (["--l1-ratio", "2"], ["l1_ratio is 2"]),
    "a negative warm-up": (["--warmup", "-1"], ["warmup is -1"]),
    "a bound of zero": (["--clip-norm", "0"], ["clip norm is 0"]),
    "half a plane": (["--plane", "a"], ["--plane", "2"]),
    "a plan that is not there": (["--plan", "no.toml"], ["no.toml", "plan.toml"]),
    "a plan that is no plan": (["--plan", "t.csv"], ["t.csv", "plan.toml"]),
    "a plan with other settings": (
        ["--plan", "t.csv", "--rate", "1", "--seeds", "2"],
        ["--rate and --seeds", "--plan"],
    ),
}

PLANS = {
    "no study": ('[data]\nsource = "t.csv"\n', ["p.toml", "study"]),
    "an unknown setting": ('[data]\nsource = "t.csv"\n[study]\nseedz = 3\n', ['"seedz"', '"seeds"']),
    "a setting of another kind": ('[data]\nsource = "t.csv"\n[study]\nseeds = "three"\n', ["p.toml", "plan"]),
    "an unknown reading option": ('[data]\nsource = "t.csv"\nheeder = true\n[study]\n', ['"heeder"', '"header"']),
    "study is no table": ('study = 3\n[data]\nsource = "t.csv"\n', ["p.toml"]),
}


def refused(folder, arguments):
    """Run where `folder` is the working folder. Returns the sentence, having checked that it is one and nothing is written."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    folders = {path for path in folder.rglob("*") if path.is_dir()}
    result = CliRunner().invoke(main, ["compare", *arguments])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)  # no traceback
    assert result.stdout == ""
    lines = result.stderr.strip().split("\n")
    assert lines[-1].startswith("Error: ")
    assert lines[:-1] == [] or lines[0].startswith("Usage:")  # which click adds for options that it knows are wrong
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert {path for path in folder.rglob("*") if path.is_dir()} == folders
    sentence = lines[-1].removeprefix("Error: ")
    assert sentence[-1] in ".)?"
    return sentence


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a good table in it; nothing may run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fallline.plan.Plan.run", lambda *args, **kwargs: pytest.fail("it ran"))
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path


@pytest.mark.parametrize("case", TABLES)
def test_a_bad_table_is_refused(case, folder):
    content, arguments, named = TABLES[case]
    (folder / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    sentence = refused(folder, ["t.csv", "-o", "out", *arguments])
    for words in named:
        assert words in sentence


@pytest.mark.parametrize("case", OPTIONS)
def test_a_bad_option_is_refused(case, folder):
    arguments, named = OPTIONS[case]
    sentence = refused(folder, ["t.csv", "-o", "out", *arguments])
    for words in named:
        assert words in sentence


@pytest.mark.parametrize("case", PLANS)
def test_a_bad_plan_is_refused(case, folder):
    content, named = PLANS[case]
    (folder / "p.toml").write_text(content)
    sentence = refused(folder, ["--plan", "p.toml", "-o", "out"])
    for words in named:
        assert words in sentence


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ([], ["DATA is missing", "diabetes"]),
        (["absent.csv"], ["absent.csv"]),
        (["iriss"], ['did you mean "iris"']),
        (["."], ["folder"]),
    ],
)
def test_data_that_are_not_there_are_refused(data, named, folder):
    sentence = refused(folder, [*data, "-o", "out"])
    for words in named:
        assert words in sentence


def test_two_tables_are_one_too_many(folder):
    assert "t.csv" in refused(folder, ["diabetes", "t.csv", "-o", "out"])


OUTPUTS = {
    "a folder with other files": ("full", ["full", "other files", "-o"]),
    "a folder with a comparison": ("old", ["old", "exists already", "--overwrite"]),
    "a file": ("t.csv", ["t.csv", "is a file", "-o"]),
    "within a file": ("t.csv/out", ["t.csv", "is a file", "-o"]),
    "within no folder": ("no/out", ["no", "does not exist", "make it first"]),
    "where nobody can write": ("/proc/out", ["/proc/out", "cannot be written", "-o"]),
    "a name too long": ("n" * 300, ["cannot be", "-o"]),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_an_output_folder_that_cannot_be_written_is_refused_before_the_work(case, folder):
    if case == "where nobody can write" and not sys.platform.startswith("linux"):
        pytest.skip("/proc is Linux's")
    (folder / "full").mkdir()
    (folder / "full" / "mine.txt").write_text("mine")
    (folder / "old" / "runs").mkdir(parents=True)
    (folder / "old" / "summary.json").write_text("{}")
    output, named = OUTPUTS[case]
    sentence = refused(folder, ["t.csv", "-o", output])
    for words in named:
        assert words in sentence
    if case != "a folder with a comparison":
        assert refused(folder, ["t.csv", "-o", output, "--overwrite"]) == sentence


def test_a_folder_that_may_not_be_written_is_refused(folder, monkeypatch):
    """As root, permissions hold nobody back: the refusal of the system is played."""

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    assert "out cannot be written (Permission denied)" in refused(folder, ["t.csv", "-o", "out"])


def test_the_same_ending_in_a_process_of_its_own(folder):
    (folder / "t.csv").write_text("")
    result = subprocess.run(
        [sys.executable, "-m", "fallline", "compare", "t.csv"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["t.csv"]
