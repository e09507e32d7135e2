"""Plans by the real TensorRT-RTX in a child process; and libraries that hang, die or are broken."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest

from edge_runtime.engine.tensorrt import library
from edge_runtime.engine.tensorrt.building import Request, build
from edge_runtime.errors import EngineError, UnavailableError
from tests.edge_runtime.engine.tensorrt.graphs import matmul, request
from tests.support.footprint import children
from tests.support.handlers import NUMBER, handler_that_raises


@pytest.mark.parametrize("kind", ["fp32", "fp16", "int8"])
def test_a_plan_is_built_in_each_precision_without_a_gpu(kind: str) -> None:
    heard: list[str] = []
    plan = build(matmul(kind), request(), progress=heard.append)
    assert len(plan) > 10_000
    assert heard[0] == "0 %, Building engine"


def test_a_plan_is_in_the_form_that_the_runtime_reads_and_a_part_of_it_is_not() -> None:
    """Without a GPU neither gives an engine, for another reason each."""
    plan = build(matmul(), request())
    trt: Any = library.imported(library.installed()[0])
    logger = library.listener(trt)
    runtime = trt.Runtime(logger)
    assert runtime.deserialize_cuda_engine(plan) is None
    assert "Cuda Runtime" in logger.said()
    assert runtime.deserialize_cuda_engine(plan[:-100]) is None
    assert "Serialization" in logger.said()


def test_the_same_request_gives_the_same_bytes() -> None:
    assert bytes(build(matmul(), request())) == bytes(build(matmul(), request()))


def test_a_graph_without_an_open_batch_needs_no_profile() -> None:
    assert len(build(matmul(shape=(3, 8)), request())) > 1000


def test_another_open_axis_than_the_batch_is_refused() -> None:
    with pytest.raises(EngineError, match=r"input 'x': expected fixed sizes behind the batch") as caught:
        build(matmul(shape=("batch", "length", 8)), request())
    assert not isinstance(caught.value, UnavailableError)


@pytest.mark.parametrize("junk", [b"", b"no graph"])
def test_what_is_no_graph_is_refused_by_the_parser(junk: bytes) -> None:
    with pytest.raises(EngineError, match=r"TensorRT-RTX: its parser refuses the graph|builds no plan"):
        build(junk, request())


def test_an_operator_that_the_parser_does_not_know_is_named() -> None:
    model = onnx.load_from_string(matmul())
    model.graph.node[0].op_type = "DFT"
    with pytest.raises(EngineError, match=r"its parser refuses the graph: DFT"):
        build(model.SerializeToString(), request())


_LIMITED = """
import sys
import msgspec
from edge_runtime.engine.tensorrt.building import Request, build
from edge_runtime.errors import UnavailableError
from edge_runtime.process import limit_memory
limit_memory(int(sys.argv[1]))
try:
    build(sys.stdin.buffer.read(), msgspec.json.decode(sys.argv[2], type=Request))
except UnavailableError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (150 << 20, "building takes more memory than it may have (150 MiB): "),
        (30 << 20, ""),  # the library cannot even be loaded
    ],
)
def test_a_limit_of_memory_counts_for_the_builder_and_is_told(limit: int, told: str) -> None:
    command = [sys.executable, "-c", _LIMITED, str(limit), msgspec.json.encode(request())]
    done = subprocess.run(command, input=matmul(), capture_output=True, check=True)
    assert done.stdout.decode().startswith(f"TensorRT-RTX: {told}"), done


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install a `tensorrt` with this code for the child processes; the request that builds with it."""

    def install(code: str) -> Request:
        package = tmp_path / "tensorrt"
        package.mkdir()
        (package / "__init__.py").write_text(f"__version__ = '10.3.0'\n{textwrap.dedent(code)}")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
        return request(module="tensorrt")

    return install


def test_a_builder_that_hangs_is_ended_when_its_time_is_over(pretended: Any) -> None:
    asked = pretended("import time; time.sleep(3600)")
    before = children(os.getpid())
    with pytest.raises(UnavailableError, match=r"TensorRT had not built the plan after 1\.5 s"):
        build(matmul(), asked, timeout_s=1.5)
    assert children(os.getpid()) == before


def test_a_builder_that_talks_for_ever_is_ended_as_well(pretended: Any) -> None:
    asked = pretended("while True: print('still at it', flush=True)")
    with pytest.raises(UnavailableError, match=r"had not built the plan after 0\.5 s"):
        build(matmul(), asked, timeout_s=0.5)


def test_a_time_limit_of_the_program_is_not_taken_for_the_builders(pretended: Any) -> None:
    asked = pretended("""
        import time
        print('{"percent": 1, "phase": "Building"}', flush=True)
        time.sleep(3600)
    """)
    error = TimeoutError("it is time")
    with pytest.raises(TimeoutError) as caught, handler_that_raises(error):
        build(matmul(), asked, progress=lambda _: signal.raise_signal(NUMBER))
    assert caught.value is error


def test_a_builder_that_closes_its_output_and_stays_is_ended(pretended: Any) -> None:
    asked = pretended("import os, time; os.close(1); os.close(2); time.sleep(3600)")
    with pytest.raises(UnavailableError, match=r"had not built the plan after 1\.5 s"):
        build(matmul(), asked, timeout_s=1.5)


def test_a_builder_that_crashes_leaves_its_signal_and_its_last_words(pretended: Any) -> None:
    asked = pretended("""
        import os, signal, sys
        print("out of luck", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    """)
    with pytest.raises(UnavailableError, match="TensorRT's builder was ended by SIGSEGV; out of luck"):
        build(matmul(), asked)


def test_a_builder_that_ends_without_an_answer_is_told(pretended: Any) -> None:
    asked = pretended("import os; os._exit(3)")
    with pytest.raises(UnavailableError, match="ended with status 3; it said nothing"):
        build(matmul(), asked)


def test_a_library_that_cannot_be_imported_is_told_in_a_sentence(pretended: Any) -> None:
    asked = pretended("raise OSError('libnvinfer.so.10: cannot open shared object file')")
    with pytest.raises(UnavailableError, match="installed but cannot be imported: libnvinfer") as caught:
        build(matmul(), asked)
    assert "Traceback" not in str(caught.value)


def test_a_library_that_is_too_old_is_told_its_age(pretended: Any) -> None:
    asked = pretended("__version__ = '8.5.2.2'")
    with pytest.raises(UnavailableError, match=r"expected TensorRT 10\.3 or newer, found 8\.5\.2\.2"):
        build(matmul(), asked)


def test_a_library_with_another_interface_is_told_in_a_sentence(pretended: Any) -> None:
    asked = pretended("class ILogger: ERROR = 1\nclass Builder:\n    def __init__(self, logger): pass")
    with pytest.raises(UnavailableError, match="TensorRT: its builder fails: AttributeError"):
        build(matmul(), asked)


def test_a_builder_ends_with_the_process_that_asked(pretended: Any, tmp_path: Path) -> None:
    pretended(f"""
        import os, time
        open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
        time.sleep(3600)
    """)
    asking = os.fork()
    if asking == 0:
        build(b"", request(module="tensorrt"))
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
