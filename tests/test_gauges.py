"""Gauges against slow exact computations."""

import numpy as np
import pytest

from fallline import Linear, Plan, SoftmaxRegression
from fallline.descent import Run
from fallline.errors import InputError
from fallline.gauges import (
    FREE,
    GAUGES,
    WRITTEN,
    Distance,
    EffectiveRate,
    GradientNorm,
    GradientSpread,
    NoiseScale,
    Reach,
    Sharpness,
    StepCurvature,
    Travelled,
    Turn,
    UpdateRatio,
    Validation,
    WithinMargin,
)
from fallline.losses import LogLoss
from fallline.parts import part
from fallline.penalties import L2
from fallline.stops import GradientNorm as ByGradient
from fallline.stops import Updates
from fallline.trace import COLUMNS, Trace

ROWS, RATE, ALPHA = 120, 0.4, 0.01
RNG = np.random.default_rng(0)
X = RNG.standard_normal((ROWS, 3)) * [1.0, 2.0, 0.5]
Y = np.where(X @ [1.0, -0.5, 1.0] + RNG.logistic(size=ROWS) > 0, 1.0, -1.0)
ON = Linear(X, Y, LogLoss(), L2(ALPHA))
PLAN = Plan(step="plain", variant="batch", rate=RATE, budget="updates", amount=12)
EXACT = 1e-10  # sums in another order
GAUGED = (
    Travelled(), UpdateRatio(), Turn(), GradientSpread(0), NoiseScale(0), StepCurvature(), Reach(), Sharpness(60),
    EffectiveRate(), WithinMargin(),
)  # fmt: skip


def walked() -> Run:
    return PLAN.run(ON, gauges=GAUGED)


def slope_of_row(w: np.ndarray, i: int) -> np.ndarray:
    """By hand: −y·x/(1 + exp(y·z))."""
    x = np.append(X[i], 1.0)
    return -Y[i] * x / (1.0 + np.exp(Y[i] * (x @ w)))


def gradient(w: np.ndarray) -> np.ndarray:
    return np.mean([slope_of_row(w, i) for i in range(ROWS)], axis=0) + ALPHA * np.append(w[:3], 0.0)


def curvature(w: np.ndarray) -> np.ndarray:
    rows = np.column_stack([X, np.ones(ROWS)])
    p = 1.0 / (1.0 + np.exp(-rows @ w))
    return (rows.T * (p * (1 - p))) @ rows / ROWS + ALPHA * np.diag([1.0, 1.0, 1.0, 0.0])


def spread(w: np.ndarray) -> float:
    G = np.array([slope_of_row(w, i) for i in range(ROWS)])
    return float(np.trace(np.cov(G.T, bias=True)))


SLOW = {
    "travelled": lambda path, k: np.linalg.norm(path[k] - path[0]),
    "update_ratio": lambda path, k: np.linalg.norm(path[k] - path[k - 1]) / np.linalg.norm(path[k]),
    "turn": lambda path, k: np.degrees(
        np.arccos(
            (path[k] - path[k - 1])
            @ (path[k - 1] - path[k - 2])
            / np.linalg.norm(path[k] - path[k - 1])
            / np.linalg.norm(path[k - 1] - path[k - 2])
        )
    ),
    "gradient_spread:rows=0": lambda path, k: spread(path[k]),
    "noise_scale:rows=0": lambda path, k: spread(path[k]) / (gradient(path[k]) @ gradient(path[k])),
    "effective_rate": lambda path, k: RATE,  # of plain steps on all rows their own
    "within_margin": lambda path, k: np.mean(Y * (X @ path[k][:3] + path[k][3]) < 1.0),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_gauge_reads_what_a_slow_computation_gives(name):
    trace = walked().trace
    path = trace.path
    assert len(path) == 13
    for k in range(2, 13):
        assert trace[name][k] == pytest.approx(SLOW[name](path, k), rel=EXACT if name != "turn" else 1e-6), k
    assert np.ptp(trace[name][2:]) > 0.0 or name == "effective_rate"


def test_curvature_along_a_step_is_between_those_at_its_ends_and_reach_is_that_of_the_parabola():
    trace = walked().trace
    path = trace.path
    for k in range(1, 13):
        v = path[k] - path[k - 1]
        ends = [v @ curvature(path[j]) @ v / (v @ v) for j in (k - 1, k)]
        middle = v @ curvature(0.5 * (path[k] + path[k - 1])) @ v / (v @ v)
        assert min(*ends, middle) * (1 - 1e-6) <= trace["step_curvature"][k] <= max(*ends, middle) * (1 + 1e-6)
        heights = [gradient(path[j]) @ v for j in (k - 1, k)]
        assert trace["reach"][k] == pytest.approx(1.0 - heights[1] / heights[0], rel=1e-8)


def test_sharpness_is_the_largest_curvature_against_two_over_the_rate():
    trace = walked().trace
    for k in (3, 12):
        largest = np.linalg.eigvalsh(curvature(trace.path[k]))[-1]
        assert trace["sharpness:rounds=60"][k] == pytest.approx(
            0.5 * RATE * largest, rel=1e-4
        )  # differences of gradients


def test_a_sample_of_rows_is_right_on_average():
    w = np.array([0.3, -0.2, 0.5, 0.1])
    drawn = [GradientSpread(30, seed).read(ON, w) for seed in range(200)]
    assert np.mean(drawn) == pytest.approx(
        spread(w) * ROWS / (ROWS - 1), rel=0.03
    )  # a third of one draw's deviation over √200
    assert np.std(drawn) > 0.0


def test_what_looks_back_knows_nothing_at_the_start_and_goes_on_where_a_run_is_gone_on_with(tmp_path):
    whole = walked().trace
    assert np.isnan([whole[gauge.name()][0] for gauge in FREE]).all()
    half = Plan(**{**PLAN.as_dict(), "amount": 5.0}).run(ON, gauges=GAUGED)
    loaded = half._replace(trace=Trace.load(half.trace.save(tmp_path / "half.npz")))
    for start in (half, loaded):
        gone_on = PLAN.run(ON, gauges=GAUGED, start=start).trace
        for gauge in GAUGED:
            np.testing.assert_array_equal(gone_on[gauge.name()], whole[gauge.name()])


def test_a_share_within_the_margin_is_refused_where_there_is_no_margin():
    for on in (Linear(X, Y), SoftmaxRegression(X, np.arange(ROWS) % 3)):
        with pytest.raises(InputError, match="two classes"):
            PLAN.run(on, gauges=[WithinMargin()])


def test_every_gauge_has_its_price():
    assert {gauge.name().partition(":")[0] for gauge in GAUGED} | {
        "gradient_norm",
        "validation_loss",
        "distance",
    } == set(GAUGES)
    assert all(gauge.price(1000) == 0.0 for gauge in FREE)
    assert NoiseScale(250).price(1000) == pytest.approx(1.5)
    assert Updates(3).gauges() == ()


def test_two_of_a_kind_are_two_columns_and_one_name_for_two_things_is_refused():
    trace = PLAN.run(
        ON, gauges=[NoiseScale(64), NoiseScale(), NoiseScale(), GradientNorm()], stops=[ByGradient(1e-12)]
    ).trace
    assert [name for name in trace.columns if name not in COLUMNS] == [
        "gradient_norm",
        "noise_scale:rows=64",
        "noise_scale",
    ]
    assert (trace["noise_scale:rows=64"] != trace["noise_scale"]).any()
    held = Linear(X[:40], Y[:40], LogLoss()), Linear(X[40:], Y[40:], LogLoss())
    assert list(Trace(1, [Validation(held[0]), Validation(held[0])]).gauges) == ["validation_loss"]
    with pytest.raises(InputError, match="Two gauges are called validation_loss"):
        PLAN.run(ON, gauges=[Validation(on) for on in held])
    with pytest.raises(InputError, match="Two gauges are called distance"):
        Trace(1, [Distance(np.zeros(4)), Distance(np.zeros(4))])
    anew = Trace(1, [Validation(held[0])]).copy(
        [Validation(held[1])]
    )  # a run gone on with may have its rows read again
    assert anew.gauges["validation_loss"].objective is held[1]


def test_a_column_by_its_text_is_the_gauge_of_that_text():
    for gauge in GAUGED:
        assert part(WRITTEN, gauge.name(), "gauge") == gauge


def test_the_start_is_remembered_where_points_are_too_many_to_keep(tmp_path, monkeypatch):
    whole = walked().trace
    monkeypatch.setattr("fallline.trace.PATH_LIMIT", 64)
    half = Plan(**{**PLAN.as_dict(), "amount": 5.0}).run(ON, gauges=GAUGED)
    assert not half.trace.points
    loaded = half._replace(trace=Trace.load(half.trace.save(tmp_path / "half.npz")))
    np.testing.assert_array_equal(PLAN.run(ON, gauges=GAUGED, start=loaded).trace["travelled"], whole["travelled"])


def test_a_spread_from_one_row_is_not_known():
    assert np.isnan(GradientSpread(1).read(ON, ON.start()))
