"""The methods of parts as functions: `derivative(loss, y, z)` is `loss.derivative(y, z)`.

Parts that hold other parts (a warm-up before any schedule, clipping before any rule) call these instead of the methods,
because compiled code cannot look a method up on a value. `kernels/bridge.py` tells Numba what each of them means; in
plain Python they are what they look like.
"""

from typing import Any


def value(self: Any, y: Any, z: Any) -> Any:
    """Loss of one row with target y and score z."""
    return self.value(y, z)


def derivative(self: Any, y: Any, z: Any) -> Any:
    """d value / dz."""
    return self.derivative(y, z)


def curvature(self: Any, y: Any, z: Any) -> Any:
    """d² value / dz²."""
    return self.curvature(y, z)


def cost(self: Any, w: Any) -> Any:
    """What the penalty adds for one coordinate."""
    return self.cost(w)


def pull(self: Any, w: Any) -> Any:
    """Derivative of the penalty's smooth part in one coordinate."""
    return self.pull(w)


def prox(self: Any, w: Any, rate: Any) -> Any:
    """Proximal step of the penalty's other part in one coordinate."""
    return self.prox(w, rate)


def begin(self: Any, t: Any, g: Any) -> Any:
    """What a step rule computes once a step, from the step's number and its whole gradient."""
    return self.begin(t, g)


def update(self: Any, g: Any, w: Any, memory: Any, c: Any) -> Any:
    """A gradient made into an update, and the memory after it."""
    return self.update(g, w, memory, c)


def gain(self: Any, memory: Any, c: Any) -> Any:
    """How many times itself a lasting gradient becomes under a step rule."""
    return self.gain(memory, c)


def at(self: Any, t: Any) -> Any:
    """The rate of step t (from 1)."""
    return self.at(t)


def weight(self: Any, t: Any) -> Any:
    """How much of the newest point goes into the average at step t (from 1)."""
    return self.weight(t)


def dot(self: Any, i: Any, w: Any) -> Any:
    """Row i of a table times the first entries of w, as many as the table has columns."""
    return self.dot(i, w)


def push(self: Any, i: Any, scale: Any, g: Any) -> None:
    """First entries of g += scale · row i of a table."""
    self.push(i, scale, g)
