"""The automatic solver against certified values (NIST StRD) and another package's fits (statsmodels)."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from fallline.losses import Gamma, LogLoss, Poisson, SquaredError, SquaredHinge
from fallline.objectives import Linear
from fallline.penalties import L2
from fallline.solver import solve

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
NIST, TAILS = SHARED / "nist" / "linear", SHARED / "large" / "HTRU_2.csv.gz"
DIGITS = 8  # certified digits that every file must have


def design(name: str, columns: np.ndarray) -> np.ndarray:
    """The columns of the file's model beside its intercept."""
    return columns[:, :1] ** np.arange(1, 6) if name.startswith("Wampler") else columns


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Certified parameters in the file's order, y, and the predictors."""
    lines = path.read_text().splitlines()
    first, last = map(int, re.search(r"Data +\(lines +(\d+) to +(\d+)\)", path.read_text()).groups())
    table = np.array([[float(word) for word in line.split()] for line in lines[first - 1 : last]])
    certified = [float(line.split()[1]) for line in lines if re.match(r"\s+B\d+ +-?[\d.]+", line)]
    return np.array(certified), table[:, 0], table[:, 1:]


@pytest.mark.skipif(not NIST.is_dir(), reason="the certified data sets are not at ../shared/data/nist")
@pytest.mark.parametrize("name", ["Norris", "NoInt1", "Longley", "Wampler1", "Wampler3", "Wampler5"])
def test_certified_least_squares_have_eight_digits(name):
    certified, y, columns = read(NIST / f"{name}.dat")
    intercept = name != "NoInt1"
    run = solve(Linear(design(name, columns), y, SquaredError(), intercept=intercept))
    found = np.roll(run.w, 1) if intercept else run.w
    assert len(found) == len(certified) >= 1
    digits = -np.log10(np.maximum(abs(found / certified - 1.0), 1e-16))
    assert digits.min() >= DIGITS
    assert ("condition" in run.trace.about) == (name not in ("Norris", "NoInt1"))  # columns that are nearly dependent
    assert run.trace.about.get("digits", DIGITS) >= DIGITS  # the data allow it


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weights and offset"])
@pytest.mark.parametrize("family", ["Poisson", "Gamma", "Binomial"])
def test_generalised_linear_models_equal_statsmodels(family, weighted):
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(5)
    X = rng.standard_normal((300, 4)) * [1.0, 10.0, 0.1, 3.0] + [0.0, 50.0, 0.0, -7.0]
    z = 0.3 * (X - X.mean(0)) @ (1.0 / X.std(0)) + 0.5
    loss, y, link = {
        "Poisson": (Poisson(), rng.poisson(np.exp(z)).astype(float), None),
        "Gamma": (Gamma(), rng.gamma(2.0, np.exp(z) / 2.0), sm.families.links.Log()),
        "Binomial": (LogLoss(), np.where(rng.random(300) < 1 / (1 + np.exp(-z)), 1.0, -1.0), None),
    }[family]
    kind = getattr(sm.families, family)(*([link] if link else []))
    target = (y > 0).astype(float) if family == "Binomial" else y
    weights, offset = (rng.exponential(size=300), 0.3 * rng.standard_normal(300)) if weighted else (None, None)
    model = sm.GLM(target, sm.add_constant(X), family=kind, freq_weights=weights, offset=offset)
    theirs = model.fit(tol=1e-14, maxiter=200).params
    ours = np.roll(solve(Linear(X, y, loss, weights=weights, offset=offset), tol=0.0).w, 1)
    assert np.allclose(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.skipif(not TAILS.exists(), reason="the table with heavy tails is not at ../shared/data/large")
def test_heavy_tails_do_not_deceive_a_sketch():
    table = np.loadtxt(gzip.decompress(TAILS.read_bytes()).decode().replace("\r", "\n").split(), delimiter=",")
    objective = Linear(table[:, :-1], np.where(table[:, -1] > 0, 1.0, -1.0), SquaredHinge(), L2(1e-4))
    run, lowest = solve(objective), solve(objective, 1e-11).trace["loss"].min()
    assert "sketched" in run.trace.about["solver"]
    assert run.trace["loss"][-1] - lowest <= 3.0 * run.trace["excess"][-1]
