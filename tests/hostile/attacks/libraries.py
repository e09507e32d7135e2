"""Code in place of a model: libraries of operators, pickles, and other formats a runtime might load."""

import io
import pickle
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from edge_runtime.errors import BundleError, EngineError
from tests.hostile.building import Files, archive, changed_model, loading, relisted, with_model
from tests.hostile.case import Attempt, Case, Make

GROUP = "libraries and pickles"
CUSTOM = "microsoft/onnxruntime-genai#2267"
PICKLE = "CVE-2019-6446"
DOMAIN = ("engine.onnx_file._check_domain: expected only operators of",)
ONNX = "expected (an|a whole) ONNX file"


class _Payload:
    """Leaves a file where it is unpickled."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._target,)


def _operator(domain: str, kind: str = "Run") -> Make:
    """The good model with an operator of a domain that only a library would bring."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.node.append(helper.make_node(kind, ["windows"], ["extra"], domain=domain))
        model.opset_import.append(helper.make_opsetid(domain, 1))

    return _as_model(lambda _: changed_model(change))


def _with_function(model: onnx.ModelProto) -> None:
    """An operator that the model brings itself, under a domain that nobody knows."""
    imports, body = [helper.make_opsetid("", 17)], [helper.make_node("Identity", ["a"], ["b"])]
    model.functions.append(helper.make_function("com.evil", "Run", ["a"], ["b"], body, imports))
    model.graph.node[0].op_type, model.graph.node[0].domain = "Run", "com.evil"
    model.opset_import.append(helper.make_opsetid("com.evil", 1))


def _as_model(make: Callable[[Path], bytes]) -> Make:
    return lambda folder: loading(with_model(make(folder)), folder)


def _pickled(folder: Path) -> bytes:
    return pickle.dumps(_Payload(folder / "owned"))


def _torch(folder: Path) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("archive/data.pkl", _pickled(folder))
    return made.getvalue()


def _golden(make: Callable[[Path], bytes]) -> Make:
    """The good bundle with other golden inputs."""

    def made(folder: Path) -> Attempt:
        def change(_: dict[str, Any], files: Files) -> None:
            files["golden/inputs/0.npy"] = make(folder)

        return loading(archive(relisted(change)), folder)

    return made


def _objects(folder: Path) -> bytes:
    return _npy("|O", 8, _pickled(folder))


def _structured(folder: Path) -> bytes:
    return _npy([("a", "|O"), ("b", "<f4")], 12, _pickled(folder))


def _npy(kind: Any, item_bytes: int, data: bytes) -> bytes:
    """An .npy file of objects, whose header asks for exactly as many bytes as are there."""
    count = -(-len(data) // item_bytes)
    buffer = io.BytesIO()
    header = {"descr": kind, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + data.ljust(count * item_bytes, b"\0")


_case = partial(Case, GROUP, error=EngineError)
FIELDS = ("engine.onnx_file.check_onnx: not made by this converter",)
OBJECTS = ("arrays.decode_npy: numbers or text",)
NPY = ("arrays.decode_npy: a numpy .npy file",)
CASES = (
    _case(
        "an operator of a library",
        _operator("com.evil"),
        DOMAIN,
        "found the domain 'com.evil'",
        advisory=CUSTOM,
    ),
    _case(
        "a function of an unknown domain",
        _as_model(lambda _: changed_model(_with_function)),
        DOMAIN,
        "found the domain 'com.evil'",
    ),
    _case(
        "Python in a graph",
        _operator("ai.onnx.contrib", "PyOp"),
        DOMAIN,
        "found the domain 'ai.onnx.contrib'",
        advisory=CUSTOM,
    ),
    _case(
        "PyTorch's Python operator",
        _operator("org.pytorch.aten", "ATen"),
        DOMAIN,
        "found the domain 'org.pytorch.aten'",
        advisory=CUSTOM,
    ),
    _case(
        "ONNX Runtime's inner operators",
        _operator("com.microsoft.nchwc", "Conv"),
        DOMAIN,
        "found the domain 'com.microsoft.nchwc'",
    ),
    _case(
        "a domain that looks like another",
        _operator("\u0430i.onnx"),
        DOMAIN,
        r"found the domain '\\u0430i.onnx'",
    ),
    _case(
        "a domain of capital letters", _operator("AI.ONNX.ML"), DOMAIN, "found the domain 'AI.ONNX.ML'"
    ),
    _case(
        "a shared library as the model",
        _as_model(lambda _: b"\x7fELF" + bytes(500)),
        FIELDS,
        ONNX,
        advisory=CUSTOM,
    ),
    _case("a pickle as the model", _as_model(_pickled), FIELDS, ONNX, advisory="CVE-2020-13092"),
    _case("PyTorch's file as the model", _as_model(_torch), FIELDS, ONNX, advisory="CVE-2025-32434"),
    _case(
        "ONNX Runtime's own format as the model",
        _as_model(lambda _: bytes(4) + b"ORTM" + bytes(64)),
        FIELDS,
        ONNX,
    ),
    _case(
        "a pickled object in goldens",
        _golden(_objects),
        OBJECTS,
        "golden/inputs/0.npy",
        advisory=PICKLE,
        error=BundleError,
    ),
    _case(
        "a field of objects in goldens",
        _golden(_structured),
        OBJECTS,
        "golden/inputs/0.npy",
        advisory=PICKLE,
        error=BundleError,
    ),
    _case(
        "a pickle in place of goldens",
        _golden(_pickled),
        NPY,
        "golden/inputs/0.npy",
        advisory=PICKLE,
        error=BundleError,
    ),
)
