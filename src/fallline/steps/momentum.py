"""Rules that step along the gradient or a running sum of it."""

from typing import Any, NamedTuple


class Plain(NamedTuple):
    """update = g: steepest descent (Cauchy 1847; stochastic: Robbins & Monro 1951)."""

    def start(self, w: Any) -> Any:
        return ()

    def begin(self, t: Any, g: Any) -> Any:
        return 0.0

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        return g, memory

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0


class Momentum(NamedTuple):
    """m ← beta·m + g, update = m: the heavy ball (Polyak 1964, eq. 9), in the form of torch.optim.SGD.

    A lasting gradient is multiplied by 1/(1 − beta): divide the rate accordingly when coming from plain steps.
    """

    beta: float = 0.9

    def start(self, w: Any) -> Any:
        return (0.0 * w,)

    def begin(self, t: Any, g: Any) -> Any:
        return 0.0

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        m = self.beta * memory[0] + g
        return m, (m,)

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0 / (1.0 - self.beta)


class Nesterov(NamedTuple):
    """m ← beta·m + g, update = g + beta·m: the gradient is seen from where momentum leads (Nesterov 1983).

    In the form of Sutskever et al. (2013), rewritten at the look-ahead point as in torch.optim.SGD(nesterov=True).
    """

    beta: float = 0.9

    def start(self, w: Any) -> Any:
        return (0.0 * w,)

    def begin(self, t: Any, g: Any) -> Any:
        return 0.0

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        m = self.beta * memory[0] + g
        return g + self.beta * m, (m,)

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0 / (1.0 - self.beta)
