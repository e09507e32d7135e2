"""How a ufunc called on tensors finds its rule: dtypes, `out`, `where`, `reduce`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.tracing.dispatch import FUNCTIONS, UFUNCS, kernel_dtype, loop_dtypes, name_of
from converter.tracing.errors import TracingError
from converter.tracing.nodes import cast
from converter.tracing.rows import Rows
from converter.tracing.tensor import Tensor
from converter.tracing.texts import compare_texts, has_texts

_REDUCE = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min,
    np.logical_and: np.all, np.logical_or: np.any,
}  # fmt: skip
_ACCUMULATE = {np.add: np.cumsum, np.multiply: np.cumprod}


def call_ufunc(ufunc: Any, method: str, inputs: Sequence[Any], options: dict[str, Any]) -> Any:
    """Write what `getattr(ufunc, method)(*inputs, **options)` computes."""
    for item in inputs:
        if isinstance(item, Rows):
            int(item)  # which says what it may be used for
    for array in options.get("out") or ():
        if array is not None and not isinstance(array, Tensor):
            raise TracingError(
                f"{name_of(ufunc)} writes data into an array of constants: make that array with "
                "np.zeros_like(X) or `X.copy()`, or do not write in place."
            )
    if method == "__call__":
        return _call(ufunc, inputs, **options)
    tables: dict[str, dict[Any, Any]] = {"reduce": _REDUCE, "accumulate": _ACCUMULATE}
    table = tables.get(method, {})
    if ufunc not in table:
        raise TracingError(f"{name_of(ufunc)}.{method} has no ONNX form.")
    array, *rest = inputs
    options.setdefault("axis", rest[0] if rest else 0)
    return FUNCTIONS[table[ufunc]](array, **options)


def _call(
    ufunc: Any, inputs: Sequence[Any], *, out: Any = None, where: Any = True, dtype: Any = None,
    casting: Any = "same_kind", **_layout: Any,
) -> Any:  # fmt: skip
    result = record_ufunc(ufunc, inputs, dtype)
    if out is None or out[0] is None:
        if where is not True:
            raise TracingError(
                f"{name_of(ufunc)} with `where=` leaves the other places undefined: give `out=` too, or "
                "use np.where."
            )
        return result
    (target,) = out
    target.assign(result if where is True else np.where(where, result, target), casting)
    return target


def record_ufunc(ufunc: Any, inputs: Sequence[Any], dtype: Any = None) -> Any:
    """One ufunc on operands of which at least one is a tensor."""
    if any(map(has_texts, inputs)):
        return compare_texts(ufunc, inputs)
    if ufunc is np.divmod:
        return tuple(record_ufunc(part, inputs, dtype) for part in (np.floor_divide, np.remainder))
    rule = UFUNCS.get(ufunc)
    if rule is None:
        raise TracingError(f"{name_of(ufunc)} has no ONNX form. docs/custom-steps.md lists what has.")
    loop = loop_dtypes(ufunc, inputs, dtype)
    operands = [
        cast(cast(item, given), kernel_dtype(given)) for item, given in zip(inputs, loop, strict=False)
    ]
    with np.errstate(all="ignore"):  # of parts that are constant
        result = rule(*operands)
    return cast(result, loop[-1])
