"""An estimator's arguments: what they may be, and the plan, the stream and the objective that they name."""

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from fallline import plan
from fallline.errors import InputError
from fallline.estimators.streaming import Stream, stream_of
from fallline.parts import part
from fallline.penalties import PENALTIES

Array = np.ndarray[Any, Any]

PART = HasMethods(["_asdict"])  # what any part has, and no name or number
CONSTRAINTS: dict[str, list[Any]] = {
    "loss": [str, PART],
    "penalty": [str, None, PART],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "fit_intercept": ["boolean"],
    "step": [str, PART],
    "batch_size": [StrOptions({"auto", "all"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [str, PART],
    "eta0": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "average": [str, PART],
    "standardise": ["boolean"],
    "max_epochs": [Interval(Real, 0, None, closed="neither")],
    "tol": [Interval(Real, 0, None, closed="left"), None],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "warm_start": ["boolean"],
    "watch": [callable, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
SCHEDULES = {  # scikit-learn's names → ours
    "invscaling": "inverse_scaling",
    "adaptive": "reduce_on_plateau:factor=0.2,patience=5",
}
USUAL = ("auto", "none", "all")  # names that leave a setting to what is usual with the step


class Task(NamedTuple):
    """One walk: targets as the loss wants them, and the loss."""

    name: str  # the class that is told from the rest; "" where one walk learns all
    y: Array
    loss: Any
    classes: int = 0  # of softmax, with a score each

    def of(self, rows: Any) -> "Task":
        """The same for some of the rows."""
        return self._replace(y=self.y[rows])


def plan_of(estimator: Any) -> plan.Plan:
    """The plan of a fit."""
    given = _given(estimator)
    automatic = isinstance(estimator.step, str) and estimator.step == plan.AUTO
    variants = {"auto": None, "all": "batch", 1: "stochastic"}
    return plan.Plan(
        step=estimator.step,
        variant=variants.get(estimator.batch_size, "mini-batch"),
        batch_size=given["batch_size"],
        rate=given["eta0"],
        schedule=given["learning_rate"],
        average=given["average"],
        tol=estimator.tol or None if automatic else None,
        seed=seed_of(estimator.random_state),
        amount=float(estimator.max_epochs),
    )


def stream_for(estimator: Any) -> Stream:
    """Where partial_fit begins. Raises InputError for settings that need all rows."""
    for name, fine in (("early_stopping", False), ("standardise", False), ("batch_size", "all")):
        if (getattr(estimator, name) == fine) == (name == "batch_size"):
            raise InputError(
                f"{name} should not be {getattr(estimator, name)!r} with partial_fit: it needs all rows, and partial_fit sees "
                "some at a time."
            )
    given = _given(estimator)
    how = given["learning_rate"], given["eta0"], given["average"], given["batch_size"]
    alpha, l1_ratio = float(estimator.alpha), float(estimator.l1_ratio)
    penalty = part(PENALTIES, estimator.penalty or "none", "penalty", alpha=alpha, l1_ratio=l1_ratio)
    return stream_of(estimator.step, *how, alpha, penalty.prox(1.0, 1.0) != 1.0)


def can_stream(estimator: Any) -> bool:
    """True; AttributeError, with the reason as its cause, where the settings need all rows at once."""
    try:
        stream_for(estimator)
    except InputError as error:
        raise AttributeError(str(error)) from error
    return True


def objective_of(estimator: Any, X: Any, task: Task, weights: Array | None, penalty: Any = None) -> Any:
    """The objective of a walk; under the estimator's penalty, or another."""
    return plan.objective_of(
        X,
        task.y,
        task.loss,
        penalty or estimator.penalty or "none",
        float(estimator.alpha),
        float(estimator.l1_ratio),
        task.classes,
        weights=weights,
        intercept=bool(estimator.fit_intercept),
    )


def seed_of(random_state: Any) -> int:
    """A seed: an int is its own; anything else is drawn from."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _given(estimator: Any) -> dict[str, Any]:
    """The settings of a step, None for those that are left to what is usual."""
    names = ("batch_size", "learning_rate", "eta0", "average")
    values = {name: getattr(estimator, name) for name in names}
    given = {name: None if isinstance(value, str) and value in USUAL else value for name, value in values.items()}
    schedule, size = given["learning_rate"], given["batch_size"]
    given["learning_rate"] = SCHEDULES.get(schedule, schedule) if isinstance(schedule, str) else schedule
    given["batch_size"] = None if size is None else int(size)
    return given
