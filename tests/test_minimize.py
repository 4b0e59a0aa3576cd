"""Any function: minimize arrives where it should, says why it ended, and refuses what it cannot walk."""

import math

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, rosen, rosen_der
from scipy.optimize import minimize as scipys

from fallline.descent import descend
from fallline.errors import InputError
from fallline.functions.minimize import maximize, minimize
from fallline.functions.surfaces import bowl, rosenbrock, styblinski_tang
from fallline.objectives import Function
from fallline.samplers import Batch
from fallline.schedules import Constant, Cosine
from fallline.steps import STEPS, Adam, ClipNorm, Momentum, Plain
from fallline.stops import AnyOf, GradientNorm, TargetLoss, Updates

LANDED = 1e-4
"""A gradient norm of 1e-6 over a smallest curvature of a hundredth or more."""


def square(w):
    return float(np.sum((w - 3.0) ** 2))


def slope(w):
    return 2.0 * (w - 3.0)


def test_the_result_is_scipys_with_the_trace_and_the_run():
    result = minimize(square, [0.0, 1.0], slope)
    assert isinstance(result, OptimizeResult)
    assert result.success
    assert result.status == 0
    np.testing.assert_allclose(result.x, 3.0, atol=LANDED)
    assert result.fun == pytest.approx(square(result.x))
    np.testing.assert_allclose(result.jac, slope(result.x))
    assert result.nit == result.trace["t"][-1] == result.run.state.t
    assert result.gradient_source == "given"
    assert result.run.trace is result.trace


@pytest.mark.parametrize("size", [2, 5])
def test_the_walk_and_scipys_bfgs_agree_on_rosenbrock(size):
    start = rosenbrock(size).start
    ours, theirs = minimize(rosen, start, rosen_der), scipys(rosen, start, jac=rosen_der)
    assert ours.success, ours.message
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-3)
    assert ours.nit > 20  # it was not there already


def test_calls_are_counted_as_they_were_made():
    calls = {"f": 0, "gradient": 0}

    def f(w):
        calls["f"] += 1
        return square(w)

    def gradient(w):
        calls["gradient"] += 1
        return slope(w)

    result = minimize(f, np.zeros(4), gradient)
    assert result.nfev <= calls["f"] <= result.nfev + 1  # f is also seen once to refuse what is no number
    assert result.njev == calls["gradient"]
    calls["f"] = 0
    result = minimize(f, np.zeros(4))
    assert result.nfev <= calls["f"] <= result.nfev + 1
    assert result.nfev >= 2 * (4 + 1) * result.njev


def test_without_a_gradient_it_differences_and_says_so():
    surface = styblinski_tang()
    given, taken = minimize(surface.f, surface.start, surface.gradient), minimize(surface.f, surface.start)
    np.testing.assert_allclose(taken.x, given.x, atol=LANDED)
    assert taken.gradient_source == "central differences (scipy.optimize.approx_fprime)"
    assert "gradient by central differences" in taken.message
    assert "differences" not in given.message


def test_maximize_is_minimize_of_minus_f_and_answers_in_terms_of_f():
    def f(w):
        return 5.0 - square(w)

    top, bottom = maximize(f, [0.0], lambda w: -slope(w)), minimize(lambda w: -f(w), [0.0], slope)
    assert top.success
    np.testing.assert_array_equal(top.x, bottom.x)
    assert top.fun == f(top.x) == -bottom.fun
    np.testing.assert_array_equal(top.jac, -slope(top.x))
    np.testing.assert_array_equal(top.trace["loss"], bottom.trace["loss"])  # the trace is of −f, which goes down
    assert top.trace.about["loss"] == "−f"
    np.testing.assert_allclose(maximize(f, [0.0]).x, 3.0, atol=LANDED)


@pytest.mark.parametrize("name", [name for name in STEPS if name not in ("lion", "adamw", "adadelta", "adagrad")])
def test_every_rule_finds_a_rate_of_its_own(name):
    # Lion hops about, AdamW pulls towards zero, AdaGrad and Adadelta creep: they rest elsewhere or later, by design
    surface = styblinski_tang()
    result = minimize(surface.f, surface.start, surface.gradient, step=name)
    assert result.success, result.message
    np.testing.assert_allclose(result.x, surface.minima[0], atol=LANDED)
    assert result.nit > 5


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e8])
@pytest.mark.parametrize("condition", [1.0, 100.0, 1e4])
def test_the_rate_that_sets_itself_needs_no_scale(scale, condition):
    surface = bowl(condition)
    result = minimize(
        lambda w: scale * surface.f(w), surface.start, lambda w: scale * surface.gradient(w), updates=2000
    )
    assert result.success, result.message
    assert surface.f(result.x) < 1e-4 * surface.f(surface.start)


def test_the_cautious_rate_holds_where_the_bold_one_runs_away():
    def f(w):  # curvature falls off in every direction (Burdakov, Dai & Huang 2019)
        return float(np.sum(np.sqrt(1.0 + w**2)))

    chance = np.random.default_rng(0)
    for _ in range(10):
        result = minimize(f, chance.uniform(-20, 20, 3), lambda w: w / np.sqrt(1.0 + w**2))
        assert result.success, result.message
        np.testing.assert_allclose(result.x, 0.0, atol=LANDED)


def test_parts_and_names_and_numbers_make_the_same_walk():
    surface = bowl(50.0)
    by_name = minimize(surface.f, surface.start, surface.gradient, step="momentum", rate=0.01, schedule="cosine")
    by_part = minimize(surface.f, surface.start, surface.gradient, step=Momentum(), schedule=Cosine(0.01))
    np.testing.assert_array_equal(by_name.trace.path, by_part.trace.path)
    other = minimize(surface.f, surface.start, surface.gradient, step="momentum", rate=0.01)
    assert other.nit != by_name.nit


def test_a_constant_rate_is_the_loop_and_nothing_else():
    surface = bowl(50.0)
    ours = minimize(surface.f, surface.start, surface.gradient, rate=0.02, stop=Updates(100))
    objective = Function(surface.f, surface.gradient, surface.start)
    run = descend(objective, sampler=Batch(), step=Plain(), schedule=Constant(0.02), stop=Updates(100))
    np.testing.assert_array_equal(ours.x, run.w)
    np.testing.assert_array_equal(ours.trace["loss"], run.trace["loss"])


def test_a_result_can_be_walked_on_from():
    surface = bowl(50.0)
    short = minimize(surface.f, surface.start, surface.gradient, rate=0.02, stop=Updates(40))
    objective = Function(surface.f, surface.gradient, surface.start)
    parts = {"sampler": Batch(), "step": Plain(), "schedule": Constant(0.02)}
    long = minimize(surface.f, surface.start, surface.gradient, rate=0.02, stop=Updates(100))
    on = descend(objective, **parts, stop=AnyOf((Updates(100),)), start=short.run)
    np.testing.assert_array_equal(on.w, long.x)


@pytest.mark.parametrize(
    ("stop", "success", "status", "words"),
    [
        (Updates(7), False, 1, "Made its 7 updates; the gradient's norm is"),
        (TargetLoss(0.5), True, 0, "reached its target 0.5"),
        (GradientNorm(1.0), True, 0, "is at most 1 after"),
        (AnyOf((TargetLoss(-1.0), GradientNorm(1e-3))), True, 0, "is at most 0.001"),
    ],
)
def test_the_message_says_why_it_ended(stop, success, status, words):
    surface = bowl(50.0)
    result = minimize(surface.f, surface.start, surface.gradient, rate=0.02, stop=stop)
    assert (result.success, result.status) == (success, status)
    assert words in result.message


def test_the_budget_holds_whatever_the_stop():
    surface = bowl(50.0)
    result = minimize(surface.f, surface.start, surface.gradient, rate=1e-6, stop=TargetLoss(-1.0), updates=33)
    assert result.nit == 33
    assert not result.success


@pytest.mark.parametrize(("step", "limit"), [(Plain(), 2 / 50), (Momentum(0.9), 2 * 1.9 / 50)])
def test_a_diverged_run_names_its_rate_and_one_that_holds(step, limit):
    surface = bowl(50.0)
    result = minimize(surface.f, surface.start, surface.gradient, step=step, rate=1.0)
    assert not result.success
    assert result.status == 2
    assert result.message.startswith("Diverged: the loss grew from 102 to")
    assert "at rate 1; " in result.message
    held = float(result.message.split("; ")[1].split(" would")[0])
    assert limit / 8 < held < limit
    assert minimize(surface.f, surface.start, surface.gradient, step=step, rate=held).success


def test_a_function_that_starts_at_zero_is_not_taken_for_one_that_runs_away():
    surface = styblinski_tang()
    assert surface.f(surface.start) == 0.0
    result = minimize(surface.f, surface.start, surface.gradient, step="adam", rate=8.0, updates=200)
    assert max(result.trace["loss"]) > 100.0  # it rises first
    assert result.status != 2


def test_a_function_without_a_minimum_is_told_from_a_rate_too_large():
    result = minimize(lambda w: w[0] ** 2 - w[1] ** 2, [1.0, 0.1], lambda w: np.array([2.0, -2.0]) * w)
    assert not result.success
    assert "falls without bound" in result.message
    assert "would have held" not in result.message


def test_a_call_that_overflows_is_a_divergence_and_no_error():
    def f(w):
        return math.exp(w[0]) - 2.0 * w[0]

    assert minimize(f, [5.0]).success
    result = minimize(f, [5.0], lambda w: np.array([math.exp(w[0]) - 2.0]), rate=1e4)
    assert result.status == 2


def test_a_start_at_rest_makes_no_update():
    result = minimize(square, [3.0, 3.0], slope)
    assert result.nit == 0
    assert result.success
    assert result.message.startswith("No update was made")


def test_clipping_keeps_the_rate_that_sets_itself():
    surface = bowl(10.0)
    result = minimize(surface.f, surface.start, surface.gradient, step=ClipNorm(Plain(), 1e3))
    free = minimize(surface.f, surface.start, surface.gradient)
    np.testing.assert_array_equal(result.trace.path, free.trace.path)


@pytest.mark.parametrize(
    ("f", "w0", "gradient", "words"),
    [
        (square, [1.0, math.nan], slope, "w0 is nan in coordinate 1"),
        (square, "x", slope, "w0 is 'x': it must be a vector"),
        (square, [[1.0, 2.0]], slope, r"w0 has shape \(1, 2\)"),
        (square, [], slope, r"w0 has shape \(0,\)"),
        (lambda w: w, [1.0, 2.0], None, r"f\(w0\) is an array of shape \(2,\)"),
        (lambda w: "low", [1.0], None, r"f\(w0\) is 'low'"),
        (lambda w: 1j, [1.0], None, r"f\(w0\) is 1j"),
        (lambda w: math.nan, [1.0, 2.5], None, r"f\(w0\) is nan at w0 = \(1, 2.5\)"),
        (square, [1.0, 2.0], lambda w: w[0], r"gradient\(w0\) has shape \(1,\)"),
        (square, [1.0, 2.0], lambda w: slope(w) * [1, math.nan], r"gradient\(w0\) is nan in coordinate 1"),
        (square, [1.0, 2.0], lambda w: slope(w) * [1, -1], r"gradient\(w0\) is 2 in coordinate 1, .* by -2 a unit"),
        (square, [1.0, 2.0], lambda w: slope(w) / 2, r"gradient\(w0\) is -2 in coordinate 0, .* by -4 a unit"),
    ],
)
def test_what_cannot_be_walked_is_refused(f, w0, gradient, words):
    with pytest.raises(InputError, match=words):
        minimize(f, w0, gradient)


def test_a_gradient_of_the_wrong_sign_is_caught_when_climbing_too():
    with pytest.raises(InputError, match=r"gradient\(w0\) is -6 in coordinate 0, where f itself rises by 6"):
        maximize(lambda w: -square(w), [0.0, 0.0], slope)


@pytest.mark.parametrize(
    ("f", "w0", "gradient"),
    [
        (lambda w: abs(w).sum(), [0.0, 2.0], lambda w: np.array([0.7, 1.0])),  # at a kink, a slope in between
        (lambda w: np.float32(1000) + np.float32(np.sum(w**2)), [1.0, 2.0], lambda w: 2 * w),  # a noisy last digit
        (lambda w: float(np.sum(w**2)) * 1e12, [1e-3, 2.0], lambda w: 2e12 * w),
        (lambda w: math.nan if w[0] > 1 else (w[0] - 1) ** 2, [1.0], lambda w: 2 * (w - 1)),  # at an edge
    ],
)
def test_a_right_gradient_is_not_refused(f, w0, gradient):
    minimize(f, w0, gradient, updates=2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"step": "adm"}, "step is 'adm': it must be a part, or one of plain, momentum"),
        ({"schedule": "cosin", "rate": 0.1}, "schedule is 'cosin'"),
        ({"schedule": "cosine"}, "without a rate"),
        ({"rate": -1.0}, "rate is -1.0"),
        ({"rate": math.nan}, "rate is nan"),
        ({"rate": 0.1, "schedule": Constant(0.2)}, "give the rate inside the schedule"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        minimize(square, [0.0], slope, **settings)


def test_a_part_that_is_falsy_is_still_the_one_that_was_given():
    assert not Plain()  # a NamedTuple with no fields
    surface = bowl(50.0)
    plain = minimize(surface.f, surface.start, surface.gradient, step=Plain(), rate=0.02, stop=Updates(20))
    adam = minimize(surface.f, surface.start, surface.gradient, step=Adam(), rate=0.02, stop=Updates(20))
    assert not np.array_equal(plain.x, adam.x)
