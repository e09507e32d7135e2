"""Keras models and SavedModels of several inputs and outputs, into a bundle that a device runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

import edge_runtime
from edge_runtime.bundle.sketches import decode
from edge_runtime.cli import run
from edge_runtime.errors import InputError
from tests.converter.frontends.tensorflow.kit import randomized
from tests.converter.frontends.tensorflow.models import ROWS, WINDOWS, called, converted, kit
from tests.converter.frontends.tensorflow.several import GIVEN, of_classes, said, three_inputs


def device(bundle: Any, folder: Path) -> Any:
    return edge_runtime.load(bundle.save(folder / "net.edge"), allow_unsigned=True)


@pytest.mark.parametrize("as_dict", [False, True])
def test_inputs_and_outputs_keep_their_own_names(tmp_path: Path, as_dict: bool) -> None:
    model = three_inputs(as_dict=as_dict)
    bundle = converted(model, GIVEN)
    manifest = bundle.manifest

    assert {each.name: (each.dtype, each.shape) for each in manifest.inputs} == {
        "add_1": ("float32", (None, 3)),
        "value": ("float32", (None, 4, 2)),
        "place": ("int64", (None, 1)),
    }
    assert [(each.name, each.shape, each.meaning) for each in manifest.outputs[:2]] == [
        ("add", (None, 2), "value"),
        ("map", (None, 3, 2), "value"),
    ]
    assert manifest.task == "regression"
    assert len(set(manifest.golden.inputs)) == 3
    with device(bundle, tmp_path) as loaded:
        for found in (loaded.predict(GIVEN), loaded.infer(GIVEN).by_name):
            for name, expected in zip(("add", "map"), said(model), strict=True):
                np.testing.assert_allclose(found[name], expected, atol=1e-5)
        row = loaded.predict({name: array[:1] for name, array in GIVEN.items()})
        np.testing.assert_allclose(row["map"], said(model)[1][:1], atol=1e-5)


def test_numbers_that_one_input_looks_up_are_refused_by_its_name(tmp_path: Path) -> None:
    with device(converted(three_inputs(), GIVEN), tmp_path) as loaded:
        given = {**GIVEN, "place": np.where(np.arange(40)[:, None] == 3, 9, GIVEN["place"])}
        with pytest.raises(InputError, match=r"row 3: input 'place': a number outside .* to 4"):
            loaded.predict(given)


def test_numbers_that_are_all_missing_in_the_first_row_are_no_hindrance() -> None:
    given = {**GIVEN, "add_1": GIVEN["add_1"].copy()}
    given["add_1"][0] = np.nan
    allowed = {each.name: each.allow_nan for each in converted(three_inputs(), given).manifest.inputs}
    assert allowed == {"add_1": True, "value": False, "place": False}


def test_one_output_of_several_inputs_is_an_array_whatever_it_is_called(tmp_path: Path) -> None:
    model = three_inputs(lambda layers, x: layers.Dense(1, name="speed")(x))
    bundle = converted(model, GIVEN)

    assert [each.name for each in bundle.manifest.outputs] == ["value_output", "refused"]
    with device(bundle, tmp_path) as loaded:
        np.testing.assert_allclose(loaded.predict(GIVEN), said(model)[0][:, 0], atol=1e-5)


def test_outputs_that_all_classify_give_a_label_each(tmp_path: Path) -> None:
    model = three_inputs(of_classes, as_dict=True)
    kind, on = said(model)
    truth = {"on": (on[:, 0] > 0.5).astype(int), "kind": kind.argmax(axis=1)}
    side_by_side = np.stack([truth["kind"], truth["on"]], axis=1)
    for labels in (truth, side_by_side, None):
        manifest = converted(model, GIVEN, labels).manifest
        assert [(each.name, each.classes) for each in manifest.labels] == [
            ("kind", ("0", "1", "2")),
            ("on", ("0", "1")),
        ]
        assert (manifest.evaluation is None) == (labels is None)
        assert manifest.evaluation is None or manifest.evaluation.accuracy == 1.0
    with device(converted(model, GIVEN), tmp_path) as loaded:
        found = loaded.infer(GIVEN)
        assert np.array_equal(found.labels, side_by_side.astype(str))
        np.testing.assert_allclose(found.probabilities[:, 0], kind, atol=1e-5)
        np.testing.assert_allclose(found.probabilities[:, 1, 1], on[:, 0], atol=1e-5)
        assert not found.probabilities[:, 1, 2].any()


def test_outputs_that_do_not_all_classify_or_have_other_labels_are_values() -> None:
    mixed = three_inputs(
        lambda layers, x: {"kind": layers.Dense(3, "softmax")(x), "speed": layers.Dense(1)(x)}
    )
    manifest = converted(mixed, GIVEN).manifest
    assert [each.shape for each in manifest.outputs[:2]] == [(None, 3), (None,)]
    classes = three_inputs(of_classes)
    of_fractions = converted(classes, GIVEN, dict(zip(("kind", "on"), said(classes), strict=True)))
    assert of_fractions.manifest.task == "regression"
    assert of_fractions.manifest.evaluation.r2 == pytest.approx(1.0)


def test_values_are_evaluated_side_by_side_and_reported() -> None:
    model = three_inputs()
    add, grid = said(model)
    bundle = converted(model, GIVEN, {"map": grid + 1, "add": add}, reference=GIVEN)

    assert bundle.manifest.evaluation.mean_absolute_error == pytest.approx(6 / 8, abs=1e-4)
    assert "3 arrays by name: add_1, float32 (batch, 3); value" in bundle.report()
    assert "3 arrays by name: add\\_1, float32 (batch, 3)" in bundle.artifacts["card.md"].decode()
    assert "Errors of the predictions" in bundle.report_html()
    sketches = decode(bundle.artifacts[bundle.manifest.reference.file])
    assert {each.tensor for each in sketches.inputs} == set(GIVEN)
    assert [each.tensor for each in sketches.outputs] == ["add"] * 2 + ["map"] * 6


def test_each_output_is_held_to_its_own_size() -> None:
    model = three_inputs(
        lambda layers, x: {"large": layers.Rescaling(1e6)(x), "small": layers.Rescaling(1e-3)(x)}
    )
    parity = converted(model, GIVEN).manifest.variants[0].parity
    assert parity.tolerance > 1


def test_lists_of_inputs_data_frames_and_columns_of_one_number_are_taken() -> None:
    model = three_inputs()
    digests = {
        converted(model, given).manifest.provenance.inputs_sha256
        for given in (GIVEN, list(GIVEN.values()), {**GIVEN, "place": GIVEN["place"][:, 0]})
    }
    assert len(digests) == 1
    keras, layers = kit().keras, kit().layers
    ins = [keras.Input((1,), name="a"), keras.Input((1,), name="b")]
    frame = pd.DataFrame({"b": ROWS[:, 0], "a": ROWS[:, 1]})
    manifest = converted(keras.Model(ins, layers.Add()(ins)), frame).manifest
    assert [each.shape for each in manifest.inputs] == [(None, 1), (None, 1)]


@pytest.mark.parametrize("suffix", ["saved", "net.keras"])
def test_saved_models_take_what_the_model_takes(tmp_path: Path, suffix: str) -> None:
    model, path = three_inputs(as_dict=True), tmp_path / suffix
    if path.suffix:
        model.save(path)
    else:
        model.export(path, verbose=False)
    bundle = converted(str(path), GIVEN)
    with device(bundle, tmp_path) as loaded:
        for found, expected in zip(loaded.predict(GIVEN).values(), said(model), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", [dict, list])
def test_a_class_of_ones_own_takes_the_structure_it_was_built_on(kind: type) -> None:
    keras, dense = kit().keras, kit().layers.Dense(2)

    class Joins(keras.Model):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = dense

        def call(self, given: Any) -> Any:
            first, second = given.values() if isinstance(given, dict) else given
            return {"sum": self.dense(first + second), "refused": first}

    names = ["a", "b"] if kind is dict else ["input_0", "input_1"]
    given = dict(zip(names, (ROWS, ROWS + 1), strict=True))
    model = Joins()
    model(given if kind is dict else list(given.values()))
    manifest = converted(model, given).manifest
    assert [each.name for each in manifest.inputs] == names
    assert {each.name for each in manifest.outputs} == {"sum", "refused_1"}


def test_outputs_of_one_name_or_of_one_tensor_are_several() -> None:
    keras, layers = kit().keras, kit().layers
    given = keras.Input((10, 4))
    states = keras.Model(given, layers.LSTM(3, return_state=True, name="lstm")(given))
    assert [each.name for each in converted(states, WINDOWS).manifest.outputs] == [
        *("lstm", "lstm_1", "lstm_2")
    ]
    x = layers.Dense(2)(layers.Flatten()(given))
    twice = converted(keras.Model(given, {"a": x, "b": x, "same": given}), WINDOWS).manifest
    assert [(each.name, each.shape) for each in twice.outputs] == [
        ("a", (None, 2)),
        ("b", (None, 2)),
        ("same", (None, 10, 4)),
    ]
    assert twice.window is not None


def test_outputs_called_as_the_bundles_inputs_get_a_number(tmp_path: Path) -> None:
    keras, layers = kit().keras, kit().layers
    given = keras.Input((6,))
    model = keras.Model(given, [layers.Dense(2, name="rows")(given), layers.Dense(2, name="b")(given)])
    with device(converted(model, ROWS), tmp_path) as loaded:
        assert list(loaded.predict(ROWS)) == ["rows_1", "b"]
    frame = pd.DataFrame(ROWS, columns=list("abcdef"))
    made = converted(model, frame, preprocessing=StandardScaler().fit(frame)).manifest
    assert [each.name for each in made.outputs] == ["rows", "b_1"]


def test_an_input_that_nothing_reads_is_still_asked_for(tmp_path: Path) -> None:
    keras, layers = kit().keras, kit().layers
    ins = [keras.Input((6,), name="read"), keras.Input((6,), name="unread")]
    model = keras.Model(ins, layers.Dense(2)(ins[0]))
    with device(converted(model, {"read": ROWS, "unread": ROWS}), tmp_path) as loaded:
        found = loaded.predict({"read": ROWS[:1], "unread": ROWS[1:2]})
        np.testing.assert_allclose(found, np.asarray(model([ROWS[:1], ROWS[1:2]])), atol=1e-5)


def test_a_row_of_outputs_for_every_step_is_values() -> None:
    model = kit().model((10, 4), kit().layers.LSTM(3, return_sequences=True))
    manifest = converted(model, WINDOWS, called(model, WINDOWS)).manifest
    assert manifest.outputs[0].shape == (None, 10, 3)
    assert manifest.evaluation.r2 == pytest.approx(1.0)
    with pytest.raises(
        InputError, match=r"classes: expected none for an output of shape \(inputs, 10, 3"
    ):
        converted(model, WINDOWS, classes=["a", "b", "c"])


def test_a_sigmoid_of_several_numbers_gives_a_label_each_where_labels_are_0_or_1() -> None:
    model = randomized(kit().model((6,), kit().layers.Dense(3, "sigmoid")))
    scores = called(model, ROWS)
    truth = (scores > 0.5).astype(np.float32)
    for labels in (truth, truth.astype(int)):
        manifest = converted(model, ROWS, labels).manifest
        assert [(each.name, each.classes) for each in manifest.labels] == [
            (name, ("0", "1")) for name in "012"
        ]
        assert manifest.outputs[1].shape == (None, 3, 2)
        assert manifest.evaluation.accuracy == 1.0
    named = converted(model, ROWS, truth, classes=["wet", "cold", "dark"]).manifest
    assert [each.name for each in named.labels] == ["wet", "cold", "dark"]
    for labels in (None, scores):
        assert converted(model, ROWS, labels).manifest.task == "regression"
    with pytest.raises(
        InputError, match="classes: expected 3, the names of the model's labels; found 2"
    ):
        converted(model, ROWS, truth, classes=["wet", "cold"])


def test_boards_with_tensorrt_get_a_variant() -> None:
    bundle = converted(three_inputs(), GIVEN, boards=["rtx-50"])
    assert [each.id for each in bundle.manifest.variants] == ["fp32", "tensorrt-fp32"]


def test_the_commands_take_an_npz_of_arrays_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = three_inputs()
    model.save("net.keras")
    np.savez("given.npz", **GIVEN, other=ROWS)
    np.savez("truth.npz", **dict(zip(("add", "map"), said(model), strict=True)))
    options = "--name net --version 1.0.0 --output net.edge --unsigned"
    line = f"convert net.keras --inputs given.npz --labels truth.npz --training given.npz {options}"
    assert run(line.split()) == 0
    with edge_runtime.load("net.edge", allow_unsigned=True) as loaded:
        assert loaded.manifest.evaluation.r2 == pytest.approx(1.0)
        assert loaded.manifest.reference.rows == 40
    assert run(["predict", "net.edge", "--inputs", "given.npz", "--allow-unsigned", "--json"]) == 0
    np.save("given.npy", ROWS)
    assert run(line.replace("given.npz", "given.npy").split()) == InputError.exit_code


def test_the_same_model_gives_the_same_bytes() -> None:
    model = three_inputs(of_classes, as_dict=True)
    backwards = dict(reversed(GIVEN.items()))
    made = {converted(model, given).to_bytes() for given in (GIVEN, GIVEN, backwards)}
    assert len(made) == 1
