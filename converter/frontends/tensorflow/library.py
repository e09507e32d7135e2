"""The one place that imports TensorFlow, Keras and tf2onnx: when they are first needed, and quietly."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from types import ModuleType
from typing import Any

from edge_runtime.errors import ConversionError, MissingExtraError

_EXTRA = {"tensorflow", "keras", "tf2onnx"}
_LOGGERS = ("tensorflow", "absl", "tf2onnx")


@dataclass(frozen=True)
class Library:
    """TensorFlow, Keras, tf2onnx, and what of TensorFlow is not in its public names."""

    tf: Any
    keras: Any
    tf2onnx: Any
    freeze: Any


@cache
def load() -> Library:
    """Import them. Raises MissingExtraError where one is missing."""
    # What TensorFlow prints of the machine's instructions while it is imported concerns nobody here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import keras
            import tensorflow as tf
            import tf2onnx
            from tensorflow.python.framework import convert_to_constants
            from tf2onnx import optimizer, tf_loader, tfonnx  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise MissingExtraError(
            f"converting Keras models and SavedModels needs {error.name}, which is not installed. "
            'Run: pip install "edge-runtime[tensorflow]"'
        ) from error
    _check(keras)
    return Library(tf, keras, tf2onnx, convert_to_constants.convert_variables_to_constants_v2)


def _check(keras: ModuleType) -> None:
    found = version("keras")
    if int(found.partition(".")[0]) < 3:
        raise ConversionError(
            f"keras: expected Keras 3, found {found}. Run: pip install --upgrade keras tensorflow"
        )
    if keras.backend.backend() != "tensorflow":
        raise ConversionError(
            f"keras: expected its TensorFlow backend, found {keras.backend.backend()}. Set "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )


def versions() -> tuple[str, ...]:
    """The distributions that a conversion depends on."""
    return ("tensorflow", "keras", "tf2onnx")


@contextmanager
def quiet() -> Iterator[None]:
    """Without what the three write to logs and warn about: what matters is raised."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
