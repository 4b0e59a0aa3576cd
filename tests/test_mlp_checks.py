"""scikit-learn's own checks of the networks, all of them, with no expected failure."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from fallline import MLPClassifier, MLPRegressor


@parametrize_with_checks([MLPClassifier(), MLPRegressor()])
def test_scikit_learns_check_passes(estimator, check):
    check(estimator)
