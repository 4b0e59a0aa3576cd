"""A full pass: the loss and its gradient from one reading of the rows, and what else a solver asks of all rows.

Rows are taken in blocks that stay in the cache (kernels/blocks.py): scores of a block, then losses and slopes, then the
gradient, each a loop without a branch that the compiler vectorises.
"""

from typing import Any

from fallline.kernels.blocks import SOON, expect, multiply, spread
from fallline.kernels.bridge import compiled, stands_for
from fallline.kernels.conjugates import conjugate
from fallline.kernels.sums import LinearModel, row_loss, row_slope
from fallline.kernels.vector import bend, both
from fallline.methods import curvature, derivative, dot
from fallline.rows import Dense


def sums(model: Any, first: Any, last: Any, w: Any, z: Any, g: Any) -> Any:
    """Σ loss over rows first … last; g ← Σ gradient. z: room for a block of rows, or for a score a class."""


@stands_for(sums)
def _sums(model: Any, first: Any, last: Any, w: Any, z: Any, g: Any) -> Any:
    return _by_block if model.instance_class is LinearModel else _by_class


def _by_block(model: Any, first: Any, last: Any, w: Any, z: Any, g: Any) -> Any:
    total, pull, step = 0.0, 0.0, z.shape[0]
    g[:] = 0.0
    for begin in range(first, last, step):
        end = min(begin + step, last)
        r = z[: end - begin]
        score(model, begin, end, w, r)
        total += costs(model.loss, model.y[begin:end], model.weights[begin:end], r)
        spread(model.rows, begin, end, r, g)
        pull += r.sum()
    g[w.shape[0] - 1] += model.free * pull
    return total


def _by_class(model: Any, first: Any, last: Any, w: Any, z: Any, g: Any) -> Any:
    total = 0.0
    g[:] = 0.0
    for i in range(first, last):
        total += row_loss(model, i, w, z)
        row_slope(model, i, w, z, 1.0, g)
    return total


@compiled
def score(model: Any, first: Any, last: Any, w: Any, z: Any) -> None:
    """z ← scores of rows first … last."""
    offset, shift = model.offset[first:last], model.free * w[w.shape[0] - 1]
    multiply(model.rows, first, last, w, z)
    for i in range(z.shape[0]):
        z[i] += offset[i] + shift


@compiled
def costs(loss: Any, y: Any, weights: Any, z: Any) -> Any:
    """Σ weight·loss; the scores z ← weight·slope."""
    total = 0.0
    for i in range(z.shape[0]):
        cost, slope = both(loss, y[i], z[i])
        total += weights[i] * cost
        z[i] = weights[i] * slope
    return total


@compiled
def part_of_pass(model: Any, first: Any, last: Any, w: Any, z: Any, g: Any) -> Any:
    """`sums`, to be called from Python."""
    return sums(model, first, last, w, z, g)


@compiled
def losses(model: Any, first: Any, last: Any, points: Any, z: Any, out: Any) -> None:
    """out (k,) ← Σ weight·loss over rows first … last at each of many points (k, size), from one reading."""
    step = z.shape[0]
    out[:] = 0.0
    for begin in range(first, last, step):
        end = min(begin + step, last)
        r, y, weights = z[: end - begin], model.y[begin:end], model.weights[begin:end]
        for k in range(points.shape[0]):
            score(model, begin, end, points[k], r)
            total = 0.0
            for i in range(r.shape[0]):
                total += weights[i] * both(model.loss, y[i], r[i])[0]
            out[k] += total


@compiled
def bends(model: Any, first: Any, last: Any, w: Any, z: Any, out: Any) -> None:
    """out ← weighted second derivative of the loss of rows first … last in the score."""
    step = z.shape[0]
    for begin in range(first, last, step):
        end = min(begin + step, last)
        r, y, weights, bent = z[: end - begin], model.y[begin:end], model.weights[begin:end], out[begin:end]
        score(model, begin, end, w, r)
        for i in range(r.shape[0]):
            bent[i] = weights[i] * bend(model.loss, y[i], r[i])


@compiled
def curved(rows: Any, free: Any, first: Any, last: Any, bends: Any, v: Any, z: Any, out: Any) -> None:
    """out ← Σ bendᵢ·(xᵢ·v)·xᵢ over rows first … last: the curvature times a vector (Pearlmutter 1994)."""
    shift, pull, step = free * v[v.shape[0] - 1], 0.0, z.shape[0]
    out[:] = 0.0
    for begin in range(first, last, step):
        end = min(begin + step, last)
        r, bent = z[: end - begin], bends[begin:end]
        multiply(rows, begin, end, v, r)
        for i in range(r.shape[0]):
            r[i] = bent[i] * (r[i] + shift)
            pull += r[i]
        spread(rows, begin, end, r, out)
    out[v.shape[0] - 1] += free * pull


@compiled
def folded(rows: Any, first: Any, last: Any, r: Any, out: Any) -> None:
    """out ← Σ rᵢ·xᵢ over rows first … last, for r (n,)."""
    out[:] = 0.0
    spread(rows, first, last, r[first:last], out)


@compiled
def across(rows: Any, free: Any, first: Any, last: Any, v: Any, out: Any) -> None:
    """out ← xᵢ·v and what v says of the intercept, for rows first … last."""
    multiply(rows, first, last, v, out)
    out += free * v[v.shape[0] - 1]


@compiled
def shortfalls(model: Any, w: Any) -> Any:
    """What a rounded loss leaves open: mean of loss(z) + conjugate(a) − a·z over all rows; rows in the window; how evenly.

    a is the rounded loss's slope, which is a slope of the loss at its corner: at a distance δ from a corner whose slope
    jumps by J, the loss is J·δ·(1 − δ/width)/2 above the line of slope a that supports it. At a minimum of the rounded
    objective the mean of that bounds the excess (Fenchel duality). How evenly: the variance of the rows' places in the window
    over that of places drawn evenly; near 0 where they lie on one spot.
    """
    rounded, total, many, first, second = model.loss, 0.0, 0, 0.0, 0.0
    shift, n = model.free * w[w.shape[0] - 1], model.y.shape[0]
    for i in range(n):
        z = dot(model.rows, i, w) + shift + model.offset[i]
        jump = 2.0 * rounded.width * curvature(rounded, model.y[i], z)
        if jump > 0.0:
            low = derivative(rounded.loss, model.y[i], z - rounded.width)
            place = 2.0 * (derivative(rounded, model.y[i], z) - low) / jump - 1.0
            past = min(abs(place), 1.0)  # δ/width
            total += model.weights[i] * 0.5 * jump * rounded.width * past * (1.0 - past)
            many += 1
            first += place
            second += place * place
    return total / n, many, 3.0 * (second - first * first / max(many, 1)) / max(many, 1)


@compiled
def slopes(model: Any, w: Any, out: Any) -> None:
    """out ← derivative of every row's loss in its score, weights left aside."""
    shift = model.free * w[w.shape[0] - 1]
    for i in range(out.shape[0]):
        out[i] = derivative(model.loss, model.y[i], dot(model.rows, i, w) + shift + model.offset[i])


@compiled
def conjugates(dual: Any, y: Any, weights: Any, u: Any) -> Any:
    """Σ weight·conjugate of the loss at −u."""
    total = 0.0
    for i in range(u.shape[0]):
        total += weights[i] * conjugate(dual, y[i], u[i])
    return total


@compiled
def squares(rows: Any, first: Any, last: Any, bends: Any, out: Any) -> None:
    """out ← Σ bendᵢ·xᵢ² over rows first … last: the diagonal of the curvature."""
    out[:] = 0.0
    square(rows, first, last, bends, out)


def square(rows: Any, first: Any, last: Any, bends: Any, out: Any) -> None:
    """`squares` for either storage."""


@stands_for(square)
def _square(rows: Any, first: Any, last: Any, bends: Any, out: Any) -> Any:
    def dense(rows: Any, first: Any, last: Any, bends: Any, out: Any) -> None:
        for i in range(first, last):
            for j in range(rows.X.shape[1]):
                out[j] += bends[i] * rows.X[i, j] * rows.X[i, j]

    def sparse(rows: Any, first: Any, last: Any, bends: Any, out: Any) -> None:
        for i in range(first, last):
            for k in range(rows.indptr[i], rows.indptr[i + 1]):
                out[rows.indices[k]] += bends[i] * rows.data[k] * rows.data[k]

    return dense if rows.instance_class is Dense else sparse


@compiled
def powers(X: Any, first: Any, last: Any, centre: Any, out: Any) -> None:
    """out (3, d) ← Σ (x − centre), its square and its fourth power over rows first … last, column by column."""
    out[:] = 0.0
    whole = first + (last - first) // 4 * 4
    one, two, four = out[0], out[1], out[2]
    for i in range(first, whole, 4):
        expect(X, i + SOON, i + SOON + 4)
        A, B, C, D = X[i], X[i + 1], X[i + 2], X[i + 3]
        for j in range(centre.shape[0]):
            a, b, c, e = A[j] - centre[j], B[j] - centre[j], C[j] - centre[j], D[j] - centre[j]
            one[j] += (a + b) + (c + e)
            a, b, c, e = a * a, b * b, c * c, e * e
            two[j] += (a + b) + (c + e)
            four[j] += (a * a + b * b) + (c * c + e * e)
    for i in range(whole, last):
        for j in range(centre.shape[0]):
            away = X[i, j] - centre[j]
            one[j] += away
            two[j] += away * away
            four[j] += away * away * away * away


@compiled
def far(X: Any, columns: Any, centre: Any, reach: Any, out: Any) -> None:
    """out[i] ← whether row i lies more than `reach` from `centre` in one of `columns`."""
    for i in range(X.shape[0]):
        found = False
        for j in columns:
            found = found or abs(X[i, j] - centre[j]) > reach[j]
        out[i] = found
