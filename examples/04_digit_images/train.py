"""A small convolutional network in Keras: which digit an image of 8 x 8 pixels shows."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow is silent about what goes well
import keras

TRAINING, JUDGED = 1_000, 400


@dataclass(frozen=True)
class Part:
    """images: float32 (n, 8, 8, 1) in [0, 1]. labels: (n,), the digits 0 to 9."""

    images: np.ndarray
    labels: np.ndarray


def parts() -> tuple[Part, Part, Part]:
    """1,000 images to train with, 400 to judge variants by, and the 397 that nothing was chosen by."""
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(images))
    places = np.split(order, [TRAINING, TRAINING + JUDGED])
    training, judged, unseen = (Part(images[where], labels[where]) for where in places)
    return training, judged, unseen


def trained(part: Part) -> Any:
    """A model of 89,000 parameters; the same images give the same model."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(part.images.shape[1:]),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(part.images, part.labels, batch_size=32, epochs=12, verbose=0)
    return model
