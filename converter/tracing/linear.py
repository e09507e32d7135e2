# ruff: noqa: ARG001 -- the signatures are those of numpy
"""Products of matrices."""

from string import ascii_letters
from typing import Any

import numpy as np

from converter.tracing.calls import record_ufunc
from converter.tracing.dispatch import records, records_ufunc
from converter.tracing.errors import TracingError
from converter.tracing.nodes import cast, record, shape_of
from converter.tracing.promote import as_operand, promoted
from converter.tracing.shapes import Shape, broadcast, describe, one_batch

_OVER_ROWS = "a product that sums over the rows: a device predicts one row at a time."


@records_ufunc(np.matmul)
def _matmul(a: Any, b: Any) -> Any:
    if a.dtype == np.bool_:
        return record_ufunc(np.matmul, [cast(a, np.int64), cast(b, np.int64)]) != 0
    return record("MatMul", a, b, dtype=a.dtype, shape=_product_shape(shape_of(a), shape_of(b)))


def _product_shape(a: Shape, b: Shape) -> Shape:
    if not a or not b:
        raise ValueError("matmul: an operand does not have enough dimensions")
    rows, columns = a[:-1][-1:], b[-1:] if len(b) > 1 else ()
    inner = b[-2] if len(b) > 1 else b[0]
    if a[-1] is None or inner is None:
        raise TracingError(_OVER_ROWS)
    if a[-1] != inner:
        raise ValueError(f"matmul: shapes {describe(a, b)} do not fit")
    return one_batch((*broadcast(a[:-2], b[:-2]), *rows, *columns), a, b)


@records(np.dot)
def _dot(a: Any, b: Any, out: Any = None) -> Any:
    if out is not None:
        raise TracingError("np.dot with `out=` has no ONNX form.")
    a, b = as_operand(a), as_operand(b)
    if not a.ndim or not b.ndim:
        return a * b
    if b.ndim > 2:
        raise TracingError(
            "np.dot with more than two axes on the right has no ONNX form: use np.einsum."
        )
    return a @ b


@records(np.inner)
def _inner(a: Any, b: Any) -> Any:
    a, b = as_operand(a), as_operand(b)
    return np.dot(a, b if b.ndim < 2 else b.T)


@records(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = as_operand(a), as_operand(b)
    if isinstance(axes, int):
        axes = (range(a.ndim - axes, a.ndim), range(axes))
    left, right = ([part] if isinstance(part, int) else list(part) for part in axes)
    letters = list(ascii_letters[: a.ndim + b.ndim])
    first, second = letters[: a.ndim], letters[a.ndim :]
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    kept = [letter for letter in first + second if (first + second).count(letter) == 1]
    return np.einsum(f"{''.join(first)},{''.join(second)}->{''.join(kept)}", a, b)


@records(np.einsum)
def _einsum(subscripts: Any, *operands: Any, out: Any = None, optimize: Any = False) -> Any:
    if out is not None or not isinstance(subscripts, str) or "." in subscripts:
        raise TracingError("np.einsum has an ONNX form for letters only: no `...`, no `out=`, no lists.")
    arrays = promoted(operands)
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow:
        output = "".join(sorted(x for x in set(inputs) - {","} if inputs.count(x) == 1))
    sizes: dict[str, int | None] = {}
    for term, array in zip(terms, arrays, strict=True):
        for letter, size in zip(term, shape_of(array), strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ValueError(f"np.einsum: sizes along {letter!r} differ")
    if any(size is None and letter not in output for letter, size in sizes.items()):
        raise TracingError(_OVER_ROWS)
    if any(len(set(term)) < len(term) for term in terms):
        raise TracingError("np.einsum over a diagonal has no ONNX form.")
    shape = one_batch(tuple(sizes[letter] for letter in output), *map(shape_of, arrays))
    return record(
        "Einsum", *arrays, dtype=arrays[0].dtype, shape=shape, equation=f"{','.join(terms)}->{output}"
    )
