"""A model's operators in the versions that bundles are written in, where that changes nothing.

Bundles are written in `converter.graph.OPSETS`. A file in others is rewritten by onnx's version
converter, which has no form for some operators, and a wrong one for a few: what it makes is run beside
the file. Where it fails the file's own version stays, if devices have it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import helper, version_converter

from converter.graph import IR_VERSION, ML, OPSETS
from edge_runtime.errors import UnsupportedModelError

# What onnxruntime 1.20, the oldest that a device may have, loads (tried).
DEVICE = {"": 21, ML: 4}


@dataclass(frozen=True)
class Settled:
    """proto: the model. opsets: the versions of its operators by domain, "" for ONNX's own."""

    proto: Any
    opsets: dict[str, int]


def settled(model: Any, agrees: Callable[[Any], bool], subject: str) -> Settled:
    """The model in the converter's operator sets, else in the newest that a device has.

    agrees: whether a model answers as the file does. Raises UnsupportedModelError, naming an operator
    where there is one to blame, where nothing is left.
    """
    own = {each.domain: each.version for each in model.opset_import}
    why = "answers otherwise when it is rewritten"
    for wanted in _wanted(own):
        made = _rewritten(model, own, wanted)
        if made is not None and agrees(made):
            return Settled(made, {**OPSETS, **wanted})
    if operator := _newer(model, own):
        why = f"has {operator}, which cannot be rewritten"
    raise UnsupportedModelError(
        f"{subject}: expected operators of opset {OPSETS['']}, or of {DEVICE['']} at most; found opset "
        f"{own['']}, which {why}. Export the model with opset_version=17."
    )


def _wanted(own: dict[str, int]) -> Iterator[dict[str, int]]:
    """Which versions to try, the best first."""
    others = {domain: version for domain, version in own.items() if domain not in OPSETS}
    machine_learning = [OPSETS[ML]]
    if ML in own and own[ML] != OPSETS[ML] and own[ML] <= DEVICE[ML]:
        machine_learning.append(own[ML])
    for version in dict.fromkeys((OPSETS[""], min(own[""], DEVICE[""]), DEVICE[""])):
        for each in machine_learning:
            yield {"": version, ML: each, **others}


def _rewritten(model: Any, own: dict[str, int], wanted: dict[str, int]) -> Any:
    """The model in these versions; None where it has no form in them."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    # Older IR versions want constants to be inputs.
    made.ir_version = max(
        IR_VERSION, helper.find_min_ir_version_for(imports(wanted), ignore_unknown=True)
    )
    try:
        if own[""] != wanted[""]:
            made = version_converter.convert_version(made, wanted[""])
        made.ClearField("opset_import")
        made.opset_import.extend(each for each in imports(wanted) if each.domain in own)
        onnx.checker.check_model(made)
    except Exception:  # noqa: BLE001 -- the version converter's and the checker's
        return None
    return made


def imports(opsets: dict[str, int]) -> list[Any]:
    """The messages that name operator sets, in one order."""
    return [helper.make_opsetid(domain, version) for domain, version in opsets.items()]


def _newer(model: Any, own: dict[str, int]) -> str:
    """The first operator that is newer than devices have; "" for none."""
    for node in model.graph.node:
        if node.domain in DEVICE and onnx.defs.has(node.op_type, own[node.domain], node.domain):
            since = onnx.defs.get_schema(node.op_type, own[node.domain], node.domain).since_version
            if since > DEVICE[node.domain]:
                return str(node.op_type)
    return ""
