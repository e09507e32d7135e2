"""Models through OpenVINO, ONNX Runtime's provider, executed: real goldens, by row and by batch."""

import json
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import provider_trial
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


def test_goldens_replay_through_it_and_what_it_leaves_over_is_told(tmp_path: Path) -> None:
    python = environment(tmp_path / "env", "onnxruntime-openvino")
    bundles = provider_bundles(tmp_path)

    assert _run(python, "-c", LOOK) == "('cpu', 'openvino') {}\n"
    lines = _run(python, provider_trial.__file__, "openvino", *bundles).splitlines()

    shutil.rmtree(tmp_path / "env")  # 400 MB that pytest would keep for three runs
    found = dict(zip(NAMES, map(json.loads, lines), strict=True))
    assert [name for name, told in found.items() if "why" in told] == []
    assert found["cnn"]["notes"] == found["several"]["notes"] == []
    for name in ("forest", "mlp", "table"):
        (note,) = found[name]["notes"]
        assert note.startswith("openvino runs "), name
    assert "TreeEnsemble" in found["forest"]["notes"][0]


def _run(*command: str | Path) -> str:
    words = [str(each) for each in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    return done.stdout
