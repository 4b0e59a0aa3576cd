"""Losses: every row of the table obeys the same laws, and agrees with scikit-learn where it has the loss."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy.special import expit, log_softmax, logit, softmax
from sklearn._loss import (
    AbsoluteError,
    HalfBinomialLoss,
    HalfGammaLoss,
    HalfPoissonLoss,
    HalfSquaredError,
    HalfTweedieLoss,
    HuberLoss,
    PinballLoss,
)
from sklearn.linear_model import _sgd_fast

import fallline.kernels.bridge  # noqa: F401 - tells Numba what the methods below mean
from fallline import losses, methods
from fallline.losses import CLASSIFICATION, LOSSES, MULTICLASS, POSITIVE, REGRESSION, Softmax
from oracle import LOSS_SETTINGS
from tolerances import AWAY, EXACT, SLOPE, SLOPE_STEP

ACCEPTED = {
    **dict.fromkeys(REGRESSION, ([-1e6, -1.0, 0.0, 0.5, 1e6], [])),
    **dict.fromkeys(CLASSIFICATION, ([-1.0, 1.0], [-2.0, 0.0, 0.5, 2.0])),
    "poisson": ([0.0, 1.0, 2.5], [-1.0, -1e-9]),
    "gamma": ([1e-9, 1.0, 2.5], [-1.0, 0.0]),
    "tweedie": ([0.0, 1.0, 2.5], [-1.0, -1e-9]),
}
KINKS = {
    losses.AbsoluteError: lambda loss, y: (y,),
    losses.Huber: lambda loss, y: (y - loss.delta, y + loss.delta),
    losses.EpsilonInsensitive: lambda loss, y: (y - loss.epsilon, y + loss.epsilon),
    losses.SquaredEpsilonInsensitive: lambda loss, y: (y - loss.epsilon, y + loss.epsilon),
    losses.Quantile: lambda loss, y: (y,),
    losses.Hinge: lambda loss, y: (y,),
    losses.SquaredHinge: lambda loss, y: (y,),
    losses.ModifiedHuber: lambda loss, y: (-y, y),
    losses.Perceptron: lambda loss, y: (0.0,),
}  # where the derivative or the curvature jumps; a loss that is not named here has none


def of(loss):
    """A test's name for it."""
    return f"{type(loss).__name__}{tuple(loss)}"


def targets(loss):
    name = next(name for name, part in LOSSES.items() if part is type(loss))
    return [y for y in ACCEPTED[name][0] if abs(y) <= 10]


def points(loss, reach=8.0, count=33):
    """(y, z) away from kinks."""
    for y in targets(loss):
        for z in np.linspace(-reach, reach, count) + 0.0123:
            kinks = KINKS.get(type(loss), lambda loss, y: ())(loss, y)
            if all(abs(z - kink) > AWAY for kink in kinks):
                yield y, float(z)


def slope(f, z):
    step = SLOPE_STEP * max(1.0, abs(z))
    return (f(z + step) - f(z - step)) / (2 * step)


@pytest.mark.parametrize("loss", LOSS_SETTINGS, ids=of)
def test_the_derivative_is_the_derivative_of_the_value(loss):
    for y, z in points(loss):
        numerical = slope(lambda at, y=y: loss.value(y, at), z)
        assert loss.derivative(y, z) == pytest.approx(numerical, rel=SLOPE, abs=SLOPE), (y, z)


@pytest.mark.parametrize("loss", LOSS_SETTINGS, ids=of)
def test_the_curvature_is_the_derivative_of_the_derivative(loss):
    for y, z in points(loss):
        numerical = slope(lambda at, y=y: loss.derivative(y, at), z)
        assert loss.curvature(y, z) == pytest.approx(numerical, rel=SLOPE, abs=SLOPE), (y, z)


@pytest.mark.parametrize("loss", LOSS_SETTINGS, ids=of)
@given(data=st.data())
def test_a_loss_is_convex(loss, data):
    y = data.draw(st.sampled_from(targets(loss)))
    a, b = sorted((data.draw(st.floats(-30, 30)), data.draw(st.floats(-30, 30))))
    low, high = loss.derivative(y, a), loss.derivative(y, b)
    assert high >= low - EXACT * max(1.0, abs(low), abs(high))
    assert loss.curvature(y, a) >= 0.0
    middle, chord = loss.value(y, 0.5 * (a + b)), 0.5 * (loss.value(y, a) + loss.value(y, b))
    assert middle <= chord + EXACT * max(1.0, abs(chord))


@pytest.mark.parametrize("loss", LOSS_SETTINGS, ids=of)
def test_smooth_says_whether_the_derivative_is_continuous(loss):
    kinks = [(y, kink) for y in targets(loss) for kink in KINKS.get(type(loss), lambda loss, y: ())(loss, y)]
    jumps = [abs(loss.derivative(y, z + AWAY) - loss.derivative(y, z - AWAY)) for y, z in kinks]
    assert loss.smooth() == (max(jumps, default=0.0) < 0.1)  # jumps here are 1; a smooth loss moves by 4·AWAY at most


@pytest.mark.parametrize("loss", LOSS_SETTINGS, ids=of)
def test_a_loss_is_the_same_on_floats_and_compiled(loss):
    @njit(error_model="numpy")
    def three(loss, y, z):
        return methods.value(loss, y, z), methods.derivative(loss, y, z), methods.curvature(loss, y, z)

    far = [(y, z) for y in targets(loss) for z in (-1e3, -50.0, 0.0, 50.0, 1e3)]
    for y, z in [*points(loss, count=9), *far]:
        plain = loss.value(y, z), loss.derivative(y, z), loss.curvature(y, z)
        assert three(loss, y, z) == pytest.approx(plain, rel=EXACT, abs=EXACT), (y, z)
    assert all(math.isnan(each) for each in three(loss, targets(loss)[0], math.nan)[:2])


@pytest.mark.parametrize("loss", LOSS_SETTINGS, ids=of)
@pytest.mark.parametrize("z", [-1e3, 1e3])
def test_a_loss_is_finite_far_out(loss, z):
    for y in targets(loss):
        assert math.isfinite(loss.value(y, z))
        assert math.isfinite(loss.derivative(y, z))
        assert math.isfinite(loss.curvature(y, z))
        assert math.isfinite(loss.mean(z))


@pytest.mark.parametrize("loss", LOSS_SETTINGS, ids=of)
def test_a_score_that_is_no_number_is_not_hidden(loss):
    y = targets(loss)[0]
    assert math.isnan(loss.value(y, math.nan))
    assert math.isnan(loss.derivative(y, math.nan))


def test_log_loss_is_right_far_out_and_keeps_its_digits():
    loss = losses.LogLoss()
    assert loss.value(1.0, 1e3) == 0.0
    assert loss.value(-1.0, 1e3) == 1e3
    assert loss.value(1.0, -1e3) == 1e3
    assert loss.derivative(1.0, -1e3) == -1.0
    assert loss.derivative(-1.0, 1e3) == 1.0
    assert loss.derivative(1.0, 1e3) == 0.0
    for z in (20.0, 30.0, 40.0, 100.0):  # exp(−z) beside 1: digits that a careless log(1 + e) loses
        assert loss.value(1.0, z) == pytest.approx(math.log1p(math.exp(-z)), rel=EXACT)
        assert loss.derivative(1.0, z) == pytest.approx(-expit(-z), rel=EXACT)


def test_every_loss_is_in_the_table_of_targets():
    assert set(ACCEPTED) == set(LOSSES)
    assert set(LOSSES) == {*REGRESSION, *CLASSIFICATION, *POSITIVE}
    assert not set(LOSSES) & set(MULTICLASS)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_accepts_the_targets_that_it_is_defined_for(name):
    loss, (good, bad) = LOSSES[name](), ACCEPTED[name]
    assert [y for y in good if not loss.accepts(y)] == []
    assert [y for y in bad if loss.accepts(y)] == []
    assert all(math.isfinite(loss.value(y, 0.5)) for y in good)


def in_sklearn(kind):
    """value and gradient of a class of sklearn._loss as functions of arrays y and z."""
    return (
        lambda y, z: kind.loss(y_true=y, raw_prediction=z),
        lambda y, z: kind.gradient(y_true=y, raw_prediction=z),
    )


def in_sgd(kind):
    """The same of a class of scikit-learn's SGD."""
    return np.vectorize(lambda y, z: kind.py_loss(z, y)), np.vectorize(lambda y, z: kind.py_dloss(z, y))


def zero_one(pair):
    """Classes 0 and 1 where ours are −1 and +1."""
    return tuple(lambda y, z, f=f: f(0.5 * (y + 1.0), z) for f in pair)


SKLEARN = [
    (losses.SquaredError(), in_sklearn(HalfSquaredError())),
    (losses.AbsoluteError(), in_sklearn(AbsoluteError())),
    (losses.Huber(0.7), in_sklearn(HuberLoss(delta=0.7))),
    (losses.Quantile(0.3), in_sklearn(PinballLoss(quantile=0.3))),
    (losses.EpsilonInsensitive(0.4), in_sgd(_sgd_fast.EpsilonInsensitive(0.4))),
    (losses.SquaredEpsilonInsensitive(0.4), in_sgd(_sgd_fast.SquaredEpsilonInsensitive(0.4))),
    (losses.LogLoss(), zero_one(in_sklearn(HalfBinomialLoss()))),
    (losses.Hinge(), in_sgd(_sgd_fast.Hinge(1.0))),
    (losses.Perceptron(), in_sgd(_sgd_fast.Hinge(0.0))),
    (losses.SquaredHinge(), in_sgd(_sgd_fast.SquaredHinge(1.0))),
    (losses.ModifiedHuber(), in_sgd(_sgd_fast.ModifiedHuber())),
    (losses.Poisson(), in_sklearn(HalfPoissonLoss())),
    (losses.Gamma(), in_sklearn(HalfGammaLoss())),
    (losses.Tweedie(1.3), in_sklearn(HalfTweedieLoss(power=1.3))),
]


def test_every_loss_is_held_against_scikit_learn():
    assert {type(loss) for loss, _ in SKLEARN} == set(LOSSES.values())


@pytest.mark.parametrize(("loss", "theirs"), SKLEARN, ids=[type(loss).__name__ for loss, _ in SKLEARN])
def test_a_loss_is_scikit_learns(loss, theirs):
    y, z = (np.array(column) for column in zip(*points(loss), strict=True))
    value, gradient = theirs
    ours = np.array([(loss.value(*at), loss.derivative(*at)) for at in zip(y.tolist(), z.tolist(), strict=True)])
    np.testing.assert_allclose(ours[:, 0], value(y, z), rtol=EXACT, atol=EXACT)
    np.testing.assert_allclose(ours[:, 1], gradient(y, z), rtol=EXACT, atol=EXACT)


def best_constant(loss, y):
    grid = np.linspace(-3.0, 6.0, 9001)
    totals = [sum(loss.value(each, z) for each in y) for z in grid.tolist()]
    return float(grid[int(np.argmin(totals))])


AMOUNTS = np.array([0.2, 0.5, 0.9, 1.6, 4.1])
SIGNS = np.array([1.0, 1.0, 1.0, -1.0])


@pytest.mark.parametrize(
    ("loss", "y", "best"),
    [
        (losses.SquaredError(), AMOUNTS, AMOUNTS.mean()),
        (losses.AbsoluteError(), AMOUNTS, np.median(AMOUNTS)),
        (losses.Quantile(0.25), AMOUNTS, 0.5),
        (losses.Quantile(0.9), AMOUNTS, 4.1),
        (losses.Huber(1e3), AMOUNTS, AMOUNTS.mean()),
        (losses.Huber(1e-3), AMOUNTS, np.median(AMOUNTS)),
        (losses.LogLoss(), SIGNS, logit(0.75)),
        (losses.ModifiedHuber(), SIGNS, 0.5),
        (losses.SquaredHinge(), SIGNS, 0.5),
        (losses.Hinge(), SIGNS, 1.0),
        (losses.Poisson(), AMOUNTS, np.log(AMOUNTS.mean())),
        (losses.Gamma(), AMOUNTS, np.log(AMOUNTS.mean())),
        (losses.Tweedie(), AMOUNTS, np.log(AMOUNTS.mean())),
    ],
    ids=lambda part: of(part) if hasattr(part, "accepts") else "",
)
def test_the_best_constant_is_what_the_loss_is_known_for(loss, y, best):
    assert best_constant(loss, y.tolist()) == pytest.approx(best, abs=2e-3)  # twice the grid's width


@pytest.mark.parametrize("loss", [losses.SquaredError(), losses.Poisson(), losses.Gamma(), losses.Tweedie()], ids=of)
def test_the_prediction_of_the_best_constant_is_the_mean(loss):
    assert loss.mean(best_constant(loss, AMOUNTS.tolist())) == pytest.approx(AMOUNTS.mean(), rel=2e-3)


@pytest.mark.parametrize("loss", [losses.LogLoss(), losses.ModifiedHuber()], ids=of)
def test_the_chance_of_the_best_constant_is_the_share_of_rows(loss):
    assert loss.mean(best_constant(loss, SIGNS.tolist())) == pytest.approx(0.75, abs=1e-3)
    assert 0.0 <= loss.mean(-1e3) < 0.01 < 0.99 < loss.mean(1e3) <= 1.0


scores = st.lists(st.floats(-50, 50), min_size=2, max_size=6)


@given(z=scores, data=st.data())
def test_softmax_is_scipys(z, data):
    y = data.draw(st.integers(0, len(z) - 1))
    loss = Softmax()
    assert loss.value(y, z) == pytest.approx(-log_softmax(z)[y], rel=EXACT, abs=EXACT)
    assert loss.chances(z) == pytest.approx(softmax(z).tolist(), rel=EXACT, abs=EXACT)
    assert sum(loss.derivative(y, z)) == pytest.approx(0.0, abs=EXACT)


@given(z=st.lists(st.floats(-5, 5), min_size=2, max_size=6), data=st.data())
def test_the_derivative_of_softmax_is_the_derivative_of_its_value(z, data):
    y, k = (data.draw(st.integers(0, len(z) - 1)) for _ in range(2))
    loss = Softmax()
    numerical = slope(lambda at: loss.value(y, [*z[:k], at, *z[k + 1 :]]), z[k])
    assert loss.derivative(y, z)[k] == pytest.approx(numerical, rel=SLOPE, abs=SLOPE)


def test_softmax_is_right_far_out():
    loss = Softmax()
    assert loss.value(0, [1e3, 0.0, -1e3]) == 0.0
    assert loss.value(2, [1e3, 0.0, -1e3]) == 2e3
    assert loss.derivative(2, [1e3, 0.0, -1e3]) == [1.0, 0.0, -1.0]


@given(z=st.floats(-40, 40), y=st.sampled_from([-1.0, 1.0]))
def test_softmax_of_two_classes_is_log_loss_of_their_difference(z, y):
    two = Softmax().value(int(y > 0), [0.0, z])
    assert two == pytest.approx(losses.LogLoss().value(y, z), rel=EXACT, abs=1e-15)  # softmax loses digits below 1e-16
