"""Which numpy code says what an estimator computes: one function a method, found by exact type.

A lowering is written once, in numpy, on an `Array`. Given a numpy array it computes, so a test can hold
it against scikit-learn; given a `converter.tracing.Tensor` it writes ONNX nodes. Lowerings of estimators
that hold others (Voting, chains, Pipelines) call `transform`, `value` and `scores` below on those.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from converter.lowering.table import Table, matrix
from edge_runtime.errors import UnsupportedModelError

Array = Any  # a numpy array or a converter.tracing.Tensor; axis 0 is the batch
Reads = Literal["float64", "given", "table"]
Method = Literal["transform", "value", "scores"]
_MAX_WHY = 500  # what a manifest takes
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
    probabilities: Array = None
    decision: Array = None


@dataclass(frozen=True)
class Call:
    """One estimator at work inside a model: what it was given and what it answered."""

    path: tuple[str, ...]
    method: Method
    estimator: Any
    x: Array | Table
    answer: Any


@dataclass(frozen=True)
class _Lowering:
    function: Callable[..., Any]
    reads: Reads


_path: ContextVar[tuple[str, ...]] = ContextVar("path", default=())
_calls: ContextVar[list[Call] | None] = ContextVar("calls", default=None)
_refusals: ContextVar[list[tuple[Array, str]] | None] = ContextVar("refusals", default=None)
# What a source model is asked, and what those ask.
_ASKED = frozenset({"decision_function", "predict", "predict_proba", "score_samples", "transform"})
_known: dict[tuple[Method, type], _Lowering] = {}


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


def _register(method: Method, kinds: tuple[type, ...], reads: Reads) -> Callable[[_Function], _Function]:
    def register(function: _Function) -> _Function:
        for kind in kinds:
            assert (method, kind) not in _known, kind
            _known[method, kind] = _Lowering(function, reads)
        return function

    return register


def knows(method: Method, estimator: Any) -> bool:
    """Whether a lowering is registered for exactly this type: a subclass may compute otherwise."""
    return (method, type(estimator)) in _known


def transform(step: Any, x: Array | Table) -> Array | Table:
    """What a fitted transformer makes of x. Raises UnsupportedModelError when nothing lowers it."""
    return call("transform", step, x)


def value(model: Any, x: Array | Table) -> Array:
    """What a fitted regressor predicts for x. Raises UnsupportedModelError."""
    return call("value", model, x)


def scores(model: Any, x: Array | Table) -> Scores:
    """What a fitted classifier, clusterer, mixture or outlier detector says of x. Raises as above."""
    found: Scores = call("scores", model, x)
    return found


def call(method: Method, estimator: Any, x: Array | Table) -> Any:
    """Any of the three above, by name."""
    from converter.lowering import foreign_steps  # it calls back

    _check_none_replaced(estimator)
    lowering = _known.get((method, type(estimator)))
    if lowering is None and foreign_steps.register(method, estimator):
        lowering = _known[method, type(estimator)]
    if lowering is None:
        raise UnsupportedModelError(
            f"{type(estimator).__name__} cannot be converted: nobody has written what it computes as a "
            "graph. docs/coverage.md lists what converts."
        )
    if lowering.reads == "table":
        given = Table.of(x)
    else:
        given = matrix(x, np.float64 if lowering.reads == "float64" else None)
    return recorded(method, estimator, x, lambda: lowering.function(estimator, given))


def _check_none_replaced(estimator: Any) -> None:
    """What was set on the object itself is seen by its library, and not by what is found by its type."""
    for name in _ASKED & getattr(estimator, "__dict__", {}).keys():
        kind = type(estimator).__name__
        raise UnsupportedModelError(
            f"{kind}: `{name}` of this object is not that of its class: it was replaced on the object, "
            f"and a graph would do what {kind} does. Put the change into a step of your own."
        )


def recorded(method: Method, estimator: Any, x: Array | Table, answer: Callable[[], Any]) -> Any:
    """The result of `answer`, kept as a Call while `recording`."""
    found = answer()
    calls = _calls.get()
    if calls is not None:
        calls.append(Call(_path.get(), method, estimator, x, found))
    return found


def refuse(rows: Array, why: str) -> None:
    """The source raises an error for `rows`, bool (n,), and so will the device, which says `why`.

    What the lowering answers for such rows is never seen.
    """
    refusals = _refusals.get()
    if refusals is not None:
        where = "".join(f"{name}: " for name in _path.get())
        text = "".join(char if char.isprintable() else " " for char in where + why)
        refusals.append((rows, text if len(text) <= _MAX_WHY else text[: _MAX_WHY - 1] + "…"))


@dataclass(frozen=True)
class Recording:
    """What happened while a model was lowered.

    calls: those of inner estimators before those of the ones around them. refusals: see `refuse`.
    """

    calls: list[Call]
    refusals: list[tuple[Array, str]]


@contextmanager
def recording() -> Iterator[Recording]:
    """Collect every call and every refusal inside."""
    found = Recording([], [])
    tokens = _calls.set(found.calls), _refusals.set(found.refusals)
    try:
        yield found
    finally:
        _calls.reset(tokens[0])
        _refusals.reset(tokens[1])


@contextmanager
def named(name: str) -> Iterator[None]:
    """Inside, calls are of the part `name` of the model, and so says what cannot be converted."""
    token = _path.set((*_path.get(), name))
    try:
        yield
    except UnsupportedModelError as error:
        raise type(error)(f"step {name!r}: {error}") from error
    finally:
        _path.reset(token)
