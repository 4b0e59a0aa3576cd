"""A fit survives: stopped, killed, out of disk, it goes on to the same bits as one that nobody disturbed."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fallline.errors import InputError
from fallline.fitting import Recipe, fit, go_on
from fallline.fitting.fit import Hooks
from fallline.fitting.folder import CHECKPOINT, LOG, PLAN, SUMMARY, TRACE, locked
from fallline.fitting.log import events_in, looks_in
from fallline.model import FILE, Model
from fallline.plan import Plan
from fallline.problem import Charges
from fallline.trace import Trace
from fit_to_kill import ALWAYS, RECIPE, walk

RECIPES = {
    "automatic": Recipe("breast_cancer", plan=Plan(tol=1e-12)),
    "automatic, a loss with corners": Recipe("diabetes", charges=Charges(loss="huber:delta=0.5"), plan=Plan(tol=1e-10)),
    "adam": Recipe("breast_cancer", plan=Plan(step="adam", amount=12.0)),
    "stochastic with an average and a schedule": Recipe(
        "diabetes",
        plan=Plan(step="plain", variant="stochastic", rate=0.003, schedule="cosine", average="tail", amount=8.0),
    ),
    "batch": Recipe(
        "breast_cancer", plan=Plan(step="momentum", variant="batch", rate=0.1, budget="updates", amount=250.0)
    ),
    "a method with a memory of its own": Recipe("breast_cancer", plan=Plan(step="saga", amount=6.0)),
    "several classes": Recipe("iris", plan=Plan(step="plain", rate=0.05, batch_size=8, amount=9.0)),
}


def after(segments):
    """Hooks that ask to stop after so many segments."""
    seen = []
    return Hooks(
        watch=lambda problem, trace: seen.append(len(trace)), asked=lambda: "SIGINT" if len(seen) > segments else ""
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The model's bytes of each recipe, fitted in one go."""
    made = {}
    for name, recipe in RECIPES.items():
        folder = tmp_path_factory.mktemp("fits") / "whole"
        fit(recipe, folder, every=1e9)
        assert not (folder / CHECKPOINT).exists()
        made[name] = (folder / FILE).read_bytes()
    return made


@pytest.mark.parametrize("case", RECIPES)
def test_checkpoints_change_nothing(case, undisturbed, tmp_path):
    fit(RECIPES[case], tmp_path / "m", every=ALWAYS)
    assert sum(event["event"] == "checkpoint" for event in events_in(tmp_path / "m" / LOG)) > 0
    assert (tmp_path / "m" / FILE).read_bytes() == undisturbed[case]


@pytest.mark.parametrize("case", RECIPES)
def test_going_on_equals_never_stopping(case, undisturbed, tmp_path):
    folder = tmp_path / "m"
    made = fit(RECIPES[case], folder, hooks=after(1))
    assert made.stopped == "SIGINT"
    part = Model.load(folder)  # what was learned so far is kept
    assert (folder / FILE).read_bytes() != undisturbed[case]
    assert part.columns == Model.from_bytes(undisturbed[case]).columns
    for _ in range(2):
        made = go_on(folder, hooks=after(1))
    made = go_on(folder)
    assert isinstance(made, dict) or not made.stopped
    assert (folder / FILE).read_bytes() == undisturbed[case]
    assert not (folder / CHECKPOINT).exists()


@pytest.mark.parametrize("case", ["automatic", "adam", "batch"])
def test_the_trace_can_be_told_from_the_log(case, tmp_path):
    folder = tmp_path / "m"
    fit(RECIPES[case], folder, hooks=after(1))
    go_on(folder)
    looks, trace = looks_in(folder / LOG), Trace.load(folder / TRACE)
    assert len(looks) == len(trace)
    for name in ("t", "visits", "loss", "size"):
        assert [look[name] for look in looks] == trace[name].tolist(), name
    assert [event["event"] for event in events_in(folder / LOG) if event["event"] != "look"] == [
        "begun", "checkpoint", "stopped", "resumed", "ended",
    ]  # fmt: skip


def test_looks_that_were_walked_again_stand_once_and_half_lines_not_at_all(tmp_path):
    folder = tmp_path / "m"
    fit(RECIPES["adam"], folder, hooks=after(3))
    with open(folder / LOG, "ab") as log:  # as after a crash: looks beyond the checkpoint, the last line cut short
        log.write(b'{"event":"look","t":999999,"loss":1.0}\n{"event":"look","t":12')
    go_on(folder)
    looks, trace = looks_in(folder / LOG), Trace.load(folder / TRACE)
    assert [look["t"] for look in looks] == trace["t"].tolist()


def test_a_fit_that_has_ended_is_not_walked_again(tmp_path):
    fit(RECIPES["adam"], tmp_path / "m")
    before = (tmp_path / "m" / FILE).stat().st_mtime_ns
    assert go_on(tmp_path / "m")["finished"]
    assert (tmp_path / "m" / FILE).stat().st_mtime_ns == before


# --- killed ---


@pytest.fixture(scope="module")
def processes():
    """Processes that have everything loaded, so that kills fall into the fit and not into imports."""
    context = multiprocessing.get_context("forkserver")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
        context.set_forkserver_preload(["fit_to_kill"])
        yield context


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow") / "m"
    fit(RECIPE, folder)
    return (folder / FILE).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills by a POSIX signal")
def test_killed_at_twenty_random_moments_it_goes_on_to_the_same_bits(processes, slow, tmp_path):
    chance, folder, survived, walked = np.random.default_rng(4), tmp_path / "m", 0, []
    while survived < 20:
        begun = processes.Event()
        child = processes.Process(
            target=walk, args=(folder, None, begun, chance.choice(["reading", "walking", "walking"]))
        )
        child.start()
        while child.is_alive() and not begun.wait(0.02):
            pass  # one that finds nothing left to walk ends without having begun
        child.join(timeout=float(chance.uniform(0.0, 0.3)))
        if child.exitcode is None:
            child.kill()
            child.join()
            survived += 1
            walked.append(len(looks_in(folder / LOG)) if (folder / LOG).exists() else 0)
        else:
            assert child.exitcode == 0
            assert (folder / FILE).read_bytes() == slow
            for path in folder.iterdir():  # it came to its end: again from the beginning
                path.unlink()
    walk(folder)
    assert (folder / FILE).read_bytes() == slow
    assert len({*walked}) > 3  # the kills fell into different places of the walk
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [PLAN, LOG, FILE, TRACE, SUMMARY, "report.html"]
    )  # nothing half written is left


@pytest.mark.skipif(os.name != "posix", reason="kills by a POSIX signal")
@pytest.mark.parametrize(
    "fatal", [("fsync", 1), ("fsync", 4), ("replace", 1), ("replace", 5), ("replace", 43), ("fsync", 44)]
)
def test_killed_while_a_file_is_written_it_goes_on_to_the_same_bits(fatal, processes, slow, tmp_path):
    """Of the plan, of a checkpoint, of the model, the trace or the report at the end; before and after its bytes are there."""
    folder = tmp_path / "m"
    child = processes.Process(target=walk, args=(folder, fatal))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert any(path.name.startswith(".") for path in folder.iterdir())  # the half that was written
    walk(folder)
    assert (folder / FILE).read_bytes() == slow
    assert not any(path.name.startswith(".") for path in folder.iterdir())


# --- a disk that is full, a folder that may not be written, a second process ---


def full(monkeypatch, names, times=10**9):
    """Let writing those files fail, so many times."""
    from fallline import files

    left, before = [times], files.write_whole

    def write_whole(path, content):
        if Path(path).name in names and left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return before(path, content)

    monkeypatch.setattr("fallline.fitting.folder.write_whole", write_whole)
    return left


def test_a_checkpoint_that_finds_no_room_is_said_and_the_fit_goes_on(monkeypatch, undisturbed, tmp_path):
    full(monkeypatch, {CHECKPOINT}, times=3)
    said = []
    fit(RECIPES["adam"], tmp_path / "m", every=ALWAYS, hooks=Hooks(warn=said.append))
    assert len(said) == 3
    assert "cannot be written (No space left on device)" in said[0]
    assert (tmp_path / "m" / FILE).read_bytes() == undisturbed["adam"]


@pytest.mark.parametrize("name", [FILE, SUMMARY])
def test_a_model_that_finds_no_room_is_not_lost(name, monkeypatch, undisturbed, tmp_path):
    full(monkeypatch, {name}, times=1)
    with pytest.raises(InputError, match=r"No space left on device.*--resume -o"):
        fit(RECIPES["adam"], tmp_path / "m", every=ALWAYS)
    assert (tmp_path / "m" / CHECKPOINT).exists()
    go_on(tmp_path / "m")
    assert (tmp_path / "m" / FILE).read_bytes() == undisturbed["adam"]


def test_no_room_from_the_start_is_refused(monkeypatch, tmp_path):
    full(monkeypatch, {PLAN})
    with pytest.raises(InputError, match="No space left on device"):
        fit(RECIPES["adam"], tmp_path / "m")


def test_a_log_that_finds_no_room_is_said_once(monkeypatch, undisturbed, tmp_path):
    def refuse(self, entry):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("fallline.fitting.log.Log._line", refuse)
    said = []
    fit(RECIPES["adam"], tmp_path / "m", hooks=Hooks(warn=said.append))
    assert said == ["The log cannot be written (No space left on device); the fit goes on without it."]
    assert (tmp_path / "m" / FILE).read_bytes() == undisturbed["adam"]


def test_a_disk_that_is_really_full_loses_nothing(undisturbed, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs to mount a small disk, which is not permitted here")
    try:
        with pytest.raises(InputError, match="No space left on device"):
            fit(RECIPES["adam"], disk / "m", every=ALWAYS)  # the report alone is 5 MB
        held = {path.name: path.read_bytes() for path in (disk / "m").iterdir()}
        assert held[FILE] == undisturbed["adam"]
        assert SUMMARY not in held
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        go_on(disk / "m")
        assert (disk / "m" / FILE).read_bytes() == undisturbed["adam"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_may_not_be_written_is_refused_before_the_work(monkeypatch, tmp_path):
    """As root, permissions hold nobody back: the refusal of the system is played."""
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(InputError, match="may not be written"):
        fit(RECIPES["adam"], tmp_path / "m", hooks=Hooks(reading=lambda: pytest.fail("it began to read")))
    assert not (tmp_path / "m").exists()


def test_a_second_process_is_kept_out(tmp_path):
    folder = tmp_path / "m"
    fit(RECIPES["adam"], folder, hooks=after(2))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with locked(folder):
        for begin in (lambda: go_on(folder), lambda: fit(RECIPES["adam"], folder, overwrite=True)):
            with pytest.raises(InputError, match="Another process is fitting"):
                begin()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not go_on(folder).stopped


# --- what must not be mixed ---


@pytest.fixture
def stopped(tmp_path):
    """A folder with a fit of a table, stopped in its middle."""
    chance = np.random.default_rng(6)
    frame = pd.DataFrame(chance.normal(size=(80, 3)), columns=["a", "b", "y"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    fit(Recipe(str(tmp_path / "t.csv"), plan=Plan(step="adam", amount=12.0)), tmp_path / "m", hooks=after(2))
    return tmp_path


def test_other_data_are_refused(stopped):
    table = (stopped / "t.csv").read_text()
    (stopped / "t.csv").write_text(table.replace("0.5", "0.6", 1))
    with pytest.raises(InputError, match="other data or another plan"):
        go_on(stopped / "m")
    (stopped / "moved.csv").write_text(table)
    assert not go_on(stopped / "m", source=str(stopped / "moved.csv")).stopped


def test_another_plan_is_refused(stopped):
    plan = (stopped / "m" / PLAN).read_text()
    (stopped / "m" / PLAN).write_text(plan.replace("amount = 12.0", "amount = 13.0"))
    with pytest.raises(InputError, match="other data or another plan"):
        go_on(stopped / "m")


@pytest.mark.parametrize(
    "harm", [lambda held: held[:-5], lambda held: held[:500] + b"\0" + held[501:], lambda held: b""]
)
def test_a_damaged_checkpoint_is_refused(harm, stopped):
    path = stopped / "m" / CHECKPOINT
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(InputError, match=r"checkpoint\.safetensors"):
        go_on(stopped / "m")


def test_a_folder_with_a_fit_is_replaced_only_when_asked(stopped):
    recipe = Recipe(str(stopped / "t.csv"))
    with pytest.raises(InputError, match=r"has not ended: go on with --resume"):
        fit(recipe, stopped / "m")
    fit(recipe, stopped / "m", overwrite=True)
    with pytest.raises(InputError, match="exists already"):
        fit(recipe, stopped / "m")
    (stopped / "m" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        fit(recipe, stopped / "m", overwrite=True)


def test_a_run_that_diverged_leaves_no_model(tmp_path):
    made = fit(Recipe("diabetes", plan=Plan(step="plain", variant="batch", rate=90.0)), tmp_path / "m")
    assert made.model is None
    assert not (tmp_path / "m" / FILE).exists()
    summary = json.loads((tmp_path / "m" / SUMMARY).read_text("utf-8"))
    assert summary["diverged"]
    assert "no model" in summary["verdict"]["headline"]
    assert (tmp_path / "m" / "report.html").exists()


def test_a_perceptron_that_stays_at_zero_says_why(tmp_path):
    fit(Recipe("breast_cancer", charges=Charges(loss="perceptron")), tmp_path / "m")
    summary = json.loads((tmp_path / "m" / SUMMARY).read_text("utf-8"))
    assert "no margin. --loss hinge does" in summary["verdict"]["sentences"][-1]


def test_tensorboard_events_hold_every_look(tmp_path):
    pytest.importorskip("tensorboardX", reason="needs tensorboardX, an extra")
    fit(RECIPES["adam"], tmp_path / "m", log_to=["tensorboard"])
    assert list((tmp_path / "m" / "tensorboard").glob("events.out.tfevents.*"))


def test_a_logger_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(InputError, match=r"pip install 'fallline\[mlflow\]'"):
        fit(RECIPES["adam"], tmp_path / "m", log_to=["mlflow"])
    with pytest.raises(InputError, match='no logger "wandb"'):
        fit(RECIPES["adam"], tmp_path / "n", log_to=["wandb"])


def test_mlflow_is_told_through_its_own_functions(tmp_path, monkeypatch):
    """MLflow is half a gigabyte: what it is told is taken down by a stand-in with its names."""
    from types import SimpleNamespace

    told = []
    stand_in = SimpleNamespace(
        start_run=lambda run_name: told.append(("start", run_name)),
        log_metrics=lambda metrics, step: told.append(("metrics", step, metrics)),
        set_tags=lambda tags: told.append(("tags", tags)),
        end_run=lambda: told.append(("end",)),
    )
    monkeypatch.setitem(__import__("sys").modules, "mlflow", stand_in)
    made = fit(RECIPES["adam"], tmp_path / "m", log_to=["mlflow"])
    metrics = [entry for entry in told if entry[0] == "metrics"]
    assert [entry[1] for entry in metrics] == made.run.trace["t"].tolist()
    assert [entry[2]["loss"] for entry in metrics] == made.run.trace["loss"].tolist()
    assert told[-1] == ("end",)
