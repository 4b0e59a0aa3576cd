"""The cost surface over two parameters, or over the plane that holds the most of the paths, with the paths on it.

This is the engine's side: it asks the objective for heights. What it hands on is numbers, which figures draw.
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fallline.errors import InputError
from fallline.rows import table
from fallline.trace import Trace

Array = np.ndarray[Any, Any]

POINTS = 41  # grid points a side
POINTS_SURVEYED = 21  # of an objective that surveys its heights itself: a network, each of whose points is a pass
PATH_POINTS = 120  # of a path: more than a screen tells apart
WORK = 2e8  # losses of single rows that a grid may take (about a second); beyond it a sample of the rows stands in
WIDE = 32  # columns beyond which a row's loss takes time in proportion to them
CHUNK = 256  # grid points at a time, so that wide models do not fill the memory
MARGIN = 0.1  # of the paths' extent, around them
LEVELS = 12  # contour lines
LOWEST_LEVEL = 1e-3  # of the way from the lowest place up to the highest of the grid


class PathOnPlane(NamedTuple):
    """A walk, seen from above the plane."""

    name: str
    variant: str
    rate: float | None
    x: Array  # (k,) where it is along the first axis
    y: Array  # (k,)
    heights: Array  # (k,) the loss where it truly is, which may be off the plane
    ground: Array  # (k,) the drawn surface below
    visits: Array  # (k,) rows visited
    left: bool  # whether it leaves the picture; its last point is then on the edge
    gap: float  # the most that the true height is above or below the drawn surface


class Surface(NamedTuple):
    """Heights over a grid of two axes, and the paths on it."""

    kind: str  # "exact": all there is; "chosen": two parameters of more; "plane": the one that holds most of the paths
    names: tuple[str, str]  # of the axes
    x: Array  # (points,)
    y: Array  # (points,)
    heights: Array  # (points, points), a row one y
    lowest: float  # height from which levels count
    levels: tuple[float, ...]  # contour lines above the lowest, evenly spaced on a logarithmic scale
    best: tuple[float, float]  # the lowest point known
    optimum: bool  # whether that is the optimum, or only the lowest point of the paths
    start: tuple[float, float]
    paths: tuple[PathOnPlane, ...]
    left_out: float  # share of the paths' squared distance from the best point that is off the plane
    rows: int  # that the heights were taken on
    n: int  # rows that there are
    of: float  # that heights could be taken on; infinite where a function makes them
    error: float = 0.0  # standard error of a height, in the median, where they were taken on some of the rows


def surface_of(
    objective: Any,
    traces: Sequence[Trace],
    choose: tuple[int | str, int | str] | None = None,
    points: int | None = None,
    best: Array | None = None,
    directions: Array | None = None,
) -> Surface:
    """The cost surface around `traces`.

    Exact where there are two parameters. Of more, over the two that `choose` names (positions in w, or columns; the
    others stay at the best point), over the two `directions` (2, size) from the best point (Net.filtered gives random
    ones), or else over the plane through the best point that holds the most of the paths.
    `best` is the optimum; without it, the lowest point of any path. Raises InputError where there is no plane to draw:
    one parameter, no path, an unknown name.
    """
    walks = [trace for trace in traces if len(trace.points)]
    if not walks:
        raise InputError("The traces keep no paths (too many parameters for it): a cost surface cannot be drawn.")
    size = walks[0].path.shape[1]
    if size < 2:
        raise InputError("The model has one parameter: a cost surface needs two; plot the loss curve instead.")
    kept = [_thinned(len(trace)) for trace in walks]
    centre = _lowest_point(walks) if best is None else np.asarray(best, float)
    sane = [trace.path[keep] for trace, keep in zip(walks, kept, strict=True) if not _ran_away(trace)]
    cloud = np.concatenate(sane or [trace.path[:1] for trace in walks]) - centre
    labels = parameter_names(walks[0].about.get("columns") or [], size)
    if hasattr(objective, "owners"):
        labels = objective.owners()
    kind, names, basis, origin = _frame(cloud, centre, labels, choose, directions)
    flat = [(trace.path[keep] - origin) @ basis.T for trace, keep in zip(walks, kept, strict=True)]
    anchor = (centre - origin) @ basis.T
    calm = [path for path, trace in zip(flat, walks, strict=True) if not _ran_away(trace)]
    low, high = _bounds(calm or [path[:1] for path in flat], anchor)
    if directions is not None:  # as far as the directions reach: what is a filter's length in each
        reach = np.linalg.norm(directions, axis=1)
        low, high = anchor - reach, anchor + reach
    points = points or (POINTS_SURVEYED if hasattr(objective, "survey") else POINTS)
    x, y = (np.linspace(low[axis], high[axis], points) for axis in (0, 1))
    heights, error, rows, of = _heights_of(objective, origin, basis, x, y, centre)
    floor = min(float(heights.min()), float(objective.value(centre)) if rows == of else np.inf)
    top = max(float(heights.max()) - floor, np.finfo(float).tiny)
    return Surface(
        kind=kind,
        names=names,
        x=x,
        y=y,
        heights=heights,
        lowest=floor,
        levels=tuple(np.geomspace(LOWEST_LEVEL * top, top, LEVELS + 1)[:-1].tolist()),
        best=(float(anchor[0]), float(anchor[1])),
        optimum=best is not None,
        start=(float(flat[0][0, 0]), float(flat[0][0, 1])),
        paths=tuple(
            _on_plane(trace, keep, path, (low, high), (x, y, heights))
            for trace, keep, path in zip(walks, kept, flat, strict=True)
        ),
        left_out=_left_out(cloud, basis),
        rows=rows,
        n=objective.n,
        of=of,
        error=error,
    )


def parameter_names(columns: Sequence[Any], size: int) -> list[str]:
    """A name for each of w: the columns, then the intercepts; class by class where there are several."""
    columns = [str(name) for name in columns]
    if columns and size in (len(columns), len(columns) + 1):
        return [*columns, "intercept"][:size]
    if columns and size % len(columns) in (0, size // (len(columns) + 1)) and size > len(columns):
        classes = size // len(columns) if size % len(columns) == 0 else size // (len(columns) + 1)
        names = [f"{name} for class {k}" for k in range(classes) for name in columns]
        return [*names, *(f"intercept for class {k}" for k in range(classes))][:size]
    return [f"w[{j}]" for j in range(size)]


def _frame(
    cloud: Array, centre: Array, labels: list[str], choose: tuple[int | str, int | str] | None, directions: Array | None
) -> tuple[str, tuple[str, str], Array, Array]:
    """Kind, axis names, basis (2, size) and the point that has coordinates (0, 0)."""
    size = len(centre)
    if choose is not None or size == 2:
        j, k = (0, 1) if choose is None else (_index(choose[0], labels), _index(choose[1], labels))
        if j == k:
            raise InputError(f"The surface was asked for over {labels[j]!r} twice: choose two different parameters.")
        origin = centre.copy()
        origin[[j, k]] = 0.0  # so that the axes read as the parameters themselves
        return "exact" if size == 2 else "chosen", (labels[j], labels[k]), np.eye(size)[[j, k]], origin
    if directions is not None:
        basis = np.linalg.qr(np.asarray(directions, float).T)[0].T
        basis *= np.sign((basis * directions).sum(axis=1))[:, None]
        return "directions", ("random direction 1", "random direction 2"), basis, centre
    axes = np.linalg.svd(cloud, full_matrices=len(cloud) < 2)[2][:2]
    first = cloud[0] @ axes.T  # the start goes to the upper left, whatever signs the decomposition has
    basis = axes * np.where(first * [-1.0, 1.0] < 0, -1.0, 1.0)[:, None]
    names = (f"direction 1, {_mainly(basis[0], labels)}", f"direction 2, {_mainly(basis[1], labels)}")
    return "plane", names, basis, centre


def _index(name: int | str, labels: list[str]) -> int:
    if isinstance(name, str) and name in labels:
        return labels.index(name)
    if not isinstance(name, str) and 0 <= name < len(labels):
        return int(name)
    some = ", ".join(labels[:8]) + (" …" if len(labels) > 8 else "")
    raise InputError(f"There is no parameter {name!r} to draw the surface over: the model has {some}.")


def _mainly(direction: Array, labels: list[str]) -> str:
    """The two names that most of the direction belongs to; those of a network's tensors stand for many numbers each."""
    shares: dict[str, float] = {}
    for label, square in zip(labels, (direction**2).tolist(), strict=True):
        shares[label] = shares.get(label, 0.0) + square
    return "mainly " + " and ".join(sorted(shares, key=lambda label: -shares[label])[:2])


def _thinned(looks: int) -> Array:
    """Which looks to keep: half of them evenly spread, half denser at the start."""
    if looks <= PATH_POINTS:
        return np.arange(looks)
    even, early = np.linspace(0, looks - 1, PATH_POINTS // 2), np.geomspace(1, looks, PATH_POINTS // 2) - 1
    return np.unique(np.round(np.concatenate([even, early])).astype(int))


def _ran_away(trace: Trace) -> bool:
    return bool(trace.about.get("diverged")) or not np.isfinite(trace.last("loss"))


def _lowest_point(walks: Sequence[Trace]) -> Array:
    losses = [np.nan_to_num(trace["loss"], nan=np.inf) for trace in walks]
    lowest = min(range(len(walks)), key=lambda k: float(losses[k].min()))
    point: Array = walks[lowest].path[int(losses[lowest].argmin())]
    return point


def _bounds(paths: Sequence[Array], anchor: Array) -> tuple[Array, Array]:
    """Lower and upper corner around all points, with a margin."""
    everything = np.concatenate([*paths, anchor[None]])
    low, high = everything.min(axis=0), everything.max(axis=0)
    extent = high - low
    extent = np.where(extent > 0, extent, max(float(extent.max()), 1.0))
    # neither side much shorter than the other: a needle of a picture shows nothing
    middle, half = (low + high) / 2, np.maximum(high - low, 0.25 * extent.max()) * (0.5 + MARGIN)
    return middle - half, middle + half


def _affordable(objective: Any, points: int, size: int) -> tuple[Any, int]:
    """The objective on as many rows as the grid's work allows: all, or a sample that is the same every time."""
    rows = int(WORK / points**2 / max(1.0, size / WIDE))
    if objective.n <= rows or not hasattr(objective, "model"):
        return objective, objective.n
    model = objective.model
    keep = np.sort(np.random.default_rng(0).choice(objective.n, max(rows, 1), replace=False))
    weights = model.weights[keep]
    part = copy.copy(objective)
    part.model = model._replace(
        rows=_some_rows(model.rows, keep),
        y=model.y[keep],
        weights=weights * (len(keep) / weights.sum()),
        offset=model.offset[keep],
    )
    return part, len(keep)


def _some_rows(rows: Any, keep: Array) -> Any:
    if hasattr(rows, "X"):
        return table(rows.X[keep])
    import scipy.sparse as sp

    return table(sp.csr_array((rows.data, rows.indices, rows.indptr), shape=rows.shape())[keep])


def _heights_of(
    objective: Any, origin: Array, basis: Array, x: Array, y: Array, centre: Array
) -> tuple[Array, float, int, float]:
    """Heights over the grid, their standard error, the rows that they were taken on, and of how many."""
    if not hasattr(objective, "survey"):
        part, rows = _affordable(objective, len(x), len(centre))
        return _heights(part, origin, basis, x, y), 0.0, rows, objective.n
    points = (origin + np.array([across, along]) @ basis for along in y for across in x)
    found = objective.survey(points, len(x) * len(y), centre)
    finite = np.isfinite(found.heights)
    heights = np.where(finite, found.heights, found.heights[finite].max(initial=0.0))
    return heights.reshape(len(y), len(x)), float(np.median(found.errors)), found.rows, found.of


def _heights(objective: Any, origin: Array, basis: Array, x: Array, y: Array) -> Array:
    """(len(y), len(x)); where the loss overflows, the largest finite height stands in."""
    grid = np.stack([np.tile(x, len(y)), np.repeat(y, len(x))], axis=1)
    with np.errstate(all="ignore"):
        values = np.concatenate(
            [objective.values(origin + grid[k : k + CHUNK] @ basis) for k in range(0, len(grid), CHUNK)]
        )
    finite = np.isfinite(values)
    if not finite.any():
        raise InputError(
            "The loss is no finite number anywhere around the paths: scale the columns, or lower the rate."
        )
    return np.where(finite, values, values[finite].max()).reshape(len(y), len(x))


def _left_out(cloud: Array, basis: Array) -> float:
    """Share of the paths' squared distance from the best point that the two axes do not show."""
    total = float((cloud**2).sum())
    return max(0.0, 1.0 - float(((cloud @ basis.T) ** 2).sum()) / total) if total else 0.0


def _on_plane(
    trace: Trace, keep: Array, path: Array, box: tuple[Array, Array], grid: tuple[Array, Array, Array]
) -> PathOnPlane:
    heights, visits = trace["loss"][keep].astype(float), trace["visits"][keep].astype(float)
    path, heights, visits, left = _inside(path, heights, visits, *box)
    about = trace.about
    drawn = _height_at(path, *grid)
    gap = np.abs(heights - drawn)[:-1] if left else np.abs(heights - drawn)
    return PathOnPlane(
        name=str(about.get("name", "")) or "this run",
        variant=str(about.get("variant", "mini-batch")),
        rate=about.get("rate"),
        x=path[:, 0],
        y=path[:, 1],
        heights=heights,
        ground=drawn,
        visits=visits,
        left=left,
        gap=float(gap.max()) if len(gap) else 0.0,
    )


def _inside(path: Array, heights: Array, visits: Array, low: Array, high: Array) -> tuple[Array, Array, Array, bool]:
    """The path up to where it first leaves the box, with the point on the edge."""
    outside = ~np.isfinite(path).all(axis=1) | (path < low).any(axis=1) | (path > high).any(axis=1)
    k = int(np.argmax(outside))
    if not outside.any() or k == 0:
        return path, heights, visits, False
    step = path[k] - path[k - 1]
    if not np.isfinite(step).all():
        return path[:k], heights[:k], visits[:k], True
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(step > 0, (high - path[k - 1]) / step, np.where(step < 0, (low - path[k - 1]) / step, np.inf))
    share = float(room.min())

    def ending(values: Array) -> Array:
        return np.concatenate([values[:k], [values[k - 1] + share * (values[k] - values[k - 1])]])

    return ending(path), ending(heights), ending(visits), True


def _height_at(path: Array, x: Array, y: Array, heights: Array) -> Array:
    """The drawn surface under each point, bilinear between grid points."""
    i = np.clip(np.searchsorted(x, path[:, 0]) - 1, 0, len(x) - 2)
    j = np.clip(np.searchsorted(y, path[:, 1]) - 1, 0, len(y) - 2)
    p, q = (path[:, 0] - x[i]) / (x[i + 1] - x[i]), (path[:, 1] - y[j]) / (y[j + 1] - y[j])
    near = (1 - p) * heights[j, i] + p * heights[j, i + 1]
    far = (1 - p) * heights[j + 1, i] + p * heights[j + 1, i + 1]
    out: Array = (1 - q) * near + q * far
    return out
