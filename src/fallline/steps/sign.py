"""Rules that look at the gradient's sign alone."""

from typing import Any, NamedTuple

NEVER_ZERO = 1e-12  # a resting coordinate has m = 0; its gain is then large, not infinite


class Lion(NamedTuple):
    """update = sign(beta1·m + (1 − beta1)·g) + decay·w, then m ← beta2·m + (1 − beta2)·g (Chen et al. 2023, alg. 2).

    Every coordinate moves by the whole rate each step, so it rests only when the rate falls.
    """

    beta1: float = 0.9
    beta2: float = 0.99
    decay: float = 0.0

    def start(self, w: Any) -> Any:
        return (0.0 * w,)

    def begin(self, t: Any, g: Any) -> Any:
        return 0.0

    def update(self, g: Any, w: Any, memory: Any, c: Any) -> Any:
        u = self.beta1 * memory[0] + (1.0 - self.beta1) * g
        sign = (u > 0) * 1.0 - (u < 0) * 1.0 + 0.0 * u  # 0·u keeps u's type, and lets a NaN through
        m = self.beta2 * memory[0] + (1.0 - self.beta2) * g
        return sign + self.decay * w, (m,)

    def gain(self, memory: Any, c: Any) -> Any:
        return 1.0 / (abs(memory[0]) + NEVER_ZERO)
