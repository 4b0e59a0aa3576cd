"""How close the solver says that it is, and how close it is: real tables × losses that fit × penalties × precisions.

    python benchmarks/estimate.py                every table but the largest; about half an hour
    python benchmarks/estimate.py wine abalone   those tables

For every fit at the default `tol`: the estimate that the trace ends with and the proven bound, over the true excess
F(w) − F*, and what the proof costs in time. F* is the lowest of `reference.optimum_of`, of the solver carried on to its end
and of all points met. Heights are sums of thousands of roundings, so an excess below ROUNDING of the height is not seen:
estimate, bound and truth are each raised to that before they are divided, so that a truth below it counts as met only if the
estimate is there too. Classes that are separable without a penalty have no optimum, and are counted apart.
"""

import math
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fallline import losses
from fallline.comparison.run import yardstick
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import L1, L2, ElasticNet, NoPenalty
from fallline.reference import optimum_of
from fallline.solver import solve
from sets import TABLES, table

ROUNDING = 1e-12
LARGE = ("KDD'99", "MNIST", "AG News TF-IDF")  # their optimum to all digits takes minutes a fit
TOL = 1e-4
FINE = 1e-13  # of the loss: how far the solver is carried on
FINE_ROUNDED = 1e-8  # the same for losses with corners, whose last digits are slow
