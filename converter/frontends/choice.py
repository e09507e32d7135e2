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
    is_onnx = isinstance(model, OnnxFile | onnx.ModelProto)
    if preprocessing is not None and (is_onnx or _is_network(model)):
        check_transforms(preprocessing)
    if is_onnx:
        return OnnxModel(as_file(model), preprocessing)
    if _is_network(model):
        return Network(model, preprocessing)
    return Estimator(model if preprocessing is None else joined(preprocessing, model))


def _is_network(model: Any) -> bool:
    return not _TENSORFLOW.isdisjoint(kind.__module__.partition(".")[0] for kind in type(model).__mro__)
