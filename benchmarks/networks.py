"""The Keras models that neural.py and convert_network.py measure, trained here with fixed seeds.

The small ones learn real data: smart-watch recordings, and scikit-learn's digits. MobileNetV2 has random
weights, as nothing is fetched; its batch normalisation is adapted and its head fitted to 64 pictures, so
that its answers have the margins of a trained network's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converter.frontends.tensorflow.library import load

RECORDINGS = Path(__file__).parents[1] / "examples" / "data" / "basic_motions" / "basic_motions.npz"
IMAGE = (224, 224, 3)
MARGIN = 10.0  # between MobileNetV2's logits, as a trained network has it


@dataclass(frozen=True)
class Network:
    """model: trained, one float32 input and a softmax. calibration: of its training data.

    inputs, labels: held out; labels are whole numbers, the classes' places.
    """

    model: Any
    calibration: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray


def motion_cnn() -> Network:
    """Windows (100, 6) of a smart watch, four activities."""
    layers = load().keras.layers
    return _of_motions(
        layers.Conv1D(32, 5, padding="same", activation="relu"),
        layers.MaxPooling1D(2),
        layers.Conv1D(64, 5, padding="same", activation="relu"),
        layers.GlobalAveragePooling1D(),
    )


def motion_lstm() -> Network:
    """The same windows through an LSTM of 64 units."""
    return _of_motions(load().keras.layers.LSTM(64))


def digit_cnn() -> Network:
    """Images (8, 8, 1), ten digits."""
    layers = load().keras.layers
    return _of_digits(
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
    )


def digit_mlp() -> Network:
    """The same digits as rows (64,)."""
    dense = load().keras.layers.Dense
    return _of_digits(dense(256, activation="relu"), dense(128, activation="relu"), shape=(64,))


def mobilenet() -> Network:
    """MobileNetV2 for images (224, 224, 3) and 1,000 classes, of which 64 occur."""
    keras = load().keras
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=IMAGE, classes=1_000)
    seen = images(seed=1)
    _adapt_normalisation(model, seen[:32])
    _fit_head(model, seen)
    return Network(model, seen, images(seed=2), np.arange(len(seen)))


NETWORKS: dict[str, Callable[[], Network]] = {
    "1D CNN on 100x6": motion_cnn,
    "LSTM on 100x6": motion_lstm,
    "CNN on 8x8": digit_cnn,
    "MLP on 64": digit_mlp,
    "MobileNetV2 on 224x224": mobilenet,
}


def images(seed: int) -> np.ndarray:
    """64 pictures of coloured tiles, always the same, with other noise; float32 in [-1, 1]."""
    tiles = np.random.default_rng(0).uniform(-1, 1, (64, 7, 7, 3)).astype(np.float32)
    found = tiles.repeat(32, axis=1).repeat(32, axis=2)
    found += 0.02 * np.random.default_rng(seed).standard_normal(found.shape, np.float32)
    return np.clip(found, -1, 1)


def _of_motions(*layers: Any) -> Network:
    with np.load(RECORDINGS) as found:
        windows, held_out = found["train_windows"], found["test_windows"]
        names, labels = np.unique(found["train_labels"], return_inverse=True)
        truth = np.searchsorted(names, found["test_labels"])
    keras = load().keras
    scaled = keras.layers.Normalization()
    scaled.adapt(windows)
    model = _trained((scaled, *layers), windows, labels, len(names), epochs=60)
    return Network(model, windows, held_out, truth)


def _of_digits(*layers: Any, shape: tuple[int, ...] = (8, 8, 1)) -> Network:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, *shape)
    model = _trained(layers, images[:1_200], labels[:1_200], 10, epochs=15)
    return Network(model, images[:200], images[1_200:], labels[1_200:])


def _trained(layers: Any, inputs: np.ndarray, labels: np.ndarray, classes: int, *, epochs: int) -> Any:
    keras = load().keras
    keras.utils.set_random_seed(0)
    head = keras.layers.Dense(classes, activation="softmax")
    model = keras.Sequential([keras.Input(inputs.shape[1:]), *layers, head])
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(inputs, labels, batch_size=32, epochs=epochs, verbose=0)
    return keras.Model(model.inputs, model.outputs)  # without what the optimizer remembers


def _adapt_normalisation(model: Any, inputs: np.ndarray) -> None:
    """Give each batch normalisation the statistics of these inputs.

    Its shift becomes 1.5 deviations: where 35 rectifiers after random weights cut half of all they get,
    images that are nearly equal are told apart as if they had nothing in common.
    """
    layers = [each for each in model.layers if hasattr(each, "moving_mean")]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.beta.assign(np.full(layer.beta.shape, 1.5))
        layer.momentum = 0.0
    model(inputs, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _fit_head(model: Any, seen: np.ndarray) -> None:
    """Have each image's own class stand out, by ridge regression from the body's features."""
    head = model.layers[-1]
    body = load().keras.Model(model.inputs, head.input)
    features = body.predict_on_batch(seen)
    centre = features.mean(axis=0)
    moved = features - centre
    gram = moved @ moved.T
    gram += 0.03 * np.trace(gram) / len(gram) * np.eye(len(gram), dtype=np.float32)
    kernel, bias = head.get_weights()
    kernel[:, : len(seen)] = MARGIN * moved.T @ np.linalg.inv(gram)
    kernel[:, len(seen) :] *= 0.1
    head.set_weights([kernel, bias - centre @ kernel])
