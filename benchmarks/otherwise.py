"""Runs of other kinds for findings to be held to: several classes, a hinge, an L1 penalty, a falling rate, an end by a rule.

The first three are not forecast: short trials of the same plan stand for forecasts, and what needs the curvature is not looked
at. Each kind is a sound run, as in faults.py, and the faults that it can have.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from fallline.losses import Hinge, LogLoss, Softmax, SquaredError
from fallline.penalties import L1
from fallline.stops import LossChange
from faults import Trial, sound
from sets import table


class Kind(NamedTuple):
    """A table, how it is run, and the faults that are planted."""

    table: str
    loss: Any
    faults: tuple[str, ...]
    penalty: Callable[[int], Any] = lambda n: None
    settings: Mapping[str, Any] = MappingProxyType({})
    stops: tuple[Any, ...] = ()

    def trial(self, rng: np.random.Generator) -> Trial | None:
        """Its sound run; None where there is none in 300 passes."""
        X, y = table(self.table)
        made = sound(np.asarray(X, float), y, self.loss, rng, self.penalty(len(y)), **self.settings)
        return made and made._replace(stops=self.stops)


WALKS = ("above the limit", "rate too small", "stopped early", "file order")
SIDES = (*WALKS, "unscaled", "leak")
NUMBERS = (*SIDES, "leak of two")
ENDS = (LossChange(1e-5, 5),)
RESTS = {
    "settings": {"variant": "batch", "batch_size": None, "step": "nesterov", "schedule": "constant"},
    "stops": ENDS,
}

KINDS = {
    "several classes, digits": Kind("digits", Softmax(), (*WALKS, "unscaled")),
    "several classes, wine": Kind("wine", Softmax(), (*WALKS, "unscaled")),
    "hinge, titanic": Kind("titanic", Hinge(), SIDES),
    "hinge, HTRU2": Kind("HTRU2", Hinge(), SIDES),
    "L1, red wine": Kind("red wine", SquaredError(), (*NUMBERS, "emptied"), lambda n: L1(0.01)),
    "L1, Elec2": Kind("Elec2", LogLoss(), (*SIDES, "emptied"), lambda n: L1(0.001)),
    "falling, red wine": Kind("red wine", SquaredError(), NUMBERS, settings={"schedule": "inverse_sqrt"}),
    "falling, titanic": Kind("titanic", LogLoss(), SIDES, settings={"schedule": "inverse_sqrt"}),
    "by a rule, red wine": Kind("red wine", SquaredError(), ("rate too small", "unscaled", "leak of two"), **RESTS),
    "by a rule, HTRU2": Kind("HTRU2", LogLoss(), ("rate too small", "unscaled", "leak"), **RESTS),
}
