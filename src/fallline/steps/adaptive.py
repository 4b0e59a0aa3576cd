"""Rules that give each coordinate its own length, from the size of its past gradients."""

from typing import Any, NamedTuple


class AdaGrad(NamedTuple):
    """v ← v + g², update = g/(√v + eps): rare columns keep long steps (Duchi, Hazan & Singer 2011, fig. 1)."""

    eps: float = 1e-10

    def start(self, w: Any) -> Any:
        return (0.0 * w,)

    def begin(self, t: Any, g: Any) -> Any:
        return 0.0

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        v = memory[0] + g * g
        return g / (v**0.5 + self.eps), (v,)

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0 / (memory[0] ** 0.5 + self.eps)


class RMSProp(NamedTuple):
    """v ← rho·v + (1 − rho)·g², update = g/(√v + eps): AdaGrad that forgets (Tieleman & Hinton 2012, lecture 6e)."""

    rho: float = 0.99
    eps: float = 1e-8

    def start(self, w: Any) -> Any:
        return (0.0 * w,)

    def begin(self, t: Any, g: Any) -> Any:
        return 0.0

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        v = self.rho * memory[0] + (1.0 - self.rho) * g * g
        return g / (v**0.5 + self.eps), (v,)

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0 / (memory[0] ** 0.5 + self.eps)


class Adadelta(NamedTuple):
    """update = √(u + eps)/√(v + eps)·g, with v and u the running means of g² and update² (Zeiler 2012, alg. 1).

    The units cancel, so the natural rate is 1; it starts very slowly, because u starts at zero.
    """

    rho: float = 0.9
    eps: float = 1e-6

    def start(self, w: Any) -> Any:
        return (0.0 * w, 0.0 * w)

    def begin(self, t: Any, g: Any) -> Any:
        return 0.0

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        v = self.rho * memory[0] + (1.0 - self.rho) * g * g
        update = (memory[1] + self.eps) ** 0.5 / (v + self.eps) ** 0.5 * g
        u = self.rho * memory[1] + (1.0 - self.rho) * update * update
        return update, (v, u)

    def gain(self, memory: Any, c: Any) -> Any:
        return (memory[1] + self.eps) ** 0.5 / (memory[0] + self.eps) ** 0.5
