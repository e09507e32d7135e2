"""An author's own numpy code, run once on a tensor."""

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from typing import Any

import numpy as np

from converter.tracing.blame import blamed
from converter.tracing.errors import NoSuchMethodError, TracingError, raised
from converter.tracing.frame import Frame
from converter.tracing.rows import Rows
from converter.tracing.shapes import describe
from converter.tracing.substitutes import substituted
from converter.tracing.tensor import Tensor, rows_symbol

Function = Callable[[Any], Any]


def trace(function: Function, x: Any, *, names: Sequence[str] = (), code: Any = None) -> Any:
    """What `function` makes of x, a matrix (n, m): a tensor; on a real array, an array.

    names: of x's columns, where the model was trained on a DataFrame: the function is given one.
    code: what errors speak of, where `function` only wraps it.
    Neither x nor the object whose method `function` is are changed by it. Raises TracingError, which
    names the line of the author's code that no graph can do.
    """
    if not isinstance(x, Tensor):
        return _on_arrays(function, x, names)
    function = _on_a_copy(function)
    given = Frame.of(x, names) if names else x.copy()
    symbol, errors = rows_symbol.set(Rows), raised.set([])
    try:
        with blamed(function if code is None else code), substituted(function, code):
            found = function(given)
            _check_none_was_caught(raised.get() or [])
            return _array(found)
    finally:
        rows_symbol.reset(symbol)
        raised.reset(errors)


def _check_none_was_caught(errors: Sequence[TracingError]) -> None:
    """Code that catches an error which numbers do not raise has gone another way than with numbers.

    To ask whether there is an attribute (hasattr) is no such way.
    """
    for error in errors:
        if not isinstance(error, NoSuchMethodError):
            why = f"{error} The code catches this error, and goes on as it does not with numbers."
            raise TracingError(why).with_traceback(error.__traceback__)


def _on_arrays(function: Function, x: Any, names: Sequence[str]) -> Any:
    if names:
        import pandas as pd

        x = pd.DataFrame(x, columns=list(names))
    return np.asarray(function(x))


def _on_a_copy(function: Function) -> Function:
    """A method of a copy of its object: what is traced may keep tensors, or overwrite what it knows."""
    owner = getattr(function, "__self__", None)
    if owner is None or not hasattr(function, "__func__") or isinstance(owner, type):
        return function
    try:
        own = deepcopy(owner)
    except Exception:  # noqa: BLE001 -- locks, open files: what it holds is the author's
        own = copy(owner)
    found: Function = function.__func__.__get__(own)
    return found


def _array(result: Any) -> Tensor:
    """The result as a tensor whose first axis is the rows."""
    if isinstance(result, (list, tuple)):
        raise TracingError(
            f"it returns a {type(result).__name__}: return one array, as np.column_stack makes it."
        )
    if not isinstance(result, Tensor):
        raise TracingError(
            f"it returns {_described(result)}: that does not depend on its input, or left numpy on the "
            "way. Return an array computed from the input."
        )
    if not result.sizes or result.sizes[0] is not None:
        raise TracingError(
            f"it returns an array of shape {describe(result.sizes)}: its first axis must be the rows."
        )
    return Tensor(result.graph, result.name, result.dtype, result.sizes)


def _described(result: Any) -> str:
    if result is None:
        return "None"
    if isinstance(result, np.ndarray):
        return f"a constant array of shape {result.shape}"
    return f"a {type(result).__module__}.{type(result).__name__}".replace("builtins.", "")
