"""Named surfaces: all that is claimed of them, over every row of the table, and where descent ends on each."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from fallline.descent import descend
from fallline.errors import InputError
from fallline.functions.minimize import minimize
from fallline.functions.surfaces import SURFACES, bowl, cliff, rastrigin, rosenbrock, styblinski_tang
from fallline.objectives import Function
from fallline.samplers import Batch
from fallline.schedules import Constant
from fallline.steps import ClipNorm, Plain
from fallline.stops import Updates
from tolerances import EXACT, SLOPE, SLOPE_STEP

VARIED = {
    **{name: make() for name, make in SURFACES.items()},
    "bowl of 1e6": bowl(1e6),
    "bowl, 7 axes": bowl(100.0, 7, 50.0),
    "rosenbrock, 6 axes": rosenbrock(6),
    "styblinski_tang, 5 axes": styblinski_tang(5),
    "rastrigin, 3 axes": rastrigin(3),
}
AT_REST = 1e-12
"""Slope at a known minimum, whose coordinates are right to 1e-16, times curvatures of up to a hundred."""

LANDED = 1e-5
"""A gradient norm of 1e-6 leaves the point this near where the smallest curvature is a tenth or more."""


@pytest.mark.parametrize("name", VARIED)
def test_the_gradient_is_the_slope_of_the_surface(name):
    surface = VARIED[name]
    chance = np.random.default_rng(1)
    for _ in range(5):
        w = surface.start + chance.normal(scale=0.3, size=len(surface.start))
        h = SLOPE_STEP * np.maximum(1.0, np.abs(w))
        numerical = 0.5 * (approx_fprime(w, surface.f, h) + approx_fprime(w, surface.f, -h))
        scale = max(1.0, np.abs(surface.f(w)), np.abs(numerical).max())
        np.testing.assert_allclose(surface.gradient(w), numerical, rtol=0, atol=SLOPE * scale)


@pytest.mark.parametrize("name", VARIED)
def test_each_known_minimum_is_flat_as_low_as_claimed_and_below_its_neighbours(name):
    surface = VARIED[name]
    chance = np.random.default_rng(2)
    for minimum in surface.minima:
        assert surface.f(minimum) == pytest.approx(surface.lowest, abs=EXACT * max(1.0, abs(surface.lowest)))
        assert np.linalg.norm(surface.gradient(minimum)) < AT_REST
        around = minimum + chance.normal(scale=1e-3, size=(200, len(minimum)))
        assert (surface.f(around) >= surface.lowest).all()


@pytest.mark.parametrize("name", VARIED)
def test_many_points_at_once_have_the_heights_of_each(name):
    surface = VARIED[name]
    points = surface.start + np.random.default_rng(3).normal(size=(2, 3, len(surface.start)))
    each = [[surface.f(w) for w in row] for row in points]
    np.testing.assert_allclose(surface.f(points), each, rtol=EXACT)


@pytest.mark.parametrize("name", VARIED)
def test_the_drawn_frame_holds_the_start_and_the_lowest_place(name):
    surface = VARIED[name]
    low, high = np.array(surface.bounds[::2]), np.array(surface.bounds[1::2])
    inside = [(low <= w[:2]).all() and (w[:2] <= high).all() for w in (surface.start, *surface.minima)]
    assert inside[0]
    assert all(inside[1:]) or name == "cliff"  # whose frame is the cliff; the minimum known exactly is far off
    grid = np.stack(np.meshgrid(*(np.linspace(a, b, 41) for a, b in zip(low, high, strict=True))), axis=-1)
    if surface.start.size == 2:
        assert surface.f(grid).min() >= surface.lowest


@pytest.mark.parametrize("name", SURFACES)
def test_descent_ends_where_the_table_says(name):
    surface = SURFACES[name]()
    result = minimize(surface.f, surface.start, surface.gradient)
    nearest = np.linalg.norm(surface.minima - result.x, axis=1).min()
    if surface.ends == "minimum":
        assert result.success, result.message
        assert result.fun == pytest.approx(surface.lowest, abs=1e-9)
        assert nearest < LANDED or name == "cliff"  # whose minima are a valley
    else:
        assert result.fun > surface.lowest + 0.1
    if surface.ends == "local minimum":
        assert result.success
        np.testing.assert_allclose(result.x, [2.98486, -1.98991], atol=LANDED)  # the dent nearest to the start
    if surface.ends in ("saddle", "plateau"):
        assert not result.success
        assert f"on a {surface.ends}" in result.message


def test_a_nudge_off_the_ridge_takes_descent_past_the_saddle():
    surface = SURFACES["saddle"]()
    result = minimize(surface.f, surface.start + np.array([0.0, 1e-3]), surface.gradient)
    assert result.success
    np.testing.assert_allclose(result.x, [0.0, 1.0], atol=LANDED)


@pytest.mark.parametrize(("condition", "size"), [(1.0, 2), (10.0, 2), (1e4, 3), (250.0, 6)])
def test_a_bowl_has_the_condition_number_that_was_asked_for(condition, size):
    surface = bowl(condition, size, 35.0)
    hessian = np.array([surface.gradient(axis) for axis in np.eye(size)])
    values = np.linalg.eigvalsh(hessian)
    assert values[-1] / values[0] == pytest.approx(condition)
    np.testing.assert_allclose(values, np.geomspace(1.0, condition, size), rtol=1e-10)
    np.testing.assert_allclose(
        np.abs(np.linalg.eigh(hessian)[1].T @ surface.start), 2.0, rtol=1e-8
    ) if condition > 1 else None


def test_rosenbrocks_valley_is_as_steep_as_it_says():
    surface = rosenbrock()
    hessian = np.array(
        [(surface.gradient(1.0 + 1e-6 * axis) - surface.gradient(1.0 - 1e-6 * axis)) / 2e-6 for axis in np.eye(2)]
    )
    values = np.linalg.eigvalsh(hessian)
    assert values[1] / values[0] == pytest.approx(2508.0, rel=1e-3)


def test_a_plain_step_is_thrown_off_the_cliff_and_a_clipped_one_is_not():
    surface = cliff()
    ends = {}
    for step in (Plain(), ClipNorm(Plain(), 0.1)):
        run = descend(
            Function(surface.f, surface.gradient, surface.start),
            sampler=Batch(3000),
            step=step,
            schedule=Constant(0.5),
            stop=Updates(3000),
            every=1,
        )
        ends[type(step)] = run.trace["loss"][-1], np.linalg.norm(np.diff(run.trace.path, axis=0), axis=1).max()
    assert ends[Plain][1] > 100  # one step, over a frame two units wide
    assert ends[Plain][0] == pytest.approx(0.09)  # the plateau of a unit that is always on: (1 − 0.7)²
    assert ends[ClipNorm][1] <= 0.05 + EXACT
    assert ends[ClipNorm][0] < 1e-10


@pytest.mark.parametrize(
    ("make", "word"), [(lambda: bowl(0.5), "condition is 0.5"), (lambda: rosenbrock(1), "size is 1")]
)
def test_a_surface_that_cannot_be_is_refused(make, word):
    with pytest.raises(InputError, match=word):
        make()
