"""Gradient descent that tunes itself and shows its work.

Names are loaded when they are first used: `import fallline` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "comparison",
    "Dense": "rows",
    "CSR": "rows",
    "Function": "objectives",
    "GDClassifier": "estimators",
    "GDRegressor": "estimators",
    "InputError": "errors",
    "Linear": "objectives",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "Model": "model",
    "Net": "torch",
    "Plan": "plan",
    "Run": "descent",
    "SGDClassifier": "estimators",
    "SGDRegressor": "estimators",
    "SoftmaxRegression": "objectives",
    "State": "descent",
    "Study": "comparison",
    "SURFACES": "functions",
    "Trace": "trace",
    "by_hand": "descent",
    "checkpointed": "fitting.kept",
    "compare": "comparison",
    "compiled": "executors.compiled",
    "descend": "descent",
    "load": "data",
    "maximize": "functions",
    "minimize": "functions",
    "quick": "solver",
    "solve": "solver",
}
__all__ = ["__version__", *sorted(_HOMES)]

if TYPE_CHECKING:
    from fallline.comparison import Comparison, Study, compare
    from fallline.data.load import load
    from fallline.descent import Run, State, by_hand, descend
    from fallline.errors import InputError
    from fallline.estimators import (
        GDClassifier,
        GDRegressor,
        MLPClassifier,
        MLPRegressor,
        SGDClassifier,
        SGDRegressor,
    )
    from fallline.executors.compiled import compiled
    from fallline.fitting.kept import checkpointed
    from fallline.functions.minimize import maximize, minimize
    from fallline.functions.surfaces import SURFACES
    from fallline.model import Model
    from fallline.objectives import Function, Linear, SoftmaxRegression
    from fallline.plan import Plan
    from fallline.rows import CSR, Dense
    from fallline.solver import quick, solve
    from fallline.torch import Net
    from fallline.trace import Trace


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fallline' has no attribute {name!r}")
    return getattr(import_module(f"fallline.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
