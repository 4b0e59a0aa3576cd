"""Compiling ahead, and the note that somebody who waits for a compiler is shown."""

import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from numba import typeof

from fallline import Linear, SoftmaxRegression, notes, warming
from fallline.cli import main
from fallline.kernels.bridge import announce, subject
from fallline.losses import LOSSES, MULTICLASS, LogLoss
from fallline.rows import CSR

ONE = """
import logging, sys
from fallline import warming
from fallline.cli import main
logging.basicConfig(level="INFO", stream=sys.stderr, format="%(message)s")
warming.USUAL = ("log_loss",)
warming.STORAGES = {"dense float64": warming.STORAGES["dense float64"]}
warming.walks = warming.compare = lambda *_, **__: None
main(["warm"])
"""


@pytest.mark.slow
def test_warm_compiles_once_says_so_and_finds_nothing_to_do_again(tmp_path):
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run([sys.executable, "-c", ONE], env=env, capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    assert first.stderr == "compiling kernels for log_loss on dense float64: once, then cached\n"
    assert second.stderr == ""
    assert " new: 3 kinds of fit" in first.stdout
    assert "nothing new: 3 kinds of fit" in second.stdout
    assert str(tmp_path) in second.stdout
    assert any(tmp_path.glob("*/*.nbc*"))


def test_the_usual_fits_are_parts_of_the_tables():
    names = [text for text, _ in warming.usual()]
    assert len(names) == len(set(names)) == (len(warming.STORAGES) + 1) * len(warming.USUAL) + 1
    assert set(warming.USUAL) <= {*LOSSES, *MULTICLASS}


def test_help_says_what_it_is_for():
    shown = CliRunner().invoke(main, ["warm", "--help"]).output
    assert "NUMBA_CACHE_DIR" in shown
    assert "log_loss" in shown


def test_a_note_names_loss_storage_and_floats():
    X, y = np.eye(3, dtype=np.float32), np.array([1.0, -1.0, 1.0])
    model = Linear(X, y, LogLoss()).model
    assert subject(typeof(model)) == "log_loss on dense float32"
    several = SoftmaxRegression(X.astype(float), [0, 1, 2]).model
    sparse = CSR(np.ones(1), np.zeros(1, np.int32), np.zeros(4, np.int32), 3)
    assert subject(typeof(several._replace(rows=sparse))) == "softmax on CSR float64"
    assert subject(typeof(y)) == ""


@pytest.fixture
def silent(monkeypatch):
    """As in a process where nobody has set logging up; pytest has."""
    monkeypatch.setattr(notes.LOGGER, "hasHandlers", lambda: False)


def test_who_sits_at_a_terminal_sees_the_note_once(silent, capsys, monkeypatch):
    announce.cache_clear()
    monkeypatch.setattr(notes, "watched", lambda: True)
    announce("a loss")
    announce("a loss")
    assert capsys.readouterr().err == "fallline: compiling kernels for a loss: once, then cached\n"


def test_nothing_is_printed_where_nobody_watches_or_a_level_says_no(silent, capsys, monkeypatch):
    notes.tell("to a pipe")
    monkeypatch.setattr(notes, "watched", lambda: True)
    monkeypatch.setattr(notes.LOGGER, "level", logging.WARNING)
    notes.tell("to who does not want it")
    assert capsys.readouterr() == ("", "")


def test_programs_get_notes_from_logging(caplog):
    with caplog.at_level(logging.INFO, logger="fallline"):
        notes.tell("something")
    assert [(record.name, record.message) for record in caplog.records] == [("fallline", "something")]
