"""The networks that need no settings: what they are held to beside scikit-learn's own checks."""

import subprocess
import sys
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_wine
from torch import nn

import fallline.estimators.network_settings
from fallline import InputError, MLPClassifier, MLPRegressor
from fallline.averages import Fading
from fallline.errors import DivergedError
from fallline.estimators.coefficients import Scales
from fallline.estimators.network_rows import held_out
from fallline.estimators.network_settings import plan_of
from fallline.torch.mlp import ACTIVATIONS, Best, Normed, perceptron, whole

QUICK = {"max_epochs": 3, "hidden_layer_sizes": (16,)}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small only wait for a second
    yield
    torch.set_num_threads(threads)


def numbers(n=600, d=4, seed=0):
    chance = np.random.default_rng(seed)
    X = chance.standard_normal((n, d))
    return X, np.sin(2.0 * X[:, 0]) + X[:, 1] ** 2 + 0.1 * chance.standard_normal(n)


def labels(n=600):
    X, y = numbers(n)
    return X, np.where(y > 1.0, "high", np.where(y > 0.0, "mid", "low"))


def test_columns_of_any_scale_give_the_same_predictions():
    X, y = numbers()
    factor, shift = np.array([1e-6, 1.0, 1e6, 1e3]), np.array([5.0, 0.0, 1e9, -1e3])
    first = MLPRegressor(**QUICK).fit(X, y).predict(X)
    other = MLPRegressor(**QUICK).fit(X * factor + shift, 1e4 * y - 1e6)
    assert (
        np.abs((other.predict(X * factor + shift) + 1e6) / 1e4 - first).max() < 1e-3
    )  # float32, and digits lost to the shift
    assert np.corrcoef(first, y)[0, 1] > 0.5


def test_the_best_point_is_that_of_the_looks_however_long_the_path(monkeypatch):
    """ScheduleFree answers with an average, which is not what the module holds between steps."""
    X, y = numbers()
    model = MLPRegressor(**{**QUICK, "solver": "ScheduleFreeAdamW", "learning_rate_init": 0.01, "early_stopping": True})
    first = model.fit(X, y).predict(X)
    monkeypatch.setattr("fallline.trace.PATH_LIMIT", 0)
    assert np.array_equal(model.fit(X, y).predict(X), first)


def test_a_best_point_wants_validation_rows():
    net = fallline.Net(torch.nn.Linear(2, 1), (np.zeros((4, 2)), np.zeros((4, 1))))
    with pytest.raises(InputError, match=r"lowest loss on validation rows, .* give Net\(…, validation="):
        Best(net, 1.0, 0.0, 1.0)


def test_what_is_far_out_is_taken_for_ten_deviations():
    X, y = numbers()
    model = MLPRegressor(**QUICK).fit(X, y)
    scales = model.module_.scaled
    edge = (scales.centre + 10.0 * scales.scale).numpy()
    assert np.array_equal(model.predict(edge[None]), model.predict(1e9 * edge[None]))


def test_the_best_epoch_by_held_out_rows_is_kept():
    X, y = numbers(200)
    model = MLPRegressor(hidden_layer_sizes=(64,), max_epochs=40, learning_rate_init=0.03, n_iter_no_change=40).fit(
        X, y
    )
    losses = model.trace_["validation_loss"][1:]
    assert model.best_epoch_ == 1 + losses.argmin() < 40  # not the last
    held = held_out(np.zeros(200), 0.1, 0)
    scale = model.module_.unscaled.scale.item()
    loss = np.mean((model.predict(X[held]) - y[held]) ** 2) / scale**2
    assert loss == pytest.approx(losses.min(), rel=1e-5)


def test_where_the_best_epoch_is_kept_points_are_averaged_over_half_a_pass():
    X, y = numbers()

    def planned(**settings):
        model = MLPRegressor(hidden_layer_sizes=(16,), **settings)
        net, _ = model._net(model._task(X, y, None))
        return net, plan_of(model, net)

    net, plan = planned()
    assert plan.average == Fading(1.0 - 1.0 / (0.5 * np.ceil(net.n / 32)))
    for other in ({"solver": "adam"}, {"batch_norm": True}, {"early_stopping": False}):
        assert planned(**other)[1].average == "none"
    steady = replace(plan, schedule="constant", rate=0.03, warmup=0, amount=10.0)
    seen, walked = (
        each.run(net).trace["validation_loss"][2:].mean() for each in (steady, replace(steady, average="none"))
    )
    assert seen < 0.9 * walked


def test_held_out_rows_keep_the_classes_shares_and_leave_one_of_each():
    codes = np.repeat([0, 1, 2], [700, 299, 1])
    held = held_out(codes, 0.1, 3)
    assert abs(held[codes == 0].sum() - 70) <= 1
    assert abs(held[codes == 1].sum() - 30) <= 1
    assert not held[999]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_first_scores_have_the_size_of_the_inputs(name):
    module = perceptron(400, (400, 400), 200, name, seed=1)
    scores = module(torch.randn(200, 400, generator=torch.Generator().manual_seed(0))).detach()
    if name in ("relu", "leaky_relu"):  # what He's variance is for
        assert 0.8 < float(scores.pow(2).mean().sqrt()) < 1.25
    assert all(not layer.bias.any() for layer in module if isinstance(layer, nn.Linear))


def test_torchs_generator_is_left_as_it_was():
    before = torch.get_rng_state()
    MLPClassifier(dropout=0.3, **QUICK).fit(*labels())
    assert torch.equal(before, torch.get_rng_state())


def test_dropout_and_batch_norm_are_in_the_network_and_still_when_it_answers():
    X, y = labels()
    model = MLPClassifier(dropout=0.3, batch_norm=True, batch_size=59, max_epochs=10).fit(
        X, y
    )  # 541 learnt from: the last alone
    kinds = [type(layer) for layer in model.module_.network]
    assert kinds.count(nn.Dropout) == kinds.count(Normed) == 2
    assert np.array_equal(model.predict_proba(X), model.predict_proba(X))
    assert model.score(X, y) > 0.7
    assert MLPClassifier(**QUICK).fit(X, y).trace_["loss"][-1] != model.trace_["loss"][-1]


def test_class_weights_are_row_weights():
    X, y = labels()
    factors = {"low": 3.0, "mid": 1.0, "high": 0.5}
    own = MLPClassifier(class_weight=factors, **QUICK).fit(X, y).predict_proba(X)
    rows = MLPClassifier(**QUICK).fit(X, y, [factors[label] for label in y]).predict_proba(X)
    assert np.array_equal(own, rows)
    assert not np.array_equal(own, MLPClassifier(**QUICK).fit(X, y).predict_proba(X))


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
def test_each_loss_learns_its_target(loss):
    X, _ = numbers(400)
    mean = np.exp(1.0 + X[:, 0])
    y = np.random.default_rng(1).poisson(mean).astype(float)
    model = MLPRegressor(loss=loss, hidden_layer_sizes=(16,), max_epochs=20).fit(X, y)
    assert np.corrcoef(model.predict(X), mean)[0, 1] > 0.9
    assert loss != "poisson" or model.predict(X).min() > 0.0


def test_a_race_keeps_the_best_of_five_rates():
    X, y = numbers(300)
    model = MLPRegressor(tune="race", **QUICK).fit(X, y)
    assert sorted(model.race_) == [1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2]
    assert min(model.race_.values()) == model.trace_["validation_loss"][1:].min()
    heats = MLPRegressor(tune="heats", max_epochs=20, hidden_layer_sizes=(16,)).fit(X, y)
    assert heats.n_iter_ == 20
    assert heats.trace_["rate"][1:].max() <= min(heats.race_, key=heats.race_.get)


def test_a_race_goes_on_without_the_rate_that_ran_away(monkeypatch):
    monkeypatch.setattr(fallline.estimators.network_settings, "RATES", (1e-3, 2e-3, 4e-3, 8e-3, 1e30))
    model = MLPRegressor(solver="sgd", tune="race", **QUICK).fit(*numbers(300))
    assert model.race_[1e30] == np.inf
    assert np.isfinite([model.race_[rate] for rate in (1e-3, 8e-3)]).all()
    monkeypatch.setattr(fallline.estimators.network_settings, "RATES", (1e30,) * 5)
    with pytest.raises(DivergedError):
        model.fit(*numbers(300))


def test_the_scales_around_a_network_are_where_it_is():
    made = whole(perceptron(3, [4], 1).to("meta"), *[Scales(np.zeros(3), np.ones(3))] * 2)
    assert {held.device.type for held in (*made.parameters(), *made.buffers())} == {"meta"}


@pytest.mark.parametrize(
    ("solver", "rate"), [("adam", "auto"), ("sgd", "auto"), ("momentum", 0.1), ("Prodigy", "auto")]
)
def test_other_solvers_walk(solver, rate):
    X, y = labels(300)
    settings = {"batch_size": 32, "max_epochs": 30, "hidden_layer_sizes": (16,)}
    model = MLPClassifier(solver=solver, learning_rate_init=rate, **settings).fit(X, y)
    assert model.score(X, y) > 0.6


def test_pieces_are_the_whole_to_the_last_bit_and_a_stored_model_goes_on(tmp_path):
    X, y = labels(300)
    whole = MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=["high", "low", "mid"])
    pieces = MLPClassifier(class_weight="balanced")
    for rows in np.split(np.arange(300), [1, 40, 200]):
        pieces = pieces.partial_fit(X[rows], y[rows], classes=["high", "low", "mid"])
        joblib.dump(pieces, tmp_path / "model")
        pieces = joblib.load(tmp_path / "model")
    assert np.array_equal(whole.predict_proba(X), pieces.predict_proba(X))
    assert whole.trace_["visits"][-1] == 300


def test_streaming_goes_on_from_a_fit():
    X, y = numbers()
    model = MLPRegressor(max_epochs=20).fit(X, y)
    before = model.score(X, y)
    for _ in range(5):
        model.partial_fit(X, y)
    assert model.score(X, y) > before > 0.8


def test_warm_start_goes_on_with_the_same_scales():
    X, y = numbers()
    model = MLPRegressor(warm_start=True, **QUICK).fit(X, y)
    start, centre = model.trace_["loss"][0], model.module_.scaled.centre
    model.fit(X[:300] + 1.0, y[:300])
    assert torch.equal(model.module_.scaled.centre, centre)
    assert model.fit(X, y).trace_["loss"][0] < start
    with pytest.raises(InputError, match="fit another estimator"):
        model.set_params(hidden_layer_sizes=(7,)).fit(X, y)


def test_several_targets_at_once():
    X, y = numbers()
    both = np.column_stack([y, -100.0 * y])
    predicted = MLPRegressor(max_epochs=20).fit(X, both).predict(X)
    assert predicted.shape == both.shape
    assert np.abs(predicted[:, 1] / -100.0 - predicted[:, 0]).mean() < 0.2 * y.std()


def test_watch_and_callbacks_see_every_epoch():
    X, y = labels(300)
    monitor = ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(watch=lambda trace: "seen enough" if len(trace) == 4 else "").set_callbacks(monitor).fit(X, y)
    assert (model.reason_, model.n_iter_) == ("seen enough", 3)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "segment"]
    assert len(rows) == 3


def test_it_can_be_looked_at(tmp_path):
    model = MLPClassifier(**QUICK).fit(*labels())
    assert len(model.plot().data) >= 1
    assert "MLPClassifier" in model.report(tmp_path / "fit.html").read_text("utf-8")


X, Y = load_wine(return_X_y=True)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"activation": "rleu"}, 'did you mean "relu"'),
        ({"hidden_layer_sizes": (8, 0)}, "holds 0"),
        ({"max_iter": 3, "max_epochs": 4}, "max_iter"),
        ({"tune": "race", "learning_rate_init": 0.1}, "learning_rate_init"),
        ({"tune": "race", "early_stopping": False}, "held out"),
        ({"solver": "Adamm"}, "no optimizer|has no Adamm"),
        ({"class_weight": "even"}, "balanced"),
        ({"device": "nowhere"}, "device"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(settings, said):
    with pytest.raises(InputError, match=said):
        MLPClassifier(**settings).fit(X, Y)


def test_a_walk_that_runs_away_is_no_model():
    X, y = numbers(300)
    model = MLPRegressor(solver="plain", learning_rate="constant", learning_rate_init=1e6)
    with pytest.raises(DivergedError, match="no model to hand back"):
        model.fit(X, y)
    assert not hasattr(model, "module_")


def test_counts_cannot_be_negative():
    X, y = numbers(20)
    with pytest.raises(InputError, match="poisson is for counts"):
        MLPRegressor(loss="poisson").fit(X, y)


def test_without_torch_everything_of_networks_names_it():
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "def fit():\n    from fallline import MLPClassifier\n    MLPClassifier().fit([[0.0], [1.0]], [0, 1])\n"
        "def net():\n    from fallline import Net\n"
        "def watch():\n    from fallline.torch import watch\n"
        "def find_rate():\n    from fallline.torch import find_rate\n"
        "for each in (fit, net, watch, find_rate):\n"
        "    try:\n        each()\n"
        "    except Exception as error:\n        print(type(error).__name__, error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    told = said.splitlines()
    assert len(told) == 4
    assert all(line.startswith("InputError") and "pip install fallline[torch]" in line for line in told)
