"""What foreign libraries say, in a sentence of ours."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_runtime.engine.words import told
from edge_runtime.memory import says_gpu_refused, says_refused
from edge_runtime.worker.limits import reached

ARENA = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Error in execution: Non-zero status code returned "
    "while running Expand node. Name:'' Status Message: /onnxruntime_src/onnxruntime/core/framework/"
    "bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, "
    "onnxruntime::Stream*, bool, std::function<void(int)>) Failed to allocate memory for requested "
    "buffer of size 400000000000\n"
)
CUDA = (
    "[ONNXRuntimeError] : 1 : FAIL : /onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:116 "
    "std::conditional_t<THRW, void, common::Status> onnxruntime::CudaCall(ERRTYPE, const char*) [with "
    "ERRTYPE = cudaError; bool THRW = true] CUDA failure 2: out of memory ; GPU=0 ; "
    "expr=cudaMalloc((void**)&p, size); "
)
STARTING = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: "
    "/onnxruntime_src/core/graph.h:12 onnxruntime::Node& onnxruntime::Graph::At(size_t) const "
    "i < n was false. No node 3"
)
PRODUCT = (
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running MatMul node. "
    "Name:'first' Status Message: matmul_helper.h:59 Compute MatMul dimension mismatch"
)

OPENVINO = (
    "[ONNXRuntimeError] : 1 : FAIL : Exception during initialization: /onnxruntime/onnxruntime/core/"
    "providers/openvino/ov_interface.cc:28 auto onnxruntime::openvino_ep::OvExceptionBoundary(Func&&, "
    "Args&& ...) [with bool typed = false] [OpenVINO-EP] Exception from "
    "src/inference/src/cpp/core.cpp:114:\nException from src/plugins/intel_cpu/src/config.cpp:475:\n"
    "NotFound: Unsupported property NO_SUCH_HINT\n\n\n"
)


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        (ARENA, "Failed to allocate memory for requested buffer of size 400000000000"),
        (CUDA, "CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc((void**)&p, size);"),
        (STARTING, "Exception during initialization: i < n was false. No node 3"),
        (PRODUCT, "Compute MatMul dimension mismatch"),
        (
            OPENVINO,
            "Exception during initialization: [OpenVINO-EP] NotFound: Unsupported property NO_SUCH_HINT",
        ),
        (
            "cuda_call.cc:116 onnxruntime::CudaCall CUDA failure 700: f(x) ; GPU=0",
            "onnxruntime::CudaCall CUDA failure 700: f(x) ; GPU=0",
        ),
        (
            "Load model from model.onnx failed: see model.h",
            "Load model from model.onnx failed: see model.h",
        ),
    ],
    ids=["arena", "cuda", "in the middle", "no path", "openvino", "no signature", "no frame"],
)
def test_what_onnx_runtime_says_is_told_without_its_source(said: str, rest: str) -> None:
    assert told(RuntimeError(said)) == rest


def test_a_frame_without_words_is_told_as_it_is() -> None:
    frame = "[ONNXRuntimeError] : 1 : FAIL : "
    assert told(RuntimeError(frame)) == frame.rstrip()


def test_who_refused_memory_is_still_read_from_what_is_told() -> None:
    assert says_refused(told(ARENA))
    assert says_gpu_refused(told(CUDA))
    assert not reached(told("bfc_arena.cc:360 " + ARENA.replace("400000000000", "8")), 1000, 8)


def test_the_very_words_of_the_library_are_one_sentence() -> None:
    """As this version of it says them."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [3], [1 << 36, 2, 3])
    graph = helper.make_graph(
        [helper.make_node("Expand", ["x", "shape"], ["y"])],
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with pytest.raises(Exception, match="Status Message: ") as caught:
        session.run(None, {"x": np.ones((2, 3), np.float32)})
    size = (1 << 36) * 24
    assert told(caught.value) == f"Failed to allocate memory for requested buffer of size {size}"
