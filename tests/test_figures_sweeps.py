"""Sweeps over rates and batch sizes, the fan of lines, and the race: facts by value, drawings by count."""

import numpy as np
import pytest

from fallline.figures import (
    batch_sweep_of,
    draw_batch_sweep,
    draw_fan,
    draw_history,
    draw_race,
    draw_sweep,
    fan_of,
    history_of,
    race_of,
    sweep_of,
)
from walks import a_walk, halving, running_away


def runs():
    return [
        *[a_walk([3.0, 1.0 + 2.0 * left], rate=0.1, seed=seed) for seed, left in enumerate((0.1, 0.2, 0.3))],
        a_walk([3.0, 2.0], rate=0.01),
        running_away(rate=0.9),
        a_walk([3.0, 1.1], rate=0.05, batch=1, variant="stochastic", limit=0.2),
    ]


def test_a_sweep_holds_the_spread_over_seeds_the_limit_and_what_diverged():
    facts = sweep_of(runs())
    batch, stochastic = facts.series
    assert [r.rate for r in batch.results] == [0.01, 0.1, 0.9]
    assert batch.results[1].middle == pytest.approx(0.2)
    assert batch.results[1].low == pytest.approx(0.12)
    assert batch.results[1].high == pytest.approx(0.28)
    assert [r.lost for r in batch.results] == [False, False, True]
    assert (batch.limit, stochastic.limit) == (0.5, 0.2)
    best = "Stochastic does best at rate 0.05: 5 % above the optimum"
    assert facts.finding == f"{best}; batch diverges at rate 0.9, its limit is 0.5"


def test_a_sweep_draws_one_line_a_variant_one_cross_a_diverged_rate_and_the_limits():
    figure = draw_sweep(sweep_of(runs()))
    assert sum(trace.mode == "lines+markers" for trace in figure.data) == 2
    crosses = [trace for trace in figure.data if trace.mode == "markers"]
    assert [list(trace.x) for trace in crosses] == [[0.9]]
    assert sorted(shape.x0 for shape in figure.layout.shapes) == [0.2, 0.5]
    texts = [note.text for note in figure.layout.annotations]
    assert "batch is stable to 0.5" in texts
    assert "stochastic is stable to 0.2" in texts


def test_where_no_optimum_is_known_a_sweep_is_of_the_loss():
    facts = sweep_of([halving(optimum=None), halving(5, optimum=None, rate=0.2)])
    assert facts.y == "loss"
    assert facts.finding == "Batch does best at rate 0.1: loss 1"


def test_a_sweep_in_which_everything_diverges_says_so():
    facts = sweep_of([running_away()])
    assert facts.finding == "Every rate diverges, from 0.9 on"
    assert len(draw_sweep(facts).data) == 2


def test_a_batch_sweep_joins_the_best_rate_of_each_size():
    facts = batch_sweep_of(runs())
    assert facts.finding == "At its best rate, a batch of 1 row ends lowest: 5 % above the optimum; all 100 rows 20 %"
    figure = draw_batch_sweep(facts)
    best = figure.data[0]
    assert list(best.x) == [1, 100]
    assert list(best.y) == pytest.approx([0.05, 0.2])
    assert sum(trace.mode == "lines+markers" for trace in figure.data) == 3


def test_a_sweep_over_nothing_is_refused():
    with pytest.raises(ValueError, match="no traces"):
        sweep_of([])


def path_of(looks):
    share = np.linspace(0, 1, looks)
    return np.stack([4.0 * share, 5.0 * share], axis=1)


def test_a_fan_knows_the_line_of_every_moment():
    trace = a_walk(np.linspace(3, 1, 101), path=path_of(101))
    facts = fan_of([0.0, 1.0, 2.0], [5.0, 9.0, 13.0], trace, lines=3, names=("size", "price"))
    assert facts.along.tolist() == [0.0, 2.0]
    assert facts.lines.tolist() == [[0.0, 0.0], [2.5, 6.5], [5.0, 13.0]]
    assert facts.updates.tolist() == [0, 50, 100]
    assert facts.finding == "After 100 updates the line is 5 + 4 × size"


def test_a_thousand_lines_are_a_few_traces():
    trace = a_walk(np.linspace(3, 1, 1001), path=path_of(1001))
    x = np.linspace(0, 2, 100)
    figure = draw_fan(fan_of(x, 5 + 4 * x, trace))
    assert len(figure.data) <= 12
    gaps = sum(
        int(np.isnan(np.asarray(line.y, float)).sum()) for line in figure.data if line.name.startswith("updates")
    )
    assert gaps == 1000


def test_a_fan_of_a_classifier_is_of_probabilities():
    trace = a_walk([0.7, 0.5], path=[[0, 0], [100.0, 0]], loss="LogLoss")
    facts = fan_of([-1.0, 1.0], [-1, 1], trace)
    assert facts.y.tolist() == [0.0, 1.0]
    assert (facts.lines[0] == 0.5).all()
    assert facts.lines[-1][[0, -1]].tolist() == pytest.approx([0.0, 1.0])


def test_a_fan_of_many_features_is_refused():
    with pytest.raises(ValueError, match="shape"):
        fan_of([1.0], [1.0], a_walk([3.0, 2.0], path=np.zeros((2, 5))))


def test_a_history_draws_the_loss_and_each_parameter_by_name():
    facts = history_of(a_walk([3.0, 1.0], path=[[0.0, 0.0], [4.0, 5.0]]))
    assert facts.names == ("size", "intercept")
    assert facts.finding == "After 1 updates the loss is 1, at size 4 and intercept 5"
    figure = draw_history(facts, "dark")
    assert [line.name for line in figure.data] == ["loss", "size", "intercept"]


def test_a_race_is_won_by_the_median_and_says_how_far_the_other_kind_is_behind():
    facts = race_of(
        [
            {"name": "batch", "variant": "batch", "seconds_to_1pct": [4.0]},
            {"name": "mini", "variant": "mini-batch", "seconds_to_1pct": [1.0, 2.0, None]},
            {"name": "lost", "variant": "stochastic", "seconds_to_1pct": [None, None, 1.0]},
        ],
        [{"name": "closed form", "seconds_to_1pct": 0.5}, {"name": "none", "seconds_to_1pct": None}],
    )
    assert [runner.name for runner in facts.runners] == ["closed form", "mini", "batch"]
    assert facts.runners[1].middle == 2.0
    assert facts.never == ("lost", "none")
    assert facts.finding == "Closed form is within 1 % first, after 500 ms; mini takes 2 s, 4 times as long"
    assert len(draw_race(facts).data) == 3


def test_a_race_that_nobody_finishes_says_so():
    facts = race_of([{"name": "a", "seconds_to_1pct": []}])
    assert facts.finding == "Nothing comes within 1 % of the optimum"
    assert len(draw_race(facts).data) == 0
