"""A model predicts from raw tables as it was learnt, survives its file to the last bit, and a damaged file is refused."""

import contextlib
import json
import struct

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from fallline.artefact import FORMAT, KEY, packed, unpacked
from fallline.data import load
from fallline.errors import InputError
from fallline.model import Model
from fallline.plan import objective_of
from shared import shared

N = 120
CHANCE = np.random.default_rng(3)
FRAME = pd.DataFrame(
    {
        "age": np.where(np.arange(N) % 10 == 3, np.nan, CHANCE.normal(40, 12, N).round(2)),
        "rooms": CHANCE.integers(1, 9, N),
        "town": [None if i % 17 == 5 else ["Ulm", "Bonn", "Trier", "Köln"][i % 4 if i > 3 else 3] for i in range(N)],
        "heated": CHANCE.random(N) < 0.4,
        "price": CHANCE.gamma(2.0, 1e5, N),
        "sold": CHANCE.choice(["no", "yes"], N),
        "kind": CHANCE.choice(["flat", "house", "hut"], N),
    }
)


def model_of(data, loss, w=None, **about):
    """A model at some point: what is tested holds at any, and nothing need be walked."""
    classes = max(2, len(data.classes))
    objective = objective_of(data.X, data.y, loss, "l2", 1e-3, 0.15, classes)
    w = np.random.default_rng(8).normal(size=objective.size) if w is None else w
    return Model.of(data, objective, w, loss, about)


def models():
    regression = load(FRAME, "price", drop=["sold", "kind"])
    yield "regression", regression, model_of(regression, "huber:delta=1.5")
    plain = load(FRAME, "price", drop=["sold", "kind"], standardise=False, standardise_target=False)
    yield "amounts", plain, model_of(plain, "gamma", np.full(plain.X.shape[1] + 1, 1e-3))
    binary = load(FRAME, "sold", drop=["price"], rare=0)
    yield "two classes", binary, model_of(binary, "log_loss")
    yield "a margin", binary, model_of(binary, "hinge")
    several = load(FRAME, "kind", drop=["price"])
    yield "several classes", several, model_of(several, "softmax")
    sparse = load((sp.random_array((N, 9), density=0.3, rng=CHANCE, format="csr"), np.arange(N) % 2))
    yield "sparse", sparse, model_of(sparse, "modified_huber")


MODELS = {name: (data, model) for name, data, model in models()}


@pytest.mark.parametrize("case", MODELS)
def test_a_model_comes_back_from_its_file_as_it_was(case, tmp_path):
    _, model = MODELS[case]
    path = model.save(tmp_path / "m.safetensors")
    again = Model.load(path)
    assert again.to_bytes() == model.to_bytes() == path.read_bytes()
    for name in ("weights", "level", "coefficients", "intercept"):
        assert np.array_equal(getattr(again, name), getattr(model, name)), name
    for name in ("loss", "task", "target", "classes", "target_mean", "target_scale", "columns"):
        assert getattr(again, name) == getattr(model, name), name
    assert b"pickle" not in path.read_bytes()


@pytest.mark.parametrize("case", [name for name in MODELS if name != "sparse"])
def test_a_raw_table_is_encoded_as_the_one_that_was_learnt_from(case):
    data, model = MODELS[case]
    X, told = model.encoder.matrix(model.table(FRAME))
    assert np.array_equal(X, data.X)
    assert any("Missing values" in note for note in told)


@pytest.mark.parametrize("case", [name for name in MODELS if name != "sparse"])
def test_coefficients_are_in_the_units_of_the_user(case):
    """The score from unscaled columns by hand is that of the model."""
    data, model = MODELS[case]
    raw = data.X * model.encoder.scale + model.encoder.centre
    by_hand = raw @ model.coefficients.T + model.intercept
    z = model.scores(data.X)
    expected = z * model.target_scale + model.target_mean
    assert by_hand.reshape(z.shape) == pytest.approx(expected, rel=1e-9, abs=1e-9 * np.abs(expected).max())


def test_predictions_are_labels_amounts_and_probabilities():
    data, model = MODELS["two classes"]
    p = model.predict_proba(FRAME)
    assert p.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(model.predict(FRAME) == "yes", p[:, 1] > 0.5)
    assert set(model.predict(FRAME)) == {"no", "yes"}
    data, model = MODELS["several classes"]
    p = model.predict_proba(FRAME)
    assert p.shape == (N, 3)
    assert np.array_equal(model.predict(FRAME), np.array(model.classes)[p.argmax(axis=1)])
    data, model = MODELS["regression"]
    assert model.predict(FRAME) == pytest.approx(model.scores(data.X) * data.target_scale + data.target_mean)
    _, model = MODELS["amounts"]
    assert (model.predict(FRAME) > 0).all()
    with pytest.raises(InputError, match="hinge gives scores"):
        MODELS["a margin"][1].predict_proba(FRAME)


def told(model, frame):
    X, notes = model.encoder.matrix(model.table(frame))
    return X, " ".join(notes)


def test_columns_may_stand_in_another_order_and_others_beside_them():
    data, model = MODELS["two classes"]
    X, notes = told(model, FRAME[FRAME.columns[::-1]].assign(fresh=1))
    assert np.array_equal(X, data.X)
    assert '"fresh"' in notes
    assert "price" not in notes  # it was dropped when the model was fitted: no news


def test_a_column_that_is_missing_is_named():
    _, model = MODELS["two classes"]
    with pytest.raises(InputError, match=r'lacks the columns "age" and "town", .* add them'):
        model.predict(FRAME.drop(columns=["age", "town"]))


def test_levels_never_seen_and_values_newly_missing_are_handled_and_counted():
    data, model = MODELS["two classes"]
    frame = FRAME.assign(
        town=["Rom"] * 7 + FRAME["town"].tolist()[7:],
        rooms=[None] * 3 + FRAME["rooms"].tolist()[3:],
        price=0.0,
    )
    X, notes = told(model, frame)
    assert '"town" (7 rows)' in notes
    assert '"rooms" (3 rows)' in notes
    towns = [j for j, name in enumerate(model.columns) if name.startswith("town")]
    raw = X * model.encoder.scale + model.encoder.centre
    assert np.abs(raw[:7, towns]).max() < 1e-12  # none of the levels, and not missing
    rooms = model.columns.index("rooms")
    assert np.abs(X[:3, rooms]).max() < 1e-12  # the mean
    assert np.array_equal(X[7:], data.X[7:])


def test_a_rare_level_and_one_never_seen_are_other_but_only_the_second_is_news():
    towns = ["Ulm"] * 100 + ["Bonn"] * 80 + ["rare"] * 3
    frame = pd.DataFrame({"town": towns, "y": np.arange(183) % 7 * 1.5})
    model = model_of(load(frame, "y"), "squared_error")
    X, notes = told(model, pd.DataFrame({"town": ["rare", "Rom", "Ulm"]}))
    assert X[0, -1] == X[1, -1] > 0 > X[2, -1]
    assert '"town" (1 row)' in notes


def test_text_where_numbers_were_learnt_is_refused_by_its_place(tmp_path):
    _, model = MODELS["two classes"]
    frame = FRAME.astype(object)
    frame["rooms"] = "many"
    frame.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(InputError, match=r'"many" in column "rooms" at line 2 of new.csv'):
        model.predict(tmp_path / "new.csv")
    with pytest.raises(InputError, match=r'"age" at row 4 .* inf.*: correct it, or delete the row\.'):
        model.predict(FRAME.assign(age=[1.0] * 4 + [np.inf] * (N - 4)))


def test_one_row_and_one_column_are_enough_to_predict(tmp_path):
    frame = pd.DataFrame({"x": np.arange(40.0) ** 2, "y": np.arange(40) * 0.5})
    model = model_of(load(frame, "y"), "squared_error")
    (tmp_path / "new.csv").write_text("x\n9\n")
    assert model.predict(tmp_path / "new.csv") == pytest.approx(model.predict(pd.DataFrame({"x": [9.0]})))
    assert model.predict(FRAME.assign(x=1.0)[:1]).shape == (1,)


def test_a_file_without_names_may_leave_the_target_out(tmp_path):
    for target in (0, 1, 2):
        table = np.c_[np.arange(40) % 7, np.arange(40) ** 2 % 11, np.sqrt(np.arange(40))].round(3) + 0.5
        np.savetxt(tmp_path / "all.csv", table, delimiter=",", fmt="%g")
        np.savetxt(tmp_path / "new.csv", np.delete(table, target, axis=1), delimiter=",", fmt="%g")
        model = model_of(load(tmp_path / "all.csv", target), "squared_error")
        assert np.array_equal(model.predict(tmp_path / "new.csv"), model.predict(tmp_path / "all.csv"))
        (tmp_path / "odd.csv").write_text("1,2,3,4\n5,6,7,8\n")
        with pytest.raises(InputError, match="4 columns and no names"):
            model.predict(tmp_path / "odd.csv")


def test_sparse_rows_of_another_width_are_cut_and_filled_up(tmp_path):
    path = tmp_path / "t.svm"
    path.write_text("".join(f"{i % 2} 1:{i + 1} 3:0.5 7:{i % 5 + 1}\n" for i in range(40)))
    model = model_of(load(path), "log_loss")
    (tmp_path / "narrow.svm").write_text("1 1:4\n0 3:2\n")
    (tmp_path / "wide.svm").write_text("1 1:4 9:1\n0 3:2 8:1 9:1\n")
    one, _ = told(model, tmp_path / "narrow.svm")
    other, notes = told(model, tmp_path / "wide.svm")
    assert np.array_equal(one.toarray(), other.toarray())
    assert "3 entries" in notes
    with pytest.raises(InputError, match="sparse matrix"):
        model.predict(FRAME)
    with pytest.raises(InputError, match="is sparse"):
        MODELS["regression"][1].predict(path)


def test_a_model_predicts_the_test_part_of_adult(tmp_path):
    """The test file's labels end in a full stop, and a category is absent in it."""
    train, test = (shared(f"classification/adult-{part}.csv.gz") for part in ("train", "test"))
    data = load(train)
    objective = objective_of(data.X, data.y, "log_loss", "l2", 1e-4, 0.15)
    from fallline.solver import solve

    model = Model.of(data, objective, solve(objective).w, "log_loss")
    X, _ = told(model, test)
    assert X.shape == (16281, data.X.shape[1])
    labels = np.array([label.rstrip(".") for label in load(test).classes])[(load(test).y > 0).astype(int)]
    assert (model.predict(test) == labels).mean() > 0.84  # the majority alone: 0.76


SMALL = model_of(load(FRAME[["age", "town", "price"]], "price"), "squared_error").to_bytes()
HEADER = 8 + struct.unpack("<Q", SMALL[:8])[0]


def refused(content):
    with pytest.raises(InputError) as refusal:
        Model.from_bytes(content, "m.safetensors")
    assert "m.safetensors" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_every_flipped_byte_of_the_header_is_caught():
    for position in range(HEADER):
        for change in (1, 128, 255):
            damaged = bytearray(SMALL)
            damaged[position] ^= change
            refused(bytes(damaged))


def test_a_thousand_flipped_bits_of_the_body_are_caught():
    chance = np.random.default_rng(0)
    bits = (len(SMALL) - HEADER) * 8
    for bit in chance.integers(0, bits, 1000).tolist():
        damaged = bytearray(SMALL)
        damaged[HEADER + bit // 8] ^= 1 << bit % 8
        assert "checksum" in refused(bytes(damaged))


def test_a_file_cut_anywhere_is_caught():
    for length in range(len(SMALL)):
        refused(SMALL[:length])
    assert "checksum" in refused(SMALL + b"\0")


def signed(kind="model", arrays=None, version=FORMAT, **facts):
    """A file with a right checksum and wrong content."""
    held, known = unpacked(SMALL, "it", "model")
    content = packed(kind, {**held, **(arrays or {})}, {**known, **facts})
    return content if version == FORMAT else content.replace(b'format\\":1', b'format\\":%d' % version)


FOREIGN = {
    "an empty file": (b"", "empty"),
    "five bytes": (b"12345", "cut short"),
    "a CSV": (b"a,b,y\n1,2,3\n" * 9, "no file that fallline wrote"),
    "another's safetensors": (save({"w": np.ones(3)}), "not one that fallline wrote"),
    "another's metadata": (save({"w": np.ones(3)}, {KEY: "hello"}), "no JSON"),
    "metadata that are a list": (save({"w": np.ones(3)}, {KEY: "[1]"}), "no table"),
    "metadata nested without end": (save({"w": np.ones(3)}, {KEY: "[" * 100_000}), "no JSON"),
    "a header larger than the file": (struct.pack("<Q", 10_000) + SMALL[8:], "cut short"),
    "a header larger than any": (struct.pack("<Q", 2**62) + SMALL[8:], "would be"),
    "a newer version": (signed(version=2), "newer"),
    "a checkpoint": (signed(kind="checkpoint"), "checkpoint"),
    "no encoder": (signed(encoder=None), "no model that this version can read"),
    "an unknown encoder": (signed(encoder={"kind": "magic"}), "magic"),
    "an unknown loss": (signed(loss="guess"), "guess"),
    "an unknown task": (signed(task="guess"), "fit together"),
    "weights of another shape": (signed(arrays={"weights": np.ones((1, 2))}), "fit together"),
    "weights that are no numbers": (signed(arrays={"weights": np.full((1, 6), np.nan)}), "m.safetensors"),
    "weights of another kind": (signed(arrays={"level": np.ones(1, np.float32)}), "float64"),
    "one score for several classes": (signed(loss="softmax", classes=["a", "b", "c"]), "differ in number"),
}  # fmt: skip


@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_no_model_is_refused_with_the_reason(case):
    content, why = FOREIGN[case]
    assert why in refused(content)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@settings(max_examples=200)
def test_any_fact_replaced_by_any_value_is_refused_or_read(data):
    _, facts = unpacked(SMALL, "it", "model")
    facts = json.loads(json.dumps(facts))
    place = facts
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
        else:
            place[key] = data.draw(VALUES)
            break
    try:
        model = Model.from_bytes(packed("model", unpacked(SMALL, "it", "model")[0], facts), "m")
    except InputError:
        return
    with contextlib.suppress(InputError):
        model.predict(FRAME)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_are_refused(content):
    refused(content)


@pytest.mark.parametrize("case", ["nothing there", "an empty folder", "a folder with other files"])
def test_a_model_that_is_not_there_is_named(case, tmp_path):
    if case == "a folder with other files":
        (tmp_path / "notes.txt").write_text("mine")
    path = tmp_path / "none" if case == "nothing there" else tmp_path
    with pytest.raises(InputError, match="name the folder that fallline fit wrote"):
        Model.load(path)


def test_eight_threads_predict_as_one_does():
    from concurrent.futures import ThreadPoolExecutor

    _, model = MODELS["two classes"]
    alone = model.predict_proba(FRAME)
    with ThreadPoolExecutor(8) as pool:
        for p in pool.map(model.predict_proba, [FRAME] * 64):
            assert np.array_equal(p, alone)
