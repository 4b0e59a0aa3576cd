"""A proven bound of how far a point is above the optimum: never below the truth, by whichever proof is closest.

- The Newton decrement (decrement.py), exact for least squares and by self-concordance for logistic, Poisson, Gamma and Tweedie
  losses and softmax: any penalty or none, up to 1,500 parameters. Costs a matrix of curvature and two passes.
- Duality with slopes moved by a Newton step (duality.py) for every other loss: any penalty or none, up to 1,500 parameters.
  Costs a few such matrices.
- Duality with the slopes as they are, for wider models of a loss with a conjugate under a penalty. Costs three passes.
- No prediction is better than a perfect one: the loss above that of a perfect prediction, for all. Costs nothing.
"""

from typing import Any, NamedTuple

import numpy as np

from fallline.executors.decrement import SELF_CONCORDANT, by_decrement
from fallline.executors.duality import by_class, by_duality
from fallline.kernels.conjugates import DUALS
from fallline.losses import Softmax, SquaredError
from fallline.objectives.coordinates import WIDEST
from fallline.objectives.floor import floor_of

Array = np.ndarray[Any, Any]

SLACK = 1e-9  # of the bound, for its own rounding
ROUNDING = 1e-15  # of the height: where the bound is a difference of two


class Bound(NamedTuple):
    """What is proven, and how."""

    value: float  # F(w) − F* is at most this
    proof: str


NOTHING = Bound(np.inf, "nothing")


def bound_of(objective: Any, w: Array, window: float = 0.0) -> Bound:
    """The lowest bound that is proven for w, absolute.

    window: that of the rounding, for a loss with corners, whose slopes at w are then between the corner's two.
    """
    height, kind = objective.value(w), type(objective.loss)
    proven = [Bound(height - floor_of(objective), "no prediction is better than a perfect one")]
    if isinstance(objective.loss, (SquaredError, *SELF_CONCORDANT)) and objective.size <= WIDEST:
        name = "the exact decrement" if kind is SquaredError else "the decrement, by self-concordance"
        proven.append(Bound(by_decrement(objective, w), name))
    if proven[-1].value == np.inf or len(proven) == 1:
        if kind is Softmax:
            proven.append(dual_bound(by_class(objective, w), height))
        elif kind in DUALS:
            proven.append(dual_bound(by_duality(objective, w, window), height))
    best = min(proven, key=value_of)
    return best._replace(value=max(best.value, 0.0) * (1.0 + SLACK))


def dual_bound(gap: float, height: float) -> Bound:
    """What a gap of the primal and a dual objective proves, the rounding of a difference of two such heights included."""
    return Bound(gap + ROUNDING * abs(height), "duality")


def value_of(bound: Bound) -> float:
    """What it says."""
    return bound.value
