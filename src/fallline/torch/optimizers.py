"""From a step rule to what walks a network by it: torch's own optimizer wherever there is one."""

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from importlib import import_module
from inspect import signature, unwrap
from typing import Any, NamedTuple

import torch
from torch import nn

from fallline.errors import InputError
from fallline.steps import (
    Adadelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    ClipNorm,
    ClipValue,
    Momentum,
    NAdam,
    Nesterov,
    Plain,
    RAdam,
    RMSProp,
)
from fallline.steps.named import Optimizer
from fallline.torch.flat import Flat
from fallline.torch.memory import full
from fallline.torch.nadamw import NAdamW
from fallline.torch.packing import packed

Settings = dict[str, Any]

FUSED = {**dict.fromkeys(("SGD", "Adam", "AdamW"), ("cpu", "cuda")), "Adagrad": ("cpu",)}  # where torch has one kernel
CLOSED = ("LBFGS",)  # those that look at the loss again within a step
MATRICES = ("Muon", "AdaGO", "AdaMuon", "DistributedMuon", "MuonClip", "NorMuon", "SpectralSphere")  # take them alone
OWN: dict[str, Settings] = {
    "Muon": {"adjust_lr_fn": "match_rms_adamw"},  # so that one rate suits both halves
    "NAdamW": {"weight_decay": 0.01, "decoupled_weight_decay": True},
}
PARTS = ("model", "optimizer", "base_optimizer")  # arguments of a constructor that are no settings
ALIAS = {"NAdamW": "NAdam"}  # names that torch has under another, with settings of its own
SETTINGS: dict[type, Callable[[Any], tuple[str, Settings]]] = {
    Plain: lambda step: ("SGD", {}),
    Momentum: lambda step: ("SGD", {"momentum": step.beta}),
    Nesterov: lambda step: ("SGD", {"momentum": step.beta, "nesterov": True}),
    Adam: lambda step: ("Adam", _betas(step)),
    AdamW: lambda step: ("AdamW", {**_betas(step), "weight_decay": step.decay}),
    Adamax: lambda step: ("Adamax", _betas(step)),
    RAdam: lambda step: ("RAdam", _betas(step)),
    NAdam: lambda step: ("NAdam", {**_betas(step), "momentum_decay": step.psi}),
    RMSProp: lambda step: ("RMSprop", {"alpha": step.rho, "eps": step.eps}),
    AdaGrad: lambda step: ("Adagrad", {"eps": step.eps}),
    Adadelta: lambda step: ("Adadelta", {"rho": step.rho, "eps": step.eps}),
}
"""fallline's rows that torch.optim has, too, and how it calls their settings; the others walk by their own arithmetic."""
BASIS = 64.0  # inputs at which a rate scaled by fan-in is the rate itself


def _betas(step: Any) -> Settings:
    return {"betas": (step.beta1, step.beta2), "eps": step.eps}


class Clip(NamedTuple):
    """Bounds on a gradient, from the clipping that wraps a step rule; the outer ones first."""

    bounds: tuple[Any, ...] = ()

    def __call__(self, flat: Flat) -> None:
        for bound in self.bounds:
            slopes = flat.slopes()
            if isinstance(bound, ClipValue):
                for slope in slopes:
                    slope.clamp_(-bound.limit, bound.limit)
            elif (
                norm := float(norm_of(slopes))
            ) > bound.limit:  # a norm that is no number passes, and the trace shows it
                for slope in slopes:
                    slope.mul_(bound.limit / norm)


class Torch:
    """A class of torch.optim, or of the extra library, on a module's parameters."""

    def __init__(self, name: str, settings: Settings, tensors: Sequence[nn.Parameter], scale: str = "") -> None:
        self.name, self.closed = name, name in CLOSED
        made = class_of(name, settings)
        own: Settings = dict(OWN.get(name, {}))
        if (
            tensors[0].device.type in FUSED.get(name, ())
            and not {"fused", "foreach", "differentiable"} & settings.keys()
        ):
            own["fused"] = True
        common = {"use_muon": True} if name in MATRICES else {}  # the extra library's must be told
        groups = [{"params": tensors, "factor": 1.0, **common}]
        if scale:
            groups = [{"params": [tensor], "factor": _factor(tensor), **common} for tensor in tensors]
        try:
            self.optimizer = made(groups, lr=1.0, **{**own, **settings})
        except Exception as error:
            if full(error):
                raise
            raise InputError(f"{name} cannot be made with these settings ({_first(error)}).") from error
        # torch wraps step in a profiler's range and a look for hooks, of which ours has none: a twentieth of a small step
        self._step = partial(unwrap(made.step), self.optimizer) if name in FUSED else self.optimizer.step

    def step(self, rate: float, t: int, closure: Callable[[], Any]) -> None:
        """One step at that rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        try:
            with torch.no_grad():
                self._step(*(closure,) if self.closed else ())
        except Exception as error:
            if t > 1 or isinstance(error, InputError) or full(error):
                raise
            raise InputError(
                f"{self.name} cannot step on this module ({_first(error)}): name another optimizer."
            ) from error
        if t == 1:
            self._refuse_objects()

    def _refuse_objects(self) -> None:
        """Raise InputError where what it remembers cannot be kept: said after a walk's first step, not at the end of a pass."""
        try:
            packed(self.memory())
        except TypeError as error:
            raise InputError(
                f"{self.name} remembers what is neither tensor nor number ({error}), so that no walk could go on from it: name "
                "another optimizer."
            ) from error

    def memory(self) -> Any:
        """What it remembers."""
        return self.optimizer.state_dict()

    def restore(self, memory: Any) -> None:
        """Go on from there."""
        self.optimizer.load_state_dict(memory)

    def answering(self, answering: bool) -> None:
        """Put the point to answer with in the parameters, or the one to step from: they differ in Schedule-Free."""
        if hasattr(self.optimizer, "eval"):
            self.optimizer.eval() if answering else self.optimizer.train()


class Split:
    """Rules for matrices on the matrices, and AdamW on the rest, which they cannot take."""

    closed = False

    def __init__(self, name: str, settings: Settings, tensors: Sequence[nn.Parameter], scale: str = "") -> None:
        matrices = [tensor for tensor in tensors if tensor.ndim == 2]
        rest = [tensor for tensor in tensors if tensor.ndim != 2]
        self.name = name
        self.both = [Torch(name, settings, matrices, scale)] if matrices else []
        self.both += [Torch("AdamW", {}, rest)] if rest else []

    def step(self, rate: float, t: int, closure: Callable[[], Any]) -> None:
        for each in self.both:
            each.step(rate, t, closure)

    def memory(self) -> Any:
        return [each.memory() for each in self.both]

    def restore(self, memory: Any) -> None:
        for each, held in zip(self.both, memory, strict=True):
            each.restore(held)

    def answering(self, answering: bool) -> None:
        """The point that they step from is the one that they answer with."""


class Rule:
    """A step rule of fallline's on a module's parameters, by its own arithmetic on torch vectors."""

    closed = False

    def __init__(self, rule: Any, flat: Flat) -> None:
        self.name, self.rule, self.flat = type(rule).__name__, rule, flat
        self.held = rule.start(flat.read().clone())

    def step(self, rate: float, t: int, closure: Callable[[], Any]) -> None:
        with torch.no_grad():
            g, w = self.flat.slope(), self.flat.read()
            update, self.held = self.rule.update(g, w, self.held, self.rule.begin(t, g))
            self.flat.load(w - rate * update)

    def memory(self) -> Any:
        return tuple(self.held)

    def restore(self, memory: Any) -> None:
        self.held = memory

    def answering(self, answering: bool) -> None:
        """The point that it steps from is the one that it answers with."""


def walked_by(step: Any, flat: Flat) -> tuple[Clip, Torch | Split | Rule | NAdamW]:
    """The bounds on the gradient, and who steps."""
    bounds = []
    while isinstance(step, ClipNorm | ClipValue):
        bounds.append(step)
        step = step.step
    if isinstance(step, Optimizer) and step.name == NAdamW.name and type(flat) is Flat:
        factors = [flat.weights.new_full((tensor.numel(),), _factor(tensor)) for tensor in flat.tensors]
        return Clip(tuple(bounds)), NAdamW(dict(step.settings), flat, torch.cat(factors) if step.scale else None)
    if isinstance(step, Optimizer):
        made = Split if step.name in MATRICES else Torch
        return Clip(tuple(bounds)), made(step.name, dict(step.settings), flat.tensors, step.scale)
    if type(step) in SETTINGS:
        return Clip(tuple(bounds)), Torch(*SETTINGS[type(step)](step), flat.tensors)
    return Clip(tuple(bounds)), Rule(step, flat)


def class_of(name: str, given: Collection[str] = ()) -> Any:
    """The optimizer of that name. given: the settings that it is to be made with.

    Raises InputError where neither torch nor the extra library has it, and for one that wants more than parameters and settings.
    """
    if (made := _optimizer_in(torch.optim, ALIAS.get(name, name))) is not None:
        return made
    try:
        made = _optimizer_in(import_module("pytorch_optimizer"), name)
    except ImportError:
        raise InputError(
            f"torch.optim has no {name}, and the library that may have it is not installed: pip install fallline[optimizers], or "
            f"name one of {', '.join(names())}."
        ) from None
    if made is None:
        raise InputError(
            f"There is no optimizer {name}: neither torch.optim nor pytorch_optimizer has it. torch has {', '.join(names())}."
        )
    wanted = [
        each.name
        for each in signature(made).parameters.values()
        if each.default is each.empty
        and each.kind is each.POSITIONAL_OR_KEYWORD
        and each.name not in ("params", *given)
    ]
    if others := [each for each in wanted if each in PARTS]:
        raise InputError(
            f"{name} is made around something else ({', '.join(others)}), which a plan cannot give: name another optimizer."
        )
    if wanted:
        raise InputError(f"{name} needs settings: write {name}:{','.join(f'{each}=…' for each in wanted)}.")
    return made


def _optimizer_in(library: Any, name: str) -> Any:
    """Its optimizer of that name; None where it has none."""
    made = getattr(library, name, None)
    real = isinstance(made, type) and issubclass(made, torch.optim.Optimizer) and made is not torch.optim.Optimizer
    return made if real else None


def _first(error: Exception) -> str:
    """The first line of what a library says, without its full stop."""
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")


def norm_of(tensors: list[torch.Tensor]) -> torch.Tensor:
    """The length of all of them as one vector, a scalar."""
    return torch.stack([tensor.norm() for tensor in tensors]).norm()


def names() -> list[str]:
    """The classes of torch.optim."""
    return [name for name in vars(torch.optim) if _optimizer_in(torch.optim, name) is not None]


def _factor(tensor: torch.Tensor) -> float:
    """√(64/fan_in) for a weight matrix or a convolution, 1 for vectors."""
    fan_in = tensor[0].numel() if tensor.ndim > 1 else BASIS
    return math.sqrt(BASIS / max(fan_in, 1))
