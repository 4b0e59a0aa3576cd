"""The usual tools: each minimises what descent does, and says how long that took."""

import pytest
from threadpoolctl import threadpool_limits

from fallline.comparison.run import yardstick
from fallline.losses import SquaredError
from fallline.objectives import Linear, SoftmaxRegression
from fallline.penalties import L2
from fallline.reference import optimum_of
from fallline.reference.baselines import rivals
from test_reference import ALPHA, problem, solved, table

X, y = table("numbers")


@pytest.fixture(autouse=True)
def _one_thread():
    """As in a comparison."""
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize(
    ("loss", "penalty", "names"),
    [
        ("squared_error", "l2", ["the closed form", "L-BFGS", "scikit-learn's SGDRegressor"]),
        ("squared_error", "none", ["the closed form", "L-BFGS", "scikit-learn's SGDRegressor"]),
        ("squared_error", "l1", ["scikit-learn's SGDRegressor", "scikit-learn's ElasticNet"]),
        ("squared_error", "elasticnet", ["scikit-learn's SGDRegressor", "scikit-learn's ElasticNet"]),
        ("huber", "l2", ["Newton's method", "L-BFGS", "scikit-learn's SGDRegressor"]),
        ("absolute_error", "l2", ["scikit-learn's SGDRegressor"]),
        ("epsilon_insensitive", "l2", ["scikit-learn's SGDRegressor"]),
        ("quantile", "l2", []),
        ("log_loss", "l2", ["Newton's method", "L-BFGS", "scikit-learn's SGDClassifier"]),
        ("log_loss", "l1", ["scikit-learn's SGDClassifier"]),
        ("hinge", "l2", ["scikit-learn's SGDClassifier"]),
        ("poisson", "l2", ["Newton's method", "L-BFGS"]),
        ("softmax", "l2", ["Newton's method", "L-BFGS", "scikit-learn's LogisticRegression"]),
        ("softmax", "l1", []),
    ],
)
def test_every_tool_minimises_what_descent_does(loss, penalty, names):
    objective, best = problem(loss, penalty), solved(loss, penalty)
    yard = yardstick(objective, best.value, best.by)
    tools = list(rivals(objective))
    assert [tool.name for tool in tools] == names
    for tool in tools:
        excess = yard.excess(objective.value(tool.points[-1]))
        exact = tool.name in ("the closed form", "Newton's method", "L-BFGS", "scikit-learn's ElasticNet")
        assert -1e-6 <= excess <= (1e-4 if exact else 0.05), tool.name
        assert excess < yard.excess(yard.start)
        assert len(tool.points) == len(tool.seconds)
        assert 0 < tool.seconds[-1] < 10
        assert tool.note


def test_two_classes_under_softmax_are_held_against_a_logistic_regression_of_the_same_objective():
    X, y = table("signs")
    objective = SoftmaxRegression(X, (y > 0).astype(float), 2, L2(ALPHA))
    best = optimum_of(objective).value
    tool = next(tool for tool in rivals(objective) if "Logistic" in tool.name)
    assert tool.points[0].shape == (objective.size,)
    assert objective.value(tool.points[0]) == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize("intercept", [True, False])
def test_tools_fit_an_intercept_only_where_there_is_one(intercept):
    objective = Linear(X, y + 1.0, SquaredError(), L2(ALPHA), intercept=intercept)
    for tool in rivals(objective):
        assert tool.points[-1].shape == (objective.size,)
        assert objective.value(tool.points[-1]) == pytest.approx(optimum_of(objective).value, rel=0.01)
