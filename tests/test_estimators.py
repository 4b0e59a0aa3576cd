"""The scikit-learn estimators: right answers in the user's units, from any table, through pipelines, threads and storage."""

import io
import math
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
import sklearn
from sklearn import callback
from sklearn.base import clone
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fallline
from fallline import GDClassifier, GDRegressor, Linear
from fallline.errors import DivergedError, InputError
from fallline.losses import Huber, LogLoss
from fallline.objectives import passes
from fallline.penalties import L2, ElasticNet
from fallline.schedules import InverseSqrt
from fallline.steps import Adam

SAME = 1e-10  # dense and sparse sums of some hundred terms add in another order
REFERENCE = 1e-4  # of a coefficient's size: tol bounds the excess by 1e-10 of the loss, which is its square
TIGHT = {"tol": 1e-10}

DIABETES = load_diabetes(return_X_y=True, scaled=False)
CANCER = load_breast_cancer(return_X_y=True)
WINE = load_wine(return_X_y=True)


def answer(model):
    """All that a model predicts from, as bytes."""
    return np.asarray(model.coef_).tobytes() + np.asarray(model.intercept_).tobytes()


# --- the right answer, on raw columns ---------------------------------------------------------------------------------


def test_ridge_on_raw_columns_is_scikit_learns():
    X, y = DIABETES
    ours = GDRegressor(alpha=0.01, **TIGHT).fit(X, y)
    theirs = Ridge(alpha=0.01 * len(y)).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=REFERENCE)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=REFERENCE)


@pytest.mark.parametrize(("X", "y"), [CANCER, WINE], ids=["two classes", "three classes"])
def test_logistic_regression_on_raw_columns_is_scikit_learns(X, y):
    ours = GDClassifier(alpha=1e-3, **TIGHT).fit(X, y)
    theirs = LogisticRegression(C=1.0 / (1e-3 * len(y)), solver="newton-cholesky", tol=1e-10).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=REFERENCE)
    np.testing.assert_allclose(ours.predict_proba(X).sum(axis=1), 1.0)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X))


def test_counts_are_predicted_by_their_mean():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)) * [1.0, 10.0, 0.1]
    y = rng.poisson(np.exp(X @ [0.3, 0.05, 2.0]))
    ours = GDRegressor("poisson", alpha=1e-3, **TIGHT).fit(X, y)
    theirs = PoissonRegressor(alpha=1e-3, solver="newton-cholesky", tol=1e-10).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=REFERENCE)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "modified_huber", "perceptron"])
def test_margin_losses_learn_one_class_against_the_rest(loss):
    X, y = WINE
    model = GDClassifier(loss, alpha=1e-2, standardise=True).fit(X, y)
    assert model.coef_.shape == (3, X.shape[1])
    assert [trace.last("loss") < trace["loss"][0] for trace in model.trace_] == [True] * 3 or loss == "perceptron"
    assert hasattr(model, "predict_proba") == (loss == "modified_huber")
    if loss != "perceptron":  # whose w = 0 is optimal
        assert model.score(X, y) > 0.95
    for k, label in enumerate(model.classes_):
        alone = GDClassifier(loss, alpha=1e-2, standardise=True).fit(X, y == label)
        np.testing.assert_array_equal(alone.coef_[0], model.coef_[k])


def test_probabilities_of_log_loss_are_calibrated():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 5)) * [1, 100, 0.01, 5, 1]
    chances = 1.0 / (1.0 + np.exp(-(X / [1, 100, 0.01, 5, 1]) @ [1.0, -0.5, 0.5, 0.2, 0.0]))
    y = rng.uniform(size=len(X)) < chances
    told = GDClassifier(alpha=0.0).fit(X[:10_000], y[:10_000]).predict_proba(X[10_000:])[:, 1]
    happened, said = calibration_curve(y[10_000:], told, n_bins=5)
    assert np.abs(happened - said).max() < 0.03  # 1,000 rows or more a bin: a deviation of 0.016 at most
    assert np.abs(told - chances[10_000:]).mean() < 0.02


@pytest.mark.parametrize("settings", [{}, {"step": "adam", "eta0": 0.05, "max_epochs": 60, "tol": None}])
def test_coefficients_are_in_the_users_units(settings):
    X, y = DIABETES
    units = np.geomspace(1e-4, 1e4, X.shape[1])
    plain = GDRegressor(alpha=0.0, standardise=True, **settings).fit(X, y)
    scaled = GDRegressor(alpha=0.0, standardise=True, **settings).fit(X * units + 3.0, y)
    np.testing.assert_allclose(scaled.coef_ * units, plain.coef_, rtol=1e-6)
    np.testing.assert_allclose(scaled.predict(X * units + 3.0), plain.predict(X), rtol=1e-6)
    np.testing.assert_allclose(X @ plain.coef_ + plain.intercept_, plain.predict(X))


def test_parts_are_what_their_names_are():
    X, y = DIABETES
    by_name = GDRegressor(
        "huber:delta=20", penalty="l2", alpha=0.1, step="adam:beta1=0.8", learning_rate="inverse_sqrt", eta0=5.0, max_epochs=5,
        tol=None, standardise=True,
    ).fit(X, y)  # fmt: skip
    by_part = GDRegressor(
        Huber(20.0),
        penalty=L2(0.1),
        step=Adam(beta1=0.8),
        learning_rate=InverseSqrt(5.0),
        max_epochs=5,
        tol=None,
        standardise=True,
    ).fit(X, y)
    assert answer(by_name) == answer(by_part)
    assert by_name.trace_["loss"][-1] < 0.9 * by_name.trace_["loss"][0]


# --- weights and classes ----------------------------------------------------------------------------------------------


def test_balanced_classes_count_the_same():
    X, y = CANCER
    balanced = GDClassifier(class_weight="balanced").fit(X, y)
    factors = {0: len(y) / (2 * (y == 0).sum()), 1: len(y) / (2 * (y == 1).sum())}
    np.testing.assert_array_equal(balanced.coef_, GDClassifier(class_weight=factors).fit(X, y).coef_)
    assert np.abs(balanced.coef_ - GDClassifier().fit(X, y).coef_).max() > 0.0


def test_balanced_while_streaming_comes_to_what_fit_balances():
    X, y = CANCER
    stream = GDClassifier(class_weight="balanced")
    stream.partial_fit(X, y, classes=[0, 1])
    totals = np.bincount(y)
    np.testing.assert_array_equal(stream._seen, totals)
    order = np.argsort(y)[
        ::-1
    ]  # whole classes one after the other: what was balanced so far is then far from the whole
    assert (
        GDClassifier(class_weight="balanced").partial_fit(X[order], y[order], classes=[0, 1]).coef_ != stream.coef_
    ).any()


# --- any table ----------------------------------------------------------------------------------------------------------


def tables(folder):
    """The same rows in every form."""
    X, y = DIABETES
    names = [f"c{j}" for j in range(X.shape[1])]
    frame = pd.DataFrame(X, columns=names)
    frame.assign(y=y).to_csv(folder / "t.csv", index=False)
    frame.assign(y=y).to_parquet(folder / "t.parquet")
    raw = {"target": "y", "standardise": False, "standardise_target": False}
    return {
        "array": X,
        "Fortran order": np.asfortranarray(X),
        "every second row of a larger one": np.repeat(X, 2, axis=0)[::2],
        "read-only": np.frombuffer(X.tobytes(), dtype=X.dtype).reshape(X.shape),
        "list": X.tolist(),
        "objects": X.astype(object),
        "pandas": frame,
        "polars": pl.DataFrame(X, schema=names),
        "Arrow": pa.table({name: X[:, j] for j, name in enumerate(names)}),
        "CSV": fallline.load(str(folder / "t.csv"), **raw).X,
        "Parquet": fallline.load(str(folder / "t.parquet"), **raw).X,
    }


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_the_same_rows_in_any_form_have_one_hash(way, tmp_path):
    """No hash is written down here: sums in another order, as another processor's vectors make them, end in other last bits."""
    X, y = DIABETES
    made = {name: getattr(GDRegressor(), way)(X, y) for name, X in tables(tmp_path).items()}
    if way == "partial_fit":
        made["stream"] = GDRegressor()
        for batch in pq.ParquetFile(tmp_path / "t.parquet").iter_batches(100):
            made["stream"].partial_fit(pa.table(batch.drop_columns("y")), batch["y"].to_numpy())
    hashes = {name: sha256(answer(model)).hexdigest() for name, model in made.items()}
    assert len(hashes) == 11 + (way == "partial_fit")
    assert {name for name, one in hashes.items() if one != hashes["array"]} == set()
    sparse = getattr(GDRegressor(), way)(sp.csr_array(X), y)
    np.testing.assert_allclose(sparse.coef_, made["array"].coef_, rtol=SAME)
    np.testing.assert_allclose(sparse.predict(sp.csc_matrix(X)), made["array"].predict(X), rtol=SAME)
    assert hashes["array"] != sha256(answer(getattr(GDRegressor(alpha=1.0), way)(X, y))).hexdigest()


def test_a_fit_has_the_same_bits_on_any_number_of_threads(monkeypatch):
    """The machine need not have as many cores: threads take turns."""
    monkeypatch.setattr(passes.os, "sched_getaffinity", lambda process: range(16), raising=False)
    X = np.random.default_rng(0).normal(size=(60_000, 40))  # sketched; more entries than `passes.WORTHWHILE`
    y = (X @ np.linspace(-1.0, 1.0, 40) + np.random.default_rng(1).logistic(size=len(X)) > 0.0).astype(int)
    assert X.size > passes.WORTHWHILE
    seen, on_threads, made = set(), passes.on_threads, {}

    def noted(cuts, piece, threads, *disk):
        seen.add(min(threads or passes.available(), len(cuts) - 1))
        on_threads(cuts, piece, threads, *disk)

    monkeypatch.setattr(passes, "on_threads", noted)
    for threads in (1, 2, 4):
        with passes.threads_at_most(threads):
            made[threads] = answer(GDClassifier(tol=1e-9).fit(X, y))
        assert max(seen) == threads
    assert made[1] == made[2] == made[4]


def test_names_of_columns_are_remembered():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = GDRegressor().fit(X, y)
    assert list(model.feature_names_in_) == list(X.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[X.columns[::-1]])


# --- streaming ----------------------------------------------------------------------------------------------------------

STREAMS = {
    "automatic": {},
    "one row a step": {"step": "plain", "eta0": 1e-3},
    "seven rows a step": {"step": "adam", "eta0": 0.05, "batch_size": 7, "average": "polyak_ruppert"},
    "balanced": {"class_weight": "balanced"},
    "against the rest": {"loss": "hinge"},
    "few coefficients": {"penalty": "l1", "alpha": 0.01},
}


@pytest.mark.parametrize("settings", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_chunks_are_one_pass_over_the_whole(settings, sparse):
    X, y = WINE
    X = StandardScaler().fit_transform(X)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = sp.csr_array(X)[order] if sparse else X[order], y[order]
    weights = np.where(np.arange(len(y)) % 5 == 0, 0.0, 1.0 + np.arange(len(y)) % 3)
    weights.flags.writeable = False
    whole = GDClassifier(**settings).partial_fit(X, y, classes=[0, 1, 2], sample_weight=weights)
    pieces = GDClassifier(**settings)
    for first, last in ((0, 1), (1, 4), (4, 90), (90, 91), (91, len(y))):
        pieces.partial_fit(X[first:last], y[first:last], classes=[0, 1, 2], sample_weight=weights[first:last])
        stored = io.BytesIO()
        joblib.dump(pieces, stored)
        pieces = joblib.load(stored)  # the process may end between two chunks
    assert answer(pieces) == answer(whole)
    assert whole.score(X, y) > 0.8
    assert answer(pieces) != answer(GDClassifier(**settings).partial_fit(X, y, classes=[0, 1, 2]))  # the weights count


def test_a_large_table_and_its_chunks_are_the_same_bits():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 20))  # large enough for the leaner kernel, of which its pieces are not
    y = X @ rng.normal(size=20)
    whole, pieces = (GDRegressor(step="plain", eta0=1e-3) for _ in range(2))
    whole.partial_fit(X, y)
    for rows in np.array_split(np.arange(len(y)), 7):
        pieces.partial_fit(X[rows], y[rows])
    assert answer(whole) == answer(pieces)


def test_streaming_under_an_l1_penalty_comes_near_the_optimum_with_few_coefficients():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 10)) * np.logspace(-2, 2, 10)  # of any scale
    y = np.where(X[:, 7] / X[:, 7].std() + rng.logistic(size=len(X)) > 0.0, 1, 0)
    settings = {"penalty": "elasticnet", "alpha": 0.05, "l1_ratio": 0.5}
    stream = GDClassifier(**settings)
    for rows in np.array_split(np.arange(len(y)), 9):
        stream.partial_fit(X[rows], y[rows], classes=[0, 1])
    whole = GDClassifier(**settings).fit(X, y)
    objective = Linear(X, 2.0 * y - 1.0, LogLoss(), ElasticNet(0.05, 0.5))
    heights = [objective.value(np.append(model.coef_, model.intercept_)) for model in (whole, stream)]
    assert heights[0] < heights[1] <= 1.01 * heights[0]  # a hundredth in one pass is what `quick` is for
    assert objective.value(np.zeros(11)) > 1.1 * heights[0]


def test_a_row_of_weight_zero_is_as_if_it_had_not_come():
    X, y = DIABETES
    weights = np.ones(len(y))
    weights[::3] = 0.0
    with_them = GDRegressor(batch_size=4).partial_fit(X, y, sample_weight=weights)
    without = GDRegressor(batch_size=4).partial_fit(X[weights > 0], y[weights > 0])
    assert answer(with_them) == answer(without)
    before = answer(with_them)
    assert answer(with_them.partial_fit(X[:5], y[:5], sample_weight=np.zeros(5))) == before


def test_streaming_goes_on_from_a_fit():
    X, y = DIABETES
    fitted = GDRegressor().fit(X, y)
    far = np.abs(GDRegressor().partial_fit(X[:5], y[:5]).coef_ - fitted.coef_).max()
    assert np.abs(clone(fitted).fit(X, y).partial_fit(X[:5], y[:5]).coef_ - fitted.coef_).max() < 0.1 * far


# --- scikit-learn's machinery -------------------------------------------------------------------------------------------


def test_pipelines_grids_and_storage():
    X, y = CANCER
    grid = GridSearchCV(
        make_pipeline(StandardScaler(), GDClassifier()), {"gdclassifier__alpha": [1e-4, 1e-2, 10.0]}, cv=3
    )
    grid.fit(X, y)
    assert grid.best_score_ > 0.96
    stored = io.BytesIO()
    joblib.dump(grid, stored)
    assert len(stored.getvalue()) < 100_000  # no rows in it
    again = joblib.load(stored)
    np.testing.assert_array_equal(again.predict_proba(X), grid.predict_proba(X))
    assert again.best_estimator_[-1].reason_ == grid.best_estimator_[-1].reason_


def test_weights_are_routed():
    X, y = CANCER
    weights = np.where(y == 1, 10.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = GDClassifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        routed = cross_val_score(model, X, y, params={"sample_weight": weights}, cv=3)
        ignored = cross_val_score(GDClassifier().set_fit_request(sample_weight=False), X, y, cv=3)
    assert (routed != ignored).any()


def test_eight_threads_predict_from_one_model():
    X, y = CANCER
    model = GDClassifier().fit(X, y)
    expected = model.predict_proba(X)
    with ThreadPoolExecutor(8) as pool:
        for told in pool.map(model.predict_proba, [X] * 64):
            np.testing.assert_array_equal(told, expected)


class Counter(callback.ScoringMonitor):
    """scikit-learn's own monitor, that asks to stop after some segments."""

    def __init__(self, scoring, after=math.inf):
        super().__init__(scoring=scoring)
        self.after, self.segments = after, 0

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None, metadata=None):
        super().on_fit_task_end(estimator, context, X=X, y=y, fitted_estimator=fitted_estimator, metadata=metadata)
        self.segments += context.task_name == "segment"
        return self.segments >= self.after


def test_scikit_learns_callbacks_see_a_model_after_every_segment():
    X, y = DIABETES
    counter = Counter("r2")
    plain = GDRegressor(step="adam", eta0=1.0, standardise=True, max_epochs=6, tol=None).fit(X, y)
    model = clone(plain).set_callbacks(counter).fit(X, y)
    scores = [row["r2"] for row in counter.get_logs().data if row["task_name"] == "segment"]
    assert counter.segments == len(scores) == 6
    assert scores[-1] == model.score(X, y)
    assert scores[0] < scores[-1]
    assert answer(model) == answer(plain)  # who looks changes nothing


def test_scikit_learns_callbacks_may_ask_to_stop():
    X, y = DIABETES
    model = GDRegressor(step="adam", eta0=1.0, standardise=True, max_epochs=6).set_callbacks(Counter("r2", 2)).fit(X, y)
    assert model.n_iter_ == 2
    assert "asked to stop" in model.reason_


def test_a_hook_sees_every_segment_and_may_ask_to_stop_but_changes_nothing():
    X, y = WINE
    seen = []

    def watch(trace):
        seen.append(len(trace))
        trace.columns["loss"][:] = [0.0] * len(trace)  # its own copy
        return "has seen enough" if len(seen) == 3 else None

    settings = {"step": "momentum", "eta0": 0.01, "standardise": True, "tol": None, "max_epochs": 8}
    stopped = GDClassifier(watch=watch, **settings).fit(X, y)
    assert (stopped.n_iter_, stopped.reason_, len(seen)) == (3, "has seen enough", 3)
    seen.clear()
    watched = GDClassifier(watch=lambda trace: seen.append(len(trace)), **settings).fit(X, y)
    assert len(seen) == 8
    assert answer(watched) == answer(GDClassifier(**settings).fit(X, y))
    automatic = GDClassifier(watch=lambda trace: len(trace) > 2, tol=1e-12).fit(X, y)
    assert len(automatic.trace_) == 3


def test_a_model_shows_its_work(tmp_path, capsys):
    X, y = WINE
    model = GDClassifier(verbose=1).fit(X, y)
    assert capsys.readouterr().out.count("loss") == len(model.trace_) - 1
    assert model.trace_["loss"][-1] < model.trace_["loss"][0]
    assert "excess" in model.reason_
    assert len(model.plot().data) >= 1
    page = model.report(tmp_path / "fit.html").read_text()
    assert "GDClassifier" in page
    assert model.reason_ in page
    assert "loss at the end" in page
    assert "above the optimum, by its own estimate" in page
    for picture in ("lead", "curve-loss"):  # the excess, and the loss
        assert f'data-figure="{picture}"' in page
    rest = GDClassifier("squared_hinge").fit(X, y)
    assert len(rest.plot().data) >= 3
    assert rest.report(tmp_path / "rest.html").exists()


# --- stopping and failing -----------------------------------------------------------------------------------------------


def test_early_stopping_holds_rows_back():
    X, y = CANCER
    model = GDClassifier(step="adam", eta0=0.1, standardise=True, early_stopping=True, max_epochs=500).fit(X, y)
    assert model.reason_.startswith("no better on validation rows")
    assert model.trace_.n == len(y) - math.ceil(0.1 * len(y))


def test_warm_start_goes_on_where_it_was():
    X, y = CANCER
    model = GDClassifier(warm_start=True, tol=1e-6).fit(X, y)
    first = len(model.trace_)
    assert len(model.fit(X, y).trace_) < first
    with pytest.raises(InputError, match="warm_start"):
        model.fit(X, np.where(y == 0, "a", "b"))
    with pytest.raises(InputError, match="warm_start"):
        model.fit(X[:, :5], y)


@pytest.mark.parametrize(
    ("labels", "classes", "says"),
    [
        ([1, 1], None, r"one class only, 1:"),
        ([1, 3], [1, 2], r"y in row 1 is 3, which is none of the classes \[1, 2\]"),
        ([1.0, 1.0], None, r"one class only, 1\.0:"),
        (["a", "b"], ["a", "c"], r"y in row 1 is 'b', which is none of the classes \['a', 'c'\]"),
    ],
)
def test_labels_are_said_as_the_user_wrote_them(labels, classes, says):
    model, y = GDClassifier(), np.array(labels)
    with pytest.raises(InputError, match=says):
        model.fit(np.eye(2), y) if classes is None else model.partial_fit(np.eye(2), y, classes=np.array(classes))


@pytest.mark.parametrize("step", ["plain", "momentum"])
def test_a_walk_that_runs_away_is_no_model(step):
    X, y = DIABETES
    model = GDRegressor(step=step, eta0=0.1)
    with pytest.raises(DivergedError, match=r"diverged.*standardise"):
        model.fit(X, y)
    assert not hasattr(model, "coef_")
    with pytest.raises(DivergedError, match="diverged"):
        model.partial_fit(X, y)
    assert not hasattr(model, "coef_")


def test_stopping_short_is_said():
    X, y = DIABETES
    with pytest.warns(ConvergenceWarning, match=r"made its 2 passes.*max_epochs"):
        GDRegressor(step="adam", eta0=0.01, standardise=True, max_epochs=2).fit(X, y)
