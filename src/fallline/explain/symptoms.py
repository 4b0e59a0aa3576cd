"""The symptoms: one function and one row each, and which of them speak.

Two rules keep findings few and right. A cause silences what it explains: nobody who walks in the file's order needs to hear that
the rate is off. And of the causes of slow walks only the one with the largest gain speaks, since most cures help a little against
most of them.
"""

from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple

from fallline.explain import columns, fitted, leakage, pace, stability, targets
from fallline.explain.finding import Finding, Sign

CAUSE, SCALE, PACE, LAST = "cause", "scale", "pace", "last"


class Symptom(NamedTuple):
    """detect: what sees it. title, why, concept: in words. kind: a cause speaks for itself; of those of pace the one with the
    largest gain does; the last come after both. bonus: nats that a pace's gain is ahead by, as it names the cause more
    exactly. quiets: what it explains.
    """

    detect: Callable[[Any], Sign | None]
    title: str
    why: str
    concept: str
    kind: str = CAUSE
    bonus: float = 0.0
    quiets: frozenset[str] = frozenset()


FITS = frozenset({"overfitting", "outliers", "counts", "amounts", "two_values", "bounded"})
TOO_LARGE = frozenset({"diverged", "above", "edge"})  # for the columns as they are
SLOW = (SCALE, PACE)  # kinds of which one each speaks
REST = -50.0  # nats: what is said where no cause of its own is found

SYMPTOMS = {
    "saturated": Symptom(
        fitted.saturated, "The scores are saturated",
        "Where every score is large the loss is a straight line or flat, so its slope says little of where to go.",
        "plateau", quiets=FITS | {PACE},
    ),
    "digits": Symptom(
        columns.digits, "The numbers are too large for float32",
        "A number of 32 bits has seven digits, and a high level uses them up.",
        "float32", quiets=FITS | {PACE},
    ),
    "file_order": Symptom(
        targets.file_order, "The rows come in the file's order",
        "Many alike rows in a row pull the walk toward themselves, and the next lot pulls it back.",
        "sampling", quiets=frozenset({PACE}),
    ),
    "leak": Symptom(
        leakage.leak, "Columns give the target away",
        "What is made from the target, or the target from it, makes the fit look perfect and the model useless.",
        "leakage", quiets=FITS,
    ),
    "removed_all": Symptom(
        fitted.removed_all, "The penalty removed every column",
        "An L1 share sets a coefficient to zero unless it lowers the loss by more than it costs.",
        "penalties", quiets=FITS | {PACE, "dominates"},
    ),
    "dominates": Symptom(
        fitted.dominates, "The penalty dominates",
        "Where the penalty bends more than the data do, the answer is about the penalty.",
        "penalties", quiets=FITS,
    ),
    "imbalance": Symptom(
        targets.imbalance, "One class is rare",
        "A mean over all rows hardly hears of a class with few of them.",
        "class-imbalance",
    ),
    "separable": Symptom(
        targets.separable, "The classes are separable",
        "Longer weights always fit such classes a little better, so there is no best point to arrive at.",
        "separable-classes", quiets=FITS | {PACE, "imbalance"},
    ),
    "two_values": Symptom(
        targets.two_values, "The loss does not suit two classes",
        "A straight line predicts beyond both values, and is charged for being too right.",
        "choosing-a-loss", quiets=frozenset({"outliers", "bounded"}),
    ),
    "counts": Symptom(
        targets.counts, "The loss does not suit counts",
        "Squares take a miss of 3 at 100 for as bad as a miss of 3 at 1.",
        "choosing-a-loss", quiets=frozenset({"outliers", "bounded"}),
    ),
    "amounts": Symptom(
        targets.amounts, "The loss does not suit skewed amounts",
        "Squares take a miss of 3 at 100 for as bad as a miss of 3 at 1.",
        "choosing-a-loss", quiets=frozenset({"outliers", "bounded"}),
    ),
    "bounded": Symptom(
        targets.bounded, "The loss does not suit a bounded target",
        "A straight line knows no bounds.",
        "choosing-a-loss", quiets=frozenset({"outliers", "bounded"}),
    ),
    "outliers": Symptom(
        targets.outliers, "A few rows carry the gradient",
        "A squared distance lets one row that is ten times as far off pull a hundred times as hard.",
        "robust-loss",
    ),
    "overfitting": Symptom(
        fitted.overfitting, "The fit has learnt the rows' chance",
        "What is learnt after the turn is true of these rows only.",
        "overfitting", quiets=frozenset({PACE}),
    ),
    "collinear": Symptom(
        columns.collinear, "Columns nearly give each other",
        "What one column adds beside the other varies little, so along their difference the loss is flat.",
        "ill-conditioning", quiets=frozenset({PACE}),
    ),
    "unscaled": Symptom(
        columns.unscaled, "The columns are of different scales",
        "The largest column sets the largest rate, and the smallest needs far more steps of it.",
        "scaling", SCALE, 1.5, frozenset({"stopped_early", "conditioned", *TOO_LARGE}),
    ),
    "diverged": Symptom(
        stability.diverged, "The run diverged",
        "A step beyond 2/L lands further up the other side than it began, and the next is longer still.",
        "rate-too-large", PACE,
    ),
    "above": Symptom(
        stability.above, "The rate is above the largest that works",
        "Steps jump over the valley, or noise is stirred up faster than it is averaged away.",
        "rate-too-large", PACE,
    ),
    "edge": Symptom(
        stability.edge, "The rate is at the edge of stability",
        "Each step along the steepest direction lands almost as far off on the other side.",
        "rate-too-large", PACE,
    ),
    "momentum": Symptom(
        stability.momentum, "Momentum is too high",
        "A walk that remembers too long swings past the bottom again and again.",
        "momentum", PACE, 1.0,
    ),
    "noise_floor": Symptom(
        pace.noise_floor, "The noise floor is reached",
        "At a constant rate each small batch knocks the walk about as much as the slope draws it in.",
        "noise-ball", PACE, 1.0,
    ),
    "decays_soon": Symptom(
        pace.decays_soon, "The schedule decays too soon",
        "A rate that has fallen early leaves the rest of the run standing still.",
        "schedules", PACE, 0.7,
    ),
    "too_small": Symptom(
        pace.too_small, "The rate is far too small",
        "Every step goes the right way, and hardly anywhere.",
        "rate-too-small", PACE, 0.5,
    ),
    "warmup": Symptom(
        stability.warmup, "A warm-up is missing",
        "The first adaptive steps divide by a size that one gradient guessed.",
        "warm-up", PACE, 0.5,
    ),
    "batch_large": Symptom(
        pace.batch_large, "The batch is far above the critical size",
        "Beyond the critical size a row more makes a step hardly better, and every step dearer.",
        "critical-batch", PACE, 0.3,
    ),
    "batch_small": Symptom(
        pace.batch_small, "The batch is below the critical size",
        "With few rows a step is mostly noise, and only a small rate averages it away.",
        "critical-batch", PACE, 0.3,
    ),
    "stopped_early": Symptom(
        pace.stopped_early, "It stopped too early",
        "The loss still falls, so more steps buy more.",
        "early-stopping", PACE,
    ),
    "conditioned": Symptom(
        columns.conditioned, "The problem is ill-conditioned",
        "A rate that the steepest direction bears is tiny for the flattest, where the rest of the way lies.",
        "ill-conditioning", PACE, REST,
    ),
    "ran_long": Symptom(
        pace.ran_long, "It ran long after nothing changed",
        "Once the loss is level, more steps cost time and change nothing.",
        "early-stopping", LAST,
    ),
}  # fmt: skip
"""In the order in which causes speak."""


def signs(case: Any, mistaken: Container[str] = (), table: Mapping[str, Symptom] = SYMPTOMS) -> dict[str, Sign]:
    """What every symptom's function sees, but those of `mistaken` and those that others explain, most important first."""
    spoken: dict[str, Sign] = {}
    quiet: set[str] = set()
    for name, symptom in table.items():
        if name in mistaken:
            continue
        if not {name, symptom.kind} & quiet and (sign := symptom.detect(case)) is not None:
            spoken[name] = sign
            quiet |= symptom.quiets
    causes = {name: sign for name, sign in spoken.items() if table[name].kind == CAUSE}
    paces = sorted(
        ((name, sign) for name, sign in spoken.items() if table[name].kind in SLOW),
        key=lambda pair: -(pair[1].score + table[pair[0]].bonus),
    )
    last = {name: sign for name, sign in spoken.items() if table[name].kind == LAST}
    return {**causes, **dict(paces), **last}


def finding_of(name: str, sign: Sign, case: Any, table: Mapping[str, Symptom] = SYMPTOMS) -> Finding:
    """A sign in words, not tried yet."""
    symptom = table[name]
    return Finding(
        name, symptom.title, sign.seen, symptom.why, symptom.concept, sign.change, sign.expected, None,
        tuple(case.name(j).strip('"') for j in sign.columns), sign.rows, sign.updates, sign.tensors,
    )  # fmt: skip
