"""scikit-learn's own checks of the networks, all of them, with no expected failure."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from fallline import MLPClassifier, MLPRegressor

# Not the default's 300 steps on tiny tables, which pass as well and take twice as long.
ESTIMATORS = [MLPClassifier(max_iter=60), MLPRegressor(max_iter=60)]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_check_passes(estimator, check):
    check(estimator)
