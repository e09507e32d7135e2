"""A small convolutional network in Keras: which of four activities a smart watch's wearer was doing."""

import os
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow is silent about what goes well
import keras

RECORDINGS = Path(__file__).parents[1] / "data" / "basic_motions" / "basic_motions.npz"
CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
RATE_HZ = 10.0
LENGTH, STRIDE = 50, 10  # windows of 5 s, a new one every second


def windows(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Windows float32 (240, 50, 6) and their labels (240,); `part` is train or test.

    Windows of one recording overlap, so a recording is in one part only.
    """
    with np.load(RECORDINGS) as found:
        recordings, labels = found[f"{part}_windows"], found[f"{part}_labels"]
    starts = range(0, recordings.shape[1] - LENGTH + 1, STRIDE)
    cut = np.concatenate([recordings[:, at : at + LENGTH] for at in starts])
    return cut, np.tile(labels, len(starts))


def trained(inputs: np.ndarray, labels: np.ndarray, names: np.ndarray) -> Any:
    """A model of 32,000 parameters that scales its own inputs; the same data gives the same model."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    scale = layers.Normalization()
    scale.adapt(inputs)
    model = keras.Sequential(
        [
            keras.Input(inputs.shape[1:]),
            scale,
            layers.Conv1D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(64, 5, padding="same", activation="relu"),
            layers.Conv1D(64, 5, padding="same", activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.2),
            layers.Dense(len(names), activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(inputs, np.searchsorted(names, labels), batch_size=16, epochs=20, verbose=0)
    return model
