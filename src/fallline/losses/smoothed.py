"""A loss with corners, rounded: the average of the loss over a window of scores, which has a curvature to step by."""

from typing import Any, NamedTuple

from fallline.methods import derivative, value


class Smoothed(NamedTuple):
    """(1/2·width)·∫ loss(y, s) ds over s in z ± width (Steklov's average): smooth, convex, and never below the loss.

    Its derivative is a difference of the loss's values and its curvature one of the loss's slopes, so every loss has it.
    Its value is the loss's and what rounding adds: for one corner in the window, whose slope jumps by J at a distance
    δ < width, J·(width − δ)²/(4·width).
    """

    loss: Any
    width: float

    def value(self, y: float, z: float) -> float:
        low = derivative(self.loss, y, z - self.width)
        jump = derivative(self.loss, y, z + self.width) - low
        if jump <= 0.0:
            return value(self.loss, y, z)
        rise = value(self.loss, y, z + self.width) - value(self.loss, y, z - self.width)
        past = abs(2.0 * (rise / (2.0 * self.width) - low) / jump - 1.0)  # δ/width
        return value(self.loss, y, z) + 0.25 * jump * self.width * (1.0 - past) * (1.0 - past)

    def derivative(self, y: float, z: float) -> float:
        return (value(self.loss, y, z + self.width) - value(self.loss, y, z - self.width)) / (2.0 * self.width)

    def curvature(self, y: float, z: float) -> float:
        rise = derivative(self.loss, y, z + self.width) - derivative(self.loss, y, z - self.width)
        return rise / (2.0 * self.width)

    def accepts(self, y: Any) -> Any:
        return self.loss.accepts(y)

    def mean(self, z: float) -> float:
        return float(self.loss.mean(z))

    def smooth(self) -> bool:
        return True
