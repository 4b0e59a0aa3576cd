"""scikit-learn's own tests of its SGD classes, run against ours in their place: which fail, to the case."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = "sklearn.linear_model.tests.test_sgd"
SWAP = Path(__file__).parent / "dropin"  # replaces the classes before the suite is read

# Cases that fail, and why. docs/estimators.md says the same.
REFUSED = "scikit-learn hands back a model whose loss has grown 10²⁰-fold; ours is refused as diverged"
CUMULATED = "scikit-learn's L1 penalty is cumulated and catches up (Tsuruoka et al. 2009); ours is a proximal step"
ROUNDED = "compares an averaged walk and a plain one to 16 decimals; on sparse rows ours are two kernels, which round differently"
PRIVATE = "looks for a private class of scikit-learn, which ours never calls"
FAILING = {
    "test_warm_start[optimal-SGDRegressor]": REFUSED,
    "test_warm_start[optimal-SparseSGDRegressor]": REFUSED,
    "test_partial_fit_equal_fit[optimal-SGDRegressor]": REFUSED,
    "test_partial_fit_equal_fit[optimal-SparseSGDRegressor]": REFUSED,
    "test_underflow_or_overflow": REFUSED,
    "test_numerical_stability_large_gradient": REFUSED,
    "test_sgd_l1[SGDClassifier]": CUMULATED,
    "test_sgd_l1[SparseSGDClassifier]": CUMULATED,
    "test_late_onset_averaging_not_reached[SparseSGDClassifier]": ROUNDED,
    "test_late_onset_averaging_not_reached[SparseSGDRegressor]": ROUNDED,
    "test_validation_mask_correctly_subsets": PRIVATE,
}

# Not run here. The first three pass, in a minute each; the rest are about a third class, SGDOneClassSVM, and about private
# loss classes of scikit-learn, neither of which is ours.
LEFT_OUT = "all_backends or OneClass or one_class or oneclass or ocsvm or test_loss_ or gradient_squared_hinge"
LEAST = 190  # cases that pass, beside the three that take minutes


@pytest.mark.slow
def test_scikit_learns_own_tests_fail_in_the_known_cases_alone():
    paths = [str(SWAP), *sys.path]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "swap", "--pyargs", SUITE, "-q", "-rfp", "--tb=no", "-k", f"not ({LEFT_OUT})",
         "-c", os.devnull, "--rootdir", str(SWAP), "-p", "no:cacheprovider", "-p", "no:xdist"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    outcomes = re.findall(r"^(FAILED|PASSED|ERROR) \S*::(test_\w+(?:\[[^\]]*\])?)", found.stdout, re.MULTILINE)
    failed = {case for outcome, case in outcomes if outcome != "PASSED"}
    passed = {case for outcome, case in outcomes if outcome == "PASSED"}
    assert failed == set(FAILING), found.stdout[-3000:] + found.stderr[-1000:]
    assert len(passed) >= LEAST
