"""Pictures of one walk: what they say, by value, held to the forecast and to slow computations; how they are drawn, by count."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from fallline.errors import InputError
from fallline.explain.case import Case
from fallline.explain.trajectory import trajectory_of
from fallline.figures import (
    ahead_of,
    directions_of,
    draw_ahead,
    draw_directions,
    draw_grid,
    draw_noise,
    draw_rates,
    found_of,
    grid_of,
    noise_of,
    rates_of,
)
from fallline.figures.style import counterparts
from fallline.fitting import Recipe, fit
from fallline.forecast.ahead import forecast_of
from fallline.gauges import GradientNorm, GradientSpread
from fallline.objectives import Linear
from fallline.plan import Plan
from fallline.solver import solve


@pytest.fixture(scope="module")
def on():
    """Least squares on four columns of very unlike scales: curvatures of about 4, 1, 0.2 and 0.02, and the intercept's."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((400, 4)) * [2.0, 1.0, 0.45, 0.15]
    return Linear(X, X @ [1.0, -1.0, 2.0, -4.0] + 0.5 * rng.standard_normal(400))


@pytest.fixture(scope="module")
def easy(on):
    """Two columns of one scale."""
    return Linear(on.model.rows.X[:, :2] / [2.0, 1.0], on.model.y)


@pytest.fixture(scope="module")
def noisy(on):
    """Small steps on few rows, down to their noise."""
    return Plan(step="plain", batch_size=8, rate=0.12, amount=12).run(on, looks=10)


def on_dark(figure):
    """A light figure with every colour exchanged for its counterpart."""
    swap = {json.dumps(light): json.dumps(dark) for light, dark in counterparts().items()}
    return re.sub("|".join(map(re.escape, swap)), lambda found: swap[found.group()], figure.to_json())


def test_the_forecast_is_drawn_beneath_the_run_and_says_how_both_went(on, noisy):
    forecast = forecast_of(on, noisy.plan)
    facts = ahead_of(forecast, [noisy.trace])
    share = (noisy.trace["loss"] - forecast.optimum) / forecast.excess[0]
    first = int(np.argmax(share <= 0.01))
    took = int(facts.finding.rpartition(" took ")[2].replace(",", ""))
    assert noisy.trace["t"][first - 1] <= took <= noisy.trace["t"][first]
    assert f"after {forecast.updates_to():,.0f} updates" in facts.finding
    low, high = (np.interp(noisy.trace["t"], forecast.t, edge) for edge in forecast.band)
    within = np.mean((noisy.trace["loss"] >= low)[1:] & (noisy.trace["loss"] <= high)[1:])
    assert facts.inside == pytest.approx(within, abs=0.03)
    figure = draw_ahead(facts)
    assert [trace.name for trace in figure.data] == [None, "forecast", "run"]  # the fan first, the run on top
    assert figure.data[2].line.color != figure.data[1].line.color
    np.testing.assert_allclose(figure.data[2].y, share)
    assert on_dark(figure) == draw_ahead(facts, "dark").to_json()


def test_a_run_that_runs_away_as_forecast_is_drawn_until_it_leaves(on):
    plan = Plan(step="plain", variant="batch", rate=3.0, budget="updates", amount=40)
    run = plan.run(on)
    run.trace.about["diverged"] = run.diverged
    facts = ahead_of(forecast_of(on, plan), [run.trace])
    assert facts.finding.endswith("is forecast to run away; the run ran away")
    figure = draw_ahead(facts)
    assert figure.layout.xaxis.range[1] < 10  # not the forty updates that it was asked for


@pytest.mark.parametrize(
    ("plan", "drawn"),
    [
        (Plan(step="plain", rate=0.02, amount=3), True),
        (Plan(step="adam", rate=0.02, amount=3), False),
        (Plan(), False),
    ],
    ids=["plain", "adam", "automatic"],
)
def test_a_fits_report_holds_the_forecast_where_there_is_one(tmp_path, plan, drawn):
    fit(Recipe("diabetes", plan=plan), tmp_path / "m")
    page = (tmp_path / "m" / "report.html").read_text("utf-8")
    assert ("The forecast under the run" in page) == drawn


@pytest.fixture(scope="module")
def found(on):
    """Every rate and batch size."""
    return on.forecast_map(checks=4)


def test_a_cell_of_the_map_is_what_a_forecast_of_its_plan_says(on, found):
    for i, j in [found.best, (2, 3), (len(found.sizes) - 1, 8)]:
        plan = Plan(step="plain", batch_size=int(found.sizes[i]), rate=found.rates[j], budget="updates", amount=100_000)
        assert forecast_of(on, plan).updates_to(0.01) == pytest.approx(found.updates[i, j], rel=1e-9)
    assert np.isfinite(found.updates[-1]).any()
    assert np.isinf(found.updates[:, found.rates > found.limit]).all()


def test_the_frontier_is_where_a_larger_batch_stops_halving_the_updates(found):
    known = np.flatnonzero(np.isfinite(found.updates[-1]))
    assert len(known) > 3
    assert (found.frontier[np.isinf(found.updates[-1])] == -1).all()
    assert len(set(found.frontier[known])) > 2  # the map has one that matters
    for j in known:
        pays = found.updates[:, j] > 2 * found.updates[-1, j]
        assert not pays[found.frontier[j] :].any()
        assert pays[: found.frontier[j]].all()


def test_cells_of_the_map_are_walked_and_say_what_came(on, easy, found):
    assert len({check.size for check in found.checks}) == len(found.checks) >= 2
    for check in found.checks:
        i, j = int(np.flatnonzero(found.sizes == check.size)[0]), int(np.flatnonzero(found.rates == check.rate)[0])
        assert check.forecast == found.updates[i, j]
        assert 0.5 < check.ratio < 1.6

    whole = next(check for check in easy.forecast_map(checks=4).checks if check.size == on.n)
    plan = Plan(step="plain", variant="batch", rate=whole.rate, budget="updates", amount=int(2 * whole.forecast))
    loss = plan.run(easy).trace["loss"] - solve(easy, 1e-9).trace.last("loss")
    first = int(np.argmax(loss <= 0.01 * loss[0]))
    assert first - 1 < whole.walked <= first
    assert whole.ratio == pytest.approx(1.0, rel=1e-3)


def test_a_cell_that_was_given_up_has_no_ratio_in_the_words_of_the_map(found):
    came, late = found.checks[0]._replace(walked=found.checks[0].forecast), found.checks[1]._replace(walked=np.inf)
    said = [grid_of(replace(found, checks=checks)).beside for checks in ((came,), (came, late), (late,))]
    assert said[0].endswith("took 1 times their forecast.")
    assert "took 1 times their forecast; what is marked later" in said[1]
    assert "none had arrived" in said[2]


def test_the_map_draws_its_numbers_limit_frontier_and_rings(found):
    facts = grid_of(found)
    i, j = found.best
    assert f"takes {round(found.visits[i, j]):,} row visits" in facts.finding
    figure = draw_grid(facts)
    cells, stairs = figure.data
    seen = np.isfinite(found.updates)
    np.testing.assert_allclose(10.0 ** cells.z[seen], found.visits[seen])
    assert np.isnan(cells.z[~seen]).all()
    known = found.frontier >= 0
    np.testing.assert_allclose(stairs.y[::2] + 0.5, found.frontier[known])
    lines = [shape for shape in figure.layout.shapes if shape.type == "line"]
    assert [10.0**line.x0 for line in lines] == pytest.approx([found.limit])
    assert sum(shape.type == "rect" for shape in figure.layout.shapes) == len(found.checks)
    assert on_dark(figure) == draw_grid(facts, "dark").to_json()


@pytest.fixture(scope="module")
def explained(noisy):
    return noisy.explain()


@pytest.fixture(scope="module")
def met(explained):
    return explained.trajectory()


def test_the_excess_by_direction_adds_up_to_the_excess_of_least_squares(on, met):
    np.testing.assert_allclose(met.along.sum(axis=1), met.excess, rtol=1e-5, atol=1e-9)
    X = np.column_stack([on.model.rows.X, np.ones(on.n)])
    np.testing.assert_allclose(met.curvature, np.linalg.eigvalsh(X.T @ X / on.n), rtol=1e-9)
    facts = directions_of(met)
    drawn = sum(line.values for line in facts.lines)
    np.testing.assert_allclose(drawn, met.excess / met.excess[0], rtol=1e-4, atol=1e-6)
    died = [int(np.argmax(line.values <= 0.01 * line.values[0])) or len(facts.t) for line in facts.lines]
    assert died[0] <= died[-1]  # fast ones die first
    figure = draw_directions(facts)
    assert [trace.name for trace in figure.data] == [line.name for line in facts.lines]
    assert on_dark(figure) == draw_directions(facts, "dark").to_json()


def test_the_moment_that_is_marked_is_where_the_gauges_cross(on, noisy, met):
    gauges = (GradientNorm(), GradientSpread(0))
    trace = noisy.plan.run(on, looks=10, gauges=gauges).trace
    share = (on.n - noisy.plan.batch_size) / (on.n - 1) / noisy.plan.batch_size  # without replacement
    over = np.sqrt(share * trace["gradient_spread:rows=0"]) > trace["gradient_norm"]
    first = int(np.argmax(over))
    moment = noise_of(met).moment
    looks = met.t.tolist()
    last_below = max(t for t in looks if t < trace["t"][first])
    assert over.any()
    assert last_below <= moment <= min(t for t in looks if t >= trace["t"][first])
    even = (on.n - met.even) / (on.n - 1) / met.even  # the share of so many rows: noise is then as long as the signal
    assert even * trace["gradient_spread:rows=0"][-1] == pytest.approx(trace["gradient_norm"][-1] ** 2, rel=0.02)
    assert noisy.plan.batch_size < met.even < on.n
    figure = draw_noise(noise_of(met))
    assert [shape.x0 for shape in figure.layout.shapes] == [pytest.approx(max(moment, figure.layout.shapes[0].x0))]
    assert on_dark(figure) == draw_noise(noise_of(met), "dark").to_json()


def test_the_rate_is_drawn_under_the_limits_that_the_forecast_knows(on, noisy, met):
    rates = forecast_of(on, noisy.plan).rates
    np.testing.assert_allclose(met.local, rates.batch)
    assert met.limit == pytest.approx(rates.batch)
    assert met.working == pytest.approx(rates.working, rel=0.05)
    assert set(met.rate) == {noisy.plan.rate}
    facts = rates_of(met)
    assert [value for _, value in facts.guides] == [met.limit, met.working]
    assert on_dark(draw_rates(facts)) == draw_rates(facts, "dark").to_json()


def test_a_walk_whose_points_were_not_kept_is_made_again(on, noisy, met):
    trace = noisy.trace.copy()
    trace.points = []
    again = trajectory_of(Case(on, noisy.plan, trace, noisy.w))
    np.testing.assert_array_equal(again.along, met.along)
    trace.columns["loss"][-1] *= 1.01
    with pytest.raises(InputError, match="other losses"):
        trajectory_of(Case(on, noisy.plan, trace, noisy.w))


@pytest.mark.parametrize(
    ("plan", "missing"),
    [
        (Plan(step="adam", rate=0.05, amount=3), {"rates": "plain, momentum and Nesterov"}),
        (Plan(step="plain", variant="batch", rate=0.1, amount=30), {"noise": "no noise"}),
    ],
    ids=["adam", "batch"],
)
def test_a_picture_without_its_data_is_not_drawn_and_says_why(on, plan, missing):
    run = plan.run(on)
    found = trajectory_of(Case(on, plan, run.trace, run.w), looks=4)
    assert found.missing.keys() == missing.keys()
    assert len(found.plots()) == 2
    for name, word in missing.items():
        assert word in found.missing[name]
        with pytest.raises(InputError, match=word):
            getattr(found, f"plot_{name}")()


def test_a_finding_is_shaded_at_the_updates_that_show_it(easy):
    plan = Plan(step="plain", variant="batch", rate=3.0, budget="updates", amount=40)
    found = plan.run(easy).explain()
    assert found.findings[0].symptom == "diverged"
    facts = found_of(found)
    assert (facts.marks[0].first, facts.marks[0].last) == found.findings[0].updates
    assert facts.curve.finding.startswith("The run diverged")
    figure = found.plot()
    shades = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert len(shades) == len(facts.marks)
    assert shades[0].x1 == found.findings[0].updates[1]
    assert any(note.text and note.text.startswith("1. The run diverged") for note in figure.layout.annotations)
    assert on_dark(figure) == found.plot("dark").to_json()


def test_an_explanation_holds_every_picture_that_there_is(explained):
    pictures, undrawn = explained.pictures()
    assert [heading for heading, _ in pictures] == [
        "Where it shows", "Noise and signal", "The rate and its limits", "The excess by direction",
    ]  # fmt: skip
    assert not undrawn


def test_an_explanation_says_which_picture_is_not_drawn_and_why(easy):
    plan = Plan(step="plain", variant="batch", rate=3.0, budget="updates", amount=40)
    pictures, undrawn = plan.run(easy).explain().pictures()
    assert len(pictures) + len(undrawn) >= 3
    assert any("not drawn" in sentence and "no noise" in sentence for sentence in undrawn)
