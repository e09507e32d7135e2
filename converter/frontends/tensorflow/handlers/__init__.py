"""Operators of TensorFlow that tf2onnx lacks, or translates into what not every board runs.

Each takes tf2onnx's graph and one of its nodes, and puts ONNX nodes in the node's place.
"""

from collections.abc import Callable, Mapping
from typing import Any

from converter.frontends.tensorflow.freezing import Lookup
from converter.frontends.tensorflow.handlers import arithmetic, lookups, resizing, spectra

Handler = Callable[..., None]


def handlers(tables: Mapping[str, Lookup]) -> dict[str, tuple[Handler, list[Any]]]:
    """By operator, as `tf2onnx.tfonnx.process_tf_graph` takes them. tables: see `Frozen`."""
    found = {**arithmetic.HANDLERS, **resizing.HANDLERS, **spectra.HANDLERS}
    found["LookupTableFindV2"] = lookups.find(tables)
    return {operator: (_adapted(handler), []) for operator, handler in found.items()}


def rewriters() -> list[Callable[[Any, list[Any]], list[Any]]]:
    """What changes operators before they are translated."""
    return [lookups.compare_texts]


def _adapted(handler: Callable[[Any, Any], None]) -> Handler:
    """Without the two arguments that tf2onnx adds."""

    def call(ctx: Any, node: Any, name: str, arguments: list[Any]) -> None:  # noqa: ARG001
        handler(ctx, node)

    return call
