"""Watching somebody else's loop: the same bits as without, the loss that was meant or none, and nothing left behind."""

import gc
import io
import pickle
import weakref
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import fallline
from fallline import InputError, Trace
from fallline.torch import watch

ROWS, WIDE, CLASSES = 12, 6, 3


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.walk, self.out = nn.GRU(WIDE, 5, batch_first=True), nn.Linear(5, CLASSES)

    def forward(self, x):
        return self.out(self.walk(x[:, None].expand(-1, 4, -1))[0][:, -1])


def mlp():
    return nn.Sequential(nn.Linear(WIDE, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, CLASSES))


def cnn():
    return nn.Sequential(
        nn.Unflatten(1, (1, WIDE)), nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout1d(0.3), nn.Flatten(),
        nn.Linear(4 * (WIDE - 2), CLASSES),
    )  # fmt: skip


def groups(model):
    first, *rest = model.parameters()
    return [{"params": [first], "lr": 0.02}, {"params": rest}]


OPTIMIZERS = {
    "Adam": lambda model: torch.optim.Adam(model.parameters(), 0.01),
    "fused": lambda model: torch.optim.Adam(model.parameters(), 0.01, fused=True),
    "groups": lambda model: torch.optim.AdamW(groups(model), lr=0.01),
    "SGD": lambda model: torch.optim.SGD(model.parameters(), 0.05, momentum=0.9),
    "LBFGS": lambda model: torch.optim.LBFGS(model.parameters(), 0.1, max_iter=3),
}
MODELS = {"mlp": mlp, "cnn": cnn, "rnn": Recurrent}


def batches(steps, seed=1):
    chance = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        yield torch.randn(ROWS, WIDE, generator=chance), torch.randint(CLASSES, (ROWS,), generator=chance)


def made(build, seed=0):
    torch.manual_seed(seed)
    return build()


def loop(model, optimizer, steps=30, criterion=functional.cross_entropy, accumulate=1):
    """A loop as people write it. Returns each step's loss as it would print it."""
    printed, torn = [], isinstance(optimizer, torch.optim.LBFGS)
    torch.manual_seed(5)  # dropout
    for k, (x, y) in enumerate(batches(steps * accumulate)):

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            return loss

        if torn:
            printed.append(optimizer.step(closure).item())
            continue
        loss = criterion(model(x), y) / accumulate
        loss.backward()
        printed.append(loss.item())
        if (k + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
    return np.array(printed).reshape(-1, accumulate).sum(1)


def bits(model, optimizer):
    held = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
    return [tensor.clone() for tensor in (*model.state_dict().values(), *held)] + [torch.get_rng_state()]


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_watched_loop_gives_the_bits_of_one_that_is_not(build, make):
    model, alone = made(build), made(build)
    start = deepcopy(model.state_dict())
    optimizer, other = make(model), make(alone)
    seen = watch(optimizer, model)
    printed, unwatched = loop(model, optimizer), loop(alone, other)
    assert np.array_equal(printed, unwatched)
    assert all(torch.equal(a, b) for a, b in zip(bits(model, optimizer), bits(alone, other), strict=True))
    assert any(not torch.equal(a, start[name]) for name, a in model.state_dict().items())
    assert np.array_equal(seen.trace.steps["loss"], printed)


def penalized(z, y):
    return functional.cross_entropy(z, y) + 0.1 * z.pow(2).sum()


def reinforced(z, y):
    return -(functional.log_softmax(z, 1)[torch.arange(len(y)), y] * torch.linspace(-1, 1, len(y))).sum()


def amounts(loss):
    return lambda z, y: loss(z, functional.one_hot(y, CLASSES) * 1.5)


WEIGHT = torch.tensor([0.2, 1.0, 3.0])
CRITERIA = {
    "cross-entropy": functional.cross_entropy,
    "module": nn.CrossEntropyLoss(),
    "sum": nn.CrossEntropyLoss(reduction="sum"),
    "weights": nn.CrossEntropyLoss(weight=WEIGHT),
    "smoothing": nn.CrossEntropyLoss(label_smoothing=0.1),
    "ignored": nn.CrossEntropyLoss(ignore_index=1),
    "soft labels": lambda z, y: functional.cross_entropy(z, functional.one_hot(y, CLASSES) * 0.8 + 0.2 / CLASSES),
    "twice": lambda z, y: 2.0 * functional.cross_entropy(z, y),
    "penalty": penalized,
    "policy gradient": reinforced,
    "mse": amounts(functional.mse_loss),
    "mse, sum": amounts(nn.MSELoss(reduction="sum")),
    "mse by hand": amounts(lambda z, y: ((z - y) ** 2).mean()),
    "half mse": amounts(lambda z, y: 0.5 * ((z - y) ** 2).mean()),
    "l1": amounts(functional.l1_loss),
    "huber": amounts(functional.huber_loss),
    "smooth l1, sum": amounts(nn.SmoothL1Loss(reduction="sum")),
    "logits": amounts(lambda z, y: functional.binary_cross_entropy_with_logits(z, y / 1.5)),
}


@pytest.mark.parametrize("criterion", CRITERIA.values(), ids=CRITERIA)
@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_loss_is_the_one_that_was_meant_whatever_its_formula(criterion, accumulate):
    model = made(mlp)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    seen = watch(optimizer, model)
    printed = loop(model, optimizer, 6, criterion, accumulate)
    assert seen.trace.steps["loss"] == pytest.approx(printed, rel=1e-6)  # sums of float32 numbers beside sums of theirs
    assert np.ptp(printed) > 1e-3


def test_looks_and_steps_hold_what_the_loop_did():
    model = made(Recurrent)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    seen, norms, moves, points = watch(optimizer, model, every=7, n=2 * ROWS), [], [], []
    for x, y in batches(30):
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        before = [tensor.detach().clone() for tensor in model.parameters()]
        norms.append([tensor.grad.norm().item() for tensor in model.parameters()])
        optimizer.step()
        moves.append([((now - w).norm() / w.norm()).item() for now, w in zip(model.parameters(), before, strict=True)])
        points.append(nn.utils.parameters_to_vector(model.parameters()).detach().numpy())
    trace = seen.trace
    assert trace["t"].tolist() == [*range(21), 21, 28]
    assert trace["visits"].tolist() == [ROWS * t for t in trace["t"]]
    assert trace["epochs"][-1] == 14.0
    assert np.all(np.diff(trace["seconds"]) > 0.0)
    assert trace["rate"][1:].tolist() == [0.05] * 22
    loss = trace.steps["loss"]
    assert trace["loss"][-1] == pytest.approx(loss[21:28].mean())
    assert trace["loss"][0] == loss[0]
    assert len(loss) == 30
    assert np.isfinite(loss).all()
    looked = trace["t"][1:] - 1
    for k, (name, _) in enumerate(model.named_parameters()):
        for kind, values in (("gradient/", norms), ("update/", moves)):
            column, expected = trace.steps[kind + name], np.array(values)[:, k]
            assert column[looked] == pytest.approx(expected[looked], rel=1e-5)
            assert np.isnan(np.delete(column, looked)).all()
    assert trace.steps["gradient_norm"][27] == pytest.approx(np.linalg.norm(norms[27]), rel=1e-5)
    assert np.array_equal(trace.path[1:], np.array(points)[looked])
    assert trace["move"][-1] == pytest.approx(np.linalg.norm(points[27] - points[20]), rel=1e-5)


def test_a_path_too_long_to_keep_changes_nothing_else(monkeypatch):
    """Memory is then used again from look to look."""
    traces = []
    for limit in (10**6, 500):  # bytes
        monkeypatch.setattr("fallline.torch.record.PATH_LIMIT", limit)
        torch.manual_seed(0)
        model = mlp()
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        seen = watch(optimizer, model, every=2)
        X, y = torch.randn(ROWS, WIDE), torch.randint(CLASSES, (ROWS,))
        for _ in range(30):
            optimizer.zero_grad()
            functional.cross_entropy(model(X), y).backward()
            optimizer.step()
        traces.append((seen.trace, seen.run().w))
    (kept, end), (dropped, other) = traces
    assert len(kept.points) == len(kept)
    assert not dropped.points
    for name in ("t", "loss", "move", "size"):
        assert np.array_equal(kept[name][1:], dropped[name][1:]), name
    assert all(np.array_equal(kept.steps[name], dropped.steps[name], equal_nan=True) for name in kept.steps)
    assert np.array_equal(end, other)


def test_measured_steps_are_many_at_first_and_then_few():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], 1e-4)
    module = nn.Module()
    module.weight = weight
    seen = watch(optimizer, module)
    for _ in range(801):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    assert seen.trace["t"].tolist() == [0, *range(1, 21), *range(25, 501, 25), 600, 700, 800]
    assert np.isfinite(seen.trace.steps["loss"]).all()


def test_the_trace_is_one_that_is_kept_and_drawn(tmp_path):
    model = made(mlp)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    seen = watch(optimizer, model)
    assert str(seen) == "no step was seen yet"
    with pytest.raises(InputError, match="No step was seen yet"):
        seen.plot()
    loop(model, optimizer)
    kept = Trace.load(seen.trace.save(tmp_path / "seen.npz"))
    assert np.array_equal(kept.steps["update/0.weight"], seen.trace.steps["update/0.weight"], equal_nan=True)
    assert kept.about["optimizer"] == "Adam"
    assert seen.plot().data
    assert seen.plot(x="visits", theme="dark").data
    page = seen.report(tmp_path / "seen.html").read_text("utf-8")
    first, last = (f"{height:.3g}" for height in seen.trace["loss"][[0, -1]])
    assert "Watched 30 steps of Adam" in page
    assert f"the loss goes from {first} to {last}" in page

    assert str(seen).startswith("step 30 · loss ")
    assert "update/weight" in str(seen)
    run = seen.run()
    assert isinstance(run, fallline.Run)
    assert not run.diverged
    assert np.array_equal(run.w, seen.trace.path[-1])


def test_without_a_loss_there_is_none_rather_than_a_wrong_one(tmp_path):
    model = made(mlp)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    seen = watch(optimizer, model)
    for x, y in batches(4):
        slopes = torch.autograd.grad(functional.cross_entropy(model(x), y), list(model.parameters()))
        for tensor, slope in zip(model.parameters(), slopes, strict=True):
            tensor.grad = slope
        optimizer.step()
    for x, y in batches(2):
        z = model(x)  # a gradient from outside is a gradient of nobody knows what
        z.backward(torch.softmax(z.detach(), 1) - functional.one_hot(y, CLASSES))
        optimizer.step()
    optimizer.step()  # and without any pass
    assert np.isnan(seen.trace.steps["loss"]).all()
    assert len(seen.trace.steps["loss"]) == 7
    assert np.isfinite(seen.trace.steps["gradient_norm"]).all()
    assert "no loss was told" in str(seen)
    assert "norm goes from" in str(seen.plot().layout.title.text)
    assert seen.report(tmp_path / "seen.html").exists()
    seen.loss(torch.tensor([1.5]))
    optimizer.step()
    assert seen.trace.steps["loss"][-1] == 1.5
    assert np.isnan(seen.trace.steps["loss"][:-1]).all()
    assert seen.plot().data


def test_a_probe_of_gradients_beside_the_loop_is_no_loss():
    model = made(mlp)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    seen, printed = watch(optimizer, model), []
    for x, y in batches(4):
        loss = functional.cross_entropy(model(x), y)
        slope = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        torch.autograd.grad(sum(part.pow(2).sum() for part in slope), list(model.parameters()), retain_graph=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        printed.append(loss.item())
    assert seen.trace.steps["loss"].tolist() == printed


@pytest.mark.parametrize("reentrant", [False, True])
def test_passes_within_a_pass_count_once(reentrant):
    model = made(mlp)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    seen, printed = watch(optimizer, model), []
    for x, y in batches(3):
        optimizer.zero_grad()
        inner = checkpoint(model[:2], x.requires_grad_(), use_reentrant=reentrant)
        loss = functional.cross_entropy(model[2:](inner), y)
        loss.backward()
        optimizer.step()
        printed.append(loss.item())
    assert seen.trace.steps["loss"].tolist() == printed


@pytest.mark.parametrize("fused", [False, True])
def test_mixed_precision_shows_the_loss_and_gradient_without_its_factor(fused):
    model = made(mlp)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
    seen, printed, norms = watch(optimizer, model), [], []
    for k, (x, y) in enumerate(batches(6)):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        norms.append(model[0].weight.grad.norm().item() / scaler.get_scale())
        if k == 2:
            model[0].weight.grad[0, 0] = torch.inf  # such a step is skipped, by the optimizer itself where it is fused
        if k != 2 or fused:
            printed.append(loss.item())
        scaler.step(optimizer)
        scaler.update()
    trace = seen.trace
    assert trace.steps["loss"] == pytest.approx(printed, rel=1e-6)  # a factor of two's powers
    norms = norms if fused else norms[:2] + norms[3:]
    sound = np.isfinite(trace.steps["gradient/0.weight"])
    assert sound.sum() == 5
    assert trace.steps["gradient/0.weight"][sound] == pytest.approx(np.array(norms)[sound], rel=1e-5)
    if fused:
        assert trace.steps["update/0.weight"][2] == 0.0


def test_two_networks_against_each_other_have_their_own_losses():
    torch.manual_seed(0)
    maker, judge = nn.Linear(2, 2), nn.Linear(2, 1)
    first, second = torch.optim.Adam(judge.parameters(), 0.01), torch.optim.Adam(maker.parameters(), 0.01)
    seen, other, printed = watch(first, judge), watch(second, maker), []
    for x, _ in batches(5):
        made_up = maker(torch.randn(ROWS, 2))
        first.zero_grad()
        real = functional.softplus(-judge(x[:, :2])).mean()
        real.backward()
        fake = functional.softplus(judge(made_up.detach())).mean()
        fake.backward()
        first.step()
        second.zero_grad(set_to_none=False)
        fooled = functional.softplus(-judge(made_up)).mean()
        fooled.backward()
        second.step()
        printed.append(((real + fake).item(), fooled.item()))
    assert seen.trace.steps["loss"] == pytest.approx([pair[0] for pair in printed], rel=1e-6)
    assert other.trace.steps["loss"].tolist() == [pair[1] for pair in printed]


def test_one_optimizer_of_several_models_and_several_of_one():
    torch.manual_seed(0)
    front, back = nn.Linear(WIDE, 4), nn.Linear(4, CLASSES)
    scale = nn.Parameter(torch.ones(()))
    both = torch.optim.SGD([*front.parameters(), *back.parameters(), scale], 0.1)
    seen = watch(both, front, back)
    loop(lambda x: back(front(x)) * scale, both, 2)
    assert {"update/0.weight", "update/1.bias", "gradient/group0.4"} <= seen.trace.steps.keys()
    seen.stop()
    model = nn.Sequential(front, back)
    pair = [torch.optim.SGD(part.parameters(), 0.1) for part in (front, back)]
    seens, printed = [watch(one, model) for one in pair], []
    for x, y in batches(3):
        model.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        printed.append(loss.item())
        for one in pair:
            one.step()
    assert [one.trace.steps["loss"].tolist() for one in seens] == [printed, printed]
    assert seens[0].about["absent"] == ["1.weight", "1.bias"]
    assert "update/1.weight" not in seens[0].trace.steps


def test_what_is_frozen_is_named_and_what_thaws_is_seen():
    model = made(mlp)
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    seen = watch(optimizer, model)
    loop(model, optimizer, 2)
    assert seen.about["frozen"] == ["0.weight", "0.bias"]
    assert "update/0.weight" not in seen.trace.steps
    model[0].requires_grad_(True)
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))]})
    loop(model, optimizer, 3)
    trace = seen.trace
    assert np.isnan(trace.steps["update/0.weight"][:2]).all()
    assert (trace.steps["update/0.weight"][2:] > 0.0).all()
    assert "update/group1.0" in trace.steps
    assert len(trace.path) == 0


def test_copies_and_files_of_what_is_watched_are_not_watched(tmp_path):
    model = made(mlp)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    seen = watch(optimizer, model)
    loop(model, optimizer, 2)
    file = io.BytesIO()
    torch.save({"model": model, "optimizer": optimizer, "state": optimizer.state_dict()}, file)
    assert b"fallline" not in file.getvalue()
    file.seek(0)
    read = torch.load(file, weights_only=False)
    for copy, step in ((deepcopy(model), deepcopy(optimizer)), (read["model"], read["optimizer"])):
        loop(copy, torch.optim.SGD(copy.parameters(), 0.1), 2)
        step.step()
    assert pickle.loads(pickle.dumps(optimizer)).param_groups[0]["lr"] == 0.01
    loop(deepcopy(model), deepcopy(optimizer), 1)
    assert len(seen.trace.steps["loss"]) == 2
    assert seen.trace.last("visits") == 2 * ROWS


def test_after_the_watch_nothing_is_left():
    model = made(mlp)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    with watch(optimizer, model) as seen:
        loop(model, optimizer, 2)
        assert model._forward_pre_hooks
        assert model[0].weight._backward_hooks
    loop(model, optimizer, 2)
    assert len(seen.trace.steps["loss"]) == 2
    assert not model._forward_pre_hooks
    assert not model[0].weight._backward_hooks
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_a_watch_keeps_neither_model_nor_graph_alive():
    model = made(mlp)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    seen, (x, y) = watch(optimizer, model), next(batches(1))
    loss = functional.cross_entropy(model(x), y)
    graph = weakref.ref(loss)
    loss.backward()
    del loss
    assert graph() is None
    optimizer.step()
    known = weakref.ref(model), weakref.ref(model[0].weight), weakref.ref(optimizer)
    del model, optimizer
    gc.collect()
    assert [one() for one in known] == [None] * 3
    assert len(seen.trace) == 2


def test_rows_are_counted_in_training_and_never_in_evaluation():
    model = made(mlp)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    seen = watch(optimizer, model)
    for x, y in batches(3):
        model.train()
        functional.cross_entropy(model(x), y).backward()
        model.eval()
        with torch.no_grad():
            model(x)
        model(x)  # without no_grad, as many forget
        optimizer.step()
    assert seen.trace.last("visits") == 3 * ROWS


def test_live_shows_each_look(capsys):
    model, shown = made(mlp), []
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    with watch(optimizer, model, live=lambda seen: shown.append(len(seen.trace))):
        loop(model, optimizer, 3)
    assert shown == [2, 3, 4]
    with watch(optimizer, model, live=True):
        loop(model, optimizer, 3)
    assert capsys.readouterr().err.startswith("step 1 · loss ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (lambda model, optimizer: (model, optimizer), "takes one of torch.optim's kind"),
        (lambda model, optimizer: (optimizer,), "takes the modules"),
        (lambda model, optimizer: (optimizer, [model]), "takes the modules"),
        (lambda model, optimizer: (optimizer, mlp()), "trains no parameter of the model"),
    ],
)
def test_bad_input_is_told_in_a_sentence(arguments, said):
    model = made(mlp)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    with pytest.raises(InputError, match=said):
        watch(*arguments(model, optimizer))
    with pytest.raises(InputError, match="1 or more"):
        watch(optimizer, model, every=0)
