"""Plans by the real TensorRT-RTX in a child process; and libraries that hang, die or are broken."""

import os
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundle.manifest import Profile
from edge_runtime.engine.tensorrt import library
from edge_runtime.engine.tensorrt.building import Request, build
from edge_runtime.engine.tensorrt.key import CLEARED, SET
from edge_runtime.errors import EngineError, UnavailableError

FLAGS = (*(f"-{name}" for name in CLEARED), *(f"+{name}" for name in SET))
PROFILE = Profile(min_rows=1, opt_rows=4, max_rows=64)


def _request(**changes: Any) -> Request:
    given: dict[str, Any] = {
        "module": library.installed()[0].module,
        "capability": "8.6",
        "profile": PROFILE,
        "flags": FLAGS,
    }
    return Request(**(given | changes))


def _graph(kind: str = "fp32", shape: tuple[int | str, ...] = ("batch", 8)) -> bytes:
    """y = x @ w in one of the precisions."""
    weights = np.eye(8, 4, dtype=np.float32)
    constants = [numpy_helper.from_array(weights, "w")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    if kind == "fp16":
        constants = [numpy_helper.from_array(weights.astype(np.float16), "w")]
        nodes = [
            helper.make_node("Cast", ["x"], ["x16"], to=TensorProto.FLOAT16),
            helper.make_node("MatMul", ["x16", "w"], ["y16"]),
            helper.make_node("Cast", ["y16"], ["y"], to=TensorProto.FLOAT),
        ]
    elif kind == "int8":
        constants += [
            numpy_helper.from_array(np.asarray(0.1, np.float32), "scale"),
            numpy_helper.from_array(np.asarray(0, np.int8), "zero"),
        ]
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "scale", "zero"], ["xd"]),
            helper.make_node("QuantizeLinear", ["w", "scale", "zero"], ["wq"]),
            helper.make_node("DequantizeLinear", ["wq", "scale", "zero"], ["wd"]),
            helper.make_node("MatMul", ["xd", "wd"], ["y"]),
        ]
    graph = helper.make_graph(
        nodes,
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [*shape[:-1], 4])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("kind", ["fp32", "fp16", "int8"])
def test_a_plan_is_built_in_each_precision_without_a_gpu(kind: str) -> None:
    heard: list[str] = []
    plan = build(_graph(kind), _request(), progress=heard.append)
    assert len(plan) > 10_000
    assert heard[0] == "0 %, Building engine"


def test_a_plan_is_in_the_form_that_the_runtime_reads_and_a_part_of_it_is_not() -> None:
    """Without a GPU neither gives an engine, for another reason each."""
    plan = build(_graph(), _request())
    trt: Any = library.imported(library.installed()[0])
    logger = library.listener(trt)
    runtime = trt.Runtime(logger)
    assert runtime.deserialize_cuda_engine(plan) is None
    assert "Cuda Runtime" in logger.said()
    assert runtime.deserialize_cuda_engine(plan[:-100]) is None
    assert "Serialization" in logger.said()


def test_the_same_request_gives_the_same_bytes() -> None:
    assert bytes(build(_graph(), _request())) == bytes(build(_graph(), _request()))


def test_a_graph_without_an_open_batch_needs_no_profile() -> None:
    assert len(build(_graph(shape=(3, 8)), _request())) > 1000


def test_another_open_axis_than_the_batch_is_refused() -> None:
    with pytest.raises(EngineError, match=r"input 'x': expected fixed sizes behind the batch") as caught:
        build(_graph(shape=("batch", "length", 8)), _request())
    assert not isinstance(caught.value, UnavailableError)


@pytest.mark.parametrize("junk", [b"", b"no graph"])
def test_what_is_no_graph_is_refused_by_the_parser(junk: bytes) -> None:
    with pytest.raises(EngineError, match=r"TensorRT-RTX: its parser refuses the graph|builds no plan"):
        build(junk, _request())


def test_an_operator_that_the_parser_does_not_know_is_named() -> None:
    model = onnx.load_from_string(_graph())
    model.graph.node[0].op_type = "DFT"
    with pytest.raises(EngineError, match=r"its parser refuses the graph: DFT"):
        build(model.SerializeToString(), _request())


def test_memory_has_a_limit() -> None:
    with pytest.raises(UnavailableError, match=r"more memory than it may have \(150 MiB\)"):
        build(_graph(), _request(max_bytes=150 << 20))


def test_a_limit_that_does_not_even_let_the_library_load_is_told() -> None:
    with pytest.raises(UnavailableError, match="TensorRT-RTX"):
        build(_graph(), _request(max_bytes=30 << 20))


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install a `tensorrt` with this code for the child processes; the request that builds with it."""

    def install(code: str) -> Request:
        package = tmp_path / "tensorrt"
        package.mkdir()
        (package / "__init__.py").write_text(f"__version__ = '10.3.0'\n{textwrap.dedent(code)}")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
        return _request(module="tensorrt")

    return install


def test_a_builder_that_hangs_is_ended_when_its_time_is_over(pretended: Any, tmp_path: Path) -> None:
    request = pretended(f"""
        import os, time
        open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
        time.sleep(3600)
    """)
    with pytest.raises(UnavailableError, match=r"TensorRT had not built the plan after 1\.5 s"):
        build(_graph(), request, timeout_s=1.5)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_builder_that_talks_for_ever_is_ended_as_well(pretended: Any) -> None:
    request = pretended("while True: print('still at it', flush=True)")
    with pytest.raises(UnavailableError, match=r"had not built the plan after 0\.5 s"):
        build(_graph(), request, timeout_s=0.5)


def test_a_builder_that_closes_its_output_and_stays_is_ended(pretended: Any) -> None:
    request = pretended("import os, time; os.close(1); os.close(2); time.sleep(3600)")
    with pytest.raises(UnavailableError, match=r"had not built the plan after 1\.5 s"):
        build(_graph(), request, timeout_s=1.5)


def test_a_builder_that_crashes_leaves_its_signal_and_its_last_words(pretended: Any) -> None:
    request = pretended("""
        import os, signal, sys
        print("out of luck", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    """)
    with pytest.raises(UnavailableError, match="TensorRT's builder was ended by SIGSEGV; out of luck"):
        build(_graph(), request)


def test_a_builder_that_ends_without_an_answer_is_told(pretended: Any) -> None:
    request = pretended("import os; os._exit(3)")
    with pytest.raises(UnavailableError, match="ended with status 3; it said nothing"):
        build(_graph(), request)


def test_a_library_that_cannot_be_imported_is_told_in_a_sentence(pretended: Any) -> None:
    request = pretended("raise OSError('libnvinfer.so.10: cannot open shared object file')")
    with pytest.raises(UnavailableError, match="installed but cannot be imported: libnvinfer") as caught:
        build(_graph(), request)
    assert "Traceback" not in str(caught.value)


def test_a_library_that_is_too_old_is_told_its_age(pretended: Any) -> None:
    request = pretended("__version__ = '8.5.2.2'")
    with pytest.raises(UnavailableError, match=r"expected TensorRT 10\.3 or newer, found 8\.5\.2\.2"):
        build(_graph(), request)


def test_a_library_with_another_interface_is_told_in_a_sentence(pretended: Any) -> None:
    request = pretended("class ILogger: ERROR = 1\nclass Builder:\n    def __init__(self, logger): pass")
    with pytest.raises(UnavailableError, match="TensorRT: its builder fails: AttributeError"):
        build(_graph(), request)


def test_a_builder_ends_with_the_process_that_asked(pretended: Any, tmp_path: Path) -> None:
    pretended(f"""
        import os, time
        open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
        time.sleep(3600)
    """)
    asking = os.fork()
    if asking == 0:
        build(b"", _request(module="tensorrt"))
        os._exit(0)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.02)
    os.kill(asking, 9)
    os.waitpid(asking, 0)
    pid = int((tmp_path / "pid").read_text())
    while _lives(pid):
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
