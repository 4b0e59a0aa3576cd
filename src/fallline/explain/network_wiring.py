"""What is wrong about a network whatever its rate: loss, labels, frozen tensors, modes, numbers that are none, overfitting."""

import numpy as np

from fallline.explain.finding import Sign
from fallline.explain.network_rates import BEFORE, diverging
from fallline.explain.networks import NetCase, advised, decided
from fallline.words import number

CHANCE = 0.96  # of the loss of outputs that do not look at the inputs
FITS = 0.5  # of the loss of equal scores: what one batch must come down to
STILL = 0.9  # of the same: a run that ends above has learnt next to nothing
TURN, APART = 1.08, 0.5  # the last two looks above the best; training below half of held-out
LONG = 60  # updates
GREW, BURST = 2.0, 30.0  # of loss and gradient before a number that is none: then it diverged


def softmax_twice(case: NetCase) -> Sign | None:
    """The outputs are probabilities where the loss takes logits, or a certain right answer still has a loss."""
    if not (case.probing.gives_shares or case.probing.saturates_twice):
        return None
    least = case.probing.saturates_twice or float(np.log(case.probing.classes - 1 + np.e) - 1.0)
    seen = f"a certain and right answer still has a loss of {number(least)}: softmax is taken twice."
    return advised(
        case,
        seen,
        "give the loss logits: leave softmax out of the module.",
        how="logged",
        tried_for=max(case.short, LONG),
        least=0.97,
    )


def not_a_number(case: NetCase) -> Sign | None:
    """A loss or gradient is not finite, and nothing grew before it."""
    t = case.broken
    at_once = not len(case.losses) and not np.isfinite(
        case.first
    )  # the loss at the start is no number: no step was made
    if not at_once and (not t or diverging(case)):
        return None
    before = case.losses[max(t - 1 - BEFORE, 0) : t - 1]
    norms = case.steps["gradient_norm"][case.measured]
    norms = norms[(case.steps["t"][case.measured] < t) & np.isfinite(norms)]
    if len(before) and before[-1] > GREW * np.median(before):
        return None
    if len(norms) > 1 and norms[-1] > BURST * np.median(norms):
        return None
    module, operation, backward = case.probing.replay.broken_by(t)
    if not operation and case.probing.replay.exact:
        return None
    if not operation:
        seen = f"update {t:,} has a loss or gradient that is no finite number, and nothing grew before."
        text = "look for rows that are no numbers, and for logarithms, roots and quotients in module and loss."
        return decided(case, seen, text, updates=(t, t))
    how = "the gradient of " if backward else ""
    seen = f"update {t:,} has {how}{operation} in {module} giving what is no finite number, and nothing grew before."
    text = f"keep the inputs of {operation} where it and its slope are finite (a small constant added, or clamp)."
    return decided(case, seen, text, updates=(t, t), tensors=(module,))


def frozen(case: NetCase) -> Sign | None:
    """Tensors that no step changes: no gradient is asked for, none arrives, or torch does not know of them.

    Where an operation gives zero for every row, that no gradient arrives is its doing, and no tensor's.
    """
    names = list(case.probing.frozen)
    if len(case.measured) and not case.probing.silent:
        for name in case.net.layers:
            slopes = case.steps[f"gradient/{name}"][case.measured]
            if (slopes == 0.0).all():
                names.append(name)
    if not names:
        return None
    seen = f"no step changes {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}."
    text = "unfreeze them (requires_grad_()), register them (nn.ModuleList), or connect them to the loss, unless you meant it."
    return decided(case, seen, text, tensors=tuple(names))


def mode_wrong(case: NetCase) -> Sign | None:
    """Dropout or batch norm evaluates during steps, or an evaluation depends on the rows beside."""
    asleep, _, beside = case.probing.wrong_mode
    if not asleep and not beside:
        return None
    said = [f"{', '.join(asleep)} evaluate during steps"] if asleep else []
    said += ["in evaluation a row's output depends on the rows beside it"] if beside else []
    text = "let train() and eval() reach every part, and let batch norm keep running statistics."
    return decided(case, "; ".join(said) + ".", text, tensors=tuple(asleep))


def drops_in_evaluation(case: NetCase) -> Sign | None:
    """Units are dropped though the module evaluates."""
    _, drops, _ = case.probing.wrong_mode
    if not drops:
        return None
    text = "use nn.Dropout, or give functional.dropout training=self.training."
    return decided(case, f"units are dropped in evaluation, by {', '.join(drops[:3])}.", text)


def one_batch(case: NetCase) -> Sign | None:
    """The run learns next to nothing, and a copy cannot even learn 32 rows."""
    if not case.last > STILL * case.unknowing or not case.probing.classes or not case.probing.one_batch > FITS:
        return None
    seen = f"a copy trained on 32 rows alone is left with {100 * case.probing.one_batch:.0f} % of the loss of knowing nothing"
    silent = case.probing.silent[:1]
    seen += f"; {silent[0]} gives zero for every row." if silent else "."
    return decided(case, seen, "look at how module and loss are wired: it cannot fit what it sees.")


def labels(case: NetCase) -> Sign | None:
    """Rows that it has not learnt from are no better than chance, though one batch can be fitted."""
    if not case.probing.classes or not np.isfinite(case.chance):
        return None
    _, held, _ = case.probing.held_out
    if len(held):
        best = float(held.min())
    else:  # in the first pass every row is new
        size = case.plan.size(case.net.n)
        first = case.losses[: max(case.net.n // size, 1)]
        best = float(np.median(first[-max(len(first) // 4, 1) :]))
    if not best > CHANCE * case.chance or not case.probing.one_batch < FITS:
        return None
    if case.probing.elsewhere < CHANCE * case.chance:  # the run was slow, and its labels can be foretold
        return None
    seen = f"on rows that it has not learnt from the loss is {number(best)} at best, where guessing has {number(case.chance)}."
    return decided(case, seen, "check that rows of inputs and labels belong together.")


def overfitting(case: NetCase) -> Sign | None:
    """The loss on rows held out has turned, and is twice that on rows learnt."""
    t, held, learnt = case.probing.held_out
    if len(held) < 4:
        return None
    best = int(held.argmin())
    if not (held[-2:] > TURN * held[best]).all() or not learnt[-1] < APART * held[-1]:
        return None
    epochs = float(t[best] / max(t[-1], 1) * case.trace["epochs"][-1])
    seen = (
        f"the loss on rows held out was {number(held[best])} after {epochs:.2g} epochs and is {number(held[-1])} now, "
        f"where that on rows learnt is {number(learnt[-1])}."
    )
    text = f"stop after {epochs:.2g} epochs, or add weight decay or dropout."
    return decided(case, seen, text, updates=(int(t[best]), int(t[-1])))
