"""The loop: going on equals never stopping, looking changes nothing, and running away is a reason."""

import numpy as np
import pytest

from fallline.averages import AVERAGES, Fading, Last, PolyakRuppert, Tail
from fallline.descent import Run, by_hand, descend, looked_at
from fallline.errors import InputError
from fallline.executors.compiled import compiled
from fallline.gauges import GradientNorm as GradientNormGauge
from fallline.losses import LOSSES, SquaredError
from fallline.objectives import Function, Linear
from fallline.penalties import ElasticNet
from fallline.samplers import SAMPLERS, Batch, InOrder, Shuffled, WithReplacement
from fallline.schedules import SCHEDULES, Constant, Cosine, InverseTime, ReduceOnPlateau, Warmup
from fallline.steps import STEPS, AdaGrad, Adam, ClipNorm, Momentum, Plain
from fallline.stops import AllOf, AnyOf, Diverged, Epochs, GradientNorm, LossChange, NoBetter, TargetLoss, Updates
from fallline.trace import Trace
from oracle import Problem, dense64
from tolerances import EXACT

EXECUTORS = {"by hand": by_hand, "compiled": compiled}
PROBLEM = Problem(SquaredError())
ROWS = PROBLEM.objective(dense64)
each_executor = pytest.mark.parametrize("advance", EXECUTORS.values(), ids=list(EXECUTORS))


def walk(stop, advance=by_hand, start=PROBLEM.start, **parts):
    settings = {"sampler": Shuffled(1, seed=3), "step": Momentum(), "schedule": InverseTime(0.01, 0.01), **parts}
    return descend(ROWS, stop=stop, advance=advance, start=start, **settings)


def assert_same_walk(one, other):
    """The same bits, but for the clock."""
    assert (one.state.t, one.state.segments, one.reason) == (other.state.t, other.state.segments, other.reason)
    for ours, theirs in zip(
        (one.w, one.state.w, *one.state.memory), (other.w, other.state.w, *other.state.memory), strict=True
    ):
        assert ours.tobytes() == theirs.tobytes()
    assert one.trace.columns.keys() == other.trace.columns.keys()
    for name in one.trace.columns.keys() - {"seconds"}:
        assert one.trace[name].tobytes() == other.trace[name].tobytes(), name
    assert one.trace.path.tobytes() == other.trace.path.tobytes()


def assert_resumes(advance, **parts):
    whole = walk(Epochs(20), advance, **parts)
    half = walk(Epochs(10), advance, **parts)
    kept = half.trace["loss"].copy()
    rest = walk(Epochs(20), advance, start=half, **parts)
    assert whole.state.segments == 20
    assert_same_walk(rest, whole)
    assert half.trace["loss"].tolist() == kept.tolist()  # the first half is left as it was
    assert np.abs(whole.w - half.w).max() > 0.0


@each_executor
@pytest.mark.parametrize("name", STEPS)
def test_resuming_equals_never_stopping_for_every_step_rule(name, advance):
    assert_resumes(advance, step=STEPS[name]())


@each_executor
@pytest.mark.parametrize(
    "sampler",
    [Batch(), Shuffled(5, 1), Shuffled(1, 1, block=4), WithReplacement(1, 2), WithReplacement(5), InOrder(1)],
    ids=str,
)
def test_resuming_equals_never_stopping_for_every_sampler(sampler, advance):
    assert type(sampler) in SAMPLERS.values()
    assert_resumes(advance, sampler=sampler)


AVERAGED = [Last(), PolyakRuppert(), PolyakRuppert(start=30), Tail(240, 0.7), Fading(0.9)]


@each_executor
@pytest.mark.parametrize("average", AVERAGED, ids=str)
def test_resuming_equals_never_stopping_for_every_average(average, advance):
    assert {type(each) for each in AVERAGED} == set(AVERAGES.values())
    assert_resumes(advance, average=average)


@each_executor
@pytest.mark.parametrize("name", SCHEDULES)
def test_resuming_equals_never_stopping_for_every_schedule(name, advance):
    assert_resumes(advance, schedule=SCHEDULES[name](0.01))


@each_executor
def test_resuming_equals_never_stopping_where_the_schedule_reacts(advance):
    schedule = Warmup(ReduceOnPlateau(0.05, 0.5, patience=1, threshold=0.01), 30)
    assert_resumes(advance, schedule=schedule)
    rates = walk(Epochs(20), advance, schedule=schedule).trace["rate"]
    assert rates[-1] < rates[4] == 0.05


@each_executor
def test_resuming_equals_never_stopping_with_gauges_and_looks_between(advance):
    assert_resumes(advance, gauges=(GradientNormGauge(),), every=5, average=PolyakRuppert())


def test_resuming_may_ask_for_another_stop():
    """Ten passes, and then on until the gradient is short: the new rule's column begins where it was asked for."""
    half = walk(Epochs(10), sampler=Batch())
    rest = walk(GradientNorm(0.05), sampler=Batch(), start=half)
    assert rest.reason.startswith("the gradient's norm")
    assert rest.trace.last("gradient_norm") == pytest.approx(np.linalg.norm(ROWS.gradient(rest.w)), rel=1e-9)
    assert len(rest.trace["gradient_norm"]) == len(rest.trace)


def test_resuming_goes_on_from_a_trace_that_was_saved(tmp_path):
    parts = {"gauges": (GradientNormGauge(),)}
    half = walk(Epochs(10), **parts)
    loaded = Run(half.state, Trace.load(half.trace.save(tmp_path / "half.npz")), half.reason)
    assert_same_walk(walk(Epochs(20), start=loaded, **parts), walk(Epochs(20), **parts))


def test_a_run_that_is_over_stays_over():
    half = walk(Epochs(10))
    assert_same_walk(walk(Epochs(10), start=half), half)


@each_executor
@pytest.mark.parametrize("average", [Last(), PolyakRuppert(), Fading(0.9)], ids=str)
@pytest.mark.parametrize("every", [1, 2, 5, 12, 100])
def test_looks_inside_a_segment_are_those_that_every_step_gives(every, average, advance):
    dense = walk(Epochs(3), advance, average=average, every=1)
    some = walk(Epochs(3), advance, average=average, every=every)
    steps = some.trace["t"]
    inside = {t for t in range(1, 37) if every <= 12 and (t - 1) % 12 % every == every - 1}
    assert steps.tolist() == sorted({0, 12, 24, 36} | inside)
    assert some.trace["visits"].tolist() == dense.trace["visits"][steps].tolist()
    np.testing.assert_allclose(some.trace["loss"], dense.trace["loss"][steps], rtol=EXACT)  # summed in another order
    assert some.trace.path.tobytes() == dense.trace.path[steps].tobytes()
    assert some.w.tobytes() == dense.w.tobytes()


@each_executor
def test_looks_inside_a_segment_are_the_ends_of_segments_of_one_step(advance):
    long = walk(Updates(12), advance, sampler=Batch(12), every=1)
    short = walk(Updates(12), advance, sampler=Batch(1))
    assert (long.state.segments, short.state.segments) == (1, 12)
    for name in ("t", "visits"):
        assert long.trace[name].tolist() == short.trace[name].tolist()
    np.testing.assert_allclose(long.trace["loss"], short.trace["loss"], rtol=EXACT)  # summed in another order
    assert long.trace.path.tobytes() == short.trace.path.tobytes()


def test_looks_come_every_so_many_steps_and_at_the_end():
    assert looked_at(7, 0).tolist() == [7]
    assert looked_at(7, 3).tolist() == [3, 6, 7]
    assert looked_at(6, 3).tolist() == [3, 6]
    assert looked_at(2, 3).tolist() == [2]


@each_executor
def test_a_walk_leaves_its_start_alone(advance):
    start = PROBLEM.start.copy()
    walk(Epochs(2), advance, start=start, average=PolyakRuppert())
    assert start.tolist() == PROBLEM.start.tolist()


def test_a_walk_starts_where_the_objective_says_unless_told():
    assert walk(Updates(1), start=None).trace.path[0].tolist() == [0.0] * 4
    assert walk(Updates(1), start=[1, 2, 3, 4]).trace.path[0].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_the_answer_is_the_average_that_was_asked_for():
    plain = walk(Updates(12), sampler=Batch(), every=1)
    averaged = walk(Updates(12), sampler=Batch(), average=PolyakRuppert())
    np.testing.assert_allclose(averaged.w, plain.trace.path[1:].mean(axis=0), rtol=1e-12)
    assert averaged.state.w.tobytes() == plain.w.tobytes()  # the walk itself is not changed by averaging
    assert averaged.trace.last("loss") == pytest.approx(ROWS.value(averaged.w), rel=1e-12)


@each_executor
@pytest.mark.parametrize("sampler", [Batch(3), Shuffled(1)], ids=["batch", "stochastic"])
@pytest.mark.parametrize("name", ["squared_error", "squared_hinge", "poisson", "gamma", "tweedie"])
def test_running_away_is_a_reason_with_a_full_trace(name, sampler, advance):
    """And never a warning: those are errors here."""
    objective = Problem(LOSSES[name]()).objective(dense64)
    run = descend(objective, sampler=sampler, step=Plain(), schedule=Constant(1e4), stop=Updates(5000), advance=advance)
    assert run.diverged
    assert run.reason.startswith("diverged: the loss went from ")
    assert run.state.t < 5000
    assert {len(column) for column in run.trace.columns.values()} == {len(run.trace)}
    losses = run.trace["loss"]
    assert np.isfinite(losses[:-1]).all()
    assert not abs(losses[-1]) < 1e100


@each_executor
@pytest.mark.parametrize("name", STEPS)
def test_no_rule_warns_when_it_runs_away(name, advance):
    run = walk(Updates(60), advance, step=STEPS[name](), schedule=Constant(1e120), gauges=(GradientNormGauge(),))
    assert run.diverged or name in ("adadelta",)  # whose steps have no length of their own


@each_executor
def test_a_start_that_is_no_number_ends_at_once(advance):
    run = walk(Updates(60), advance, start=[np.nan, 0.0, 0.0, 0.0])
    assert run.reason == "diverged: the loss is no number at the start by update 0"
    assert run.state.t == 0


def test_a_function_that_runs_away_is_a_reason_too():
    bowl = Function(lambda w: float((w**4).sum()), lambda w: 4.0 * w**3, [3.0, -2.0])
    run = descend(bowl, sampler=Batch(5), step=Plain(), schedule=Constant(1.0), stop=Updates(100))
    assert run.diverged
    assert len(run.trace) == run.state.segments + 1


def test_a_walk_that_only_grows_is_caught_by_the_rule_for_it():
    run = walk(Diverged(10.0), sampler=Batch(), schedule=Constant(3.0), step=Plain())
    assert run.diverged
    assert run.reason.startswith("diverged: the loss grew from")
    assert np.isfinite(run.trace["loss"]).all()


def test_a_perceptron_that_starts_at_zero_learns():
    side = np.sign(PROBLEM.X @ [1.0, 2.0, -1.0] + 0.4)
    objective = Linear(PROBLEM.X, side, LOSSES["perceptron"]())
    run = descend(
        objective, sampler=Shuffled(), step=Plain(), schedule=Constant(0.1), stop=AnyOf([Updates(1200), Diverged()])
    )
    assert run.trace["loss"][0] == 0.0
    assert not run.diverged
    assert (np.sign(PROBLEM.X @ run.w[:3] + run.w[3]) == side).all()


def test_any_function_is_walked_down():
    def f(w):
        return float((w[0] - 3.0) ** 2 + 10.0 * (w[1] + 1.0) ** 2)

    bowl = Function(f, lambda w: np.array([2.0 * (w[0] - 3.0), 20.0 * (w[1] + 1.0)]), [0, 0])
    run = descend(bowl, sampler=Batch(), step=Adam(), schedule=Cosine(0.3, 2000), stop=Updates(2000))
    np.testing.assert_allclose(run.w, [3.0, -1.0], atol=1e-6)
    assert run.trace["epochs"].tolist() == list(range(2001))
    assert run.trace["loss"][0] == 19.0


def test_batch_descent_with_a_small_rate_never_climbs():
    run = walk(Updates(200), sampler=Batch(), step=Plain(), schedule=Constant(0.1))
    losses = run.trace["loss"]
    assert (np.diff(losses) < 0.0).all()
    assert losses[-1] < 0.9 * losses[0]


def test_a_mean_over_all_draws_of_one_row_is_the_batch_gradient():
    single = np.mean([ROWS.gradient(PROBLEM.start, np.array([i])) for i in range(ROWS.n)], axis=0)
    np.testing.assert_allclose(single, ROWS.gradient(PROBLEM.start, slice(None)), rtol=1e-12)


def test_parts_that_have_no_settings_are_parts_all_the_same():
    """A NamedTuple without fields is falsy: `step or Adam()` would lose it."""
    objective = Linear(PROBLEM.X, PROBLEM.y, SquaredError())
    run = descend(objective, sampler=Batch(), step=Plain(), schedule=Constant(0.1), stop=Updates(1), average=Last())
    np.testing.assert_allclose(run.w, -0.1 * objective.gradient(np.zeros(4)), rtol=1e-12)


def test_penalties_and_clipping_go_through_the_loop():
    objective = PROBLEM.objective(dense64, ElasticNet(5.0, 0.9))
    run = descend(objective, sampler=Batch(), step=ClipNorm(Plain(), 0.5), schedule=Constant(0.1), stop=Updates(300))
    assert run.w[:3].tolist() == [0.0, 0.0, 0.0]
    assert run.w[3] != 0.0
    assert np.linalg.norm(np.diff(run.trace.path, axis=0), axis=1).max() < 0.3


@pytest.mark.parametrize(
    "stop", [LossChange(1e-3), TargetLoss(1.0), NoBetter(ROWS, 2), GradientNorm(0.5)], ids=lambda s: type(s).__name__
)
def test_a_walk_says_why_it_ended(stop):
    run = walk(stop, sampler=Batch(), schedule=Constant(0.02))
    assert run.reason == stop.reason(run.trace) != ""
    assert not run.diverged


@each_executor
def test_a_start_of_another_size_is_refused(advance):
    with pytest.raises(InputError, match="parameters"):
        walk(Epochs(1), advance, start=np.zeros(len(PROBLEM.start) + 1))


@each_executor
def test_going_on_with_another_rule_is_refused(advance):
    run = walk(Epochs(1), advance, step=Momentum())
    with pytest.raises(InputError, match="memory"):
        walk(Epochs(2), advance, step=AdaGrad(), start=run)


def test_divergence_is_told_among_other_reasons():
    lost = walk(AllOf((Updates(5), Diverged(1.0))), schedule=Constant(10.0))
    assert lost.reason.startswith("made its 5 updates")
    assert lost.diverged
    assert not walk(Updates(5)).diverged


@pytest.mark.parametrize("sampler", [Shuffled(0), Shuffled(-1), WithReplacement(0), InOrder(0)])
def test_a_step_of_no_rows_is_refused(sampler):
    with pytest.raises(InputError, match="at least one"):
        walk(Epochs(1), sampler=sampler)
