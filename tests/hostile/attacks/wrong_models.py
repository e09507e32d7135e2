"""Models that are wrong: not what they say, not what the manifest says, or not for this runtime."""

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.errors import EngineError, GoldenMismatchError
from tests.hostile.attacks.graphs import GROUP, constant
from tests.hostile.building import changed_model, loading, loading_model
from tests.hostile.case import Case, Make
from tests.hostile.protobuf import GRAPHS, buried
from tests.support.tiny_bundle import TinyModel, tiny_bundle

LOADED = ("engine.words.as_engine_error: failed",)


def _loaded(change: Callable[[onnx.ModelProto], object]) -> Make:
    return loading_model(changed_model(change))


def _output(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    return model.graph.output[1]


def _double(model: onnx.ModelProto) -> None:
    model.graph.node[3].output[0] = "single"
    model.graph.node.append(helper.make_node("Cast", ["single"], ["probabilities"], to=11))
    _output(model).type.tensor_type.elem_type = TensorProto.DOUBLE


def _rows_lost(model: onnx.ModelProto) -> None:
    """Right for one row alone; of several only the first is answered."""
    model.graph.node[3].output[0] = "all"
    ends = [constant("from", np.array([0], np.int64)), constant("to", np.array([1], np.int64))]
    first = helper.make_node("Slice", ["all", "from", "to", "from"], ["probabilities"])
    model.graph.node.extend([*ends, first])


def _nan(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.full((2, 2), np.nan, np.float32), "weights")
    )


def _set(model: onnx.ModelProto, dims: list[int]) -> None:
    model.graph.initializer[0].dims[:] = dims


def _in_other_bytes() -> bytes:
    """A name that is no UTF-8, which the onnx package writes for nobody."""
    return changed_model(lambda _: None).replace(b"windows", b"window\xff")


def _axes(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim.extend([onnx.TensorShapeProto.Dimension()] * 2000)


_case = partial(Case, GROUP, error=EngineError)
LOAD = "cannot be loaded by onnxruntime"
TENSORS = "engine.onnxruntime.session._check_tensors: "
PROTOBUF = ("engine.onnx_file.check_onnx: not made by this converter",)
CASES = (
    _case(
        "graphs 40 deep",
        loading_model(buried(GRAPHS, 40)),
        ("engine.onnx_file._walk: levels of graphs in graphs",),
        "expected at most 64 levels of graphs in graphs, found more",
    ),
    _case(
        "a training graph",
        _loaded(lambda model: model.training_info.add().algorithm.node.add()),
        ("engine.onnx_file._walk: self-contained model",),
        "found a training graph",
    ),
    _case(
        "an operator that nobody knows",
        _loaded(lambda model: model.graph.node.append(helper.make_node("Evil", ["windows"], ["z"]))),
        LOADED,
        LOAD,
    ),
    _case(
        "operators of tomorrow",
        _loaded(lambda model: model.opset_import[0].__setattr__("version", 999)),
        LOADED,
        LOAD,
    ),
    _case(
        "a file format of tomorrow",
        _loaded(lambda model: model.__setattr__("ir_version", 99)),
        LOADED,
        LOAD,
    ),
    _case(
        "a node that reads its own output",
        _loaded(lambda model: model.graph.node[0].input.__setitem__(0, "probabilities")),
        LOADED,
        LOAD,
    ),
    _case(
        "weights shorter than they say", _loaded(lambda model: _set(model, [1 << 20, 2])), LOADED, LOAD
    ),
    _case("weights of a negative size", _loaded(lambda model: _set(model, [-1, 2])), LOADED, LOAD),
    _case(
        "weights whose size overflows",
        _loaded(lambda model: _set(model, [1 << 62, 1 << 62])),
        LOADED,
        LOAD,
    ),
    _case(
        "another output than declared",
        _loaded(lambda model: model.graph.output.pop()),
        (TENSORS + "expected {names} as in the manifest",),
        r"expected \['label', 'probabilities'\] as in the manifest",
    ),
    _case(
        "an output of another dtype",
        _loaded(_double),
        (TENSORS + "of shape {shape_text(shape)}",),
        r"expected tensor\(float\) of shape .* found tensor\(double\)",
    ),
    _case(
        "an output with fewer rows",
        _loaded(_rows_lost),
        ("engine.onnxruntime.session.OnnxRuntimeSession.run: expected the shape",),
        r"output 'probabilities': expected the shape \(6, 2\), found \(1, 2\)",
    ),
    _case(
        "an output that is not a number",
        _loaded(_nan),
        ("engine.golden.replay: source model",),
        "expected the source model's outputs for 6 golden inputs",
        error=GoldenMismatchError,
    ),
    _case(
        "other outputs than the goldens",
        lambda folder: loading(tiny_bundle(behaviour="wrong_goldens"), folder),
        ("engine.golden.replay: source model",),
        "found 6 other labels",
        error=GoldenMismatchError,
    ),
    _case(
        "half a model",
        loading_model(TinyModel().graph()[:-9]),
        PROTOBUF,
        "expected a whole ONNX file, found a part of one",
    ),
    _case("no model", loading_model(b""), LOADED, LOAD),
    _case(
        "a name that is no text",
        loading_model(_in_other_bytes()),
        ("engine.onnx_file._check_text: expected names in UTF-8",),
        "expected names in UTF-8, found one in other bytes",
    ),
    _case(
        "an input of 2003 axes",
        _loaded(_axes),
        ("engine.onnx_file._check_count: expected at most",),
        "expected at most 32 Axis in a Shape, found more",
    ),
)
