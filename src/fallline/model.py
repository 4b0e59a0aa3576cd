"""A fitted linear model as a value: what was learnt, and how a raw table becomes what it was learnt from."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fallline.artefact import packed, unpacked
from fallline.data.dataset import BINARY, MULTICLASS, TASKS, Dataset
from fallline.data.encoder import Encoder, SparseEncoder, encoder_from
from fallline.data.load import table_of
from fallline.data.pieces import WholeOnlyError, pieces_of
from fallline.data.sparse import Sparse
from fallline.data.table import Table
from fallline.data.wording import listed
from fallline.errors import InputError
from fallline.files import write_whole
from fallline.losses import LOSSES, LogLoss, ModifiedHuber
from fallline.losses import MULTICLASS as OF_CLASSES
from fallline.parts import part

Array = np.ndarray[Any, Any]

KIND = "model"
FILE = "model.safetensors"  # in the folder of a fit
MEMORY = 1 << 28  # bytes to read a table in pieces by


@dataclass(frozen=True, eq=False)
class Model:
    """A linear model, z = W·x + b of the encoded row x, one score a row (K = 1) or one a class.

    weights (K, d), level (K,): of rows as the encoder leaves them, standardised unless it was told otherwise.
    `coefficients` and `intercept` are the same in the user's units.
    loss: as in a plan, such as "huber:delta=1". classes: the labels in the order of their codes; () of a regression.
    target_mean, target_scale: of a regression, the prediction times scale plus mean is in the user's units.
    about: what else is known of the fit, as JSON has it; nothing is read from it.
    """

    weights: Array
    level: Array
    loss: str
    task: str
    target: str
    encoder: Encoder | SparseEncoder
    classes: tuple[str, ...] = ()
    target_mean: float = 0.0
    target_scale: float = 1.0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns of the encoded table, (d,)."""
        return self.encoder.columns

    @property
    def coefficients(self) -> Array:
        """(K, d): what one unit of each encoded column, not standardised, adds to the score.

        The score is in units of the target where the model predicts it as it is, and in those of the loss elsewhere. Infinite
        where a column is so small that no number says it; predictions do not go by this.
        """
        with np.errstate(over="ignore"):
            return self.weights / self.encoder.scale * self.target_scale

    @property
    def intercept(self) -> Array:
        """(K,): the score where every encoded column is 0."""
        level = self.level - self.weights @ (self.encoder.centre / self.encoder.scale)
        return level * self.target_scale + self.target_mean

    def scores(self, X: Any) -> Array:
        """z of encoded rows X (n, d): (n,), or (n, K) of several classes. A row's are the same bits whatever rows stand by it."""
        whole = isinstance(X, np.ndarray)  # BLAS adds up the last rows of a table in another order than the others
        z = np.asarray((np.einsum("ij,kj->ik", X, self.weights) if whole else X @ self.weights.T) + self.level)
        return z[:, 0] if len(self.level) == 1 else z

    def predicted(self, z: Array) -> Array:
        """From scores to labels (n,) of classes, or amounts (n,) in the user's units."""
        if self.task in (BINARY, MULTICLASS):
            codes = (z > 0).astype(int) if z.ndim == 1 else z.argmax(axis=1)
            return np.array(self.classes, dtype=object)[codes]
        return self._mean(z) * self.target_scale + self.target_mean

    def probabilities(self, z: Array) -> Array:
        """From scores to the probability of each class, (n, classes), in the order of `classes`.

        Raises InputError for losses whose scores are no probabilities.
        """
        if z.ndim == 2:
            e = np.exp(z - z.max(axis=1, keepdims=True))
            return np.asarray(e / e.sum(axis=1, keepdims=True))
        if not self.probable:
            raise InputError(
                f"{self.loss} gives scores, no probabilities: fit with log_loss, modified_huber or softmax."
            )
        p = self._mean(z)
        return np.column_stack([1.0 - p, p])

    @property
    def probable(self) -> bool:
        """Whether the scores stand for probabilities of classes."""
        return self.task != "regression" and isinstance(self._loss(), (LogLoss, ModifiedHuber, *OF_CLASSES.values()))

    def predict(self, data: Any, **layout: Any) -> Array:
        """Labels or amounts (n,) for the rows of a raw table: a path, a frame, an array, as `fallline.load` takes it.

        The encoder says what it does with levels never seen and with what is missing; `layout` is how a text table is laid
        out. Raises InputError for a table without the columns that were learnt from.
        """
        return self.predicted(self.scores(self.encoder.matrix(self.table(data, **layout))[0]))

    def predict_proba(self, data: Any, **layout: Any) -> Array:
        """The probability of each class, (n, classes), likewise."""
        return self.probabilities(self.scores(self.encoder.matrix(self.table(data, **layout))[0]))

    def table(self, data: Any, **layout: Any) -> Table | Sparse:
        """A raw table, read as the one that was learnt from."""
        return table_of(data, **self._laid_out(layout))

    def pieces(self, path: Path | str, **layout: Any) -> Iterable[Table | Sparse]:
        """The same, piece by piece where it is a file of a kind that is read so; their rows follow each other."""
        if Path(path).exists():
            with suppress(WholeOnlyError):
                return pieces_of(Path(path), MEMORY, **self._laid_out(layout))
        return [self.table(path, **layout)]

    def _laid_out(self, layout: dict[str, Any]) -> dict[str, Any]:
        """How a table is read, from how it is laid out and what is known of its columns."""
        if isinstance(self.encoder, SparseEncoder):
            return layout
        if not self.encoder.named and layout.get("header") is None:
            layout = {**layout, "header": False}
        names = self.encoder.names if self.encoder.named else ()
        return {"missing": self.encoder.missing, "names": names, **layout}

    def _loss(self) -> Any:
        return part({**LOSSES, **OF_CLASSES}, self.loss, "loss")

    def _mean(self, z: Array) -> Array:
        mean = self._loss().mean
        return np.fromiter(map(mean, z.tolist()), dtype=float, count=len(z))

    def to_bytes(self) -> bytes:
        """The model as a file; the same model is the same bytes. See docs/model.md."""
        facts = {
            "loss": self.loss, "task": self.task, "target": self.target, "classes": list(self.classes),
            "target_mean": self.target_mean, "target_scale": self.target_scale,
            "encoder": self.encoder.as_dict(), "about": dict(self.about),
        }  # fmt: skip
        arrays = {
            "weights": self.weights, "level": self.level, "centre": self.encoder.centre, "scale": self.encoder.scale,
        }  # fmt: skip
        return packed(KIND, arrays, facts)

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "the model") -> "Model":
        """The model in a file's bytes. Raises InputError, with the reason, for any other file."""
        arrays, facts = unpacked(content, name, KIND)
        try:
            weights, level = arrays["weights"], arrays["level"]
            encoder = encoder_from(facts["encoder"], arrays["centre"], arrays["scale"])
            if weights.shape != (len(level), len(encoder.columns)) or facts["task"] not in TASKS:
                raise ValueError("its parts do not fit together")
            for array in arrays.values():
                if array.dtype != np.float64 or not np.isfinite(array).all():
                    raise ValueError("its numbers are not finite float64")
            model = cls(
                weights, level, str(facts["loss"]), str(facts["task"]), str(facts["target"]), encoder,
                tuple(map(str, facts["classes"])), float(facts["target_mean"]), float(facts["target_scale"]),
                dict(facts["about"]),
            )  # fmt: skip
            scores = len(model.classes) if isinstance(model._loss(), tuple(OF_CLASSES.values())) else 1
            if len(level) != scores or (model.task == BINARY and len(model.classes) != 2):
                raise ValueError("its classes and its scores differ in number")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            why = " ".join(str(error).split())
            raise InputError(f"{name} is no model that this version can read ({why}): write it again.") from None
        return model

    def save(self, path: Path | str) -> Path:
        """Write the model to a file at one stroke."""
        return write_whole(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path | str) -> "Model":
        """Read a model from its file, or from the folder that `fallline fit` wrote."""
        path = Path(path)
        file = path / FILE if path.is_dir() else path
        try:
            return cls.from_bytes(file.read_bytes(), file.name if path.is_dir() else path.name)
        except FileNotFoundError:
            inside = sorted(one.name for one in path.iterdir())[:5] if path.is_dir() else []
            holds = f"; it holds {listed(inside)}" if inside else ""
            what = f"the folder {path} holds no {FILE}" if path.is_dir() else f"there is no model {path}"
            raise InputError(f"{what}{holds}: name the folder that fallline fit wrote, or the file in it.") from None
        except OSError as error:
            raise InputError(f"the model {path} cannot be read ({error.strerror}): check its permissions.") from None

    @classmethod
    def of(cls, data: Dataset, objective: Any, w: Array, loss: str, about: Mapping[str, Any] | None = None) -> "Model":
        """The model at the point w of an objective over an encoded table; `loss` as in a plan."""
        K, d = objective.scores, objective.model.d
        level = w[K * d :] if len(w) > K * d else np.zeros(K)
        return cls(
            weights=w[: K * d].reshape(K, d).copy(),
            level=level.copy(),
            loss=loss,
            task=data.task,
            target=data.target,
            encoder=data.encoder,
            classes=data.classes,
            target_mean=data.target_mean,
            target_scale=data.target_scale,
            about=dict(about or {}),
        )
