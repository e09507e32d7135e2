"""What a converted variant requires of a device: the oldest ONNX Runtime that loads its graph."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import converter
from converter.graph import IR_VERSION, OPSETS
from converter.requirements import of_onnxruntime
from edge_runtime.boards import board, board_names
from edge_runtime.engine.requirements import why_not
from edge_runtime.errors import UnsupportedModelError

ROWS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("opsets", "ir_version", "release"),
    [
        ({"ai.onnx": OPSETS[""], "ai.onnx.ml": OPSETS["ai.onnx.ml"]}, IR_VERSION, "1.20"),
        ({"ai.onnx": 9}, 4, "1.20"),  # the oldest that devices may have, however old the graph is
        ({"ai.onnx": 21, "ai.onnx.ml": 5}, 10, "1.20"),
        ({"ai.onnx": 22}, 10, "1.21"),
        ({"ai.onnx": 23}, 10, "1.23"),
        ({"ai.onnx": 17}, 11, "1.23"),
        ({"ai.onnx": 24}, 10, "1.24"),
        ({"ai.onnx": 17}, 12, "1.24"),
        ({"ai.onnx": 26}, 8, "1.25"),
        ({"ai.onnx": 17}, 14, "1.32"),
        ({"ai.onnx.ml": 3}, 8, "1.20"),
        ({"ai.onnx": 17, "com.microsoft": 1}, 8, "1.20"),
    ],
)
def test_the_oldest_release_that_loads_operator_sets_and_ir_version_is_required(
    opsets: dict[str, int], ir_version: int, release: str
) -> None:
    assert of_onnxruntime(opsets, ir_version) == {"onnxruntime": f">={release}"}


@pytest.mark.parametrize(
    ("opsets", "ir_version"),
    [({"ai.onnx": 29}, 8), ({"ai.onnx": 17, "ai.onnx.ml": 6}, 8), ({"ai.onnx": 17}, 15)],
)
def test_what_no_known_release_loads_is_refused(opsets: dict[str, int], ir_version: int) -> None:
    with pytest.raises(UnsupportedModelError, match=r"which onnxruntime 1\.32 takes; found"):
        of_onnxruntime(opsets, ir_version)


@pytest.mark.parametrize("name", [name for name in board_names() if board(name).onnxruntime])
def test_what_a_boards_onnxruntime_is_said_to_load_it_meets_the_requirement_of(name: str) -> None:
    known = board(name).onnxruntime
    assert known is not None
    required = of_onnxruntime({"ai.onnx": known.opset, "ai.onnx.ml": known.ml_opset}, known.ir_version)
    assert why_not(required, {"onnxruntime": known.version}) == ""


def test_every_variant_for_onnxruntime_says_what_it_requires_and_an_older_device_is_told() -> None:
    model = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)
    bundle = converter.convert(model, ROWS, name="a", version="1.0.0", quantize=True)
    assert {variant.engine for variant in bundle.manifest.variants} == {"onnxruntime"}
    for variant in bundle.manifest.variants:
        assert variant.requires == {"onnxruntime": ">=1.20"}
        assert why_not(variant.requires, {"onnxruntime": "1.19.2"}) == "onnxruntime >=1.20, found 1.19.2"


def test_a_variant_for_tensorrt_requires_nothing_that_one_of_its_boards_could_not_show() -> None:
    model = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)
    boards = ["orin-nano", "rtx-30"]
    bundle = converter.convert(model, ROWS, name="a", version="1.0.0", boards=boards)
    _, lowered = bundle.manifest.variants
    assert lowered.boards == tuple(boards)
    assert lowered.requires == {}
