"""The terms on which a method walks: what it must be given, and the sentence that refuses anything else.

A method that cannot honour a setting refuses it; none is passed over in silence.
"""

from typing import Any

from fallline.averages import Last
from fallline.errors import InputError
from fallline.steps import Plain


def own_step(step: Any, name: str) -> None:
    """The method is its own step rule."""
    if not isinstance(step, Plain):
        raise InputError(f"{name} makes its own steps and cannot take {type(step).__name__}: give it step=Plain().")


def own_rate(schedule: Any, state: Any, name: str) -> None:
    """The method takes no rate, so the schedule must be the constant 1."""
    rate = schedule.at(state.t + 1)
    if rate != 1.0:
        raise InputError(f"{name} takes no rate, and was given {rate:g}: give it schedule=Constant(1.0).")


def own_average(average: Any, name: str) -> None:
    """The method chooses the point that it answers with: an average of its own, or the best."""
    if not isinstance(average, Last):
        kind = type(average).__name__
        raise InputError(f"{name} chooses its answer itself and cannot take {kind}: give it average=Last().")


def all_its_own(name: str, step: Any, schedule: Any, state: Any, average: Any) -> None:
    """Step, rate and answer are the method's own."""
    own_step(step, name)
    own_rate(schedule, state, name)
    own_average(average, name)


def rows_of_a_model(objective: Any, name: str) -> None:
    """The objective is a mean over the rows of a table."""
    if not hasattr(objective, "model"):
        kind = type(objective).__name__
        raise InputError(f"{name} needs the rows of a linear model, and {kind} has none: take L-BFGS or Armijo.")


def one_score(objective: Any, name: str) -> None:
    """The objective has one score a row."""
    rows_of_a_model(objective, name)
    if objective.scores != 1:
        raise InputError(
            f"{name} needs one score a row, and this objective has {objective.scores}: take SAGA or L-BFGS."
        )


def one_row(segment: Any, name: str) -> None:
    """A step sees one row."""
    if segment.batch != 1:
        raise InputError(
            f"{name} steps on one row at a time, and the sampler gives {segment.batch}: give it WithReplacement(1)."
        )


def every_row(objective: Any, segment: Any, name: str) -> None:
    """A step sees all rows."""
    if segment.batch < objective.n:
        raise InputError(
            f"{name} needs all {objective.n} rows at each step, and the sampler gives {segment.batch}: "
            "give it the sampler Batch()."
        )


def smooth_loss(objective: Any, name: str) -> None:
    """The loss has a gradient everywhere. A plain function is taken at its word."""
    loss = getattr(objective, "loss", None)
    if loss is not None and not loss.smooth():
        raise InputError(
            f"{name} needs a smooth loss, and {type(loss).__name__} has corners: take Polyak, DoG or, with an L2 penalty, SDCA."
        )


def no_prox(objective: Any, name: str) -> None:
    """The penalty is smooth: its proximal step moves nothing."""
    penalty = getattr(objective, "penalty", None)
    if penalty is not None and (penalty.prox(1.0, 1.0) != 1.0 or penalty.prox(-1.0, 1.0) != -1.0):
        raise InputError(
            f"{name} needs a smooth penalty, and {type(penalty).__name__} is none: take SAGA, SVRG, Katyusha, Armijo or "
            "BarzilaiBorwein, whose steps are proximal."
        )
