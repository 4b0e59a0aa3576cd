"""Fitting one model in a folder of its own: checkpoints, a log, and a way to go on after anything."""

from fallline.fitting.fit import Fit, fit, go_on
from fallline.fitting.kept import checkpointed
from fallline.fitting.recipe import Recipe

__all__ = ["Fit", "Recipe", "checkpointed", "fit", "go_on"]
