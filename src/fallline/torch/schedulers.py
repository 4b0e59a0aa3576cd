"""Schedules of torch.optim.lr_scheduler as functions of the step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.optim import lr_scheduler

from fallline.errors import InputError
from fallline.steps.named import class_in

LAID_OUT: dict[str, Callable[[int, float], dict[str, Any]]] = {
    "OneCycleLR": lambda steps, rate: {"total_steps": steps, "max_lr": rate},
    "CosineAnnealingLR": lambda steps, rate: {"T_max": steps},
    "PolynomialLR": lambda steps, rate: {"total_iters": steps},
    "LinearLR": lambda steps, rate: {"total_iters": steps},
    "ConstantLR": lambda steps, rate: {"total_iters": max(1, steps // 3)},
    "StepLR": lambda steps, rate: {"step_size": max(1, steps // 3)},  # two falls
    "MultiStepLR": lambda steps, rate: {"milestones": (max(1, steps // 3), max(2, 2 * steps // 3))},
    "ExponentialLR": lambda steps, rate: {"gamma": 0.01 ** (1.0 / steps)},  # down to a hundredth
    "CosineAnnealingWarmRestarts": lambda steps, rate: {"T_0": max(1, steps // 7), "T_mult": 2},  # 1 + 2 + 4 periods
    "CyclicLR": lambda steps, rate: {"base_lr": 0.1 * rate, "max_lr": rate, "step_size_up": max(1, steps // 10)},
}
"""What a schedule is given unless its text says it, so that it is laid out over the walk as fallline's own are (see plan.py)."""


class Scheduler:
    """The rates that a scheduler of torch gives an optimizer of rate `rate` that is stepped after every update.

    make: optimizer → scheduler, for those that are made of others: `Scheduler(lambda o: SequentialLR(o, …), rate)`. every:
    updates between two steps of the scheduler, for one that is meant to be stepped once an epoch.
    """

    def __init__(self, make: Callable[[Any], Any], rate: float = 1.0, every: int = 1) -> None:
        self.every = every
        self.optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
        self.scheduler = make(self.optimizer)
        self.rates = [self._rate()]
        self.text = f"Scheduler({type(self.scheduler).__name__}, {self.scheduler.state_dict()}, every={every})"

    def __repr__(self) -> str:
        """What it began as: a checkpoint knows its plan again by it."""
        return self.text

    def at(self, t: int) -> float:
        """The rate of step t, from 1."""
        place = (int(t) - 1) // self.every
        while place >= len(self.rates):
            self.optimizer.step()
            try:
                self.scheduler.step()
            except ValueError:
                raise InputError(
                    f"{type(self.scheduler).__name__} ends after {len(self.rates) * self.every:,} updates and the walk goes on: "
                    "give it as many as the walk has."
                ) from None
            self.rates.append(self._rate())
        return self.rates[place]

    def _rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])


def scheduler_of(text: str, rate: float, updates: int) -> Scheduler:
    """From `Name:setting=value,…` (see steps/named.py); `every` is that of Scheduler. updates: those of the walk.

    What the text leaves open is laid out over the walk (LAID_OUT). Raises InputError for what torch has not, for
    settings it does not take, and for one that needs to see the loss: fallline's reduce_on_plateau does.
    """
    name, settings = class_in(text, "schedule")
    made = getattr(lr_scheduler, name, None)
    if not (isinstance(made, type) and issubclass(made, lr_scheduler.LRScheduler)):
        raise InputError(f"torch.optim.lr_scheduler has no {name}: there are {', '.join(names())}.")
    if made is lr_scheduler.ReduceLROnPlateau:
        raise InputError("ReduceLROnPlateau looks at the loss: use fallline's schedule reduce_on_plateau.")
    every = int(settings.pop("every", 1))
    if name in LAID_OUT:
        settings = LAID_OUT[name](-(-updates // every), rate) | settings
    try:
        return Scheduler(partial(made, **settings), rate, every)
    except (TypeError, ValueError) as error:
        raise InputError(f'The schedule "{text}" cannot be made ({error}).') from None


def names() -> list[str]:
    """The schedulers of torch that a text can name."""
    held = vars(lr_scheduler).items()
    return [
        name for name, made in held
        if isinstance(made, type) and issubclass(made, lr_scheduler.LRScheduler) and name[0] != "_"
        and name not in ("LRScheduler", "ReduceLROnPlateau", "LambdaLR", "MultiplicativeLR", "ChainedScheduler", "SequentialLR")
    ]  # fmt: skip
