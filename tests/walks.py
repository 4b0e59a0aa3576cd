"""Traces made by hand, whose every number a test can know."""

import numpy as np

from fallline.trace import Trace


def a_walk(losses, *, path=None, n=100, step=1, batch=100, seconds=None, **about):
    """A trace that looked after every `step` updates of `batch` rows and found these losses."""
    trace = Trace(n)
    looks = len(losses)
    t = np.arange(looks) * step
    trace.columns["t"] = t.tolist()
    trace.columns["visits"] = (t * batch).tolist()
    trace.columns["seconds"] = (np.linspace(0, 1, looks) if seconds is None else np.asarray(seconds)).tolist()
    trace.columns["loss"] = [float(loss) for loss in losses]
    for name in ("rate", "move", "size"):
        trace.columns[name] = [0.0] * looks
    trace.points = [] if path is None else list(np.asarray(path, float))
    trace.about = {
        "name": "batch · rate 0.1", "variant": "batch", "step": "plain", "rate": 0.1, "batch_size": batch, "seed": 0,
        "limit": 0.5, "optimum": 1.0, "scale": 2.0, "reason": "", "diverged": False, "d": 1, "loss": "squared_error",
        "columns": ["size"], **about,
    }  # fmt: skip
    return trace


def halving(looks=11, **about):
    """From 3 towards the optimum 1, half of the rest at every look: the relative excess is 2⁻ᵏ."""
    return a_walk(1.0 + 2.0 * 0.5 ** np.arange(looks), **about)


def running_away(looks=6, rate=0.9, name="batch · rate 0.9", **about):
    """From 3, ten times further from the optimum at every look."""
    losses = 1.0 + 2.0 * 10.0 ** np.arange(looks)
    return a_walk(losses, diverged=True, rate=rate, name=name, **about)
