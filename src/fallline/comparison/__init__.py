"""The main job: settings of gradient descent on one table, under one budget, with a verdict."""

from fallline.comparison.result import Comparison
from fallline.comparison.run import compare
from fallline.comparison.study import Study

__all__ = ["Comparison", "Study", "compare"]
