"""A network with one thing changed, as advice has it: drawn anew, calmed, rectified, without a second softmax, thawed."""

import math
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from fallline.torch.batches import Tensors
from fallline.torch.criterion import CLASSED, Criterion
from fallline.torch.modes import seeded

ONE = 32  # rows of the one batch that every network ought to fit
FIT = "NAdam:weight_decay=0.0,scale=fan_in"  # how it is fitted, without what a plan adds to steps
BARE: dict[str, Any] = {
    "schedule": "constant", "warmup": 0, "average": "none", "clip_norm": None, "clip_value": None, "batch_size": None,
    "step": FIT, "variant": "batch", "budget": "updates",
}  # fmt: skip
PACES = (8e-3, 60), (2e-3, 150)  # rate and steps, one after the other if need be
BETWEEN = 5  # steps between two looks at rows that are not learnt
FITTED = 0.5  # of the loss of equal scores: the first pace was enough


def initialised(probing: Any, module: nn.Module) -> Any:
    """Weights drawn at √(2/fan_in), of the last layer at √(1/fan_in), of recurrent layers orthogonal; biases 0."""
    layers = [p for p in module.modules() if isinstance(p, nn.Linear | nn.modules.conv._ConvNd | nn.RNNBase)]
    with torch.no_grad(), seeded(0, probing.net.device):
        for part in layers:
            for name, tensor in part.named_parameters(recurse=False):
                if tensor.ndim < 2:
                    tensor.zero_()
                elif "weight_hh" in name:
                    for block in torch.split(tensor, tensor.shape[1]):
                        nn.init.orthogonal_(block)
                else:
                    gain = 1.0 if part is layers[-1] or isinstance(part, nn.RNNBase) else 2.0
                    tensor.normal_(0.0, math.sqrt(gain / tensor[0].numel()))
    return probing.with_module(module)


def calmed(probing: Any, module: nn.Module) -> Any:
    """The last layer made smaller, so that the loss begins where outputs that know nothing have it."""
    last = [part for part in module.modules() if any(p.ndim > 1 for p in part.parameters(recurse=False))][-1]
    with torch.no_grad():
        for tensor in last.parameters(recurse=False):
            tensor.mul_(min(1.0, probing.unknowing / max(probing.loss(probing.net.start()), 1e-12)))
    return probing.with_module(module)


def rectified(probing: Any, module: nn.Module) -> Any:
    """Tanh and sigmoid modules replaced by ReLU, and all drawn anew."""
    for part in list(module.modules()):
        for name, inside in list(part.named_children()):
            if isinstance(inside, nn.Tanh | nn.Sigmoid):
                setattr(part, name, nn.ReLU())
    return initialised(probing, module)


def logged(probing: Any, module: nn.Module) -> Any:
    """The negative log-likelihood of the probabilities that the module gives, instead of a second softmax."""

    def loss(outputs: torch.Tensor, targets: torch.Tensor, **more: Any) -> torch.Tensor:
        shares = outputs if probing.gives_shares else outputs.softmax(1)
        return nn.functional.nll_loss(shares.clamp_min(1e-12).log(), targets, **more)

    return probing.with_module(module, Criterion(CLASSED[1], loss))


def thawed(probing: Any, module: nn.Module) -> Any:
    """All parameters that there are walk."""
    return probing.with_module(module.requires_grad_(True))


def standardised(probing: Any, module: nn.Module) -> Any:
    """The same network on targets without their mean, divided by their deviation."""
    data = copy(probing.net.data)
    data.targets = (data.targets - data.targets.mean(0)) / data.targets.std(0).clamp_min(1e-30)
    return probing.with_module(module, data=data)


REMADE = {
    "initialised": initialised,
    "calmed": calmed,
    "rectified": rectified,
    "logged": logged,
    "thawed": thawed,
    "standardised": standardised,
}
"""By name; each takes the probing (see probing.py) and a copy of the module."""


def one_batch(probing: Any) -> float:
    """The loss of 32 rows after a copy without dropout learnt them alone, as a share of that of equal scores."""
    left = math.inf
    for pace in PACES if isinstance(probing.probe.inputs, torch.Tensor) else ():
        losses = fitted(probing, ONE, *pace).trace.steps["loss"]
        left = min(left, float(losses[-5:].min()) / max(probing.unknowing, 1e-12))
        if left < FITTED:
            break
    return left if left < math.inf else math.nan


def elsewhere(probing: Any) -> float:
    """The lowest loss on a quarter of the probe's rows while such a copy learns the others; NaN where there are few rows."""
    probe = probing.probe
    count = 3 * len(probe) // 4
    if not isinstance(probe.inputs, torch.Tensor) or count < ONE:
        return math.nan
    points = [w for pace in PACES for w in fitted(probing, count, *pace, looks=1).trace.points[::BETWEEN]]
    return min((probe.loss(w, slice(count, None)) for w in points if math.isfinite(w.sum())), default=math.nan)


def fitted(probing: Any, rows: int, rate: float, steps: int, looks: int = 0) -> Any:
    """The run of a copy without dropout that learns the probe's first rows, all of them in each step."""
    net, probe, module = probing.net, probing.probe, probing.module()
    part = Tensors(probe.inputs[:rows], probe.targets[:rows], None, net.device, net.flat.tensors[0].dtype)
    for each in module.modules():
        if isinstance(each, nn.modules.dropout._DropoutNd):
            each.p = 0.0
    plan = replace(probing.run.plan, **BARE, rate=rate, amount=steps)
    return plan.run(probing.with_module(module, data=part), looks=looks)
