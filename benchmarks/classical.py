"""The line through 100 points, the way it is usually written, beside fallline: the walk, and the picture of its lines.

    python benchmarks/classical.py

The usual way: a NumPy loop that records the loss each iteration, for three variants at three rates, and one Plotly trace
for each of the 1,000 lines of one walk. Ours: the same nine walks with a full trace of every iteration, and the fan of
the same lines. Each time is the quickest of several in one warm process: kernels loaded, Plotly imported; both pictures
end as the JSON that a browser draws.
"""

import sys
import time
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from line_fit import ITERATIONS, RATES, START, VARIANTS, points, walk

from fallline.figures import draw_fan, fan_of
from fallline.objectives import Linear

REPEATS = 7
REPEATS_OF_LINES = 1  # it takes seconds


def main():
    """Measure both, print the table; returns {what: (the usual seconds, ours)}."""
    x, y = points()
    objective = Linear(x[:, None], y)
    settings = [(name, rate) for name in VARIANTS for rate in RATES]

    def usual_walks():
        return {(name, rate): numpy_loop(x, y, name, rate) for name, rate in settings}

    def our_walks():
        return {(name, rate): walk(objective, VARIANTS[name], rate) for name, rate in settings}

    theirs, ours = usual_walks(), our_walks()  # warm
    for rate in RATES:  # the same walk, or there is nothing to compare
        np.testing.assert_allclose(theirs["batch", rate][1], 2.0 * ours["batch", rate].trace["loss"], rtol=1e-9)
    lines, trace = theirs["batch", 0.01][0], ours["batch", 0.01].trace
    draw_fan(fan_of(x, y, trace)).to_json()
    times = {
        "nine walks": (quickest(usual_walks, REPEATS), quickest(our_walks, REPEATS)),
        "1,000 lines": (
            quickest(lambda: one_trace_a_line(x, y, lines).to_json(), REPEATS_OF_LINES),
            quickest(lambda: draw_fan(fan_of(x, y, trace)).to_json(), REPEATS),
        ),
    }
    for what, (usual, mine) in times.items():
        print(f"{what:12}  usual {usual * 1e3:9.1f} ms   fallline {mine * 1e3:7.1f} ms   ratio {usual / mine:6.1f}")
    return times


def numpy_loop(x, y, variant, rate):
    """Gradient descent as it is usually written: returns the coefficients and the loss of every iteration."""
    X = np.column_stack([x, np.ones_like(x)])
    chance = np.random.default_rng(0)
    theta = START.copy()
    thetas, losses = [theta.copy()], [np.mean((X @ theta - y) ** 2)]
    for _ in range(ITERATIONS):
        if variant == "batch":
            rows, targets = X, y
        else:
            picked = chance.choice(len(y), VARIANTS[variant].batch, replace=False)
            rows, targets = X[picked], y[picked]
        gradient = 2 / len(targets) * rows.T @ (rows @ theta - targets)
        theta = theta - rate * gradient
        thetas.append(theta.copy())
        losses.append(np.mean((X @ theta - y) ** 2))
    return np.array(thetas), np.array(losses)


def one_trace_a_line(x, y, thetas):
    """The fan of lines as it is usually drawn."""
    figure = go.Figure()
    figure.add_trace(go.Scatter(x=x, y=y, mode="markers"))
    ends = np.array([x.min(), x.max()])
    for k, (slope, intercept) in enumerate(thetas[1:]):
        line = {"color": f"rgba(0, 102, 166, {0.02 + 0.3 * k / ITERATIONS:.3f})"}
        figure.add_trace(go.Scatter(x=ends, y=intercept + slope * ends, mode="lines", line=line, showlegend=False))
    return figure


def quickest(action, repeats):
    """Seconds of the quickest of several goes."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    main()
