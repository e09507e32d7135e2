"""Models that read other files: external data, in every place a tensor can be, by every kind of path.

The device has no `onnx` package, and ONNX Runtime reads such files even for a model given as bytes.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from edge_runtime.errors import EngineError
from tests.hostile.building import changed_model, loading_model
from tests.hostile.case import Attempt, Case, Make

GROUP = "onnx data"
REFUSED = ("engine.onnx_file._walk: self-contained model",)
SAYS = "variants/fp32/model.onnx: expected a self-contained model, found data kept outside the file"
TRAVERSAL, AGAIN = "CVE-2022-25882", "CVE-2024-27318"
SYMLINK, HARD_LINK = "CVE-2026-27489", "CVE-2026-34446"
ATTRIBUTES = "CVE-2026-34445"
MEMORY = "microsoft/onnxruntime#28709"
Place = Callable[[onnx.ModelProto, TensorProto], object]


def _outside(location: str, **more: str) -> TensorProto:
    """Four float32 that are kept in another file."""
    tensor = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[2, 2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def _initializer(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.graph.initializer.append(tensor)


def _weights(model: onnx.ModelProto, tensor: TensorProto) -> None:
    tensor.name = "weights"
    del model.graph.initializer[:]
    model.graph.initializer.append(tensor)


def _constant(tensor: TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [tensor.name], value=tensor)


def _attribute(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.graph.node.insert(0, _constant(tensor))


def _tensors(model: onnx.ModelProto, tensor: TensorProto) -> None:
    attribute = model.graph.node[0].attribute.add(name="spare", type=onnx.AttributeProto.TENSORS)
    attribute.tensors.append(tensor)


def _branch(*nodes: onnx.NodeProto, constants: tuple[TensorProto, ...] = ()) -> onnx.GraphProto:
    output = helper.make_tensor_value_info("branch", TensorProto.FLOAT, [2, 2])
    return helper.make_graph(list(nodes), "branch", [], [output], list(constants))


def _if(model: onnx.ModelProto, branch: onnx.GraphProto) -> None:
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["either"], then_branch=branch, else_branch=branch)
    )
    model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))


def _subgraph_initializer(model: onnx.ModelProto, tensor: TensorProto) -> None:
    _if(model, _branch(helper.make_node("Identity", ["outside"], ["branch"]), constants=(tensor,)))


def _subgraph_constant(model: onnx.ModelProto, tensor: TensorProto) -> None:
    tensor.name = "branch"
    _if(model, _branch(_constant(tensor)))


def _subgraph_of_a_subgraph(model: onnx.ModelProto, tensor: TensorProto) -> None:
    tensor.name = "inner"
    inner = onnx.ModelProto(graph=_branch())
    _subgraph_constant(inner, tensor)
    _if(model, inner.graph)


def _loop_body(model: onnx.ModelProto, tensor: TensorProto) -> None:
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), _constant(tensor)],
        "body",
        [value("turn", TensorProto.INT64, []), value("go", TensorProto.BOOL, [])],
        [value("on", TensorProto.BOOL, []), value("outside", TensorProto.FLOAT, [2, 2])],
    )
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["stack"], body=body))


def _graphs(model: onnx.ModelProto, tensor: TensorProto) -> None:
    attribute = model.graph.node[0].attribute.add(name="spare", type=onnx.AttributeProto.GRAPHS)
    attribute.graphs.append(_branch(constants=(tensor,)))


def _function(model: onnx.ModelProto, tensor: TensorProto) -> None:
    body = [_constant(tensor), helper.make_node("Identity", ["a"], ["b"])]
    imports = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("ai.onnx", "F", ["a"], ["b"], body, imports))


def _function_default(model: onnx.ModelProto, tensor: TensorProto) -> None:
    _function(model, TensorProto(name="c", data_type=1, dims=[0]))
    default = onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=tensor)
    model.functions[0].attribute_proto.append(default)


def _sparse(model: onnx.ModelProto, tensor: TensorProto, *, part: str) -> None:
    tensor.dims[:] = [4]
    indices = helper.make_tensor("indices", TensorProto.INT64, [4], [0, 1, 2, 3])
    sparse = onnx.SparseTensorProto(values=tensor, indices=indices, dims=[8])
    if part == "indices":
        tensor.data_type = TensorProto.INT64
        sparse.indices.CopyFrom(tensor)
        sparse.values.CopyFrom(helper.make_tensor("sparse", TensorProto.FLOAT, [4], [0.0] * 4))
    model.graph.sparse_initializer.append(sparse)


def _sparse_values(model: onnx.ModelProto, tensor: TensorProto) -> None:
    _sparse(model, tensor, part="values")


def _sparse_indices(model: onnx.ModelProto, tensor: TensorProto) -> None:
    _sparse(model, tensor, part="indices")


def _sparse_constant(model: onnx.ModelProto, tensor: TensorProto) -> None:
    _sparse(model, tensor, part="values")
    sparse = model.graph.sparse_initializer.pop()
    node = onnx.NodeProto(op_type="Constant", output=["outside"])
    node.attribute.append(
        onnx.AttributeProto(
            name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR, sparse_tensor=sparse
        )
    )
    model.graph.node.insert(0, node)


def _sparse_list(model: onnx.ModelProto, tensor: TensorProto) -> None:
    _sparse(model, tensor, part="values")
    sparse = model.graph.sparse_initializer.pop()
    attribute = model.graph.node[0].attribute.add(name="x", type=onnx.AttributeProto.SPARSE_TENSORS)
    attribute.sparse_tensors.append(sparse)


def _after_numbers(model: onnx.ModelProto, tensor: TensorProto) -> None:
    """Behind a long list of numbers, which the check skips in one step."""
    attribute = model.graph.node[0].attribute.add(name="spare", type=onnx.AttributeProto.TENSOR)
    attribute.floats.extend([1.0] * 50_000)
    attribute.t.CopyFrom(tensor)


def _twice_in_one_attribute(model: onnx.ModelProto, tensor: TensorProto) -> None:
    """Protobuf merges the parts of a message that comes twice; only the second part is external."""
    first = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[2, 2], raw_data=bytes(16))
    node = onnx.NodeProto(op_type="Constant", output=["c"])
    attribute = onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=first)
    merged = attribute.SerializeToString() + onnx.AttributeProto(t=tensor).SerializeToString()
    node.attribute.append(onnx.AttributeProto.FromString(merged))
    model.graph.node.insert(0, node)


PLACES: dict[str, Place] = {
    "an initializer": _initializer,
    "the weights themselves": _weights,
    "a Constant": _attribute,
    "a list of tensors": _tensors,
    "an initializer of a subgraph": _subgraph_initializer,
    "a Constant of a subgraph": _subgraph_constant,
    "a subgraph of a subgraph": _subgraph_of_a_subgraph,
    "the body of a Loop": _loop_body,
    "a list of graphs": _graphs,
    "a function": _function,
    "a function's default": _function_default,
    "the values of a sparse initializer": _sparse_values,
    "the indices of a sparse initializer": _sparse_indices,
    "a sparse Constant": _sparse_constant,
    "a list of sparse tensors": _sparse_list,
    "an attribute behind 50,000 numbers": _after_numbers,
    "an attribute that comes in two parts": _twice_in_one_attribute,
}
LOCATIONS: dict[str, tuple[str, str]] = {
    "one folder up": ("../secret", TRAVERSAL),
    "many folders up": ("../" * 12 + "etc/passwd", TRAVERSAL),
    "down and up again": ("x/../../secret", AGAIN),
    "absolute": ("/etc/passwd", TRAVERSAL),
    "a file URL": ("file:///etc/passwd", TRAVERSAL),
    "backslashes": ("..\\secret", TRAVERSAL),
    "the process's environment": ("/proc/self/environ", "onnx/onnx#3991"),
    "the process's memory": ("/proc/self/mem", "onnx/onnx#3991"),
    "the model's own descriptor": ("/proc/self/fd/3", "onnx/onnx#3991"),
    "an endless device": ("/dev/zero", "onnx/onnx#3991"),
    "no location": ("", TRAVERSAL),
    "a NUL in it": ("weights.bin\0/../../secret", AGAIN),
    "a file of the bundle": ("../../golden/inputs/0.npy", AGAIN),
    "the model file": ("model.onnx", ""),
    "ONNX Runtime's marker for memory": ("*/_ORT_MEM_ADDR_/*", MEMORY),
}


def _at(place: Place, location: str, **more: str) -> Make:
    """The good model with one more tensor; it still gives the golden outputs where that one is read."""
    raw = changed_model(lambda model: place(model, _outside(location, **more)))
    return loading_model(raw)


def _beside(put: Callable[[Path, Path], object]) -> Make:
    """Data in the working directory, where ONNX Runtime looks for a model given as bytes."""

    def make(folder: Path) -> Attempt:
        secret = folder / "secret"
        secret.write_bytes(bytes(16))
        put(secret, folder / "weights.bin")
        attempt = _at(_initializer, "weights.bin")(folder)

        def attempt_there() -> None:
            here = os.getcwd()
            os.chdir(folder)
            try:
                attempt()
            finally:
                os.chdir(here)

        return attempt_there

    return make


def _cases() -> Iterator[tuple[str, str, Make]]:
    for what, place in PLACES.items():
        yield f"in {what}", TRAVERSAL, _at(place, "../secret")
    for what, (location, advisory) in LOCATIONS.items():
        yield f"location: {what}", advisory, _at(_initializer, location)
    yield "beside the process", "microsoft/onnxruntime#6696", _beside(lambda one, two: one.rename(two))
    yield "a hard link beside the process", HARD_LINK, _beside(os.link)
    yield "a symbolic link beside the process", SYMLINK, _beside(os.symlink)
    huge, negative = str(1 << 62), "-1"
    yield "an offset beyond every file", ATTRIBUTES, _at(_initializer, "w", offset=huge)
    yield "a negative offset", ATTRIBUTES, _at(_initializer, "w", offset=negative)
    yield "a length beyond memory", ATTRIBUTES, _at(_initializer, "w", length=huge)
    yield "a negative length", ATTRIBUTES, _at(_initializer, "w", length=negative)
    yield "keys that nobody knows", ATTRIBUTES, _at(_initializer, "w", __class__="x")


CASES = tuple(
    Case(GROUP, what, make, REFUSED, SAYS, EngineError, advisory) for what, advisory, make in _cases()
)
