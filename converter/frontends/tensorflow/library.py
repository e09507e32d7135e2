"""The one place that imports TensorFlow, Keras and tf2onnx: when they are first needed, and quietly."""

import logging
import os
import sys
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
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with warnings.catch_warnings(), _without_standard_error():
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
    _keep_order(tf2onnx)
    _take_scalars(tf2onnx)
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


class _InOrder(dict[str, None]):
    """A set of names that is gone through in the order they were added in."""

    def add(self, name: str) -> None:
        self[name] = None

    def remove(self, name: str) -> None:
        del self[name]


def _keep_order(tf2onnx: Any) -> None:
    """Have tf2onnx go through nodes in one order.

    That of its sets is another one in each process, and which Transpose its optimizer moves first
    decides which of them are left.
    """
    graph = tf2onnx.graph.Graph
    tf2onnx.optimizer.transpose_optimizer.set = dict.fromkeys
    register, replace = graph._register_input_name, graph.replace_all_inputs
    extract = graph.extract_sub_graph_nodes

    def register_in_order(self: Any, input_name: str, *more: Any, **options: Any) -> Any:
        self._output_to_consumers.setdefault(input_name, _InOrder())
        return register(self, input_name, *more, **options)

    def replace_in_order(self: Any, old_input: str, new_input: str, *more: Any, **options: Any) -> Any:
        self._output_to_consumers.setdefault(new_input, _InOrder())
        return replace(self, old_input, new_input, *more, **options)

    def extract_in_order(self: Any, *arguments: Any, **options: Any) -> list[Any]:
        place = {id(node): at for at, node in enumerate(self.get_nodes())}
        found = extract(self, *arguments, **options)
        return sorted(found, key=lambda node: place.get(id(node), len(place)))

    graph._register_input_name, graph.replace_all_inputs = register_in_order, replace_in_order
    graph.extract_sub_graph_nodes = extract_in_order


def _take_scalars(tf2onnx: Any) -> None:
    """Have tf2onnx move a Transpose past the addition of a scalar, as in Keras' hard swish.

    Behind a convolution without a bias it takes every constant for one, and asks a scalar for its size.
    """
    optimizer = tf2onnx.optimizer.transpose_optimizer.TransposeOptimizer
    add = optimizer._add_handler

    def add_or_scalar(self: Any, trans: Any, node: Any) -> Any:
        is_scalar = node.inputs[1].is_const() and not node.inputs[1].get_tensor_value(as_list=False).ndim
        return self._handle_node_having_branches(trans, node) if is_scalar else add(self, trans, node)

    optimizer._add_handler = add_or_scalar


def versions() -> tuple[str, ...]:
    """The distributions that a conversion depends on."""
    return ("tensorflow", "keras", "tf2onnx")


@contextmanager
def _without_standard_error() -> Iterator[None]:
    """Without what native code prints: of the machine's instructions TensorFlow does whatever is set."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


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
