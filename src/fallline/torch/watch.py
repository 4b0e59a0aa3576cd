"""Somebody else's training loop, watched: two lines beside it, and the same bits as without them.

Hooks of torch's own tell when the optimizer steps, when a gradient comes and how many rows a model is called with. They read:
nothing is drawn from a generator, no model is called, no mode is changed, and what is kept is a copy outside of any graph.
"""

import time
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fallline import words
from fallline.descent import Run, State
from fallline.errors import InputError
from fallline.torch.backward import Heard, Value
from fallline.torch.engine import FIRST, OFTEN
from fallline.torch.flat import Apart
from fallline.torch.live import Live, line
from fallline.torch.record import Look, Record
from fallline.torch.recovered import explained, placed_in, step_of
from fallline.trace import Trace

SOON, LATER = 500, 100  # up to so many steps one of OFTEN is measured, then one of so many

Named = list[tuple[str, nn.Parameter]]


def watch(
    optimizer: torch.optim.Optimizer, *models: nn.Module, every: int | None = None, n: int = 1, live: Any = False
) -> "Seen":
    """Watch a loop that steps `optimizer` to train the model, or several; returns what has been seen so far.

    every: after the first 20 steps one of so many is measured; None: one of 25 up to step 500, then one of 100, as a measured
    step costs about two. The loss is read at each. n: rows in a pass, for the time axis "epochs". live: True draws the curve
    as it goes (a line on a terminal, a figure in a notebook), a function is called with the `Seen` after each look.
    See docs/watch.md for what is seen, what it costs and when no loss is told.

    Raises InputError where the optimizer trains nothing of the models.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise InputError(f"The optimizer is {type(optimizer).__name__}: watch(optimizer, model) takes one of torch.optim's "
                         "kind, then the model.")  # fmt: skip
    if not models or not all(isinstance(model, nn.Module) for model in models):
        raise InputError("watch(optimizer, model) takes the modules that the optimizer trains, one or several.")
    if (every is not None and every < 1) or n < 1:
        raise InputError(f"every is {every} and n is {n}: both count something, and are 1 or more.")
    names = names_of(models)
    trained = {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}
    if not trained & names.keys():
        raise InputError("The optimizer trains no parameter of the model: it was made for another one, or before the model's "
                         "parameters were replaced.")  # fmt: skip
    return Seen(optimizer, models, names, every, n, live)


class Seen:
    """What has been seen of a loop so far. `stop()`, or leaving it as a context, ends the watch and keeps what was seen."""

    def __init__(
        self, optimizer: torch.optim.Optimizer, models: tuple[nn.Module, ...], names: dict[int, str], every: int | None,
        n: int, live: Any,
    ) -> None:  # fmt: skip
        self.record, self.every, self.n = Record(), every, n
        self.models = [weakref.ref(model) for model in models]
        self.heard: torch.Tensor | None = None  # what a model was called with before the last measured step
        self.about = facts(optimizer, models)
        self._names, self._heard = names, Heard()
        self._said: Value = None
        self._live: Any = Live() if live is True else live
        self._rows = [0, 0]  # of forward passes since the last step, in evaluation and in training mode
        self._visits = 0
        self._t, self._looking, self._began = 0, 0.0, time.perf_counter()
        self._before: tuple[Apart, torch.Tensor, Any] | None = None
        self._room: torch.Tensor | None = None  # where the point before a step is put
        self._heard.listen([tensor for _, tensor in self._named(optimizer)])
        self._handles: list[Any] = [
            optimizer.register_step_pre_hook(self._stepping),
            optimizer.register_step_post_hook(self._stepped),
            *(model.register_forward_pre_hook(Ear(self), with_kwargs=True) for model in models),
        ]

    def loss(self, loss: Any) -> None:
        """Say the loss of the step to come, for a loop that never calls `backward()`: a number or a tensor of one."""
        self._said = value_of(loss)

    def stop(self) -> None:
        """Take every hook away."""
        for handle in (*self._handles, *self._heard.handles):
            handle.remove()
        self._handles, self._heard, self._before = [], Heard(), None
        if isinstance(self._live, Live):
            self._live.end()

    def __enter__(self) -> "Seen":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def trace(self) -> Trace:
        """The trace so far: looks at the start, at each of the first 20 steps and at one in so many after; every step's loss."""
        return self.record.trace(self.n, self.about)

    def plot(self, **options: Any) -> Any:
        """The loss against updates as a Plotly figure; the gradient's norm, where no loss could be told."""
        from fallline.figures import plot_traces

        if not self.record.known:
            return self._gradients(**options)
        return plot_traces({"": [self._known()]}, **{"x": "updates", **options})

    def report(self, path: Path | str) -> Path:
        """Write curves of loss, gradient and updates to one HTML file that opens without a network."""
        from fallline import __version__
        from fallline.report import write_report
        from fallline.torch.shown import draw_updates

        pictures = [("Loss", self.plot())] if self.record.known else []
        pictures += [("Gradients", self._gradients()), ("Updates", draw_updates(self.trace))]
        headline = f"Watched {words.times(self._t, 'step', 'steps')} of {self.about['optimizer']}"
        if self.record.known:
            heights = self._known()["loss"]
            headline += f": the loss goes from {words.number(heights[0])} to {words.number(heights[-1])}"
        said = ["The loss is that of the batches, each before its step."]
        summary = {"fallline": __version__, "verdict": {"headline": headline, "sentences": said}}
        return write_report(summary, [], (), path, pictures)

    def run(self, net: Any = None) -> Run:
        """The loop so far as a Run. net: the fallline.Net that it went down, where there is one, in the order of whose tensors
        its points then are.
        """
        trace, last = self.record.trace(self.n if net is None else net.n, self.about), self.record.last
        w = np.array([]) if last is None else last.numpy().copy()
        if net is not None and last is not None:
            names = self._looks()[-1].names
            w, trace.points = placed_in(net, names, w), [placed_in(net, names, point) for point in trace.points]
        lost = trace.broken() if self.record.known and self.record.known[-1] == len(self.record.looks) - 1 else ""
        return Run(State(w, (), w, self._t, len(self.record.looks)), trace, lost or "was watched", net)

    def explain(self, data: Any = None, plan: Any = None, loss: Any = None) -> Any:
        """What ails the loop and the one change that mends it, as of any run (see recovered.py).

        data: what the loop is fed, as `fallline.Net` takes it, or a Net of the model; without it, what trace and model alone
        tell, and nothing is tried. loss: as of Net. plan: for a loop whose own no plan can say. Raises InputError where these
        are not what was watched, and where no loss was told.
        """
        return explained(self, data, plan, loss)

    def __str__(self) -> str:
        """Where the loop is, in a line."""
        return line(self.trace)

    def _known(self) -> Trace:
        """The trace of the looks that have a loss."""
        return self.record.trace(
            self.n, {"name": "this loop", "variant": "mini-batch", **self.about}, self.record.known
        )

    def _gradients(self, **options: Any) -> Any:
        from fallline.figures import draw_lines

        looks = self._looks()
        title = f"The gradient's norm goes from {looks[0].slope:.3g} to {looks[-1].slope:.3g}"
        heights = ([look.t for look in looks], [look.slope for look in looks])
        return draw_lines({"gradient": heights}, title, y="norm of the gradient", log="y", **options)

    def _looks(self) -> list[Look]:
        if not self.record.looks:
            raise InputError("No step was seen yet: there is something to draw after the first optimizer.step().")
        return self.record.looks

    def _named(self, optimizer: torch.optim.Optimizer) -> Named:
        """What the optimizer trains now, by its name in the models or else by its place in the optimizer."""
        return [
            (self._names.get(id(tensor), f"group{g}.{k}"), tensor)
            for g, group in enumerate(optimizer.param_groups)
            for k, tensor in enumerate(group["params"])
            if tensor.requires_grad
        ]

    def forward(self, given: torch.Tensor, alone: bool, training: bool) -> None:
        """A model was called with that, alone or beside other inputs."""
        self._rows[training] += given.shape[0]
        if self._measured(self._t + 1):
            self.heard = given.detach() if alone else None

    def _stepping(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> Any:
        """Before a step."""
        self._t += 1
        place = args if len(args) > 1 else kwargs
        closure: Any = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            self._start(optimizer, self._heard.loss())
            return None

        def watched() -> Any:
            value = closure()
            if (
                len(self.record.losses) < self._t
            ):  # some look again within a step: the first time they are where it starts
                told = value_of(value)
                self._start(optimizer, self._heard.loss() if told is None else told)
            return value

        return ((args[0], watched, *args[2:]), kwargs) if place is args else (args, {**kwargs, "closure": watched})

    def _measured(self, t: int) -> bool:
        """Whether step t is one that is measured."""
        return t <= FIRST or not t % (self.every or (OFTEN if t <= SOON else LATER))

    def _start(self, optimizer: torch.optim.Optimizer, loss: Value) -> None:
        """Where a step starts: its loss and, of one that is measured, its gradient."""
        self.record.losses.append(loss if self._said is None else self._said)
        self._said = None
        if not self._measured(self._t):
            return
        began = time.perf_counter()
        flat = Apart(self._named(optimizer))
        if flat.tensors:
            self._heard.listen(flat.tensors)
            slopes = norms_of(flat.slopes())
            scale = getattr(optimizer, "grad_scale", None)  # a fused step takes mixed precision's factor out itself
            self._before = flat, flat.read(self._room), slopes if scale is None else slopes / float(scale)
        self._looking += time.perf_counter() - began

    def _stepped(self, optimizer: torch.optim.Optimizer, _: Any, __: Any) -> None:
        """After a step: what it came to."""
        if len(self.record.losses) < self._t:
            self.record.losses.append(None)  # a closure that was never called
        self._visits += self._rows[True] or self._rows[False]
        self.about["evaluating"] += not self._rows[True] and self._rows[False] > 0
        self._rows = [0, 0]
        self._heard.clear()
        if self._before is None:
            return
        began = time.perf_counter()
        (flat, before, slopes), self._before = self._before, None
        after = flat.read(self.record.room)
        start = None if self.record.looks else before.clone()
        sizes = norms_of(flat.pieces(before))
        self._room = moved = torch.sub(after, before, out=before)
        moves = norms_of(flat.pieces(moved))
        move = float(moves.norm()) if start is not None else self.record.move(after, moved)
        rate = float(optimizer.param_groups[0]["lr"]) if "lr" in optimizer.param_groups[0] else float("nan")
        look = Look(
            self._t, self._visits or self._t, began - self._began - self._looking, rate, move,
            float(after.norm()), flat.names, slopes.numpy(), (moves / sizes.clamp_min(1e-12)).numpy(),
        )  # fmt: skip
        self.record.note(look, start, after)
        if self._live:
            self._live(self)
        self._looking += time.perf_counter() - began


class Ear:
    """Counts the rows of a model's forward passes; in a copy or a file of the model it is nothing."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def __call__(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if torch.is_grad_enabled():
            for given in (*args, *kwargs.values()):
                if isinstance(given, torch.Tensor) and given.ndim:
                    self.seen.forward(given, len(args) + len(kwargs) == 1, module.training)
                    return

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return getattr, (nullcontext(), "__exit__")  # takes anything and does nothing, wherever Python is


def norms_of(tensors: list[torch.Tensor]) -> torch.Tensor:
    """The norm of each, on the CPU."""
    return torch.stack([tensor.detach().norm().to("cpu") for tensor in tensors])


def value_of(loss: Any) -> Value:
    """A loss as a number, or as a copy of it that stays where it is; None for what is none."""
    if isinstance(loss, torch.Tensor):
        if loss.numel() != 1:
            return None
        return float(loss.detach()) if loss.device.type == "cpu" else loss.detach().clone()
    return float(loss) if isinstance(loss, int | float) else None


def names_of(models: tuple[nn.Module, ...]) -> dict[int, str]:
    """The parameters' names, by identity; with the model's number before them where there are several."""
    return {
        id(tensor): name if len(models) == 1 else f"{k}.{name}"
        for k, model in enumerate(models)
        for name, tensor in model.named_parameters()
    }


def facts(optimizer: torch.optim.Optimizer, models: tuple[nn.Module, ...]) -> dict[str, Any]:
    """What is known before the first step: the optimizer's name, and which parameters it does not move."""
    held = {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}
    names = names_of(models)
    tensors = [tensor for model in models for tensor in model.parameters()]
    return {
        "optimizer": type(optimizer).__name__,
        "step": step_of(optimizer),
        "evaluating": 0,
        "frozen": [names[id(tensor)] for tensor in tensors if not tensor.requires_grad],
        "absent": [names[id(tensor)] for tensor in tensors if tensor.requires_grad and id(tensor) not in held],
    }
