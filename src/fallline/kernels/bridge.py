"""What a part's method means to Numba: the method of the part's own class, compiled for the part's own type.

Numba gives every NamedTuple class a type of its own, so a kernel that calls `derivative(loss, y, z)` is compiled once
for each loss with the formula inlined, and cached on disk like any other.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numba
from numba import njit, types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.extending import overload

from fallline import methods
from fallline.kernels.signals import uncut
from fallline.kernels.stamp import STAMP
from fallline.losses import LOSSES, MULTICLASS, Softmax
from fallline.notes import tell

FAST = {"reassoc", "contract", "arcp", "nsz"}  # never "nnan" or "ninf": a walk that diverges must be seen to
OPTIONS: Any = {"fastmath": FAST, "error_model": "numpy", "forceinline": True}


class Files(IndexDataCacheFile):
    """The files of one kernel's cache, with a name of its own for each piece of machine code.

    Numba numbers them by what the index holds; two processes that read the same index would take the same number, and one
    would run the other's code. And it reads the stamp together with the types that the index names, which fails where an
    upgrade removed one of them; the version before them is read alone, so the stamp is made a part of it.
    """

    def __init__(self, *where: Any, source_stamp: str) -> None:
        super().__init__(*where, source_stamp=source_stamp)
        self._version: str = f"{numba.__version__} {source_stamp}"

    def _data_name(self, number: int) -> str:
        return f"{super()._data_name(number)}.{uuid4().hex}"


class Cache(FunctionCache):
    """Numba's disk cache, made to notice every formula that goes into a kernel.

    By itself it looks only at the file that a kernel stands in, and would answer an edited loss with the old one. Here
    it is as old as all of fallline's formulas together (STAMP), and keeps combinations of fallline's own parts only: a
    part in somebody else's file is compiled once a process, since nothing would tell when that file changes.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = Files(self._cache_path, self._impl.filename_base, source_stamp=STAMP)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The machine code of one combination of types, or None, and it will be compiled; somebody may be waiting."""
        found = super().load_overload(sig, target_context)
        for kind in sig if found is None else ():
            if text := subject(kind):
                announce(text)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code of one combination of types."""
        if all(map(is_own, sig)):
            super().save_overload(sig, data)


def is_own(kind: Any) -> bool:
    """Whether a Numba type holds nothing but numbers, arrays and fallline's parts."""
    part = getattr(kind, "instance_class", None)
    own = not isinstance(kind, types.BaseNamedTuple) or part.__module__.startswith("fallline.")
    return own and all(map(is_own, kind.types if isinstance(kind, types.BaseTuple) else ()))


def subject(kind: Any) -> str:
    """What a Numba type is about if it is a model's: its loss, its storage, its floats."""
    names = getattr(kind, "fields", ())
    if "rows" not in names:
        return ""
    held = dict(zip(names, kind.types, strict=True))
    rows, loss = held["rows"], getattr(held.get("loss"), "instance_class", Softmax)
    name = next((name for name, part in {**LOSSES, **MULTICLASS}.items() if part is loss), loss.__name__)
    return f"{name} on {rows.instance_class.__name__.replace('Dense', 'dense')} {rows.types[0].dtype}"


@cache
def announce(text: str) -> None:
    """Say once that kernels are compiled."""
    tell(f"compiling kernels for {text}: once, then cached")


def folder() -> Path:
    """Where the machine code is kept."""
    return Path(compiled(subject)._cache.cache_path)


def compiled(function: Callable[..., Any], fastmath: Any = FAST) -> Any:
    """Compile `function` at its first call with each combination of types, and keep the machine code on disk."""
    kernel = njit(nogil=True, fastmath=fastmath, error_model="numpy")(function)
    kernel._cache = Cache(function)
    kernel.compile = uncut(kernel.compile)
    return kernel


def exactly(function: Callable[..., Any]) -> Any:
    """The same with every operation rounded as it stands there: for numbers that must be the nearest to what was written."""
    return compiled(function, fastmath=False)


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
