"""Findings on networks: every symptom has a tiny run that shows it and a near miss that does not; advice is tried."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from fallline import InputError, Net, Plan
from fallline.explain.concepts import CONCEPTS
from fallline.explain.explanation import HEALTHY
from fallline.explain.network_symptoms import SYMPTOMS
from fallline.explain.networks import NetCase

ROWS, WIDE, CLASSES = 320, 6, 3
CHANCE = torch.Generator().manual_seed(5)
X = torch.randn(ROWS + 160, WIDE, generator=CHANCE)
Y = (X[:, :3] + 0.3 * torch.randn(ROWS + 160, 3, generator=CHANCE)).argmax(1)
USUAL = {"step": "adam", "rate": 5e-3, "batch_size": 16, "amount": 4.0}


def layers():
    return [nn.Linear(WIDE, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, CLASSES)]


def case(change=None, parts=None, x=X, y=Y, rows=ROWS, **settings):
    """A run of a small network with something changed."""
    module = nn.Sequential(*(parts or layers()))
    torch.manual_seed(0)
    for part in module.modules():  # whoever made the parts, in whatever order tests run
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    if change is not None:
        with torch.no_grad():
            change(module)
    net = Net(module, (x[:rows], y[:rows]), validation=(x[ROWS:], y[ROWS:]))
    plan = Plan(**{**USUAL, **settings})
    return NetCase(plan.run(net), plan)


def scaled(times, which=slice(None)):
    def change(module):
        for tensor in [tensor for tensor in module.parameters() if tensor.ndim > 1][which]:
            tensor.mul_(times)

    return change


def deep(depth, squash=nn.Sigmoid):
    between = [part for _ in range(depth) for part in (squash(), nn.Linear(16, 16))]
    return [nn.Linear(WIDE, 16), *between, nn.Linear(16, CLASSES)]


def silenced(share):
    def change(module):
        module[0].bias[: int(16 * share)] = -50.0

    return change


class Asleep(nn.BatchNorm1d):
    def train(self, mode=True):
        return super().train(False)


class Drops(nn.Module):
    def __init__(self, heed):
        super().__init__()
        self.heed = heed

    def forward(self, x):
        return functional.dropout(x, 0.3, training=self.training if self.heed else True)


class Root(nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.shift = shift

    def forward(self, x):
        return (x.clamp_min(0.0) + self.shift).sqrt() if self.shift else torch.where(x > 0, x.sqrt(), 0.0 * x)


class Small(nn.Module):
    def forward(self, x):
        return 0.05 * torch.tanh(x)


class Nothing(nn.Module):
    def forward(self, x):
        return 0.0 * x


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNN(1, 16, nonlinearity="relu", batch_first=True)

    def forward(self, x):
        return self.cell(x[:, :, None])[0][:, -1]


def recurrent(times):
    return {
        "parts": [Recurrent(), nn.Linear(16, CLASSES)], "step": "plain", "rate": 0.03,
        "change": lambda module: module[0].cell.weight_hh_l0.mul_(times),
    }  # fmt: skip


def outlying(times):
    x = X.clone()
    x[77] *= -times
    return x


def noisy(share):
    chance = np.random.default_rng(0)
    chosen = torch.from_numpy(np.flatnonzero(chance.random(len(Y)) < share))
    y = Y.clone()
    y[chosen] = torch.from_numpy(chance.integers(CLASSES, size=len(chosen)))
    return y


SHUFFLED = Y[torch.randperm(len(Y), generator=CHANCE)]
BATCH = {"step": "momentum", "variant": "batch", "batch_size": None, "amount": 60.0}

AMOUNTS = X[:, :1] + X[:, 1:2] ** 2


def amounts(times, mean):
    return case(parts=[*layers()[:-1], nn.Linear(16, 1)], y=times * AMOUNTS + mean, rate=3e-3, amount=3.0)


SICK = {
    "net_targets": lambda: amounts(80.0, 150.0),
    "net_softmax_twice": lambda: case(parts=[*layers(), nn.Softmax(1)], amount=1.0),
    "net_mode": lambda: case(parts=[nn.Linear(WIDE, 16), Asleep(16), *layers()[1:]], amount=1.0),
    "net_drops": lambda: case(parts=[*layers()[:-1], Drops(False), layers()[-1]], amount=1.0),
    "net_frozen": lambda: case(lambda module: module[2].requires_grad_(False), amount=1.0),
    "net_exploding": lambda: case(scaled(40.0), amount=1.0),
    "net_bad_start": lambda: case(scaled(40.0, slice(-1, None)), amount=1.0),
    "net_vanishing": lambda: case(parts=deep(6), amount=1.0),
    "net_dead": lambda: case(silenced(0.7), amount=1.0),
    "net_not_a_number": lambda: case(parts=[*layers()[:-2], Root(0.0), layers()[-1]], amount=1.0),
    "net_clipping": lambda: case(**{**recurrent(3.0), "step": "momentum", "rate": 0.1}),
    "net_edge": lambda: case(**BATCH, warmup=60, rate=6.5),
    "net_too_high": lambda: case(rate=0.5, amount=2.0),
    "net_warm_up": lambda: case(parts=deep(3, nn.GELU), rate=0.03, amount=2.0),
    "net_too_low": lambda: case(rate=1e-5),
    "net_one_batch": lambda: case(parts=[*layers(), Small()], amount=1.0),
    "net_labels": lambda: case(y=SHUFFLED),
    "net_overfitting": lambda: case(rows=80, y=noisy(0.5), amount=80.0),
    "net_spike": lambda: case(x=outlying(300.0), amount=8.0),
    "net_batch": lambda: case(batch_size=320, amount=8.0),
}
"""A run that shows each symptom."""

WELL = {
    "net_targets": lambda: amounts(1.0, 0.5),
    "net_softmax_twice": lambda: case(parts=[*layers(), nn.LogSoftmax(1)], amount=1.0),
    "net_mode": lambda: case(parts=[nn.Linear(WIDE, 16), nn.BatchNorm1d(16), *layers()[1:]], amount=1.0),
    "net_drops": lambda: case(parts=[*layers()[:-1], Drops(True), layers()[-1]], amount=1.0),
    "net_exploding": lambda: case(scaled(2.0), amount=1.0),
    "net_bad_start": lambda: case(scaled(2.0, slice(-1, None)), amount=1.0),
    "net_vanishing": lambda: case(parts=deep(1), amount=1.0),
    "net_dead": lambda: case(silenced(0.25), amount=1.0),
    "net_not_a_number": lambda: case(parts=[*layers()[:-2], Root(0.1), layers()[-1]], amount=1.0),
    "net_clipping": lambda: case(x=outlying(100.0), **recurrent(3.0)),  # one row's doing
    "net_edge": lambda: case(**BATCH, rate=0.1),
    "net_too_high": lambda: case(rate=0.01, amount=2.0),
    "net_warm_up": lambda: case(rate=0.5, amount=2.0),  # a lower rate goes further
    "net_labels": lambda: case(y=noisy(0.5)),
    "net_overfitting": lambda: case(amount=12.0),
    "net_spike": lambda: case(x=outlying(2.0)),
}
"""A near miss, where a run that ails nothing is none."""


WALKED = ("net_batch",)  # symptoms that a walk decides: sound runs are looked at as well


@pytest.mark.parametrize("name", SICK)
def test_a_run_that_shows_a_symptom_is_seen_and_one_that_does_not_is_not(name):
    with np.errstate(all="ignore"):
        sick = SYMPTOMS[name].detect(SICK[name]())
        assert sick is not None
        assert sick.seen
        assert sick.change is not None
        well = SYMPTOMS[name].detect(WELL.get(name, case)())
        assert well is None or (name in WALKED and not well.proof().helped)


def test_every_symptom_has_such_a_run_and_a_concept():
    assert set(SYMPTOMS) == set(SICK)
    assert {symptom.concept for symptom in SYMPTOMS.values()} <= set(CONCEPTS)
    assert set().union(*(symptom.quiets for symptom in SYMPTOMS.values())) <= set(SYMPTOMS)


def test_a_sound_run_is_healthy_and_looking_leaves_the_module_alone():
    one = case()
    before = {name: held.clone() for name, held in one.net.module.state_dict().items() if "num_batches" not in name}
    chance = torch.get_rng_state()
    assert one.run.explain().headline == HEALTHY
    assert torch.equal(chance, torch.get_rng_state())
    assert before.keys() == one.net.module.state_dict().keys()


@pytest.mark.parametrize("name", ["net_too_low", "net_bad_start", "net_vanishing", "net_too_high", "net_softmax_twice"])
def test_the_cause_is_the_first_finding_and_its_change_was_tried(name):
    found = SICK[name]().run.explain()
    assert found.findings[0].symptom == name
    assert found.findings[0].tried.helped
    assert found.findings[0].title in str(found)


def test_the_module_and_the_operation_that_gave_no_number_are_named():
    sign = SYMPTOMS["net_not_a_number"].detect(SICK["net_not_a_number"]())
    assert "sqrt in 3 (Root)" in sign.seen
    assert sign.updates[0] in (1, 2)


def test_the_rows_of_a_spike_are_named():
    assert 77 in SYMPTOMS["net_spike"].detect(SICK["net_spike"]()).rows


def test_a_run_that_makes_no_step_is_explained():
    broken = case(silenced(0.7), parts=[*layers(), Root(-100.0)], amount=1.0)
    assert not len(broken.losses)
    assert broken.run.explain().findings[0].symptom == "net_not_a_number"


def test_a_few_rows_that_raise_the_loss_at_the_start_are_no_bad_start():
    assert SYMPTOMS["net_bad_start"].detect(case(x=outlying(1e5), amount=1.0)) is None


def test_layers_and_tensors_are_named():
    assert "2.weight" in SYMPTOMS["net_frozen"].detect(SICK["net_frozen"]()).tensors
    assert SYMPTOMS["net_vanishing"].detect(SICK["net_vanishing"]()).tensors[0] == "0.weight"
    assert SYMPTOMS["net_dead"].detect(SICK["net_dead"]()).tensors == ("1 (ReLU)",)


def test_layers_in_a_plain_list_are_missed():
    class Lost(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = [nn.Linear(WIDE, WIDE)]
            self.last = nn.Linear(WIDE, CLASSES)

        def forward(self, x):
            return self.last(self.inside[0](x))

    sign = SYMPTOMS["net_frozen"].detect(case(parts=[Lost()], amount=1.0))
    assert sign.tensors == ("0.inside",)


def test_inputs_that_are_all_zero_are_the_cause_and_the_layer_after_them_is_not_frozen():
    cut = case(parts=[Nothing(), *layers()], amount=1.0)
    assert SYMPTOMS["net_frozen"].detect(cut) is None
    assert "in 0 (Nothing) gives zero for every row" in SYMPTOMS["net_one_batch"].detect(cut).seen


def test_a_run_that_went_on_is_walked_again_under_its_own_plan_and_refused_under_two():
    begun = case(amount=2.0)
    runs = {rate: Plan(**{**USUAL, "rate": rate}).run(begun.net, start=begun.run) for rate in (USUAL["rate"], 0.05)}
    same, other = (run.objective.probing(run).replay for run in runs.values())
    k = int(np.flatnonzero(same.run.trace["t"] == 60)[0])
    assert np.array_equal(same.at(60).state.w, same.run.trace.points[k])
    with pytest.raises(InputError, match="another plan"):
        other.at(60)


def test_a_run_from_another_point_is_explained_from_there():
    begun = case(amount=1.0)
    far = begun.net.start() + np.float32(0.5)
    run = begun.plan.run(begun.net, start=far)
    probing = run.objective.probing(run)
    assert np.array_equal(probing.net.start(), far)
    assert np.array_equal(probing.replay.at(3).trace.steps["loss"], run.trace.steps["loss"][:3])
    assert torch.equal(probing.module()[0].weight.reshape(-1), torch.from_numpy(far[: 16 * WIDE]))


def test_findings_are_shaded_on_the_loss_of_a_networks_run():
    figure = SICK["net_spike"]().run.explain().plot()
    assert "spike" in figure.layout.annotations[-1].text
    assert any(shape.type == "rect" for shape in figure.layout.shapes)


def test_a_slow_run_whose_labels_can_be_foretold_is_not_accused_of_others():
    slow = case(rate=1e-4, amount=2.0)
    slow.net.validation = slow.probing.net.validation = None  # judged by the first pass, in which every row is new
    assert slow.losses[-5:].mean() > 0.96 * slow.chance
    assert "net_labels" not in [one.symptom for one in slow.run.explain()]
    assert slow.probing.elsewhere < 0.8 * slow.chance
    others = case(y=Y[torch.randperm(len(Y), generator=torch.Generator().manual_seed(1))], rate=1e-4, amount=2.0)
    assert others.probing.elsewhere > 0.96 * others.chance


def test_targets_of_another_scale_are_told_by_a_trial_in_their_own_spread():
    explained = amounts(80.0, 150.0).run.explain()
    first = explained.findings[0]
    assert first.symptom == "net_targets"
    assert first.tried.effect.before > 1.5  # worse than the targets' mean
    assert first.tried.effect.after < 1.0
