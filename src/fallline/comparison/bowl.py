"""What sketched curvature does: the cost surface over two coefficients, as the table has it and in the sketch's coordinates.

All other coefficients stay at the optimum, which makes the surface that of a model with two parameters: theirs is the
offset. Plain descent walks on it as the table has it; the same descent, at rate 1, in u = R·(w − w*), with RᵀR the
curvature of a sample of the rows. What comes out is numbers, which figures/bowl.py draws.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg as la

from fallline.bowl import Bowl, Panel
from fallline.executors.newton import lasso_of
from fallline.losses import LogLoss, Softmax
from fallline.losses.smoothed import Smoothed
from fallline.objectives import Linear
from fallline.objectives.hessian import hessian, table_whole
from fallline.objectives.variants import subset, with_loss
from fallline.reference import optimum_of
from fallline.solver import solver_for

Array = np.ndarray[Any, Any]

POINTS = 61  # grid points a side
ROWS = 20_000  # that the picture is drawn on, at most
FEW = 2_000  # rows that choose the two coefficients
CANDIDATES = 40  # coefficients that are looked at, those that weigh most
LONGEST = 10.0  # times as long as wide: a narrower valley cannot be seen
HEIGHT = 0.1  # of what there is to descend: how high the walks begin, at most
BENT = 0.25  # of that height: how far the surface at the start may be from what its curvature at the bottom says
LOWEST = 1e-9  # of the loss: a height below this is rounding
NEAR = 0.01  # of that height: where a walk ends
RATE = 0.9  # of the largest stable one: steps cross the valley and come back
SLOWEST = 0.05  # of the same
STEPS, TURNS = 500, 50  # at most, of plain descent and in the sketch's coordinates
WINDOW = 0.16  # of the targets' spread: over which a loss with corners is rounded, as after two of the solver's stages


def bowl_of(objective: Any, best: Array, names: Sequence[str], condition: float = math.nan) -> Bowl | None:
    """The picture's numbers, or None where fewer than two coefficients matter.

    best: the optimum. names: of its entries. condition: of the curvature over all coefficients there, if known.
    """
    chance = np.random.default_rng(0)
    keep = np.sort(chance.choice(objective.n, min(ROWS, objective.n), replace=False))
    part = objective if len(keep) == objective.n else subset(objective, keep)
    score = int(np.abs(_weights(objective, best)).sum(axis=1).argmax())
    pair = _telling_pair(part, _weights(objective, best)[score], chance)
    if pair is None:
        return None
    surface = _slice(part, best, score, pair)
    rounded = not surface.loss.smooth()
    if rounded:
        surface = with_loss(surface, Smoothed(surface.loss, WINDOW * (float(np.std(surface.model.y)) or 1.0)))
    bottom = optimum_of(surface).w
    drop = HEIGHT * (objective.value(objective.start()) - objective.value(best))
    if not drop > 0.0:
        return None
    wanted = getattr(solver_for(objective).sampler, "rows", objective.n)  # dual ascent sketches nothing: all rows then
    few = chance.choice(surface.n, min(wanted, surface.n), replace=False)
    H, sketch = (
        hessian(some, bottom) for some in (surface, surface if wanted >= objective.n else subset(surface, few))
    )
    values, vectors = np.linalg.eigh(H)
    R = la.cholesky(sketch)
    inverse = la.inv(R)
    floor = surface.value(bottom)

    def beginning() -> Array:
        return np.asarray(bottom + vectors @ np.sqrt(drop / values))  # half of the height along each axis of the valley

    while abs(surface.value(beginning()) - floor - drop) > BENT * drop and drop > LOWEST * abs(floor):
        drop /= 2.0
    start = beginning()
    lasso = lasso_of(surface)

    def plain(share: float) -> Any:
        rate = share * 2.0 / values[-1]
        return lambda w: np.asarray(surface.prox(w - rate * surface.gradient(w), rate))

    def along(w: Array) -> Array:
        step = inverse @ (inverse.T @ (surface.gradient(w) + lasso * np.sign(w)))
        while surface.value(w - step) > surface.value(w) and np.abs(step).max() > 1e-12 * np.abs(w).max():
            step = step / 2.0
        return np.asarray(w - step)

    def walk(move: Any, most: int) -> tuple[Array, bool]:
        path = [start]
        while (high := surface.value(path[-1]) > floor + NEAR * drop) and len(path) <= most:
            path.append(move(path[-1]))
        return np.array(path), not high

    def panel(path: Array, arrived: bool, R: Array, inverse: Array, curvature: Array) -> Panel:
        axis = 1.15 * math.sqrt(2.0 * drop / np.linalg.eigvalsh(curvature)[0]) * np.linspace(-1.0, 1.0, POINTS)
        grid = np.stack([np.tile(axis, POINTS), np.repeat(axis, POINTS)], axis=1)
        heights = surface.values(bottom + grid @ inverse.T).reshape(POINTS, POINTS) - floor
        spread = np.linalg.eigvalsh(inverse.T @ H @ inverse)
        return Panel(axis, axis, heights, (path - bottom) @ R.T, arrived, math.sqrt(spread[-1] / spread[0]))

    share, one = RATE, np.eye(2)
    while (
        not (crossing := walk(plain(share), STEPS))[1] and share > SLOWEST
    ):  # it bends more on the way than at the bottom
        share /= 2.0
    valley = panel(*crossing, one, one, H)
    valley = valley._replace(x=valley.x + bottom[0], y=valley.y + bottom[1], path=valley.path + bottom)
    return Bowl(
        names=(names[score * objective.model.d + pair[0]], names[score * objective.model.d + pair[1]]),
        valley=valley,
        bowl=panel(*walk(along, TURNS), R, inverse, one),
        levels=tuple((NEAR * drop * np.geomspace(1.0, 1.0 / NEAR, 7)).tolist()),
        share=share,
        whole=math.sqrt(condition) if condition >= 1.0 else math.nan,
        rounded=rounded,
        sketched=min(wanted, objective.n),
        rows=surface.n,
        n=objective.n,
    )


def _weights(objective: Any, w: Array) -> Array:
    """The coefficients, (scores, d)."""
    return w[: objective.penalised].reshape(objective.scores, objective.model.d)


def _telling_pair(objective: Any, weights: Array, chance: np.random.Generator) -> tuple[int, int] | None:
    """The two coefficients, of those that weigh most, over which the valley is the longest that a picture can show."""
    rows = np.sort(chance.choice(objective.n, min(FEW, objective.n), replace=False))
    some = table_whole(objective)[rows]
    sizes = np.sqrt(
        np.asarray(some.multiply(some).mean(axis=0)).ravel() if hasattr(some, "multiply") else (some**2).mean(axis=0)
    )
    chosen = np.argsort(-np.abs(weights) * sizes, kind="stable")[:CANDIDATES]
    chosen = chosen[(np.abs(weights) * sizes)[chosen] > 0.0]
    X = np.asarray(some[:, chosen].toarray() if hasattr(some, "toarray") else some[:, chosen], dtype=float)
    H = X.T @ X / len(X)

    def length(pair: tuple[int, int]) -> float:
        values = np.linalg.eigvalsh(H[np.ix_(pair, pair)])
        return math.sqrt(values[1] / max(values[0], 1e-300))

    lengths = {pair: length(pair) for pair in itertools.combinations(range(len(chosen)), 2)}
    if not lengths:
        return None
    fitting = [pair for pair in lengths if lengths[pair] <= LONGEST]
    j, k = max(fitting, key=lengths.__getitem__) if fitting else min(lengths, key=lengths.__getitem__)
    return int(chosen[j]), int(chosen[k])


def _slice(objective: Any, best: Array, score: int, pair: tuple[int, int]) -> Any:
    """The objective of those two coefficients alone, but for a constant, all others being at the optimum.

    Of several classes, one class against the others together: log Σ exp of their scores is then the other side's score.
    """
    model, table = objective.model, table_whole(objective)
    others = _weights(objective, best).copy()
    others[score, list(pair)] = 0.0
    free = best[objective.penalised :]
    z = np.asarray(table @ others.T) + (free if len(free) else 0.0) + model.offset.reshape(objective.n, -1)
    y, loss, offset = model.y, objective.loss, z[:, score]
    if isinstance(loss, Softmax):
        rest = np.delete(z, score, axis=1)
        peak = rest.max(axis=1)
        offset = offset - peak - np.log(np.exp(rest - peak[:, None]).sum(axis=1))
        y, loss = np.where(model.y == score, 1.0, -1.0), LogLoss()
    columns = table[:, list(pair)]
    return Linear(columns, y, loss, objective.penalty, weights=model.weights, offset=offset, intercept=False)
