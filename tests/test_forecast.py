"""Forecast: exact where the walk has no chance in it, and within chance where it has."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fallline.errors import InputError
from fallline.estimators import GDClassifier, GDRegressor
from fallline.figures import ahead_of, draw_ahead
from fallline.forecast.ahead import forecast_of
from fallline.forecast.choice import choose
from fallline.forecast.ground import ground_of
from fallline.forecast.limits import floor_at, slight_floor
from fallline.forecast.noise import knee_of
from fallline.forecast.tangent import Rows, phases, rule_of
from fallline.losses import Hinge, Huber, LogLoss, Poisson, SquaredError
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import L1, L2, NoPenalty
from fallline.plan import Plan
from fallline.steps import Momentum, Nesterov, Plain

ROWS, COLUMNS = 400, 4
STEPS = {"plain": Plain(), "momentum": Momentum(0.9), "nesterov": Nesterov(0.9)}
LOSSES = {"squared_error": SquaredError(), "huber": Huber(), "log_loss": LogLoss(), "poisson": Poisson()}
SQUARES, MILD = SquaredError(), L2(1e-2)
NO_PLACE = 1e-8  # of the excess at the start: the phases' sums of thousands of roundings


def objective(loss: Any = SQUARES, penalty: Any = MILD, n: int = ROWS) -> Linear:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, COLUMNS)) * [0.3, 0.5, 1.0, 1.5] + [0.0, 0.5, 0.0, 0.2]
    z = X @ [1.0, -1.0, 0.5, 0.2]
    if isinstance(loss, Poisson):
        y = rng.poisson(np.exp(np.clip(0.4 * z, -3, 3))).astype(float)
    elif isinstance(loss, LogLoss | Hinge):
        y = np.where(z + rng.logistic(size=n) > 0, 1.0, -1.0)
    else:
        y = z + rng.standard_t(3, n)
    return Linear(X, y, loss, penalty, weights=np.where(np.arange(n) % 5, 1.0, 2.0))


def excess(found: Any, **settings: Any) -> np.ndarray:
    """Of real runs of the forecast's plan, at the forecast's points; a run a seed."""
    plan = found.plan
    out = []
    for seed in settings["seeds"]:
        changed = {**plan.as_dict(), "seed": 1000 + seed}
        trace = Plan(**changed).run(settings["on"], looks=found.per_pass).trace
        out.append(np.interp(found.t, trace["t"], trace["loss"]) - found.optimum)
    return np.array(out)


@pytest.mark.parametrize("step", STEPS)
def test_batch_least_squares_is_forecast_to_the_digits_of_the_run(step):
    on = objective()
    found = forecast_of(on, variant="batch", step=step, budget="updates", amount=300)
    assert found.excess[0] > 0.1
    real = excess(found, on=on, seeds=[0])[0]
    np.testing.assert_allclose(found.excess, real, atol=NO_PLACE * found.excess[0])
    assert np.all(found.deviation == 0.0)


@pytest.mark.parametrize("schedule", ["cosine", "inverse_sqrt", "step", "one_cycle", "inverse_time"])
def test_schedules_are_followed(schedule):
    """Where a rate changes within a phase it is taken as constant over eighths of it."""
    on = objective()
    found = forecast_of(on, variant="batch", rate=0.3, schedule=schedule, budget="updates", amount=300)
    real = excess(found, on=on, seeds=[0])[0]
    seen = real > 1e-4 * real[0]
    assert seen.sum() > 10
    np.testing.assert_allclose(found.excess[seen], real[seen], rtol=0.05)


@pytest.mark.parametrize("loss", LOSSES)
def test_batch_descent_of_any_loss_is_forecast_within_a_few_percent(loss):
    on = objective(LOSSES[loss])
    for step in STEPS:
        found = forecast_of(on, variant="batch", step=step, budget="updates", amount=200)
        real = excess(found, on=on, seeds=[0])[0]
        seen = real > 1e-3 * real[0]
        assert seen.sum() > 10
        np.testing.assert_allclose(found.excess[seen], real[seen], rtol=0.15 if step == "momentum" else 0.02)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_of_many_orders_is_forecast(loss):
    """Within three standard errors of the mean of 60 runs and a tenth: the closure of the moments is right to about that."""
    on = objective(LOSSES[loss])
    found = forecast_of(on, batch_size=8, budget="epochs", amount=6)
    assert found.excess[-1] < 0.3 * found.excess[0]
    runs = excess(found, on=on, seeds=range(60))
    mean, error = runs.mean(axis=0), runs.std(axis=0) / np.sqrt(len(runs))
    ends = (found.t % found.per_pass == 0) | (found.t < 20)
    assert np.all(np.abs(found.excess - mean)[ends] <= 3.0 * error[ends] + 0.1 * mean[ends])


def test_between_the_ends_of_passes_the_loss_swells():
    """All rows were seen alike at an end; half a pass on, the noise of that half is there."""
    on = objective()
    found = forecast_of(on, batch_size=8, rate=0.02, budget="epochs", amount=40)
    late = range(30 * found.per_pass, 40 * found.per_pass + 1, found.per_pass // 2)
    runs = []
    for seed in range(60):
        trace = replace(found.plan, seed=2000 + seed).run(on, looks=2).trace
        runs.append(np.interp(late, trace["t"], trace["loss"]) - found.optimum)
    said, mean = found.at(late) - found.optimum, np.mean(runs, axis=0)
    assert mean[1::2].mean() > 1.5 * mean[::2].mean()
    assert said[1::2].mean() == pytest.approx(mean[1::2].mean(), rel=0.15)
    assert said[::2].mean() == pytest.approx(mean[::2].mean(), rel=0.15)


def test_the_band_holds_about_four_walks_in_five():
    on = objective()
    found = forecast_of(on, batch_size=4, sampler="with_replacement", budget="epochs", amount=6)
    runs = excess(found, on=on, seeds=range(100))
    low, high = found.band
    inside = ((runs + found.optimum >= low) & (runs + found.optimum <= high))[:, 4:].mean()
    assert 0.7 <= inside <= 0.9


@pytest.mark.parametrize("step", STEPS)
def test_beyond_the_stable_rate_batch_descent_runs_away_and_below_it_settles(step):
    on = objective()
    limit = forecast_of(on, variant="batch", step=step).rates.batch
    ends = []
    for share in (0.99, 1.01):
        run = Plan(step=step, variant="batch", rate=share * limit, budget="updates", amount=4000).run(on)
        ends.append(run.diverged or run.trace["loss"][-1] > run.trace["loss"][0])
        found = forecast_of(on, Plan(step=step, variant="batch", rate=share * limit, budget="updates", amount=4000))
        assert (found.lost or found.excess[-1] > found.excess[0]) == ends[-1]
    assert ends == [False, True]


def test_plain_steps_are_stable_up_to_two_over_the_largest_curvature():
    for step, factor in (("plain", 2.0), ("momentum", 3.8), ("nesterov", 3.8 / 2.8)):
        assert rule_of(STEPS[step]).stable == pytest.approx(factor, rel=1e-12)


def test_the_floor_of_a_small_rate_is_its_closed_form():
    on = objective(penalty=NoPenalty())
    ground, rows = ground_of(on), Rows(ROWS, 4, False)
    for step in STEPS.values():
        rule = rule_of(step)
        rate = 1e-4 / rule.gain
        full = floor_at(ground, rule, rows, rate, np.zeros(COLUMNS + 1))[0]
        assert full == pytest.approx(slight_floor(ground, rule, rows, rate), rel=0.01)
    residual = on.model.y - np.column_stack([on.model.rows.X, np.ones(ROWS)]) @ ground.w
    lengths = (np.column_stack([on.model.rows.X, np.ones(ROWS)]) ** 2).sum(axis=1)
    trace = np.mean((on.model.weights * residual) ** 2 * lengths)
    assert slight_floor(ground, rule_of(Plain()), rows, 1e-4) == pytest.approx(1e-4 * trace / 16.0, rel=1e-6)


def test_a_constant_rate_stays_at_the_floor_that_was_forecast():
    on = objective()
    plan = {"variant": "stochastic", "sampler": "with_replacement", "rate": 0.02, "budget": "epochs", "amount": 60}
    found = forecast_of(on, **plan)
    run = Plan(step="plain", **plan).run(on, looks=20)
    late = run.trace["loss"][len(run.trace) // 2 :].mean() - found.optimum
    assert found.floor == pytest.approx(late, rel=0.2)
    assert found.excess[-1] == pytest.approx(found.floor, rel=0.05)


def test_the_working_limit_has_a_floor_of_a_tenth():
    on = objective()
    found = forecast_of(on, variant="stochastic", sampler="with_replacement")
    again = forecast_of(on, variant="stochastic", sampler="with_replacement", rate=found.rates.working)
    assert again.floor == pytest.approx(0.1 * again.excess[0], rel=0.05)
    assert found.rates.working < found.rates.batch


def test_a_sample_of_rows_is_told_and_close():
    on = objective(n=6000)
    whole = ground_of(on)
    some = ground_of(on, affordable=1000)
    assert some.rows < whole.rows == 6000
    assert some.sampled
    plan = Plan(step="plain", batch_size=32, rate=0.05)
    full, part = forecast_of(on, plan, ground=whole), forecast_of(on, plan, ground=some)
    np.testing.assert_allclose(part.excess, full.excess, rtol=0.15)
    assert "of 6,000 rows" in part.sentences()[-1]
    assert part.deviation[1:].min() >= 0.1


def test_as_many_rows_a_step_as_there_are_is_called_batch():
    found = forecast_of(objective(), batch_size=ROWS)
    assert found.plan.variant == "batch"
    assert found.sentences()[0].startswith("Batch · rate")


def test_updates_against_the_batch_fall_to_a_knee():
    """Each size at its best rate: what is said for 16 rows comes true; updates fall with the batch and visits rise."""
    on = objective()
    found = forecast_of(on, batch_size=16)
    by = found.updates_by_batch()
    assert by.sizes.tolist() == [1, 4, 16, 64, ROWS]
    assert np.all(np.diff(by.updates) <= 0.0)
    assert by.visits[-1] > 1.2 * by.visits[0]
    k = 2
    plan = replace(found.plan, rate=float(by.rates[k]), budget="updates", amount=int(2 * by.updates[k]))
    runs = [replace(plan, seed=900 + seed).run(on, looks=25).trace for seed in range(20)]
    left = np.mean([trace["loss"] for trace in runs], axis=0) - found.optimum
    assert by.updates[k] == pytest.approx(runs[0]["t"][int(np.argmax(left <= 0.01 * left[0]))], rel=0.25)
    assert knee_of(np.array([1.0, 4.0, 16.0, 400.0]), 7.0 * (1.0 + 30.0 / np.array([1.0, 4.0, 16.0, 400.0]))) == (
        pytest.approx(30.0, rel=0.02)
    )
    assert np.isnan(knee_of(np.array([1.0, 4.0]), np.array([5.0, 2.0])))


@pytest.mark.parametrize("size", [1, 16])
def test_the_critical_batch_of_a_path_is_that_of_the_knee_within_a_factor_of_four(size):
    """The gradient of a walk, not that of the mean place, which goes to nothing while noise holds the walk away from there."""
    found = forecast_of(objective(), batch_size=size, amount=30.0)
    knee = found.updates_by_batch().critical
    assert abs(np.log(found.noise.critical / knee)) < np.log(4.0)


def test_columns_to_blame_for_a_condition_number_are_named():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3)) * [1.0, 1e3, 1.0]
    scaled = forecast_of(Linear(X, X[:, 0]), variant="batch", names=("a", "b", "c")).conditioning
    assert scaled.steep == (1,)
    assert scaled.number > 1e5 > 1e3 * scaled.evened
    X = np.column_stack([X[:, 0], X[:, 0] + 1e-3 * rng.standard_normal(200), X[:, 2]])
    twins = forecast_of(Linear(X, X[:, 0]), variant="batch", names=("a", "b", "c"))
    assert set(twins.conditioning.flat) == {0, 1}
    assert any('"a" and "b" nearly give each other' in line for line in twins.sentences())


def test_phases_cover_every_step_once_and_end_with_passes():
    for updates, rows in ((1, Rows(10, 2, True)), (997, Rows(100, 8, True)), (500, Rows(100, 100, True))):
        cut = phases(updates, rows)
        assert [t for t, _ in cut] == [0, *(end for _, end in cut[:-1])]
        assert cut[-1][1] == updates
        assert all(end % rows.steps == 0 for _, end in cut[:-1] if end > rows.steps)


@pytest.mark.parametrize(
    ("change", "settings", "word"),
    [
        ({"loss": Hinge()}, {}, "corners"),
        ({"penalty": L1(0.1)}, {}, "L1"),
        ({}, {"step": "adam"}, "Adam"),
        ({}, {"step": "auto"}, "own pace"),
        ({}, {"step": "saga"}, "own pace"),
        ({}, {"average": "tail"}, "average"),
        ({}, {"clip_norm": 1.0}, "Clipped"),
        ({}, {"schedule": "reduce_on_plateau"}, "reacts"),
        ({"loss": LogLoss(), "penalty": NoPenalty(), "n": 8}, {}, "no optimum"),
    ],
)
def test_what_is_not_forecast_is_refused_with_the_reason(change, settings, word):
    with pytest.raises(InputError, match=word):
        forecast_of(objective(**change), **settings)


def test_several_classes_are_refused():
    with pytest.raises(InputError, match="several classes"):
        SoftmaxRegression(np.eye(3), np.arange(3)).forecast()


def test_estimators_forecast_what_they_would_fit():
    on = objective()
    X, y = on.model.rows.X, on.model.y
    estimator = GDRegressor(step="plain", batch_size=16, eta0=0.05, max_epochs=5, alpha=1e-2, tol=None)
    found = estimator.forecast(X, y)
    assert not hasattr(estimator, "n_features_in_")
    estimator.fit(X, y)
    assert found.optimum + found.excess[0] == pytest.approx(estimator.trace_["loss"][0], rel=1e-9)
    assert found.plan.rate == 0.05
    labels = np.where(y > 0, "yes", "no")
    assert GDClassifier().forecast(X, labels, step="nesterov").updates_to(0.5) < np.inf
    with pytest.raises(InputError, match="one at a time"):
        GDClassifier(loss="modified_huber").forecast(X, np.arange(ROWS) % 3)


def test_the_plan_that_is_taken_gets_there_about_when_it_was_forecast():
    on = objective()
    ground = ground_of(on)
    choice = choose(on, ground)
    assert choice.best in choice.candidates[:3]
    assert len(choice.candidates) == 45  # 60 but for 256 rows a step, which are not half of these
    assert [made for made, _, _ in choice.tried] == list(choice.candidates[:3])
    assert min(choice.tried, key=lambda tried: tried[1])[0] is choice.best  # the first by forecast where none arrived
    visits = [made.visits for made in choice.candidates]
    assert visits == sorted(visits)
    assert visits[-1] > 10 * visits[0]  # a choice matters here
    plan = replace(choice.best.plan, budget="visits", amount=3.0 * choice.best.visits)
    traces = [replace(plan, seed=500 + seed).run(on, looks=ROWS // 16).trace for seed in range(8)]
    left = np.mean([trace["loss"] for trace in traces], axis=0) - ground.value
    first = traces[0]["visits"][int(np.argmax(left <= 0.01 * left[0]))]
    assert 0.7 * choice.best.visits < first <= 1.8 * choice.best.visits  # the forecast is of the way to 1.3 %


def test_no_plan_is_said_where_none_gets_there():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2)) * [1.0, 1e4] + [0.0, 3e4]
    with pytest.raises(InputError, match="one scale"):
        choose(Linear(X, X[:, 0]))


def test_the_picture_shows_band_floor_and_run():
    on = objective()
    found = forecast_of(on, batch_size=8, rate=0.05)
    facts = ahead_of(found, [found.plan.run(on, looks=5).trace])
    assert facts.runs[0].share[0] == pytest.approx(1.0, rel=1e-6)
    assert np.all((facts.low <= facts.high)[1:])
    for theme in ("light", "dark"):
        assert len(draw_ahead(facts, theme).data) == 3
    assert "forecast" in facts.finding
