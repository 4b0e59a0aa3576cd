"""Clipping: a bound on the gradient before any rule sees it (Pascanu, Mikolov & Bengio 2013)."""

from typing import Any, NamedTuple

from fallline.methods import begin, gain, update


class ClipNorm(NamedTuple):
    """g·min(1, limit/‖g‖) before `step`: the direction stays, the length is bounded, as torch's clip_grad_norm_."""

    step: Any
    limit: float = 1.0

    def start(self, w: Any) -> Any:
        return self.step.start(w)

    def begin(self, t: Any, g: Any) -> Any:
        norm = (g * g).sum() ** 0.5
        factor = 1.0 if norm <= self.limit else self.limit / norm
        return factor, begin(self.step, t, g * factor)

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        return update(self.step, g * c[0], w, memory, c[1])

    def gain(self, memory: Any, c: Any) -> Any:
        return c[0] * gain(self.step, memory, c[1])


class ClipValue(NamedTuple):
    """Each coordinate of g held within ±limit before `step`, as torch's clip_grad_value_: bends the direction."""

    step: Any
    limit: float = 1.0

    def start(self, w: Any) -> Any:
        return self.step.start(w)

    def begin(self, t: Any, g: Any) -> Any:
        return begin(self.step, t, g)

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        side = (g > self.limit) * 1.0 - (g < -self.limit) * 1.0 + 0.0 * g  # 0·g keeps g's type, and lets a NaN through
        return update(self.step, g * (abs(g) <= self.limit) + self.limit * side, w, memory, c)

    def gain(self, memory: Any, c: Any) -> Any:
        return gain(self.step, memory, c)
