"""Samplers: which rows a segment takes, in which order, and that (seed, segments) alone decide it."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.samplers import SAMPLERS, Batch, InOrder, Segment, Shuffled, WithReplacement

SETTINGS = [
    Batch(),
    Batch(steps=3),
    Shuffled(),
    Shuffled(batch=5, seed=4),
    Shuffled(batch=5, block=4),
    Shuffled(batch=100, block=64),
    WithReplacement(),
    WithReplacement(batch=5, seed=4),
    InOrder(),
    InOrder(batch=5),
]
sizes = st.integers(1, 60)


def rows(segment):
    return [step.tolist() for step in segment.steps()]


def in_turn(segment):
    return list(chain.from_iterable(rows(segment)))


def test_every_sampler_is_tried():
    assert {type(sampler) for sampler in SETTINGS} == set(SAMPLERS.values())


@given(n=sizes, batch=sizes, block=sizes, seed=st.integers(0, 5), segments=st.integers(0, 5))
def test_without_replacement_every_row_comes_exactly_once_a_pass(n, batch, block, seed, segments):
    for sampler in (Shuffled(batch, seed, block), InOrder(batch)):
        taken = rows(sampler.segment(n, segments))
        assert sorted(chain.from_iterable(taken)) == list(range(n))
        assert [len(step) for step in taken[:-1]] == [min(batch, n)] * (len(taken) - 1)
        assert 1 <= len(taken[-1]) <= min(batch, n)


@given(n=sizes, batch=sizes, seed=st.integers(0, 5), segments=st.integers(0, 5))
def test_with_replacement_draws_stay_in_range_and_come_n_a_pass(n, batch, seed, segments):
    taken = in_turn(WithReplacement(batch, seed).segment(n, segments))
    assert len(taken) == n
    assert 0 <= min(taken) <= max(taken) < n


def test_with_replacement_draws_are_independent():
    drawn = np.concatenate([WithReplacement(seed=1).segment(100, k).order for k in range(200)])
    distinct = np.mean([len(set(drawn[100 * k : 100 * k + 100].tolist())) for k in range(200)])
    assert distinct == pytest.approx(100 * (1 - np.exp(-1)), abs=1.0)  # n(1 − 1/e); its deviation is 0.2 here
    counts = np.bincount(drawn, minlength=100)
    assert counts.min() > 140  # 200 expected, deviation 14
    assert counts.max() < 260


@given(n=sizes, batch=sizes)
def test_in_order_is_the_order_of_the_table(n, batch):
    assert in_turn(InOrder(batch).segment(n, 3)) == list(range(n))


@given(n=sizes, steps=st.integers(1, 5))
def test_batch_takes_every_row_at_every_step(n, steps):
    assert rows(Batch(steps).segment(n, 3)) == [list(range(n))] * steps


@pytest.mark.parametrize("sampler", SETTINGS, ids=str)
def test_the_order_is_a_function_of_seed_and_segments_alone(sampler):
    np.random.seed(0)  # noqa: NPY002 - global chance, which must not matter
    first = [sampler.segment(37, k).order.tolist() for k in (0, 1, 2)]
    np.random.seed(1)  # noqa: NPY002 - as above
    backwards = [sampler.segment(37, k).order.tolist() for k in (2, 1, 0)]
    assert first == backwards[::-1]


@pytest.mark.parametrize("n", [37, 64])
@pytest.mark.parametrize("sampler", [Shuffled(), Shuffled(batch=5), Shuffled(block=4), WithReplacement()], ids=str)
def test_different_passes_and_different_seeds_take_different_orders(sampler, n):
    orders = [sampler.segment(n, k).order.tolist() for k in range(4)]
    orders += [sampler._replace(seed=seed).segment(n, 0).order.tolist() for seed in (1, 2)]
    assert len({tuple(order) for order in orders}) == 6
    assert orders[0] != list(range(n))


@pytest.mark.parametrize("block", [1, 4, 10])
def test_shuffling_brings_every_run_to_the_front_and_to_the_end(block):
    orders = np.array([Shuffled(seed=seed, block=block).segment(22, 0).order for seed in range(600)])
    runs = -(-22 // block)
    assert [len(set(orders[:, place].tolist())) for place in (0, 21)] == [runs, runs]


def test_blocks_keep_neighbours_together():
    order = Shuffled(block=4).segment(40, 0).order.reshape(10, 4)
    assert (np.diff(order, axis=1) == 1).all()
    assert (order[:, 0] % 4 == 0).all()


@pytest.mark.parametrize("sampler", SETTINGS, ids=str)
@given(n=sizes)
def test_size_is_the_rows_of_a_step(sampler, n):
    segment = sampler.segment(n, 0)
    assert sampler.size(n) == segment.batch == len(next(segment.steps()))
    assert len(rows(segment)) == segment.length


@pytest.mark.parametrize("sampler", SETTINGS, ids=str)
@given(n=sizes, steps=st.integers(1, 80))
def test_a_segment_cut_short_is_its_beginning(sampler, n, steps):
    segment = sampler.segment(n, 1)
    cut = segment.first(steps)
    assert cut.length == min(steps, segment.length)
    assert rows(cut) == rows(segment)[:steps]
    assert segment.first(np.inf) is segment
    assert segment.first(0.0).length == 1  # a step is the least that a segment can do


@pytest.mark.parametrize("sampler", SETTINGS, ids=str)
@given(n=sizes)
def test_visits_count_the_rows_that_were_taken(sampler, n):
    segment = sampler.segment(n, 0)
    steps = np.arange(1, segment.length + 1)
    assert segment.visits(steps).tolist() == np.cumsum([len(step) for step in rows(segment)]).tolist()


def test_a_segment_longer_than_its_order_starts_again_from_the_front():
    segment = Segment(np.arange(5), 2, 7)
    assert rows(segment) == [[0, 1], [2, 3], [4], [0, 1], [2, 3], [4], [0, 1]]
    assert segment.visits(np.arange(1, 8)).tolist() == [2, 4, 5, 7, 9, 10, 12]
