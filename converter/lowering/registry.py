"""Which numpy code says what an estimator computes: one function a method, found by exact type.

A lowering is written once, in numpy, on an `Array`. Given a numpy array it computes, so a test can hold
it against scikit-learn; given a `converter.tracing.Tensor` it writes ONNX nodes. Lowerings of estimators
that hold others (Voting, chains, Pipelines) call `transform`, `value` and `scores` below on those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from converter.lowering.table import Table, matrix
from edge_runtime.errors import UnsupportedModelError

Array = Any  # a numpy array or a converter.tracing.Tensor; axis 0 is the batch
Reads = Literal["float64", "given", "table"]
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Scores:
    """What a classifier, clusterer, mixture or outlier detector says of n rows.

    label: int64 (n,), an index into the classes; (n, m) of a model of m labels. Of an outlier detector
        0 is an anomaly, 1 is normal.
    probabilities: (n, k) in the order of the classes; (n, m, k) of m labels, k being the largest number
        of classes and what a label lacks 0. None where the source has no `predict_proba`.
    decision: as the source's `decision_function` gives it, None where it has none.
    """

    label: Array
    probabilities: Array | None = None
    decision: Array | None = None


@dataclass(frozen=True)
class _Lowering:
    function: Callable[..., Any]
    reads: Reads


_known: dict[tuple[str, type], _Lowering] = {}


def transforms(*kinds: type, reads: Reads = "float64") -> Callable[[_Function], _Function]:
    """Register `(step, x) -> Array or Table` as what these transformers do.

    reads: "float64", x is one matrix in float64; "given", one matrix in the dtype the source sees;
    "table", a `Table` whose columns may differ in dtype and may be texts.
    """
    return _register("transform", kinds, reads)


def regresses(*kinds: type, reads: Reads = "float64") -> Callable[[_Function], _Function]:
    """Register `(model, x) -> Array`, (n,) or (n, m), as what these regressors predict."""
    return _register("value", kinds, reads)


def classifies(*kinds: type, reads: Reads = "float64") -> Callable[[_Function], _Function]:
    """Register `(model, x) -> Scores` for classifiers, clusterers, mixtures and outlier detectors."""
    return _register("scores", kinds, reads)


def _register(method: str, kinds: tuple[type, ...], reads: Reads) -> Callable[[_Function], _Function]:
    def register(function: _Function) -> _Function:
        for kind in kinds:
            assert (method, kind) not in _known, kind
            _known[method, kind] = _Lowering(function, reads)
        return function

    return register


def knows(method: Literal["transform", "value", "scores"], estimator: Any) -> bool:
    """Whether a lowering is registered for exactly this type: a subclass may compute otherwise."""
    return (method, type(estimator)) in _known


def transform(step: Any, x: Array | Table) -> Array | Table:
    """What a fitted transformer makes of x. Raises UnsupportedModelError when nothing lowers it."""
    return _call("transform", step, x)


def value(model: Any, x: Array | Table) -> Array:
    """What a fitted regressor predicts for x. Raises UnsupportedModelError."""
    return _call("value", model, x)


def scores(model: Any, x: Array | Table) -> Scores:
    """What a fitted classifier, clusterer, mixture or outlier detector says of x. Raises as above."""
    found: Scores = _call("scores", model, x)
    return found


def _call(method: str, estimator: Any, x: Array | Table) -> Any:
    lowering = _known.get((method, type(estimator)))
    if lowering is None:
        raise UnsupportedModelError(f"{type(estimator).__name__} cannot be converted: it has no lowering.")
    if lowering.reads == "table":
        return lowering.function(estimator, x if isinstance(x, Table) else Table.of(x))
    return lowering.function(estimator, matrix(x, np.float64 if lowering.reads == "float64" else None))
