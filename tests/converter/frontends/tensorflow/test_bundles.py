"""Keras models and SavedModels through `converter.convert`, into a bundle that a device runs."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import edge_runtime
from converter.blocks import WindowFeatures
from converter.bundling import GRAPH
from edge_runtime.errors import ConversionError, InputError
from tests.converter.frontends.tensorflow.kit import randomized, sentences
from tests.converter.frontends.tensorflow.models import ROWS, WINDOWS, called, converted, kit, rows_model


def predicted(bundle: Any, folder: Path, inputs: Any) -> Any:
    """What a device says, from the file."""
    path = bundle.save(folder / "net.edge")
    with edge_runtime.load(path, allow_unsigned=True) as device:
        return device.infer(inputs)


def operators(bundle: Any) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(bundle.artifacts[GRAPH]).graph.node]


def test_a_label_costs_one_node() -> None:
    nodes = operators(converted(rows_model(3, "softmax"), ROWS))

    assert nodes[nodes.index("Softmax") + 1 :] == ["ArgMax", "Identity"]


@pytest.mark.parametrize("padding", ["same", "causal"])
def test_nothing_stands_between_the_convolution_of_a_series_and_what_engines_fuse_with_it(
    padding: str,
) -> None:
    layers = kit().layers
    convolutions = [layers.Conv1D(8, 3, padding=padding, activation="relu") for _ in range(2)]
    model = kit().model(WINDOWS.shape[1:], *convolutions, layers.GlobalMaxPooling1D(), layers.Dense(2))
    nodes = operators(converted(randomized(model), WINDOWS))

    layer, between = ["Conv", "Add", "Relu"], ["Pad"] if padding == "causal" else []
    first = nodes.index("Conv")
    assert nodes[first:][: len(layer + between + layer)] == layer + between + layer


def test_a_softmax_is_a_classification_with_labels_probabilities_parity_and_accuracy() -> None:
    model = rows_model(3, "softmax")
    truth = called(model, ROWS).argmax(axis=1)
    manifest = converted(model, ROWS, truth).manifest
    assert manifest.task == "classification"
    assert manifest.classes == ("0", "1", "2")
    assert [output.name for output in manifest.outputs] == ["label", "probabilities"]
    assert manifest.inputs[0].shape == (None, 6)
    assert manifest.evaluation is not None
    assert manifest.evaluation.accuracy == 1.0
    assert manifest.variants[0].parity.inputs == 60
    assert {"tensorflow", "keras", "tf2onnx"} <= manifest.provenance.libraries.keys()
    assert manifest.provenance.source.startswith("Keras Sequential")


def test_classes_are_named_and_labels_are_names_or_places() -> None:
    model, names = rows_model(3, "softmax"), ["still", "walk", "run"]
    places = called(model, ROWS).argmax(axis=1)
    for labels in (places, np.array(names)[places]):
        manifest = converted(model, ROWS, labels, classes=names).manifest
        assert manifest.classes == ("still", "walk", "run")
        assert manifest.evaluation is not None
        assert manifest.evaluation.accuracy == 1.0


def test_a_sigmoid_of_one_number_tells_two_classes_apart(tmp_path: Path) -> None:
    model = rows_model(1, "sigmoid")
    bundle = converted(model, ROWS)
    found = predicted(bundle, tmp_path, ROWS)
    second = called(model, ROWS)[:, 0]
    assert bundle.manifest.classes == ("0", "1")
    assert found.labels.tolist() == ["1" if one > 0.5 else "0" for one in second]
    np.testing.assert_allclose(found.probabilities[:, 1], second, atol=1e-5)


@pytest.mark.parametrize("count", [1, 3])
def test_logits_with_named_classes_give_a_label_alone(count: int) -> None:
    model = rows_model(count)
    names = ["a", "b", "c"] if count == 3 else ["a", "b"]
    manifest = converted(model, ROWS, classes=names).manifest
    assert [output.name for output in manifest.outputs] == ["label"]


@pytest.mark.parametrize(("count", "shape"), [(1, (None,)), (2, (None, 2))])
def test_anything_else_is_a_regression(count: int, shape: tuple[int | None, ...]) -> None:
    model = rows_model(count)
    truth = called(model, ROWS)
    manifest = converted(model, ROWS, truth).manifest
    assert manifest.task == "regression"
    assert manifest.outputs[0].shape == shape
    assert manifest.evaluation is not None
    assert manifest.evaluation.r2 == pytest.approx(1.0)


def test_a_sigmoid_with_fractions_for_labels_is_a_regression() -> None:
    model = rows_model(1, "sigmoid")
    assert converted(model, ROWS, called(model, ROWS)).manifest.task == "regression"


def test_images_of_bytes_are_cast_inside_the_graph(tmp_path: Path) -> None:
    layers = kit().layers
    stem = (layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D())
    model = kit().model((8, 8, 3), *stem, layers.Dense(2))
    images = np.random.default_rng(2).integers(0, 256, (12, 8, 8, 3)).astype(np.uint8)
    bundle = converted(model, images, input_dtype="uint8")
    assert bundle.manifest.inputs[0].dtype == "uint8"
    found = predicted(bundle, tmp_path, images)
    np.testing.assert_allclose(found.values, called(model, images.astype(np.float32)), atol=1e-5)


def test_preprocessing_goes_before_the_model() -> None:
    scaler = StandardScaler().fit(ROWS * 3 + 1)
    manifest = converted(rows_model(3, "softmax"), ROWS, preprocessing=scaler).manifest
    assert [step.name for step in manifest.preprocessing] == ["StandardScaler"]
    assert manifest.provenance.source.startswith("StandardScaler, Keras Sequential")


def test_a_block_of_windows_goes_before_a_model_of_its_features() -> None:
    block = WindowFeatures().fit(WINDOWS)
    width = block.transform(WINDOWS).shape[1]
    model = kit().model((width,), kit().layers.Dense(2))
    manifest = converted(model, WINDOWS, preprocessing=block).manifest
    assert manifest.window is not None
    assert manifest.inputs[0].shape == (None, 10, 4)


def test_what_preprocessing_refuses_is_refused() -> None:
    codes = np.arange(40).reshape(-1, 1) % 3.0
    encoder = OneHotEncoder(sparse_output=False).fit(codes)
    model = kit().model((3,), kit().layers.Dense(2))
    assert converted(model, codes, preprocessing=encoder).manifest.refusals


def test_recurrent_layers_with_a_state_begin_anew_with_every_input(tmp_path: Path) -> None:
    layers = kit().layers
    head = [layers.LSTM(5, stateful=True), layers.Dense(2)]
    model = kit().keras.Sequential([kit().keras.Input(batch_shape=(1, 10, 4)), *head])
    bundle = converted(model, WINDOWS)
    found = predicted(bundle, tmp_path, WINDOWS)
    for at in range(3):
        model.layers[0].reset_states()
        np.testing.assert_allclose(found.values[at], called(model, WINDOWS[[at]])[0], atol=1e-5)
    assert model.layers[0].stateful


def test_a_subclassed_model(tmp_path: Path) -> None:
    class Net(kit().keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = kit().layers.Dense(4, "gelu"), kit().layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.head(self.inner(x))

    model = Net()
    model(ROWS)
    found = predicted(converted(model, ROWS), tmp_path, ROWS)
    np.testing.assert_allclose(found.values, called(model, ROWS), atol=1e-5)


@pytest.mark.parametrize("dtype", ["int64", "int32", "float32"])
def test_a_number_that_an_embedding_does_not_have_is_refused(dtype: str, tmp_path: Path) -> None:
    layers = kit().layers
    stem = (layers.Embedding(20, 5), layers.GlobalAveragePooling1D())
    model = kit().model((6,), *stem, layers.Dense(2), dtype=dtype)
    codes = np.random.default_rng(3).integers(0, 20, (30, 6))
    bundle = converted(model, codes)
    (why,) = bundle.manifest.refusals
    assert re.fullmatch("a number outside (-20|0) to 19, which the model looks up in a table", why)
    with pytest.raises(InputError, match="to 19, which the model looks up"):
        predicted(bundle, tmp_path, codes + np.array([0, 0, 0, 0, 0, 20]))


def test_training_inputs_are_sketched_and_a_network_is_not_fitted_anew() -> None:
    model = rows_model(3, "softmax")
    places = called(model, ROWS).argmax(axis=1)
    assert converted(model, ROWS, reference=ROWS).manifest.reference is not None
    with pytest.raises(
        ConversionError, match="cross-validation: expected a model that scikit-learn can"
    ):
        converted(model, ROWS, training=(ROWS, places))


def test_a_table_is_made_into_numbers_by_the_preprocessing() -> None:
    frame = pd.DataFrame({"size": ROWS[:, 0], "site": ["north", "south", "west"] * 20})
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["size"]),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["site"]),
        ]
    ).fit(frame)
    model = kit().model((4,), kit().layers.Dense(2, "softmax"))
    manifest = converted(model, frame, preprocessing=columns, reference=frame).manifest
    assert [given.name for given in manifest.inputs] == ["size", "site"]


def test_texts_are_made_into_tokens_in_front_of_the_graph(tmp_path: Path) -> None:
    layers = kit().layers
    words = layers.TextVectorization(output_sequence_length=5)
    words.adapt(["the sensor is hot", "all quiet here"])
    stem = (words, layers.Embedding(30, 3), layers.GlobalAveragePooling1D())
    model = kit().model((1,), *stem, layers.Dense(2), dtype="string")
    texts = sentences(np.random.default_rng(1), 30)
    bundle = converted(model, texts)
    assert bundle.manifest.inputs[0].shape == (None, 5)
    assert bundle.manifest.inputs[0].dtype == "string"
    (step,) = bundle.manifest.preprocessing
    assert (
        "split at white space, cut to or filled up with '' to 5" in step.parameters["before the graph"]
    )
    tokens = np.array([["the", "sensor", "is", "hot", ""], ["hot", "hot", "", "", ""]], dtype=object)
    said = np.asarray(model(kit().tf.constant([["The sensor is HOT!"], ["hot, hot"]])))
    np.testing.assert_allclose(predicted(bundle, tmp_path, tokens).values, said, atol=1e-5)


@pytest.mark.parametrize("kind", ["net.keras", "net.h5", "folder"])
def test_a_model_is_read_from_a_file_or_a_folder(kind: str, tmp_path: Path) -> None:
    model, path = rows_model(3, "softmax"), tmp_path / kind
    if kind == "folder":
        model.export(str(path), verbose=False)
    else:
        model.save(path)
    found = predicted(converted(path, ROWS), tmp_path, ROWS)
    np.testing.assert_allclose(found.probabilities, called(model, ROWS), atol=1e-5)


def test_a_savedmodel_of_tensorflow_alone(tmp_path: Path) -> None:
    tf, weights = kit().tf, np.random.default_rng(4).normal(size=(6, 3)).astype(np.float32)

    class Net(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(weights)

        @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, "features")])
        def answer(self, features: Any) -> Any:
            return {"scores": tf.nn.softmax(features @ self.weights)}

    net = Net()
    tf.saved_model.save(net, tmp_path / "net", signatures=net.answer)
    bundle = converted(tmp_path / "net", ROWS)
    assert bundle.manifest.provenance.source == "TensorFlow SavedModel"
    assert bundle.manifest.classes == ("0", "1", "2")
    found = predicted(bundle, tmp_path, ROWS)
    np.testing.assert_allclose(found.probabilities, net.answer(ROWS)["scores"], atol=1e-5)


def test_boards_with_tensorrt_are_told_what_they_get() -> None:
    bundle = converted(rows_model(3, "softmax"), ROWS, boards=["orin-nano"])
    assert [variant.engine for variant in bundle.manifest.variants] == ["onnxruntime", "tensorrt"]


_AGAIN = """
import hashlib, sys
import numpy as np
import converter

rows = np.load(sys.argv[2])
bundle = converter.convert(sys.argv[1], rows, name="net", version="1.0.0")
print(hashlib.sha256(bundle.to_bytes()).hexdigest())
"""


def test_the_same_file_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    layers = kit().layers
    model = kit().model((10, 4), layers.Masking(), layers.LSTM(5), layers.Dense(3, "softmax"))
    model.save(tmp_path / "net.keras")
    np.save(tmp_path / "rows.npy", WINDOWS)
    command = [sys.executable, "-c", _AGAIN, tmp_path / "net.keras", tmp_path / "rows.npy"]
    here = hashlib.sha256(converted(tmp_path / "net.keras", WINDOWS).to_bytes()).hexdigest()
    for seed in ("0", "1"):  # tf2onnx goes through sets
        env = {**os.environ, "PYTHONHASHSEED": seed}
        found = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
        assert found.stdout.strip() == here
