"""Data of networks: whatever brings the batches, schedules, losses, parts and averages are of the right rows."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import fallline
from fallline import InputError, Net, Plan, checkpointed
from fallline.fitting.checkpoint import mark_on
from fallline.torch.schedulers import Scheduler

ROWS, WIDE = 97, 5
X = torch.randn(ROWS, WIDE, generator=torch.Generator().manual_seed(3))
Y = (X[:, 0] > 0).long()
ADAM = Plan(step="Adam", rate=0.01, batch_size=24, amount=2)


def network(*between):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDE, 8), *between, nn.Tanh(), nn.Linear(8, 2))


def loader(size, **more):
    return DataLoader(TensorDataset(X, Y), batch_size=size, **more)


def endless(module, seed):
    while True:
        yield X[:8], Y[:8]


class Endless(IterableDataset):
    def __iter__(self):
        return endless(None, 0)


class Both(nn.Module):
    """Takes a pair of inputs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.out = nn.BatchNorm1d(2 * WIDE), nn.Linear(2 * WIDE, 2)

    def forward(self, pair):
        return self.out(self.norm(torch.cat(pair, 1)))


def pairs(*ends):
    """The rows in batches that end there, each with its inputs twice."""
    return [((X[a:b], X[a:b]), Y[a:b]) for a, b in zip((0, *ends), (*ends, ROWS), strict=True)]


@pytest.mark.parametrize(("data", "steps"), [(loader(10), 20), (loader(40, drop_last=True), 4), (endless, 20)])
def test_a_schedule_is_laid_out_over_the_batches_that_the_data_bring(data, steps):
    run = Plan(step="SGD", rate=0.1, amount=2, schedule="cosine").run(
        Net(network(), data, batches=10 if data is endless else None)
    )
    assert run.state.t == steps
    assert run.trace["epochs"].tolist() == [0, 1, 2]
    assert run.trace["rate"][1:] == pytest.approx([0.05, 0.0], abs=0.06 / steps * np.pi)


def test_batches_of_other_sizes_than_the_datas_are_refused_or_its_own():
    net = Net(network(), loader(20))
    assert ADAM.run(net).plan.batch_size == 20
    for variant in ("batch", "stochastic"):
        with pytest.raises(InputError, match=f"The variant is {variant}, and the data come in batches of 20"):
            Plan(step="Adam", variant=variant).run(net)
    found = fallline.compare(
        net, variants="mini-batch", steps="plain", rates=0.1, batch_sizes=(16, 32), amount=1, seeds=1, final_seeds=1,
        automatic=False,
    )  # fmt: skip
    assert [entry.plan.batch_size for entry in found.finals] == [20]


def test_a_loader_without_an_end_is_cut_where_a_pass_is_said_to_end():
    data = DataLoader(Endless(), batch_size=None)
    with pytest.raises(InputError, match="does not say how many batches it has"):
        Net(network(), data)
    assert ADAM.run(Net(network(), data, batches=7)).state.t == 14


def test_losses_of_several_inputs_are_means_over_rows():
    uneven, even = Net(Both(), pairs(90)), Net(Both(), [((X, X), Y)])
    assert uneven.value(uneven.start()) == pytest.approx(even.value(even.start()), rel=1e-6)


def test_parts_of_several_inputs_add_up_to_the_batch():
    class Plain(Both):
        def forward(self, pair):
            return self.out(torch.cat(pair, 1))

    whole, parts = (ADAM.run(Net(Plain(), pairs(50), accumulate=count)) for count in (1, 3))
    assert np.allclose(whole.w, parts.w, atol=1e-6)


def test_an_averages_statistics_are_those_of_all_inputs():
    net = Net(Both(), pairs(50))
    run = Plan(step="Adam", rate=0.01, amount=2, average="fading").run(net)
    chance = torch.get_rng_state()
    mean = net.fitted(run).norm.running_mean
    assert torch.allclose(mean[:WIDE], (X[:50].mean(0) + X[50:].mean(0)) / 2, atol=1e-6)
    assert torch.equal(chance, torch.get_rng_state())


@pytest.mark.parametrize("rows", [97, 65, 33])
def test_no_row_is_left_alone_with_batch_norm(rows, monkeypatch):
    monkeypatch.setattr(fallline.torch.net, "BLOCK", 16)
    net = Net(network(nn.BatchNorm1d(8)), (X[:rows], Y[:rows]))
    run = Plan(amount=1).run(net)
    assert not run.diverged
    averaged = Plan(step="Adam", rate=0.01, batch_size=rows, amount=1, average="fading").run(net)
    assert net.fitted(averaged)(X).shape == (ROWS, 2)
    with pytest.raises(InputError, match="a single row, of which batch norm has no spread"):
        Plan(step="Adam", rate=0.01, batch_size=rows - 1, amount=1).run(net)


def test_the_users_chance_stays_as_it_is_beside_a_loader_that_shuffles():
    module, data, chance = network(nn.Dropout(0.5)), loader(20, shuffle=True), torch.get_rng_state()
    net = Net(module, data, validation=data)
    one = ADAM.run(net)
    assert torch.equal(chance, torch.get_rng_state())
    assert np.array_equal(ADAM.run(Net(module, data)).w, one.w)  # who looks changes nothing


def test_a_function_sees_the_weights_of_the_start_at_the_start_of_every_run():
    seen = []

    def play(module, seed):
        seen.append(float(next(module.parameters()).detach().sum()))
        yield from [(X[:8], Y[:8])] * 4

    net = Net(network(), play, batches=4)
    first = [seen.clear(), ADAM.run(net), list(seen)][-1]
    assert [seen.clear(), ADAM.run(net), list(seen)][-1] == first
    assert len(set(first)) > 1


BAD = {
    "no parts": ((X, Y), None, {"accumulate": 0}, "accumulate is 0"),
    "no batches": (endless, None, {"batches": -1}, "batches is -1"),
    "inputs of two shapes": (((X, X[:, :2]), Y), None, {}, "a tuple of unlike parts"),
    "weights as a column": ((X, Y, torch.ones(ROWS, 1)), None, {}, r"give one number for each row, by weights\[:, 0\]"),
    "a loss without weights": ((X, Y, torch.ones(ROWS)), nn.CrossEntropyLoss(), {}, "takes no weights for rows"),
    "a loss that is no mean": ((X, Y), nn.CrossEntropyLoss(reduction="none"), {}, r"gives \(2,\) for a batch"),
    "a module's shapes that broadcast": ((X, X[:, 0]), nn.L1Loss(), {}, "Shapes do not meet"),
    "a function's shapes that broadcast": ((X, X[:, 0]), functional.mse_loss, {}, "Shapes do not meet"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_suit_is_refused_in_one_sentence(case):
    data, loss, more, says = BAD[case]
    with pytest.raises(InputError, match=says):
        Net(network(), data, loss, **more)


def test_parameters_in_half_the_bits_are_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"are torch\.bfloat16.*give module\.float"):
        Net(network().bfloat16(), (X, Y))


def test_labels_that_the_loss_leaves_out_may_be_any_number():
    labels = torch.where(X[:, 1] > 0, Y, -1)
    assert np.isfinite(ADAM.run(Net(network(), (X, labels), nn.CrossEntropyLoss(ignore_index=-1))).w).all()
    with pytest.raises(InputError, match="is -1"):
        Net(network(), (X, labels))


def test_a_kernel_that_was_chosen_is_the_one_that_walks():
    runs = [Plan(step=f"Adam{text}", rate=0.01, amount=1).run(Net(network(), (X, Y))) for text in ("", ":foreach=true")]
    assert np.allclose(runs[0].w, runs[1].w, atol=1e-5)


def test_a_checkpoint_is_known_by_all_that_the_walk_sees(tmp_path):
    frozen = network()
    frozen[0].requires_grad_(False)
    nets = [Net(frozen, (X, Y)), Net(frozen, (X, Y), precision="bfloat16"), Net(frozen, (X, Y), validation=(X, Y))]
    with torch.no_grad():
        frozen[0].bias.add_(1.0)
    marks = {mark_on(net, "") for net in (*nets, Net(frozen, (X, Y)))}
    assert len(marks) == 4

    def pace(decay):
        return Scheduler(lambda o: SequentialLR(o, [ConstantLR(o), ExponentialLR(o, decay)], [3]), 0.01)

    def go(decay):
        return checkpointed(Plan(step="Adam", schedule=pace(decay), amount=1), nets[0], tmp_path / "walk")

    assert np.array_equal(go(0.9).w, go(0.9).w)
    with pytest.raises(InputError, match="another plan"):
        go(0.8)
