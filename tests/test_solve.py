"""The automatic solver: the optimum of every loss under every penalty, without a setting, and an honest word on how close."""

from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits

from fallline.descent import descend
from fallline.executors.newton import at, direction, root_at
from fallline.executors.preconditioned import PreconditionedLBFGS
from fallline.executors.rounded import Rounded
from fallline.executors.sketched import Sketched
from fallline.executors.truncated import Truncated
from fallline.executors.working_set import WorkingSet
from fallline.losses import CLASSIFICATION, LOSSES, POSITIVE, Gamma, Hinge, LogLoss, Poisson, SquaredError, SquaredHinge
from fallline.losses.smoothed import Smoothed
from fallline.objectives import Linear, SoftmaxRegression
from fallline.objectives.coordinates import plain
from fallline.objectives.floor import floor_of
from fallline.objectives.passes import loss_and_gradient, moments
from fallline.objectives.variants import in_single
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.plan import Plan
from fallline.reference import optimum_of
from fallline.samplers import Sketch
from fallline.schedules import Constant
from fallline.solver import Solver, solve, solver_for, stop_of, walked
from fallline.steps import Plain
from fallline.stops import AnyOf, Updates
from tolerances import EXACT

PENALTIES = {"none": NoPenalty(), "l2": L2(0.01), "l1": L1(0.01), "elasticnet": ElasticNet(0.02, 0.5)}
SPREAD = np.array([1e-3, 1.0, 50.0, 1e3])  # of the columns: nobody has scaled them
WITHIN = 3e-4  # of the optimum: `tol` is 1e-4, and its estimate is right to a factor of three
ROUNDED = 3.0 * WITHIN  # the same for losses with corners, whose estimate is that of a rounded loss


def table(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Raw columns of unlike size and mean, and a score that is linear in them."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n, 4)) @ (np.eye(4) + 0.4 * rng.standard_normal((4, 4)))
    return (Z + np.array([0.0, 3.0, -1.0, 10.0])) * SPREAD, Z @ [1.0, -0.5, 0.3, 0.0]


def targets(name: str, z: np.ndarray, seed: int = 1) -> np.ndarray:
    """Targets that a loss of that name takes, noisy enough not to be separable."""
    rng = np.random.default_rng(seed)
    if name in CLASSIFICATION:
        return np.where(rng.random(len(z)) < 1.0 / (1.0 + np.exp(-z)), 1.0, -1.0)
    if name in POSITIVE:
        return rng.gamma(2.0, np.exp(0.5 * z)) + 0.1
    return 3.0 * z + rng.standard_t(4, len(z))


def share(objective, run, optimum) -> float:
    """The excess over the optimum as decision 0004 measures it."""
    floor = floor_of(objective)
    scale = max(optimum - floor, 1e-3 * (run.trace["loss"][0] - floor)) or 1.0
    return (objective.value(run.w) - optimum) / scale


STORES = {"float64": np.float64, "float32": np.float32, "sparse": sp.csr_array}


def objective_of(name: str, penalty: str, store: str = "float64"):
    """A loss by its name, or softmax, with weights, an offset and a free intercept; the same numbers whatever the storage."""
    X, z = table()
    rng = np.random.default_rng(2)
    weights, kept = rng.exponential(size=len(z)), STORES[store](X.astype(np.float32).astype(float))
    if name == "softmax":
        classes = np.digitize(z + rng.logistic(size=len(z)), [-1.0, 1.0])  # not separable
        return SoftmaxRegression(
            kept, classes, None, PENALTIES[penalty], weights=weights, offset=np.outer(z, [0.3, 0, -0.3])
        )
    return Linear(kept, targets(name, z), LOSSES[name](), PENALTIES[penalty], weights=weights, offset=0.3 * z)


@cache
def reference(name: str, penalty: str) -> float:
    return optimum_of(objective_of(name, penalty)).value


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", [*LOSSES, "softmax"])
def test_every_loss_reaches_its_optimum_under_every_penalty_from_any_storage(name, penalty, store):
    run = solve(objective_of(name, penalty, store))
    assert not run.diverged
    rough = name in LOSSES and not LOSSES[name]().smooth()
    assert share(objective_of(name, penalty), run, reference(name, penalty)) <= (ROUNDED if rough else WITHIN)


def test_wide_solvers_find_the_same_optimum_as_matrices():
    X, z = table()
    many = SoftmaxRegression(X, np.digitize(z, [-1.0, 1.0]), None, L2(0.01))
    one = Linear(X, targets("log_loss", z), LogLoss(), L2(0.01))
    sparse = Linear(sp.csr_array(X), targets("log_loss", z), LogLoss(), L2(0.01))
    for advance in (Truncated(), PreconditionedLBFGS(1e-8)):
        for objective in (many, one, sparse):
            run = walked(objective, Solver(advance, Sketch(100, 2, 1), ""), AnyOf(stop_of(objective, 1e-8)), None)
            assert share(objective, run, optimum_of(objective).value) <= 3e-8


def test_products_in_single_precision_do_not_cost_digits():
    X, z = table()
    X, y = (X / SPREAD).astype(np.float32), np.digitize(z, [-1.0, 1.0])
    single, double = SoftmaxRegression(X, y, None, L2(0.01)), SoftmaxRegression(X.astype(float), y, None, L2(0.01))
    solver, lowest = Solver(PreconditionedLBFGS(1e-9), Sketch(100, 2, 1), ""), optimum_of(double).value
    assert share(double, walked(single, solver, AnyOf(stop_of(single, 1e-9)), None), lowest) <= 1e-8
    w = np.random.default_rng(0).standard_normal(single.size)
    rough, exact = loss_and_gradient(in_single(single), w), loss_and_gradient(single, w)
    assert rough[0] != exact[0]
    assert rough[0] == pytest.approx(exact[0], rel=1e-6)
    assert rough[1] == pytest.approx(exact[1], abs=1e-5)


def test_columns_that_a_few_rows_share_do_not_shorten_the_steps_of_wide_softmax():
    rng = np.random.default_rng(
        0
    )  # as the border of a picture: one row lights up many columns that hardly any other has
    Z, border = rng.standard_normal((20_000, 20)), np.zeros((20_000, 100))
    for _ in range(30):
        border[rng.integers(20_000), rng.choice(100, 40, replace=False)] = 255.0 * rng.random(40)
    y = (Z @ rng.standard_normal((20, 3)) * 0.5 + rng.gumbel(size=(20_000, 3))).argmax(1)
    wide = SoftmaxRegression(np.hstack([Z, border]).astype(np.float32), y, None, L2(1e-7))
    run = walked(wide, Solver(PreconditionedLBFGS(), Sketch(1500, 2, 1), ""), AnyOf(stop_of(wide, 1e-4)), None)
    assert (run.trace["length"][1:] == 1.0).all()


def test_softmax_of_badly_scaled_columns_ends_where_it_says():
    X, y = load_digits(return_X_y=True)
    objective = SoftmaxRegression(X * 10.0 ** np.random.default_rng(3).uniform(-6, 6, 64), y, None, L2(1 / len(y)))
    run = solve(objective)
    assert "at most 0.0001" in run.reason
    assert share(objective, run, solve(objective, 1e-8).trace["loss"].min()) <= WITHIN


def test_a_start_near_the_optimum_is_not_left_and_not_taken_for_it():
    X, z = table()
    for loss, advance in ((SquaredHinge(), PreconditionedLBFGS()), (Hinge(), Rounded())):
        objective = Linear(X, targets("log_loss", z), loss, L2(1e-3))
        best = solve(objective, 1e-7)
        start = best.w * (1.0 + 0.03 * np.array([1.0, -1.0, 0.5, 0.0, 1.0]))
        run = walked(objective, Solver(advance, Sketch(400, 2, 1), ""), AnyOf(stop_of(objective, 1e-4)), start)
        assert (run.trace["loss"] <= run.trace["loss"][0]).all()
        assert run.trace["loss"][-1] - best.trace["loss"].min() <= 3.0 * run.trace["excess"][-1]


def test_an_l1_step_is_the_lowest_point_of_its_model_however_dependent_the_columns():
    X, z = table()
    twins = np.column_stack([X / SPREAD, X / SPREAD + 1e-5 * np.random.default_rng(0).standard_normal(X.shape)])
    objective = Linear(twins, targets("log_loss", z), LogLoss(), L1(1e-3))
    run = solve(objective, 1e-10)
    assert len(run.trace) <= 10
    own = plain(objective)
    point, root = at(objective, run.w), root_at(objective, run.w, own)
    g = point.g + root.T @ (root @ direction(objective, point, root, own).p)
    assert (abs(g[:8]) <= 1e-3 * (1.0 + 1e-9)).all()


def test_the_estimate_is_never_more_than_the_loss():
    Z = np.random.default_rng(0).standard_normal((200, 3))
    run = solve(Linear(Z, np.where(Z[:, 0] + 0.1 > 0, 1.0, -1.0), SquaredHinge()))  # told apart: the loss comes to 0
    assert (run.trace["excess"][1:] <= run.trace["loss"][1:]).all()


def large(n: int = 40_000) -> Linear:
    """Large enough to be sketched."""
    X, z = table(n)
    return Linear(X, targets("log_loss", z), LogLoss(), L2(1e-4))


def test_a_large_table_is_sketched_and_read_a_few_times():
    objective = large()
    run = solve(objective, tol=1e-8)
    assert "sketched" in run.trace.about["solver"]
    assert run.trace["visits"][-1] < 8 * objective.n
    assert share(objective, run, optimum_of(objective).value) <= 3e-8


def test_least_squares_is_one_step():
    X, z = table()
    run = solve(Linear(X, targets("squared_error", z), SquaredError(), L2(0.1)))
    assert len(run.trace) == 2
    assert run.trace.about["solver"] == "least squares, solved at once"


def test_small_tables_are_solved_by_exact_newton_steps_and_the_run_says_so():
    for objective in (large(300), objective_of("poisson", "l1"), objective_of("softmax", "none")):
        run = solve(objective, 1e-8)
        assert run.trace.about["solver"] == "exact Newton steps"
        assert len(run.trace) <= 12
        assert share(objective, run, optimum_of(objective).value) <= 3e-8


def test_a_run_says_how_close_it_is():
    text = str(solve(large(300), certify=True))
    assert "above the optimum (proven: at most" in text
    assert "at most 0.0001" in text


def test_a_column_that_one_class_has_to_itself_does_not_deceive_the_estimate():
    rng = np.random.default_rng(0)
    z, own = rng.standard_normal(900), np.arange(900) < 4  # the optimum is at infinity
    y = np.where(own | (rng.random(900) < 1.0 / (1.0 + np.exp(-3.0 * z))), 1.0, -1.0)
    objective = Linear(np.column_stack([z, own]), y, LogLoss())
    lowest = solve(objective, 1e-13).trace["loss"].min()
    for tol in (1e-3, 1e-4, 1e-5):
        run = solve(objective, tol)
        assert 1 / 3 <= run.trace["excess"][-1] / (run.trace["loss"][-1] - lowest) <= 3.0


def test_amounts_far_from_zero_do_not_make_the_tolerance_generous():
    X, z = table(4000)
    y = np.random.default_rng(0).gamma(2.0, 1e6 * np.exp(z))
    objective = Linear(X, y, Gamma())
    lowest = solve(objective, 1e-12).trace["loss"].min()
    assert objective.value(objective.start()) > 1e5 * (lowest - floor_of(objective))
    for tol in (1e-2, 1e-4):
        assert solve(objective, tol).trace["loss"][-1] - lowest <= 3.0 * tol * (lowest - floor_of(objective))


@pytest.mark.parametrize("size", [300, 40_000], ids=["exact", "sketched"])
def test_the_estimate_is_within_a_factor_of_three(size):
    X, z = table(size)
    ratios = []
    for name in ("log_loss", "squared_hinge", "huber", "poisson", "gamma"):
        for tol in (1e-2, 1e-3, 1e-4):
            objective = Linear(X, targets(name, z), LOSSES[name](), L2(1e-3))
            run, low = solve(objective, tol), solve(objective, 1e-12).trace["loss"][-1]
            excess = run.trace["loss"][-1] - low
            if excess > 1e-10 * abs(low):
                ratios.append(run.trace["excess"][-1] / excess)
    assert len(ratios) >= 8
    assert np.mean([1 / 3 <= ratio <= 3 for ratio in ratios]) >= 0.9


@pytest.mark.parametrize("objective", [large(), large(300)], ids=["sketched", "exact"])
def test_resuming_equals_never_stopping(objective):
    sampler = solver_for(objective, seed=4).sampler
    walk = {"sampler": sampler, "step": Plain(), "schedule": Constant(1.0), "advance": Sketched()}
    whole = descend(objective, stop=Updates(6), **walk)
    half = descend(objective, stop=Updates(2), **walk)
    again = descend(objective, stop=Updates(6), start=half, **walk)
    assert np.array_equal(whole.w, again.w)
    for name in ("loss", "excess", "visits", "length"):
        assert np.array_equal(whole.trace[name], again.trace[name], equal_nan=True)


@pytest.mark.parametrize("advance", [Rounded(), Truncated(), PreconditionedLBFGS(1e-2), WorkingSet()], ids=str)
def test_the_other_solvers_resume_too(advance):
    X, z = table()
    loss = Hinge() if isinstance(advance, Rounded) else LogLoss()
    objective = Linear(X, targets("hinge", z), loss, L2(0.01))
    walk = {"sampler": Sketch(len(z)), "step": Plain(), "schedule": Constant(1.0), "advance": advance}
    whole = descend(objective, stop=Updates(9), **walk)
    again = descend(objective, stop=Updates(9), start=descend(objective, stop=Updates(4), **walk), **walk)
    assert np.array_equal(whole.w, again.w)


def test_the_loss_never_rises():
    for seed in range(5):
        X, z = table(3000, seed)
        X[:, 0] *= np.exp(2 * np.random.default_rng(seed).standard_cauchy(3000).clip(-4, 4))  # heavy tails
        for name in ("log_loss", "poisson", "hinge"):
            losses = solve(Linear(X, targets(name, z), LOSSES[name](), L2(1e-4)), 1e-6).trace["loss"][1:]
            assert (np.diff(losses) <= 1e-12 * abs(losses[:-1])).all()


def test_a_pass_has_the_same_bits_on_any_number_of_threads():
    objective = large(200_000)
    objective = Linear(
        np.tile(objective.model.rows.X, 4), objective.model.y, LogLoss(), L2(1e-3)
    )  # above the threshold
    w = np.random.default_rng(0).standard_normal(objective.size) * 1e-3
    height, g = loss_and_gradient(objective, w, threads=1)
    for threads in (2, 3, 16):
        assert loss_and_gradient(objective, w, threads)[0] == height
        assert np.array_equal(loss_and_gradient(objective, w, threads)[1], g)


@pytest.mark.parametrize("loss", [LogLoss(), Poisson(), Gamma(), Hinge(), Smoothed(Hinge(), 0.3)], ids=str)
def test_a_pass_is_the_loss_and_the_gradient(loss):
    X, z = table(1501)
    y = targets("poisson" if type(loss) in POSITIVE.values() else "hinge", z)
    w = np.append(0.3 / SPREAD, 0.2)
    for rows in (X, X.astype(np.float32), sp.csr_array(X)):
        objective = Linear(rows, y, loss, L2(0.1), weights=y + 2.0, offset=z)
        height, g = loss_and_gradient(objective, w)
        assert height == pytest.approx(objective.value(w), rel=EXACT)
        assert g == pytest.approx(objective.gradient(w), rel=1e-10)


def test_moments_are_right_far_from_zero():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5001, 3)) * [1.0, 1e-3, 1e3] + [1e7, 0.0, 5.0]
    mean, deviation, kurtosis = moments(Linear(X, X[:, 0]))
    assert mean == pytest.approx(X.mean(0), rel=EXACT)
    assert deviation == pytest.approx(X.std(0), rel=1e-7)
    assert kurtosis == pytest.approx([3.0] * 3, abs=0.3)


def test_a_rounded_loss_is_its_average_over_the_window():
    loss = Smoothed(Hinge(), 0.5)
    for z in np.linspace(-0.2, 2.2, 25):
        window = np.linspace(z - 0.5, z + 0.5, 20_001)
        mean = np.mean([Hinge().value(1.0, s) for s in (window[1:] + window[:-1]) / 2])
        assert loss.value(1.0, z) == pytest.approx(mean, abs=1e-8)


def test_a_plan_can_be_automatic():
    objective = large(2000)
    run = Plan(budget="epochs", amount=9.0, tol=1e-12).run(objective)
    assert Plan().name == "automatic"
    assert run.trace["visits"][-1] <= 12 * objective.n
    assert share(objective, run, optimum_of(objective).value) <= WITHIN
