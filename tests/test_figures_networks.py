"""Pictures of a network in training: gradients by tensor, regions of its answers, answers on a few rows. By value."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fallline import InputError, Net, Plan
from fallline.figures import (
    draw_layers,
    draw_predictions,
    draw_regions,
    layers_of,
    predictions_of,
    regions_of,
)
from fallline.torch.answers import predictions, regions
from fallline.trace import Trace


def task(inputs=2, *, amounts=False, norm=False):
    chance = torch.Generator().manual_seed(0)
    X = torch.randn(120, inputs, generator=chance)
    y = X[:, :1] * 2 if amounts else (X[:, 0] * X[:, 1] > 0).long()
    torch.manual_seed(0)
    middle = [nn.BatchNorm1d(8)] if norm else []
    return Net(nn.Sequential(nn.Linear(inputs, 8), *middle, nn.Tanh(), nn.Linear(8, 1 if amounts else 2)), (X, y))


def walk(net):
    return Plan(step="adam", rate=0.05, batch_size=16, amount=6).run(net, looks=2)


def test_the_heat_map_has_the_norms_of_the_trace():
    run = walk(task())
    facts = layers_of(run.trace)
    assert facts.names == ("0.weight", "0.bias", "2.weight", "2.bias")
    assert facts.t.tolist() == [*range(1, 21), 25]  # 48 updates: the first twenty, then one in 25
    for name, row in zip(facts.names, facts.norms, strict=True):
        assert row.tolist() == run.trace.steps[f"gradient/{name}"][facts.t - 1].tolist()
    drawn = draw_layers(facts).data[0]
    np.testing.assert_allclose(np.array(drawn.z), np.log10(facts.norms), atol=6e-4)
    with pytest.raises(InputError, match="no norms of tensors"):
        layers_of(Trace())


def test_a_layer_that_no_gradient_reaches_is_named():
    trace = Trace()
    trace.steps = {"t": np.arange(1, 7), "gradient/a": np.array([1, 1, 1, 0, 0, 0.0]), "gradient/b": np.full(6, 2.0)}
    assert "none reaches a at the end" in layers_of(trace).finding
    assert "2 times" in layers_of(trace).finding


@pytest.mark.parametrize("norm", [False, True])
def test_regions_are_what_the_module_answers(norm):
    net = task(norm=norm)
    run = walk(net)
    found = regions(net, run, points=15)
    facts = regions_of(**found)
    grid = np.stack([np.tile(found["x"], 15), np.repeat(found["y"], 15)], axis=1)
    with torch.inference_mode():
        theirs = net.fitted(run)(torch.tensor(grid, dtype=torch.float32)).argmax(1).reshape(15, 15)
        right = (net.fitted(run)(net.data.inputs).argmax(1) == net.data.targets).float().mean()
    assert np.array_equal(facts.answers[-1], theirs)
    assert facts.right[-1] == pytest.approx(float(right))
    figure = draw_regions(facts)
    assert len(figure.frames) == len(facts.visits) == len(run.trace)
    assert np.array_equal(np.array(figure.frames[-1].data[0].z), theirs)


def test_answers_on_rows_are_shares_of_the_right_class_or_the_numbers_said():
    net = task()
    run = walk(net)
    found = predictions(net, run, (0, 5, 7))
    with torch.inference_mode():
        shares = torch.softmax(net.fitted(run)(net.data.inputs[[0, 5, 7]]), 1)
    wanted = shares[torch.arange(3), net.data.targets[[0, 5, 7]]]
    np.testing.assert_allclose(found["answers"][:, -1], wanted, rtol=1e-5)
    lines = [trace for trace in draw_predictions(predictions_of(**found)).data if trace.mode == "lines"]
    np.testing.assert_allclose([line.y[-1] for line in lines], wanted, atol=1e-5)
    with pytest.raises(InputError, match=r"Row 99,999 is asked for, and the data have 120"):
        predictions(net, run, (0, 99_999))
    net = task(amounts=True)
    run = walk(net)
    facts = predictions_of(**predictions(net, run, (1, 2)))
    np.testing.assert_allclose(facts.wanted, net.data.targets[[1, 2], 0])
    first, last = np.abs(facts.answers - facts.wanted[:, None]).mean(axis=0)[[0, -1]]
    assert facts.finding == f"The mean miss on these inputs goes from {first:.3g} to {last:.3g}"
    assert sum(shape.y0 == shape.y1 for shape in draw_predictions(facts).layout.shapes) == 2


@pytest.mark.parametrize(
    ("net", "says"), [(task(inputs=3), "over two inputs"), (task(amounts=True), "those of classes")]
)
def test_regions_of_other_networks_are_refused(net, says):
    with pytest.raises(InputError, match=says):
        regions(net, walk(net))


def test_a_run_of_a_network_is_one_page_that_says_what_it_could_not_draw(tmp_path):
    chance = torch.Generator().manual_seed(0)
    X = torch.randn(200, 2, generator=chance)
    y = (X[:, 0] * X[:, 1] > 0).long()
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    rows = {"tensors": (X, y), "loader": DataLoader(TensorDataset(X, y), batch_size=50)}
    pages = {}
    for name, data in rows.items():
        net = Net(module, data)
        run = Plan(step="adam", rate=0.02, batch_size=50, amount=5).run(net)
        pages[name] = net.report(run, tmp_path / f"{name}.html").read_text("utf-8")
    for page in pages.values():
        for heading in ("Where it shows", "Gradients by layer", "Updates", "The cost surface"):
            assert heading in page
        assert "cross_entropy, 42 parameters in 4 tensors" in page
        assert "in 20 updates" in page.replace("\u00a0", " ")
    assert "Where it decides" in pages["tensors"]
    assert "What it answers" in pages["tensors"]
    assert "What it answers: not drawn: Answers are drawn on rows of data in memory" in pages["loader"]


@pytest.mark.parametrize(
    ("loss", "mean"),
    [
        ("poisson", np.exp),
        (nn.PoissonNLLLoss(log_input=False), None),
        ("binary_cross_entropy", lambda z: 1 / (1 + np.exp(-z))),
    ],
    ids=["poisson", "poisson of means", "binary"],
)
def test_answers_are_amounts_where_a_loss_takes_their_logarithms_or_logits(loss, mean):
    X = torch.randn(60, 2, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    last = [nn.Softplus()] if mean is None else []
    net = Net(nn.Sequential(nn.Linear(2, 1), *last), (X, (X[:, :1] > 0).float()), loss)
    run = Plan(step="adam", rate=0.01, batch_size=16, amount=1).run(net)
    said = net.fitted(run)(X[:2]).detach().numpy()[:, 0]
    found = predictions(net, run, rows=(0, 1))
    np.testing.assert_allclose(found["answers"][:, -1], said if mean is None else mean(said), rtol=1e-5)
