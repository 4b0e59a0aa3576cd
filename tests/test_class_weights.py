"""Class weights: weights of rows by another name."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from fallline.errors import InputError
from fallline.losses import LogLoss
from fallline.objectives import Linear, balanced, by_class
from fallline.penalties import L2

LABELS = {"words": np.array(["no", "no", "yes", "no", "maybe", "yes"]), "numbers": np.array([-1.0, -1, 1, -1, -1, -1])}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("weights", [None, np.array([1.0, 2.0, 0.5, 3.0, 1.0, 0.0])], ids=["alike", "weighted"])
def test_balanced_classes_are_those_of_scikit_learn(kind, weights):
    y = LABELS[kind]
    theirs = compute_class_weight("balanced", classes=np.unique(y), y=y, sample_weight=weights)
    assert list(balanced(y, weights).values()) == pytest.approx(theirs)
    whole = by_class(y, balanced(y, weights), weights)
    totals = [whole[y == label].sum() for label in np.unique(y)]
    assert totals == pytest.approx([totals[0]] * len(totals))  # which is what balanced means


def test_class_weights_multiply_row_weights():
    y = LABELS["words"]
    theirs = compute_sample_weight({"yes": 3.0, "no": 0.5}, y[y != "maybe"])
    assert by_class(y, {"yes": 3.0, "no": 0.5})[y != "maybe"] == pytest.approx(theirs)
    assert by_class(y, {"yes": 3.0}, np.arange(6.0)) == pytest.approx([0, 1, 6, 3, 4, 15])


def test_a_class_of_weight_two_is_a_class_with_every_row_twice():
    rng = np.random.default_rng(0)
    X, y, w = rng.standard_normal((40, 2)), np.where(rng.random(40) < 0.3, 1.0, -1.0), np.array([0.3, -1.0, 0.2])
    again = np.concatenate([np.arange(40), np.flatnonzero(y > 0)])
    weighted = Linear(X, y, LogLoss(), L2(0.1), weights=by_class(y, {1.0: 2.0}))
    assert weighted.value(w) == pytest.approx(Linear(X[again], y[again], LogLoss(), L2(0.1)).value(w), rel=1e-12)


def test_class_weights_that_mean_nothing_are_refused():
    y = LABELS["words"]
    with pytest.raises(InputError, match="'perhaps', which no row has"):
        by_class(y, {"perhaps": 2.0})
    for factor in (-1.0, float("nan"), float("inf"), "much"):
        with pytest.raises(InputError, match="the class 'yes' is"):
            by_class(y, {"yes": factor})
    with pytest.raises(InputError, match="'maybe' have weight 0"):
        balanced(y, [1, 1, 1, 1, 0, 1])
