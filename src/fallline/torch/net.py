"""A network as an objective: the mean loss of a module over rows, as a function of its parameters in one vector."""

import math
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from copy import copy, deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from fallline.errors import InputError, saying
from fallline.penalties import NoPenalty
from fallline.torch.batches import Loaded, Made, Picked, Tensors, listed
from fallline.torch.criterion import criterion_of, refuse_labels
from fallline.torch.engine import Autograd
from fallline.torch.evaluation import evaluated
from fallline.torch.flat import flat_of
from fallline.torch.modes import NORMS, mode, seeded
from fallline.torch.packing import unpacked
from fallline.torch.schedulers import Scheduler, scheduler_of
from fallline.torch.survey import Survey, filtered, survey
from fallline.torch.trial import Batch, placed, refuse_missing, suits

Array = np.ndarray[Any, Any]

GLANCE = 2048  # rows that the loss at the start is told from: all of them would cost a third of an epoch
BLOCK = 512  # rows evaluated at once: their activations stay in the cache
USUAL = "NAdamW:scale=fan_in"
USUAL_RATE, WARM = 8e-3, 0.05  # the highest rate; the share of steps until it is reached
PASSES, BASIS = 30, 10_000  # passes over so many rows
TYPES = {"bfloat16": torch.bfloat16}


class Net:
    """mean loss(module(x), y) over rows, as a function of the module's trainable parameters, w (size,).

    module: any torch module; it is copied, and stays as it is (`net.fitted(run)` is the trained one). data: (inputs, targets)
    or (inputs, targets, weights) as tensors or arrays; a DataLoader; or a function (module, seed) → iterator of batches, for
    data that depend on the module. loss: see criterion.py; left out, cross_entropy for whole-number targets, else mse.
    validation: (inputs, targets) of rows that no step sees. device: where to compute; None: where the module is. precision:
    "bfloat16" computes layers in it and keeps float32 weights. accumulate: parts in which a batch is computed, where the
    whole does not fit into memory. batches: of a pass, where the data do not say. measured: whether the trace's losses are
    measured on all rows instead of told from the batches since the last look, which costs a third of an epoch a look.

    Raises InputError where these do not suit each other.
    """

    penalty = NoPenalty()  # weight decay is the optimizer's
    disk = None
    untried = ""  # why nothing can be walked on it: of a watched loop whose rows or steps nobody knows

    def __init__(
        self, module: nn.Module, data: Any, loss: Any = None, *, validation: Any = None, device: Any = None,
        precision: str | None = None, accumulate: int = 1, batches: int | None = None, measured: bool = False,
    ) -> None:  # fmt: skip
        if precision not in (None, *TYPES):
            raise InputError(f'precision is "{precision}": leave it out, or give "bfloat16".')
        for name, value in (("accumulate", accumulate), ("batches", 1 if batches is None else batches)):
            if value != int(value) or value < 1:
                raise InputError(f"{name} is {value}: it counts something, and is a whole number from 1.")
        self.module, self.device = placed(module, device)
        self.flat = flat_of(self.module)
        self.precision, self.accumulate, self.measured = precision, int(accumulate), measured
        self._start = self.flat.read().numpy().copy()
        self._buffers = {name: held.clone() for name, held in self.module.named_buffers()}
        self.data = self._rows(data, batches)
        with saying("Validation"):
            self.validation = None if validation is None else self._rows(validation, None)
        self.n = self.data.n
        first = self._first(self.data)
        counted = isinstance(first[1], torch.Tensor) and not first[1].is_floating_point()
        self.criterion = criterion_of(loss if loss is not None else "cross_entropy" if counted else "mse")
        self._suits(self.data, first)
        if self.validation is not None:
            with saying("Validation"):
                self._suits(self.validation, self._first(self.validation))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the trainable tensors, in the order of w."""
        return self.flat.names

    @property
    def rows(self) -> int | None:
        """Rows of a batch where the data come in batches of their own; None where fallline draws them."""
        return getattr(self.data, "rows", None)

    @property
    def normed(self) -> bool:
        """Whether it has batch norm, to which a single row has no spread."""
        return any(isinstance(part, NORMS) for part in self.module.modules())

    @property
    def size(self) -> int:
        """Numbers in w."""
        return len(self._start)

    def start(self) -> Array:
        """The module's parameters as they were given, (size,), in its own type."""
        return self._start

    def value(self, w: Array) -> float:
        """The mean loss over all rows at w, without dropout, batch norm by its running statistics."""
        return self.mean_loss(w, self.data)

    def glance(self, w: Array) -> float:
        """The mean loss at w over the first rows, about GLANCE of them; of batches that a function makes, the first."""
        return self.mean_loss(w, self.data, rows=1 if isinstance(self.data, Made) else GLANCE)

    def values(self, points: Array) -> Array:
        """The same at each of `points` (k, size)."""
        return np.array([self.value(w) for w in points])

    def gradient(self, w: Array, rows: Picked = slice(None)) -> Array:
        """The gradient at w of the mean loss over those rows, in training mode, (size,): slow, and what the engine must equal."""
        named = self.named(w)
        tensors = list(named.values())
        buffers = {name: held.clone() for name, held in self._buffers.items()}
        inputs, targets, weights = self.data.batch(rows)
        with torch.enable_grad():
            for tensor in tensors:
                tensor.requires_grad_()
            with mode(self.module, training=True), self.computing():
                loss = self._loss(functional_call(self.module, {**named, **buffers}, (inputs,)), targets, weights)
            slopes = torch.autograd.grad(loss, tensors, allow_unused=True)
        parts = [torch.zeros_like(w) if g is None else g for g, w in zip(slopes, tensors, strict=True)]
        return torch.cat([part.reshape(-1) for part in parts]).to("cpu").numpy()

    def takes_a_row(self) -> bool:
        """Whether it can be trained on a row alone, of which batch norm has no spread."""
        with seeded(0, self.device):
            try:
                self.gradient(self._start, np.zeros(1, dtype=int))
            except ValueError:
                return False
        return True

    def usual(self, plan: Any) -> Any:
        """The plan with a default that needs no rate: NAdamW, warmed up over 5 % of its steps, then a cosine down to zero.

        The rate of a weight matrix is 0.008·√(64/fan_in); batches are the power of two next to n/100, from 32 to 256, and
        passes fewer the more rows there are: chosen on five tables beside a grid of thirty (docs/networks.md). Cosine:
        Loshchilov & Hutter 2017; NAdam: Dozat 2016; decoupled decay: Loshchilov & Hutter 2019.
        """
        batch = 2 ** round(math.log2(min(max(self.n / 100, 32), 256)))
        if self.normed:
            while self.n % batch == 1 < self.n:  # no row is left over alone
                batch += 1
        batch = min(self.rows or batch, self.n)
        amount = plan.amount or min(max(round(PASSES * (BASIS / self.n) ** 0.5), 10), 60)
        known = replace(
            plan, step=USUAL, variant="mini-batch", batch_size=batch, sampler="shuffled", rate=USUAL_RATE, schedule="cosine",
            amount=amount, tol=None, certify=False,
        )  # fmt: skip
        return replace(known, warmup=max(1, round(WARM * known.updates(self.n))))

    def prox(self, w: Array, rate: Any) -> Array:
        """w: there is no penalty."""
        return w

    def mean_loss(
        self, w: Array, data: Any, buffers: dict[str, torch.Tensor] | None = None, rows: float = math.inf
    ) -> float:
        """The mean loss over `data` at w, in evaluation mode; `buffers`: the module's at w, None for those of the start.

        rows: whether to stop after about so many.
        """
        named = {
            **self.named(w),
            **(self._buffers if buffers is None else buffers),
        }
        total, seen = 0.0, 0

        def loss(inputs: Any, targets: Any, weights: Any) -> torch.Tensor:
            mean = self._loss(functional_call(self.module, named, (inputs,)), targets, weights)
            if not mean.isfinite() and np.isfinite(w).all():
                refuse_missing((inputs, targets, weights))
            return mean

        where = saying("Validation" if data is self.validation else "")
        with where, seeded(0, self.device), torch.inference_mode(), mode(self.module, training=False), self.computing():
            for mean, count in evaluated(self, data.blocks(BLOCK), loss):
                total, seen = total + mean * count, seen + count
                if seen >= rows:
                    break
        return total / seen

    def loss(self, inputs: Any, targets: Any, weights: Any = None) -> torch.Tensor:
        """The mean loss of a batch by the module as it stands."""
        return self._loss(self.module(inputs), targets, weights)

    def _loss(self, outputs: Any, targets: Any, weights: Any) -> torch.Tensor:
        return self.criterion(outputs, targets, weights)

    def computing(self) -> Any:
        """The context in which layers compute: in the precision that was asked for."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=TYPES[self.precision])

    def walker(self, seed: int) -> Autograd:
        """Who walks it: torch's autograd and optimizers (see engine.py); a seed for dropout and loaders."""
        return Autograd(self.layers, seed, self.measured)

    def schedule(self, text: str, rate: float, updates: int) -> Scheduler:
        """A schedule of torch.optim.lr_scheduler, over so many updates (see schedulers.py)."""
        return scheduler_of(text, rate, updates)

    def sampler(self, batch: int, seed: int) -> Any:
        """The order of its rows where the data bring one; None where fallline draws it."""
        return self.data.sampler(batch, seed)

    def with_module(self, module: nn.Module) -> "Net":
        """The same with another module of the same inputs and outputs."""
        other = copy(self)
        other.module, _ = placed(module, self.device)
        other.flat = flat_of(other.module)
        other._start = other.flat.read().numpy().copy()
        other._buffers = {name: held.clone() for name, held in other.module.named_buffers()}
        if isinstance(self.data, Made):
            other.data = self.data.of(other.module)
        return other

    def begun_at(self, w: Array) -> "Net":
        """The same from another point."""
        other = copy(self)
        other._start = np.asarray(w, dtype=self._start.dtype)
        return other

    def held_out(self, rows: int) -> Any:
        """The probe of up to so many rows that no step sees (see probe.py); None where the network has none."""
        from fallline.torch.probe import Probe

        if self.validation is None or not hasattr(self.validation, "inputs"):
            return None
        other = copy(self)
        other.data = self.validation
        return Probe(other, rows)

    def probing(self, run: Any) -> Any:
        """What a run of it, or a watched loop, can be asked when it is explained (see probing.py, watched.py)."""
        from fallline.torch.probing import Probing
        from fallline.torch.watched import Watched

        return (Watched if "evaluating" in run.trace.about else Probing)(self, run)

    def report(self, run: Any, path: Path | str) -> Path:
        """Write a run of it to one HTML file that opens without a network: loss, findings with their advice tried, gradients by
        layer, updates, the cost surface, answers on a few rows, and regions where there are two inputs. What cannot be drawn
        is said there.
        """
        from fallline.torch.shown import report

        return report(self, run, path)

    def buffers(self) -> dict[str, torch.Tensor]:
        """What the module holds beside parameters (running statistics), as it was given."""
        return self._buffers

    def numbers(self) -> Iterator[Array]:
        """What it is made of, to know it again: what the module starts from, how it is computed, its loss's name, its rows."""
        yield self._start
        settings = (self.criterion.name, self.layers, self.accumulate, self.precision, self.measured)
        yield np.frombuffer(repr(settings).encode(), np.uint8)
        frozen = (tensor.detach() for tensor in self.module.parameters() if not tensor.requires_grad)
        for held in (*frozen, *self._buffers.values()):
            yield held.cpu().reshape(-1).view(torch.uint8).numpy()
        for rows in filter(None, (self.data, self.validation)):
            yield from rows.numbers()

    def measuring(self) -> "Net":
        """The same objective, whose traces have losses measured on all rows (see `measured`)."""
        other = copy(self)
        other.measured = True
        return other

    def named(self, w: Array) -> dict[str, torch.Tensor]:
        """The trainable tensors that w (size,) stands for, by their names: copies."""
        vector = torch.from_numpy(np.array(w, dtype=self._start.dtype))
        pieces = zip(self.layers, self.flat.pieces(vector), self.flat.tensors, strict=True)
        return {name: piece.to(tensor) for name, piece, tensor in pieces}

    def owners(self) -> list[str]:
        """The tensor that each number of w belongs to, (size,)."""
        return [name for name, count in zip(self.layers, self.flat.sizes, strict=True) for _ in range(count)]

    def survey(self, points: Iterable[Array], count: int, centre: Array) -> Survey:
        """Heights at many points from some of the rows (see survey.py)."""
        return survey(self, points, count, centre)

    def filtered(self, w: Array, seed: int = 0) -> Array:
        """Two random directions at w, filter by filter as long as it, (2, size) (see survey.py)."""
        return filtered(self, w, seed)

    def fitted(self, run: Any) -> nn.Module:
        """The module with the weights that a run ended with, in evaluation mode: a copy.

        Of a run that answers with an average, batch norm's statistics are computed anew by one pass, as torch's update_bn does.
        """
        module = deepcopy(self.module)
        flat_of(module).load(torch.from_numpy(run.w))
        if len(run.state.memory) and run.trace.about.get("walker") == Autograd.__name__:
            held = unpacked(run.state.memory[0])["buffers"]
            for name, buffer in module.named_buffers():
                buffer.copy_(held[name])
        if not np.array_equal(run.w, run.state.w):
            with seeded(0, self.device):
                torch.optim.swa_utils.update_bn(((inputs,) for inputs, _, _ in self.data.blocks(BLOCK)), module)
        return module.eval()

    def _rows(self, data: Any, batches: int | None) -> Any:
        kind = self.flat.tensors[0].dtype
        if isinstance(data, list | tuple) and len(data) in (2, 3) and not listed(data):
            inputs, targets, weights = (*data, None)[:3]
            return Tensors(inputs, targets, weights, self.device, kind)
        if hasattr(data, "__iter__") and not isinstance(data, torch.Tensor | np.ndarray | str | dict):
            return Loaded(data, batches, self.device, kind)
        if callable(data):
            return Made(data, self.module, batches or 100, self.device, kind)
        raise InputError(f"The data are {type(data).__name__}: give (inputs, targets), a DataLoader, or a function that makes "
                         "batches.")  # fmt: skip

    def _first(self, data: Any) -> Batch:
        """A few of those rows."""
        with seeded(0, self.device):
            batch: Batch = data.some()
        return batch

    def _suits(self, data: Any, first: Batch) -> None:
        """Try those rows: what does not fit together is said before the walk and not in torch's words."""
        outputs = suits(self, first)
        if not self.criterion.classed(first[1]):
            return
        if isinstance(data, Tensors):
            refuse_labels(self.criterion, data.targets, outputs.shape[1])
        elif self.device.type != "cpu":  # CUDA ends a process's use of it at a label that is no class's
            data.looked_at = partial(refuse_labels, self.criterion, classes=outputs.shape[1])
