"""Networks on other devices than the CPU: they walk, go on, and give back the chance that they took."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from fallline import InputError, Net, Plan
from fallline.torch.batches import Loaded
from fallline.torch.criterion import criterion_of, refuse_labels
from fallline.torch.modes import seeded

X = torch.randn(96, 6, generator=torch.Generator().manual_seed(3))
Y = (X[:, 0] + X[:, 1] > 0).long()
HERE = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}


@pytest.fixture(params=HERE)
def device(request):
    if not HERE[request.param]:
        pytest.skip(f"there is no {request.param} device here")
    return request.param


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def test_a_network_walks_and_goes_on_where_it_is_told_to(device):
    module = network()
    chance = torch.get_device_module(device).get_rng_state()
    net = Net(module, (X, Y), validation=(X.numpy(), Y.numpy()), device=device)
    plan = Plan(step="AdamW", rate=0.01, batch_size=16, amount=4)
    run = plan.run(net)
    assert torch.equal(torch.get_device_module(device).get_rng_state(), chance)
    assert run.trace.last("validation_loss") < run.trace["validation_loss"][0]
    assert net.fitted(run)[0].weight.device.type == device
    assert next(module.parameters()).device.type == "cpu"  # the module itself stays where it is
    again = plan.run(net, start=Plan(step="AdamW", rate=0.01, batch_size=16, amount=1).run(net))
    np.testing.assert_allclose(again.w, run.w, atol=1e-4)
    assert run.explain().loss == run.trace.last("loss")


def test_a_later_label_that_is_no_class_s_is_named(device):
    rows = [(X[:16], Y[:16]), (X[:16], Y[:16] + 5)]
    with pytest.raises(ValueError, match="the module has 2 outputs"):
        Plan(step="Adam", rate=0.01).run(Net(network(), rows, device=device))


def test_labels_are_looked_at_before_a_device_has_them():
    """By the device on which nothing is ever found wrong: CUDA's own answer ends the process's use of it."""
    loaded = Loaded([(X[:16], Y[:16]), (X[:16], Y[:16] + 5)], None, torch.device("meta"), torch.float32)
    assert len(list(loaded.blocks(16))) == 2
    loaded.looked_at = partial(refuse_labels, criterion_of("cross_entropy"), classes=2)
    with pytest.raises(InputError, match=r"Batch 2: .*the module has 2 outputs"):
        list(loaded.blocks(16))


def test_data_elsewhere_are_moved_to_the_module(device):
    assert Net(network(), (X.to(device), Y.to(device))).data.inputs.device.type == "cpu"
    assert Plan(step="Adam", rate=0.01, amount=1).run(Net(network(), [(X.to(device), Y.to(device))])).state.t == 1


@pytest.mark.parametrize("kind", HERE)
def test_the_generator_of_the_device_is_given_back_as_it_was(kind, monkeypatch):
    """By a stand-in for the device's own generator, which is not on every machine."""
    held, given = torch.tensor([7], dtype=torch.uint8), []
    own = torch.get_device_module(kind)
    monkeypatch.setattr(own, "get_rng_state", lambda device: held)
    monkeypatch.setattr(own, "set_rng_state", lambda state, device: given.append((state, device.type)))
    with seeded(0, torch.device(kind)):
        assert not given
    assert given == [(held, kind)]
