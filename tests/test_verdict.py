"""The verdict: its test is exact, equals rarely differ, and its sentences say what the numbers say."""

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from fallline.comparison.entry import Baseline, Entry, Yardstick, score
from fallline.comparison.significance import LEVEL, differences, rank_test, sign_test
from fallline.comparison.verdict import verdict_of
from fallline.losses import SquaredError
from fallline.objectives import Linear
from fallline.plan import Plan
from fallline.trace import Trace

YARD = Yardstick(optimum=1.0, scale=1.0, start=3.0, by="")
n = 100
AMOUNT = "50 passes over the rows"


def trace_of(arrives=math.inf, took=math.inf, ends=0.001, diverged=False):
    """A run that is within 1 % of the optimum after so many passes and seconds, and ends so far above it."""
    trace = Trace(n)
    looks = [(0, 0.0, 3.0), (50 * n, 1.0, 1.0 + ends)]
    if arrives < math.inf:
        looks.insert(1, (arrives * n, took, 1.009))
    for visits, second, loss in looks:
        for name, value in zip(("visits", "seconds", "loss", "t"), (visits, second, loss, visits), strict=True):
            trace.columns[name].append(value)
    trace.about = {"diverged": diverged, "reason": "", "seed": 0, "batch_size": 1}
    return trace


def entry(plan, *runs, yard=YARD, limit=1.0, final=True):
    """A setting and its runs; one without chance is timed seven times more, alike."""
    traces = [trace_of(**run) for run in runs]
    chance = plan.variant != "batch"
    again = [] if chance else [trace_of(**runs[0]) for _ in range(7)]
    return Entry(plan, traces, yard, limit, final, chance, again)


def spread(middle, **rest):
    """Eight seeds that arrive around so many passes, no two alike."""
    return [{"arrives": middle * (0.93 + 0.02 * k), "took": middle / 1000, **rest} for k in range(8)]


MINI, STOCHASTIC, BATCH = (
    Plan("plain", rate=0.1),
    Plan("plain", "stochastic", rate=0.1),
    Plan("plain", "batch", rate=0.5),
)
TOOL = Baseline("L-BFGS", 0.001, 1e-9, 0.0005)
SLOW = Baseline("Newton's method", 0.5, 1e-9, 0.5)
FAILED = Baseline("scikit-learn's SGDClassifier", 0.5, 0.41, math.inf)


# the rank test


@pytest.mark.parametrize("sizes", [(8, 8), (3, 5), (1, 4), (2, 2), (30, 25)])
def test_the_rank_test_is_scipys_exact_one_where_nothing_ties(sizes):
    chance = np.random.default_rng(0)
    for shift in (0.0, 0.5, 3.0):
        a, b = chance.normal(size=sizes[0]), chance.normal(size=sizes[1]) + shift
        assert rank_test(a, b) == pytest.approx(mannwhitneyu(a, b, method="exact").pvalue, rel=1e-9)


def test_the_rank_test_counts_every_deal_of_ties():
    a, b = [1.0, 1.0, 2.0, math.inf], [2.0, math.inf, math.inf]
    pooled = [1.5, 1.5, 3.5, 6.0, 3.5, 6.0, 6.0]
    sums = [sum(pooled[i] for i in chosen) for chosen in itertools.combinations(range(7), 4)]
    below, above = (np.mean([test(s) for s in sums]) for test in (lambda s: s <= 12.5, lambda s: s >= 12.5))
    assert rank_test(a, b) == pytest.approx(min(1.0, 2 * min(below, above)))


def test_the_rank_test_is_symmetric_and_sees_no_difference_in_ties():
    assert rank_test([math.inf] * 8, [math.inf] * 8) == 1.0
    assert rank_test([1, 2, 3], [4, 5, 6]) == rank_test([4, 5, 6], [1, 2, 3]) == pytest.approx(0.1)
    assert rank_test([1.0] * 8, [2.0] * 8) == pytest.approx(2 / math.comb(16, 8))
    assert 0 < rank_test(np.arange(60.0), np.arange(60.0) + 30) < 1e-4  # far beyond what can be listed


def test_under_chance_alone_p_values_are_at_most_what_they_say():
    deals = [list(chosen) for chosen in itertools.combinations(range(10), 5)]
    for ranks in (np.arange(10.0), np.array([1, 1, 1, 2, 2, 3, 3, 3, 9, 9.0])):
        p = np.array([rank_test(ranks[deal], np.delete(ranks, deal)) for deal in deals])
        for level in (0.01, 0.05, 0.1, 0.5):
            assert np.mean(p <= level) <= level


def test_a_setting_compared_with_itself_differs_in_at_most_one_case_in_twenty():
    """200 pairs of 8 real runs against 8 others of the same plan; as many pairs against a rate half as high."""
    chance = np.random.default_rng(4)
    X = chance.normal(size=(40, 3))
    objective = Linear(X, X @ [1.0, -1.0, 0.5] + 0.5 * chance.normal(size=40), SquaredError())
    w = np.linalg.lstsq(np.column_stack([X, np.ones(40)]), objective.model.y, rcond=None)[0]
    optimum = objective.value(w)
    yard = Yardstick(optimum, optimum, objective.value(objective.start()), "")
    plan = Plan("plain", "stochastic", rate=0.03, amount=4)

    def group(plan, first):
        traces = []
        for seed in range(first, first + 8):
            run = replace(plan, seed=seed).run(objective, looks=10)
            run.trace.about = {"diverged": run.diverged}
            traces.append(run.trace)
        return Entry(plan, traces, yard, None, True)

    pairs = 200
    alike = [differences([group(plan, 16 * k), group(plan, 16 * k + 8)])[0] for k in range(pairs)]
    found = sum(pair.real for pair in alike)
    assert len({pair.p for pair in alike}) > 20  # no empty victory: the runs differ, and so do the groups
    # 5 % is the mean; by chance alone 200 fair cases come out above mean + 2.33 deviations once in a hundred times
    assert found <= LEVEL * pairs + 2.33 * math.sqrt(pairs * LEVEL * (1 - LEVEL))
    other = [differences([group(plan, 16 * k), group(replace(plan, rate=0.015), 16 * k + 8)])[0] for k in range(20)]
    assert sum(pair.real for pair in other) >= 19  # and a difference that is there is found


def test_all_pairs_share_the_five_per_cent():
    plans = [replace(MINI, rate=0.1 * k) for k in range(1, 6)]
    chance = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        finals = [entry(plan, *({"arrives": 1 + 10 * chance.random(), "took": 1} for _ in range(8))) for plan in plans]
        found += any(pair.real for pair in differences(finals))
    assert found <= LEVEL * 300 + 2.33 * math.sqrt(300 * LEVEL * (1 - LEVEL))


def test_one_clear_difference_stands_out_among_many_pairs():
    plans = [replace(MINI, rate=0.1 * k) for k in range(1, 6)]
    finals = [entry(plan, *spread(2.0 if k == 4 else 9.0 + 0.001 * k)) for k, plan in enumerate(plans)]
    real = {(pair.a, pair.b) for pair in differences(finals) if pair.real}
    assert real == {(plan.name, plans[4].name) for plan in plans[:4]}


def test_a_run_without_chance_is_compared_as_sure():
    finals = [entry(BATCH, {"arrives": 10, "took": 1}), entry(MINI, *spread(2.0))]
    (pair,) = differences(finals)
    assert pair.real
    assert (
        pair.text == "Mini-batch 32 · rate 0.1 came within 1 % in fewer row visits than batch · rate 0.5 (p = 0.0078)."
    )  # eight seeds of eight on one side: 2/2⁸
    same = [entry(BATCH, {"arrives": 10, "took": 1}), entry(replace(BATCH, step="adam"), {"arrives": 10, "took": 1})]
    assert not differences(same)[0].real


def test_one_number_against_seeds_is_called_different_in_at_most_five_per_cent():
    chance = np.random.default_rng(0)
    for seeds in (3, 5, 8, 20):
        found = [sign_test(chance.normal(size=seeds).tolist(), 0.0) <= 0.05 for _ in range(4000)]
        assert np.mean(found) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)  # three deviations of the count itself
    assert sign_test([1.0] * 8, 0.0) == pytest.approx(2 / 2**8)  # and it can find one
    assert sign_test([0.0] * 8, 0.0) == 1.0


def test_too_few_seeds_are_said_to_be_too_few():
    finals = [entry(MINI, *spread(2.0)[:2]), entry(STOCHASTIC, *spread(9.0)[:2])]
    (pair,) = differences(finals)
    assert not pair.real
    assert "too few seeds" in pair.text


# the sentences


def told(finals, baselines=(), others=()):
    verdict = verdict_of([*finals, *others], baselines, n, AMOUNT)
    text = " ".join([verdict.headline, *verdict.sentences, *(pair.text for pair in verdict.differences)])
    assert "nan" not in text
    assert not re.search(r"\binf\b|None|  |\.\.|;;", text)
    assert not verdict.headline.endswith(".")
    assert all(s.endswith(".") and s[0] == s[0].upper() for s in verdict.sentences)
    return verdict


def test_the_first_in_row_visits_and_the_first_in_seconds_are_both_named():
    finals = [
        entry(MINI, *spread(2.0)),
        entry(BATCH, {"arrives": 13, "took": 0.0005}),
        entry(STOCHASTIC, *spread(5.0)),
    ]
    verdict = told(finals, [SLOW])
    assert (
        verdict.headline == "Mini-batch 32 · rate 0.1 came within 1 % of the optimum first, in 2 passes over the rows"
    )
    assert verdict.sentences == [
        "In row visits, mini-batch 32 · rate 0.1 was first within 1 % of the optimum, after 2 passes over the rows, the "
        "median of 8 seeds; stochastic · rate 0.1 took 5 passes; batch · rate 0.5 took 13 passes.",
        "In seconds, batch · rate 0.5 was first, after 500 µs against 2 ms for mini-batch 32 · rate 0.1.",
        "No run diverged.",
        "No other tool was clearly quicker than these 500 µs, finding the rate not counted: Newton's method took 500 ms.",
    ]
    assert verdict.better_tool is None


def test_a_lead_no_larger_than_noise_is_no_lead():
    finals = [entry(MINI, *spread(2.0)), entry(STOCHASTIC, *spread(2.01)), entry(BATCH, {"arrives": 13, "took": 1})]
    verdict = told(finals)
    assert verdict.headline == (
        "Mini-batch 32 · rate 0.1 and stochastic · rate 0.1 came within 1 % of the optimum first, in 2 passes over the rows"
    )
    assert "stochastic · rate 0.1 took 2.01 passes, no more than seeds differ; batch" in verdict.sentences[0]
    assert "batch · rate 0.5 took 13 passes." in verdict.sentences[0]
    assert verdict.sentences[1] == "In seconds it was first too, after 2 ms."
    assert verdict.sentences[-1] == "No other tool was run beside it."


def test_times_that_are_close_have_no_winner():
    uneven = [{**run, "took": 0.00165 + 0.0001 * k} for k, run in enumerate(spread(2.0))]
    finals = [entry(MINI, *uneven), entry(BATCH, {"arrives": 13, "took": 0.0019})]
    assert told(finals).sentences[1] == (
        "In seconds nobody was clearly first: batch · rate 0.5 took 1.9 ms, mini-batch 32 · rate 0.1 2 ms."
    )
    sure = [entry(MINI, *uneven), entry(BATCH, {"arrives": 13, "took": 0.0016})]
    assert told(sure).sentences[1].startswith("In seconds, batch · rate 0.5 was first, after 1.6 ms")
    once = [entry(MINI, uneven[4]), replace(sure[1], again=())]  # one timing each shows nothing
    assert "nobody was clearly first" in told(once).sentences[1]


def test_one_setting_alone_is_not_first_among_itself():
    verdict = told([entry(BATCH, {"arrives": 13, "took": 0.0005})], [FAILED])
    assert verdict.headline == "Batch · rate 0.5 came within 1 % of the optimum, in 13 passes over the rows"
    assert verdict.sentences == [
        "It took 13 passes over the rows and 500 µs.",
        "No run diverged.",
        "No other tool was clearly quicker than these 500 µs, finding the rate not counted: "
        "scikit-learn's SGDClassifier ended 41 % above the optimum.",
    ]
    assert verdict.differences == []


def test_who_arrives_and_leaves_again_is_told_on():
    verdict = told([entry(MINI, *spread(2.0, ends=0.056)), entry(BATCH, {"arrives": 13, "took": 1})])
    assert verdict.sentences[0].endswith(
        "Mini-batch 32 · rate 0.1 did not stay there: it ended 5.6 % above the optimum."
    )


def test_who_never_arrives_is_named_with_the_edge_of_the_rates():
    finals = [entry(MINI, *spread(2.0)), entry(BATCH, {"ends": 0.36})]
    verdict = told(finals, others=[entry(replace(BATCH, rate=0.1), {"ends": 0.9}, final=False)])
    assert (
        "; batch · rate 0.5, the highest rate tried, never got there in 50 passes over the rows."
        in verdict.sentences[0]
    )


def test_a_better_tool_is_called_the_better_tool():
    verdict = told([entry(MINI, *spread(2.0)), entry(BATCH, {"arrives": 13, "took": 0.004})], [SLOW, TOOL])
    assert verdict.headline.endswith("in 2 passes over the rows, but L-BFGS is the better tool here")
    assert verdict.sentences[-1] == (
        "L-BFGS is the better tool for this table: it is within 1 % after 500 µs and ends at the optimum, where the "
        "quickest descent took 2 ms."
    )
    assert verdict.better_tool == "L-BFGS"
    close = replace(TOOL, seconds_to_1pct=0.0019)  # timings are noisy: 5 % quicker is not quicker
    assert told([entry(MINI, *spread(2.0))], [close]).better_tool is None
    left = replace(TOOL, excess=0.05)  # passed by, and did not stay
    assert told([entry(MINI, *spread(2.0))], [left]).better_tool is None


def test_a_tool_is_held_against_the_quickest_setting_not_the_first_in_visits():
    finals = [entry(MINI, *spread(2.0)), entry(BATCH, {"arrives": 13, "took": 0.0004})]
    assert told(finals, [TOOL]).better_tool is None


def test_nobody_arriving_is_said_with_who_came_nearest():
    finals = [
        entry(MINI, *({"ends": 0.12 + 0.002 * k} for k in range(8))),
        entry(STOCHASTIC, *({"ends": 0.12 + 0.0022 * k} for k in range(8))),
        entry(BATCH, {"ends": 0.36}),
    ]
    verdict = told(finals, [FAILED])
    assert verdict.headline == (
        "No setting came within 1 % of the optimum in 50 passes over the rows; mini-batch 32 · rate 0.1 came nearest, "
        "12.7 % above it"
    )
    assert verdict.sentences[0] == (
        "Mini-batch 32 · rate 0.1 ended 12.7 % above the optimum, the median of 8 seeds; stochastic · rate 0.1 12.8 % above, "
        "no more than seeds differ; batch · rate 0.5 36 % above."
    )
    assert verdict.sentences[-1] == (
        "No other tool got there either: scikit-learn's SGDClassifier ended 41 % above the optimum."
    )
    with_tool = told(finals, [TOOL, FAILED])
    assert with_tool.headline == (
        "No setting came within 1 % of the optimum in 50 passes over the rows; L-BFGS is the better tool here"
    )
    assert with_tool.sentences[-1].endswith("where no descent got there in 50 passes over the rows.")


def test_everybody_diverging_is_said_with_the_lowest_rate():
    lost = {"ends": 1e9, "diverged": True}
    verdict = told([entry(MINI, *[lost] * 8), entry(BATCH, lost)], [TOOL])
    assert verdict.headline == "Every setting diverged; L-BFGS is the better tool here"
    assert verdict.sentences[0] == "The lowest rate tried was 0.1: try lower ones with --rate."
    assert told([entry(MINI, *[lost] * 8)]).headline == "Every setting diverged"


def test_divergence_is_told_with_rate_share_of_the_limit_and_how_many_runs():
    lost, fine = {"ends": 1e9, "diverged": True}, {"ends": 0.5}
    tried = [
        entry(replace(BATCH, rate=1.2), lost, final=False),
        entry(replace(BATCH, rate=4.0), lost, final=False),
        entry(replace(MINI, rate=0.3), lost, fine, fine, final=False),
        entry(replace(STOCHASTIC, step="adam", rate=9.0), lost, lost, final=False, limit=None),
    ]
    sentence = told([entry(MINI, *spread(2.0))], others=tried).sentences[-2]
    assert sentence == (
        "Diverged: batch from rate 1.2 on (1.2 × its stable limit); mini-batch 32 at rate 0.3 (1 of 3 runs; 0.3 × its stable "
        "limit, which holds near the optimum); stochastic · adam at rate 9."
    )


def test_a_start_at_the_optimum_leaves_nothing_to_compare():
    yard = replace(YARD, start=1.0)
    verdict = told([entry(MINI, *spread(2.0), yard=yard), entry(BATCH, {"arrives": 1, "took": 1}, yard=yard)], [FAILED])
    assert verdict.headline == "The start is the optimum of this objective: there is nothing to descend"
    assert "take another loss" in verdict.sentences[0]
    assert verdict.better_tool is None
    near = replace(YARD, start=1.005)
    verdict = told([entry(MINI, *spread(2.0), yard=near)], [TOOL])
    assert verdict.headline == "The start is within 1 % of the optimum already: there is next to nothing to learn here"
    assert "0.5 % above the optimum" in verdict.sentences[0]
    assert verdict.better_tool is None


def test_the_best_setting_is_the_first_to_arrive_then_the_nearest():
    early, late = entry(MINI, *spread(2.0, ends=0.5)), entry(STOCHASTIC, *spread(3.0))
    near, far = (entry(BATCH, {"ends": ends}) for ends in (0.1, 0.2))
    lost = entry(BATCH, {"arrives": 1, "took": 1, "diverged": True})  # being there on the way out does not count
    assert sorted([lost, far, late, near, early], key=score) == [early, late, near, far, lost]


# the automatic solver


def own(arrives, took, ends=1e-5, bound=2e-5, seeds=8, reason="the estimated excess is small"):
    """The solver's runs: within 1 % after so many passes, within 0.01 % at the end."""
    entry = solved_by(
        Plan(), [{"arrives": arrives, "took": took * (0.965 + 0.01 * k), "ends": ends} for k in range(seeds)]
    )
    for trace in entry.traces:
        trace.columns["excess"] = [math.inf, *[0.5 * ends] * (len(trace) - 1)]
        trace.about |= {"reason": reason, **({} if bound is None else {"bound": bound})}
    return entry


def solved_by(plan, runs):
    return Entry(plan, [trace_of(**run) for run in runs], YARD, None, True)


def test_the_automatic_solver_is_told_beside_the_quickest_tuned_setting_with_its_certificate():
    tried = [entry(replace(MINI, rate=rate), *spread(9.0)[:3], final=False) for rate in (0.1, 0.2)]
    verdict = told(
        [entry(MINI, *spread(5.0)), entry(BATCH, {"arrives": 13, "took": 0.02}), own(3, 0.001)], others=tried
    )
    assert verdict.headline == "The automatic solver came within 1 % of the optimum first, in 3 passes over the rows"
    assert verdict.sentences[1] == "In seconds it was first too, after 1 ms."
    assert verdict.sentences[2] == (
        "The automatic solver, with nothing to choose, was within 1 % after 3 passes and 1 ms (the quickest other setting, "
        "mini-batch 32 · rate 0.1, after 5 passes and 5 ms) and was within 0.01 % after 50 passes and 1 s (no other setting in "
        "50 passes over the rows). The others' rates are the best of 2 tried, in 6 runs and 6 s that are not counted. By its own "
        "estimate it ended 0.0005 % above the optimum, proven to be at most 0.002 %; the truth is 0.001 %, and it stopped by "
        "itself."
    )


def test_the_automatic_solver_is_not_called_quicker_than_timings_allow():
    close = [{**run, "took": 0.00098 + 0.00001 * k} for k, run in enumerate(spread(3.0))]
    sentence = told([entry(MINI, *close), own(3, 0.001)]).sentences[2]
    assert "after 3 passes and 1.02 ms, no more than timings differ)" in sentence
    assert "rates are the best" not in sentence  # one was named


def test_an_automatic_solver_that_the_budget_ends_is_said_to_be_and_proves_nothing():
    sentence = told([own(3, 0.001, ends=0.005, bound=None, reason="made its 50 passes")]).sentences[1]
    assert sentence.endswith("the truth is 0.5 %, and the budget ended it (made its 50 passes).")
    assert "proven" not in sentence
    assert "0.01 %" not in sentence  # nobody came so near
    unproven = told([own(3, 0.001, bound=math.inf)]).sentences[1]
    assert "with nothing proven for this objective" in unproven
