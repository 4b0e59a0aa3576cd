"""Adam and its family: a running mean m of the gradient over a running size √v of it, both started without bias.

`begin` returns what corrects the bias of zero starts, 1 − betaᵗ, so that it is computed once a step. Everywhere eps is
added after the root, as in torch.optim. Kingma & Ba (2015) is the source where none is named.
"""

from typing import Any, NamedTuple


class Adam(NamedTuple):
    """update = m̂/(√v̂ + eps): the mean gradient over its typical size (Kingma & Ba 2015, alg. 1)."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def start(self, w: Any) -> Any:
        return (0.0 * w, 0.0 * w)

    def begin(self, t: Any, g: Any) -> Any:
        return 1.0 - self.beta1**t, (1.0 - self.beta2**t) ** 0.5

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        m = self.beta1 * memory[0] + (1.0 - self.beta1) * g
        v = self.beta2 * memory[1] + (1.0 - self.beta2) * g * g
        return m / c[0] / (v**0.5 / c[1] + self.eps), (m, v)

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0 / (memory[1] ** 0.5 / c[1] + self.eps)


class AdamW(NamedTuple):
    """Adam's update + decay·w: weight decay that √v does not rescale (Loshchilov & Hutter 2019, alg. 2).

    decay pulls *every* parameter towards zero, the intercept too, as torch.optim.AdamW does; it is not the objective's
    penalty, so the walk rests near the objective's optimum and not at it.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decay: float = 0.01

    def start(self, w: Any) -> Any:
        return (0.0 * w, 0.0 * w)

    def begin(self, t: Any, g: Any) -> Any:
        return 1.0 - self.beta1**t, (1.0 - self.beta2**t) ** 0.5

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        m = self.beta1 * memory[0] + (1.0 - self.beta1) * g
        v = self.beta2 * memory[1] + (1.0 - self.beta2) * g * g
        return m / c[0] / (v**0.5 / c[1] + self.eps) + self.decay * w, (m, v)

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0 / (memory[1] ** 0.5 / c[1] + self.eps)


class AMSGrad(NamedTuple):
    """Adam over the *largest* size so far, so that rare gradients are not forgotten (Reddi, Kale & Kumar 2018)."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def start(self, w: Any) -> Any:
        return (0.0 * w, 0.0 * w, 0.0 * w)

    def begin(self, t: Any, g: Any) -> Any:
        return 1.0 - self.beta1**t, (1.0 - self.beta2**t) ** 0.5

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        m = self.beta1 * memory[0] + (1.0 - self.beta1) * g
        v = self.beta2 * memory[1] + (1.0 - self.beta2) * g * g
        top = memory[2]
        top = v * (v >= top) + top * (v < top)  # the larger of the two, for arrays and tensors too
        return m / c[0] / (top**0.5 / c[1] + self.eps), (m, v, top)

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0 / (memory[2] ** 0.5 / c[1] + self.eps)


class NAdam(NamedTuple):
    """Adam with Nesterov's look-ahead and a warmed-up momentum (Dozat 2016), in the form of torch.optim.NAdam.

    The momentum of step t is beta1·(1 − ½·0.96^(t·psi)). Its running product corrects the bias; the third memory holds
    one minus that product, so that it starts at zero like the others.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    psi: float = 0.004

    def start(self, w: Any) -> Any:
        return (0.0 * w, 0.0 * w, 0.0 * w)

    def begin(self, t: Any, g: Any) -> Any:
        now = self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.psi))
        following = self.beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1) * self.psi))
        return now, following, (1.0 - self.beta2**t) ** 0.5

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        m = self.beta1 * memory[0] + (1.0 - self.beta1) * g
        v = self.beta2 * memory[1] + (1.0 - self.beta2) * g * g
        corrected = 1.0 - (1.0 - memory[2]) * c[0]
        ahead = 1.0 - (1.0 - corrected) * c[1]
        update = ((1.0 - c[0]) / corrected * g + c[1] / ahead * m) / (v**0.5 / c[2] + self.eps)
        return update, (m, v, corrected)

    def gain(self, memory: Any, c: Any) -> Any:
        return (1.0 - c[0] + c[1]) / (memory[1] ** 0.5 / c[2] + self.eps)


class RAdam(NamedTuple):
    """Adam that waits until the size v can be trusted, instead of a warm-up (Liu et al. 2020, alg. 2)."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def start(self, w: Any) -> Any:
        return (0.0 * w, 0.0 * w)

    def begin(self, t: Any, g: Any) -> Any:
        left = self.beta2**t
        longest = 2.0 / (1.0 - self.beta2) - 1.0
        length = longest - 2.0 * t * left / (1.0 - left)
        if length <= 5.0:  # the variance of 1/√v is infinite up to 4; torch waits until 5
            return 1.0 - self.beta1**t, 0.0
        trust = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return 1.0 - self.beta1**t, (trust * (1.0 - left)) ** 0.5

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        m = self.beta1 * memory[0] + (1.0 - self.beta1) * g
        v = self.beta2 * memory[1] + (1.0 - self.beta2) * g * g
        size = c[1] / (v**0.5 + self.eps) if c[1] > 0.0 else 1.0
        return m / c[0] * size, (m, v)

    def gain(self, memory: Any, c: Any) -> Any:
        return c[1] / (memory[1] ** 0.5 + self.eps) if c[1] > 0.0 else 1.0


class Adamax(NamedTuple):
    """update = m̂/u with u ← max(beta2·u, |g| + eps): Adam in the largest norm (Kingma & Ba 2015, alg. 2)."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def start(self, w: Any) -> Any:
        return (0.0 * w, 0.0 * w)

    def begin(self, t: Any, g: Any) -> Any:
        return 1.0 - self.beta1**t

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        m = self.beta1 * memory[0] + (1.0 - self.beta1) * g
        faded, new = self.beta2 * memory[1], abs(g) + self.eps
        u = faded * (faded >= new) + new * (faded < new)
        return m / c / u, (m, u)

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0 / memory[1]
