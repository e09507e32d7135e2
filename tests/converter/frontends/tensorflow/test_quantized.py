"""Static quantization of what Keras models become: computed in integers, built by TensorRT-RTX."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from converter.backends.tensorrt import try_builds
from converter.quantization.layers import layers
from converter.quantization.static import fused, observe, quantized
from edge_runtime.bundle.manifest import Profile
from tests.converter.frontends.tensorflow.kit import Kit, randomized
from tests.converter.frontends.tensorflow.models import converted, kit
from tests.converter.quantization.networks import run

INPUT = {"images": "images", "series": "windows", "rows": "rows", "residual": "images"}


def images(made: Kit) -> Any:
    k = made.layers
    return made.model(
        (12, 12, 3),
        *(k.Conv2D(8, 3, padding="same", use_bias=False), k.BatchNormalization(), k.ReLU()),
        *(k.MaxPool2D(), k.Conv2D(8, 3, activation="relu"), k.BatchNormalization()),
        *(k.Flatten(), k.Dense(16, activation="relu"), k.Dense(3, activation="softmax")),
    )


def series(made: Kit) -> Any:
    k = made.layers
    return made.model(
        (32, 4),
        *(k.Conv1D(8, 3, activation="relu"), k.BatchNormalization(), k.MaxPool1D()),
        *(k.Conv1D(8, 3), k.BatchNormalization(), k.ReLU(), k.GlobalAveragePooling1D()),
        k.Dense(3, activation="softmax"),
    )


def rows(made: Kit) -> Any:
    k = made.layers
    hidden = (k.Dense(16, activation="relu"), k.BatchNormalization(), k.Dense(16, activation="relu"))
    return made.model((6,), *hidden, k.Dense(3, activation="softmax"))


def residual(made: Kit) -> Any:
    """Two blocks of MobileNetV2: one that strides, behind a padding, and one added to its input."""
    k = made.layers
    given = made.keras.Input((16, 16, 3))
    x = k.ReLU(6.0)(k.BatchNormalization()(k.Conv2D(8, 1, use_bias=False)(given)))
    x = k.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = k.ReLU(6.0)(k.BatchNormalization()(k.DepthwiseConv2D(3, 2, use_bias=False)(x)))
    x = before = k.BatchNormalization()(k.Conv2D(8, 1, use_bias=False)(x))
    x = k.ReLU(6.0)(k.BatchNormalization()(k.Conv2D(16, 1, use_bias=False)(x)))
    x = k.ReLU(6.0)(k.BatchNormalization()(k.DepthwiseConv2D(3, padding="same", use_bias=False)(x)))
    x = k.Add()([k.BatchNormalization()(k.Conv2D(8, 1, use_bias=False)(x)), before])
    return made.keras.Model(given, k.Dense(3, activation="softmax")(k.GlobalAveragePooling2D()(x)))


MODELS = {"images": images, "series": series, "rows": rows, "residual": residual}
CONVOLUTIONS = {"images": 2, "series": 2, "rows": 0, "residual": 6}
IN_FLOAT = {"Clip", "Conv", "Gemm", "MatMul", "Mul", "Pad", "Relu"}


def graph_of(name: str) -> tuple[bytes, dict[str, Any]]:
    model = randomized(MODELS[name](kit()))
    given = np.random.default_rng(0).normal(size=(48, *model.input_shape[1:])).astype(np.float32)
    return converted(model, given).artifacts["variants/fp32/model.onnx"], {INPUT[name]: given}


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_computes_in_integers_and_tensorrt_builds_its_own(name: str, tmp_path: Path) -> None:
    import onnxruntime

    raw, feed = graph_of(name)
    made = fused(raw, feeds=[feed])
    observed = observe(made, [feed], layers(made))
    small = quantized(made, observed, method="minmax", flavour="uint8")
    expected, found = (run(each, feed)["probabilities"] for each in (raw, small))
    assert np.abs(expected - found).max() < 0.1

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3  # it warns that the file is for this machine
    onnxruntime.InferenceSession(small, options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert kinds["QLinearConv"] == CONVOLUTIONS[name], kinds
    assert kinds["QuantizeLinear"] == 1, kinds
    assert not IN_FLOAT & {*kinds}, kinds

    built = quantized(made, observed, method="minmax", flavour="int8")
    trials = try_builds(built, Profile(min_rows=1, opt_rows=1, max_rows=64), ["8.6", "12.0"])
    assert [trial.why for trial in trials] == ["", ""]
