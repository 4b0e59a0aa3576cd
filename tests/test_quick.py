"""Quick: close to the optimum after one pass over raw columns, one walk however the rows are cut, and where it is not close."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.lib.stride_tricks import sliding_window_view

from fallline import quick
from fallline.averages import Last
from fallline.data import load
from fallline.descent import State, descend
from fallline.errors import InputError
from fallline.executors import Quick
from fallline.losses import CLASSIFICATION, LOSSES, POSITIVE, Hinge, LogLoss, Poisson, SquaredError
from fallline.objectives import Function, Linear, SoftmaxRegression
from fallline.objectives.floor import floor_of
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.samplers import InOrder, Segment
from fallline.schedules import Constant
from fallline.solver import solve
from fallline.steps import Plain
from fallline.stops import Epochs
from shared import shared

ROWS = 20_000
PENALTIES = {"l2": L2(1e-3), "none": NoPenalty(), "l1": L1(1e-4), "elasticnet": ElasticNet(1e-3, 0.1)}
STORAGES = {"dense": np.asarray, "csr": sp.csr_array}
TURNS = [
    (loss, list(PENALTIES)[k % 4], list(STORAGES)[(k + k // 4) % 2])
    for k, loss in enumerate(LOSSES)
    if loss != "perceptron"
]
CLOSE = 0.01  # of the optimum, after one pass: what is promised on ordinary large data


def table(storage: str, seed: int = 0) -> tuple[Any, np.ndarray]:
    """Raw columns, dense ones with means of several deviations and scales from 1/1000 to 1000, and a score."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((ROWS, 5)) @ (np.eye(5) + 0.2 * rng.standard_normal((5, 5)))
    z = Z @ [1.0, -0.5, 0.3, 0.0, 0.4]
    spread = np.array([1e-3, 1.0, 30.0, 1e3, 1.0])
    if storage == "csr":
        Z = np.where(rng.random(Z.shape) < 0.5, 0.0, Z)
        return sp.csr_array(Z * spread), Z @ [1.0, -0.5, 0.3, 0.0, 0.4]
    return (Z + np.array([3.0, -2.0, 0.0, 1.0, 0.5])) * spread, z


def targets(loss: str, z: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    if loss in CLASSIFICATION:
        return np.where(rng.random(len(z)) < 1.0 / (1.0 + np.exp(-z)), 1.0, -1.0)
    if loss in POSITIVE:
        return rng.gamma(2.0, np.exp(0.5 * z)) + 0.1
    return 3.0 * z + 50.0 + rng.standard_t(4, len(z))


def excess(objective: Any, run: Any) -> float:
    """Over the optimum, of what a perfect prediction would save there."""
    lowest = solve(objective, tol=1e-6).trace["loss"].min()
    return float((objective.value(run.w) - lowest) / (lowest - floor_of(objective)))


@pytest.mark.parametrize(("loss", "penalty", "storage"), TURNS, ids=["-".join(turn) for turn in TURNS])
def test_one_pass_over_raw_columns_is_within_a_percent(loss, penalty, storage):
    X, z = table(storage)
    objective = Linear(X, targets(loss, z), LOSSES[loss](), PENALTIES[penalty], weights=np.arange(ROWS) % 3)
    run = quick(objective)
    assert run.trace["visits"].tolist() == [0, ROWS]
    assert run.trace["loss"][0] > 1.05 * run.trace["loss"][1]
    assert excess(objective, run) < CLOSE


@pytest.mark.parametrize("storage", STORAGES)
def test_one_pass_over_several_classes_is_within_a_percent(storage):
    X, z = table(storage)
    kinds = np.digitize(z + np.random.default_rng(2).logistic(size=ROWS), [-1.0, 1.0])
    objective = SoftmaxRegression(X, kinds, 3, L2(1e-3))
    assert excess(objective, quick(objective)) < CLOSE


def in_order(objective: Any, cuts: list[int]) -> State:
    """The walk over the rows as they come, in a chunk between every two cuts, each chunk a table of its own."""
    method, w = Quick(), objective.start()
    state = State(w, method.start(objective, w), w, 0, 0)
    for first, last in pairwise(cuts):
        chunk = Linear(
            objective.model.rows.X[first:last], objective.model.y[first:last], objective.loss, objective.penalty
        )
        segment = Segment(np.arange(last - first), 1, last - first)
        state, _ = method(chunk, state, segment, Plain(), Constant(1.0), Last(), 0)
    return state


def test_chunks_are_walked_to_the_bits_of_the_whole():
    X, z = table("dense")
    objective = Linear(X[:1000], targets("log_loss", z[:1000]), LogLoss(), ElasticNet(1e-3, 0.1))
    whole, cut = in_order(objective, [0, 1000]), in_order(objective, [0, 1, 40, 41, 103, 640, 1000])
    for ours, theirs in zip((cut.mean, cut.w, *cut.memory), (whole.mean, whole.w, *whole.memory), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    assert np.abs(whole.mean).max() > 0.1


def test_chunks_of_sparse_rows_too():
    X, z = table("csr")
    X = sp.csr_array(sp.hstack([X, sp.random_array((ROWS, 50), density=0.01, rng=np.random.default_rng(3))]))
    y = targets("log_loss", z)
    objective = Linear(X[:1000], y[:1000], LogLoss(), L2(1e-3))
    parts = {"advance": Quick(), "step": Plain(), "schedule": Constant(1.0), "sampler": InOrder(1), "stop": Epochs(1)}
    seldom, often = descend(objective, **parts), descend(objective, **parts, every=7)
    assert len(often.trace) == 144
    assert often.w.tobytes() == seldom.w.tobytes()  # a look changes nothing
    for ours, theirs in zip(often.state.memory, seldom.state.memory, strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_full_sparse_rows_are_walked_like_dense_ones_without_an_intercept():
    X, z = table("dense")
    y = targets("log_loss", z)
    dense = quick(Linear(X, y, LogLoss(), L2(1e-3), intercept=False))
    sparse = quick(Linear(sp.csr_array(X), y, LogLoss(), L2(1e-3), intercept=False))
    np.testing.assert_allclose(sparse.w, dense.w, rtol=1e-6)  # the distance walked is added up in another order
    assert np.abs(dense.w).max() > 1e-3


def test_units_of_columns_and_targets_do_not_matter():
    X, z = table("dense")
    y, units = targets("squared_error", z), np.array([2.0**30, 0.5, 2.0**-40, 1.0, 8.0])
    run, other = quick(Linear(X, y)), quick(Linear(X * units, y * 2.0**20))
    np.testing.assert_allclose(
        other.w[:-1] * units / 2.0**20, run.w[:-1], rtol=1e-9
    )  # the start's size is no number of y
    assert excess(Linear(X, y), run) < CLOSE


def test_columns_that_say_nothing_do_no_harm():
    X, z = table("dense")
    X = np.column_stack([X, np.full(ROWS, 7.0), X[:, 0], np.arange(ROWS) == 5, np.zeros(ROWS)])
    objective = Linear(X, targets("log_loss", z), LogLoss(), L2(1e-3))
    run = quick(objective)
    assert excess(objective, run) < CLOSE
    assert run.w[[5, 8]].tolist() == [0.0, 0.0]


def test_a_table_shorter_than_a_step_moves_all_the_same():
    objective = Linear(np.arange(6.0).reshape(-1, 1), np.arange(6.0), SquaredError(), L2(1e-3))
    run = quick(objective, passes=40)
    assert run.trace["loss"][1] < run.trace["loss"][0]


def test_passes_are_counted_over_a_run_and_its_continuation():
    X, z = table("dense")
    objective = Linear(X[:500], targets("hinge", z[:500]), Hinge(), L1(1e-3))
    half = quick(objective, passes=1)
    rest, whole = quick(objective, passes=2.5, start=half), quick(objective, passes=2.5)
    assert rest.w.tobytes() == whole.w.tobytes()
    assert whole.trace["visits"].tolist() == [0, 500, 1000, 1250]


def test_a_function_is_refused():
    with pytest.raises(InputError, match="needs the rows of a linear model"):
        quick(Function(lambda w: w @ w, lambda w: 2 * w, [1.0]))


def real(name: str, **options: Any) -> Linear:
    data = load(str(shared(name)), standardise=False, **options)
    return Linear(data.X, data.y, LogLoss(), L2(1.0 / len(data.y)))


@pytest.mark.parametrize("name", ["large/elec.csv.gz", "classification/adult-train.csv.gz"])
def test_real_tables_shuffled_are_within_a_percent_after_one_pass(name):
    objective = real(name)
    assert excess(objective, quick(objective)) < CLOSE


def blurred(images):
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    return sliding_window_view(padded, (5, 5), axis=(1, 2)).mean(axis=(3, 4))


def test_raw_images_with_columns_that_few_have_are_not_run_away_from():
    """Grey values 0 … 255 of shifted shapes; the border is black but for one pixel in 250."""
    rng, n, side = np.random.default_rng(0), 3000, 14
    shapes = (blurred(rng.random((10, side, side))) > 0.45) * 1.0
    y = rng.integers(0, 10, n)
    shifts = rng.integers(-2, 3, (n, 2))
    images = blurred(np.stack([np.roll(shapes[k], shift, (0, 1)) for k, shift in zip(y, shifts, strict=True)]))
    inside = np.zeros((side, side))
    inside[3:-3, 3:-3] = 1.0
    X = np.rint(255.0 * images * np.maximum(inside, rng.random((n, side, side)) < 0.004)).reshape(n, -1)
    for penalty in (L2(1.0 / n), NoPenalty()):
        assert quick(SoftmaxRegression(X, y, 10, penalty)).trace.last("loss") < 0.5 * np.log(10.0)


def test_a_count_where_almost_none_is_expected_does_not_throw_the_walk_off():
    rng, n = np.random.default_rng(0), 20_000
    group = rng.integers(0, 12, n)
    X = np.column_stack([group[:, None] == np.arange(12), rng.gamma(0.5, 2.0, n)]).astype(float)
    objective = Linear(X, rng.poisson(0.01, n).astype(float), Poisson(), L2(1.0 / n))
    lowest = solve(objective).trace.last("loss")
    for seed in range(3):
        assert quick(objective, seed=seed).trace.last("loss") < 1.1 * lowest


def test_rows_in_the_order_of_time_are_too_where_the_world_drifts_slowly():
    objective = real("large/elec.csv.gz")
    parts = {"advance": Quick(), "step": Plain(), "schedule": Constant(1.0), "stop": Epochs(1)}
    assert excess(objective, descend(objective, **parts, sampler=InOrder(1))) < CLOSE


def test_rows_sorted_by_class_must_be_shuffled():
    objective = real("classification/adult-train.csv.gz")
    order = np.argsort(objective.model.y, kind="stable")
    sorted_ = Linear(objective.model.rows.X[order], objective.model.y[order], LogLoss(), objective.penalty)
    parts = {"advance": Quick(), "step": Plain(), "schedule": Constant(1.0), "stop": Epochs(1)}
    assert excess(sorted_, quick(sorted_)) < CLOSE
    assert excess(sorted_, descend(sorted_, **parts, sampler=InOrder(1))) > CLOSE
