"""The symptoms of networks, one function and one row each, as symptoms.py has those of linear models."""

from fallline.explain import network_rates as rates
from fallline.explain import network_starts as starts
from fallline.explain import network_targets as targets
from fallline.explain import network_wiring as wiring
from fallline.explain.symptoms import Symptom

SLOW = frozenset({"net_too_low", "net_labels", "net_one_batch", "net_spike", "net_batch"})
RATES = frozenset({"net_too_high", "net_edge", "net_warm_up", "net_clipping"}) | SLOW
STARTS = frozenset({"net_bad_start", "net_vanishing", "net_dead", "net_not_a_number"}) | RATES

SYMPTOMS = {
    "net_softmax_twice": Symptom(
        wiring.softmax_twice, "Softmax is taken twice",
        "The second softmax takes shares for scores, so that no answer is ever certain and gradients are small.",
        "choosing-a-loss", quiets=STARTS,
    ),
    "net_mode": Symptom(
        wiring.mode_wrong, "Training and evaluation mode are mixed up",
        "Dropout and batch norm do one thing in steps and another in evaluation; the wrong one measures another network.",
        "choosing-a-loss", quiets=frozenset({"net_labels", "net_batch"}),
    ),
    "net_drops": Symptom(
        wiring.drops_in_evaluation, "Dropout is on in evaluation",
        "A network that drops units while it answers gives another answer every time, and a worse one.",
        "choosing-a-loss", quiets=frozenset({"net_labels", "net_batch", "net_one_batch"}),
    ),
    "net_targets": Symptom(
        targets.scale, "The targets are not at the outputs' scale",
        "Outputs begin near zero and about one in size, and the way to other amounts is walked by the last layer's steps.",
        "scaling", quiets=STARTS | {"net_overfitting"},
    ),
    "net_exploding": Symptom(
        starts.exploding, "Gradients explode",
        "Each layer multiplies what passes back through it, and factors above one compound.",
        "rate-too-large", quiets=STARTS,
    ),
    "net_bad_start": Symptom(
        starts.bad_start, "The initialisation is bad",
        "Outputs that begin large are sure of the wrong answers, and the first steps go into taking that back.",
        "plateau", quiets=frozenset({"net_vanishing", "net_dead"}) | RATES,
    ),
    "net_vanishing": Symptom(
        starts.vanishing, "Gradients vanish",
        "Each layer multiplies what passes back through it, and factors below one compound.",
        "plateau", quiets=frozenset({"net_dead"}) | RATES,
    ),
    "net_dead": Symptom(
        starts.dead, "ReLUs are dead",
        "A unit that is below zero on every row has no slope, and nothing brings it back.",
        "plateau", quiets=frozenset({"net_frozen"}) | RATES,
    ),
    "net_frozen": Symptom(
        wiring.frozen, "Parameters are frozen",
        "What no gradient reaches stays as it was drawn.",
        "plateau", quiets=frozenset({"net_one_batch", "net_labels", "net_batch"}),
    ),
    "net_not_a_number": Symptom(
        wiring.not_a_number, "An operation gives what is no number",
        "Logarithms, roots and quotients have places without a value or a slope.",
        "float32", quiets=RATES,
    ),
    "net_clipping": Symptom(
        rates.clipping, "Recurrent gradients want clipping",
        "Through many steps of time a gradient is a product of many factors, and now and then a long one.",
        "rate-too-large", quiets=frozenset({"net_too_high", "net_edge", "net_warm_up"}) | SLOW,
    ),
    "net_edge": Symptom(
        rates.edge, "The rate is beyond the edge of stability",
        "Where curvature times rate is beyond its edge, every step along the steepest direction lands higher.",
        "rate-too-large", quiets=frozenset({"net_too_high", "net_warm_up"}) | SLOW,
    ),
    "net_warm_up": Symptom(
        rates.warm_up, "A warm-up is missing",
        "The first adaptive steps divide by a size that one gradient guessed.",
        "warm-up", quiets=frozenset({"net_too_high"}) | SLOW,
    ),
    "net_too_high": Symptom(
        rates.too_high, "The rate is too high",
        "Steps that change much of a weight at once undo what others learnt.",
        "rate-too-large", quiets=SLOW,
    ),
    "net_too_low": Symptom(
        rates.too_low, "The rate is too low",
        "Every step goes the right way, and hardly anywhere.",
        "rate-too-small", quiets=SLOW,
    ),
    "net_one_batch": Symptom(
        wiring.one_batch, "It cannot fit one batch",
        "A network with more parameters than rows fits them, unless something between input and loss is cut.",
        "plateau", quiets=SLOW,
    ),
    "net_labels": Symptom(
        wiring.labels, "The labels do not belong to the inputs",
        "What can be learnt by heart and never foretold has nothing to do with the inputs.",
        "leakage", quiets=frozenset({"net_overfitting", "net_spike", "net_batch"}),
    ),
    "net_overfitting": Symptom(
        wiring.overfitting, "The network has learnt the rows' chance",
        "What is learnt after the turn is true of these rows only.",
        "overfitting", quiets=frozenset({"net_batch"}),
    ),
    "net_spike": Symptom(
        rates.spike, "The loss has a spike",
        "One batch unlike the others throws the walk back, and adaptive steps remember it.",
        "robust-loss", quiets=frozenset({"net_batch"}),
    ),
    "net_batch": Symptom(
        rates.batch, "The batch does not suit the noise",
        "Below the noise scale a step is mostly chance; beyond it rows are spent on what is known already.",
        "critical-batch",
    ),
}  # fmt: skip
"""In the order in which causes speak: a cause silences what it explains."""
