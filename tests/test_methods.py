"""Methods that bring their own steps, held to one optimum: every method, the losses and penalties it takes, dense and sparse.

A combination of method, loss, penalty and storage compiles on its own, so the table goes through all losses of a method
with the penalties and storages taking turns. Excess is measured in what there was to gain, F(start) − F*.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest

from fallline.averages import Last, PolyakRuppert, Tail
from fallline.descent import descend
from fallline.errors import InputError
from fallline.executors import METHODS, SAGA, SDCA, Armijo, DoG, Katyusha, Polyak, StochasticPolyak, usual
from fallline.kernels.conjugates import DUALS
from fallline.losses import LOSSES, Perceptron, SquaredError
from fallline.objectives import Function, Linear, SoftmaxRegression
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.reference import optimum_of
from fallline.samplers import Batch, Shuffled
from fallline.schedules import Constant, Cosine, InverseTime
from fallline.steps import Momentum, Plain
from fallline.stops import Epochs, Updates
from oracle import csr64, dense64
from tolerances import EXACT

ROWS, COLUMNS = 80, 4
CHANCE = np.random.default_rng(5)
X = CHANCE.normal(size=(ROWS, COLUMNS))
X = np.where(CHANCE.random(X.shape) < 0.2, 0.0, X)
X = X / X.std(axis=0)
WEIGHTS = CHANCE.integers(0, 4, size=ROWS).astype(float)

SMOOTH = [name for name, loss in LOSSES.items() if loss().smooth()]
BOUNDED = [name for name in SMOOTH if name not in ("poisson", "gamma", "tweedie")]
ROUGH = [name for name in LOSSES if name not in SMOOTH]
WITH_DUAL = [name for name, loss in LOSSES.items() if loss in DUALS]
SIMPLE = {"l2": L2(0.1), "none": NoPenalty()}
PROXIMAL = {**SIMPLE, "l1": L1(0.05), "elasticnet": ElasticNet(0.1, 0.5)}
RIDGED = {"l2": L2(0.2), "elasticnet": ElasticNet(0.3, 0.5)}
STORAGES = {"dense": dense64, "csr": csr64}

LINEAR = 1e-9
"""Methods that converge linearly, and on the last digits: of what there was to gain."""

CORNERS = 1e-4
"""Losses with corners: the dual is flat about its optimum and subgradients do not fade, so the last digits come slowly."""

NOISY = 3e-4
"""An average of a noisy walk over a few hundred passes, smooth losses: its variance falls like one over the steps."""

NOISY_CORNERS = 3e-3
"""The same for losses with corners, whose gradients stay as long as the walk lasts."""


class Case(NamedTuple):
    """What a method is tried on, and how close it must come in how many passes' worth of steps."""

    losses: list[str]
    penalties: dict[str, Any]
    passes: float
    smooth: float
    rough: float = CORNERS
    schedule: Any = None  # (rate, steps) → schedule; the method's own rate, constant, unless told
    average: Any = None  # steps → average


def half(steps: int) -> Tail:
    return Tail(steps, 0.5)


def falling(rate: float, steps: int) -> Any:
    return InverseTime(rate, 0.2)


def cosine(rate: float, steps: int) -> Any:
    return Cosine(rate, steps)


SOME = ["log_loss", "absolute_error"]
CASES = {
    "saga": Case(BOUNDED, PROXIMAL, 150, LINEAR),
    "svrg": Case(BOUNDED[:4], PROXIMAL, 200, LINEAR),
    "katyusha": Case(BOUNDED[-4:], PROXIMAL, 200, LINEAR),
    "sdca": Case(WITH_DUAL, RIDGED, 400, LINEAR),
    "lbfgs": Case(SMOOTH, SIMPLE, 60, LINEAR),
    "armijo": Case(SMOOTH, PROXIMAL, 400, LINEAR),
    "barzilai_borwein": Case(SMOOTH, PROXIMAL, 150, LINEAR),
    "polyak": Case([*SMOOTH, *ROUGH], SIMPLE, 1000, LINEAR),
    "stochastic_armijo": Case(["log_loss", "huber"], SIMPLE, 400, NOISY, schedule=falling, average=half),
    "stochastic_polyak": Case(SOME, SIMPLE, 500, NOISY, NOISY_CORNERS, schedule=falling, average=half),
    "dog": Case(SOME, SIMPLE, 400, NOISY, NOISY_CORNERS, average=half),
    "prodigy": Case(SOME, SIMPLE, 400, NOISY, NOISY_CORNERS, schedule=cosine),
    "d_adaptation": Case(SOME, SIMPLE, 400, NOISY, NOISY_CORNERS, schedule=cosine),
    "cocob": Case(SOME, SIMPLE, 2000, NOISY, NOISY_CORNERS, average=half),
    "schedule_free_sgd": Case(["log_loss", "huber"], SIMPLE, 400, NOISY, NOISY_CORNERS),
    "schedule_free_adamw": Case(SOME, SIMPLE, 400, NOISY, NOISY_CORNERS),
    "quick": Case(SOME, PROXIMAL, 400, NOISY, NOISY_CORNERS),
}


def turns(case: Case) -> list[tuple[str, str, str]]:
    """Every loss once, with penalties and storages in turn, so that every two neighbours of them meet."""
    penalties, storages = list(case.penalties), list(STORAGES)
    return [
        (loss, penalties[k % len(penalties)], storages[(k + k // len(penalties)) % 2])
        for k, loss in enumerate(case.losses)
    ]


EVERY = [(name, *turn) for name, case in CASES.items() for turn in turns(case)]


def target(loss: Any) -> Any:
    """Targets that the loss accepts, which X explains in part."""
    chance = np.random.default_rng(8)
    z = X @ [0.6, -0.3, 0.0, 0.2] + 0.3
    kinds = (
        z + 0.5 * chance.normal(size=ROWS),
        chance.poisson(np.exp(z)).astype(float),
        chance.gamma(2.0, np.exp(z) / 2.0),
    )
    signs = np.where(z + chance.normal(size=ROWS) > 0.0, 1.0, -1.0)
    return next(y for y in (*kinds, signs) if all(loss.accepts(value) for value in y.tolist()))


def problem(loss: str, penalty: Any, storage: Any = dense64, **rest: Any) -> Any:
    part = LOSSES[loss]()
    return Linear(storage(X), target(part), part, penalty, **rest)


def settings(name: str, objective: Any, method: Any = None) -> dict[str, Any]:
    """How the table runs a method on an objective."""
    case, method = CASES[name], METHODS[name]() if method is None else method
    chosen = usual(method, objective)
    steps = round(case.passes) * -(-ROWS // chosen["sampler"].size(ROWS))
    if case.schedule:
        chosen["schedule"] = case.schedule(chosen["schedule"].rate, steps)
    return {**chosen, "average": case.average(steps) if case.average else Last(), "stop": Updates(steps)}


def excess(objective: Any, run: Any, lowest: float | None = None) -> float:
    """Of what there was to gain, how much is left."""
    lowest = optimum_of(objective).value if lowest is None else lowest
    return float((objective.value(run.w) - lowest) / (run.trace["loss"][0] - lowest))


def test_every_method_is_held_to_the_optimum():
    assert CASES.keys() == METHODS.keys()
    assert {loss for name, loss, *_ in EVERY if name in ("lbfgs", "polyak")} == set(LOSSES)


@pytest.mark.parametrize(("name", "loss", "penalty", "storage"), EVERY, ids=["-".join(each) for each in EVERY])
def test_methods_reach_the_optimum(name, loss, penalty, storage):
    case = CASES[name]
    objective = problem(loss, case.penalties[penalty], STORAGES[storage], offset=np.linspace(-0.2, 0.2, ROWS))
    run = descend(objective, **settings(name, objective))
    assert not run.diverged
    assert excess(objective, run) < (case.smooth if LOSSES[loss]().smooth() else case.rough)
    assert run.trace["loss"][0] - run.trace.last("loss") > 1e-3  # there was something to gain


@pytest.mark.parametrize("name", ["saga", "lbfgs", "barzilai_borwein", "armijo"])
def test_methods_reach_the_optimum_of_several_classes(name):
    y = np.digitize(target(SquaredError()), [-0.2, 0.5]).astype(float)
    objective = SoftmaxRegression(csr64(X), y, penalty=L2(0.1))
    run = descend(objective, **settings(name, objective))
    assert excess(objective, run) < LINEAR


@pytest.mark.parametrize(
    ("name", "storage"),
    [
        ("saga", "csr"),
        ("svrg", "csr"),
        ("armijo", "dense"),
        ("barzilai_borwein", "csr"),
        ("sdca", "dense"),
        ("sdca", "csr"),
    ],
)
def test_proximal_methods_give_exact_zeros_where_the_optimum_has_them(name, storage):
    objective = problem("log_loss", ElasticNet(0.3, 0.5), STORAGES[storage])
    run = descend(objective, **settings(name, objective))
    best = optimum_of(objective).w
    assert (run.w == 0.0).tolist() == (best == 0.0).tolist()
    assert 0 < (best == 0.0).sum() < COLUMNS


@pytest.mark.parametrize("name", METHODS)
def test_weights_count_like_repeated_rows(name):
    case = CASES[name]
    loss, penalty = case.losses[0], case.penalties["l2"]
    weighted = problem(loss, penalty, weights=WEIGHTS)
    y = target(LOSSES[loss]())
    repeated = Linear(
        np.repeat(X, WEIGHTS.astype(int), axis=0), np.repeat(y, WEIGHTS.astype(int)), LOSSES[loss](), penalty
    )
    run = descend(weighted, **settings(name, weighted))
    assert excess(repeated, run) < 3.0 * case.smooth  # a few heavy rows make noise, too
    assert excess(weighted, run) == pytest.approx(excess(repeated, run), abs=1e-10)
    plain = optimum_of(problem(loss, penalty)).w
    assert repeated.value(plain) - repeated.value(run.w) > 1e-4  # the weights matter


RESUMED = {name: settings(name, problem(CASES[name].losses[0], CASES[name].penalties["l2"])) for name in METHODS}


@pytest.mark.parametrize("name", METHODS)
def test_resuming_equals_never_stopping_for_every_method(name):
    objective = problem(CASES[name].losses[0], CASES[name].penalties["l2"])
    parts = {**RESUMED[name], "every": 4}
    if isinstance(parts["sampler"], Batch):
        parts["sampler"] = Batch(3)
    steps = 10 * whole_pass(parts)
    whole = descend(objective, **{**parts, "stop": Updates(2 * steps)})
    half = descend(objective, **{**parts, "stop": Updates(steps)})
    rest = descend(objective, **{**parts, "stop": Updates(2 * steps), "start": half})
    assert (half.state.segments, rest.state.segments, whole.state.segments) == (10, 20, 20)
    for ours, theirs in zip(
        (rest.w, rest.state.w, *rest.state.memory), (whole.w, whole.state.w, *whole.state.memory), strict=True
    ):
        assert ours.tobytes() == theirs.tobytes()
    for column in whole.trace.columns.keys() - {"seconds"}:
        assert rest.trace[column].tobytes() == whole.trace[column].tobytes(), column
    assert np.abs(half.trace.path[-1] - whole.trace.path[0]).max() > 1e-6  # it went somewhere


def whole_pass(parts: dict[str, Any]) -> int:
    """Steps of a segment."""
    return int(parts["sampler"].segment(ROWS, 0).length)


@pytest.mark.parametrize(
    "name", [name for name in METHODS if name not in ("polyak", "schedule_free_sgd", "schedule_free_adamw", "quick")]
)
def test_methods_honour_an_average_and_looks(name):
    objective = problem(CASES[name].losses[0], CASES[name].penalties["l2"])
    parts = {**RESUMED[name], "stop": Updates(12), "every": 1}
    plain = descend(objective, **{**parts, "average": Last()})
    averaged = descend(objective, **{**parts, "average": PolyakRuppert()})
    assert len(plain.trace) == 13
    np.testing.assert_allclose(averaged.w, plain.trace.path[1:].mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(averaged.state.w, plain.w, rtol=1e-9, atol=1e-12)  # the walk itself is not changed
    seldom = descend(objective, **{**parts, "average": Last(), "every": 5})
    np.testing.assert_allclose(seldom.trace.path, plain.trace.path[seldom.trace["t"]], rtol=1e-9, atol=1e-12)


SQUARES = problem("squared_error", L2(0.1))
REFUSALS = {
    "a table for a function": (SAGA(), Function(lambda w: w @ w, lambda w: 2 * w, [1.0]), {}, "Function has none"),
    "corners": (SAGA(), problem("hinge", L2(0.1)), {}, "Hinge has corners"),
    "corners, searched": (Armijo(), problem("absolute_error", L2(0.1)), {}, "AbsoluteError has corners"),
    "curvature without bound": (Katyusha(), problem("poisson", L2(0.1)), {}, "Poisson, whose curvature has no bound"),
    "no L2 share": (SDCA(), problem("hinge", L1(0.1)), {}, "needs an L2 penalty above zero, and L1 has none"),
    "no dual": (SDCA(), problem("poisson", L2(0.1)), {}, "no dual step for Poisson"),
    "classes": (SDCA(), SoftmaxRegression(X, np.arange(ROWS) % 3, penalty=L2(0.1)), {}, "one score a row"),
    "a bound": (StochasticPolyak(), problem("poisson", L2(0.1)), {}, "needs a bound below Poisson"),
    "a start": (SDCA(), SQUARES, {"start": np.ones(COLUMNS + 1)}, "starts from zero coefficients"),
    "a rate": (SDCA(), SQUARES, {"schedule": Constant(0.1)}, "takes no rate, and was given 0.1"),
    "a step rule": (SAGA(), SQUARES, {"step": Momentum()}, "cannot take Momentum"),
    "many rows": (SAGA(), SQUARES, {"sampler": Shuffled(8)}, "one row at a time, and the sampler gives 8"),
    "few rows": (Armijo(), SQUARES, {"sampler": Shuffled(8)}, f"needs all {ROWS} rows"),
    "an L1 share": (DoG(), problem("squared_error", L1(0.1)), {}, "needs a smooth penalty, and L1 is none"),
    "two answers": (Polyak(), SQUARES, {"average": PolyakRuppert()}, "cannot take PolyakRuppert"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_methods_refuse_what_they_cannot_do(case):
    method, objective, changes, words = REFUSALS[case]
    with pytest.raises(InputError, match=words):
        descend(objective, **{**usual(method, objective), "stop": Epochs(1), **changes})


def test_a_rate_of_ones_own_serves_where_theory_has_none():
    objective = problem("poisson", L2(0.1))
    run = descend(
        objective, advance=SAGA(), sampler=SAGA().sampler(), step=Plain(), schedule=Constant(0.002), stop=Epochs(600)
    )
    assert excess(objective, run) < LINEAR


@pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "none"])
@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_the_duality_gap_bounds_the_excess_at_every_look(loss, intercept):
    objective = problem(loss, L2(0.05), weights=WEIGHTS, intercept=intercept, offset=np.linspace(-1.0, 1.0, ROWS))
    run = descend(objective, **{**settings("sdca", objective), "stop": Epochs(200)})
    lowest = min(optimum_of(objective).value, run.trace["loss"].min())
    left, gap = run.trace["loss"][1:] - lowest, run.trace["gap"][1:]
    assert (gap >= left - 1e-12).all()
    assert gap[-1] < (1e-9 if loss == "log_loss" else 1e-3) < 1e-2 < gap[0]
    assert run.trace.last("loss") == pytest.approx(objective.value(run.w), rel=1e-14)


def test_sdca_does_not_care_about_an_offset_of_the_columns_or_the_targets():
    y = target(SquaredError()) + 1000.0
    objective = Linear(X + 3.0, y, SquaredError(), L2(0.1))
    run = descend(objective, **{**settings("sdca", objective), "stop": Epochs(400)})
    assert run.trace.last("gap") < 1e-6 * optimum_of(objective).value


def test_visits_are_counted_by_those_who_make_more_of_them():
    for name, least, most in (("svrg", 2.5, 2.5), ("katyusha", 2.0, 6.0), ("saga", 1.0, 1.0), ("lbfgs", 2.0, 4.0)):
        objective = problem("squared_error", L2(0.1))
        run = descend(objective, **{**settings(name, objective), "stop": Updates(4 * ROWS if name != "lbfgs" else 4)})
        assert least <= run.trace["epochs"][-1] / 4 <= most, name


def test_polyak_is_told_the_lowest_height_or_finds_it():
    objective = problem("log_loss", L2(0.1))
    lowest = optimum_of(objective).value
    told = descend(objective, **{**settings("polyak", objective, Polyak(lowest)), "stop": Epochs(300)})
    found = descend(objective, **settings("polyak", objective))
    assert excess(objective, told) < LINEAR
    assert found.trace.last("lowest") == pytest.approx(lowest, abs=1e-6)
    assert np.minimum.accumulate(found.trace["loss"]).tolist() == found.trace["loss"].tolist()  # the best so far


@pytest.mark.parametrize("name", ["stochastic_armijo", "stochastic_polyak"])
def test_searching_on_a_few_rows_is_linear_where_one_w_fits_all(name):
    objective = Linear(X, X @ [1.0, -2.0, 0.5, 3.0] + 1.0, SquaredError())
    method = METHODS[name]()
    run = descend(objective, **usual(method, objective), stop=Epochs(300))
    assert run.trace.last("loss") < 1e-12
    assert run.trace["step_length"][-1] > 0.0


def test_a_perceptron_is_separated_by_polyaks_step():
    y = np.where(X @ [1.0, -2.0, 0.5, 3.0] + 0.3 > 0.0, 1.0, -1.0)
    objective = Linear(X, y, Perceptron())
    run = descend(objective, **usual(StochasticPolyak(), objective), start=0.1 * np.ones(5), stop=Epochs(100))
    assert run.trace.last("loss") == 0.0
    assert (np.sign(X @ run.w[:4] + run.w[4]) == y).all()


@pytest.mark.parametrize("name", ["lbfgs", "armijo", "barzilai_borwein", "polyak"])
def test_any_function_is_walked_down(name):
    def f(w: Any) -> float:
        return float((w[0] - 3.0) ** 2 + 10.0 * (w[1] + 1.0) ** 2 + 1.0)

    bowl = Function(f, lambda w: np.array([2.0 * (w[0] - 3.0), 20.0 * (w[1] + 1.0)]), [0, 0])
    run = descend(bowl, **usual(METHODS[name](), bowl), stop=Updates(400))
    np.testing.assert_allclose(run.w, [3.0, -1.0], atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_is_done_stays(name):
    """Where every gradient is zero, nothing moves and nothing is divided by it."""
    part = LOSSES[CASES[name].losses[0]]()
    objective = Linear(np.zeros_like(X), target(part), part, L2(0.1), intercept=False)
    run = descend(objective, **{**settings(name, objective), "stop": Updates(30)})
    assert run.w.tolist() == [0.0] * COLUMNS
    assert run.trace.last("loss") == pytest.approx(run.trace["loss"][0], rel=EXACT)
