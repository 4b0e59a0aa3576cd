"""A model as an ONNX graph, from raw columns to labels or amounts, for a machine without Python. Needs fallline[onnx]."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fallline.data.coding import Coding, Levels, Numeric, Words
from fallline.data.encoder import SparseEncoder
from fallline.errors import InputError
from fallline.losses import POSITIVE, ModifiedHuber
from fallline.losses.positive import LARGEST_EXPONENT
from fallline.model import Model

OPSET, IR = 19, 9  # the first in which text can be compared, and the version of the file that goes with it


class _Graph:
    """Nodes as they are added, each under a name of its own."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self.helper, self.numpy = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, kind: str, *inputs: str, output: str = "", **settings: Any) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [output], **settings))
        return output

    def constant(self, values: Any) -> str:
        """An array that is part of the graph."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.numpy.from_array(np.asarray(values), name))
        return name

    def number(self, name: str) -> str:
        """0 and 1 for false and true."""
        from onnx import TensorProto

        return self("Cast", name, to=TensorProto.DOUBLE)


def to_onnx(model: Model) -> bytes:
    """The bytes of an ONNX file (opset 19).

    Inputs: one a column that the model learnt from, under its name, (n, 1): float64 with NaN for missing, or text with "" for
    missing; of a model of a sparse matrix `X` (n, d) float64, dense. Outputs: `prediction` (n,) of a regression; otherwise
    `label` (n,) and, where the loss has them, `probabilities` (n, classes), or else `scores`.
    Raises InputError for columns of longer text, whose words no graph can find, and where onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError:
        raise InputError("ONNX files need the package onnx: pip install 'fallline[onnx]'.") from None
    graph = _Graph()
    encoder = model.encoder
    if isinstance(encoder, SparseEncoder):
        inputs = [helper.make_tensor_value_info("X", TensorProto.DOUBLE, ["n", len(encoder.kept)])]
        X = "X"
    else:
        kinds = [TensorProto.DOUBLE if isinstance(c, Numeric) else TensorProto.STRING for c in encoder.codings]
        inputs = [
            helper.make_tensor_value_info(coding.name, kind, ["n", 1])
            for coding, kind in zip(encoder.codings, kinds, strict=True)
        ]
        X = graph("Concat", *(name for coding in encoder.codings for name in _coded(graph, coding)), axis=1)
    X = graph("Div", graph("Sub", X, graph.constant(encoder.centre)), graph.constant(encoder.scale))
    z = graph("Add", graph("MatMul", X, graph.constant(model.weights.T)), graph.constant(model.level))
    outputs = [helper.make_tensor_value_info(*info) for info in _answers(graph, model, z)]
    made = helper.make_graph(graph.nodes, "fallline", inputs, outputs, graph.constants)
    file = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="fallline"
    )
    return bytes(file.SerializeToString(deterministic=True))


def _coded(graph: _Graph, coding: Coding) -> Sequence[str]:
    """The columns that a coding makes, as nodes of (n, some)."""
    name = coding.name
    if isinstance(coding, Words):
        raise InputError(
            f'column "{name}" is longer text, whose words an ONNX graph cannot find: fit with --drop "{name}".'
        )
    if isinstance(coding, Numeric):
        gone = graph("IsNaN", name)
        made = [graph("Where", gone, graph.constant([[coding.fill]]), name)] if coding.valued else []
        return [*made, graph.number(gone)] if coding.marked else made
    gone = graph.number(graph("Equal", name, graph.constant(np.array([[""]], dtype=object))))
    return _levels(graph, coding, gone)


def _levels(graph: _Graph, coding: Levels, gone: str) -> list[str]:
    made = []
    known = gone
    if coding.kept:
        kept = graph.constant(np.array([coding.kept], dtype=object))
        made = [graph.number(graph("Equal", coding.name, kept))]
        axes = graph.constant(np.array([1], dtype=np.int64))
        known = graph("Add", gone, graph("ReduceSum", made[0], axes, keepdims=1))
    if coding.rest:
        made.append(graph("Sub", graph.constant([[1.0]]), known))
    return [*made, gone] if coding.marked else made


def _answers(graph: _Graph, model: Model, z: str) -> list[tuple[str, int, list[Any]]]:
    """What the graph answers with: name, kind and shape of each."""
    from onnx import TensorProto

    last = graph.constant(np.array([1], dtype=np.int64))
    loss = model._loss()
    if model.task == "regression":
        if isinstance(loss, tuple(POSITIVE.values())):
            z = graph("Exp", graph("Min", z, graph.constant([[LARGEST_EXPONENT]])))
        scaled = graph("Mul", graph("Squeeze", z, last), graph.constant(model.target_scale))
        graph("Add", scaled, graph.constant(model.target_mean), output="prediction")
        return [("prediction", TensorProto.DOUBLE, ["n"])]
    if len(model.level) > 1:
        code = graph("ArgMax", z, axis=1, keepdims=0)
        graph("Softmax", z, axis=1, output="probabilities")
    else:
        above = graph("Greater", z, graph.constant([[0.0]]))
        code = graph("Cast", graph("Squeeze", above, last), to=TensorProto.INT64)
        if model.probable:
            p = graph("Sigmoid", z)
            if isinstance(loss, ModifiedHuber):
                inside = graph("Min", graph("Max", z, graph.constant([[-1.0]])), graph.constant([[1.0]]))
                p = graph("Mul", graph("Add", inside, graph.constant([[1.0]])), graph.constant([[0.5]]))
            graph("Concat", graph("Sub", graph.constant([[1.0]]), p), p, axis=1, output="probabilities")
        else:
            graph("Squeeze", z, last, output="scores")
    graph("Gather", graph.constant(np.array(model.classes, dtype=object)), code, axis=0, output="label")
    shape: tuple[str, list[Any]] = ("probabilities", ["n", len(model.classes)])
    name, size = shape if model.probable else ("scores", ["n"])
    return [("label", TensorProto.STRING, ["n"]), (name, TensorProto.DOUBLE, size)]
