"""Objectives: the numbers of the plain oracle, laws that need no numbers, and refusals that name the row."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, Ridge

from fallline.descent import by_hand, descend
from fallline.errors import InputError
from fallline.executors.compiled import compiled
from fallline.losses import CLASSIFICATION, LOSSES, Gamma, LogLoss, Poisson, SquaredError
from fallline.objectives import Function, Linear, SoftmaxRegression
from fallline.penalties import L1, L2, PENALTIES, ElasticNet, NoPenalty
from fallline.samplers import Batch, Shuffled
from fallline.schedules import Constant
from fallline.solver import quick, solve
from fallline.steps import STEPS, Adam, Momentum, Plain
from fallline.stops import Updates
from oracle import ALL_LOSSES, Problem, csr32, csr64, dense32, dense64
from tolerances import EXACT, REFERENCE, SINGLE, SLOPE, SLOPE_STEP, WALK

STORAGES = {"dense": dense64, "dense32": dense32, "csr": csr64, "csr32": csr32}
each_loss = pytest.mark.parametrize("loss", ALL_LOSSES.values(), ids=list(ALL_LOSSES))
each_storage = pytest.mark.parametrize("storage", STORAGES.values(), ids=list(STORAGES))
FEW = [Problem(loss) for loss in (SquaredError(), LogLoss(), ALL_LOSSES["softmax"])]
each_of_few = pytest.mark.parametrize("problem", FEW, ids=["squared_error", "log_loss", "softmax"])


def close(ours, theirs, tolerance=EXACT):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def walked(objective, start, sampler=Batch(), advance=compiled, steps=10, step=None, rate=0.02):  # noqa: B008 - a value
    step = Momentum() if step is None else step
    run = descend(
        objective,
        sampler=sampler,
        step=step,
        schedule=Constant(rate),
        stop=Updates(steps),
        advance=advance,
        start=start,
    )
    return run.w


@each_loss
@each_storage
def test_values_and_gradients_are_the_oracles(loss, storage):
    problem = Problem(loss)
    ours, plain = problem.objective(storage, ElasticNet(0.3, 0.4)), problem.plain(storage, ElasticNet(0.3, 0.4))
    points = np.array([problem.start, -problem.start, 0.0 * problem.start])
    assert ours.n == plain.n == 12
    close(ours.start(), plain.start())
    close([ours.value(w) for w in points], plain.values(points))
    close(ours.values(points), plain.values(points))
    close(ours.values(points[:1]), plain.values(points[:1]))
    for w in points[:2]:
        close(ours.gradient(w, slice(None)), plain.gradient(w))
        for rows in (np.array([3]), np.array([0, 5, 6, 11]), np.array([2, 2, 9])):
            close(ours.gradient(w, rows), plain.gradient(w, rows))
    close(ours.prox(points[0], 0.7), plain.prox(points[0], 0.7))
    rates = np.linspace(0.1, 2.0, len(points[0]))
    close(ours.prox(points[0], rates), plain.prox(points[0], rates))


@each_loss
def test_the_gradient_is_the_derivative_of_the_value(loss):
    problem = Problem(loss)
    objective, w = problem.objective(dense64, L2(0.3)), problem.start
    steps = SLOPE_STEP * np.eye(len(w))
    numerical = [(objective.value(w + step) - objective.value(w - step)) / (2 * SLOPE_STEP) for step in steps]
    close(objective.gradient(w), numerical, SLOPE)
    assert np.abs(objective.gradient(w)).max() > 0.01


@pytest.mark.parametrize("name", LOSSES)
def test_the_curvature_of_rows_is_weighted_and_in_their_scores(name):
    problem = Problem(LOSSES[name]())
    objective = problem.objective(dense64)
    z = problem.X @ problem.start[:3] + problem.start[3] + problem.offset
    weights = problem.weights * 12 / problem.weights.sum()
    expected = [v * problem.loss.curvature(y, s) for v, y, s in zip(weights, problem.y, z, strict=True)]
    close(objective.curvature(problem.start), expected)


@each_loss
def test_integer_weights_are_repeated_rows(loss):
    problem, counts = Problem(loss), np.array([1, 2, 0, 3, 1, 1, 2, 0, 1, 1, 4, 1])
    kind = SoftmaxRegression if problem.multiclass else Linear
    rest = () if problem.multiclass else (loss,)
    more = {"penalty": ElasticNet(0.1, 0.5)}
    weighted = kind(problem.X, problem.y, *rest, weights=counts, offset=problem.offset, **more)
    rows = np.repeat(np.arange(12), counts)
    repeated = kind(problem.X[rows], problem.y[rows], *rest, offset=problem.offset[rows], **more)
    w = problem.start
    close(weighted.value(w), repeated.value(w))
    close(weighted.gradient(w), repeated.gradient(w))
    for advance in (by_hand, compiled):
        close(walked(weighted, w, advance=advance), walked(repeated, w, advance=advance), WALK)


@each_loss
def test_the_scale_of_weights_does_not_matter_and_rows_without_weight_do_not_count(loss):
    problem, weights = Problem(loss), np.arange(12) % 3
    kind = SoftmaxRegression if problem.multiclass else Linear
    rest = () if problem.multiclass else (loss,)
    keep = weights > 0
    some = [
        kind(problem.X, problem.y, *rest, weights=weights),
        kind(problem.X, problem.y, *rest, weights=1e-3 * weights),
        kind(problem.X[keep], problem.y[keep], *rest, weights=weights[keep]),
    ]
    for other in some[1:]:
        close(other.value(problem.start), some[0].value(problem.start))
        close(other.gradient(problem.start), some[0].gradient(problem.start))


@each_of_few
def test_scaling_columns_scales_coefficients(problem):
    """Of the walk too: with columns s times as long, a rate 1/s² as long takes the same way. (No intercept.)"""
    kind = SoftmaxRegression if problem.multiclass else Linear
    rest = () if problem.multiclass else (problem.loss,)
    plain = kind(problem.X, problem.y, *rest, intercept=False)
    scaled = kind(10.0 * problem.X, problem.y, *rest, intercept=False)
    w = problem.start[: plain.size]
    close(scaled.value(w / 10.0), plain.value(w))
    close(scaled.gradient(w / 10.0), 10.0 * plain.gradient(w))
    for sampler in (Batch(), Shuffled(1)):
        ours = walked(scaled, w / 10.0, sampler, rate=0.0002)
        close(10.0 * ours, walked(plain, w, sampler, rate=0.02), WALK)


@each_of_few
@pytest.mark.parametrize("name", STEPS)
def test_permuting_columns_permutes_coefficients(problem, name):
    columns = [2, 0, 1]
    kind = SoftmaxRegression if problem.multiclass else Linear
    rest = () if problem.multiclass else (problem.loss,)
    plain = kind(problem.X, problem.y, *rest, penalty=L1(0.05))
    permuted = kind(problem.X[:, columns], problem.y, *rest, penalty=L1(0.05))
    whole, classes = len(problem.start), plain.scores
    places = np.concatenate([k * 3 + np.array(columns) for k in range(classes)] + [np.arange(3 * classes, whole)])
    ours = walked(permuted, problem.start[places], Shuffled(5), step=STEPS[name]())
    close(ours, walked(plain, problem.start, Shuffled(5), step=STEPS[name]())[places], WALK)


@pytest.mark.parametrize("penalty", [part() for part in PENALTIES.values()] + [L2(3.0), ElasticNet(3.0)], ids=str)
@each_of_few
def test_the_intercept_is_free(problem, penalty):
    priced, free = problem.objective(dense64, penalty), problem.objective(dense64)
    only = np.zeros(len(problem.start))
    only[priced.penalised :] = 5.0
    assert priced.value(only) == free.value(only)
    close(priced.gradient(only), free.gradient(only))
    close(priced.prox(only, 100.0), only)
    both = problem.start
    cost = sum(penalty.cost(each) for each in both[: priced.penalised].tolist())
    close(priced.value(both) - free.value(both), cost)
    close(priced.gradient(both)[priced.penalised :], free.gradient(both)[priced.penalised :])


@each_loss
def test_the_offset_is_added_to_every_score(loss):
    problem = Problem(loss)
    kind = SoftmaxRegression if problem.multiclass else Linear
    rest = () if problem.multiclass else (loss,)
    scores, w = (3 if problem.multiclass else 1), problem.start
    shifted = w.copy()
    shifted[3 * scores :] += 0.7
    if problem.multiclass:  # the same for every class changes nothing
        shifted[3 * scores] += 0.5
    offset = np.tile(shifted[3 * scores :] - w[3 * scores :], (12, 1))
    one = kind(problem.X, problem.y, *rest, offset=offset if problem.multiclass else offset[:, 0])
    close(one.value(w), kind(problem.X, problem.y, *rest).value(shifted))
    assert abs(one.value(w) - kind(problem.X, problem.y, *rest).value(w)) > 1e-6


@each_of_few
def test_storage_does_not_change_the_objective(problem):
    exact = problem.objective(dense64, L2(0.1))
    forms = {
        "fortran": lambda X: np.asfortranarray(X),
        "every second row of a larger table": lambda X: np.repeat(X, 2, axis=0)[::2],
        "lists": lambda X: X.tolist(),
        "csc": sp.csc_matrix,
        "coo": sp.coo_array,
    }
    for name, form in forms.items():
        assert problem.objective(form, L2(0.1)).value(problem.start) == pytest.approx(
            exact.value(problem.start), rel=EXACT
        ), name
    for storage in (dense32, csr32):
        single = problem.objective(storage, L2(0.1))
        close(single.value(problem.start), exact.value(problem.start), SINGLE)
        close(single.gradient(problem.start), exact.gradient(problem.start), SINGLE)
        assert single.value(problem.start) != exact.value(problem.start)


def test_integers_and_booleans_are_numbers():
    X = np.array([[1, 0], [0, 1], [1, 1]])
    for form in (X, X.astype(bool), X.astype(np.int8), sp.csr_matrix(X)):
        assert Linear(form, [1, 2, 3]).value(np.array([1.0, 2.0, 0.0])) == 0.0


def test_repeated_entries_of_a_sparse_table_are_added_and_the_table_is_left_alone():
    entries = ([1.0, 2.0, 4.0], [0, 0, 1], [0, 2, 3])
    X = sp.csr_matrix(entries, shape=(2, 2))
    objective = Linear(X, [0.0, 0.0], intercept=False)
    assert objective.value(np.ones(2)) == 0.5 * (9.0 + 16.0) / 2
    assert X.data.tolist() == [1.0, 2.0, 4.0]


def test_softmax_of_two_classes_is_log_loss():
    problem = FEW[1]
    line = Linear(problem.X, problem.y, LogLoss())
    classes = SoftmaxRegression(problem.X, (problem.y > 0).astype(int))
    w = problem.start
    both = np.concatenate([np.zeros(3), w[:3], [0.0, w[3]]])
    close(classes.value(both), line.value(w))
    close(classes.gradient(both)[[3, 4, 5, 7]], line.gradient(w))


def test_the_lowest_point_is_scikit_learns():
    """Same objective, up to who multiplies by n."""
    chance = np.random.default_rng(8)
    X, noise = chance.normal(size=(60, 3)), chance.normal(size=60)
    weights = chance.uniform(0.5, 2.0, size=60)
    y, total = X @ [1.0, -2.0, 0.5] + 0.3 + noise, weights.sum()
    ridge = Ridge(alpha=0.1 * total).fit(X, y, weights)
    ours = Linear(X, y, penalty=L2(0.1), weights=weights)
    close(ours.gradient(np.append(ridge.coef_, ridge.intercept_)), 0.0, 1e-8)
    for objective, classes in (
        (Linear(X, np.sign(y), LogLoss(), L2(0.1), weights=weights), np.sign(y)),
        (SoftmaxRegression(X, np.digitize(y, [-1.0, 1.0]), 3, L2(0.1), weights=weights), np.digitize(y, [-1.0, 1.0])),
    ):
        model = LogisticRegression(C=1 / (0.1 * total), tol=1e-10, max_iter=1000).fit(X, classes, weights)
        optimum = np.concatenate([model.coef_.ravel(), model.intercept_])
        close(objective.gradient(optimum), 0.0, REFERENCE)
        assert np.abs(objective.gradient(objective.start())).max() > 0.05


def test_a_function_is_an_objective():
    bowl = Function(lambda w: float(w @ w), lambda w: 2 * w, [3, 4])
    assert bowl.n == 1
    assert bowl.start().dtype == float
    assert bowl.value(bowl.start()) == 25.0
    assert bowl.values(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist() == [0.0, 25.0]
    assert bowl.gradient(bowl.start(), np.array([0])).tolist() == [6.0, 8.0]
    assert bowl.prox(bowl.start(), 0.1).tolist() == [3.0, 4.0]
    assert Function(lambda w: float(w[0]), lambda w: np.ones(1), 2.0).start().tolist() == [2.0]


X3, Y3 = np.arange(6.0).reshape(3, 2), [1.0, 2.0, 3.0]
WITH_NAN, WITH_INFINITY = X3.copy(), X3.copy()
WITH_NAN[1, 0], WITH_INFINITY[2, 1] = np.nan, np.inf
REFUSED = {
    "X of one dimension": (lambda: Linear(np.arange(3.0), Y3), r"X has 1 dimension.*reshape\(-1, 1\)"),
    "X of three dimensions": (lambda: Linear(np.zeros((3, 1, 1)), Y3), r"X has 3 dimension"),
    "X without rows": (lambda: Linear(np.zeros((0, 2)), []), r"no rows"),
    "NaN in X": (lambda: Linear(WITH_NAN, Y3), r"row 1.*nan|nan.*row 1"),
    "infinity in X": (lambda: Linear(WITH_INFINITY, Y3), r"row 2.*inf|inf.*row 2"),
    "NaN in a sparse X": (lambda: Linear(sp.csr_matrix(WITH_NAN), Y3), r"row 1.*nan|nan.*row 1"),
    "y too short": (lambda: Linear(X3, [1.0, 2.0]), r"y has shape \(2,\) where X has 3 rows"),
    "y as a column": (lambda: Linear(X3, np.ones((3, 1))), r"y has shape \(3, 1\) where X has 3 rows"),
    "NaN in y": (lambda: Linear(X3, [1.0, np.nan, 3.0]), r"y in row 1 is nan"),
    "text in y": (lambda: Linear(X3, ["1", "two", "3"]), r"y in row 1 is .?two"),
    "infinity in y": (lambda: Linear(X3, [1.0, 2.0, -np.inf]), r"y in row 2 is -inf"),
    "weights too long": (lambda: Linear(X3, Y3, weights=np.ones(4)), r"weights has shape \(4,\)"),
    "a negative weight": (lambda: Linear(X3, Y3, weights=[1, -2, 1]), r"weights in row 1 is -2"),
    "no weight at all": (lambda: Linear(X3, Y3, weights=np.zeros(3)), r"weights are all zero"),
    "NaN in weights": (lambda: Linear(X3, Y3, weights=[1, 1, np.nan]), r"weights in row 2 is nan"),
    "offset too short": (lambda: Linear(X3, Y3, offset=[1.0]), r"offset has shape \(1,\)"),
    "NaN in offset": (lambda: Linear(X3, Y3, offset=[np.nan, 0, 0]), r"offset in row 0 is nan"),
    "a negative count": (lambda: Linear(X3, [1, 0, -1], Poisson()), r"y in row 2 is -1, .*Poisson"),
    "an amount of zero": (lambda: Linear(X3, [1, 0, 2], Gamma()), r"y in row 1 is 0, .*Gamma.*tweedie"),
    "half a class": (lambda: SoftmaxRegression(X3, [0, 0.5, 1]), r"y in row 1 is 0\.5"),
    "a negative class": (lambda: SoftmaxRegression(X3, [0, 1, -1]), r"y in row 2 is -1"),
    "a class too many": (lambda: SoftmaxRegression(X3, [0, 3, 1], 3), r"y in row 1 is 3: .*from 0 to 2"),
    "NaN among classes": (lambda: SoftmaxRegression(X3, [0, np.nan, 1]), r"y in row 1 is nan"),
    "a number of classes that is none": (lambda: SoftmaxRegression(X3, [0, 1, 2], L2()), r"classes is L2\("),
    "a penalty for a loss": (lambda: Linear(X3, Y3, L2()), r"loss is L2\("),
    "a class of losses": (lambda: Linear(X3, Y3, Poisson), r"loss is <class"),
    "a penalty that rewards": (lambda: Linear(X3, Y3, penalty=L1(-1.0)), r"L1\(alpha=-1.0\): alpha"),
    "a penalty of NaN": (lambda: Linear(X3, Y3, penalty=L2(np.nan)), r"alpha must be"),
    "a mixture beyond its parts": (lambda: Linear(X3, Y3, penalty=ElasticNet(1e-3, 2.0)), r"l1_ratio must be"),
    "no penalty at all": (lambda: Linear(X3, Y3, penalty=0.1), r"penalty is 0\.1"),
    "a tolerance below zero": (lambda: solve(Linear(X3, Y3), -1.0), r"tol is -1\.0"),
    "a seed that is no number": (lambda: solve(Linear(X3, Y3), seed="x"), r"seed is 'x'"),
    "passes below zero": (lambda: quick(Linear(X3, Y3), -1), r"passes is -1"),
    "offset without classes": (lambda: SoftmaxRegression(X3, [0, 1, 2], offset=[1, 2, 3]), r"offset has shape \(3,\)"),
    "NaN in a class's offset": (
        lambda: SoftmaxRegression(X3, [0, 1, 2], offset=[[0, 0, 0], [0, np.nan, 0], [0, 0, 0]]),
        r"offset in row 1.* nan",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_by_name_and_row(case):
    make, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_classes_are_minus_one_and_one(name):
    with pytest.raises(InputError, match=r"y in row 0 is 0, .*not defined: code two classes as −1 and \+1"):
        Linear(X3, [0, 1, 1], LOSSES[name]())


@pytest.mark.parametrize("name", LOSSES)
def test_a_refusal_says_what_to_do_for_every_loss_that_refuses(name):
    from fallline.objectives.linear import WANTED

    refuses = not all(LOSSES[name]().accepts(y) for y in (-1e6, -1.0, 0.0, 0.5, 1e6))
    assert (LOSSES[name].__name__ in WANTED) == refuses


def test_a_walk_changes_none_of_the_data():
    problem = Problem(SquaredError())
    X, y = problem.X.copy(), problem.y.copy()
    objective = Linear(X, y, penalty=NoPenalty(), weights=problem.weights, offset=problem.offset)
    walked(objective, problem.start, Shuffled(2), step=Adam())
    walked(objective, problem.start, Shuffled(2), by_hand, step=Plain())
    np.testing.assert_array_equal(X, problem.X)
    np.testing.assert_array_equal(y, problem.y)
