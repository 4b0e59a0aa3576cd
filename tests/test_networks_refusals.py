"""What does not suit a network is refused before the walk, in one sentence that names the value and the fix."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import fallline
from fallline import InputError, Net, Plan
from fallline.losses import SquaredError
from test_networks import ROWS, WIDE, network, table

X, LABELS = table(torch.float32)
AMOUNTS = X[:, :2]
BAD = {
    "no parameters": (nn.ReLU(), (X, LABELS), None, "no parameters"),
    "all frozen": (network(torch.float32).requires_grad_(False), (X, LABELS), None, "requires a gradient"),
    "lazy": (nn.LazyLinear(2), (X, LABELS), None, "lazy"),
    "too few columns": (network(torch.float32), (X[:, :3], LABELS), None, r"\(2, 3\)"),
    "more targets": (network(torch.float32), (X[:50], LABELS), None, "50 rows of inputs and 96 targets"),
    "a label too high": (network(torch.float32), (X, LABELS * 2), None, "is 2, and the module has 2 outputs"),
    "a label below zero": (network(torch.float32), (X, LABELS - 1), None, "is -1"),
    "classes under mse": (network(torch.float32), (X, LABELS), "mse", "takes amounts"),
    "amounts under cross entropy": (network(torch.float32), (X, X[:, 0]), "cross_entropy", "numbers of classes"),
    "shapes that broadcast": (network(torch.float32), (X, X[:, 0]), "mse", "Shapes do not meet"),
    "text": (network(torch.float32), (np.array([["a"] * WIDE] * ROWS), LABELS), None, "takes numbers"),
    "a number missing": (network(torch.float32), (torch.where(X > 2, torch.nan, X), LABELS), None, "have nan in row"),
    "no rows": (network(torch.float32), (X[:0], LABELS[:0]), None, "no rows"),
    "an unknown loss": (network(torch.float32), (X, LABELS), "focal", 'no loss "focal"'),
    "a loss that is none": (network(torch.float32), (X, LABELS), 3, "The loss is 3"),
    "four parts": (network(torch.float32), [(X, LABELS, LABELS, LABELS)] * 4, None, "batch 1 has 4 parts"),
    "no module": ("x", (X, LABELS), None, "The module is a str"),
    "a module without numbers": (network(torch.float32).to("meta"), (X, LABELS), None, 'the device "meta"'),
    "inputs without numbers": (network(torch.float32), (X.to("meta"), LABELS), None, 'on the device "meta"'),
    "a tuple of targets": (network(torch.float32), [(X, (X, X))], "mse", "the targets are a tuple"),
    "no data": (network(torch.float32), 3, None, "The data are int"),
    "an iterator without a length": (network(torch.float32), iter([(X, LABELS)]), None, "how many batches"),
    "an empty loader": (
        network(torch.float32),
        DataLoader(TensorDataset(X[:3], LABELS[:3]), 5, drop_last=True),
        None,
        "0 batch",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_suit_is_refused_in_one_sentence(case):
    module, data, loss, says = BAD[case]
    with pytest.raises(InputError, match=says):
        Net(module, data, loss)


VALIDATION = {
    "too few columns": ((X[:, :3], LABELS), r"the module cannot take inputs of shape \(2, 3\)"),
    "a label too high": ((X, LABELS + 2), "the target of row .* the module has 2 outputs"),
    "more targets": ((X[:50], LABELS), "there are 50 rows of inputs and 96 targets"),
    "a later label": ([(X, LABELS), (X, LABELS + 2)], "batch 2: the target of row"),
}


@pytest.mark.parametrize("case", VALIDATION)
def test_rows_of_validation_are_tried_as_those_of_the_data_are(case):
    data, says = VALIDATION[case]
    with pytest.raises(InputError, match=f"^Validation: {says}"):
        Plan(step="adam", rate=0.01).run(Net(network(torch.float32), (X, LABELS), validation=data))


class Ends:
    """A loader whose second pass has another length."""

    def __init__(self, passes):
        self.passes, self.begun = passes, 0

    def __len__(self):
        return 3

    def __iter__(self):
        self.begun += 1
        return iter([(X[:8], LABELS[:8])] * (3 if self.begun < 4 else self.passes))


@pytest.mark.parametrize(("passes", "says"), [(2, "ended after 2 of its 3"), (4, "more than the 3 batches")])
def test_a_loader_that_changes_its_length_is_named(passes, says):
    with pytest.raises(InputError, match=says):
        Plan(step="adam", rate=0.01, amount=50).run(Net(network(torch.float32), Ends(passes)))


def test_what_cannot_be_used_is_named_with_what_can():
    with pytest.raises(InputError, match="precision"):
        Net(network(torch.float32), (X, LABELS), precision="float8")
    with pytest.raises(InputError, match='device "cuda:99"'):
        Net(network(torch.float32), (X, LABELS), device="cuda:99")
    with pytest.raises(InputError, match='on the device "meta"'):
        Net(network(torch.float32), (X, LABELS), device="meta")
    with pytest.raises(InputError, match="saga walks linear models"):
        Plan(step="saga").run(Net(network(torch.float32), (X, LABELS)))
    linear = fallline.Linear(X.numpy(), X[:, 0].numpy(), SquaredError())
    with pytest.raises(InputError, match=r"class of torch\.optim, for networks"):
        Plan(step="AdamW", rate=0.1).run(linear)
