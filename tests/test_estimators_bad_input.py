"""Bad input to the estimators: a sentence that names the place, or the right answer; never a wrong model."""

import contextlib
import datetime
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning

from fallline import GDClassifier, GDRegressor, SGDClassifier, SGDRegressor
from fallline.errors import DivergedError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Z = X @ [1.0, -2.0, 0.5] + 3.0
COUNTS = RNG.poisson(2.0, size=40).astype(float)
TWO = np.where(Z > 3.0, "yes", "no")
THREE = np.array(["a", "b", "c"])[np.digitize(Z, [2.0, 4.0])]


def at(row, column, value, X=X):
    """The table with one entry changed."""
    X = np.array(X, dtype=object if isinstance(value, str | None.__class__ | datetime.date) else float)
    X[row, column] = value
    return X


def of(y, row, value):
    y = np.array(y, dtype=object if isinstance(value, str | None.__class__) else y.dtype)
    y[row] = value
    return y


def frame(X):
    return pd.DataFrame(np.asarray(X), columns=["age", "height", "mass"])


# what is wrong → rows and target for fit, settings, and words of the sentence
REGRESSION = {
    "a NaN": (at(7, 1, np.nan), Z, {}, ["X", "NaN", "row 7", "column 1"]),
    "a NaN in a frame": (frame(at(7, 1, np.nan)), Z, {}, ["NaN", "row 7", '"height"']),
    "an infinity": (at(0, 2, np.inf), Z, {}, ["infinity", "row 0", "column 2"]),
    "minus infinity in float32": (at(39, 0, -np.inf).astype(np.float32), Z, {}, ["infinity", "row 39", "column 0"]),
    "a NaN in a sparse table": (sp.csr_array(at(5, 1, np.nan)), Z, {}, ["NaN", "row 5", "column 1"]),
    "a None": (at(3, 0, None), Z, {}, ["NaN", "row 3", "column 0"]),
    "text": (at(3, 0, "tall"), Z, {}, ["tall"]),
    "dates": (np.full((40, 3), np.datetime64("2020-01-01")), Z, {}, ["datetime64"]),
    "a column of dates": (frame(X).assign(born=pd.Timestamp("2020-01-01")), Z, {}, ["datetime64", "column 3"]),
    "a column of dates in polars": (
        pl.DataFrame(X).with_columns(born=datetime.date(2020, 1, 1)),
        Z,
        {},
        ["Date", "column 3"],
    ),
    "a date among numbers": (at(3, 0, datetime.date(2020, 1, 1)), Z, {}, ["date"]),
    "complex numbers": (X + 1j, Z, {}, ["Complex data not supported"]),
    "no rows": (X[:0], Z[:0], {}, ["0 sample"]),
    "no columns": (X[:, :0], Z, {}, ["0 feature"]),
    "one dimension": (X[:, 0], Z, {}, ["1D array", "reshape"]),
    "three dimensions": (X[:, :, None], Z, {}, ["dim 3"]),
    "rows of unlike length": ([[1.0, 2.0], [3.0]], [1.0, 2.0], {}, ["inhomogeneous"]),
    "more targets than rows": (X, np.append(Z, 1.0), {}, ["inconsistent numbers of samples", "40, 41"]),
    "no target": (X, None, {}, ["requires y"]),
    "two targets": (X, np.column_stack([Z, Z]), {}, ["1d array"]),
    "a target that is NaN": (X, of(Z, 4, np.nan), {}, ["y", "NaN", "row 4"]),
    "a target that is infinite": (X, of(Z, 4, np.inf), {}, ["y", "infinity", "row 4"]),
    "a target that is None": (X, of(Z, 4, None), {}, ["y", "NaN", "row 4"]),
    "a target of text": (X, TWO, {}, ["no"]),
    "a count below zero": (
        X,
        of(COUNTS, 6, -1.0),
        {"loss": "poisson"},
        ["y in row 6", "-1", "Poisson", "never negative"],
    ),
    "an amount of zero": (X, of(COUNTS + 1.0, 6, 0.0), {"loss": "gamma"}, ["y in row 6", "Gamma", "above zero"]),
    "an amount below zero": (X, of(COUNTS, 6, -2.0), {"loss": "tweedie"}, ["y in row 6", "-2", "Tweedie"]),
    "a loss of classes": (X, Z, {"loss": "hinge"}, ["y in row", "Hinge", "−1 and +1"]),
    "a negative weight": (X, Z, {"weight": of(np.ones(40), 9, -0.5)}, ["sample_weight in row 9", "-0.5", "negative"]),
    "a weight that is NaN": (X, Z, {"weight": of(np.ones(40), 9, np.nan)}, ["sample_weight in row 9", "nan"]),
    "weights that are all zero": (X, Z, {"weight": np.zeros(40)}, ["sample_weight", "zero"]),
    "too few weights": (X, Z, {"weight": np.ones(39)}, ["sample_weight", "(39,)", "40 rows"]),
    "weights of two columns": (X, Z, {"weight": np.ones((40, 2))}, ["sample_weight", "(40, 2)"]),
    "weights of text": (X, Z, {"weight": TWO}, ["sample_weight in row 0", "no number"]),
    "an unknown loss": (X, Z, {"loss": "hubert"}, ['"hubert"', '"huber"']),
    "an unknown penalty": (X, Z, {"penalty": "L2"}, ['"L2"', '"l2"']),
    "an unknown step": (X, Z, {"step": "adan"}, ['"adan"', '"adam"']),
    "an unknown schedule": (X, Z, {"step": "plain", "learning_rate": "cosin"}, ['"cosin"', '"cosine"']),
    "an unknown average": (X, Z, {"step": "plain", "average": "mean"}, ['"mean"', "tail"]),
    "a rate for the solver": (X, Z, {"eta0": 0.1}, ["automatic solver takes no rate"]),
    "rows a step for the solver": (X, Z, {"batch_size": 16}, ["automatic solver takes no variant"]),
    "a rate of zero": (X, Z, {"step": "plain", "eta0": 0.0}, ["eta0", "(0.0, inf)"]),
    "a rate that is text": (X, Z, {"step": "plain", "eta0": "fast"}, ["eta0", "'fast'"]),
    "a negative penalty": (X, Z, {"alpha": -1.0}, ["alpha", "-1.0"]),
    "a penalty that is NaN": (X, Z, {"alpha": float("nan")}, ["alpha", "nan"]),
    "a share above one": (X, Z, {"l1_ratio": 1.5}, ["l1_ratio", "1.5"]),
    "no rows a step": (X, Z, {"step": "plain", "batch_size": 0}, ["batch_size", "0"]),
    "no passes": (X, Z, {"max_epochs": 0}, ["max_epochs", "0"]),
    "a patience of zero": (X, Z, {"n_iter_no_change": 0}, ["n_iter_no_change", "0"]),
    "a share of nothing held back": (X, Z, {"validation_fraction": 0.0}, ["validation_fraction", "0.0"]),
    "all rows held back": (X[:2], Z[:2], {"early_stopping": True, "validation_fraction": 0.99}, ["test_size"]),
    "a tolerance below zero": (X, Z, {"tol": -1e-3}, ["tol", "-0.001"]),
    "a hook that is none": (X, Z, {"watch": "me"}, ["watch", "'me'"]),
    "a method that cannot": (X, Z, {"step": "lbfgs", "penalty": "l1"}, ["LBFGS", "smooth penalty"]),
}

CLASSES = {
    "one class": (X, np.full(40, "yes"), {}, ["one class", "yes"]),
    "classes that are numbers": (X, Z, {}, ["continuous"]),
    "classes that are missing": (X, of(TWO, 3, None), {}, ["y", "NaN", "row 3"]),
    "a weight for a class that is not": (X, TWO, {"class_weight": {"maybe": 2.0}}, ["'maybe'", "no row"]),
    "a weight of a class below zero": (X, TWO, {"class_weight": {"yes": -1.0}}, ["'yes'", "-1.0"]),
    "an unknown word for class weights": (X, TWO, {"class_weight": "equal"}, ['"equal"', '"balanced"']),
    "a loss of amounts": (X, TWO, {"loss": "gamma"}, ["Gamma"]),
    "one row of a class to hold back": (X, of(TWO, 0, "new"), {"early_stopping": True}, ["least populated class"]),
}


def refused(action, words):
    """The sentence of what `action` raises, having checked that it names all of `words`."""
    with pytest.raises((ValueError, TypeError, AttributeError)) as found:
        action()
    said = f"{found.value} {found.value.__cause__}"  # scikit-learn gives the reason why a method is missing as a cause
    for word in words:
        assert word in said


@pytest.mark.parametrize("case", REGRESSION)
def test_a_regressor_refuses(case):
    rows, y, settings, words = REGRESSION[case]
    settings = dict(settings)
    weights = settings.pop("weight", None)
    model = GDRegressor(**settings)
    refused(lambda: model.fit(rows, y, sample_weight=weights), words)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("case", CLASSES)
def test_a_classifier_refuses(case):
    rows, y, settings, words = CLASSES[case]
    model = GDClassifier(**settings)
    refused(lambda: model.fit(rows, y), words)
    assert not hasattr(model, "coef_")


STREAMING = {
    "no classes": (GDClassifier(), [(X, TWO, {})], ["classes"]),
    "one class": (GDClassifier(), [(X, TWO, {"classes": ["yes"]})], ["one class"]),
    "a class not named": (GDClassifier(), [(X, THREE, {"classes": ["a", "b"]})], ["y in row", "'c'"]),
    "other classes": (
        GDClassifier(),
        [(X, TWO, {"classes": ["no", "yes"]}), (X, TWO, {"classes": ["a", "b"]})],
        ["not the same as on the last call"],
    ),
    "another number of columns": (GDRegressor(), [(X, Z, {}), (X[:, :2], Z, {})], ["2 features", "3 features"]),
    "a NaN later": (GDRegressor(), [(X, Z, {}), (at(2, 1, np.nan), Z, {})], ["NaN", "row 2", "column 1"]),
    "early stopping": (GDRegressor(early_stopping=True), [(X, Z, {})], ["early_stopping", "partial_fit"]),
    "scaling": (GDRegressor(standardise=True), [(X, Z, {})], ["standardise", "partial_fit"]),
    "all rows a step": (GDRegressor(step="plain", batch_size="all"), [(X, Z, {})], ["batch_size", "partial_fit"]),
    "a method that needs all rows": (GDRegressor(step="saga"), [(X, Z, {})], ["saga", "partial_fit", "cocob"]),
    "a rate from all rows": (GDRegressor(step="schedule_free_sgd"), [(X, Z, {})], ["eta0"]),
    "a schedule that waits": (
        GDRegressor(step="plain", learning_rate="adaptive"),
        [(X, Z, {})],
        ["learning_rate", "partial_fit"],
    ),
    "L1 and rows a step": (GDRegressor(penalty="l1", batch_size=4), [(X, Z, {})], ["batch_size", "quick", "L1"]),
}


@pytest.mark.parametrize("case", STREAMING)
def test_a_stream_refuses(case):
    model, calls, words = STREAMING[case]
    *before, (rows, y, more) = calls
    for X_, y_, more_ in before:
        model.partial_fit(X_, y_, **more_)
    kept = getattr(model, "coef_", np.zeros(0)).copy()
    refused(lambda: model.partial_fit(rows, y, **more), words)
    np.testing.assert_array_equal(getattr(model, "coef_", np.zeros(0)), kept)


PREDICTING = {
    "more columns": (np.column_stack([X, X]), ["6 features", "3 features"]),
    "fewer columns": (X[:, :2], ["2 features", "3 features"]),
    "a NaN": (at(1, 1, np.nan), ["NaN", "row 1", "column 1"]),
    "one row as a vector": (X[0], ["1D array"]),
    "no rows": (X[:0], ["0 sample"]),
}


@pytest.mark.parametrize("case", PREDICTING)
@pytest.mark.parametrize("made", [GDRegressor, GDClassifier])
def test_a_fitted_model_refuses(case, made):
    rows, words = PREDICTING[case]
    model = made().fit(X, Z if made is GDRegressor else TWO)
    refused(lambda: model.predict(rows), words)


# tables that are odd and fine: what is done to the rows of a model, and to a plain fit's coefficients, must agree
SCALES = {"huge": 1e150, "tiny": 1e-150}
FINE = {
    "bool": (X > 0, (X > 0).astype(float)),
    "int8": ((10 * X).astype(np.int8), np.trunc(10 * X)),
    "huge ints": ((1e15 * X).astype(np.int64), np.trunc(1e15 * X)),
    "unsigned": ((100 + 10 * X).astype(np.uint64), np.trunc(100 + 10 * X)),
    "objects that are numbers": (X.astype(object), X),
    "float16": (X.astype(np.float16), X.astype(np.float16).astype(float)),
    "every other row, backwards": (np.repeat(X, 2, axis=0)[::-2], X[::-1]),
    "columns backwards": (X[:, ::-1], X[:, ::-1].copy()),
    "nullable integers": (pd.DataFrame((10 * X).astype(int)).astype("Int64"), np.trunc(10 * X)),
    "a matrix of duplicates": (np.column_stack([X, X]), np.column_stack([X, X])),
    "COO": (sp.coo_array(X), sp.csr_array(X)),
    "COO with duplicate entries": (
        sp.csc_array(
            (np.r_[X.ravel(), X.ravel()] / 2, (np.r_[np.repeat(range(40), 3), np.repeat(range(40), 3)], [0, 1, 2] * 80))
        ),
        sp.csr_array(X),
    ),
}


@pytest.mark.parametrize("case", FINE)
def test_an_odd_table_is_read_right(case):
    odd, plain = FINE[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, same = GDRegressor().fit(odd, Z), GDRegressor().fit(plain, Z)
    np.testing.assert_allclose(model.coef_, same.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.predict(odd), same.predict(plain), rtol=1e-8)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize(
    "settings", [{}, {"standardise": True}, {"step": "adam", "eta0": 0.3, "standardise": True, "tol": None}]
)
def test_scales_beyond_squaring_are_fitted_or_refused(scale, settings):
    model = GDRegressor(alpha=0.0, max_epochs=300, **settings)
    with contextlib.suppress(ValueError, DivergedError):
        model.fit(X * scale, Z)
    if hasattr(model, "coef_"):
        assert model.score(X * scale, Z) > 0.9


ADAM = {"step": "adam", "eta0": 0.3, "standardise": True, "max_epochs": 300, "tol": None}


def test_constant_and_empty_columns_do_no_harm():
    odd = np.column_stack([X, np.zeros(40), np.full(40, 5.0), np.full(40, 5e-324)])
    for settings in (
        {},
        {"standardise": True},
        {"step": "adam", "eta0": 0.3, "standardise": True, "max_epochs": 300, "tol": None},
    ):
        model = GDRegressor(**settings).fit(odd, Z)
        assert model.score(odd, Z) > 0.9
        np.testing.assert_allclose(model.coef_[3], 0.0, atol=1e-12)


def test_a_column_of_targets_is_flattened_with_a_warning():
    with pytest.warns(DataConversionWarning):
        model = GDRegressor().fit(X, Z[:, None])
    np.testing.assert_array_equal(model.coef_, GDRegressor().fit(X, Z).coef_)


def test_three_classes_under_hinge_are_one_against_the_rest():
    assert GDClassifier("hinge", alpha=1e-2).fit(X, THREE).coef_.shape == (3, 3)


def test_the_users_arrays_stay_as_they_are():
    rows, y, weights = X.copy(), TWO.copy(), np.ones(40)
    for array in (rows, y, weights):
        array.flags.writeable = False
    for model in (GDClassifier(class_weight="balanced"), GDClassifier("hinge", standardise=True, alpha=0.1)):
        model.fit(rows, y, sample_weight=weights)
    GDClassifier(class_weight="balanced").partial_fit(rows, y, classes=["no", "yes"], sample_weight=weights)


@pytest.mark.parametrize("made", [SGDRegressor, SGDClassifier])
def test_the_dropin_refuses_what_scikit_learns_accepts_in_silence(made):
    y = Z if made is SGDRegressor else TWO
    with pytest.raises(ValueError, match=r"overflow|diverged"):
        made(loss="squared_error", learning_rate="constant", eta0=1.0).fit(100.0 * X, y)
    with pytest.raises(ValueError, match="penalty=None"):
        made(loss="epsilon_insensitive" if made is SGDRegressor else "hinge", learning_rate="pa2").fit(X, y)
