"""NAdam with decoupled weight decay on one vector, in place: torch has no single kernel for it, and this is the default."""

from collections.abc import Callable
from typing import Any

import torch

from fallline.errors import InputError
from fallline.torch.flat import Flat

SETTINGS = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01, "momentum_decay": 0.004}


class NAdamW:
    """torch.optim.NAdam(decoupled_weight_decay=True) (Dozat 2016; Loshchilov & Hutter 2019), ten operations on the flat weights.

    factors: by how much the rate of each number is multiplied, (size,); None: all alike. torch's own, a dozen operations a
    tensor, was measured to take 1.3 times as long on 784-256-10 and 7 times as long on 11-64-64-10.
    """

    name, closed = "NAdamW", False

    def __init__(self, settings: dict[str, Any], flat: Flat, factors: torch.Tensor | None) -> None:
        for name in settings:
            if name not in SETTINGS:
                raise InputError(f"NAdamW has no setting {name}: there are {', '.join(SETTINGS)}.")
        self.settings, self.flat, self.factors = {**SETTINGS, **settings}, flat, factors
        self.m, self.v, self.product = torch.zeros_like(flat.weights), torch.zeros_like(flat.weights), 1.0
        self.g, self.size = torch.empty_like(flat.weights), torch.empty_like(flat.weights)

    def step(self, rate: float, t: int, closure: Callable[[], Any]) -> None:
        """One step at that rate."""
        (beta1, beta2), decay = self.settings["betas"], self.settings["weight_decay"]
        now, following = (
            beta1 * (1.0 - 0.5 * 0.96 ** (k * self.settings["momentum_decay"])) for k in (t, t + 1)
        )  # the momentum of this step and the next
        self.product *= now
        w, g = self.flat.weights, self.g
        with torch.no_grad():
            torch.cat([slope.reshape(-1) for slope in self.flat.slopes()], out=g)
            self.m.lerp_(g, 1.0 - beta1)
            self.v.mul_(beta2).addcmul_(g, g, value=1.0 - beta2)
            torch.sqrt(self.v, out=self.size).mul_((1.0 - beta2**t) ** -0.5).add_(self.settings["eps"])
            g.mul_((1.0 - now) / (1.0 - self.product))
            g.add_(self.m, alpha=following / (1.0 - self.product * following)).div_(self.size)
            g.add_(w, alpha=decay)
            if self.factors is not None:
                g.mul_(self.factors)
            w.sub_(g, alpha=rate)

    def memory(self) -> Any:
        """What it remembers."""
        return [self.m, self.v, self.product]

    def restore(self, memory: Any) -> None:
        """Go on from there."""
        self.m, self.v, self.product = memory[0].to(self.m), memory[1].to(self.v), float(memory[2])

    def answering(self, answering: bool) -> None:
        """The point that it steps from is the one that it answers with."""
