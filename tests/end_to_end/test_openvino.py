"""Models through OpenVINO, ONNX Runtime's provider, executed: real goldens, by row and by batch."""

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_runtime.engine.tensorrt.graphs import matmul
from tests.support import provider_faults, provider_trial
from tests.support.environments import environment
from tests.support.provider_bundles import NAMES, provider_bundles

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="its package is made for x86-64 alone"),
]
LOOK = """
from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine
engine = OnnxRuntimeEngine()
print(engine.providers(None, "x86-64"), engine.unusable_providers(None, ""))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The interpreter of an environment with OpenVINO in ONNX Runtime's place."""
    folder = tmp_path_factory.mktemp("openvino") / "env"
    yield environment(folder, "onnxruntime-openvino")
    shutil.rmtree(folder)  # 400 MB that pytest would keep for three runs


def test_goldens_replay_through_it_and_what_it_leaves_over_is_told(python: Path, tmp_path: Path) -> None:
    bundles = provider_bundles(tmp_path)

    assert _run(python, "-c", LOOK) == "('cpu', 'openvino') {}\n"
    lines = _run(python, provider_trial.__file__, "openvino", *bundles).splitlines()

    found = dict(zip(NAMES, map(json.loads, lines), strict=True))
    assert [name for name, told in found.items() if "why" in told] == []
    assert found["cnn"]["notes"] == found["several"]["notes"] == []
    for name in ("forest", "mlp", "table"):
        (note,) = found[name]["notes"]
        assert note.startswith("openvino runs "), name
    assert "TreeEnsemble" in found["forest"]["notes"][0]


def test_as_a_plug_in_it_gives_the_goldens_too_or_finds_no_device(tmp_path: Path) -> None:
    """It runs on processors of Intel's alone. There it keeps what was bound first, unless bound anew."""
    python = environment(tmp_path / "env", "onnxruntime", "onnxruntime-ep-openvino")

    lines = _run(python, provider_trial.__file__, "openvino", *provider_bundles(tmp_path)).splitlines()

    shutil.rmtree(tmp_path / "env")
    found = [json.loads(line) for line in lines]
    assert len(found) == len(NAMES)
    if _is_intels():
        assert [told["why"] for told in found if "why" in told] == []
    else:
        assert all("its plug-in finds no device" in told["why"] for told in found)


def test_what_it_is_told_reaches_it_and_when_it_is_dropped_for_that_this_is_noticed(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "matmul.onnx").write_bytes(matmul())

    found = json.loads(_run(python, provider_faults.__file__, tmp_path / "matmul.onnx"))

    assert found["right"] == ""
    assert found["dropped"].startswith("it cannot be started; it needs an x86-64 processor")
    assert "Unsupported property NO_SUCH_HINT" in found["unknown"]


def _is_intels() -> bool:
    return "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8")


def _run(*command: str | Path) -> str:
    words = [str(each) for each in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    return done.stdout
