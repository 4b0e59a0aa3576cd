"""What a part's method means to Numba: the method of the part's own class, compiled for the part's own type.

Numba gives every NamedTuple class a type of its own, so a kernel that calls `derivative(loss, y, z)` is compiled once
for each loss with the formula inlined, and cached on disk like any other.
"""

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.extending import overload

from fallline import methods

FAST = {"reassoc", "contract", "arcp", "nsz"}  # never "nnan" or "ninf": a walk that diverges must be seen to
OPTIONS: Any = {"fastmath": FAST, "error_model": "numpy", "forceinline": True}

compiled: Callable[..., Any] = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")


def stands_for(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate what chooses, from the arguments' types, the Python code that Numba compiles for `function`."""
    decorate: Callable[..., Any] = overload(function, jit_options=OPTIONS, strict=False)  # strict compares annotations
    return decorate


# The parameters' names must be those of the methods: Numba matches them by name.
stands_for(methods.value)(lambda self, y, z: self.instance_class.value)
stands_for(methods.derivative)(lambda self, y, z: self.instance_class.derivative)
stands_for(methods.curvature)(lambda self, y, z: self.instance_class.curvature)
stands_for(methods.cost)(lambda self, w: self.instance_class.cost)
stands_for(methods.pull)(lambda self, w: self.instance_class.pull)
stands_for(methods.prox)(lambda self, w, rate: self.instance_class.prox)
stands_for(methods.begin)(lambda self, t, g: self.instance_class.begin)
stands_for(methods.update)(lambda self, g, w, memory, c: self.instance_class.update)
stands_for(methods.gain)(lambda self, memory, c: self.instance_class.gain)
stands_for(methods.at)(lambda self, t: self.instance_class.at)
stands_for(methods.weight)(lambda self, t: self.instance_class.weight)
stands_for(methods.dot)(lambda self, i, w: self.instance_class.dot)
stands_for(methods.push)(lambda self, i, scale, g: self.instance_class.push)
