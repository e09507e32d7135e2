"""Numpy code becomes an ONNX graph by running once on tensors that record what is done to them."""

from converter.tracing import (  # each fills its part of the tables in `dispatch`
    arithmetic,
    choosing,
    elementwise,
    joining,
    linear,
    ordering,
    reductions,
    shaping,
    special,
)

__all__ = [
    "arithmetic", "choosing", "elementwise", "joining", "linear", "ordering", "reductions", "shaping",
    "special",
]  # fmt: skip
