"""Registered once met: boosters of other libraries, blocks, the author's own steps."""

from functools import partial
from typing import Any

from converter.blocks import Block
from converter.lowering import boosters, registry
from converter.lowering.registry import Array, Method
from converter.lowering.table import Table, matrix
from converter.tracing.trace import trace

_LIBRARIES = ("sklearn", "imblearn", "xgboost", "lightgbm", "catboost")


def register(method: Method, estimator: Any) -> bool:
    """Find a lowering for an estimator of a type that has none yet; whether there is one now."""
    kind = type(estimator)
    if isinstance(estimator, Block):
        registry.transforms(kind, reads="given")(_block)
    elif kind.__module__.partition(".")[0] in _LIBRARIES:
        boosters.register(estimator)
    elif method == "transform" and hasattr(estimator, "transform"):
        registry.transforms(kind, reads="table")(partial(_traced, "transform"))
    elif method == "value" and hasattr(estimator, "predict"):
        registry.regresses(kind, reads="table")(partial(_traced, "predict"))
    return registry.knows(method, estimator)


def _block(step: Block, x: Array) -> Array:
    """A block computes on tensors as on arrays, and refuses the same rows."""
    given = step.as_read(x)
    for rows, why in step.refused(given):
        registry.refuse(rows, why)
    return step.compute(given)


def _traced(method: str, step: Any, x: Table) -> Array:
    """A step of the author's own: its numpy code, run once on tensors."""
    return trace(getattr(step, method), matrix(x), names=x.names, code=getattr(type(step), method))
