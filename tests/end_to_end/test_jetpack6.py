"""The device part with JetPack 6's software: onnxruntime 1.23.2, its newest, and Python 3.10.

Each Python gets an environment of its own with the core, and what these tests are written with.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.boards import board

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parents[2]
SUITE = ("edge_runtime/engine", "compat", "edge_runtime/model", "edge_runtime/store/test_cli.py")
# Its tests want what the development environment has: TensorRT-RTX, and models to convert.
ELSEWHERE = "edge_runtime/engine/tensorrt"
JETPACK_6 = board("orin-nano")
VERSION = JETPACK_6.onnxruntime.version if JETPACK_6.onnxruntime else ""
_OURS = ("COV", "PYTHON", "VIRTUAL_ENV")
_CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


@pytest.mark.parametrize("python", [JETPACK_6.python, f"{sys.version_info[0]}.{sys.version_info[1]}"])
def test_the_device_part_runs_with_its_onnxruntime(tmp_path: Path, python: str) -> None:
    environment = tmp_path / "env"
    _run(_interpreter(python), "-m", "venv", environment)
    pip = (environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check")
    pip = (*pip, "--no-compile")  # most of what is installed is never imported
    _run(*pip, f"{ROOT}[convert]", f"onnxruntime=={VERSION}", "pytest", "hypothesis")
    ask = "import onnxruntime, sys; print(onnxruntime.__version__, *sys.version_info[:2], sep='.')"
    assert _run(environment / "bin" / "python", "-c", ask).strip() == f"{VERSION}.{python}"

    suite = [ROOT / "tests" / each for each in SUITE]
    tests = [environment / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    told = _run(*tests, f"--ignore={ROOT / 'tests' / ELSEWHERE}", *suite)

    shutil.rmtree(environment)  # 500 MB that pytest would keep for three runs
    assert " passed" in told.splitlines()[-1]


def _interpreter(version: str) -> str:
    """A Python of this version that runs; one that a version manager only knows about does not."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    managed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for found in (shutil.which(f"python{version}"), *map(str, managed)):
        if found and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"not run on Python {version}, JetPack 6's: this machine has none")


def _run(*command: str | Path) -> str:
    words = [str(each) for each in command]
    done = subprocess.run(
        words, cwd=ROOT, env=_CLEAN, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return done.stdout
