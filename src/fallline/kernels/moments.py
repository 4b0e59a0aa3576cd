"""The mean and the spread of a walk, as numbers: what rows say of a spread-out point, and how steps carry it on.

A point is spread over modes j, each normal with a mean and a variance; a row's score is then normal too. Both kernels are
of the forecast (see fallline.forecast).
"""

import math
from typing import Any

from fallline.kernels.bridge import compiled
from fallline.kernels.vector import bend, both

INNER, OUTER = (
    2.0 / 3.0,
    1.0 / 6.0,
)  # weights of the three Gauss–Hermite nodes 0, ±√3: exact for polynomials up to degree 5


@compiled
def seen(
    loss: Any, y: Any, weights: Any, shares: Any, base: Any, Z: Any, u: Any, spread: Any, most: float,
    slope: Any, bends: Any, squares: Any,
) -> Any:  # fmt: skip
    """The mean loss of rows Z (m, modes) with scores base + Z·u and their variances Σ spread_j·Z_j², one reading of Z.

    slope_j ← mean of ψ'·Z_j, bends_j ← of ψ''·Z_j², squares_j ← of ψ'²·Z_j², each over the rows and the spread. shares (m,)
    add up to one: how much of all rows each stands for. most: a score's variance is taken as at most that.
    """
    m, d = Z.shape
    slope[:] = 0.0
    bends[:] = 0.0
    squares[:] = 0.0
    total = 0.0
    for i in range(m):
        x = Z[i]
        z, variance = base[i], 0.0
        for j in range(d):
            z += x[j] * u[j]
            variance += x[j] * x[j] * spread[j]
        height, force = both(loss, y[i], z)
        square, curve = force * force, bend(loss, y[i], z)
        if variance > 0.0:
            step = math.sqrt(3.0 * min(variance, most))
            high, pull_high = both(loss, y[i], z + step)
            low, pull_low = both(loss, y[i], z - step)
            height = INNER * height + OUTER * (high + low)
            force = INNER * force + OUTER * (pull_high + pull_low)
            square = INNER * square + OUTER * (pull_high * pull_high + pull_low * pull_low)
            curve = INNER * curve + OUTER * (bend(loss, y[i], z + step) + bend(loss, y[i], z - step))
        share = shares[i] * weights[i]
        total += share * height
        force *= share
        curve *= share
        square *= share * weights[i]
        for j in range(d):
            slope[j] += force * x[j]
            bends[j] += curve * x[j] * x[j]
            squares[j] += square * x[j] * x[j]
    return total


@compiled
def shaken(loss: Any, y: Any, weights: Any, shares: Any, base: Any, Z: Any, u: Any, towards: Any) -> Any:
    """The variance over rows of ψ'·(Z·towards): of one row's gradient along a direction, what modes have in common included."""
    m, d = Z.shape
    total, square = 0.0, 0.0
    for i in range(m):
        x = Z[i]
        z, along = base[i], 0.0
        for j in range(d):
            z += x[j] * u[j]
            along += x[j] * towards[j]
        force = weights[i] * both(loss, y[i], z)[1] * along
        total += shares[i] * force
        square += shares[i] * force * force
    return max(square - total * total, 0.0)


@compiled
def carry(
    rule: Any, rates: Any, powers: Any, counts: Any, slope: Any, bends: Any, noise: Any, mean: Any, moment: Any
) -> Any:
    """Carry every mode over Σ counts steps of a linear rule, its slope and noise frozen but for slope' = bends.

    rule: (a, b, c, d) of update = a·g + b·m, m ← c·g + d·m. rates: mean rate of each stretch; powers: its mean square over the
    squared mean. noise_j: variance of a step's gradient. mean (modes, 2): place, counted from where slope was read, and memory.
    moment (modes, 3): variance of the place, covariance, variance of the memory. Both are overwritten.

    A step is (place, memory) ← A·(place, memory) + g·v, with A = [[1 − rate·a·bend, −rate·b], [c·bend, d]], v = (−rate·a, c);
    k of them are composed by doubling: (A, s, N) twice is (A², A·s + s, A·N·Aᵀ + N).
    """
    for j in range(mean.shape[0]):
        place, memory = mean[j, 0], mean[j, 1]
        m00, m01, m11 = moment[j, 0], moment[j, 1], moment[j, 2]
        for k in range(rates.shape[0]):
            rate, left, var = rates[k], counts[k], noise[j] * powers[k]
            a00, a01 = 1.0 - rate * rule[0] * bends[j], -rate * rule[1]
            a10, a11 = rule[2] * bends[j], rule[3]
            v0, v1 = -rate * rule[0], rule[2]
            s0, s1 = slope[j] * v0, slope[j] * v1
            n00, n01, n11 = var * v0 * v0, var * v0 * v1, var * v1 * v1
            while left:
                if left % 2:
                    place, memory = a00 * place + a01 * memory + s0, a10 * place + a11 * memory + s1
                    m00, m01, m11 = (
                        a00 * a00 * m00 + 2.0 * a00 * a01 * m01 + a01 * a01 * m11 + n00,
                        a00 * a10 * m00 + (a00 * a11 + a01 * a10) * m01 + a01 * a11 * m11 + n01,
                        a10 * a10 * m00 + 2.0 * a10 * a11 * m01 + a11 * a11 * m11 + n11,
                    )
                left //= 2
                if left:
                    s0, s1 = a00 * s0 + a01 * s1 + s0, a10 * s0 + a11 * s1 + s1
                    n00, n01, n11 = (
                        a00 * a00 * n00 + 2.0 * a00 * a01 * n01 + a01 * a01 * n11 + n00,
                        a00 * a10 * n00 + (a00 * a11 + a01 * a10) * n01 + a01 * a11 * n11 + n01,
                        a10 * a10 * n00 + 2.0 * a10 * a11 * n01 + a11 * a11 * n11 + n11,
                    )
                    a00, a01, a10, a11 = (
                        a00 * a00 + a01 * a10,
                        a00 * a01 + a01 * a11,
                        a10 * a00 + a11 * a10,
                        a10 * a01 + a11 * a11,
                    )
        mean[j, 0], mean[j, 1] = place, memory
        moment[j, 0], moment[j, 1], moment[j, 2] = m00, m01, m11
