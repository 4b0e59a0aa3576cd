"""Step rules: how a gradient becomes an update. `w ← w − rate·update`.

A rule is a part of plain arithmetic, one coordinate at a time, so floats, NumPy arrays, torch tensors and compiled
scalars all go through the same lines:

- `start(w) → memory`: a tuple of what it remembers from step to step, all zero; each rule as many as it needs;
- `begin(t, g) → c`: what depends on the step's number t (from 1) or the whole gradient, once a step;
- `update(g, w, memory, c) → (update, memory)`;
- `gain(memory, c)`: by how much a gradient that lasts is multiplied. A proximal step of length rate·gain has the same
  resting point as the objective, whatever the rule (Yun, Lozano & Yang 2021).

To add one: write the class, add the row.
"""

from fallline.steps.adam import Adam, Adamax, AdamW, AMSGrad, NAdam, RAdam
from fallline.steps.adaptive import Adadelta, AdaGrad, RMSProp
from fallline.steps.clipping import ClipNorm, ClipValue
from fallline.steps.momentum import Momentum, Nesterov, Plain
from fallline.steps.sign import Lion

STEPS = {
    "plain": Plain,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adadelta": Adadelta,
    "adam": Adam,
    "adamw": AdamW,
    "amsgrad": AMSGrad,
    "nadam": NAdam,
    "radam": RAdam,
    "adamax": Adamax,
    "lion": Lion,
}

__all__ = [
    "STEPS",
    "AMSGrad",
    "AdaGrad",
    "Adadelta",
    "Adam",
    "AdamW",
    "Adamax",
    "ClipNorm",
    "ClipValue",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Plain",
    "RAdam",
    "RMSProp",
]
