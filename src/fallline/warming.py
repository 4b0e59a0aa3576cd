"""What `fallline warm` runs: the usual fits on small made tables, so that their kernels are compiled and kept."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from fallline.comparison import compare
from fallline.kernels.bridge import folder
from fallline.losses import CLASSIFICATION, LOSSES, POSITIVE
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import L2
from fallline.plan import VARIANTS, Plan
from fallline.solver import quick, solve

USUAL = ("squared_error", "log_loss", "huber", "hinge", "poisson", "softmax")
LONG, NARROW = 20_500, 3  # rows and columns of the dense tables: long enough for a sketch of the rows to stand for all
SHORT, WIDE = 1_500, 400  # of the sparse ones: too wide for a matrix of curvature
STORAGES: dict[str, Callable[[int], Any]] = {
    "dense float64": lambda seed: np.random.default_rng(seed).standard_normal((LONG, NARROW)),
    "dense float32": lambda seed: np.random.default_rng(seed).standard_normal((LONG, NARROW)).astype(np.float32),
    "CSR float64": lambda seed: scattered(seed, np.float64),
    "CSR float32": lambda seed: scattered(seed, np.float32),
}


def scattered(seed: int, dtype: Any) -> Any:
    """A sparse table."""
    rng = np.random.default_rng(seed)
    return sp.random_array((SHORT, WIDE), density=0.02, format="csr", rng=rng, dtype=dtype)


def usual() -> Iterator[tuple[str, Callable[[], Any]]]:
    """What there is to do, a name each: the solver and one quick pass on every usual loss and storage, and a comparison.

    The compiled walks of a comparison are those of its three variants, on the storage that `load` gives by default.
    """
    for storage, make in STORAGES.items():
        for loss in USUAL:
            yield f"{loss} on {storage}", partial(made_and_fitted, loss, make)
    for loss in USUAL:
        yield f"{loss}, a comparison's walks", partial(walks, loss)
    yield "fallline compare", lambda: compare("diabetes", amount=2, seeds=1, final_seeds=1, baselines=False)


def objective(loss: str, X: Any) -> Any:
    """A loss on targets that it takes, drawn at random."""
    rng, n = np.random.default_rng(1), X.shape[0]
    if loss == "softmax":
        return SoftmaxRegression(X, np.arange(n) % 3, 3, L2(0.01))
    if loss in CLASSIFICATION:
        y = rng.choice([-1.0, 1.0], n)
    else:
        y = rng.gamma(2.0, size=n) if loss in POSITIVE else rng.standard_normal(n)
    return Linear(X, y, LOSSES[loss](), L2(0.01))


def made_and_fitted(loss: str, make: Callable[[int], Any]) -> None:
    """A loss on a table that is made only now."""
    fits(objective(loss, make(0)))


def fits(problem: Any) -> None:
    """The solver, and one quick pass."""
    solve(problem, certify=True)
    quick(problem)


def walks(loss: str) -> None:
    """A few plain steps of each variant."""
    small = objective(loss, STORAGES["dense float64"](0)[:200])
    for variant in VARIANTS:
        Plan(step="plain", variant=variant, rate=1e-3, budget="updates", amount=2).run(small)


def kept() -> tuple[str, int, int]:
    """Where the machine code lies, in how many files, of how many bytes."""
    place = folder()
    files = [path for path in place.glob("*.nb[ic]*") if path.is_file()]
    return str(place), len(files), sum(path.stat().st_size for path in files)
