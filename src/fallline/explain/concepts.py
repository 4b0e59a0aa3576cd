"""The concepts that findings point to, each with its gist, as a program that is installed has no pages beside it.

The names are those of the textbook's pages, docs/concepts/NAME.md, where each has an example that runs and a picture.
"""

from typing import NamedTuple


class Concept(NamedTuple):
    """What it is called, and what there is to know of it in a sentence."""

    title: str
    gist: str


CONCEPTS = {
    "rate-too-large": Concept(
        "a rate beyond 2/L",
        "a step multiplies the distance to the bottom by |1 − rate·curvature|, which beyond 2 over the largest curvature L is "
        "above 1.",
    ),
    "rate-too-small": Concept(
        "a rate that is too small",
        "below the limit the work is as 1 over the rate: half the rate takes twice the updates.",
    ),
    "momentum": Concept(
        "momentum, oscillation and damping",
        "a walk that remembers 1/(1 − β) updates swings about the bottom like a spring, and calms down as slowly as it forgets.",
    ),
    "warm-up": Concept(
        "warm-up",
        "adaptive steps know the gradient's size only after some updates; a rate that rises from zero waits for that.",
    ),
    "schedules": Concept(
        "schedules",
        "a large rate early goes far, a small one late averages noise away; a rate gone early stands still.",
    ),
    "noise-ball": Concept(
        "the noise ball of a constant rate",
        "at a constant rate the loss levels off by about rate × noise ÷ batch above the optimum; a falling rate comes closer.",
    ),
    "critical-batch": Concept(
        "the noise scale and the critical batch",
        "up to tr C/‖g‖² rows a step, twice the rows nearly halve the updates; beyond, they only cost.",
    ),
    "early-stopping": Concept(
        "stopping early, and too early",
        "a run should end where more updates no longer lower the loss that counts: on rows held out, or against the optimum.",
    ),
    "ill-conditioning": Concept(
        "ill-conditioning and zig-zag",
        "the steepest direction sets the rate and the flattest the work: ten times the ratio takes ten times the updates.",
    ),
    "scaling": Concept(
        "columns of one scale",
        "a column in units a thousand times as large bends the loss a million times as much, and the rate must suit it.",
    ),
    "newton": Concept(
        "Newton's method", "a step through the curvature makes every direction alike, at the price of solving with it."
    ),
    "separable-classes": Concept(
        "separable classes",
        "where a plane tells the classes apart, longer weights always lower the logistic loss; a penalty makes an optimum.",
    ),
    "robust-loss": Concept(
        "outliers and losses", "a squared loss pulls in proportion to the miss, Huber's no further than at delta."
    ),
    "class-imbalance": Concept(
        "rare classes", "the mean over all rows is mostly about the common class; weights or the threshold move it."
    ),
    "choosing-a-loss": Concept(
        "the loss that suits a target",
        "a loss is a view of how targets scatter: squares evenly, Poisson with the mean, log loss by class.",
    ),
    "sampling": Concept(
        "the order of the rows",
        "steps over alike neighbours pull to and fro; shuffled rows make every step a fair sample.",
    ),
    "penalties": Concept(
        "what a penalty does", "L2 shrinks every coefficient, L1 sets those to zero that are not worth their price."
    ),
    "leakage": Concept(
        "a column that knows the answer",
        "what is made from the target, or known only after it, looks perfect on rows held out, too, and is not there in use.",
    ),
    "overfitting": Concept(
        "overfitting", "once the loss on rows held out rises, what is learnt is true of the rows at hand only."
    ),
    "plateau": Concept(
        "plateaus and saturated scores",
        "far out the loss is straight or flat, and its slope says little of where to go.",
    ),
    "float32": Concept(
        "numbers of 32 bits", "they have seven digits: a level ten thousand times the deviation leaves three."
    ),
    "optimum": Concept(
        "how far the optimum is",
        "a gradient or a dual point proves a bound of what is left; a small step proves nothing.",
    ),
}
"""By the names of their pages."""
