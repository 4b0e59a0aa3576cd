"""The compiled executor against `by_hand` over plain Python: every loss, step rule, sampler and storage, to rounding.

The order of rows, the rates and the weights of an average are data to a kernel, so one compilation of a loss, a rule
and a storage serves every sampler, schedule and average: they take turns inside a test.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest

from fallline.averages import Fading, Last, PolyakRuppert, Tail
from fallline.descent import by_hand, descend
from fallline.executors.compiled import compiled
from fallline.losses import Huber, LogLoss, Softmax, SquaredError
from fallline.methods import begin, gain, update
from fallline.objectives import Linear
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.samplers import SAMPLERS, Batch, InOrder, Shuffled, WithReplacement
from fallline.schedules import Constant, Cosine, InverseTime, Warmup
from fallline.steps import STEPS, Adam, ClipNorm, ClipValue, Momentum, Plain
from fallline.stops import Updates
from oracle import ALL_LOSSES, PlainLinear, Problem, csr32, csr64, dense32, dense64
from tolerances import WALK

STORAGES = {"dense": dense64, "csr": csr64}
TURNS = [
    (Batch(3), Constant(0.02), Last(), 0),
    (Shuffled(1, seed=1), InverseTime(0.01, 0.1), PolyakRuppert(3), 4),
    (Shuffled(5, seed=2), Cosine(0.02, 20), Tail(15, 0.5), 0),
    (WithReplacement(1, seed=3), Warmup(Constant(0.01), 5), Last(), 0),
    (WithReplacement(4, seed=4), Constant(0.02), Fading(0.8), 2),
    (InOrder(7), Constant(0.02), Last(), 1),
]
STEPS_WALKED = 15  # a pass and a bit for one row a step: the last segment is cut short


def both(problem: Problem, storage: Any, step: Any, penalty: Any, turn: tuple[Any, ...]) -> tuple[Any, Any]:
    """The walk compiled over fallline's objective, and by hand over the oracle's."""
    sampler, schedule, average, every = turn
    parts = {"sampler": sampler, "step": step, "schedule": schedule, "average": average, "every": every}
    parts |= {"stop": Updates(STEPS_WALKED), "start": problem.start}
    fast = descend(problem.objective(storage, penalty), advance=compiled, **parts)
    return fast, descend(problem.plain(storage, penalty), advance=by_hand, **parts)


def assert_same_walk(fast: Any, slow: Any) -> None:
    assert fast.reason == slow.reason == "made its 15 updates"
    assert (fast.state.t, fast.state.segments) == (slow.state.t, slow.state.segments)
    np.testing.assert_allclose(fast.trace.path, slow.trace.path, rtol=WALK, atol=WALK)
    np.testing.assert_allclose(fast.trace["loss"], slow.trace["loss"], rtol=WALK, atol=WALK)
    np.testing.assert_allclose(fast.state.w, slow.state.w, rtol=WALK, atol=WALK)
    for kept, slowly in zip(fast.state.memory, slow.state.memory, strict=True):
        np.testing.assert_allclose(kept, slowly, rtol=WALK, atol=WALK)
    assert np.abs(slow.state.w - slow.trace.path[0]).max() > 1e-5  # Adadelta starts that slowly
    assert np.isfinite(slow.trace["loss"]).all()


def assert_agree(loss: Any, step: Any, storage: Any, penalty: Any = NoPenalty(), turns: Any = TURNS) -> None:  # noqa: B008 - a value
    problem = Problem(loss)
    for turn in turns:
        assert_same_walk(*both(problem, storage, step, penalty, turn))


def test_every_sampler_takes_its_turn():
    assert {type(sampler) for sampler, *_ in TURNS} == set(SAMPLERS.values())


@pytest.mark.slow
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_compiled_walks_equal_walks_by_hand(loss, step, storage):
    assert_agree(ALL_LOSSES[loss], STEPS[step](), STORAGES[storage])


FEW_LOSSES = {"squared_error": SquaredError(), "log_loss": LogLoss(), "softmax": Softmax()}
each_of_few = pytest.mark.parametrize("loss", FEW_LOSSES.values(), ids=list(FEW_LOSSES))


@each_of_few
@pytest.mark.parametrize("storage", [dense32, csr32], ids=["dense", "csr"])
@pytest.mark.parametrize("step", [Plain(), Adam()], ids=["plain", "adam"])
def test_compiled_walks_equal_walks_by_hand_in_float32(loss, step, storage):
    """Parameters and sums are float64 whatever the table is, so nothing is lost beyond the table's own digits."""
    assert_agree(loss, step, storage)


@each_of_few
@pytest.mark.parametrize("storage", STORAGES.values(), ids=list(STORAGES))
@pytest.mark.parametrize("penalty", [L2(0.1), L1(0.3), ElasticNet(0.5, 0.5)], ids=["l2", "l1", "elasticnet"])
def test_compiled_walks_equal_walks_by_hand_with_a_penalty(loss, penalty, storage):
    assert_agree(loss, Momentum(), storage, penalty)


@pytest.mark.parametrize("penalty", [NoPenalty(), L2(0.1), L1(0.3), ElasticNet(0.5, 0.5)], ids=str)
@pytest.mark.parametrize("loss", [SquaredError(), LogLoss()], ids=str)
def test_plain_steps_that_touch_only_the_columns_of_their_rows_equal_walks_by_hand(loss, penalty):
    assert_agree(loss, Plain(), csr64, penalty)


@pytest.mark.parametrize("penalty", [L2(9.0), ElasticNet(18.0, 0.5)], ids=str)
def test_such_steps_may_shrink_the_coefficients_to_nothing_many_times_over(penalty):
    """Each step keeps a tenth: over 250 of them the scale that the kernel keeps falls below its least, twice."""
    problem = Problem(SquaredError())
    parts = {"sampler": Shuffled(1), "step": Plain(), "schedule": Constant(0.1), "stop": Updates(250)}
    fast = descend(problem.objective(csr64, penalty), advance=compiled, start=problem.start, **parts)
    slow = descend(problem.plain(csr64, penalty), advance=by_hand, start=problem.start, **parts)
    np.testing.assert_allclose(fast.w, slow.w, rtol=WALK, atol=WALK)


def test_a_step_too_long_for_that_is_walked_all_the_same():
    turns = [(Shuffled(2), Constant(0.5), Last(), 0)]  # rate·λ = 1.5: each step would turn the signs
    assert_agree(SquaredError(), Plain(), csr64, L2(3.0), turns)


@pytest.mark.parametrize("step", STEPS)
def test_compiled_walks_equal_walks_by_hand_with_elastic_net_for_every_rule(step):
    assert_agree(Huber(), STEPS[step](), dense64, ElasticNet(0.3, 0.5))


@each_of_few
@pytest.mark.parametrize("storage", STORAGES.values(), ids=list(STORAGES))
@pytest.mark.parametrize(
    "step",
    [ClipNorm(Adam(), 0.2), ClipValue(Momentum(), 0.1), ClipNorm(ClipValue(Plain(), 0.1), 0.15)],
    ids=["norm", "value", "both"],
)
def test_compiled_walks_equal_walks_by_hand_with_clipping(loss, step, storage):
    assert_agree(loss, step, storage, L1(0.05))


@pytest.mark.parametrize("storage", STORAGES.values(), ids=list(STORAGES))
def test_compiled_walks_equal_walks_by_hand_without_an_intercept(storage):
    problem = Problem(SquaredError())
    fast_objective = Linear(storage(problem.X), problem.y, intercept=False)
    slow_objective = PlainLinear(storage(problem.X), problem.y, SquaredError(), NoPenalty(), intercept=False)
    for sampler, schedule, average, every in TURNS:
        parts = {"sampler": sampler, "step": Adam(), "schedule": schedule, "average": average, "every": every}
        parts |= {"stop": Updates(STEPS_WALKED), "start": problem.start[:3]}
        fast = descend(fast_objective, advance=compiled, **parts)
        assert_same_walk(fast, descend(slow_objective, advance=by_hand, **parts))


class ByLength(NamedTuple):
    """Somebody's own rule: steps of one length, which needs the whole gradient before the first coordinate."""

    def start(self, w: Any) -> Any:
        return ()

    def begin(self, t: Any, g: Any) -> Any:
        return 1.0 / ((g * g).sum() ** 0.5 + 1e-12)

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        return g * c, memory

    def gain(self, memory: Any, c: Any) -> Any:
        return c


class Halved(NamedTuple):
    """Somebody's own rule around another."""

    step: Any

    def start(self, w: Any) -> Any:
        return self.step.start(w)

    def begin(self, t: Any, g: Any) -> Any:
        return begin(self.step, t, g)

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        return update(self.step, 0.5 * g, w, memory, c)

    def gain(self, memory: Any, c: Any) -> Any:
        return 0.5 * gain(self.step, memory, c)


@pytest.mark.parametrize("storage", STORAGES.values(), ids=list(STORAGES))
@pytest.mark.parametrize("step", [ByLength(), Halved(ByLength()), Halved(Momentum())], ids=str)
def test_somebodys_own_rule_is_walked_like_ours(step, storage):
    assert_agree(SquaredError(), step, storage, ElasticNet(0.1, 0.5))


class Cauchy(NamedTuple):
    """Somebody's own loss, ½·log(1 + r²)."""

    def value(self, y: float, z: float) -> float:
        return 0.5 * np.log1p((z - y) * (z - y))

    def derivative(self, y: float, z: float) -> float:
        return (z - y) / (1.0 + (z - y) * (z - y))

    def curvature(self, y: float, z: float) -> float:
        return 1.0

    def accepts(self, y: float) -> bool:
        return True

    def mean(self, z: float) -> float:
        return z

    def smooth(self) -> bool:
        return True


def test_somebodys_own_loss_is_walked_like_ours():
    assert_agree(Cauchy(), Adam(), dense64)
