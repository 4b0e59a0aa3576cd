"""Penalties: cost, pull and prox belong together, coordinate by coordinate and over vectors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.kernels.penalty import cost_of, pull_on, settle
from fallline.penalties import L1, L2, PENALTIES, ElasticNet, NoPenalty
from tolerances import AWAY, EXACT, SLOPE, SLOPE_STEP

SETTINGS = [
    *(part() for part in PENALTIES.values()),
    L2(0.7),
    L1(0.7),
    ElasticNet(0.7, 0.4),
    ElasticNet(0.7, 0.0),
    ElasticNet(0.7, 1.0),
]
SHARP = {
    NoPenalty: lambda penalty: 0.0,
    L2: lambda penalty: 0.0,
    L1: lambda penalty: penalty.alpha,
    ElasticNet: lambda penalty: penalty.alpha * penalty.l1_ratio,
}  # the factor of |w|: the share that prox takes care of


def of(penalty):
    return f"{type(penalty).__name__}{tuple(penalty)}"


def sharp(penalty):
    return SHARP[type(penalty)](penalty)


def test_every_penalty_is_tried():
    assert {type(penalty) for penalty in SETTINGS} == set(PENALTIES.values()) == set(SHARP)


@pytest.mark.parametrize("penalty", SETTINGS, ids=of)
@given(w=st.floats(-10, 10))
def test_pull_is_the_derivative_of_the_smooth_share(penalty, w):
    def smooth(at):
        return penalty.cost(at) - sharp(penalty) * abs(at)

    step = SLOPE_STEP * max(1.0, abs(w))
    numerical = (smooth(w + step) - smooth(w - step)) / (2 * step)
    assert penalty.pull(w) == pytest.approx(numerical, rel=SLOPE, abs=SLOPE)


@pytest.mark.parametrize("penalty", SETTINGS, ids=of)
@given(w=st.floats(-10, 10), rate=st.floats(0.0, 5.0))
def test_prox_beats_its_neighbours(penalty, w, rate):
    def height(at):
        return 0.5 * (at - w) ** 2 + rate * sharp(penalty) * abs(at)

    here = penalty.prox(w, rate)
    near = here + np.concatenate([np.linspace(-1.0, 1.0, 41), np.linspace(-AWAY, AWAY, 41), [-here]])
    assert height(here) <= min(height(at) for at in near.tolist()) + EXACT * max(1.0, height(here))


@pytest.mark.parametrize("penalty", SETTINGS, ids=of)
def test_prox_sets_small_coefficients_to_exactly_zero_and_moves_the_others(penalty):
    threshold = 0.5 * sharp(penalty)
    for w in (0.999 * threshold, -0.5 * threshold, 0.0):
        assert penalty.prox(w, 0.5) == 0.0
    for w in (2.0, -2.0):
        assert penalty.prox(w, 0.5) == pytest.approx(w - math.copysign(threshold, w), rel=EXACT)
    assert (L1(0.7).prox(0.3, 0.5), L1(0.7).prox(-0.3, 0.5)) == (0.0, 0.0)  # so that the first loop is not idle
    assert L2(0.7).prox(0.3, 0.5) == 0.3


@pytest.mark.parametrize("penalty", SETTINGS, ids=of)
def test_a_coefficient_that_is_no_number_is_not_hidden(penalty):
    assert math.isnan(penalty.prox(math.nan, 0.1))


@given(w=st.floats(-10, 10), alpha=st.floats(0, 2))
def test_elastic_net_lies_between_its_two_ends(w, alpha):
    for end, other in ((L1(alpha), ElasticNet(alpha, 1.0)), (L2(alpha), ElasticNet(alpha, 0.0))):
        assert other.cost(w) == pytest.approx(end.cost(w), rel=EXACT, abs=EXACT)
        assert other.pull(w) == pytest.approx(end.pull(w), rel=EXACT, abs=EXACT)
        assert other.prox(w, 0.3) == pytest.approx(end.prox(w, 0.3), rel=EXACT, abs=EXACT)
    mixed = 0.4 * L1(alpha).cost(w) + 0.6 * L2(alpha).cost(w)
    assert ElasticNet(alpha, 0.4).cost(w) == pytest.approx(mixed, rel=EXACT, abs=EXACT)


@pytest.mark.parametrize("penalty", SETTINGS, ids=of)
def test_over_vectors_the_first_coordinates_pay_and_the_rest_are_free(penalty):
    w = np.array([0.8, -0.05, -1.7, 3.0])
    first = w[:3].tolist()
    assert cost_of(penalty, w, 3) == pytest.approx(sum(penalty.cost(each) for each in first), rel=EXACT, abs=EXACT)
    g = np.ones(4)
    pull_on(penalty, w, 3, g)
    np.testing.assert_allclose(g, [*(1.0 + penalty.pull(each) for each in first), 1.0], rtol=EXACT)
    out, rates = w.copy(), np.array([0.1, 0.3, 0.2, 0.4])
    settle(penalty, out, rates, 3)
    settled = [penalty.prox(each, rate) for each, rate in zip(first, rates[:3].tolist(), strict=True)]
    np.testing.assert_allclose(out, [*settled, 3.0], rtol=EXACT)
