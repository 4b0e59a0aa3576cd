"""What a walk is held against: the optimum, the stable limits, and the tools that a user would otherwise take."""

from fallline.reference.limits import Limits, limits_of
from fallline.reference.optimum import Optimum, optimum_of

__all__ = ["Limits", "Optimum", "limits_of", "optimum_of"]
