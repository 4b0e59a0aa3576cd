"""A loss with corners, rounded: the average of the loss over a window of scores, for finding its optimum by Newton."""

from typing import Any, NamedTuple

from fallline.methods import derivative, value


class Smoothed(NamedTuple):
    """(1/2·width)·∫ loss(y, s) ds over s in z ± width (Steklov's average): smooth, convex, and within slope·width/2.

    Its derivative is a difference of the loss's values and its curvature one of the loss's slopes, so every loss has it.
    `value` is the loss's own: steps are judged by what counts.
    """

    loss: Any
    width: float

    def value(self, y: float, z: float) -> float:
        return value(self.loss, y, z)

    def derivative(self, y: float, z: float) -> float:
        return (value(self.loss, y, z + self.width) - value(self.loss, y, z - self.width)) / (2.0 * self.width)

    def curvature(self, y: float, z: float) -> float:
        rise = derivative(self.loss, y, z + self.width) - derivative(self.loss, y, z - self.width)
        return rise / (2.0 * self.width)

    def accepts(self, y: float) -> bool:
        return bool(self.loss.accepts(y))

    def mean(self, z: float) -> float:
        return float(self.loss.mean(z))

    def smooth(self) -> bool:
        return True
