"""What of an ONNX file a device does not need is not in the bundle."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.converter.frontends.onnx.models import (
    FLOAT,
    ROWS,
    WEIGHTS,
    constant,
    converted,
    dense,
    graph_of,
    model,
    operators,
    said,
)

BOOL = onnx.TensorProto.BOOL


def test_dead_nodes_unused_constants_and_texts_are_gone() -> None:
    net = dense()
    net.graph.node.insert(0, helper.make_node("Neg", ["x"], ["dead"], doc_string="secret"))
    net.graph.initializer.append(constant("unused", np.zeros(1000, np.float32)))
    net.graph.doc_string = net.doc_string = "secret"
    net.graph.initializer[0].doc_string = "secret"
    helper.set_model_props(net, {"author": "secret"})
    bundle = converted(net)
    assert (
        bundle.artifacts[bundle.manifest.variants[0].file]
        == (converted(dense()).artifacts[bundle.manifest.variants[0].file])
    )
    assert b"secret" not in bundle.to_bytes()


def test_a_constant_that_is_an_input_too_is_a_constant() -> None:
    net = dense(ir_version=3, opset=8)
    net.graph.input.append(helper.make_tensor_value_info("w", FLOAT, [6, 3]))
    assert [given.name for given in converted(net).manifest.inputs] == ["rows"]


def test_names_are_by_place_whatever_they_are_in_the_file() -> None:
    net = dense()
    for name, other in (("x", "input:0"), ("w", "w/read 1"), ("logits", "été"), ("y", "")):
        for node in net.graph.node:
            node.input[:] = [other if each == name and other else each for each in node.input]
            node.output[:] = [other if each == name and other else each for each in node.output]
    net.graph.input[0].name, net.graph.initializer[0].name = "input:0", "w/read 1"
    net.graph.node[0].name = "a name"
    made = graph_of(converted(net)).graph
    assert [each.name for each in (*made.input, *made.output)] == ["rows", "label", "probabilities"]
    assert all(each.name.isascii() and " " not in each.name for each in (*made.node, *made.initializer))


def test_functions_are_inlined() -> None:
    twice = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    nodes = [
        helper.make_node("Twice", ["x"], ["doubled"], domain="own"),
        helper.make_node("MatMul", ["doubled", "w"], ["y"]),
    ]
    own = [helper.make_opsetid("own", 1)]
    net = model(nodes, constants=[constant("w", WEIGHTS)], functions=[twice], more=own)
    assert operators(converted(net)) == ["Add", "MatMul"]


def test_domains_that_are_only_imported_are_forgotten() -> None:
    net = dense(more=[helper.make_opsetid("ai.onnx.training", 1), helper.make_opsetid("com.example", 4)])
    (variant,) = converted(net).manifest.variants
    assert variant.opsets == {"ai.onnx": 17, "ai.onnx.ml": 3}


def test_an_operator_of_onnx_runtimes_own_is_kept() -> None:
    net = dense("FastGelu", more=[helper.make_opsetid("com.microsoft", 1)])
    net.graph.node[1].domain = "com.microsoft"
    bundle = converted(net)
    assert bundle.manifest.variants[0].opsets == {"ai.onnx": 17, "ai.onnx.ml": 3, "com.microsoft": 1}


def test_onnx_by_its_other_name_is_onnx() -> None:
    net = dense()
    net.opset_import[0].domain = net.graph.node[0].domain = "ai.onnx"
    assert operators(converted(net)) == operators(converted(dense()))


def branching() -> Any:
    """A constant condition; branches that read what is around them, one handing it on as it is."""
    branches = [
        helper.make_graph(
            [helper.make_node(kind, ["logits"], [name])], name, [],
            [helper.make_tensor_value_info(name, FLOAT, None)],
        )
        for kind, name in (("Identity", "same"), ("Tanh", "other"))
    ]  # fmt: skip
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["logits"]),
        helper.make_node("If", ["yes"], ["y"], then_branch=branches[0], else_branch=branches[1]),
    ]
    return model(nodes, constants=[constant("w", WEIGHTS), constant("yes", True, np.bool_)])


def looping() -> Any:
    """x times itself, three times, its condition handed on as it is."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Mul", ["v", "x"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("go", BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, ["n", 6]),
        ],
        [
            helper.make_tensor_value_info("go_on", BOOL, []),
            helper.make_tensor_value_info("w", FLOAT, ["n", 6]),
        ],
    )
    nodes = [helper.make_node("Loop", ["count", "", "x"], ["y"], body=body)]
    return model(nodes, made=("y", FLOAT, ["n", 6]), constants=[constant("count", 3, np.int64)])


@pytest.mark.parametrize("net", [branching(), looping()], ids=["If", "Loop"])
def test_graphs_inside_nodes_are_kept(net: Any) -> None:
    bundle = converted(net)
    assert bundle.manifest.variants[0].parity.max_abs_error < 1e-6
    assert bundle.manifest.outputs[0].shape[1:] == said(net, ROWS)[0].shape[1:]


_AGAIN = """
import hashlib, sys
import numpy as np
import converter

bundle = converter.convert(sys.argv[1], np.load(sys.argv[2]), name="net", version="1.0.0")
print(hashlib.sha256(bundle.to_bytes()).hexdigest())
"""


def test_the_same_file_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    path, rows = tmp_path / "net.onnx", tmp_path / "rows.npy"
    onnx.save_model(looping(), path)
    np.save(rows, ROWS)
    found = hashlib.sha256(converted(path).to_bytes()).hexdigest()
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", _AGAIN, str(path), str(rows)]
        again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert again.stdout.strip() == found
