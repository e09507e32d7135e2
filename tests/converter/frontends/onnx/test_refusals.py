"""What does not convert: one sentence, its exit code, and no file left behind."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from converter.frontends.onnx import reading
from edge_runtime.cli import run
from edge_runtime.errors import ConversionError, InputError, UnsupportedModelError
from tests.converter.frontends.onnx.models import (
    FLOAT,
    INT64,
    ROWS,
    STRING,
    WEIGHTS,
    constant,
    converted,
    dense,
    model,
)


@pytest.mark.parametrize(
    "raw",
    [
        b"not a model at all",
        b"\x80\x05pickle",
        dense().SerializeToString()[:-40],
        b"\x08\x08",
        b"\0" * 100,
    ],
    ids=["text", "pickle", "truncated", "no graph", "zeros"],
)
def test_another_file_is_told(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(raw)
    with pytest.raises(
        ConversionError, match=r"net\.onnx: expected an ONNX file, found one that is damaged"
    ):
        converted(path)


def test_an_empty_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"none\.onnx: no such file"):
        converted(tmp_path / "none.onnx")
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(ConversionError, match=r"empty\.onnx: expected an ONNX file, found an empty one"):
        converted(str(tmp_path / "empty.onnx"))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with path.open("wb") as file:
        file.truncate(reading.MAX_BYTES + 1)  # sparse: it takes no room
    with pytest.raises(
        ConversionError, match="expected at most 1,073,741,824 bytes, found 1,073,741,825"
    ):
        converted(path)


def unknown() -> Any:
    return dense("Frobnicate")


def foreign() -> Any:
    net = dense("Frobnicate", more=[helper.make_opsetid("com.example", 1)])
    net.graph.node[1].domain = "com.example"
    return net


def hidden() -> Any:
    """An operator of another domain in a function."""
    inner = helper.make_node("Frobnicate", ["a"], ["b"], domain="com.example")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    function = helper.make_function("own", "Outer", ["a"], ["b"], [inner], opsets)
    net = dense("Outer", more=[helper.make_opsetid("own", 1)], functions=[function])
    net.graph.node[1].domain = "own"
    return net


def training() -> Any:
    net = dense()
    net.training_info.add().algorithm.name = "step"
    return net


def sparse() -> Any:
    net = dense()
    values, indices = constant("w", [1.0], np.float32), constant("at", [0], np.int64)
    net.graph.ClearField("initializer")
    net.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [6, 3]))
    return net


def sequence() -> Any:
    net = dense()
    net.graph.node.append(helper.make_node("SequenceConstruct", ["y"], ["all"]))
    net.graph.output.append(helper.make_tensor_sequence_value_info("all", FLOAT, None))
    return net


def complex_numbers() -> Any:
    kind = onnx.TensorProto.COMPLEX64
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return model(nodes, given=("x", kind, ["n", 6]), made=("y", kind, ["n", 6]))


def texts_out() -> Any:
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return model(nodes, given=("x", STRING, ["n", 2]), made=("y", STRING, ["n", 2]))


def two_versions() -> Any:
    return dense(more=[helper.make_opsetid("", 13)])


REFUSED = [
    (unknown, r"expected valid ONNX; onnx says: No Op registered for Frobnicate"),
    (
        foreign,
        r"expected operators of .*, found Frobnicate of the domain 'com\.example', which no device has",
    ),
    (hidden, r"expected operators of .*, found Frobnicate of the domain 'com\.example'"),
    (training, r"expected a model for inference, found a training graph"),
    (sparse, r"expected dense constants, found sparse ones"),
    (sequence, r"expected outputs that are tensors, found 'all', a sequence"),
    (complex_numbers, r"'x': expected numbers of numpy's dtypes or texts, found complex64"),
    (texts_out, r"expected numbers or a label as the output, found rows of texts"),
    (two_versions, r"expected one version of the operators of ai\.onnx, found 17 and 13"),
    (lambda: dense(opset=99), r"expected opset 7 to \d+, found 99"),
    (lambda: dense(opset=5), r"expected opset 7 to \d+, found 5"),
    (lambda: dense(ir_version=99), r"expected valid ONNX; onnx says"),
]


@pytest.mark.parametrize(("make", "what"), REFUSED, ids=lambda each: getattr(each, "__name__", ""))
def test_a_model_that_no_device_runs_is_refused(make: Any, what: str) -> None:
    inputs = np.full((10, 2), "a", object) if make is texts_out else ROWS
    with pytest.raises(UnsupportedModelError, match=f"^model: {what}"):
        converted(make(), inputs)


def test_what_onnx_runtime_does_not_take_is_told() -> None:
    node = helper.make_node("Multinomial", ["x"], ["y"], sample_size=3, dtype=INT64)
    net = model([node], given=("x", onnx.TensorProto.DOUBLE, ["n", 6]), made=("y", INT64, ["n", 3]))
    with pytest.raises(UnsupportedModelError, match="model: onnxruntime does not take it: "):
        converted(net)


def test_inputs_of_another_dtype_are_told() -> None:
    whole = model(
        [helper.make_node("Identity", ["x"], ["y"])],
        given=("x", INT64, ["n", 6]),
        made=("y", INT64, ["n", 6]),
    )
    with pytest.raises(InputError, match="expected whole numbers within int64"):
        converted(whole, ROWS)
    with pytest.raises(InputError, match="expected numbers, which 'x' of model takes, found texts"):
        converted(dense(), np.full((10, 6), "a", object))
    with pytest.raises(InputError, match="expected texts, which 'x' of model takes, found float32"):
        converted(texts_out(), ROWS[:, :2])


def test_labels_and_classes_that_are_not_the_models() -> None:
    with pytest.raises(InputError, match=r"classes: expected 3.*found 2"):
        converted(dense(), classes=["a", "b"])
    with pytest.raises(InputError, match=r"labels: found texts.*Give classes="):
        converted(dense(), ROWS, ["a"] * len(ROWS))


def command(path: Path, **options: str) -> int:
    """`edge-runtime convert` on a file in a folder with rows.npy."""
    folder = path.parent
    given = {"inputs": str(folder / "rows.npy"), "name": "net", "version": "1.0.0"}
    arguments = ["convert", str(path), "--unsigned", "--output", str(folder / "net.edge")]
    for name, value in (given | options).items():
        arguments += [f"--{name}", value]
    return run(arguments)


def test_the_command_converts_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    onnx.save_model(dense(), tmp_path / "net.onnx")
    assert command(tmp_path / "net.onnx", classes="still,walk,run") == 0
    assert "source   ONNX of opset 17 by tests" in capsys.readouterr().out
    assert (tmp_path / "net.edge").exists()


@pytest.mark.parametrize(
    ("raw", "code", "what"),
    [
        (b"", 9, "expected an ONNX file, found an empty one"),
        (b"no model", 9, "expected an ONNX file, found one that is damaged"),
        (unknown().SerializeToString(), 9, "No Op registered for Frobnicate"),
        (
            model(
                [helper.make_node("MatMul", ["x", "w"], ["y"])],
                given=("x", FLOAT, ["n", 5]),
                constants=[constant("w", WEIGHTS[:5])],
            ).SerializeToString(),
            4,
            "expected shape (inputs, 5)",
        ),
    ],
    ids=["empty", "damaged", "unknown", "shape"],
)
def test_the_command_leaves_no_file_where_it_refuses(
    raw: bytes, code: int, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    path = tmp_path / "net.onnx"
    path.write_bytes(raw)
    assert command(path) == code
    assert what in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["net.onnx", "rows.npy"]
