"""Step rules: torch's numbers, one arithmetic for floats, arrays, tensors and compiled code, and the right resting point."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet as SklearnElasticNet

from fallline.descent import descend
from fallline.executors.compiled import compiled
from fallline.kernels.sweep import move
from fallline.objectives import Linear
from fallline.penalties import L1, ElasticNet, NoPenalty
from fallline.samplers import Batch
from fallline.schedules import Cosine
from fallline.steps import (
    STEPS,
    Adadelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    ClipNorm,
    ClipValue,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    Plain,
    RAdam,
    RMSProp,
)
from fallline.stops import Updates
from oracle import dense64
from tolerances import EXACT, REFERENCE, REST, REST_SIGN, TORCH, TORCH_CLIP

torch = pytest.importorskip("torch")
optim = torch.optim

RULES = {
    **{name: rule() for name, rule in STEPS.items()},
    "lion with decay": Lion(decay=0.1),
    "adam with other settings": Adam(0.8, 0.95, 1e-6),
    "plain, clipped by norm": ClipNorm(Plain(), 0.5),
    "adam, clipped by norm": ClipNorm(Adam(), 0.5),
    "momentum, clipped by value": ClipValue(Momentum(), 0.5),
    "adam, clipped by both": ClipNorm(ClipValue(Adam(), 0.5), 0.6),
}
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))


@pytest.fixture
def doubles():
    """torch in float64 by default: NAdam keeps its running product in the default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


TORCH_RULES = {
    "plain": (Plain(), 0.002, lambda p: optim.SGD(p, lr=0.002)),
    "momentum": (Momentum(0.9), 0.002, lambda p: optim.SGD(p, lr=0.002, momentum=0.9)),
    "nesterov": (Nesterov(0.8), 0.002, lambda p: optim.SGD(p, lr=0.002, momentum=0.8, nesterov=True)),
    "adagrad": (AdaGrad(), 0.1, lambda p: optim.Adagrad(p, lr=0.1)),
    "rmsprop": (RMSProp(0.95, 1e-7), 0.002, lambda p: optim.RMSprop(p, lr=0.002, alpha=0.95, eps=1e-7)),
    "adadelta": (Adadelta(0.8), 1.0, lambda p: optim.Adadelta(p, lr=1.0, rho=0.8, eps=1e-6)),
    "adam": (Adam(), 0.01, lambda p: optim.Adam(p, lr=0.01)),
    "adam with other settings": (Adam(0.8, 0.9, 1e-4), 0.01, lambda p: optim.Adam(p, 0.01, (0.8, 0.9), 1e-4)),
    "adamw": (AdamW(decay=0.1), 0.01, lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1)),
    "amsgrad": (AMSGrad(0.9, 0.9), 0.01, lambda p: optim.Adam(p, 0.01, (0.9, 0.9), amsgrad=True)),
    "nadam": (NAdam(), 0.01, lambda p: optim.NAdam(p, lr=0.01)),
    "radam": (RAdam(0.9, 0.99), 0.01, lambda p: optim.RAdam(p, 0.01, (0.9, 0.99))),
    "radam with default settings": (RAdam(), 0.01, lambda p: optim.RAdam(p, lr=0.01)),
    "adamax": (Adamax(), 0.01, lambda p: optim.Adamax(p, lr=0.01)),
}
START = np.array([1.3, -0.3, 0.4, -3.9, 1.2])  # none at the bottom of its valley, where rules without a mean bounce


def surface(w):
    """Styblinski and Tang's function with neighbours coupled: many valleys, and far from a quadratic."""
    return (0.5 * (w**4 - 16.0 * w**2 + 5.0 * w)).sum() + 3.0 * (w[1:] * w[:-1]).sum()


def surface_slope(w):
    g = 0.5 * (4.0 * w**3 - 32.0 * w + 5.0)
    g[1:] += 3.0 * w[:-1]
    g[:-1] += 3.0 * w[1:]
    return g


def test_every_rule_that_torch_has_is_held_against_it():
    assert {type(rule) for rule, _, _ in TORCH_RULES.values()} == set(STEPS.values()) - {Lion}


@pytest.mark.parametrize("name", TORCH_RULES)
@pytest.mark.usefixtures("doubles")
def test_a_rule_equals_torchs_for_200_steps(name):
    rule, rate, make = TORCH_RULES[name]
    theirs = torch.tensor(START, requires_grad=True)
    optimizer = make([theirs])
    w, memory = START, rule.start(START)
    for t in range(1, 201):
        optimizer.zero_grad()
        surface(theirs).backward()
        optimizer.step()
        g = surface_slope(w)
        update, memory = rule.update(g, w, memory, rule.begin(t, g))
        w = w - rate * update
        np.testing.assert_allclose(w, theirs.detach().numpy(), rtol=TORCH, atol=TORCH)
    assert np.abs(w - START).min() > 0.05  # every coordinate went somewhere
    assert surface(w) < surface(START)


def test_lion_is_the_papers_algorithm():
    """Chen et al. (2023), algorithm 2, in its own words."""
    beta1, beta2, weight_decay, eta = 0.9, 0.99, 0.1, 0.01
    theta, m = START, np.zeros(5)
    rule = Lion(beta1, beta2, weight_decay)
    w, memory = START, rule.start(START)
    for t in range(1, 201):
        gradient = surface_slope(theta)
        c = beta1 * m + (1 - beta1) * gradient
        theta = theta - eta * (np.sign(c) + weight_decay * theta)
        m = beta2 * m + (1 - beta2) * gradient
        g = surface_slope(w)
        update, memory = rule.update(g, w, memory, rule.begin(t, g))
        w = w - eta * update
        np.testing.assert_allclose(w, theta, rtol=TORCH, atol=TORCH)
    assert surface(w) < surface(START)


GRADIENTS = np.random.default_rng(11).normal(size=(12, 3)) * np.array([1.0, 10.0, 0.01])
GRADIENTS[4] = 0.0


@each_rule
def test_a_rule_is_the_same_on_floats_arrays_and_tensors(rule):
    w = np.array([0.3, -2.0, 0.0])
    tensor = torch.tensor(w)
    memory, tensors = rule.start(w), rule.start(tensor)
    floats = [rule.start(each) for each in w.tolist()]
    for t, g in enumerate(GRADIENTS, start=1):
        c = rule.begin(t, g)
        update, memory = rule.update(g, w, memory, c)
        stretch = np.broadcast_to(rule.gain(memory, c), 3)
        other = rule.begin(t, torch.tensor(g))
        tensor_update, tensors = rule.update(torch.tensor(g), tensor, tensors, other)
        assert isinstance(tensor_update, torch.Tensor)
        np.testing.assert_allclose(tensor_update.numpy(), update, rtol=EXACT, atol=EXACT)
        for kept, tensor_kept in zip(memory, tensors, strict=True):
            np.testing.assert_allclose(tensor_kept.numpy(), np.broadcast_to(kept, 3), rtol=EXACT, atol=EXACT)
        for j in range(3):
            alone, floats[j] = rule.update(float(g[j]), float(w[j]), floats[j], c)
            assert isinstance(alone, float)
            assert alone == pytest.approx(update[j], rel=EXACT, abs=EXACT)
            assert rule.gain(floats[j], c) == pytest.approx(stretch[j], rel=EXACT)
    assert np.isfinite(update).all()


@each_rule
@pytest.mark.parametrize("penalty", [NoPenalty(), ElasticNet(0.1, 0.5)], ids=["free", "elasticnet"])
def test_a_rule_is_the_same_compiled(rule, penalty):
    w = np.array([0.3, -2.0, 0.0])
    memory, fast = rule.start(w), w.copy()
    fast_memory = tuple(part.copy() for part in memory)
    for t, slope in enumerate(GRADIENTS, start=1):
        g = slope + np.array([penalty.pull(w[0]), penalty.pull(w[1]), 0.0])  # the last coordinate is free
        c = rule.begin(t, g)
        update, memory = rule.update(g, w, memory, c)
        w, lengths = w - 0.1 * update, np.broadcast_to(0.1 * rule.gain(memory, c), 3)
        w = np.array([penalty.prox(w[0], lengths[0]), penalty.prox(w[1], lengths[1]), w[2]])
        move(penalty, rule, slope.copy(), fast, fast_memory, t, 0.1, 2)
        np.testing.assert_allclose(fast, w, rtol=EXACT, atol=EXACT)
        for kept, fast_kept in zip(memory, fast_memory, strict=True):
            np.testing.assert_allclose(fast_kept, kept, rtol=EXACT, atol=EXACT)


@each_rule
def test_a_rule_starts_from_zero_memory_of_the_points_shape(rule):
    for part in rule.start(START):
        assert part.shape == START.shape
        assert not part.any()


@each_rule
def test_a_rule_changes_none_of_what_it_is_given(rule):
    w, g = START.copy(), surface_slope(START)
    memory = rule.start(w)
    kept = [part.copy() for part in memory]
    rule.update(g, w, memory, rule.begin(1, g))
    np.testing.assert_array_equal(w, START)
    np.testing.assert_array_equal(g, surface_slope(START))
    for part, copy in zip(memory, kept, strict=True):
        np.testing.assert_array_equal(part, copy)


@each_rule
def test_a_gradient_that_is_no_number_is_not_hidden(rule):
    g = np.array([1.0, np.nan, -1.0])
    w = np.ones(3)
    memory = rule.start(w)
    for t in (1, 2):  # and not forgotten by a rule that remembers
        c = rule.begin(t, g)
        update, memory = rule.update(g, w, memory, c)
        assert np.isnan(update[1])


@each_rule
def test_a_rule_begins_downhill(rule):
    g = np.array([1.0, -2.0, 3.0])
    update, memory = rule.update(g, np.zeros(3), rule.start(g), rule.begin(1, g))
    assert (np.sign(update) == np.sign(g)).all()
    assert (np.broadcast_to(rule.gain(memory, rule.begin(1, g)), 3) > 0.0).all()


def test_a_lasting_gradient_becomes_gain_times_itself():
    g = np.array([0.5, -2.0, 0.01])
    for name, rule in RULES.items():
        memory = rule.start(g)
        for t in range(1, 3001):
            c = rule.begin(t, g)
            update, memory = rule.update(g, np.zeros(3), memory, c)
        if "by value" not in name and "by both" not in name:  # a bound on values is no factor of the whole gradient
            np.testing.assert_allclose(update, rule.gain(memory, c) * g, rtol=5e-3, err_msg=name)  # eps beside 0.01


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_clipping_is_torchs(size):
    g = size * np.array([0.3, -0.8, 0.2])
    for rule, clip, rtol in (
        (ClipNorm(Plain(), 0.5), torch.nn.utils.clip_grad_norm_, TORCH_CLIP),
        (ClipValue(Plain(), 0.25), torch.nn.utils.clip_grad_value_, 0.0),
    ):
        parameter = torch.zeros(3, dtype=torch.float64)
        parameter.grad = torch.tensor(g)
        clip([parameter], rule.limit)
        update, _ = rule.update(g, np.zeros(3), (), rule.begin(1, g))
        np.testing.assert_allclose(update, parameter.grad.numpy(), rtol=rtol)
        if size == 0.01:
            np.testing.assert_array_equal(update, g)  # a short gradient is left alone
        if size == 100.0:
            assert np.abs(update).max() < 1.0


RATES = {"plain": 0.1, "momentum": 0.02, "nesterov": 0.02, "adagrad": 0.5, "adadelta": 1.0, "lion": 0.01}
RESTING = {
    **{name: rule() for name, rule in STEPS.items() if rule is not AdamW},
    "adamw": AdamW(decay=0.0),  # with decay it rests elsewhere, as it says
    "clipped": ClipNorm(Adam(), 0.5),
}
PENALISED = {"l1": L1(0.15), "elasticnet": ElasticNet(0.2, 0.6)}


def lasso_rows():
    chance = np.random.default_rng(2)
    X = chance.normal(size=(40, 6)) * np.array([1.0, 0.5, 2.0, 1.0, 1.0, 0.7])
    y = X @ np.array([1.0, -2.0, 0.0, 0.05, 0.0, 0.5]) + 0.3 + chance.normal(scale=0.2, size=40)
    return dense64(X), y


def unrest(objective, penalty, w):
    """How far w is from meeting the optimality conditions: 0 in the subdifferential, coordinate by coordinate."""
    sharp = penalty.alpha * getattr(penalty, "l1_ratio", 1.0)
    g, short = objective.gradient(w), np.append(np.full(6, sharp), 0.0)
    return float(np.where(w != 0.0, np.abs(g + short * np.sign(w)), np.maximum(np.abs(g) - short, 0.0)).max())


@pytest.mark.parametrize("kind", PENALISED)
@pytest.mark.parametrize("name", RESTING)
def test_a_rule_rests_where_the_penalised_objective_is_lowest(name, kind):
    (X, y), penalty = lasso_rows(), PENALISED[kind]
    objective = Linear(X, y, penalty=penalty)
    run = descend(
        objective,
        sampler=Batch(500),
        step=RESTING[name],
        schedule=Cosine(RATES.get(name, 0.05), 10_000),
        stop=Updates(10_000),
        advance=compiled,
    )
    tolerance = REST_SIGN if name == "lion" else REST
    assert unrest(objective, penalty, run.w) <= tolerance * unrest(objective, penalty, objective.start())
    reference = SklearnElasticNet(alpha=penalty.alpha, l1_ratio=getattr(penalty, "l1_ratio", 1.0), tol=1e-12).fit(X, y)
    optimum = np.append(reference.coef_, reference.intercept_)
    np.testing.assert_allclose(run.w, optimum, atol=REFERENCE if name != "lion" else REST_SIGN)
    assert ((run.w == 0.0) == (optimum == 0.0)).all()
    assert 1 <= (optimum == 0.0).sum() <= 4  # some columns leave and some stay
