"""Lookup tables, as StringLookup and IntegerLookup have them, in ai.onnx.ml's LabelEncoder."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto

from converter.frontends.tensorflow.freezing import Lookup
from converter.frontends.tensorflow.handlers.writing import Writer
from converter.graph import ML

_KINDS = {"O": "strings", "i": "int64s", "f": "floats"}
_DEFAULTS = {"strings": "default_string", "int64s": "default_int64", "floats": "default_float"}


def compare_texts(ctx: Any, ops: list[Any]) -> list[Any]:
    """Texts compared with one text, as for a mask token: opset 17 compares numbers only."""
    for node in ops:
        if node.type not in ("Equal", "NotEqual") or ctx.get_dtype(node.input[0]) != TensorProto.STRING:
            continue
        write = Writer(ctx, node)
        at = 1 if node.inputs[1].is_const() else 0
        text = write.known(at).reshape(-1)
        if len(text) != 1:
            raise write.refusal("texts compared with one text")
        found = write.op(
            "LabelEncoder",
            write.given[1 - at],
            domain=ML,
            keys_strings=[_plain(text[0])],
            values_int64s=[int(node.type == "Equal")],
            default_int64=int(node.type != "Equal"),
        )
        write.done(write.cast(found, "bool"))
    return list(ctx.get_nodes())


def find(tables: Mapping[str, Lookup]) -> Callable[[Any, Any], None]:
    """The handler of LookupTableFindV2 for a model with these tables."""

    def handle(ctx: Any, node: Any) -> None:
        write = Writer(ctx, node)
        table = tables.get(node.inputs[0].name)
        if table is None:
            raise write.refusal("a table that is filled before the model is converted")
        missing = write.known(2)
        given, made = _KINDS.get(table.keys.dtype.kind), _KINDS.get(table.values.dtype.kind)
        if given is None or made is None:
            raise write.refusal(f"numbers or texts, found {table.keys.dtype} and {table.values.dtype}")
        default = missing.reshape(-1)[0]
        # In the order of keys: a table that was exported twice need not be in the same.
        order = np.argsort(table.keys, kind="stable")
        options = {
            f"keys_{given}": table.keys[order].tolist(),
            f"values_{made}": table.values[order].tolist(),
            _DEFAULTS[made]: _plain(default),
        }
        whole = given == "int64s"
        x = write.cast(write.given[1], "int64") if whole else write.given[1]
        write.done(write.op("LabelEncoder", x, domain=ML, **options))

    return handle


def _plain(value: Any) -> Any:
    """A text or a number as attributes take it."""
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if hasattr(value, "item") else value
