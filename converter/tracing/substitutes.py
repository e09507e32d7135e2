# ruff: noqa: A002, ARG001 -- the signatures are those of numpy
"""While an author's code is traced: functions that would ask a tensor for its numbers let it pass.

`np.asarray(X)` and scikit-learn's `check_array(X)` are how most code begins, and none of them can be
reached by numpy's protocols: they would have to return an array of numbers. So for the time of a trace
they are replaced, wherever a module holds them under their own name; given no tensor they do what they
always do, for other threads as well.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from types import ModuleType
from typing import Any

import numpy as np
from scipy import special
from sklearn.utils import _set_output, validation

from converter.tracing.dispatch import FUNCTIONS
from converter.tracing.errors import TracingError
from converter.tracing.joining import full
from converter.tracing.promote import as_operand
from converter.tracing.rows import Rows
from converter.tracing.tensor import Tensor, rows_symbol

_one_at_a_time = RLock()


def _as_array(array: Any, dtype: Any = None, *, copy: Any = None) -> Any:
    found = as_operand(array)
    wanted = found if dtype is None or dtype == "numeric" else found.astype(dtype, copy=False)
    return wanted.to_numpy() if copy is not True else wanted.copy()


def _asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, **options: Any) -> Any:
    return _as_array(a, dtype, copy=copy)


def _array(object: Any, dtype: Any = None, *, copy: Any = True, ndmin: int = 0, **options: Any) -> Any:
    found = _as_array(object, dtype, copy=copy)
    while found.ndim < ndmin:
        found = found[None]
    return found


def _check_array(
    array: Any, *args: Any, dtype: Any = "numeric", copy: bool = False, **options: Any
) -> Any:
    """What it checks depends on data, and is the business of who gives it: the dtype is what remains."""
    found = as_operand(array)
    wanted = list(dtype) if isinstance(dtype, (list, tuple)) else [dtype]
    if found.dtype.kind == "O" or wanted[0] in (None, "numeric") or found.dtype in map(np.dtype, wanted):
        return _as_array(found, copy=copy)
    return _as_array(found, wanted[0], copy=copy)


def _validate_data(
    _estimator: Any, X: Any = None, y: Any = None, reset: Any = True, **options: Any
) -> Any:
    if options.pop("skip_check_array", False):
        return X
    options.pop("validate_separately", None)
    return _check_array(X, **options)


def _as_float_array(X: Any, *, copy: bool = True, **options: Any) -> Any:
    found = as_operand(X)
    return _as_array(found, found.dtype if found.dtype.kind == "f" else np.float64, copy=copy)


def _nothing(*args: Any, **options: Any) -> None:
    """A check of data."""


def _unwrapped(method: Any, data_to_wrap: Any, *args: Any, **options: Any) -> Any:
    return data_to_wrap


def _is_no_scalar(element: Any) -> bool:
    return False


def _filled(value: float) -> Callable[..., Any]:
    def made(shape: Any, dtype: Any = float, order: str = "C", **options: Any) -> Any:
        return _full(shape, value, dtype)

    return made


def _full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", **options: Any) -> Any:
    """An array with a row for each row of the input."""
    given = shape if isinstance(shape, tuple | list) else (shape,)
    (rows,) = (size for size in given if isinstance(size, Rows))
    wanted = np.dtype(np.asarray(fill_value).dtype if dtype is None else dtype)
    return full(
        tuple(None if size is rows else int(size) for size in given), fill_value, wanted, rows.tensor
    )


def _softmax(x: Any, axis: Any = None) -> Any:
    shifted = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return shifted / np.sum(shifted, axis=axis, keepdims=True)


def _log_softmax(x: Any, axis: Any = None) -> Any:
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, **options: Any) -> Any:
    top = np.max(a, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    weighted = np.exp(a - top) if b is None else b * np.exp(a - top)
    total = np.log(np.sum(weighted, axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


class _ColumnsOf:
    """np.c_, for columns that are tensors as well."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def __getitem__(self, key: Any) -> Any:
        if not _has_tensor(key):
            return self._original[key]
        return np.column_stack(key if isinstance(key, tuple) else (key,))


def _has_tensor(*items: Any) -> bool:
    for item in items:
        if isinstance(item, (list, tuple)) and _has_tensor(*item):
            return True
        if isinstance(item, (Tensor, Rows)):
            return True
    return False


def _let_pass(original: Any, own: Any) -> Any:
    @wraps(original, updated=())
    def function(*args: Any, **options: Any) -> Any:
        chosen = own if _has_tensor(*args, *options.values()) else original
        return chosen(*args, **options)

    return function


def _refusing(original: Any) -> Any:
    """A function of np.random, which the thread that traces may not call."""

    @wraps(original, updated=())
    def function(*args: Any, **options: Any) -> Any:
        if rows_symbol.get() is not None:
            raise TracingError(
                f"np.random.{original.__name__}: chance has no ONNX form, and no place in what a device "
                "computes. Draw in `fit` and keep what was drawn."
            )
        return original(*args, **options)

    return function


_SUBSTITUTES: dict[str, tuple[Any, Callable[..., Any]]] = {
    "asarray": (np.asarray, _asarray), "array": (np.array, _array),
    "asanyarray": (np.asanyarray, _asarray),
    "ascontiguousarray": (np.ascontiguousarray, _asarray),
    "asfortranarray": (np.asfortranarray, _asarray),
    "asarray_chkfinite": (np.asarray_chkfinite, _asarray), "require": (np.require, _asarray),
    "zeros": (np.zeros, _filled(0)), "ones": (np.ones, _filled(1)), "empty": (np.empty, _filled(0)),
    "full": (np.full, _full), "take": (np.take, FUNCTIONS[np.take]),
    "isscalar": (np.isscalar, _is_no_scalar),
    "check_array": (validation.check_array, _check_array),
    "as_float_array": (validation.as_float_array, _as_float_array),
    "assert_all_finite": (validation.assert_all_finite, _nothing),
    "_assert_all_finite": (validation._assert_all_finite, _nothing),
    "check_consistent_length": (validation.check_consistent_length, _nothing),
    "_wrap_data_with_container": (_set_output._wrap_data_with_container, _unwrapped),
    "softmax": (special.softmax, _softmax), "log_softmax": (special.log_softmax, _log_softmax),
    "logsumexp": (special.logsumexp, _logsumexp),
}  # fmt: skip
for _name, _own in (  # scikit-learn has these since 1.6
    ("validate_data", _validate_data), ("_check_feature_names", _nothing),
    ("_check_n_features", _nothing),
):  # fmt: skip
    if hasattr(validation, _name):
        _SUBSTITUTES[_name] = (getattr(validation, _name), _own)


@contextmanager
def substituted(*functions: Any) -> Iterator[None]:
    """Inside, modules (and these functions' own) see what lets tensors pass. One thread at a time."""
    with _one_at_a_time:
        undo: list[tuple[dict[str, Any], str, Any]] = []
        try:
            for scope, name, own in list(_replacements(functions)):
                undo.append((scope, name, scope[name]))
                scope[name] = own
            yield
        finally:
            for names, name, original in reversed(undo):
                names[name] = original


def _replacements(functions: tuple[Any, ...]) -> Iterator[tuple[dict[str, Any], str, Any]]:
    """Which name of which module becomes what."""
    passing = [(name, had, _let_pass(had, own)) for name, (had, own) in _SUBSTITUTES.items()]
    loaded: list[Any] = list(sys.modules.values())  # libraries put other objects there, too
    modules = [module for module in loaded if isinstance(module, ModuleType)]
    scopes = [vars(module) for module in modules]
    scopes += [function.__globals__ for function in functions if hasattr(function, "__globals__")]
    for scope in scopes:
        for name, had, own in passing:
            if name in scope and scope[name] is had:
                yield scope, name, own
    yield vars(np), "c_", _ColumnsOf(np.c_)
    for name, found in vars(np.random).items():
        if callable(found) and not isinstance(found, type) and not name.startswith("_"):
            yield vars(np.random), name, _refusing(found)
    numpy_itself = ModuleType("numpy")
    vars(numpy_itself).update(vars(np))
    yield from ((scope, "np", numpy_itself) for scope in _compiled(modules))


def _compiled(modules: list[Any]) -> list[dict[str, Any]]:
    """Of compiled modules that call numpy: they take what it returns for an array without a look."""
    found = [vars(module) for module in modules if _file_of(module).endswith((".so", ".pyd"))]
    return [scope for scope in found if scope.get("np") is np]


def _file_of(module: Any) -> str:
    return str(vars(module).get("__file__") or "")
