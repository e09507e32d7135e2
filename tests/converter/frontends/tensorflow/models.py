"""Small models for the tests of whole conversions, and data they were not trained on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import converter
from converter.converted import ConvertedBundle
from converter.frontends.tensorflow.library import load
from tests.converter.frontends.tensorflow.kit import Kit, randomized

RANDOM = np.random.default_rng(11)
ROWS: NDArray[Any] = RANDOM.normal(size=(60, 6)).astype(np.float32)
WINDOWS: NDArray[Any] = RANDOM.normal(size=(40, 10, 4)).astype(np.float32)


def kit() -> Kit:
    library = load()
    return Kit(library.keras, library.tf)


def rows_model(outputs: int, activation: str | None = None) -> Any:
    """A small network of six features."""
    layers = kit().layers
    return randomized(
        kit().model((6,), layers.Dense(8, "relu"), layers.Dense(outputs, activation, name="head"))
    )


def converted(model: Any, inputs: Any, labels: Any = None, **options: Any) -> ConvertedBundle:
    return converter.convert(model, inputs, labels, name="net", version="1.0.0", **options)


def called(model: Any, inputs: NDArray[Any]) -> NDArray[np.float64]:
    """What the model itself says."""
    return np.asarray(model(inputs, training=False)).astype(np.float64)
