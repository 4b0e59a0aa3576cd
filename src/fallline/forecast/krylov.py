"""Wide models: a few directions in which a walk and its noise are what they are in all of them, by block Lanczos.

Plain steps on a quadratic are at w* + p_t(H)·(w_0 − w*), p_t a polynomial, so they stay in the Krylov space of H and the way to
the optimum. K products with H make K nodes θ of that way's spectral measure, and Σ_j θ_j·(V_jᵀ(w_0 − w*))²·f(θ_j) is its
Gauss quadrature, right for polynomials f up to degree 2K − 1 (Golub & Meurant 2010): V are the Ritz vectors, θ their values.
The first gradient begins the space too, because other losses bend otherwise at the start; and so do sums of all rows' gradients
with random signs, whose covariance is C: nodes of tr(H·f(H)·C), what noise does in directions that no walk was seen in
(Hutchinson 1990). No matrix of size × size is made.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fallline.executors.duality import minus_slopes, sum_of
from fallline.objectives.coordinates import plain
from fallline.objectives.products import curvature_product

Array = np.ndarray[Any, Any]

BLOCKS, PROBES = 20, 4  # products with H of each beginning, and how many random sums of gradients are among these
LITTLE = 1e-10  # of the longest direction: less is rounding, and the space is complete


class Nodes(NamedTuple):
    """The modes that stand for all."""

    values: Array  # (modes,) curvature, ascending
    vectors: Array  # (size, modes) orthonormal
    drawn: Array  # (modes,) mean square of the random sums of gradients along each


def nodes_of(objective: Any, w: Array, start: Array) -> Nodes:
    """The modes of a Linear objective at its optimum w, for walks that begin at `start`."""
    draws = noises(objective, w)
    values, vectors = ritz(
        curvature_product(objective, w, plain(objective)),
        np.column_stack([start - w, objective.gradient(start), draws]),
        BLOCKS,
    )
    return Nodes(values, vectors, np.mean((vectors.T @ draws) ** 2, axis=1))


def noises(objective: Any, w: Array, many: int = PROBES) -> Array:
    """Σ ±(g_i − g)/√n over the rows, (size, many): random, with the covariance C of one row's gradient g_i."""
    slopes = -minus_slopes(objective.model, w)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (many, objective.n))
    mean = sum_of(objective, slopes)
    return np.sqrt(objective.n) * np.column_stack([sum_of(objective, slopes * s) - s.mean() * mean for s in signs])


def ritz(times: Callable[[Array], Array], first: Array, blocks: int) -> tuple[Array, Array]:
    """Ritz values, ascending, and vectors of a symmetric operator on span{Hᵏ·first : k < blocks}, all orthogonalised twice."""
    lengths = np.linalg.norm(first, axis=0)
    basis = fresh(first[:, lengths > 0] / lengths[lengths > 0], np.empty((len(first), 0)), 1.0)
    small, done, largest = np.empty((0, 0)), 0, 0.0
    for k in range(blocks):
        bent = np.column_stack([times(v) for v in basis[:, done:].T])
        rest, done = small, basis.shape[1]
        small = np.zeros((done, done))
        small[: len(rest), : len(rest)] = rest
        small[:, len(rest) :] = basis.T @ bent
        small[len(rest) :] = small[:, len(rest) :].T
        largest = max(largest, float(np.abs(small).max()))
        if k + 1 < blocks:
            basis = np.column_stack([basis, fresh(bent, basis, largest)])
        if basis.shape[1] == done:
            break
    values, turned = np.linalg.eigh(small)
    return values, basis @ turned


def fresh(directions: Array, basis: Array, scale: float) -> Array:
    """An orthonormal basis of what directions (size, k) have beyond `basis`, but for rounding of numbers of size `scale`."""
    rest = directions - basis @ (basis.T @ directions)
    made, lengths, _ = np.linalg.svd(rest, full_matrices=False)
    made = made[:, lengths > LITTLE * scale]
    made -= basis @ (basis.T @ made)
    return np.asarray(np.linalg.qr(made)[0])
