"""An interior point of a sum of corners: what each term gives to a Newton step on the central path, and takes from it.

A term is mass·(low·r + jump·max(0, r)), its r a score less the place of the corner. It is split into r = p − q with
p, q > 0; its slope low + a has 0 < a < jump, and b = jump − a. At the optimum p·b = q·a = 0; on the central path both are μ.
"""

import math
from typing import Any, NamedTuple

from fallline.kernels.bridge import compiled


class Sides(NamedTuple):
    """All terms, each (terms,)."""

    mass: Any
    low: Any
    jump: Any
    p: Any
    q: Any
    a: Any


class Moves(NamedTuple):
    """How far each goes on a full step, each (terms,)."""

    p: Any
    q: Any
    a: Any


@compiled
def centre(sides: Any, mu: Any) -> None:
    """p, q, a ← those with the p − q that is there for which p·b = q·a = mu: the roots of quadratic equations."""
    for i in range(sides.p.shape[0]):
        jump = sides.jump[i]
        c = jump * (sides.p[i] - sides.q[i])
        root = 2.0 * mu + math.sqrt(c * c + 4.0 * mu * mu)
        sides.p[i] = (root + c) / (2.0 * jump)
        sides.q[i] = (root - c) / (2.0 * jump)
        sides.a[i] = mu / sides.q[i]


@compiled
def cost(sides: Any) -> Any:
    """Σ mass·(low·r + jump·max(0, r))."""
    total = 0.0
    for i in range(sides.p.shape[0]):
        r = sides.p[i] - sides.q[i]
        total += sides.mass[i] * (sides.low[i] * r + sides.jump[i] * (0.5 * r + 0.5 * abs(r)))
    return total


@compiled
def bends(sides: Any, out: Any) -> None:
    """out ← mass times how much a term's slope turns with r."""
    for i in range(out.shape[0]):
        a = sides.a[i]
        b = sides.jump[i] - a
        out[i] = sides.mass[i] * (a * b / (sides.p[i] * a + sides.q[i] * b))


@compiled
def pulls(sides: Any, target: Any, moves: Any, out: Any) -> None:
    """out ← mass times the slope that each term will have, were r to stay: p·b and q·a go to `target`.

    moves: those of a first step, whose products are what a linear equation leaves out (Mehrotra 1992); zero for the first.
    """
    for i in range(out.shape[0]):
        p, q, a = sides.p[i], sides.q[i], sides.a[i]
        b = sides.jump[i] - a
        past = (target + moves.p[i] * moves.a[i]) / b - p - (target - moves.q[i] * moves.a[i]) / a + q
        out[i] = sides.mass[i] * (sides.low[i] + a - a * b / (p * a + q * b) * past)


@compiled
def step(sides: Any, target: Any, dr: Any, moves: Any) -> Any:
    """moves ← the step on which r moves by dr; returns how much of it can be gone until a p or q is zero, and an a or b."""
    primal, dual = math.inf, math.inf
    for i in range(dr.shape[0]):
        p, q, a = sides.p[i], sides.q[i], sides.a[i]
        b = sides.jump[i] - a
        up, down = target + moves.p[i] * moves.a[i], target - moves.q[i] * moves.a[i]
        da = a * b / (p * a + q * b) * (dr[i] - (up / b - p - down / a + q))
        dp, dq = (up + p * da) / b - p, (down - q * da) / a - q
        moves.p[i], moves.q[i], moves.a[i] = dp, dq, da
        primal = min(primal, -p / dp if dp < 0.0 else math.inf)
        primal = min(primal, -q / dq if dq < 0.0 else math.inf)
        dual = min(dual, -a / da if da < 0.0 else math.inf)
        dual = min(dual, b / da if da > 0.0 else math.inf)
    return primal, dual


@compiled
def apart(sides: Any, moves: Any, primal: Any, dual: Any) -> Any:
    """Σ mass·(p·b + q·a) after those shares of a step."""
    total = 0.0
    for i in range(sides.p.shape[0]):
        p, q = sides.p[i] + primal * moves.p[i], sides.q[i] + primal * moves.q[i]
        a = sides.a[i] + dual * moves.a[i]
        total += sides.mass[i] * (p * (sides.jump[i] - a) + q * a)
    return total


@compiled
def go(sides: Any, moves: Any, primal: Any, dual: Any, dr: Any) -> None:
    """Take those shares of the step. The larger of p and q follows from the other and r, so that r = p − q to the last digit."""
    for i in range(dr.shape[0]):
        r = sides.p[i] - sides.q[i] + primal * dr[i]
        p, q = sides.p[i] + primal * moves.p[i], sides.q[i] + primal * moves.q[i]
        sides.p[i] = q + r if r > 0.0 else p
        sides.q[i] = q if r > 0.0 else p - r
        sides.a[i] += dual * moves.a[i]
