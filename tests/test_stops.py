"""Stopping rules: each fires with its sentence, a near miss does not, and budgets are kept to the step."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.descent import descend
from fallline.objectives import Function, Linear
from fallline.samplers import Batch, InOrder, Shuffled, WithReplacement
from fallline.schedules import Constant
from fallline.steps import Plain
from fallline.stops import (
    STOPS,
    AllOf,
    AnyOf,
    Diverged,
    Epochs,
    GradientNorm,
    LossChange,
    NoBetter,
    Seconds,
    TargetLoss,
    Updates,
    UpdateSize,
    Visits,
)
from fallline.trace import Trace


def trace(n=10, **columns):
    """A trace with these columns and, where none is named, what a walk of ten rows a look would have."""
    looks = len(next(iter(columns.values())))
    out = Trace(n)
    usual = {"t": range(looks), "visits": range(0, 10 * looks, 10), "loss": np.linspace(1.0, 0.5, looks).tolist()}
    for name in ("seconds", "rate", "move", "size"):
        usual[name] = [1.0] * looks
    out.columns = {name: list(column) for name, column in {**usual, **columns}.items()}
    return out


FIRES = {
    "updates": (Updates(1200), trace(t=[0, 1200]), trace(t=[0, 1199]), "made its 1,200 updates"),
    "visits": (Visits(5e3), trace(visits=[0, 5000]), trace(visits=[0, 4999]), "made its 5,000 row visits"),
    "epochs": (Epochs(2.5), trace(visits=[0, 25]), trace(visits=[0, 24]), "made its 2.5 passes over the rows"),
    "seconds": (Seconds(1.5), trace(seconds=[0.0, 1.5]), trace(seconds=[0.0, 1.49]), "used its 1.5 seconds"),
    "gradient_norm": (
        GradientNorm(1e-3),
        trace(gradient_norm=[1.0, 9e-4]),
        trace(gradient_norm=[1e-4, 1.1e-3]),
        "the gradient's norm, 0.0009, is at most 0.001",
    ),
    "loss_change": (
        LossChange(0.01, 2),
        trace(loss=[5.0, 1.0, 0.995, 0.991]),
        trace(loss=[5.0, 1.0, 0.98, 0.979]),
        "the loss changed by less than 0.01 of itself in each of the last 2 looks",
    ),
    "update_size": (
        UpdateSize(1e-3),
        trace(move=[0.0, 0.002], size=[0.0, 2.0]),
        trace(move=[0.0, 0.0021], size=[0.0, 2.0]),
        "the last segment moved the point by 0.002, at most 0.001 of its length",
    ),
    "target_loss": (
        TargetLoss(0.25),
        trace(loss=[1.0, 0.25]),
        trace(loss=[0.2, 0.2501]),
        "the loss, 0.25, reached its target 0.25",
    ),
    "no_better": (
        NoBetter(None, 2, 0.01),
        trace(validation_loss=[2.0, 1.0, 0.995, 1.5]),
        trace(validation_loss=[2.0, 1.0, 1.5, 0.98]),
        "no better on validation rows for 2 looks (best 1)",
    ),
    "diverged": (
        Diverged(10.0),
        trace(loss=[2.0, 22.1], t=[0, 1234]),
        trace(loss=[2.0, 21.9]),
        "diverged: the loss grew from 2 to 22.1 by update 1,234",
    ),
}


def test_every_stop_is_tried():
    assert set(FIRES) == set(STOPS)
    assert {type(rule) for rule, *_ in FIRES.values()} == set(STOPS.values())


@pytest.mark.parametrize("name", FIRES)
def test_a_stop_fires_with_its_sentence_and_a_near_miss_does_not(name):
    rule, enough, near, sentence = FIRES[name]
    assert rule.reason(enough) == sentence
    assert rule.reason(near) == ""


@pytest.mark.parametrize("name", FIRES)
def test_a_stop_says_nothing_at_the_start_of_an_ordinary_walk(name):
    rule = FIRES[name][0]
    assert rule.reason(trace(loss=[1.0], gradient_norm=[1.0], validation_loss=[1.0])) == ""


@pytest.mark.parametrize("name", STOPS)
def test_a_default_stop_leaves_room_for_a_step(name):
    rule = STOPS[name](None) if name == "no_better" else STOPS[name]()
    assert rule.room(trace(t=[0], visits=[0]), 10) >= 1


def test_no_loss_change_is_seen_before_there_are_looks_enough():
    assert LossChange(0.01, 3).reason(trace(loss=[1.0, 1.0, 1.0])) == ""
    assert LossChange(0.01, 3).reason(trace(loss=[1.0, 1.0, 1.0, 1.0])) != ""


def test_a_loss_that_rises_is_a_change():
    assert LossChange(0.01, 1).reason(trace(loss=[1.0, 1.5])) == ""


def test_a_walk_that_begins_at_a_loss_of_zero_has_not_diverged_by_leaving_it():
    """The perceptron's loss at w = 0."""
    rule = Diverged(10.0)
    assert rule.reason(trace(loss=[0.0, 0.3, 0.2])) == ""
    assert rule.reason(trace(loss=[0.0, 0.3, 2.9])) == ""
    assert rule.reason(trace(loss=[0.0, 0.3, 3.1])).startswith("diverged: the loss grew from 0 to 3.1")


def test_negative_losses_diverge_upwards_only():
    assert Diverged(10.0).reason(trace(loss=[-2.0, -500.0])) == ""
    assert Diverged(10.0).reason(trace(loss=[-2.0, 18.1])) != ""


YES, NO = TargetLoss(1e9), TargetLoss(-1e9)


def test_any_of_gives_the_first_reason():
    seen = trace(t=[0, 50], loss=[1.0, 0.5])
    assert AnyOf([NO, Updates(50), YES]).reason(seen) == "made its 50 updates"
    assert AnyOf([NO, Updates(51)]).reason(seen) == ""
    assert AnyOf([]).reason(seen) == ""


def test_all_of_waits_for_every_reason_and_gives_them_all():
    seen = trace(t=[0, 50], loss=[1.0, 0.5])
    both = AllOf([Updates(50), TargetLoss(0.5)]).reason(seen)
    assert both == "made its 50 updates and the loss, 0.5, reached its target 0.5"
    assert AllOf([Updates(50), NO]).reason(seen) == ""
    assert AllOf([]).reason(seen) == ""
    assert AnyOf([AllOf([YES, NO]), AllOf([YES, Updates(50)])]).reason(seen) != ""


def test_room_is_what_the_tightest_of_any_and_the_loosest_of_all_leave():
    seen = trace(t=[0, 4], visits=[0, 40])
    assert AnyOf([Updates(10), Visits(70), NO]).room(seen, 10) == 3
    assert AllOf([Updates(10), Visits(70)]).room(seen, 10) == 6
    assert AllOf([Updates(10), NO]).room(seen, 10) == math.inf
    assert AllOf([Updates(2), Visits(70)]).room(seen, 10) == 3  # a budget that is spent leaves none


def test_combined_rules_ask_for_all_their_gauges():
    rows = Function(lambda w: 0.0, lambda w: w, 0.0)
    gauges = AnyOf([Updates(10), AllOf([GradientNorm(), NoBetter(rows)])]).gauges()
    assert [gauge.name() for gauge in gauges] == ["gradient_norm", "validation_loss"]


X = np.random.default_rng(1).normal(size=(10, 2))
ROWS = Linear(X, X @ [1.0, -2.0] + 0.5)


def walk(stop, sampler=Shuffled(4), rate=0.05, **options):  # noqa: B008 - a value that never changes
    return descend(ROWS, sampler=sampler, step=Plain(), schedule=Constant(rate), stop=stop, **options)


SAMPLERS = [Batch(), Batch(7), Shuffled(), Shuffled(4), Shuffled(100), WithReplacement(3), InOrder(10)]
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=str)


@each_sampler
@given(limit=st.integers(1, 40))
def test_a_budget_of_updates_is_kept_exactly(sampler, limit):
    run = walk(Updates(limit), sampler)
    assert run.state.t == run.trace.last("t") == limit
    assert run.reason == f"made its {limit} updates"


@each_sampler
@given(limit=st.integers(1, 90))
def test_a_budget_of_visits_is_spent_and_not_a_step_more(sampler, limit):
    seen = walk(Visits(limit), sampler, every=1).trace["visits"]
    assert seen[-2] < limit <= seen[-1]
    assert seen[-1] - seen[-2] <= sampler.size(10)


@each_sampler
@pytest.mark.parametrize("limit", [0.1, 0.5, 1, 1.3, 2, 2.5])
def test_a_budget_of_passes_may_be_a_fraction(sampler, limit):
    seen = walk(Epochs(limit), sampler, every=1).trace["epochs"]
    assert seen[-2] < limit <= seen[-1]
    if sampler.size(10) == 1 or limit == int(limit):
        assert seen[-1] == pytest.approx(limit, rel=1e-12)


def test_a_budget_of_seconds_is_checked_between_segments():
    run = walk(AnyOf([Seconds(1e-9), Updates(500)]))
    assert run.reason == "used its 1e-09 seconds"
    assert run.state.segments == 1


def test_the_gradients_norm_is_over_all_rows_and_zero_at_the_optimum():
    run = walk(AnyOf([GradientNorm(1e-6), Updates(20_000)]), Batch(10), 0.3)
    assert run.reason.startswith("the gradient's norm")
    assert np.linalg.norm(ROWS.gradient(run.w)) == pytest.approx(run.trace.last("gradient_norm"), rel=1e-12)
    np.testing.assert_allclose(run.w, [1.0, -2.0, 0.5], atol=1e-4)
    assert walk(AnyOf([GradientNorm(1e-6), Updates(5)]), Batch(), 0.3).reason == "made its 5 updates"


def test_early_stopping_reads_rows_that_the_walk_does_not_see():
    chance = np.random.default_rng(4)
    train, other = chance.normal(size=(8, 8)), chance.normal(size=(200, 8))
    held = Linear(other, other[:, 0] + chance.normal(size=200), intercept=False)
    few = Linear(train, train[:, 0] + chance.normal(size=8), intercept=False)
    run = descend(
        few, sampler=Batch(), step=Plain(), schedule=Constant(0.1), stop=AnyOf([NoBetter(held, 5), Updates(5000)])
    )
    assert run.reason.startswith("no better on validation rows for 5 looks (best ")
    losses = run.trace["validation_loss"]
    assert losses[-1] == pytest.approx(held.value(run.w), rel=1e-12)
    assert len(losses) - 1 - losses.argmin() <= 6
    assert run.trace["loss"][-1] == run.trace["loss"].min()  # on its own rows it was still going down


def test_a_stop_that_holds_at_the_start_takes_no_step():
    run = walk(TargetLoss(1e9))
    assert run.state.t == 0
    assert len(run.trace) == 1
