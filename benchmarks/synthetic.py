"""The three made tables that every benchmark measures on; the same numbers in every run.

a: `dense(raw)[:2]`, 500,000 × 50 float32, correlated columns, two classes. b: `text(rescaled)`, 200,000 × 50,000 in
compressed rows, 14.9 million non-zeros, TF-IDF rows of length one, two classes. c: `dense(raw)` with its third answer, a
number with noise of Student's t of 5 degrees of freedom. The penalty is L2 with lambda = 1/n (C = 1) unless said otherwise.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp

Array = np.ndarray[Any, Any]

N, D = 500_000, 50
DOCUMENTS, WORDS = 200_000, 50_000
TOKENS = 78  # a document, about: 74 different words, 14.9 million non-zeros


def dense(raw: bool, n: int = N, d: int = D) -> tuple[Array, Array, Array]:
    """X (n, d) float32, classes −1 and +1, and a number. raw: column sizes 10⁻³ … 10³, means up to three deviations."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) @ (np.eye(d) + 0.5 * rng.standard_normal((d, d)) / np.sqrt(d))
    z = X @ (0.4 * rng.standard_normal(d)) + 0.3
    y = np.where(rng.random(n) < 1.0 / (1.0 + np.exp(-z)), 1.0, -1.0)
    X = (X - X.mean(0)) / X.std(0)
    if raw:
        X = (X + rng.uniform(-3, 3, d)) * 10 ** rng.uniform(-3, 3, d)
    return X.astype(np.float32), y, z + 0.5 * rng.standard_t(5, n)


def text(rescaled: bool = False, n: int = DOCUMENTS, d: int = WORDS) -> tuple[sp.csr_matrix, Array]:
    """X (n, d) CSR float32 and classes −1 and +1. rescaled: columns times 10^U(−2, 2).

    Words by Zipf's law; sublinear counts times the logarithm of rarity, rows of length one. One word in ten speaks for a class.
    """
    rng = np.random.default_rng(0)
    lengths = np.maximum(5, rng.lognormal(np.log(TOKENS) - 0.18, 0.6, n)).astype(np.int64)
    chance = np.cumsum(1.0 / (np.arange(d) + 20.0))
    words = np.searchsorted(chance, rng.random(lengths.sum()) * chance[-1]).astype(np.int32)
    rows = np.repeat(np.arange(n, dtype=np.int32), lengths)
    X = sp.csr_matrix((np.ones(len(words), np.float32), (rows, words)), shape=(n, d))  # sums the counts
    X.data = 1.0 + np.log(X.data)
    seen = np.bincount(X.indices, minlength=d)
    X.data *= (1.0 + np.log((1.0 + n) / (1.0 + seen))).astype(np.float32)[X.indices]
    X = X.multiply(1.0 / np.sqrt(X.multiply(X).sum(1))).tocsr().astype(np.float32)
    speaks = 6.0 * rng.standard_normal(d) * (rng.random(d) < 0.1)
    y = np.where(rng.random(n) < 1.0 / (1.0 + np.exp(-(X @ speaks + 0.2))), 1.0, -1.0)
    if rescaled:
        X.data *= (10 ** rng.uniform(-2, 2, d)).astype(np.float32)[X.indices]
    return X, y
