"""What an ONNX file is refused for before anything is made of it."""

from typing import Any

import onnx
from onnx import inliner

from converter.foreign import told
from converter.frontends.onnx.opsets import imports
from converter.frontends.onnx.reading import OnnxFile
from converter.frontends.onnx.walking import graphs_of, nodes_of
from converter.graph import OPSETS
from edge_runtime.engine.onnx_file import DOMAINS
from edge_runtime.errors import UnsupportedModelError

_NEWEST = onnx.defs.onnx_opset_version()
_OLDEST = 7  # what ONNX Runtime takes


def checked(file: OnnxFile) -> Any:
    """The model as a new `onnx.ModelProto`: valid ONNX, its functions inlined, of the domains we know.

    Raises UnsupportedModelError.
    """
    subject = file.subject
    if len(file.proto.training_info):
        raise UnsupportedModelError(
            f"{subject}: expected a model for inference, found a training graph in it. Export the model "
            "without."
        )
    _check_opset(_opsets_of(file.proto, subject).get("", _OLDEST), subject)
    model = onnx.ModelProto()
    model.CopyFrom(file.proto)
    _same_domains(model, subject)
    _check_dense(model, subject)
    try:
        onnx.checker.check_model(model.SerializeToString(), full_check=True)
        model = inliner.inline_local_functions(model)
    except Exception as error:  # the checker's own, shape inference's and the inliner's
        raise UnsupportedModelError(
            f"{subject}: expected valid ONNX; onnx says: {told(error).rstrip('.')}. Export the "
            "model again."
        ) from error
    _only_used_domains(model)
    _check_domains(model, subject)
    return model


def _opsets_of(model: Any, subject: str) -> dict[str, int]:
    """Operator sets by domain, "" for ONNX's own. Raises UnsupportedModelError for two of one domain."""
    found: dict[str, int] = {}
    for each in model.opset_import:
        domain = "" if each.domain == "ai.onnx" else each.domain
        if found.setdefault(domain, each.version) != each.version:
            raise UnsupportedModelError(
                f"{subject}: expected one version of the operators of {domain or 'ai.onnx'}, found "
                f"{found[domain]} and {each.version}. Export the model again."
            )
    return found


def _check_opset(found: int, subject: str) -> None:
    """Whether this version of ONNX's operators is known here. Raises UnsupportedModelError."""
    if not _OLDEST <= found <= _NEWEST:
        raise UnsupportedModelError(
            f"{subject}: expected opset {_OLDEST} to {_NEWEST}, found {found}. Export the model "
            "with opset_version=17."
        )


def _same_domains(model: Any, subject: str) -> None:
    """ONNX's own domain has two names; after this it has one, and is imported once."""
    opsets = {"": OPSETS[""], **_opsets_of(model, subject)}  # a model of ai.onnx.ml alone has no other
    functions = [node for function in model.functions for node in function.node]
    for node in nodes_of([*model.graph.node, *functions]):
        if node.domain == "ai.onnx":
            node.domain = ""
    model.ClearField("opset_import")
    model.opset_import.extend(imports(dict(sorted(opsets.items()))))


def _only_used_domains(model: Any) -> None:
    used = {node.domain for node in nodes_of(model.graph.node)} | {""}
    kept = {each.domain: each.version for each in model.opset_import if each.domain in used}
    model.ClearField("opset_import")
    model.opset_import.extend(imports(kept))


def _check_domains(model: Any, subject: str) -> None:
    for node in nodes_of(model.graph.node):
        if node.domain not in DOMAINS:
            raise UnsupportedModelError(
                f"{subject}: expected operators of {', '.join(sorted(DOMAINS - {''}))}, found "
                f"{node.op_type[:100]} of the domain {node.domain[:100]!r}, which no device has. Export "
                "the model in standard operators."
            )


def _check_dense(model: Any, subject: str) -> None:
    if any(len(graph.sparse_initializer) for graph in graphs_of(model.graph)):
        raise UnsupportedModelError(
            f"{subject}: expected dense constants, found sparse ones. Export the model with "
            "dense weights."
        )
