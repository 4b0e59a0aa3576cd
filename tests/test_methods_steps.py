"""The methods' steps against their papers' formulas, written plainly over whole gradients; and against scikit-learn."""

import math
from typing import Any

import numpy as np
import pytest

from fallline.descent import descend
from fallline.executors import METHODS, SAGA, SVRG, Katyusha, usual
from fallline.executors.lbfgs import two_loops
from fallline.kernels.bridge import compiled as machine_code
from fallline.kernels.conjugates import DUALS, ascend, conjugate
from fallline.kernels.drift import drift, fill
from fallline.losses import LOSSES, EpsilonInsensitive, Huber, LogLoss, Quantile, SquaredError
from fallline.objectives import Linear
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.samplers import Shuffled, WithReplacement
from fallline.schedules import Constant, InverseTime
from fallline.steps import Plain
from fallline.stops import Epochs, Updates
from oracle import csr64, dense64
from test_methods import COLUMNS, ROWS, WEIGHTS, X, problem, target
from tolerances import EXACT

STEPS = 50
SAME = {"rtol": 1e-9, "atol": 1e-12}
"""Fifty steps of the same formula, in another order of additions; what is divided by small roots grows."""


class ByHand:
    """The rows of an objective's steps, and the penalty's share of a gradient apart."""

    def __init__(self, objective: Any, sampler: Any) -> None:
        self.objective, self.w = objective, objective.start()
        orders = (sampler.segment(objective.n, k) for k in range(99))
        self.rows = [rows for segment in orders for rows in segment.steps()]

    def pull(self, w: Any) -> Any:
        """The penalty's smooth share; the intercept is free."""
        return np.array([*(self.objective.penalty.pull(u) for u in w[:-1]), 0.0])

    def loss_gradient(self, w: Any, rows: Any = slice(None)) -> Any:
        return self.objective.gradient(w, rows) - self.pull(w)


def saga(hand: ByHand, rates: Any) -> Any:
    """Defazio, Bach & Lacoste-Julien 2014, eq. 1–2, with a table of whole gradients that starts at zero."""
    w, table = hand.w, np.zeros((ROWS, COLUMNS + 1))
    for rate, row in zip(rates, hand.rows, strict=False):
        new = hand.loss_gradient(w, row)
        step = new - table[row[0]] + table.mean(axis=0) + hand.pull(w)
        w = hand.objective.prox(w - rate * step, rate)
        table[row[0]] = new
    return w


def svrg(hand: ByHand, rates: Any, period: int = 2 * ROWS) -> Any:
    """Johnson & Zhang 2013, fig. 1, option I, proximal as Xiao & Zhang 2014."""
    w, point, whole = hand.w, hand.w, hand.w
    for k, (rate, row) in enumerate(zip(rates, hand.rows, strict=False)):
        if k % period == 0:
            point, whole = w, hand.loss_gradient(w)
        step = hand.loss_gradient(w, row) - hand.loss_gradient(point, row) + whole + hand.pull(w)
        w = hand.objective.prox(w - rate * step, rate)
    return w


REDUCED = {"saga": (SAGA(), saga), "svrg": (SVRG(passes=0.3), lambda hand, rates: svrg(hand, rates, 24))}
PENALTIES = {"none": NoPenalty(), "l2": L2(0.3), "l1": L1(0.1), "elasticnet": ElasticNet(0.4, 0.3)}


ROWS_OF_BOTH = [*(("saga", penalty, csr64) for penalty in PENALTIES), ("saga", "l2", dense64),
                ("svrg", "elasticnet", csr64), ("svrg", "l2", dense64)]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "penalty", "storage"),
    ROWS_OF_BOTH,
    ids=[f"{name}-{p}-{storage.__name__}" for name, p, storage in ROWS_OF_BOTH],
)
def test_variance_reduced_steps_are_those_of_their_papers(name, penalty, storage):
    """Over sparse rows too, whose missing columns are caught up in closed form; at a rate that stays and one that falls."""
    method, plain = REDUCED[name]
    objective = problem(
        "log_loss", PENALTIES[penalty], lambda X: storage(np.where(abs(X) < 0.8, 0.0, X)), weights=WEIGHTS
    )
    sampler = WithReplacement(1, seed=4)
    for schedule in (Constant(0.05), InverseTime(0.2, 0.1)):
        parts = {"sampler": sampler, "step": Plain(), "schedule": schedule, "stop": Updates(2 * ROWS + 7)}
        run = descend(objective, advance=method, **parts)
        rates = [schedule.at(t) for t in range(1, 2 * ROWS + 8)]
        np.testing.assert_allclose(run.w, plain(ByHand(objective, sampler), rates), **SAME)


def test_katyushas_steps_are_those_of_the_paper():
    """Kovalev, Horváth & Richtárik 2020, alg. 2, with the prox and the L2 share taken as Qian, Qu & Richtárik 2021."""
    objective = problem("log_loss", ElasticNet(0.4, 0.3))
    method, sampler, rate = Katyusha(seed=3), Shuffled(4, seed=1), 0.1
    run = descend(
        objective, advance=method, sampler=sampler, step=Plain(), schedule=Constant(rate), stop=Updates(STEPS)
    )
    hand = ByHand(objective, sampler)
    y = z = w = hand.w
    sigma, p = 0.28 * rate, 4 / ROWS
    theta1, theta2 = min(math.sqrt(2.0 * sigma / p / 3.0), 0.5), 0.5
    eta = theta2 / ((1.0 + theta2) * theta1)
    coins = np.concatenate([np.random.default_rng((3, k)).random(20) < p for k in range(3)])
    assert 0 < coins[:STEPS].sum() < STEPS
    for rows, coin in zip(hand.rows[:STEPS], coins, strict=False):
        x = theta1 * z + theta2 * w + (1.0 - theta1 - theta2) * y
        g = hand.loss_gradient(x, rows) - hand.loss_gradient(w, rows) + hand.loss_gradient(w) + hand.pull(x)
        length = eta * rate / (1.0 + eta * sigma)
        new = objective.prox((eta * sigma * x + z - eta * rate * g) / (1.0 + eta * sigma), length)
        w = y if coin else w
        y, z = x + theta1 * (new - z), new
    np.testing.assert_allclose(run.w, y, **SAME)


def dog(hand: ByHand, rate: float) -> Any:
    """Ivgi, Hinder & Carmon 2023."""
    w, start, far, total = hand.w, hand.w, 1e-6 * (1.0 + np.linalg.norm(hand.w)), 0.0
    for rows in hand.rows[:STEPS]:
        g = hand.objective.gradient(w, rows)
        far, total = max(far, np.linalg.norm(w - start)), total + g @ g
        w = w - rate * far / math.sqrt(total + 1e-8) * g
    return w


def prodigy(hand: ByHand, rate: float, beta1: float = 0.9, beta2: float = 0.999, d0: float = 1e-6) -> Any:
    """Mishchenko & Defazio 2024, alg. 4, as its authors' code has it."""
    w, d, r, beta3 = hand.w, d0, 0.0, math.sqrt(beta2)
    m, v, s = (np.zeros_like(w) for _ in range(3))
    for rows in hand.rows[:STEPS]:
        g = hand.objective.gradient(w, rows)
        r = beta3 * r + d / d0 * d * rate * (g @ (hand.w - w))
        m, v = beta1 * m + (1 - beta1) * d * g, beta2 * v + (1 - beta2) * d**2 * g**2
        s = beta3 * s + d / d0 * d * rate * g
        new = max(d, r / abs(s).sum())
        w = w - d * rate * m / (np.sqrt(v) + new * 1e-8)
        d = new
    return w


def d_adaptation(hand: ByHand, rate: float, beta1: float = 0.9, beta2: float = 0.999) -> Any:
    """Defazio & Mishchenko 2023, alg. 5."""
    w, d, r, keep = hand.w, 1e-6, 0.0, math.sqrt(beta2)
    m, v, s = (np.zeros_like(w) for _ in range(3))
    for rows in hand.rows[:STEPS]:
        g = hand.objective.gradient(w, rows)
        m, v = beta1 * m + (1 - beta1) * d * rate * g, beta2 * v + (1 - beta2) * g**2
        A = np.sqrt(v) + 1e-8
        w = w - m / A
        r = keep * r + (1 - keep) * d * rate * (g / A) @ s
        s = keep * s + (1 - keep) * d * rate * g
        d = max(d, r / ((1 - keep) * abs(s).sum()))
    return w


def cocob(hand: ByHand, rate: float, alpha: float = 100.0) -> Any:
    """Orabona & Tommasi 2017, alg. 2, where g is minus the gradient."""
    w = hand.w
    L, G, reward, theta = (np.zeros_like(w) for _ in range(4))
    for rows in hand.rows[:STEPS]:
        g = -hand.objective.gradient(w, rows)
        L, G = np.maximum(L, abs(g)), G + abs(g)
        reward, theta = np.maximum(reward + (w - hand.w) * g, 0.0), theta + g
        w = hand.w + theta / (L * np.maximum(G + L, alpha * L)) * (L + reward)
    return w


def schedule_free_sgd(hand: ByHand, rate: float, beta: float = 0.9) -> Any:
    """Defazio et al. 2024, eq. 3–5, with one rate throughout."""
    z = x = hand.w
    for t, rows in enumerate(hand.rows[:STEPS], start=1):
        y = (1 - beta) * z + beta * x
        z = z - rate * hand.objective.gradient(y, rows)
        x = (1 - 1 / t) * x + z / t
    return x


def schedule_free_adamw(hand: ByHand, rate: float, beta1: float = 0.9, beta2: float = 0.999) -> Any:
    """Defazio et al. 2024, alg. 1, without warm-up and decay."""
    z = x = hand.w
    v, total = np.zeros_like(z), 0.0
    for t, rows in enumerate(hand.rows[:STEPS], start=1):
        y = (1 - beta1) * z + beta1 * x
        g = hand.objective.gradient(y, rows)
        v = beta2 * v + (1 - beta2) * g**2
        pace = rate * math.sqrt(1 - beta2**t)
        z = z - pace * g / (np.sqrt(v) + 1e-8)
        total += pace**2
        x = (1 - pace**2 / total) * x + pace**2 / total * z
    return x


def stochastic_polyak(hand: ByHand, rate: float) -> Any:
    """Loizou et al. 2021, eq. 3, c = ½ and f* = 0."""
    w, objective = hand.w, hand.objective
    for rows in hand.rows[:STEPS]:
        g, height = objective.gradient(w, rows), part_of(objective, rows).value(w)
        w = w - min(rate, height / (0.5 * g @ g)) * g
    return w


def stochastic_armijo(hand: ByHand, rate: float) -> Any:
    """Vaswani et al. 2019, alg. 1, with c = ½, β = 0.8 and a trial of twice the last length a pass."""
    w, length = hand.w, 0.0
    for rows in hand.rows[:STEPS]:
        part = part_of(hand.objective, rows)
        g, height = hand.objective.gradient(w, rows), part.value(w)
        length = min(rate, length * 2.0 ** (len(hand.rows[0]) / ROWS)) if length else rate
        while part.value(w - length * g) > height - 0.5 * length * g @ g:
            length *= 0.8
        w = w - length * g
    return w


def part_of(objective: Any, rows: Any) -> Any:
    """The objective on some of its rows, which all count alike."""
    return Linear(objective.model.rows.X[rows], objective.model.y[rows], objective.loss, objective.penalty)


PLAIN = {
    "dog": (dog, 1.0),
    "prodigy": (prodigy, 1.0),
    "d_adaptation": (d_adaptation, 1.0),
    "cocob": (cocob, 1.0),
    "schedule_free_sgd": (schedule_free_sgd, 0.05),
    "schedule_free_adamw": (schedule_free_adamw, 0.05),
    "stochastic_polyak": (stochastic_polyak, 0.5),
    "stochastic_armijo": (stochastic_armijo, 0.5),
}


@pytest.mark.parametrize("name", PLAIN)
def test_steps_are_those_of_their_papers(name):
    plain, rate = PLAIN[name]
    objective, sampler = problem("log_loss", L2(0.1)), Shuffled(8, seed=2)
    parts = {"sampler": sampler, "step": Plain(), "schedule": Constant(rate), "stop": Updates(STEPS)}
    run = descend(objective, advance=METHODS[name](), **parts)
    np.testing.assert_allclose(run.w, plain(ByHand(objective, sampler), rate), **SAME)
    assert run.trace.last("loss") < run.trace["loss"][0]


def test_two_loops_are_the_inverse_curvature_of_bfgs():
    """Nocedal & Wright 2006, eq. 7.16: H ← (I − s yᵀ/ρ)ᵀ·H·(I − …) + s sᵀ/ρ from a multiple of the identity."""
    chance = np.random.default_rng(1)
    A = chance.normal(size=(5, 5))
    steps = chance.normal(size=(3, 5))
    turns = steps @ (A @ A.T + np.eye(5))
    g = chance.normal(size=5)
    H = np.eye(5) * (steps[-1] @ turns[-1]) / (turns[-1] @ turns[-1])
    for s, y in zip(steps, turns, strict=True):
        V = np.eye(5) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    np.testing.assert_allclose(two_loops(g, steps, turns), H @ g, rtol=1e-10)
    assert two_loops(g, steps[:0], turns[:0]).tolist() == g.tolist()


@machine_code
def drifted(penalty: Any, w: Any, slope: Any, rate: Any, lost: Any, count: Any) -> Any:
    """As a kernel sees it: in closed form."""
    fill(penalty, rate, lost, 1, count)
    return drift(penalty, w, slope, rate, lost, count)


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=list(PENALTIES))
def test_steps_caught_up_at_once_are_those_taken_one_by_one(penalty):
    chance = np.random.default_rng(2)
    crossed = 0
    for count in (1, 2, 3, 10, 100, 1000):
        for w, slope in chance.normal(size=(40, 2)) * [1.0, 0.3]:
            rate = float(chance.choice([0.001, 0.03, 0.9]))
            slow = drift(penalty, w, slope, rate, None, count)
            fast = drifted(penalty, w, slope, rate, np.zeros(count + 1), count)
            assert fast == pytest.approx(slow, rel=1e-9, abs=1e-9)
            crossed += slow * w <= 0.0
    assert crossed > 20  # zero was met, and passed


LOSSES_WITH_DUAL = [
    *(LOSSES[name]() for name, loss in LOSSES.items() if loss in DUALS),
    Huber(0.4), Quantile(0.8), EpsilonInsensitive(0.6),
]  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES_WITH_DUAL, ids=repr)
def test_a_dual_step_beats_its_neighbours(loss):
    """ascend maximises −conjugate(y, u) − u·z − q·(u − old)²/2, of which the conjugate is known by value."""
    dual, chance = DUALS[type(loss)](*loss), np.random.default_rng(3)
    for q in (1e-3, 0.3, 2.0, 100.0, 1e4):
        for _ in range(12):
            y = float(chance.choice([-1.0, 1.0])) if loss.accepts(1.0) and not loss.accepts(0.5) else chance.normal()
            old = -loss.derivative(y, float(chance.normal(scale=2.0)))  # some dual that is allowed
            z = float(chance.normal(scale=2.0))
            new = ascend(dual, y, z, old, q)
            # u' = −derivative(y, z + q·(u' − u)), or between the two where the derivative jumps
            after = z + q * (new - old)
            slack = 1e-9 * max(1.0, abs(after))
            sides = sorted((-loss.derivative(y, after - slack), -loss.derivative(y, after + slack)))
            assert sides[0] - 1e-6 <= new <= sides[1] + 1e-6


@pytest.mark.parametrize("loss", LOSSES_WITH_DUAL, ids=repr)
def test_a_conjugate_is_the_largest_difference_of_a_line_and_the_loss(loss):
    dual, scores = DUALS[type(loss)](*loss), np.linspace(-30.0, 30.0, 60_001)
    for y in (-1.0, 1.0):
        heights = np.array([loss.value(y, z) for z in scores[::20]])
        for z in (-2.0, -0.4, 0.3, 1.7):
            u = -loss.derivative(y, z)
            largest = float((-u * scores[::20] - heights).max())
            assert conjugate(dual, y, u) == pytest.approx(largest, abs=2e-3)
            assert conjugate(dual, y, u) >= -u * z - loss.value(y, z) - 1e-12  # Fenchel and Young, equal at this z
            assert conjugate(dual, y, u) <= -u * z - loss.value(y, z) + 1e-12


def sigmoid(z: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * z))


def test_the_dual_step_of_log_loss_is_solved_where_newtons_method_diverges():
    dual = DUALS[LogLoss]()
    for q in (100.0, 1e4, 1e8):
        for margin in (-50.0, -3.0, 0.0, 3.0, 50.0):
            for a in (0.0, 0.5, 1.0):
                new = ascend(dual, 1.0, margin, a, q)
                assert 0.0 <= new <= 1.0
                rise = margin + q * (new - a)  # the margin after it, in which a rounding of `new` shows q times
                lowest, highest = rise - 1e-15 * q - 1e-9, rise + 1e-15 * q + 1e-9
                assert sigmoid(-highest) - 1e-9 <= new <= sigmoid(-lowest) + 1e-9


@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_saga_and_scikit_learns_end_at_one_point(penalty):
    linear_model = pytest.importorskip("sklearn.linear_model")
    y, alpha = target(LogLoss()), 0.05
    objective = Linear(X, y, LogLoss(), {"l2": L2(alpha), "l1": L1(alpha)}[penalty])
    run = descend(objective, **usual(SAGA(), objective), stop=Epochs(400))
    theirs = linear_model.LogisticRegression(
        C=1.0 / (ROWS * alpha), l1_ratio=float(penalty == "l1"), solver="saga", tol=1e-12, max_iter=20_000
    ).fit(X, y)
    np.testing.assert_allclose(run.w[:-1], theirs.coef_[0], atol=1e-7)
    assert run.w[-1] == pytest.approx(theirs.intercept_[0], abs=1e-7)


def test_sagas_rate_is_scikit_learns():
    pytest.importorskip("sklearn.linear_model")
    from sklearn.linear_model._sag import get_auto_step_size

    objective = Linear(X, target(LogLoss()), LogLoss(), L2(0.1))
    largest = (X**2).sum(axis=1).max()
    theirs = get_auto_step_size(largest, 0.1, "log", True, n_samples=ROWS, is_saga=True)
    assert SAGA().rate(objective) == pytest.approx(theirs, rel=EXACT)
    squares = Linear(X, target(SquaredError()), SquaredError())
    assert SAGA().rate(squares) == pytest.approx(
        get_auto_step_size(largest, 0.0, "squared", True, n_samples=ROWS, is_saga=True), rel=EXACT
    )
