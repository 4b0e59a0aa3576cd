"""Objectives: what can be walked down. Linear models, one score a row or one a class, and any function of a vector."""

from fallline.objectives.classes import balanced, by_class
from fallline.objectives.function import Function
from fallline.objectives.linear import Linear
from fallline.objectives.softmax import SoftmaxRegression

__all__ = ["Function", "Linear", "SoftmaxRegression", "balanced", "by_class"]
