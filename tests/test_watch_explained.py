"""A watched loop explained: by nothing but what was seen, by its rows, or by a Net; and refused where those are another's."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from fallline import InputError, Net, Plan
from fallline.torch import watch
from fallline.torch.optimizers import walked_by
from fallline.torch.recovered import plan_of, step_of

ROWS, WIDE, CLASSES, BATCH = 640, 6, 3, 32
CHANCE = torch.Generator().manual_seed(5)
X = torch.randn(ROWS, WIDE, generator=CHANCE)
Y = (X[:, :3] + 0.3 * torch.randn(ROWS, 3, generator=CHANCE)).argmax(1)


class Log(nn.Module):
    """Gives what is no number from its fourth batch on."""

    def __init__(self):
        super().__init__()
        self.batches = 0

    def forward(self, x):
        self.batches += 1
        return torch.log(x) if self.batches > 3 else x


def mlp(*middle):
    return lambda: [nn.Linear(WIDE, 16), nn.ReLU(), *(make() for make in middle), nn.Linear(16, CLASSES)]


def adam(rate=5e-3, **settings):
    return lambda tensors: torch.optim.Adam(tensors, rate, **settings)


def sgd(rate, **settings):
    return lambda tensors: torch.optim.SGD(tensors, rate, **settings)


def spoilt(k, loss):
    """One batch of 40 has a loss thirty times as high."""
    return 30.0 * loss if k == 40 else loss


def watched(parts=None, make=None, change=None, passes=3, x=X, told=None, training=True, schedule=None):
    """A loop as people write it, and what was seen of it."""
    torch.manual_seed(0)
    model = nn.Sequential(*(parts or mlp())())
    if change is not None:
        with torch.no_grad():
            change(model)
    optimizer = (make or adam())([tensor for tensor in model.parameters() if tensor.requires_grad])
    seen, k = watch(optimizer, model), 0
    pace = schedule(optimizer) if schedule else None
    model.train(training)
    for _ in range(passes):
        for rows in torch.randperm(ROWS).split(BATCH):
            optimizer.zero_grad()
            loss, k = functional.cross_entropy(model(x[rows]), Y[rows]), k + 1
            (loss if told is None else told(k, loss)).backward()
            optimizer.step()
            if pace is not None:
                pace.step()
    return model, seen


def larger(times):
    def change(model):
        for tensor in model.parameters():
            tensor.mul_(times)

    return change


def asleep(model):
    model[0].requires_grad_(False)


def silent(model):
    model[0].bias[:] = -50.0


def square():
    return nn.Linear(16, 16)


def deep():
    between = [part for _ in range(6) for part in (nn.Sigmoid(), nn.Linear(16, 16))]
    return [nn.Linear(WIDE, 16), *between, nn.Linear(16, CLASSES)]


FAULTS = {
    "net_too_high": {"make": sgd(20.0)},
    "net_too_low": {"make": sgd(1e-5)},
    "net_spike": {"told": spoilt},
    "net_not_a_number": {"parts": mlp(Log)},
    "net_frozen": {"change": asleep},
    "net_vanishing": {"parts": deep},
    "net_dead": {"change": silent},
    "net_exploding": {"change": larger(12.0), "parts": mlp(square, square)},
    "net_mode": {"parts": mlp(nn.Dropout), "training": False},
}


@pytest.mark.parametrize("symptom", FAULTS)
def test_without_rows_what_trace_and_model_tell_is_found_and_not_tried(symptom):
    _model, seen = watched(**FAULTS[symptom])
    found = seen.explain()
    assert symptom in [one.symptom for one in found]
    assert all(one.tried is None for one in found)
    assert "Nothing was tried: no rows are known" in str(found)
    asks = all(one.change.asks for one in found)
    assert asks or "Change, not tried: " in str(found)


@pytest.mark.parametrize("symptom", ["net_too_high", "net_too_low", "net_spike", "net_not_a_number"])
def test_on_its_rows_advice_is_tried_and_what_wants_a_replay_is_told_without(symptom):
    _model, seen = watched(**FAULTS[symptom])
    first = seen.explain((X, Y)).findings[0]
    assert first.symptom == symptom
    if symptom.startswith("net_too"):
        assert first.tried.helped
    elif symptom == "net_spike":
        assert first.rows == ()
        assert first.updates == (40, 40)
        assert first.change.text.startswith("look at its rows")
    else:
        assert "log in 2 (Log)" in first.seen


def test_a_number_that_is_none_is_told_where_no_operation_is_found():
    _model, seen = watched(told=lambda k, loss: loss * torch.nan if k > 30 else loss)
    for data in (None, (X, Y)):
        first = seen.explain(data).findings[0]
        assert first.symptom == "net_not_a_number"
        assert first.tensors == ()
        assert "update 31 has a loss or gradient" in first.seen


def test_a_sound_loop_has_no_finding_with_rows_or_without():
    for make in (adam(), sgd(0.1, momentum=0.9)):
        _model, seen = watched(make=make)
        assert seen.explain().headline == "nothing stands out in what was seen"
        found = seen.explain((X, Y))
        assert found.headline == "healthy: nothing to change"
        assert [heading for heading, _ in found.plots()][1:] == ["Noise and signal", "The rate and its limits"]
        assert "not measured: no rows are known" in seen.explain().pictures()[1][0]


def test_a_net_and_a_plan_are_taken_where_they_say_the_same_loop():
    model, seen = watched(make=sgd(20.0))
    net, plan = Net(model, (X, Y)), Plan(step="SGD", rate=20.0, batch_size=BATCH, amount=3)
    texts = {seen.explain(*given).findings[0].change.text for given in ((net, plan), (net,), ((X, Y), plan), ((X, Y),))}
    assert len(texts) == 1
    assert seen.run(net).trace.n == ROWS
    assert np.array_equal(seen.run(net).w, seen.trace.path[-1].astype(np.float32))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"plan": Plan(step="SGD", rate=5e-3)}, "steps by SGD, and the loop was stepped by Adam"),
        ({"plan": Plan(step="adam", rate=1e-2)}, "rate is 0.01 .constant., and the loop's goes from 0.005"),
        ({"plan": Plan(step="adam", rate=5e-3, schedule="cosine")}, "rate is 0.005 .cosine., and the loop's"),
        ({"data": (X, 5.0 * functional.one_hot(Y, CLASSES))}, "by mse where it began: give the rows"),
        ({"data": (X, Y), "loss": lambda z, y: functional.cross_entropy(z, y, reduction="sum")}, "The loop's first loss is 1.1"),
        ({"data": Net(nn.Linear(WIDE, CLASSES), (X, Y))}, "the loop trains 0.weight, 0.bias, 2.weight and 2.bias"),
    ],
)  # fmt: skip
def test_what_is_not_what_was_watched_is_refused(given, said):
    _model, seen = watched()
    with pytest.raises(InputError, match=said):
        seen.explain(**{"data": (X, Y), **given})


def test_nothing_to_explain_is_a_sentence():
    torch.manual_seed(0)
    model = nn.Sequential(*mlp()())
    seen = watch(optimizer := torch.optim.Adam(model.parameters()), model)
    with pytest.raises(InputError, match=r"after the first optimizer.step"):
        seen.explain()
    optimizer.step()
    with pytest.raises(InputError, match="loss of 1 of 1 steps is not known"):
        seen.explain()
    seen = watch(optimizer, model)
    functional.cross_entropy(model(X), Y).backward()
    optimizer.step()
    del model, optimizer
    with pytest.raises(InputError, match="model that was watched is gone"):
        seen.explain()


OPTIMIZERS = {
    "Adam": lambda tensors: torch.optim.Adam(tensors, fused=True),
    "Adam:betas=0.8/0.9,amsgrad=true": lambda tensors: torch.optim.Adam(tensors, betas=(0.8, 0.9), amsgrad=True),
    "AdamW:weight_decay=0.1": lambda tensors: torch.optim.AdamW(tensors, weight_decay=0.1),
    "SGD:momentum=0.9,nesterov=true": lambda tensors: torch.optim.SGD(tensors, 0.1, momentum=0.9, nesterov=True),
    "RMSprop:alpha=0.9": lambda tensors: torch.optim.RMSprop(tensors, alpha=0.9),
    "LBFGS:max_iter=3,max_eval=3,line_search_fn=strong_wolfe": lambda tensors: torch.optim.LBFGS(
        tensors, max_iter=3, line_search_fn="strong_wolfe"
    ),
    "": lambda tensors: torch.optim.Adam([{"params": tensors[:1], "lr": 0.1}, {"params": tensors[1:]}]),
}


@pytest.mark.parametrize("step", OPTIMIZERS)
def test_an_optimizer_is_written_as_a_plan_writes_it_and_made_again_from_that(step):
    tensors = list(nn.Linear(3, 2).parameters())
    optimizer = OPTIMIZERS[step](tensors)
    assert step_of(optimizer) == step
    if step:
        net = Net(nn.Linear(WIDE, CLASSES), (X, Y))
        again = walked_by(Plan(step=step, rate=0.1).stepper(net)[0], net.flat)[1].optimizer
        left = {"params", "lr", "fused", "factor", "initial_lr"}
        known, made = ({k: v for k, v in one.param_groups[0].items() if k not in left} for one in (optimizer, again))
        assert known == made


@pytest.mark.parametrize(
    ("make", "schedule", "warmup"),
    [
        (lambda optimizer: None, "constant", 0),
        (lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60), "cosine", 0),
        (lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 60), "polynomial", 0),
        (lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 9), "constant", 10),
        (lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 15, 0.1), "", 0),
    ],
)  # fmt: skip
def test_the_schedule_is_recovered_or_nothing_is_tried(make, schedule, warmup):
    _model, seen = watched(schedule=make)
    plan, untried = plan_of(seen.trace, ROWS)
    assert (plan.rate, plan.batch_size, plan.amount) == (pytest.approx(5e-3), BATCH, 60)
    assert ("its rates follow no schedule" in untried) == (not schedule)
    if schedule:
        assert (plan.schedule, plan.warmup) == (schedule, warmup)
    else:
        assert "Nothing was tried: its rates" in str(seen.explain((X, Y)))


def test_tensors_in_another_order_and_those_that_no_optimizer_has_find_their_places():
    torch.manual_seed(0)
    model = nn.Sequential(*mlp()())
    first = model[2].weight.detach().clone()
    optimizer = torch.optim.SGD([model[2].weight, model[0].weight, model[0].bias], 0.1)
    seen = watch(optimizer, model)
    for rows in torch.arange(ROWS).split(BATCH):
        optimizer.zero_grad()
        functional.cross_entropy(model(X[rows]), Y[rows]).backward()
        optimizer.step()
    found = seen.explain((X, Y))
    assert [(one.symptom, one.tensors) for one in found] == [("net_frozen", ("2.bias",))]
    net = found.case.net
    assert torch.equal(net.named(found.case.trace.path[0])["2.weight"], first)
    assert torch.equal(net.named(found.case.run.w)["2.weight"], model[2].weight)


def test_several_models_are_explained_by_their_trace():
    torch.manual_seed(0)
    front, back = nn.Linear(WIDE, 8), nn.Linear(8, CLASSES)
    optimizer = torch.optim.SGD([*front.parameters(), *back.parameters()], 1e-6)
    seen = watch(optimizer, front, back)
    for rows in torch.randperm(ROWS).split(16):
        optimizer.zero_grad()
        functional.cross_entropy(back(front(X[rows]).relu()), Y[rows]).backward()
        optimizer.step()
    assert [one.symptom for one in seen.explain()] == ["net_too_low"]


def test_a_path_too_long_to_keep_still_has_a_start(monkeypatch):
    monkeypatch.setattr("fallline.torch.record.PATH_LIMIT", 100)
    _model, seen = watched(make=sgd(20.0))
    assert not len(seen.trace.path)
    first = seen.explain((X, Y)).findings[0]
    assert first.symptom == "net_too_high"
    assert first.tried.helped


def test_explaining_leaves_the_loop_as_it_was():
    model, seen = watched(parts=mlp(nn.Dropout))
    before = [tensor.clone() for tensor in (*model.parameters(), torch.get_rng_state())]
    for data in (None, (X, Y)):
        seen.explain(data)
    after = (*model.parameters(), torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert model.training
    assert model[0].weight.requires_grad
