"""Models that are valid and hostile: endless, vast or crashing.

They could take the device with them, so they run in the real worker process, with its limits.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.errors import EngineError, UnavailableError, WorkerError
from edge_runtime.worker import Worker
from tests.hostile.building import changed_model, with_model
from tests.hostile.case import Attempt, Case, Make
from tests.hostile.onnx_mutation import doubling_functions
from tests.support.slots import slot
from tests.support.tiny_bundle import Behaviour, tiny_bundle

GROUP = "graphs"
TIMEOUT_S = 2.5
MAX_BYTES = 600 << 20
# What happens inside the worker cannot be taken out from here; what tells of it can.
ENDLESS = ("worker.process.Worker._hear: took more than",)
TOLD = ("worker.process.Worker._hear: _error(reply.kind",)
Nodes = Sequence[onnx.NodeProto]


def working(raw: bytes, folder: Path) -> Attempt:
    """Unpack a bundle and start a worker on it, as the agent's trial does."""
    unpacked = slot(folder, raw)

    def attempt() -> None:
        with Worker.start(unpacked, timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES):
            pass

    return attempt


def _behaving(behaviour: Behaviour) -> Make:
    return lambda folder: working(tiny_bundle(behaviour=behaviour), folder)


def _with_nodes(make: Callable[[], Nodes], *, domain: str = "") -> Make:
    """The tiny model with nodes in front that turn `windows` into `spoiled`, in a worker."""
    return lambda folder: working(_spoiled(make, domain), folder)


def _spoiled(make: Callable[[], Nodes], domain: str = "") -> bytes:
    def change(model: onnx.ModelProto) -> None:
        del model.graph.node[0]
        for at, node in enumerate(make()):
            model.graph.node.insert(at, node)
        if domain:
            model.opset_import.append(helper.make_opsetid(domain, 3))

    return with_model(changed_model(change))


def with_gibibyte() -> bytes:
    """A bundle whose model fills 1 GiB with zeros in each run, and otherwise is the good one."""
    return _spoiled(_filled(1))


def constant(name: str, values: Any) -> onnx.NodeProto:
    array = np.asarray(values)
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, name))


def _times_length(name: str, size: int) -> list[onnx.NodeProto]:
    """`size` times a quotient that is 1, of sizes of the input: no optimiser knows that it is `size`."""
    return [
        constant("wanted", np.array([size], np.int64)),
        helper.make_node("Shape", ["windows"], ["rows"], start=0, end=1),
        helper.make_node("Div", ["rows", "rows"], ["unit"]),
        helper.make_node("Mul", ["unit", "wanted"], [name]),
    ]


def _summed(vast: str) -> list[onnx.NodeProto]:
    """Adds the mean of a vast tensor to the input."""
    return [
        helper.make_node("ReduceMean", [vast], ["mean_of_it"], keepdims=0),
        helper.make_node("Add", ["windows", "mean_of_it"], ["spoiled"]),
    ]


def _filled(gibibytes: int) -> Callable[[], Nodes]:
    made = helper.make_node("ConstantOfShape", ["size"], ["vast"])
    return lambda: [*_times_length("size", gibibytes << 28), made, *_summed("vast")]


def _tiled() -> Nodes:
    flat = [
        helper.make_node("ReduceMean", ["windows"], ["one"], axes=[1, 2], keepdims=0),
        helper.make_node("Tile", ["one", "size"], ["vast"]),
    ]
    return [*_times_length("size", 1 << 33), *flat, *_summed("vast")]


def _expanded() -> Nodes:
    flat = [
        helper.make_node("ReduceMean", ["windows"], ["one"], keepdims=0),
        helper.make_node("Expand", ["one", "size"], ["vast"]),
    ]
    return [*_times_length("size", 1 << 33), *flat, *_summed("vast")]


def _ranged() -> Nodes:
    scalar = [
        constant("zero", np.int64(0)),
        constant("one_step", np.int64(1)),
        helper.make_node("ReduceMax", ["size"], ["end"], keepdims=0),
        helper.make_node("Range", ["zero", "end", "one_step"], ["numbers"]),
        helper.make_node("Cast", ["numbers"], ["vast"], to=TensorProto.FLOAT),
    ]
    return [*_times_length("size", 1 << 33), *scalar, *_summed("vast")]


def _one_hot() -> Nodes:
    hot = [
        constant("index", np.array([0], np.int64)),
        constant("off_on", np.array([0, 1], np.float32)),
        helper.make_node("OneHot", ["index", "size", "off_on"], ["vast"]),
    ]
    return [*_times_length("size", 1 << 33), *hot, *_summed("vast")]


def _loop(*body: onnx.NodeProto, turns: str = "", grows: bool = False) -> onnx.NodeProto:
    """A Loop that carries the input; `grows` where its first size changes from turn to turn."""
    value, shape = helper.make_tensor_value_info, None if grows else ["batch", 4, 2]
    inside = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), *body],
        "body",
        [
            value("turn", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("carried", TensorProto.FLOAT, shape),
        ],
        [value("on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, shape)],
    )
    return helper.make_node("Loop", [turns, "", "windows"], ["looped"], body=inside)


_SAME = helper.make_node("Identity", ["carried"], ["next"])
_TAIL = helper.make_node("Identity", ["looped"], ["spoiled"])


def _many_turns() -> Nodes:
    return [constant("turns", np.int64(1 << 62)), _loop(_SAME, turns="turns"), _TAIL]


def _loop_in_a_loop() -> Nodes:
    inner = _loop(_SAME, turns="turns")
    inner.input[2], inner.output[0] = "carried", "next"
    for each in inner.attribute[0].g.input:
        each.name = f"inner_{each.name}"
    for node in inner.attribute[0].g.node:
        node.input[0] = f"inner_{node.input[0]}"
        node.output[0] = f"inner_{node.output[0]}"
    for each in inner.attribute[0].g.output:
        each.name = f"inner_{each.name}"
    return [constant("turns", np.int64(1 << 31)), _loop(inner, turns="turns"), _TAIL]


def _doubling() -> Nodes:
    twice = helper.make_node("Concat", ["carried", "carried"], ["next"], axis=0)
    return [constant("turns", np.int64(40)), _loop(twice, turns="turns", grows=True), *_summed("looped")]


def _calling(folder: Path) -> Attempt:
    raw = changed_model(lambda model: doubling_functions(model, model.graph.node[0], 40))
    return working(with_model(raw), folder)


def _tree(true_ids: list[int], features: list[int]) -> Callable[[], Nodes]:
    """A tree of two nodes and a leaf, whose branches lead where they should not."""
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["flat"],
        ["tree"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=features,
        nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"],
        nodes_values=[9.0, 9.0, 0.0],
        nodes_truenodeids=true_ids,
        nodes_falsenodeids=[2, 2, 0],
        target_treeids=[0],
        target_nodeids=[2],
        target_ids=[0],
        target_weights=[0.0],
    )
    return lambda: [
        constant("eight", np.array([-1, 8], np.int64)),
        helper.make_node("Reshape", ["windows", "eight"], ["flat"]),
        tree,
        *_summed("tree"),
    ]


_case = partial(Case, GROUP, error=EngineError)
_vast = partial(Case, GROUP, error=UnavailableError)  # a limit that is set is the device's: it waits
TOOK = rf"took more than {TIMEOUT_S:g} s, so the worker process was ended"
RUN = "cannot be run by onnxruntime"
LOAD = "cannot be loaded by onnxruntime"
LIMIT = r"The memory limit of 629 MB \(`memory_mb`\) was reached"
CASES = (
    _case("an endless Loop", _behaving("hangs"), ENDLESS, TOOK, error=WorkerError),
    _case("a Loop of 2^62 turns", _with_nodes(_many_turns), ENDLESS, TOOK, error=WorkerError),
    _case("a Loop in a Loop", _with_nodes(_loop_in_a_loop), ENDLESS, TOOK, error=WorkerError),
    _vast("4 TiB at once", _behaving("starves"), TOLD, LIMIT),
    _vast("40 GB filled", _with_nodes(_filled(40)), TOLD, LIMIT),
    _vast("1 GB filled, of 600 MiB allowed", _with_nodes(_filled(1)), TOLD, LIMIT),
    _case("32 GB by Tile", _with_nodes(_tiled), TOLD, RUN),
    _vast("32 GB by Expand", _with_nodes(_expanded), TOLD, LIMIT),
    _vast("64 GB by Range", _with_nodes(_ranged), TOLD, LIMIT),
    _vast("32 GB by OneHot", _with_nodes(_one_hot), TOLD, LIMIT),
    _vast("a tensor that doubles 40 times", _with_nodes(_doubling), TOLD, LIMIT),
    _case("functions that call 2^40 others", _calling, ENDLESS, TOOK, error=WorkerError),
    _case(
        "a tree that leads back to its root",
        _with_nodes(_tree([0, 2, 0], [0, 0, 0]), domain="ai.onnx.ml"),
        TOLD,
        LOAD,
    ),
    _case(
        "a tree that leads out of itself",
        _with_nodes(_tree([1 << 40, 2, 0], [0, 0, 0]), domain="ai.onnx.ml"),
        TOLD,
        LOAD,
    ),
    _case(
        "a tree of a feature that is not there",
        _with_nodes(_tree([1, 2, 0], [1 << 40, 0, 0]), domain="ai.onnx.ml"),
        TOLD,
        LOAD,
    ),
    _case("a run that fails", _behaving("fails"), TOLD, RUN),
)
