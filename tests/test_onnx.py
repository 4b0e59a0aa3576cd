"""A model as an ONNX graph answers as the model does."""

import numpy as np
import pandas as pd
import pytest

from fallline.data import load
from fallline.data.encoder import SparseEncoder
from fallline.errors import InputError
from fallline.onnx import to_onnx
from test_model import FRAME, MODELS, model_of

pytest.importorskip("onnx", reason="needs onnx, an extra")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, an extra")
TOLERANCE = 1e-5  # what is asked of the export; it reckons in float64 and comes far closer


def answers(content, frame, encoder):
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    if isinstance(encoder, SparseEncoder):
        feeds = {"X": frame}
    else:
        feeds = {}
        for given in session.get_inputs():
            values = frame[given.name]
            numeric = given.type == "tensor(double)"
            column = values.astype(float) if numeric else values.where(values.notna(), "").astype(str)
            feeds[given.name] = np.asarray(column.to_numpy(), dtype=float if numeric else object)[:, None]
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, feeds), strict=True))


@pytest.mark.parametrize("case", MODELS)
def test_the_graph_answers_as_the_model(case):
    data, model = MODELS[case]
    sparse = isinstance(model.encoder, SparseEncoder)
    frame = FRAME.assign(town=["Rom"] * 7 + FRAME["town"].tolist()[7:])
    X = data.X if sparse else model.encoder.matrix(model.table(frame))[0]
    raw = X.toarray() * model.encoder.scale if sparse else frame
    found, z = answers(to_onnx(model), raw, model.encoder), model.scores(X)
    if model.task == "regression":
        assert found["prediction"] == pytest.approx(model.predicted(z), rel=TOLERANCE)
    else:
        assert found["label"].tolist() == model.predicted(z).tolist()
        assert len(set(found["label"])) > 1
        name, expected = ("probabilities", model.probabilities(z)) if model.probable else ("scores", z)
        assert found[name] == pytest.approx(expected, abs=TOLERANCE)


def test_the_same_model_is_the_same_bytes():
    _, model = MODELS["two classes"]
    assert to_onnx(model) == to_onnx(model)
    assert len(to_onnx(model)) < 10_000


def test_rare_levels_stand_together():
    towns = ["Ulm"] * 100 + ["Bonn"] * 80 + ["rare"] * 3 + [None] * 17
    model = model_of(load(pd.DataFrame({"town": towns, "y": np.arange(200) % 7 * 1.5}), "y"), "squared_error")
    frame = pd.DataFrame({"town": ["Ulm", "Bonn", "rare", "Rom", None]})
    assert answers(to_onnx(model), frame, model.encoder)["prediction"] == pytest.approx(model.predict(frame))


def test_longer_text_is_refused():
    texts = [f"{'win a' if i % 3 else 'lose no'} free prize now number {i} call us!" for i in range(60)]
    data = load(pd.DataFrame({"text": texts, "x": np.arange(60) ** 2, "y": np.arange(60) % 2}))
    with pytest.raises(InputError, match='"text" is longer text'):
        to_onnx(model_of(data, "log_loss"))
