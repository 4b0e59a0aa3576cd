"""The classical examples are executed: what each says is true to the digits it says it with."""

import contextlib
import importlib.util
import io
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
PICTURES = {
    "line_fit": 4,
    "three_points": 1,
    "one_neuron": 2,
    "one_update": 0,
    "surfaces": 9,
    "torch_loops": 0,
    "two_layers": 1,
    "digits_cnn": 0,
    "characters": 0,
    "temperatures": 0,
    "cart_pole": 0,
}


def script(name, folder="examples"):
    """A script as a module, without running it."""
    spec = importlib.util.spec_from_file_location(f"{folder}_{name}", ROOT / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Said(NamedTuple):
    """What an example returned, printed, and left in the folder that it ran in."""

    facts: dict
    printed: str
    files: list


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What an example says, by its name; each is run once."""
    known = {}

    def of(name):
        if name not in known:
            folder, printed = tmp_path_factory.mktemp(name), io.StringIO()
            with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
                facts = script(name).main()
            known[name] = Said(facts, printed.getvalue(), list(folder.iterdir()))
        return known[name]

    return of


@pytest.fixture
def facts(said):
    """Facts of an example, by its name."""
    return lambda name: said(name).facts


def test_every_example_is_tested_and_listed():
    assert set(EXAMPLES) == set(PICTURES)
    page = (ROOT / "examples" / "README.md").read_text()
    assert all(f"{name}.py" in page for name in EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_something_and_writes_nothing(name, said):
    assert len(said(name).printed.splitlines()) >= 2
    assert not said(name).files


@pytest.mark.parametrize("name", [name for name in EXAMPLES if PICTURES[name]])
def test_an_example_draws_when_asked(name, tmp_path):
    script(name).main(tmp_path / "new" / "pictures")
    pictures = list((tmp_path / "new" / "pictures").glob("*.html"))
    assert len(pictures) == PICTURES[name]
    assert all("Plotly.newPlot" in picture.read_text() for picture in pictures)


def test_one_update_by_hand(facts):
    np.testing.assert_allclose(facts("one_update")["theta"], [0.995, 1.99], rtol=0, atol=1e-15)


def test_three_points_end_where_batch_descent_ends_and_not_where_the_tutorial_says(facts):
    theta = facts("three_points")["theta"]
    np.testing.assert_allclose(theta["batch"], [0.5764, 0.2936], atol=5e-5)  # to the four digits that are claimed
    assert facts("three_points")["nearest_to_printed"] > 0.3
    assert facts("three_points")["printed_loss"] > 100 * facts("three_points")["loss"]["batch"]


def test_three_points_agree_with_the_formula_written_out(facts):
    X, y, theta = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]), np.array([1.0, 2.0, 3.0]), np.zeros(2)
    for _ in range(1000):
        theta = theta - 0.01 * X.T @ (X @ theta - y) / 3
    np.testing.assert_allclose(facts("three_points")["theta"]["batch"], theta, atol=1e-12)


def test_the_forecast_from_the_condition_number_comes_true(facts):
    known = facts("three_points")
    assert known["condition"] == pytest.approx(306.2, abs=0.1)
    assert known["left"] == pytest.approx(known["measured_left"], rel=1e-9)
    assert known["needed"] == known["measured_needed"] == 14_380


def test_momentum_arrives_where_plain_steps_are_half_way(facts):
    theta = facts("three_points")["theta"]
    away = {name: np.linalg.norm(point - [1.0, 0.0]) for name, point in theta.items()}
    assert away["batch, momentum"] < 0.01
    assert away["batch, Adam"] < away["batch"]
    for name in ("stochastic", "mini-batch of 2"):  # as many updates with less work, and about as far
        assert away[name] == pytest.approx(away["batch"], rel=0.05)
        assert not np.array_equal(theta[name], theta["batch"])


def test_the_line_is_found_at_the_rates_that_can(facts):
    known = facts("line_fit")
    np.testing.assert_allclose(known["best"], [4.0, 5.0], atol=0.3)  # what made the points, within their noise
    assert set(known["looks"].values()) == {1000}
    np.testing.assert_allclose(known["line"]["batch", 0.1], known["best"], atol=1e-6)
    assert known["error"]["batch", 0.01] < 1.01 * known["lowest"]
    assert known["error"]["batch", 0.001] > 1.1 * known["lowest"]  # 1,000 iterations are not enough there
    noisy = known["error"]["stochastic", 0.1] - known["lowest"]
    assert noisy > 10 * (known["error"]["mini-batch", 0.1] - known["lowest"])  # twenty rows average the noise away


def test_our_step_takes_twice_the_rate_of_the_mean_squared_error():
    ours, usual = script("line_fit"), classical()
    x, y = ours.points()
    walked = ours.walk(ours.Linear(x[:, None], y), ours.VARIANTS["batch"], 0.01)
    thetas, losses = usual.numpy_loop(x, y, "batch", 0.01)
    np.testing.assert_allclose(walked.trace.path, thetas, rtol=1e-9)
    np.testing.assert_allclose(2.0 * walked.trace["loss"], losses, rtol=1e-9)


def test_the_sampler_of_many_passes_visits_every_row_as_often():
    order = script("line_fit").ManyPasses(20, 7).segment(100, 3).order
    assert (np.bincount(order) == 7).all()
    assert (np.sort(order.reshape(7, 100), axis=1) == np.arange(100)).all()  # a whole pass before the next
    assert not np.array_equal(order[:100], order[100:200])


def test_the_neuron_finds_the_lowest_place_at_the_good_rate_only(facts):
    known = facts("one_neuron")
    np.testing.assert_allclose(known["end"]["good"], [1.5, -1.0], atol=1e-9)
    assert known["cost"]["too small"] > 0.9 * known["start_cost"]
    assert known["limit"] == pytest.approx(75.2, abs=0.1)
    assert known["last_step"]["above the limit"] > 0.1  # it rocks for ever
    assert known["cost"]["far above"] > 100 * known["cost"]["good"] + 0.01
    assert known["slope"]["far above"] < 1e-9  # nothing to come back by
    assert known["longest_step"]["far above"] > 50


def test_the_neurons_gradient_is_its_slope():
    neuron = script("one_neuron")
    for w in (neuron.START, neuron.BEST + 0.5, np.array([0.3, 2.0])):
        h = 1e-5
        numerical = [(neuron.cost(w + h * axis) - neuron.cost(w - h * axis)) / (2 * h) for axis in np.eye(2)]
        np.testing.assert_allclose(neuron.gradient(w), numerical, atol=1e-9)


def test_the_surfaces_are_walked_to_where_they_should_end(facts):
    known = facts("surfaces")
    arrived = {name for (name, rule), above in known["above"].items() if rule.startswith("plain") and above < 1e-6}
    assert arrived == {"bowl", "rosenbrock", "himmelblau", "beale", "styblinski_tang", "cliff", "bowl, condition 1,000"}
    ends = {tuple(np.round(end, 3)) for end in known["minima"]}
    assert len(ends) == 4
    assert (3.0, 2.0) in ends


def classical():
    """The benchmark, whose `line_fit` comes from the folder of examples."""
    folder = str(ROOT / "examples")
    sys.path.insert(0, folder)
    try:
        return script("classical", "benchmarks")
    finally:
        sys.path[:] = [entry for entry in sys.path if entry != folder]
        sys.modules.pop("line_fit", None)


def test_the_benchmark_draws_as_many_lines_as_we_do():
    usual, ours = classical(), script("line_fit")
    x, y = ours.points()
    thetas, _ = usual.numpy_loop(x, y, "batch", 0.01)
    assert len(usual.one_trace_a_line(x, y, thetas[:11]).data) == 1 + 10
    trace = ours.walk(ours.Linear(x[:, None], y), ours.VARIANTS["batch"], 0.01).trace
    assert len(ours.fan_of(x, y, trace).lines) == 1000


def test_the_loops_of_the_tutorials_end_at_the_same_bits(facts):
    loops = facts("torch_loops")
    assert {name: loop["updates"] for name, loop in loops.items()} == {"batch": 5, "stochastic": 320, "mini-batch": 20}
    for loop in loops.values():
        assert loop["torch"] == loop["fallline"]
    assert loops["stochastic"]["fallline"] == pytest.approx([4, 5], abs=0.05)  # it gets there; five steps do not
    assert loops["batch"]["fallline"][0] < 1


def test_two_layers_by_hand_have_autograds_gradient_and_part_what_no_line_parts(facts):
    known = facts("two_layers")
    assert known["apart"] < 1e-15 < known["slope"]
    assert known["right"] > 0.95  # a logistic regression tells 88 % right
    assert known["loss"][1] < 0.1 * known["loss"][0]


def test_a_small_convolutional_network_reads_digits(facts):
    known = facts("digits_cnn")
    assert known["parameters"] < 20_000
    assert min(known["right"]) > 0.93  # a straight line through the pixels reads 89 % of these 400


def test_a_recurrent_network_spells_better_than_pairs_of_letters(facts):
    known = facts("characters")
    bits = known["counted"]
    assert bits[2] > bits[3] > bits[4]  # the longer the memory, the fewer bits
    assert known["bits"] < bits[2]


def test_a_recurrent_network_forecasts_better_than_today_and_the_season_do(facts):
    known = facts("temperatures")
    assert known["GRU"] < 0.95 * min(known["as today"], known["as the season"])
    assert known["GRU"] == pytest.approx(known["line"], rel=0.05)  # the made-up series is linear: nobody can do better


def test_a_policy_learns_to_balance_and_its_baseline_removes_noise(facts):
    known = facts("cart_pole")
    assert max(known["episodes"]["baseline"]) <= 1600
    assert all("mean return" in reason for reason in known["reason"]["baseline"])
    assert max(known["noise"]) <= 0.7


def test_an_actor_critics_advantages_are_the_sum_of_the_critics_discounted_surprises():
    """Schulman et al. 2016, formula 16: Â(t) = Σₗ (γλ)ˡ·(1 + γV(t+l+1) − V(t+l)), where V is 0 once the pole has fallen."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("gymnasium")
    poles = script("cart_pole")
    lengths, worth = (7, 12), torch.rand(12, 2, generator=torch.Generator().manual_seed(0))
    alive = torch.tensor([[float(t < length) for length in lengths] for t in range(12)])
    found, targets = poles.weights("actor-critic", alive, worth)
    wanted = torch.zeros_like(alive)
    for k, length in enumerate(lengths):
        v = torch.cat([100.0 * worth[:length, k], torch.zeros(1)])
        surprise = 1.0 + poles.DISCOUNT * v[1:] - v[:-1]
        for t in range(length):
            wanted[t, k] = sum((poles.DISCOUNT * poles.GAE) ** ahead * s for ahead, s in enumerate(surprise[t:]))
            to_come = sum(poles.DISCOUNT**ahead for ahead in range(length - t))
            assert targets[t, k] == pytest.approx(to_come / 100.0, rel=1e-5)
    inside = alive.bool()
    assert found[inside].numpy() == pytest.approx((wanted[inside] / wanted[inside].std()).numpy(), rel=1e-4, abs=1e-4)
    assert not found[~inside].any()
