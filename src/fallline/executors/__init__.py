"""Executors: ways to walk a segment, each with the signature of `descent.by_hand`.

`by_hand` and `compiled` walk any step rule. The rest are *methods*, which need more than a gradient and a memory, and bring
their own steps: a NamedTuple whose fields are its settings, that is called to walk a segment, and has

- `start(objective, w)`, its first memory; refuses an objective that it cannot walk down;
- `sampler(seed)`, the rows that it is meant to be given;
- `rate(objective)`, the rate that theory gives it there; 1 for a method that takes none or a factor.

What a method cannot honour it refuses (`executors/terms.py`). To add one: write the class, add the row.
"""

from typing import Any

from fallline.executors.barzilai_borwein import BarzilaiBorwein
from fallline.executors.katyusha import Katyusha
from fallline.executors.lbfgs import LBFGS
from fallline.executors.line_search import Armijo
from fallline.executors.polyak import Polyak
from fallline.executors.quick import Quick
from fallline.executors.rate_free import COCOB, DAdaptation, DoG, Prodigy, ScheduleFreeAdamW, ScheduleFreeSGD
from fallline.executors.saga import SAGA
from fallline.executors.sdca import SDCA
from fallline.executors.stochastic_search import StochasticArmijo, StochasticPolyak
from fallline.executors.svrg import SVRG
from fallline.schedules import Constant
from fallline.steps import Plain

METHODS = {
    "saga": SAGA,
    "svrg": SVRG,
    "katyusha": Katyusha,
    "sdca": SDCA,
    "lbfgs": LBFGS,
    "armijo": Armijo,
    "barzilai_borwein": BarzilaiBorwein,
    "polyak": Polyak,
    "stochastic_armijo": StochasticArmijo,
    "stochastic_polyak": StochasticPolyak,
    "dog": DoG,
    "prodigy": Prodigy,
    "d_adaptation": DAdaptation,
    "cocob": COCOB,
    "schedule_free_sgd": ScheduleFreeSGD,
    "schedule_free_adamw": ScheduleFreeAdamW,
    "quick": Quick,
}


def usual(method: Any, objective: Any, seed: int = 0) -> dict[str, Any]:
    """What `descend` needs beside a stop to walk down `objective` by `method` untuned: its rows, its rate, plain steps.

    Raises InputError where theory gives the method no rate for the objective.
    """
    return {
        "advance": method,
        "sampler": method.sampler(seed),
        "step": Plain(),
        "schedule": Constant(method.rate(objective)),
    }


__all__ = [
    "COCOB",
    "LBFGS",
    "METHODS",
    "SAGA",
    "SDCA",
    "SVRG",
    "Armijo",
    "BarzilaiBorwein",
    "DAdaptation",
    "DoG",
    "Katyusha",
    "Polyak",
    "Prodigy",
    "Quick",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "StochasticArmijo",
    "StochasticPolyak",
    "usual",
]
