"""Which front end a trained model is for, told by its classes: no library is imported to find out."""

from typing import Any

from converter.frontends.base import FrontEnd
from converter.frontends.sklearn import Estimator
from converter.frontends.tensorflow.front_end import Network
from converter.preprocessing import check_transforms, joined

_TENSORFLOW = {"keras", "tensorflow"}


def front_end_of(model: Any, preprocessing: Any) -> FrontEnd:
    """preprocessing: a fitted transformer that goes before `model`, or None.

    Raises InputError where that does not transform, MissingExtraError without TensorFlow.
    """
    if _is_network(model):
        if preprocessing is not None:
            check_transforms(preprocessing)
        return Network(model, preprocessing)
    return Estimator(model if preprocessing is None else joined(preprocessing, model))


def _is_network(model: Any) -> bool:
    return not _TENSORFLOW.isdisjoint(kind.__module__.partition(".")[0] for kind in type(model).__mro__)
