"""Products of a block of rows with a vector, either way round, at the speed of memory.

A pass takes rows in blocks that stay in the cache, and reads each block twice. While it works on one block of a dense table,
it asks memory for the next: a machine that multiplies and then waits for rows takes half as long again. Parameters and sums
are float64 whatever the table is.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fallline.kernels.bridge import compiled, stands_for
from fallline.methods import dot, push
from fallline.rows import CSR, Dense

CACHED = 100_000  # bytes of a block: a fraction of the second-level cache of anything sold since 2010
SOON = 16  # rows until memory has answered
LINE = 64  # bytes that memory hands over at once


def _prefetch(_: Any, X: Any, place: Any) -> Any:
    """Ask for the line with that entry of a C-ordered array, to be kept in the second-level cache; it may lie anywhere."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.bitcast(builder.gep(array.data, [args[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        read, second_level, data = number(0), number(2), number(1)
        hint = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        builder.call(hint, [address, read, second_level, data])
        return context.get_dummy_value()

    return types.void(X, types.int64), generate


prefetch: Any = intrinsic(_prefetch)


@compiled
def expect(X: Any, first: Any, last: Any) -> None:
    """Ask memory for rows first … last, counted from X's first and perhaps beyond its end."""
    ask(X, first * X.shape[1], last * X.shape[1])


@compiled
def ask(values: Any, first: Any, last: Any) -> None:
    """Ask memory for entries first … last of a C-ordered array, or of what lies behind it."""
    line = LINE // values.itemsize
    while first < last:  # a range whose step is not known takes a division
        prefetch(values, first)
        first += line


def multiply(rows: Any, first: Any, last: Any, w: Any, z: Any) -> None:
    """z ← rows first … last times the first entries of w."""


def spread(rows: Any, first: Any, last: Any, r: Any, g: Any) -> None:
    """First entries of g += Σ rᵢ·xᵢ over rows first … last."""


@stands_for(multiply)
def _multiply(rows: Any, first: Any, last: Any, w: Any, z: Any) -> Any:
    def sparse(rows: Any, first: Any, last: Any, w: Any, z: Any) -> None:
        for i in range(first, last):
            z[i - first] = dot(rows, i, w)

    def dense(rows: Any, first: Any, last: Any, w: Any, z: Any) -> None:
        multiply_dense(rows.X[first:last], w, z)

    return dense if rows.instance_class is Dense else sparse


@stands_for(spread)
def _spread(rows: Any, first: Any, last: Any, r: Any, g: Any) -> Any:
    def sparse(rows: Any, first: Any, last: Any, r: Any, g: Any) -> None:
        for i in range(first, last):
            push(rows, i, r[i - first], g)

    def dense(rows: Any, first: Any, last: Any, r: Any, g: Any) -> None:
        spread_dense(rows.X[first:last], r, g)

    return dense if rows.instance_class is Dense else sparse


def ahead(rows: Any, i: Any) -> None:
    """Ask memory for row i, which a walk in random order comes to soon."""


@stands_for(ahead)
def _ahead(rows: Any, i: Any) -> Any:
    def sparse(rows: Any, i: Any) -> None:
        ask(rows.indices, rows.indptr[i], rows.indptr[i + 1])
        ask(rows.data, rows.indptr[i], rows.indptr[i + 1])

    def dense(rows: Any, i: Any) -> None:
        expect(rows.X, i, i + 1)

    return dense if rows.instance_class is Dense else sparse


@compiled
def multiply_dense(X: Any, w: Any, z: Any) -> None:
    """Four rows at a time; asks for the first half of each four of the next block."""
    n = X.shape[0]
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        expect(X, n + i, n + i + 2)
        first, second, third, fourth = X[i], X[i + 1], X[i + 2], X[i + 3]  # an index that may wrap is not vectorised
        a, b, c, e = 0.0, 0.0, 0.0, 0.0
        for j in range(X.shape[1]):
            a += first[j] * w[j]
            b += second[j] * w[j]
            c += third[j] * w[j]
            e += fourth[j] * w[j]
        z[i], z[i + 1], z[i + 2], z[i + 3] = a, b, c, e
    for i in range(whole, n):
        a = 0.0
        for j in range(X.shape[1]):
            a += X[i, j] * w[j]
        z[i] = a


@compiled
def spread_dense(X: Any, r: Any, g: Any) -> None:
    """Four rows at a time, so that g is read and written a quarter as often; asks for the other halves."""
    n = X.shape[0]
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        expect(X, n + i + 2, n + i + 4)
        first, second, third, fourth = X[i], X[i + 1], X[i + 2], X[i + 3]
        a, b, c, e = r[i], r[i + 1], r[i + 2], r[i + 3]
        for j in range(X.shape[1]):
            g[j] += (a * first[j] + b * second[j]) + (c * third[j] + e * fourth[j])
    for i in range(whole, n):
        for j in range(X.shape[1]):
            g[j] += r[i] * X[i, j]


def room(rows: Any) -> Any:
    """Room for a number a row of a block: as many rows as stay in the second-level cache."""
    if isinstance(rows, CSR):
        row = len(rows.data) * (rows.data.itemsize + rows.indices.itemsize) / (len(rows.indptr) - 1)
    else:
        row = rows.X.shape[1] * rows.X.itemsize
    return np.empty(min(max(int(CACHED / max(row, 1)), 8), 1024))
