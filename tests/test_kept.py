"""A run with checkpoints in a file: the same call goes on to the same bits, whatever ended the one before."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fallline import InputError, Linear, Net, Plan, checkpointed
from fallline.losses import LogLoss
from fallline.stops import Updates


def network(seed=0):
    torch.manual_seed(seed)
    X = torch.randn(64, 5, generator=torch.Generator().manual_seed(1))
    module = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    return Net(module, (X, (X[:, 0] > 0).long()), validation=(X[:9], (X[:9, 0] > 0).long()))


def table(seed=0):
    X = np.random.default_rng(seed).standard_normal((64, 5))
    return Linear(X, np.where(X[:, 0] > 0, 1.0, -1.0), LogLoss())


PLAN = Plan(step="adam", rate=0.01, batch_size=16, amount=12)


@pytest.mark.parametrize("objective", [network, table])
def test_a_run_cut_short_goes_on_to_the_same_bits(objective, tmp_path):
    path = tmp_path / "walk.ckpt"
    whole = PLAN.run(objective())
    part = checkpointed(PLAN, objective(), path, every=0.0, stops=(Updates(17),))
    assert part.state.t == 17
    assert path.exists()
    rest = checkpointed(PLAN, objective(), path, every=0.0)
    assert rest.state.t == 48
    again = checkpointed(PLAN, objective(), path)
    assert np.array_equal(again.w, rest.w)
    assert again.trace["loss"].tolist() == rest.trace["loss"].tolist()
    uncut = checkpointed(PLAN, objective(), tmp_path / "other.ckpt", every=0.0)
    assert np.array_equal(uncut.w, whole.w)


@pytest.mark.parametrize("objective", [network, table])
def test_a_file_of_other_data_or_another_plan_is_refused(objective, tmp_path):
    path = tmp_path / "walk.ckpt"
    checkpointed(PLAN, objective(), path)
    with pytest.raises(InputError, match="other data or another plan"):
        checkpointed(PLAN, objective(3), path)
    with pytest.raises(InputError, match="other data or another plan"):
        checkpointed(Plan(step="adam", rate=0.02, batch_size=16, amount=12), objective(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"walk\.ckpt"):
        checkpointed(PLAN, objective(), path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        checkpointed(PLAN, table(), tmp_path / "no folder" / "walk.ckpt")


KILLED = """
import sys
import torch
torch.set_num_threads(1)  # sums by two threads have other last bits
sys.path.insert(0, {tests!r})
from test_kept import PLAN, network
from dataclasses import replace
from fallline import checkpointed
checkpointed(replace(PLAN, amount=100_000), network(), {path!r}, every=0.0)
"""


def test_a_kill_leaves_a_checkpoint_that_goes_on_with_the_same_bits(tmp_path):
    path = tmp_path / "walk.ckpt"
    code = KILLED.format(tests=str(Path(__file__).parent), path=str(path))
    process = subprocess.Popen([sys.executable, "-c", code])
    while not path.exists():
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    plan, limit = replace(PLAN, amount=100_000), (Updates(2000),)
    assert np.array_equal(checkpointed(plan, network(), path, stops=limit).w, plan.run(network(), stops=limit).w)
