"""Averages: the running mean that their weights make is the mean that their names promise."""

import numpy as np
import pytest

from fallline.averages import AVERAGES, Fading, Last, PolyakRuppert, Tail
from fallline.kernels.sweep import weights
from tolerances import EXACT

POINTS = np.random.default_rng(3).normal(size=(40, 2))


def means(average):
    """The mean after every step of a walk over POINTS."""
    mean, out = np.full(2, 1e6), []  # a start that must be forgotten at once
    for t, w in enumerate(POINTS, start=1):
        mean = mean + average.weight(t) * (w - mean) if average.weight(t) < 1.0 else w
        out.append(mean)
    return np.array(out)


def test_last_is_the_last_point():
    np.testing.assert_array_equal(means(Last()), POINTS)


@pytest.mark.parametrize("start", [1, 2, 17])
def test_polyak_ruppert_is_the_mean_of_every_point_from_its_start_on(start):
    before = POINTS[: start - 1]
    after = [POINTS[start - 1 : t].mean(axis=0) for t in range(start, 41)]
    np.testing.assert_allclose(means(PolyakRuppert(start)), [*before, *after], rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize(("share", "kept"), [(0.5, 20), (0.25, 10), (0.9, 36), (0.7, 28), (0.1, 4), (1.0, 40)])
def test_tail_is_the_mean_of_the_last_share_of_the_walk(share, kept):
    np.testing.assert_allclose(means(Tail(40, share))[-1], POINTS[40 - kept :].mean(axis=0), rtol=EXACT, atol=EXACT)


def test_tail_is_the_last_point_before_its_share_begins():
    np.testing.assert_array_equal(means(Tail(40, 0.5))[:20], POINTS[:20])


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.99])
def test_fading_weighs_points_by_their_age_and_its_weights_sum_to_one(keep):
    for t in (1, 2, 7, 40):
        ages = keep ** np.arange(t - 1, -1, -1.0)
        expected = ages @ POINTS[:t] / ages.sum()
        np.testing.assert_allclose(means(Fading(keep))[t - 1], expected, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_starts_with_the_first_point_and_stays_among_them(name):
    shares = np.array([AVERAGES[name]().weight(t) for t in range(1, 3000)])
    assert shares[0] == 1.0
    assert shares.min() > 0.0
    assert shares.max() <= 1.0


@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_is_the_same_compiled(name):
    average, out = AVERAGES[name](), np.empty(50)
    weights(average, 480, out)
    np.testing.assert_allclose(out, [average.weight(t) for t in range(481, 531)], rtol=EXACT)
