"""Pictures of one walk: what they say, by value, held to the forecast and to slow computations; how they are drawn, by count."""

import json
import re

import numpy as np
import pytest

from fallline.figures import ahead_of, draw_ahead
from fallline.figures.style import counterparts
from fallline.fitting import Recipe, fit
from fallline.forecast.ahead import forecast_of
from fallline.objectives import Linear
from fallline.plan import Plan


@pytest.fixture(scope="module")
def on():
    """Least squares on four columns of very unlike scales: curvatures of about 4, 1, 0.2 and 0.02, and the intercept's."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((400, 4)) * [2.0, 1.0, 0.45, 0.15]
    return Linear(X, X @ [1.0, -1.0, 2.0, -4.0] + 0.5 * rng.standard_normal(400))


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
