"""Softmax regression: one score a class, cross-entropy."""

from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.kernels.sums import SoftmaxModel
from fallline.losses import Softmax
from fallline.objectives.linear import RowObjective, column, weights_of
from fallline.penalties import NoPenalty
from fallline.rows import table

Array = np.ndarray[Any, Any]


class SoftmaxRegression(RowObjective):
    """A linear model with one score a class, z_k = x·w_k + b_k + offset_k (multinomial logistic regression).

    X: as for Linear. y: (n,) class numbers 0 … classes − 1. offset: (n, classes). w is class after class, then the
    intercepts: w[: classes·d].reshape(classes, d).
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        classes: int | None = None,
        penalty: Any = None,
        *,
        weights: Any = None,
        offset: Any = None,
        intercept: bool = True,
    ) -> None:
        if classes is not None and not (isinstance(classes, int | np.integer) and classes >= 1):
            raise InputError(f"classes is {classes!r}: it must be a whole number, how many classes there are.")
        rows = table(X)
        n, d = rows.shape()
        numbers = column(y, n, "y")
        codes = numbers.astype(np.int64)
        wrong = np.flatnonzero((codes != numbers) | (codes < 0) | (codes >= (classes or np.inf)))
        if len(wrong):
            at, most = wrong[0], f"{classes - 1}" if classes else "the number of classes less one"
            raise InputError(f"y in row {at} is {numbers[at]:g}: classes are whole numbers from 0 to {most}.")
        self.classes = int(codes.max()) + 1 if classes is None else classes
        shape = (n, self.classes)
        offsets = np.zeros(shape) if offset is None else np.ascontiguousarray(offset, dtype=float)
        if offsets.shape != shape:
            raise InputError(f"offset has shape {offsets.shape}: it must have one number a row and class, {shape}.")
        if not np.isfinite(offsets).all():
            row, k = np.argwhere(~np.isfinite(offsets))[0]
            raise InputError(f"offset in row {row}, class {k} is {offsets[row, k]}: it must be a finite number.")
        self.loss = Softmax()
        self.intercept = intercept
        model = SoftmaxModel(rows, codes, weights_of(weights, n), offsets, self.classes, d)
        size = self.classes * (d + int(intercept))
        super().__init__(model, NoPenalty() if penalty is None else penalty, self.classes, size)
