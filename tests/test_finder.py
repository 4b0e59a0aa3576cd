"""The rate finder: it finds a rate that walks well, says how sure it is, and leaves the module alone."""

import numpy as np
import pytest
import torch
from torch import nn

from fallline import InputError, Net, Plan
from fallline.torch import find_rate

CHANCE = torch.Generator().manual_seed(2)
X = torch.randn(256, 5, generator=CHANCE)
Y = (X[:, 0] * X[:, 1] > 0).long()


def network():
    torch.manual_seed(0)
    return Net(nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 2)), (X, Y))


def test_the_pick_lies_in_its_interval_walks_well_and_the_module_stays():
    net, chance = network(), torch.get_rng_state()
    start = net.start().copy()
    plan = Plan(step="adam", batch_size=32, rate=1.0, schedule="cosine", amount=12.0)
    found = find_rate(net, plan)
    assert np.array_equal(net.start(), start)
    assert torch.equal(torch.get_rng_state(), chance)
    assert found.low <= found.pick <= found.high <= found.edge
    assert found.losses.shape[0] == 3
    assert found.left.shape == (2, 6)
    assert "cosine" in str(found)
    ends = {
        rate: Plan(**{**plan.as_dict(), "rate": rate}).run(net).trace.last("loss") for rate in (found.pick, 1e-4, 3.0)
    }
    assert ends[found.pick] < 0.7 * min(ends[1e-4], ends[3.0])


def test_a_plan_without_a_rate_is_refused():
    with pytest.raises(InputError, match="takes no rate"):
        find_rate(network(), Plan())
