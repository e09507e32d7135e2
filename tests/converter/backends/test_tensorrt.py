"""The real TensorRT-RTX in a child process: plans without a GPU, refusals, crashes, time limits."""

import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.backends import tensorrt
from converter.backends.tensorrt import CAPABILITIES, try_builds, why_unavailable
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor
from edge_runtime.bundle.manifest import Profile

PROFILE = Profile(min_rows=1, opt_rows=1, max_rows=64)


def graph() -> bytes:
    made = StandardGraph()
    x: Any = Tensor.input(made, "x", "float32", (None, 8))
    y = x @ np.eye(8, 3, dtype=np.float32)
    return made.to_bytes({"y": (y.name, "float32", y.sizes)})


def test_a_plan_is_built_for_every_compute_capability_without_a_gpu() -> None:
    assert why_unavailable() == ""
    turing, *others = try_builds(graph(), PROFILE, CAPABILITIES)
    assert [(each.capability, each.why) for each in others] == [(each, "") for each in CAPABILITIES[1:]]
    assert all(trial.plan_bytes > 1000 and trial.seconds > 0 for trial in others)
    # TensorRT-RTX 1.7 multiplies matrices of fp16 only there.
    assert turing.why.startswith("it builds no plan")
    assert "FP32 GEMM is not supported" in turing.why


def test_what_the_parser_refuses_is_told_in_its_own_words() -> None:
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("DFT", ["x"], ["y"], name="transform")], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8, 1])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8, 2])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )  # fmt: skip
    (trial,) = try_builds(model.SerializeToString(), PROFILE, ["8.6"])
    assert trial.why.startswith("its parser refuses the graph: DFT (transform)")
    assert "\n" not in trial.why


def test_a_file_that_is_no_graph_is_refused() -> None:
    (trial,) = try_builds(b"no graph", PROFILE, ["8.6"])
    assert trial.why.startswith("its parser refuses the graph")
    assert onnx.__version__  # what wrote the others


def test_a_time_limit_ends_the_build() -> None:
    (trial,) = try_builds(graph(), PROFILE, ["8.6"], timeout_s=0.01)
    assert trial.why == "TensorRT-RTX had not built it after 0.01 s"


def test_a_broken_installation_is_said_for_every_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that ends without an answer, as one does whose native library crashes."""
    real = subprocess.run

    def crashing(command: list[str], **options: Any) -> Any:
        return real([sys.executable, "-c", "import os; os.abort()"], **options)

    monkeypatch.setattr(tensorrt.subprocess, "run", crashing)
    trials = try_builds(graph(), PROFILE, ["8.6", "12.0"])
    assert [trial.why for trial in trials] == [
        "TensorRT-RTX is broken here: it ended with status -6; silent"
    ] * 2


def test_where_it_is_not_installed_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt, "MODULE", "tensorrt_of_nobody")
    (trial,) = try_builds(graph(), PROFILE, ["8.6"])
    assert 'pip install "edge-runtime[tensorrt]"' in trial.why
