"""The benchmarks' own arithmetic and their harness, at tiny sizes; no time is asserted."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from fallline import losses
from fallline.losses import LogLoss, SquaredError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import peers
import race
import run
import synthetic
import tasks

PEERS, _ = peers.present()
EASY = 0.2  # excess that every tool should come below on an easy table


def table(loss, rows=60):
    chance = np.random.default_rng(0)
    X = chance.standard_normal((rows, 4))
    z = X @ np.array([1.0, -1.0, 0.5, 0.0]) + 0.3 + 0.3 * chance.standard_normal(rows)
    if loss in losses.CLASSIFICATION.values():
        return X, np.where(z > 0, 1.0, -1.0)
    if loss in losses.POSITIVE.values():
        return X, np.exp(0.3 * z) + 0.1
    return X, np.digitize(z, [-0.5, 0.5]) * 1.0 if loss is losses.Softmax else z


@pytest.mark.parametrize(("kind", "sparse"), [*((kind, False) for kind in tasks.VALUES), ("LogLoss", True)])
def test_the_judge_and_the_package_agree_on_every_loss(kind, sparse):
    loss = getattr(losses, kind)
    X, y = table(loss)
    task = tasks.Task(kind, sp.csr_matrix(X) if sparse else X, y, loss(), 0.1, 0.05)
    objective = task.objective()
    w = np.random.default_rng(1).standard_normal(objective.size)
    assert task.height(w) == pytest.approx(objective.value(w), rel=1e-9)


@pytest.mark.parametrize("loss", [LogLoss, SquaredError])
@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.name != "skglm"], ids=lambda peer: peer.name)
def test_every_tool_is_asked_for_the_same_objective(peer, loss):
    X, y = table(loss, 400)
    task = tasks.Task("easy", X, y, loss())
    if why := peers.reason(peer, task):
        pytest.skip(why)
    entrant = race.Entrant(peer, task)
    entrant.search(np.inf, finest=EASY)
    assert min(point.excess for point in entrant.points) <= EASY


def test_a_search_keeps_the_quickest_fit_that_is_close_enough():
    X, y = table(LogLoss, 400)
    able, absent = race.entrants([p for p in PEERS if p.name == "fallline"], tasks.Task("easy", X, y, LogLoss()), False)
    able[0].search(np.inf)
    close = able[0].quickest(1e-4)
    assert not absent
    assert close.excess <= 1e-4
    assert able[0].quickest(-1.0) is None
    assert len(race.timed([(able[0], close)], 2)) == 1


def test_a_standardised_copy_is_a_task_of_its_own():
    X, y = table(LogLoss, 400)
    task = tasks.Task("raw", X * [1e-3, 1.0, 1e3, 0.0] + 5.0, y, LogLoss())
    copy = task.standardised()
    assert np.allclose(copy.X.std(0), [1, 1, 1, 0])
    assert copy.optimum != task.optimum


def test_the_made_tables_have_the_sizes_asked_for():
    X, y, z = synthetic.dense(True, 300, 5)
    assert X.shape == (300, 5)
    assert X.dtype == np.float32
    assert X.std(0).max() / X.std(0).min() > 10
    assert set(np.unique(y)) == {-1.0, 1.0}
    assert z.shape == y.shape
    words, _ = synthetic.text(False, 200, 100)
    assert np.allclose(np.sqrt(words.multiply(words).sum(1)), 1.0, atol=1e-5)


def test_the_page_names_what_was_reached_what_was_not_and_what_was_not_measured(tmp_path, monkeypatch):
    kept = {
        "text": "a table",
        "targets": [["a fit", "≤ 1 s", "2 s", False]],
        "measured": "2026-01-01",
        "on": "a machine",
    }
    (tmp_path / "grid.json").write_text(json.dumps(kept), "utf-8")
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    page = run.written()
    assert "| a fit | ≤ 1 s | 2 s | `benchmarks/grid.py` | **not reached** |" in page
    assert "a table" in page
    assert "| scales 1e-6 … 1e6 a column × 20 sets × 5 seeds |" in page
    assert "not measured" in page
