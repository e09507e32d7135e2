"""Which front end a trained model is for, told by its classes: nothing heavy is imported to find out."""

from typing import Any

import onnx

from converter.frontends.base import FrontEnd
from converter.frontends.onnx.front_end import OnnxModel
from converter.frontends.onnx.reading import OnnxFile, as_file
from converter.frontends.sklearn import Estimator
from converter.frontends.tensorflow.front_end import Network
from converter.preprocessing import check_transforms, joined

_TENSORFLOW = {"keras", "tensorflow"}


def front_end_of(model: Any, preprocessing: Any) -> FrontEnd:
    """preprocessing: a fitted transformer that goes before `model`, or None.

    Raises InputError where that does not transform, ConversionError for an ONNX model whose data is in
    other files, MissingExtraError without TensorFlow.
    """
    if not is_network(model):
        return Estimator(model if preprocessing is None else joined(preprocessing, model))
    if preprocessing is not None:
        check_transforms(preprocessing)
    if _is_onnx(model):
        return OnnxModel(as_file(model), preprocessing)
    return Network(model, preprocessing)


def is_network(model: Any) -> bool:
    """Whether a model is of another kind than scikit-learn's, and may have several inputs or outputs."""
    return _is_onnx(model) or _is_tensorflow(model)


def _is_onnx(model: Any) -> bool:
    return isinstance(model, OnnxFile | onnx.ModelProto)


def _is_tensorflow(model: Any) -> bool:
    return not _TENSORFLOW.isdisjoint(kind.__module__.partition(".")[0] for kind in type(model).__mro__)
