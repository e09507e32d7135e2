"""Graphs that Keras models become: stored, in float16 and dynamically quantized."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from converter.backends.tensorrt import try_builds
from converter.frontends.choice import front_end_of
from converter.quantization.dynamic import dynamic
from converter.quantization.half import half
from converter.quantization.half_rounding import with_rounding
from converter.quantization.weights import stored
from edge_runtime.bundle.manifest import Profile
from tests.converter.frontends.tensorflow.kit import Kit, numbers, randomized, whole
from tests.converter.frontends.tensorflow.models import kit
from tests.converter.quantization.at_load import operators
from tests.converter.quantization.networks import run

PROFILE = Profile(min_rows=1, opt_rows=1, max_rows=64)
KINDS: list[Any] = ["fp16", "int8", "int16"]


def _dense(kit: Kit) -> Any:
    layers = kit.layers
    return kit.model(
        (24,), layers.Dense(64, "relu"), layers.Dense(64, "gelu"), layers.Dense(5, "softmax")
    )


def _convolutional(kit: Kit) -> Any:
    layers = kit.layers
    return kit.model(
        (16, 16, 2),
        layers.Conv2D(16, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.DepthwiseConv2D(3, activation="relu"),
        layers.Conv2DTranspose(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(6, "softmax"),
    )


def _recurrent(layer: Callable[[Any], Any]) -> Callable[[Kit], Any]:
    return lambda kit: kit.model((20, 6), layer(kit.layers), kit.layers.Dense(6, "softmax"))


def _embedded(kit: Kit) -> Any:
    layers = kit.layers
    return kit.model(
        (12,),
        layers.Embedding(400, 24),
        layers.Conv1D(24, 3, activation="relu"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3, "softmax"),
        dtype="int64",
    )


def _attending(kit: Kit) -> Any:
    given = kit.keras.Input((10, 48))
    seen = kit.layers.LayerNormalization()(given + kit.layers.MultiHeadAttention(2, 32)(given, given))
    return kit.keras.Model(
        given, kit.layers.Dense(3, "softmax")(kit.layers.GlobalAveragePooling1D()(seen))
    )


MODELS = {
    "dense": (_dense, numbers(24)),
    "convolutional": (_convolutional, numbers(16, 16, 2)),
    "lstm": (_recurrent(lambda layers: layers.LSTM(48)), numbers(20, 6)),
    "both ways": (_recurrent(lambda layers: layers.Bidirectional(layers.LSTM(32))), numbers(20, 6)),
    "gru": (_recurrent(lambda layers: layers.GRU(48)), numbers(20, 6)),
    "embedded": (_embedded, whole(12, high=400)),
    "attending": (_attending, numbers(10, 48)),
}
# A GRU becomes a Loop, which has no form in standard operators, and in which no layer is seen.
FOR_TENSORRT = sorted(MODELS.keys() - {"gru"})


@cache
def made(name: str, *, standard: bool = False) -> tuple[bytes, np.ndarray]:
    """A model's graph, with drawn weights, and 40 of its inputs."""
    make, draw = MODELS[name]
    inputs = draw(np.random.default_rng(2), 40)
    front = front_end_of(randomized(make(kit())), None)
    rows = front.rows(inputs, None)
    read = front.read(rows, None, None)
    return read.convert(rows, read.source.run(rows), standard=standard).onnx, inputs


def answers(raw: bytes, inputs: np.ndarray) -> dict[str, np.ndarray]:
    (given,) = onnx.load_from_string(raw).graph.input
    return run(raw, {given.name: inputs})


def moved(raw: bytes, other: bytes, inputs: np.ndarray) -> float:
    """The largest difference of a probability; what is refused and what is not stays so."""
    said, heard = answers(raw, inputs), answers(other, inputs)
    if "refused" in said:
        assert np.array_equal(said["refused"], heard["refused"])
    return float(np.abs(said["probabilities"] - heard["probabilities"]).max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_stored_weights_are_folded_at_load(name: str, kind: str) -> None:
    raw, inputs = made(name)
    found = stored(raw, kind)  # type: ignore[arg-type]
    assert len(found) < len(raw) * {"fp16": 0.67, "int8": 0.55, "int16": 0.75}[kind]
    assert operators(found) == operators(raw)
    assert 0 < moved(raw, found, inputs) < {"fp16": 1e-3, "int8": 1e-2, "int16": 5e-5}[kind]


@pytest.mark.parametrize("name", FOR_TENSORRT)
def test_tensorrt_takes_stored_weights_and_float16(name: str) -> None:
    raw, inputs = made(name, standard=True)
    for found in (stored(raw, "int8", engine="tensorrt"), half(raw)):
        (trial,) = try_builds(found, PROFILE, ["8.6"])
        assert trial.why == ""
    assert 0 < moved(raw, with_rounding(half(raw)), inputs) < 5e-3


@pytest.mark.parametrize("name", MODELS)
def test_dynamic_quantization_runs_one_row_as_in_float(name: str) -> None:
    raw, inputs = made(name)
    found = dynamic(raw)
    assert max(moved(raw, found, inputs[at : at + 1]) for at in range(10)) < 2e-2
    if name in ("lstm", "both ways"):
        assert operators(found)["DynamicQuantizeLSTM"] == 1
        assert len(found) < 0.5 * len(raw)


def test_the_weights_of_a_gru_are_stored_though_a_loop_reads_them() -> None:
    raw, _ = made("gru")
    floats = [
        each
        for each in onnx.load_from_string(stored(raw, "int8")).graph.initializer
        if each.data_type == 1
    ]
    assert max(numpy_helper.to_array(each).size for each in floats) < 300
