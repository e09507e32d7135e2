"""Data beside an ONNX file: read from plain files in its folder, and from nowhere else."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from converter.frontends.onnx.reading import load_onnx
from edge_runtime.errors import ConversionError
from tests.converter.frontends.onnx.models import WEIGHTS, converted, dense, graph_of


def outside(folder: Path, location: str = "weights.bin", **entries: str) -> Path:
    """dense() in `folder`, its weights said to lie at `location`; returns the file's path."""
    model = dense()
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_data_beside_the_file_travels_inside_the_bundle(tmp_path: Path) -> None:
    onnx.save_model(
        dense(), tmp_path / "net.onnx", save_as_external_data=True, location="w", size_threshold=0
    )
    assert (tmp_path / "w").stat().st_size == WEIGHTS.nbytes
    bundle = converted(tmp_path / "net.onnx")
    assert bundle.to_bytes() == converted(dense()).to_bytes()
    assert all(not each.external_data for each in graph_of(bundle).graph.initializer)


def test_a_part_of_a_file_in_a_folder_inside_is_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "all.bin").write_bytes(b"\0" * 16 + WEIGHTS.tobytes() + b"\0" * 5)
    path = outside(tmp_path, "data/all.bin", offset="16", length=str(WEIGHTS.nbytes))
    (tensor,) = load_onnx(path).proto.graph.initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), WEIGHTS)


@pytest.mark.parametrize(
    "location",
    [
        "/etc/hostname",
        "../secret.bin",
        "data/../../secret.bin",
        "..",
        "",
        "C:\\secret.bin",
        "a\\b",
        "a\0b",
    ],
)
def test_a_path_out_of_the_folder_is_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(WEIGHTS.tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(
        ConversionError, match="expected a name in the model's folder, found another path"
    ):
        load_onnx(outside(folder, location))


@pytest.mark.parametrize("how", ["symbolic", "hard", "folder"])
def test_a_link_is_not_followed(how: str, tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "model"
    secret.mkdir()
    folder.mkdir()
    (secret / "weights.bin").write_bytes(WEIGHTS.tobytes())
    if how == "symbolic":
        (folder / "weights.bin").symlink_to(secret / "weights.bin")
    elif how == "hard":
        os.link(secret / "weights.bin", folder / "weights.bin")
    else:
        (folder / "sub").symlink_to(secret)
    path = outside(folder, "sub/weights.bin" if how == "folder" else "weights.bin")
    with pytest.raises(ConversionError, match="expected a plain file, found a link"):
        load_onnx(path)


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ({"offset": "-1"}, "expected a whole number as offset, found '-1'"),
        ({"length": "many"}, "expected a whole number as length, found 'many'"),
        ({"length": "9" * 30}, "expected a whole number as length"),
        ({"length": str(WEIGHTS.nbytes + 1)}, r"expected 73 bytes from 0 on, found 72"),
        ({"offset": "100"}, "bytes more, found -28"),
        ({"length": str(1 << 40)}, "bytes more, found 1,099,511,627,776"),
    ],
)
def test_bytes_that_are_not_there_are_refused(
    entries: dict[str, str], what: str, tmp_path: Path
) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(ConversionError, match=what):
        load_onnx(outside(tmp_path, **entries))


@pytest.mark.parametrize("kind", ["none", "folder", "pipe"])
def test_what_is_no_file_is_told(kind: str, tmp_path: Path) -> None:
    if kind == "folder":
        (tmp_path / "weights.bin").mkdir()
    elif kind == "pipe":
        os.mkfifo(tmp_path / "weights.bin")
    with pytest.raises(ConversionError, match=r"tensor 'w', kept in 'weights\.bin': expected a .*file"):
        load_onnx(outside(tmp_path))


def test_a_model_in_memory_has_no_folder_to_look_in(tmp_path: Path) -> None:
    model = onnx.load_model(outside(tmp_path), load_external_data=False)
    with pytest.raises(ConversionError, match=r"found tensor 'w' kept in a file\. Give"):
        converted(model)


def test_data_of_tensors_in_attributes_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    model: Any = onnx.load_model(outside(tmp_path), load_external_data=False)
    (tensor,) = model.graph.initializer
    node = onnx.helper.make_node("Constant", [], ["w"], value=tensor)
    model.graph.ClearField("initializer")
    nodes = list(model.graph.node)
    model.graph.ClearField("node")
    model.graph.node.extend([node, *nodes])
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    assert converted(path).to_bytes() == converted(dense()).to_bytes()
