"""Which providers can be used: each is started in a process of its own, however that ends.

The plug-ins are packages of the right names, whose libraries the real ONNX Runtime is given.
"""

import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine, looking
from tests.edge_runtime.engine.onnxruntime.plugins import GIVES, OPENVINO, TENSORRT_RTX, Install
from tests.support.tiny_bundle import tiny_manifest
from tests.support.waiting import wait_for

VARIANT = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1).variants[0]


def _usable(board: str = "") -> tuple[str, ...]:
    return OnnxRuntimeEngine().providers(VARIANT, board)


def _unusable(board: str = "") -> dict[str, str]:
    return OnnxRuntimeEngine().unusable_providers(VARIANT, board)


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is started finds no module, and says so."""
    monkeypatch.setattr(looking, "PROBE", "nosuchmodule")


@pytest.mark.usefixtures("install", "no_process")
def test_with_the_plain_package_there_is_the_processor_and_no_process_is_started() -> None:
    assert _usable() == ("cpu",)
    assert _unusable() == {}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import nosuchthing", "No module named 'nosuchthing'"),
        ("raise RuntimeError('no\\nlicence')", "no licence"),
        ("Other = 1", "has no attribute 'get_library_path'"),
        (GIVES.format("/nowhere.so"), "/nowhere.so: cannot open shared object file: No such file"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        ("import sys\nsys.exit('no key')", "ended with status 1: no key"),
    ],
)
def test_a_broken_one_cannot_be_used_for_one_reason_and_the_processor_can(
    install: Install, capfd: pytest.CaptureFixture[str], code: str, why: str
) -> None:
    install(OPENVINO, code)

    assert why in _unusable()["openvino"]
    assert "\n" not in _unusable()["openvino"]
    assert _usable() == ("cpu",)
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_no_library_is_named(install: Install, tmp_path: Path) -> None:
    (tmp_path / "plugin.so").write_bytes(b"never linked\n" * 99)
    install(OPENVINO, GIVES.format(str(tmp_path / "plugin.so")))

    assert "plugin.so: invalid ELF header; it needs" in _unusable()["openvino"]


def test_a_library_that_is_no_plugin_is_refused(install: Install) -> None:
    capi = Path(onnxruntime.__file__).parent / "capi"
    install(OPENVINO, GIVES.format(str(capi / "libonnxruntime_providers_shared.so")))

    assert "CreateEpFactories" in _unusable()["openvino"]


def test_one_that_ends_its_process_does_not_keep_another_from_being_looked_at(install: Install) -> None:
    install(TENSORRT_RTX, "import os\nos.abort()")
    install(OPENVINO, GIVES.format("/nowhere.so"))

    found = _unusable()
    assert found["tensorrt-rtx"] == "the process that started it was ended by SIGABRT"
    assert "/nowhere.so" in found["openvino"]


def test_one_that_hangs_is_given_up(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "TIMEOUT_S", 0.5)
    install(OPENVINO, "import time\ntime.sleep(600)")

    assert _unusable() == {"openvino": "it was not started after 0.5 s"}


def test_the_process_that_looks_ends_with_the_one_that_asked(install: Install, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    told = f"open({str(pid)!r}, 'w').write(str(os.getpid()))"
    install(OPENVINO, f"import os, time\n{told}\ntime.sleep(600)")
    asking = subprocess.Popen(
        [sys.executable, "-c", "from edge_runtime.engine.onnxruntime.looking import looked; looked('')"]
    )
    wait_for(lambda: pid.exists() and pid.read_text(), "the plug-in")

    asking.kill()
    asking.wait()

    wait_for(lambda: not Path("/proc", pid.read_text()).exists(), "its end")


def test_what_one_prints_is_not_taken_for_an_answer(install: Install) -> None:
    install(
        OPENVINO, 'print(\'{"name": "openvino", "why": ""}\', flush=True)\nraise ValueError("wrong")'
    )

    assert _unusable()["openvino"] == "wrong"


def test_no_process_can_be_started(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(OPENVINO, "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    assert "no process can be started that tries it: " in _unusable()["openvino"]


def test_a_provider_is_tried_only_on_boards_that_name_it(install: Install) -> None:
    install(OPENVINO, GIVES.format("/nowhere.so"))

    assert list(_unusable("x86-64")) == ["openvino"]
    assert _unusable("pi5") == {}
    assert _unusable("agx-xavier") == {}
