"""The rate finder: it finds a rate that walks well, says how sure it is, and leaves the module alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fallline import InputError, Net, Plan
from fallline.figures import draw_finder, finder_of
from fallline.report.pictures import picture_of
from fallline.torch import find_rate
from fallline.torch.finder import FoundRate, Heat, rounded
from fallline.torch.finder import _pick as pick

CHANCE = torch.Generator().manual_seed(2)
X = torch.randn(256, 5, generator=CHANCE)
Y = (X[:, 0] * X[:, 1] > 0).long()


def network():
    torch.manual_seed(0)
    return Net(nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 2)), (X, Y))


PLAN = Plan(step="adam", batch_size=32, rate=1.0, schedule="cosine", amount=12.0)


@pytest.fixture(scope="module")
def found():
    net, chance = network(), torch.get_rng_state()
    start = net.start().copy()
    found = find_rate(net, PLAN)
    assert np.array_equal(net.start(), start)
    assert torch.equal(torch.get_rng_state(), chance)
    return found


def test_the_pick_lies_in_its_interval_and_walks_well(found):
    assert found.low <= found.pick <= found.high
    assert found.losses.shape[0] == 3
    first, second = found.heats
    assert first.left.shape == (2, len(first.rates))
    assert len(first.rates) >= 6
    assert len(second.rates) >= 3
    assert found.low == min(first.rates[0], second.rates[0])
    assert "cosine" in str(found)
    ends = {rate: replace(PLAN, rate=rate).run(network()).trace.last("loss") for rate in (found.pick, 1e-4, 3.0)}
    assert ends[found.pick] < 0.7 * min(ends[1e-4], ends[3.0])


def test_the_picture_has_the_ramps_the_interval_the_race_and_the_pick(found):
    band, ramps, first, _, second, lost = found.plot().data
    seen = len(ramps.x)
    assert np.array_equal(ramps.x, found.rates[:seen])
    assert found.rates[seen - 1] > found.edge
    inside = found.rates[:seen] <= found.edge
    mean = np.exp(np.log(found.losses[:, :seen]).mean(axis=0))
    np.testing.assert_allclose(np.array(ramps.y)[inside], mean[inside])
    top, bottom = np.array(band.y[:seen])[inside], np.array(band.y[seen:][::-1])[inside]
    assert (bottom <= mean[inside] * (1 + 1e-9)).all()
    assert (top >= mean[inside] * (1 - 1e-9)).all()
    for drawn, heat in zip((first, second), found.heats, strict=True):
        shown = len(drawn.x)
        assert np.array_equal(drawn.x, heat.rates[:shown])
        assert shown >= 2
        np.testing.assert_allclose(drawn.y + np.array(drawn.error_y.array), heat.left.max(axis=0)[:shown])
    ups = {shape.x0 for shape in found.plot().layout.shapes}
    assert ups == {found.low, found.edge, found.pick}
    heat = found.heats[1]
    left = heat.left.copy()
    left[1, -1] = np.inf
    lost = replace(found, heats=(found.heats[0], heat._replace(left=left)))
    *_, race, cross = draw_finder(finder_of(lost), "dark").data
    assert list(cross.x) == [heat.rates[-1]]
    assert np.isfinite(race.y).all()
    page = picture_of("extra-0", lost.plot())
    assert f"{found.pick:.3g}" in page.title
    assert "ran away" in page.how


def test_a_heat_is_lowest_where_its_parabola_is_and_the_pick_follows_the_drift_down_to_the_next_rate():
    rates = np.geomspace(1e-3, 1e-1, 7)

    def heat(share, best):
        loss = np.exp(0.1 * np.log(rates / best) ** 2)
        return Heat(share, rates, np.array([loss * 2.0, loss / 2.0]))

    assert heat(0.1, 0.01).best == pytest.approx(0.01)
    assert Heat(0.1, rates[:3], np.array([[3.0, 2.0, 1.0]])).best == rates[2]
    assert pick(heat(0.1, 0.012), heat(0.5, 0.01)) == pytest.approx(0.01 * 0.5 ** (np.log(1.2) / np.log(5)))
    assert pick(heat(0.1, 0.09), heat(0.5, 0.01)) == rates[2]
    assert pick(heat(0.1, 0.008), heat(0.5, 0.01)) == pytest.approx(0.01)


def test_rounding_does_not_take_the_pick_out_of_its_interval():
    assert rounded(0.0123456, 0.0123456, 1.0) == 0.0123456
    assert rounded(0.0123678, 0.001, 0.0123678) == 0.0123678
    assert rounded(0.0123678, 0.001, 1.0) == 0.0124


@pytest.mark.parametrize(
    ("left", "says"),
    [([3.0, 2.0, 1.0], "a higher rate may"), ([1.0, 2.0, 3.0], "a lower rate may"), ([2.0, 1.0, 3.0], "")],
)
def test_a_race_that_was_best_at_an_end_says_that_it_found_no_minimum(left, says):
    heat = Heat(0.3, np.array([0.01, 0.02, 0.04]), np.array([left]))
    found = FoundRate(0.04, 0.01, 0.04, 0.1, 0.1, np.zeros(1), np.zeros((3, 1)), (heat, heat), Plan(step="adam"))
    assert ("no minimum" in str(found)) == bool(says)
    assert says in str(found)


def test_a_plan_without_a_rate_is_refused():
    with pytest.raises(InputError, match="takes no rate"):
        find_rate(network(), Plan())
