"""Schedules: rates of torch's and scikit-learn's schedules where they have one, and the same numbers compiled."""

import math

import numpy as np
import pytest

from fallline import schedules
from fallline.kernels.sweep import rates
from fallline.schedules import SCHEDULES, Constant, ReduceOnPlateau, Warmup
from fallline.trace import Trace
from tolerances import EXACT

torch = pytest.importorskip("torch")
lr = torch.optim.lr_scheduler

EPOCHS = 100
TORCH = {
    "constant": (Constant(0.3), lambda o: lr.ConstantLR(o, factor=1.0)),
    "step": (schedules.StepDecay(0.3, 7, 0.5), lambda o: lr.StepLR(o, 7, 0.5)),
    "exponential": (schedules.Exponential(0.3, 0.97), lambda o: lr.ExponentialLR(o, 0.97)),
    "inverse_time": (schedules.InverseTime(0.3, 0.1), lambda o: lr.LambdaLR(o, lambda e: 1 / (1 + 0.1 * e))),
    "polynomial": (schedules.Polynomial(0.3, 60, 2.0), lambda o: lr.PolynomialLR(o, 60, 2.0)),
    "cosine": (schedules.Cosine(0.3, EPOCHS, 0.01), lambda o: lr.CosineAnnealingLR(o, EPOCHS, 0.01)),
    "warm_restarts": (
        schedules.WarmRestarts(0.3, 9, 2, 0.01),
        lambda o: lr.CosineAnnealingWarmRestarts(o, 9, 2, 0.01),
    ),
    "warm_restarts of one length": (
        schedules.WarmRestarts(0.3, 9, 1),
        lambda o: lr.CosineAnnealingWarmRestarts(o, 9, 1),
    ),
    "one_cycle": (
        schedules.OneCycle(0.3, EPOCHS, 0.25, 10.0, 1e3),
        lambda o: lr.OneCycleLR(
            o, 0.3, EPOCHS, pct_start=0.25, div_factor=10.0, final_div_factor=1e3, cycle_momentum=False
        ),
    ),
    "cyclic": (schedules.Cyclic(0.3, 0.02, 12), lambda o: lr.CyclicLR(o, 0.02, 0.3, 12, cycle_momentum=False)),
    "warm-up": (Warmup(Constant(0.3), 20), lambda o: lr.LinearLR(o, 1 / 20, 1.0, 19)),
}


def each(t):
    """Rates of steps 1 … t of a schedule."""
    return lambda schedule: [schedule.at(k) for k in range(1, t + 1)]


def torch_rates(make):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler, out = make(optimizer), []
    for _ in range(EPOCHS):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return out


@pytest.mark.parametrize("name", TORCH)
def test_a_schedule_is_torchs_epoch_by_epoch(name):
    schedule, make = TORCH[name]
    theirs = torch_rates(make)
    assert each(EPOCHS)(schedule) == pytest.approx(theirs, rel=EXACT * 100, abs=1e-15)  # torch multiplies step by step


def test_inverse_scaling_and_optimal_are_scikit_learns():
    eta0, power, alpha = 0.3, 0.4, 1e-3
    t0 = 1.0 / (alpha * eta0)
    for t in (1, 2, 10, 1000):
        assert schedules.InverseScaling(eta0, power).at(t) == pytest.approx(eta0 / t**power, rel=EXACT)
        assert schedules.Optimal(eta0, alpha).at(t) == pytest.approx(1.0 / (alpha * (t0 + t - 1)), rel=EXACT)


def test_inverse_sqrt_halves_when_the_steps_are_four_times_as_many():
    schedule = schedules.InverseSqrt(0.3)
    assert schedule.at(4) == pytest.approx(0.15, rel=EXACT)
    assert schedule.at(400) == pytest.approx(schedule.at(100) / 2, rel=EXACT)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_starts_at_or_climbs_to_its_rate_and_is_never_negative(name):
    schedule = SCHEDULES[name](0.25)
    climb = each(10_000)(schedule)
    assert max(climb) == pytest.approx(0.25, rel=EXACT)
    assert min(climb) >= 0.0
    if name not in ("one_cycle", "cyclic"):
        assert climb[0] == 0.25


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_positive_until_its_end(name):
    assert min(each(1000)(SCHEDULES[name](0.25))) > 0.0


@pytest.mark.parametrize("name", SCHEDULES)
def test_warm_up_goes_before_any_schedule(name):
    schedule = SCHEDULES[name](0.25)
    warm = Warmup(schedule, 20)
    assert warm.at(1) == pytest.approx(schedule.at(1) / 20, rel=EXACT)
    assert warm.at(10) == pytest.approx(schedule.at(10) / 2, rel=EXACT)
    assert each(60)(warm)[19:] == each(60)(schedule)[19:]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warm", [False, True])
def test_a_schedule_is_the_same_compiled(name, warm):
    schedule = Warmup(SCHEDULES[name](0.25), 30) if warm else SCHEDULES[name](0.25)
    for t in (0, 990, 3990):  # across the default ends, periods and cycles
        out = np.empty(40)
        rates(schedule, t, out)
        python = [schedule.at(k) for k in range(t + 1, t + 41)]
        np.testing.assert_allclose(out, python, rtol=EXACT, atol=EXACT * 1e-3)


@pytest.mark.parametrize(("steps", "warm"), [(10, 0.1), (4, 0.25), (10, 0.05), (10, 1.0), (1, 0.3)])
def test_one_cycle_is_a_number_however_short_its_climb(steps, warm):
    schedule = schedules.OneCycle(0.3, steps, warm)
    climb = each(steps + 3)(schedule)
    assert all(math.isfinite(rate) and 0.0 < rate <= 0.3 for rate in climb)
    assert climb[-1] == climb[steps - 1]


@pytest.mark.parametrize("name", ["polynomial", "cosine", "one_cycle"])
def test_a_schedule_with_an_end_stays_there(name):
    schedule = SCHEDULES[name](0.25)
    assert schedule.at(5000) == schedule.at(1_000_000) < 0.25


def plateau_trace(losses):
    trace = Trace()
    trace.columns["loss"] = [99.0, *losses]  # the first entry is the start
    return trace


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_reduce_on_plateau_is_torchs_on_any_losses(patience):
    chance = np.random.default_rng(5)
    losses = np.maximum(2.0 * 0.9 ** np.arange(60), 0.3) + chance.normal(scale=0.02, size=60)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = lr.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience, threshold=1e-3, eps=0.0)
    ours, found = ReduceOnPlateau(0.3, 0.5, patience, 1e-3), []
    for k in range(60):
        theirs.step(losses[k])
        pace = ours.react(plateau_trace(losses[: k + 1].tolist()))
        found.append(pace.rate)
        assert pace.rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=EXACT), k
    assert found[0] == 0.3
    assert found[-1] < 0.3 / 8


def test_warm_up_lets_a_plateau_be_seen():
    trace = plateau_trace([1.0] * 8)
    pace = Warmup(ReduceOnPlateau(0.3, 0.5, patience=2), 10).react(trace)
    assert pace.at(5) == pytest.approx(0.5 * ReduceOnPlateau(0.3, 0.5, patience=2).react(trace).rate, rel=EXACT)
    assert pace.at(50) < 0.3
    assert Warmup(Constant(0.3), 10).react(trace).at(50) == 0.3
