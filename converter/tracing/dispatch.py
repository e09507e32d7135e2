"""The tables of what numpy code may do to a tensor, and how a ufunc finds its entry."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from converter.tracing.errors import TracingError

_Rule = TypeVar("_Rule", bound=Callable[..., Any])

#: A ufunc: a function of its operands, tensors or arrays in a dtype that kernels exist for.
UFUNCS: dict[Any, Callable[..., Any]] = {}
#: A function of numpy: one with its signature.
FUNCTIONS: dict[Any, Callable[..., Any]] = {}

# Kernels exist for these; others are computed in a wider one and rounded, or wrapped, back.
_WIDER = {
    "float16": "float32", "int8": "int64", "int16": "int64", "int32": "int64", "uint8": "int64",
    "uint16": "int64", "uint32": "int64",
}  # fmt: skip
_KERNELS = ("bool", "int64", "float32", "float64")


def records_ufunc(*ufuncs: Any) -> Callable[[_Rule], _Rule]:
    """Register how ufuncs are written; operands come in the dtypes of the ufunc's loop."""

    def register(rule: _Rule) -> _Rule:
        for ufunc in ufuncs:
            assert ufunc not in UFUNCS, ufunc
            UFUNCS[ufunc] = rule
        return rule

    return register


def records(*functions: Any) -> Callable[[_Rule], _Rule]:
    """Register how functions of numpy are written; arguments come as the caller gave them."""

    def register(rule: _Rule) -> _Rule:
        for function in functions:
            assert function not in FUNCTIONS, function
            FUNCTIONS[function] = rule
        return rule

    return register


def kernel_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which ONNX Runtime computes what numpy computes in `dtype`. TracingError if none."""
    name = _WIDER.get(dtype.name, dtype.name)
    if name not in _KERNELS:
        raise TracingError(f"numbers of dtype {dtype} have no ONNX form: use float64, float32 or int64.")
    return np.dtype(name)


def loop_dtypes(ufunc: Any, operands: Sequence[Any], dtype: Any = None) -> tuple[np.dtype[Any], ...]:
    """The dtypes in which numpy would run a ufunc: those of its operands, then of its results."""
    given = [type(item) if type(item) in (int, float) else _dtype(item) for item in operands]
    wanted = {}
    if dtype is not None:
        wanted["signature"] = (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout
    found: tuple[np.dtype[Any], ...] = ufunc.resolve_dtypes(
        (*given, *(None,) * ufunc.nout), casting="same_kind", **wanted
    )
    return found


def _dtype(operand: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = operand.dtype if hasattr(operand, "dtype") else np.asarray(operand).dtype
    return dtype


def name_of(function: Any) -> str:
    """As people write it: np.log1p, scipy.special.expit."""
    name = getattr(function, "__name__", str(function))
    owner = getattr(function, "__module__", None) or "numpy"
    if getattr(np, name, None) is function:
        owner = "np"
    elif isinstance(function, np.ufunc):
        owner = "scipy.special"
    return f"{owner.replace('numpy', 'np', 1)}.{name}"
