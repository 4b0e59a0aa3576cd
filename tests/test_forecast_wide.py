"""Forecasts of models too wide for a matrix of curvature, held to the matrix where there is one, and to runs."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from fallline.errors import InputError
from fallline.forecast import ground as grounds
from fallline.forecast import krylov
from fallline.forecast.ahead import forecast_of
from fallline.forecast.ground import ground_of
from fallline.losses import LogLoss, SquaredError
from fallline.objectives import Linear
from fallline.objectives.hessian import hessian
from fallline.penalties import L2
from fallline.plan import Plan

SQUARES = SquaredError()


def objective(loss: Any = SQUARES, n: int = 500, d: int = 80, density: float = 1.0) -> Linear:
    """Columns of scales from 1 to 30, dense or CSR."""
    rng = np.random.default_rng(0)
    scales = np.geomspace(1.0, 1.0 / 30.0, d)
    if density < 1.0:
        X = sp.random_array((n, d), density=density, rng=rng, data_sampler=rng.standard_normal, format="csr")
        X = (X @ sp.diags_array(scales)).tocsr()
    else:
        X = rng.standard_normal((n, d)) * scales
    z = X @ rng.standard_normal(d) + 0.3 * rng.standard_normal(n)
    return Linear(X, z if loss is SQUARES else np.where(z > 0, 1.0, -1.0), loss, L2(1.0 / n))


def real(on: Any, found: Any, seeds: int) -> np.ndarray:
    """Excess of runs of the forecast's plan at its points, a run a seed."""
    out = []
    for seed in range(seeds):
        plan = Plan(**{**found.plan.as_dict(), "seed": 700 + seed})
        trace = plan.run(on, looks=found.per_pass).trace
        out.append(np.interp(found.t, trace["t"], trace["loss"]) - found.optimum)
    return np.array(out)


def test_nodes_are_a_quadrature_of_the_curvature_that_polynomials_up_to_twice_the_products_do_not_see():
    """Gauss: e'H·p(H)·e is exact for p of degree 2K − 2, K products from e; a trace of C by signs is unbiased."""
    on = objective()
    w = ground_of(on).w
    H, way = hessian(on, w), on.start() - w
    values, V = krylov.ritz(lambda v: H @ v, way[:, None], 6)
    assert len(values) == 6
    for t in (0, 2, 5):
        rate = 0.5 / values[-1]
        kept = np.linalg.matrix_power(np.eye(len(H)) - rate * H, 2 * t) @ way
        nodes = (values * (1.0 - rate * values) ** (2 * t)) @ (V.T @ way) ** 2
        assert nodes == pytest.approx(way @ H @ kept, rel=1e-10)
    draws = krylov.noises(on, w, 400)
    assert np.mean((draws**2).sum(axis=0)) == pytest.approx(on.spread(w, np.arange(on.n)), rel=0.05)


@pytest.mark.parametrize("loss", [SQUARES, LogLoss()])
@pytest.mark.parametrize("density", [1.0, 0.2])
def test_a_few_modes_forecast_what_all_of_them_do(loss, density, monkeypatch):
    """Half of 81: the batch path to a percent; what noise does to a sixth, as four random sums stand for it."""
    on = objective(loss, density=density)
    whole = ground_of(on)
    monkeypatch.setattr(grounds, "WIDEST", 10)
    monkeypatch.setattr(krylov, "BLOCKS", 8)
    few = ground_of(on)
    assert 41 <= few.Z.shape[1] <= 48 < whole.Z.shape[1] == 81
    for settings, close in (({"variant": "batch", "amount": 200}, 0.01), ({"batch_size": 8, "amount": 500}, 0.16)):
        plan = Plan(step="plain", rate=0.2 / whole.limits.values[-1], budget="updates", **settings)
        full, part = (forecast_of(on, plan, ground=ground) for ground in (whole, few))
        assert full.excess[-1] < 0.1 * full.excess[0]
        np.testing.assert_allclose(part.excess, full.excess, rtol=close)
        assert part.rates.batch == pytest.approx(full.rates.batch, rel=1e-3)
    assert part.floor == pytest.approx(full.floor, rel=0.16)
    assert part.rates.working == pytest.approx(full.rates.working, rel=0.2)


def test_a_sparse_table_of_five_thousand_columns_is_forecast_within_its_band():
    on = objective(n=3000, d=5000, density=0.01)
    ground = ground_of(on)
    assert ground.Z.shape[1] <= 120
    for step in ("plain", "nesterov"):
        found = forecast_of(on, ground=ground, variant="batch", step=step, budget="updates", amount=150)
        run = real(on, found, 1)[0]
        assert run[-1] < 0.4 * run[0]
        np.testing.assert_allclose(found.excess, run, rtol=0.02)
    found = forecast_of(on, ground=ground, batch_size=8, sampler="with_replacement", budget="epochs", amount=3)
    runs = real(on, found, 8)
    assert runs.mean(axis=0)[-1] < 0.7 * runs[0, 0]
    np.testing.assert_allclose(found.excess, runs.mean(axis=0), rtol=0.1)
    low, high = found.band
    inside = ((runs + found.optimum >= low) & (runs + found.optimum <= high))[:, 1:].mean()
    assert 0.65 <= inside <= 0.95
    assert any("lowest loss is between" in line for line in found.sentences())
    assert 0.0 <= found.bound < 1e-3 * found.excess[0]


def test_a_wide_model_is_forecast_from_the_start_that_was_told(monkeypatch):
    monkeypatch.setattr(grounds, "WIDEST", 10)
    monkeypatch.setattr(krylov, "BLOCKS", 2)
    on, start = objective(), np.random.default_rng(1).standard_normal(81)
    with pytest.raises(InputError, match="start="):
        forecast_of(on, variant="batch", ground=ground_of(on), start=start)
    found = forecast_of(on, variant="batch", start=start)
    assert found.optimum + found.excess[0] == pytest.approx(on.value(start), rel=1e-8)
