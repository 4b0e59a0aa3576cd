"""fallline as scikit-learn estimators: check the input, make a plan, walk, keep the trace. No mathematics in here.

`GDRegressor` and `GDClassifier` are fitted by the automatic solver unless told otherwise; `SGDRegressor` and
`SGDClassifier` take scikit-learn's arguments and walk as scikit-learn's do. docs/estimators.md says how they differ.
`MLPRegressor` and `MLPClassifier` are networks, by torch (docs/mlp.md).
"""

from fallline.estimators.classifier import GDClassifier
from fallline.estimators.mlp import MLPClassifier, MLPRegressor
from fallline.estimators.regressor import GDRegressor
from fallline.estimators.sgd import SGDClassifier, SGDRegressor

__all__ = ["GDClassifier", "GDRegressor", "MLPClassifier", "MLPRegressor", "SGDClassifier", "SGDRegressor"]
