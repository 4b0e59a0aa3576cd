"""Loss and slope of a row together, and its bend, in forms that the compiler can do for eight rows at once.

`math.exp` is a call, and a call in a loop keeps it from being vectorised: of the 12 ns that a row of 50 columns takes
in a full pass, two calls would be 5. The forms here are polynomials, right to the last bits of float64; a test holds
them to the parts.
"""

import math
from typing import Any

from numba import types
from numba.extending import intrinsic

from fallline.kernels.bridge import stands_for
from fallline.losses import LogLoss, Poisson
from fallline.methods import curvature, derivative, value

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.693147180369123816490  # ln 2 in two parts, so that k·ln 2 is exact (Cody & Waite 1980)
LN2_LOW = 1.90821492927058770002e-10
LOWEST, HIGHEST = -708.0, 709.0  # beyond, exp is no ordinary float64


def _bitcast(_: Any, bits: Any) -> Any:
    """The float64 that 64 bits stand for."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate


as_float: Any = intrinsic(_bitcast)


def exponential(x: Any) -> Any:
    """exp(x) for x from LOWEST to HIGHEST, beyond which it stays: 2ᵏ·eʳ with |r| ≤ ½ ln 2 and Taylor's series to r¹³."""


def log1p(e: Any) -> Any:
    """log(1 + e) for 0 ≤ e ≤ 1: twice the inverse hyperbolic tangent of e/(2 + e), its series to the 33rd power."""


@stands_for(exponential)
def _exponential(x: Any) -> Any:
    def series(x: Any) -> Any:
        x = LOWEST if x < LOWEST else HIGHEST if x > HIGHEST else x  # in this order not a number stays none
        k = math.floor(x * LOG2_E + 0.5)
        r = (x - k * LN2_HIGH) - k * LN2_LOW
        p = 1.0 / 6227020800.0
        p = p * r + 1.0 / 479001600.0
        p = p * r + 1.0 / 39916800.0
        p = p * r + 1.0 / 3628800.0
        p = p * r + 1.0 / 362880.0
        p = p * r + 1.0 / 40320.0
        p = p * r + 1.0 / 5040.0
        p = p * r + 1.0 / 720.0
        p = p * r + 1.0 / 120.0
        p = p * r + 1.0 / 24.0
        p = p * r + 1.0 / 6.0
        p = p * r + 0.5
        p = p * r + 1.0
        p = p * r + 1.0
        return p * as_float((int(k) + 1023) << 52)

    return series


@stands_for(log1p)
def _log1p(e: Any) -> Any:
    def series(e: Any) -> Any:
        s = e / (2.0 + e)
        q = s * s
        p = 1.0 / 33.0
        p = p * q + 1.0 / 31.0
        p = p * q + 1.0 / 29.0
        p = p * q + 1.0 / 27.0
        p = p * q + 1.0 / 25.0
        p = p * q + 1.0 / 23.0
        p = p * q + 1.0 / 21.0
        p = p * q + 1.0 / 19.0
        p = p * q + 1.0 / 17.0
        p = p * q + 1.0 / 15.0
        p = p * q + 1.0 / 13.0
        p = p * q + 1.0 / 11.0
        p = p * q + 1.0 / 9.0
        p = p * q + 1.0 / 7.0
        p = p * q + 1.0 / 5.0
        p = p * q + 1.0 / 3.0
        p = p * q + 1.0
        return 2.0 * s * p

    return series


def both(loss: Any, y: Any, z: Any) -> Any:
    """Value and derivative of a loss at once."""


@stands_for(both)
def _both(loss: Any, y: Any, z: Any) -> Any:
    return FORMS.get(loss.instance_class, _general)


def _general(loss: Any, y: Any, z: Any) -> Any:
    return value(loss, y, z), derivative(loss, y, z)


def _log_loss(loss: Any, y: Any, z: Any) -> Any:
    s = y * z
    e = exponential(-abs(s))
    return log1p(e) + (0.0 if s > 0.0 else -s), -y * (e if s > 0.0 else 1.0) / (1.0 + e)


def _poisson(loss: Any, y: Any, z: Any) -> Any:
    mean = exponential(z)
    return mean - y * z, mean - y


FORMS = {LogLoss: _log_loss, Poisson: _poisson}


def bend(loss: Any, y: Any, z: Any) -> Any:
    """Second derivative of a loss."""


@stands_for(bend)
def _bend(loss: Any, y: Any, z: Any) -> Any:
    return BENDS.get(loss.instance_class, _any_bend)


def _any_bend(loss: Any, y: Any, z: Any) -> Any:
    return curvature(loss, y, z)


def _log_loss_bend(loss: Any, y: Any, z: Any) -> Any:
    e = exponential(-abs(y * z))
    return e / ((1.0 + e) * (1.0 + e))


def _poisson_bend(loss: Any, y: Any, z: Any) -> Any:
    return exponential(z)


BENDS = {LogLoss: _log_loss_bend, Poisson: _poisson_bend}
