"""scikit-learn's own checks of an estimator, all of them, with no expected failure."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fallline import GDClassifier, GDRegressor

# At their defaults, and with a method and a step rule walked on all rows, where an integer weight is a repeated row.
ESTIMATORS = [
    GDRegressor(),
    GDClassifier(),
    GDClassifier(loss="squared_hinge"),
    GDRegressor(step="lbfgs"),
    GDClassifier(step="nesterov", batch_size="all", eta0=0.1, standardise=True, max_epochs=300),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_check_passes(estimator, check):
    check(estimator)
