"""Networks: the engine walks as by hand and as torch's own loops do, whatever the rule, the data and the stops between."""

import sys
from copy import deepcopy
from dataclasses import replace
from inspect import signature

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import fallline
from fallline import InputError, Net, Plan, Trace, descend
from fallline.averages import AVERAGES
from fallline.comparison.study import default_rates
from fallline.samplers import Batch, Shuffled
from fallline.schedules import Constant, InverseTime
from fallline.steps import STEPS, ClipNorm, ClipValue, Momentum
from fallline.steps.named import HIGH, Optimizer
from fallline.stops import Epochs, Updates
from fallline.torch import schedulers
from fallline.torch.batches import seed_of
from fallline.torch.chain import chain_of
from fallline.torch.optimizers import names

WALK = 2e-9
"""Sixty float64 steps by torch's kernel against our arithmetic: NAdam's product of momenta is rounded to float32 there."""
ROWS, WIDE = 96, 6


def table(kind=torch.float64):
    chance = torch.Generator().manual_seed(3)
    X = torch.randn(ROWS, WIDE, generator=chance, dtype=torch.float64).to(kind)
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0).long()


def network(kind=torch.float64, *, noisy=False):
    torch.manual_seed(0)
    between = [nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3)] if noisy else [nn.Tanh()]
    return nn.Sequential(nn.Linear(WIDE, 8), *between, nn.Linear(8, 2)).to(kind)


def walk(net, epochs=2, step=None, seed=1, **more):
    settings = {"sampler": Shuffled(16, seed), "schedule": InverseTime(0.05, 0.1), "stop": Epochs(epochs)}
    return descend(net, step=step or Momentum(), advance=net.walker(seed), **{**settings, **more})


@pytest.mark.parametrize("name", STEPS)
def test_the_engine_walks_as_by_hand(name):
    net = Net(network(), table())
    settings = {"sampler": Shuffled(16, 1), "step": STEPS[name](), "schedule": Constant(0.01), "stop": Epochs(3)}
    ours, hand = descend(net, advance=net.walker(0), **settings, every=4), descend(net, **settings, every=4)
    assert np.abs(ours.w - hand.w).max() <= WALK
    assert np.abs(hand.w - net.start()).max() > 5e-4  # it did walk
    assert np.abs(ours.trace.path - hand.trace.path).max() <= WALK


@pytest.mark.parametrize("wrap", [ClipNorm, ClipValue])
def test_clipping_is_that_of_by_hand(wrap):
    net = Net(network(), table())
    settings = {"sampler": Shuffled(16, 1), "schedule": Constant(0.1), "stop": Updates(20)}
    step = wrap(Momentum(), 0.05)
    ours = descend(net, step=step, advance=net.walker(0), **settings)
    assert np.abs(ours.w - descend(net, step=step, **settings).w).max() <= WALK
    assert np.abs(ours.w - descend(net, step=Momentum(), **settings).w).max() > 1e-2  # and it did clip


@pytest.mark.parametrize("name", AVERAGES)
def test_averages_are_those_of_by_hand(name):
    net = Net(network(), table())
    settings = {"sampler": Shuffled(16, 1), "step": Momentum(), "schedule": Constant(0.05), "stop": Epochs(2)}
    settings["average"] = AVERAGES[name]()
    assert np.abs(descend(net, advance=net.walker(0), **settings).w - descend(net, **settings).w).max() <= WALK


@pytest.mark.parametrize("noisy", [False, True])
def test_the_engine_gives_the_bits_of_a_plain_torch_loop(noisy):
    X, y = table(torch.float32)
    net = Net(network(torch.float32, noisy=noisy), (X, y))
    ours = walk(net, 2, Optimizer("Adam"), schedule=Constant(0.01))
    module = network(torch.float32, noisy=noisy).train()
    optimizer = torch.optim.Adam(module.parameters(), 0.01, fused=True)
    losses = []
    for epoch in range(2):
        order = Shuffled(16, 1).segment(ROWS, epoch)
        torch.manual_seed(seed_of(1, epoch))
        for rows in order.steps():
            optimizer.zero_grad()
            loss = functional.cross_entropy(module(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    theirs = torch.cat([tensor.detach().reshape(-1) for tensor in module.parameters()])
    assert np.array_equal(ours.w, theirs.numpy())
    assert np.array_equal(ours.trace.steps["loss"], losses)
    fitted = net.fitted(ours)
    assert not fitted.training
    assert all(torch.equal(held, named) for held, named in zip(module.buffers(), fitted.buffers(), strict=True))


ROWS_OF_LAYERS = {
    "rectified": [nn.Linear(WIDE, 8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 2)],
    "squashed": [nn.Linear(WIDE, 8), nn.Tanh(), nn.Linear(8, 5, bias=False), nn.Sigmoid(), nn.Linear(5, 2)],
    "linear": [nn.Linear(WIDE, 2), nn.Identity()],
    "activation first": [nn.Tanh(), nn.Linear(WIDE, 3), nn.Linear(3, 2)],
}


@pytest.mark.parametrize("layers", ROWS_OF_LAYERS)
@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "huber"])
@pytest.mark.parametrize("weighted", [False, True])
def test_backpropagation_written_out_is_autograds_to_the_bit(layers, loss, weighted):
    X, y = table(torch.float32)
    y = y if loss == "cross_entropy" else torch.randn(ROWS, 2, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(ROWS, generator=torch.Generator().manual_seed(1)) if weighted else None
    torch.manual_seed(0)
    net = Net(nn.Sequential(*deepcopy(ROWS_OF_LAYERS[layers])), (X, y), loss)
    chain = chain_of(net)
    told = chain.backward(X, y, weights)
    found = [slope.clone() for slope in net.flat.slopes()]
    net.flat.clear()
    wanted = net.loss(X, y, weights)
    wanted.backward()
    assert torch.equal(told, wanted.detach())
    assert all(torch.equal(slope, each) for slope, each in zip(found, net.flat.slopes(), strict=True))
    assert all(bool(slope.any()) for slope in found)


def test_what_is_no_plain_row_of_layers_is_left_to_autograd():
    layers = ROWS_OF_LAYERS["rectified"]
    X, y = table(torch.float32)
    assert chain_of(Net(nn.Sequential(*deepcopy(layers)), (X, y))) is not None
    frozen, hooked, normed = (nn.Sequential(*deepcopy(layers)) for _ in range(3))
    frozen[0].weight.requires_grad_(False)
    hooked[2].register_forward_hook(lambda *_: None)
    normed[1] = nn.BatchNorm1d(8)
    for module in (frozen, hooked, normed, nn.Sequential(nn.Sequential(*deepcopy(layers)))):
        assert chain_of(Net(module, (X, y))) is None
    module = nn.Sequential(*deepcopy(layers))
    assert chain_of(Net(module, (X, y), accumulate=2)) is None
    assert chain_of(Net(module, (X, y), precision="bfloat16")) is None
    assert chain_of(Net(module, (X, y), lambda z, y: functional.cross_entropy(z, y))) is None


EXTRA = ("ScheduleFreeAdamW", "Prodigy", "SOAP", "Lion", "NorMuon")  # of the library of the extra `optimizers`


@pytest.mark.parametrize("name", [*(name for name in names() if name != "SparseAdam"), *EXTRA])
def test_every_class_of_torch_optim_walks_and_goes_on_with_the_same_bits(name):
    net = Net(network(torch.float32, noisy=True), table(torch.float32))
    schedule = Constant(0.01)
    whole = walk(net, 3, Optimizer(name), schedule=schedule)
    part = walk(net, 1, Optimizer(name), schedule=schedule)
    rest = walk(net, 3, Optimizer(name), schedule=schedule, start=part)
    assert np.array_equal(whole.w, rest.w)
    assert whole.trace["loss"].tolist() == rest.trace["loss"].tolist()
    assert not np.array_equal(whole.w, part.w)


def test_going_on_with_another_optimizer_is_refused():
    net = Net(network(torch.float32), table(torch.float32))
    with pytest.raises(InputError, match="walked by Adam, whose memory SGD cannot use"):
        walk(net, 3, Optimizer("SGD"), start=walk(net, 1, Optimizer("Adam")))


def test_muon_takes_the_matrices_and_adamw_the_rest():
    net = Net(network(torch.float32), table(torch.float32))
    muon, adam = (walk(net, step=Optimizer(name), stop=Updates(1)).w for name in ("Muon", "AdamW"))
    ends = np.cumsum([0, *net.flat.sizes])
    for name, first, last in zip(net.layers, ends, ends[1:], strict=False):
        moved = np.abs(muon[first:last] - net.start()[first:last]).max()
        assert moved > 1e-3
        assert np.array_equal(muon[first:last], adam[first:last]) == name.endswith("bias")


@pytest.mark.parametrize("scale", ["", "fan_in"])
def test_the_defaults_step_is_torchs_nadam_with_decoupled_decay(scale):
    net = Net(network(), table())
    ours = walk(net, 3, Optimizer("NAdamW", (), scale))
    theirs = walk(net, 3, Optimizer("NAdam", (("weight_decay", 0.01), ("decoupled_weight_decay", True)), scale))
    assert (
        np.abs(ours.w - theirs.w).max() <= 1e-6 * np.abs(theirs.w - net.start()).max()
    )  # torch's product of momenta is float32
    part = walk(net, 1, Optimizer("NAdamW", (), scale))
    assert np.array_equal(walk(net, 3, Optimizer("NAdamW", (), scale), start=part).w, ours.w)
    with pytest.raises(InputError, match="no setting beta"):
        walk(net, 1, Optimizer("NAdamW", (("beta", 0.9),)))


def test_schedule_free_answers_with_its_average():
    net = Net(network(torch.float32), table(torch.float32))
    run = walk(net, 3, Optimizer("ScheduleFreeAdamW"), schedule=Constant(0.05))
    assert not np.array_equal(run.w, run.state.w)  # it steps from another point


@pytest.mark.parametrize(
    "text",
    [
        "StepLR:step_size=5,gamma=0.5",
        "CosineAnnealingLR",
        "OneCycleLR",
        "MultiStepLR:milestones=5/9",
        "ExponentialLR:gamma=0.9,every=6",
    ],
)
def test_schedulers_of_torch_set_the_rates_that_torch_sets(text):
    net = Net(network(torch.float32), table(torch.float32))
    plan = Plan(step="SGD", rate=0.1, batch_size=16, schedule=text, budget="updates", amount=12)
    schedule = plan.pace(net, 0.1)
    settings = {
        "StepLR": {"step_size": 5, "gamma": 0.5}, "CosineAnnealingLR": {"T_max": 12}, "MultiStepLR": {"milestones": [5, 9]},
        "OneCycleLR": {"max_lr": 0.1, "total_steps": 12}, "ExponentialLR": {"gamma": 0.9},
    }  # fmt: skip
    name = text.partition(":")[0]
    optimizer = torch.optim.SGD(network(torch.float32).parameters(), 0.1)
    theirs = getattr(torch.optim.lr_scheduler, name)(optimizer, **settings[name])
    for t in range(1, 13):
        assert schedule.at(t) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        if "every" not in text or t % 6 == 0:
            theirs.step()
    run = plan.run(net)
    assert run.trace.last("rate") == pytest.approx(schedule.at(12))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FooLR", "no FooLR"),
        ("StepLR:step=3", "step"),
        ("ReduceLROnPlateau", "reduce_on_plateau"),
        ("OneCycleLR:total_steps", "no setting"),
        ("OneCycleLR:total_steps=4", "ends after 5 updates"),
    ],
)
def test_schedulers_that_cannot_be_are_named(text, says):
    net = Net(network(torch.float32), table(torch.float32))
    with pytest.raises(InputError, match=says):
        Plan(step="SGD", rate=0.1, schedule=text, amount=9).run(net)


@pytest.mark.parametrize("updates", [1, 2, 60])
@pytest.mark.parametrize("name", schedulers.names())
def test_a_scheduler_that_is_only_named_is_laid_out_over_the_walk(name, updates):
    net = Net(network(torch.float32), table(torch.float32))
    plan = Plan(step="SGD", rate=0.1, batch_size=16, schedule=name, budget="updates", amount=updates)
    schedule = plan.pace(net, 0.1)
    rates = [schedule.at(t) for t in range(1, updates + 1)]
    assert max(rates) <= 0.1 * (1 + 1e-9)
    assert min(rates[: max(1, updates // 2)]) > 0.0
    if updates == 60:
        assert len({round(rate, 9) for rate in rates[5:]}) > 1  # it is not over when the walk has just begun


class Heavy(nn.Module):
    """Says that memory is full from so many rows on, in training or in evaluation; notes how many were `tried`."""

    def __init__(self, rows, *, training=True, kind=torch.float32):
        super().__init__()
        self.rows, self.full, self.tried, self.inside = rows, training, [], nn.Linear(WIDE, 2).to(kind)

    def forward(self, x):
        self.tried.append(len(x))
        if self.training == self.full and len(x) > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.inside(x)


@pytest.mark.parametrize(
    ("rows", "says"), [(10, "one of 8 does: take batch_size=8, or .* accumulate=4"), (0, "nor does a single row")]
)
def test_a_batch_too_large_for_memory_names_the_one_that_fits(rows, says):
    with pytest.raises(InputError, match=says):
        Plan(step="adam", rate=0.01, batch_size=32).run(Net(Heavy(rows), table(torch.float32)))


@pytest.mark.parametrize("step", ["adam", "LBFGS"])
def test_where_data_bring_their_batches_the_loader_is_told_to_make_smaller_ones(step):
    loader = DataLoader(TensorDataset(*table(torch.float32)), 32)
    with pytest.raises(InputError, match="one of 8 does: let the loader, or the function, give batches of 8, or"):
        Plan(step=step, rate=0.01).run(Net(Heavy(10), loader))


class Hungry(torch.optim.SGD):
    """Says at a step that memory is full."""

    at = 1

    def step(self, closure=None):
        self.at -= 1
        if not self.at:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        super().step()


@pytest.mark.parametrize("at", [1, 4])
def test_an_optimizer_too_large_for_memory_is_told_as_that(at, monkeypatch):
    monkeypatch.setattr(torch.optim, "Hungry", type("Hungry", (Hungry,), {"at": at}), raising=False)
    with pytest.raises(InputError, match="no room for what Hungry remembers"):
        Plan(step="Hungry", rate=0.01, batch_size=16).run(Net(network(torch.float32), table(torch.float32)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("AdaShift", "AdaShift remembers what is neither tensor nor number .*deque"),
        ("Conda", "Conda remembers .*GaLoreProjector"),
        ("ROSE", "ROSE remembers .*dtype"),
        ("ScalableShampoo", "ScalableShampoo remembers"),
        ("AliG", r"AliG cannot step on this module \(AliG requires closure"),
        ("AdaHessian", "AdaHessian cannot step on this module"),
        ("SAM", r"SAM is made around something else \(base_optimizer\), which a plan cannot give"),
        ("WSAM", r"something else \(model, base_optimizer\)"),
        ("Lookahead", r"something else \(optimizer\)"),
        ("Magma", r"something else \(optimizer\)"),
        ("AdamMini", r"something else \(model\)"),
        ("Ranger21", "needs settings: write Ranger21:num_iterations=…"),
        ("DistributedMuon", "DistributedMuon cannot be made"),
        ("BaseOptimizer", "There is no optimizer BaseOptimizer"),
    ],
)
def test_an_optimizer_that_cannot_walk_says_why_at_the_first_step(text, says):
    with pytest.raises(InputError, match=says):
        Plan(step=text, rate=0.01, batch_size=16, amount=1).run(Net(network(torch.float32), table(torch.float32)))


def test_without_the_library_of_the_extra_its_name_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(InputError, match=r"torch\.optim has no Prodigy, .* pip install fallline\[optimizers\]"):
        Plan(step="Prodigy").run(Net(network(torch.float32), table(torch.float32)))


def test_what_memory_does_not_hold_in_evaluation_is_evaluated_in_parts(monkeypatch):
    monkeypatch.setattr(fallline.torch.net, "BLOCK", 48)
    weighted = (*table(), torch.rand(ROWS, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    net = Net(Heavy(2, training=False, kind=torch.float64), weighted)
    net.module.tried.clear()
    parted = net.value(net.start())
    assert net.module.tried[:5] == [48, 24, 12, 6, 3]
    assert max(net.module.tried[5:]) == 1  # a half of three, and no later part is larger
    net.module.rows = ROWS
    net.module.tried.clear()
    assert parted == pytest.approx(net.value(net.start()), rel=1e-14)
    assert net.module.tried == [48, 48]
    net.module.rows = 0
    with pytest.raises(InputError, match="A single row does not fit into the memory of cpu to be evaluated"):
        net.value(net.start())


def test_settings_reach_the_optimizer_and_unknown_ones_are_named():
    net = Net(network(torch.float32), table(torch.float32))
    heavy, light = (walk(net, 1, Optimizer.read(f"SGD:momentum={beta}")).w for beta in (0.9, 0.1))
    assert not np.array_equal(heavy, light)
    with pytest.raises(InputError, match="momentun"):
        walk(net, 1, Optimizer("SGD", (("momentun", 0.9),)))
    with pytest.raises(InputError, match="Adann"):
        walk(net, 1, Optimizer("Adann"))


def test_the_module_and_the_users_chance_stay_as_they_are():
    module = network(torch.float32, noisy=True).eval()
    before, chance = deepcopy(module.state_dict()), torch.get_rng_state()
    net = Net(module, table(torch.float32))
    run = walk(net)
    assert torch.equal(chance, torch.get_rng_state())
    assert all(torch.equal(before[name], held) for name, held in module.state_dict().items())
    assert not module.training
    assert walk(net).w.tolist() == run.w.tolist()  # a second walk begins where the first one did


def test_parts_of_a_batch_add_up_to_it():
    whole, parts = (Net(network(), table(), accumulate=count) for count in (1, 3))
    assert np.abs(walk(whole).w - walk(parts).w).max() <= WALK


def test_parameters_that_share_memory_or_stay_frozen_walk_too():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            both = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
            self.a, self.b = nn.Parameter(both[0]), nn.Parameter(both[1])  # two tensors in one piece of memory
            self.out, self.fixed = nn.Linear(3, 1), nn.Linear(3, 3).requires_grad_(False)

        def forward(self, x):
            return self.out(torch.tanh(self.fixed(x) @ self.a @ self.b))

    X = torch.randn(32, 3, generator=torch.Generator().manual_seed(1))
    net = Net(Tied(), (X, X[:, :1] ** 2))
    assert net.layers == ("a", "b", "out.weight", "out.bias")
    settings = {"sampler": Batch(), "step": Momentum(), "schedule": Constant(0.01), "stop": Updates(20)}
    ours, hand = descend(net, advance=net.walker(0), **settings), descend(net, **settings)
    assert np.allclose(ours.w, hand.w, atol=1e-6)
    assert not np.allclose(ours.w, net.start(), atol=1e-3)


def test_a_loader_gives_the_same_passes_again_and_goes_on_with_the_same_bits():
    loader = DataLoader(TensorDataset(*table(torch.float32)), batch_size=20, shuffle=True)
    net = Net(network(torch.float32, noisy=True), loader)
    plan = Plan(step="Adam", rate=0.01, amount=3.0)
    whole, part = plan.run(net), Plan(step="Adam", rate=0.01, amount=1.0).run(net)
    assert whole.state.t == 15  # 96 rows in batches of 20
    assert whole.trace.last("visits") == 3 * ROWS
    assert np.array_equal(plan.run(net, start=part).w, whole.w)


def test_a_function_makes_batches_from_the_module_as_it_stands():
    seen = []

    def play(module, seed):
        chance = torch.Generator().manual_seed(seed)
        while True:
            X = torch.randn(8, WIDE, generator=chance)
            seen.append(float(next(module.parameters()).detach().sum()))
            yield X, (X[:, 0] > 0).long()

    net = Net(network(torch.float32), play, "cross_entropy", batches=10)
    run = Plan(step="adam", rate=0.05, budget="updates", amount=60).run(net)
    assert len(set(seen)) == 60  # the weights before every step; those of the start are seen more than once
    assert run.trace.steps["loss"][-10:].mean() < 0.5 * run.trace.steps["loss"][:10].mean()


def test_the_trace_keeps_every_steps_loss_and_some_norms(tmp_path):
    net = Net(network(torch.float32), table(torch.float32))
    trace = walk(net, 10, every=3).trace
    steps = trace.steps
    assert steps["t"].tolist() == list(range(1, 61))
    measured = np.isfinite(steps["gradient_norm"])
    assert measured[:20].all()
    assert np.flatnonzero(measured[20:]).tolist() == [4, 29]  # steps 25 and 50
    parts = [steps[f"gradient/{name}"][measured] for name in net.layers]
    assert np.allclose(np.linalg.norm(parts, axis=0), steps["gradient_norm"][measured], rtol=1e-6)
    assert trace["loss"][1] == pytest.approx(steps["loss"][:3].mean())  # a look tells of the steps since the last
    again = Trace.load(trace.save(tmp_path / "trace.npz"))
    assert {name: values.tolist() for name, values in again.steps.items()}.keys() == steps.keys()
    assert np.array_equal(again.steps["loss"], steps["loss"])
    assert again.between(0, 3).steps["t"].tolist() == list(range(1, 7))


def test_a_plan_without_a_rate_learns():
    X, y = table(torch.float32)
    run = Plan(amount=30).run(Net(network(torch.float32), (X, y)))
    assert run.trace.last("loss") < 0.4 < run.trace["loss"][0]
    assert not run.diverged
    assert run.plan.step.startswith("NAdam")


def test_weights_count_as_repeated_rows_do():
    X, y = table()
    count = torch.arange(ROWS) % 3
    twice = Net(network(), (X.repeat_interleave(count, 0), y.repeat_interleave(count)))
    counted = Net(network(), (X, y, count.double() * ROWS / count.sum()))
    assert np.abs(twice.gradient(twice.start()) - counted.gradient(counted.start())).max() <= 1e-12


def test_a_run_that_diverges_says_so():
    run = Plan(step="plain", rate=1e8, amount=5).run(
        Net(network(torch.float32), (table(torch.float32)[0], torch.ones(ROWS, 2)))
    )
    assert run.diverged


@pytest.mark.parametrize("average", ["none", "fading"])
def test_losses_at_looks_are_those_of_the_module_that_it_would_be(average):
    X, y = table(torch.float32)
    net = Net(network(torch.float32, noisy=True), (X[:64], y[:64]), validation=(X[64:], y[64:]), measured=True)
    settings = {"average": AVERAGES[average](), "every": 2}
    run = walk(net, 3, **settings)
    assert len(run.trace) == 7
    assert np.isfinite(run.trace["validation_loss"]).all()
    module = net.fitted(run) if average == "none" else None
    if module is not None:
        with torch.inference_mode():
            for rows, column in ((slice(64), "loss"), (slice(64, None), "validation_loss")):
                theirs = functional.cross_entropy(module(X[rows]), y[rows]).item()
                assert run.trace.last(column) == pytest.approx(theirs, rel=1e-5)
    told = walk(Net(network(torch.float32, noisy=True), (X[:64], y[:64])), 3, **settings)
    assert np.array_equal(told.w, run.w)  # who looks changes nothing
    assert told.trace["loss"].tolist() != run.trace["loss"].tolist()


def test_settings_are_compared_from_equal_weights_by_the_loss_on_all_rows(tmp_path):
    X, y = table(torch.float32)
    net = Net(network(torch.float32, noisy=True), (X, y))
    found = fallline.compare(
        net, variants="mini-batch", steps=("plain", "AdamW"), rates=(0.01, 0.1), amount=3, seeds=1, final_seeds=2
    )
    assert {entry.plan.step for entry in found.finals} == {"plain", "AdamW", "NAdamW:scale=fan_in"}
    starts = {trace["loss"][0] for trace in found.traces}
    assert len(starts) == 1
    lowest = min(trace["loss"].min() for trace in found.traces)
    assert found.yard.optimum == lowest
    assert found.yard.goal in found.verdict.headline
    best = min(found.finals, key=lambda entry: entry.traces[0].last("loss"))
    again = replace(best.plan, seed=best.traces[0].about["seed"]).run(net.measuring())
    with torch.inference_mode():
        assert functional.cross_entropy(net.fitted(again)(X), y).item() == pytest.approx(
            best.traces[0].last("loss"), rel=1e-5
        )
    found.save(tmp_path / "report")
    assert found.yard.goal in (tmp_path / "report" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("settings", [{"penalty": "l2"}, {"header": False}, {"study": fallline.Study(), "seeds": 2}])
def test_a_table_s_settings_are_refused_for_a_network(settings):
    with pytest.raises(InputError, match=r"leave it out|put them into the study"):
        fallline.compare(Net(network(torch.float32), table(torch.float32)), **settings)


def test_settings_that_batch_norm_cannot_walk_are_left_out_of_a_comparison_with_a_sentence():
    X, y = table(torch.float32)
    few = {"rates": 0.01, "amount": 1, "seeds": 1, "final_seeds": 1}
    net = Net(network(torch.float32, noisy=True), (X[:65], y[:65]))
    chance = torch.get_rng_state()
    found = fallline.compare(net, **few)
    assert torch.equal(chance, torch.get_rng_state())
    kinds = {entry.plan.variant for entry in found.entries if entry.plan.step == "plain"}
    assert kinds == {"batch"}  # 65 rows leave one alone after two batches of 32
    said = found.facts["notes"][1:]
    assert [note.partition(" is left out: some of its steps compute a single row")[0] for note in said] == [
        "stochastic", "mini-batch 32",
    ]  # fmt: skip
    with pytest.raises(InputError, match="single row"):
        fallline.compare(net, variants="stochastic", **few)


def test_of_data_that_bring_their_batches_those_alone_are_compared():
    net = Net(network(torch.float32), DataLoader(TensorDataset(*table(torch.float32)), 32))
    found = fallline.compare(net, rates=0.01, amount=1, seeds=1, final_seeds=1)
    assert {entry.plan.variant for entry in found.entries} == {"mini-batch"}
    assert len(found.facts["notes"]) == 3


def test_a_class_whose_own_rate_is_high_takes_it_where_none_is_given():
    import pytorch_optimizer

    own = {}
    for name in (*names(), *vars(pytorch_optimizer)):
        made = getattr(torch.optim, name, getattr(pytorch_optimizer, name, None))
        if isinstance(made, type) and issubclass(made, torch.optim.Optimizer):
            rate = signature(made).parameters.get("lr")
            own[name] = rate.default if rate is not None and isinstance(rate.default, float | int) else 0.0
    assert {name: own[name] for name in HIGH} == HIGH
    # those above 0.01 that are not there cannot walk
    assert {name for name, rate in own.items() if rate > 0.01} - set(HIGH) == {
        "AdaHessian", "AdamMini", "BSAM", "DistributedMuon", "SophiaH",
    }  # fmt: skip
    assert Plan(step="Prodigy").rate == 1.0
    assert Plan(step="AdamW").rate == 0.01
    assert default_rates("Prodigy:d_coef=2", 1.0, 32) == pytest.approx([0.1, 0.3, 1.0, 3.0, 10.0])
    net = Net(network(torch.float32), table(torch.float32))
    run = Plan(step="Prodigy", batch_size=16, amount=20).run(net)
    assert run.trace.last("loss") < 0.5 * run.trace["loss"][0]
