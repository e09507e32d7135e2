"""A Jetson's kind of processor, emulated, builds and keeps the very plans that are here: docs/arm64.md.

The wheels are those of TensorRT-RTX for arm64, not a Jetson's: the board is not proved by this.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from edge_runtime.engine.tensorrt.building import build
from tests.edge_runtime.engine.tensorrt import builds_plans
from tests.edge_runtime.engine.tensorrt.graphs import matmul, request
from tests.edge_runtime.engine.tensorrt.models import forest
from tests.support.arm64 import CACHE, Device, install_package, made_root
from tests.support.arm64_cpu import ORIN

PRECISIONS = ("fp32", "fp16", "int8")
_WHEELS = ("tensorrt-rtx-cu13-libs", "tensorrt-rtx-cu13-bindings")


def _arm64_wheels() -> Path:
    """TensorRT-RTX for arm64, of the version that is installed here; fetched once."""
    wanted = [f"{name}=={version(name)}" for name in _WHEELS]
    folder = CACHE / f"tensorrt-rtx-{version(_WHEELS[0])}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "tensorrt-rtx-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            unfinished = CACHE / "tensorrt-rtx-unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            platforms = [f"--platform=manylinux_2_{at}_aarch64" for at in (17, 28, 31, 35)]
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
                    *("--disable-pip-version-check", "--target", unfinished, "--only-binary=:all:"),
                    *("--python-version=3.11", *platforms, *wanted),
                ],
                check=True,
            )
            unfinished.rename(folder)
    return folder


@pytest.mark.end_to_end
def test_an_emulated_arm64_processor_builds_the_same_plans_and_keeps_them(tmp_path: Path) -> None:
    wheels = shutil.copytree(_arm64_wheels(), tmp_path / "wheels")
    for kind in PRECISIONS:
        (tmp_path / f"{kind}.onnx").write_bytes(matmul(kind))
    bundle = tmp_path / "forest.edge"
    bundle.write_bytes(forest().to_bytes())
    device = Device(made_root(), install_package(tmp_path / "made"), ORIN, tmp_path)

    files = [tmp_path / f"{kind}.onnx" for kind in PRECISIONS]
    done = device.run("/usr/bin/python3.11", builds_plans.__file__, wheels, bundle, *files)

    told = json.loads(done.stdout)
    assert told["machine"] == "aarch64"
    assert told["plans"] == {kind: _digest(kind) for kind in PRECISIONS}
    assert told["engine"] is False
    assert "Cuda Runtime" in told["said"]
    assert "libcudart" in told["unavailable"]
    cache = told["cache"]
    (first_words, first_notes), (words, notes) = cache["starts"]
    assert "building a plan" in first_words[0]
    assert words == first_notes == notes == []
    (tmp_path / "here").mkdir()
    here = builds_plans.kept(Path(shutil.copy(bundle, tmp_path / "here")))
    assert [cache[each] for each in ("name", "sha256")] == [here["name"], here["sha256"]]
    assert cache["another"] == "the kept one is of CUDA 13.0, and here is CUDA 12.6"
    assert "expected that only this user or root may write there" in cache["writable"]
    assert cache["damaged"] == "the kept plan is damaged: its digest is another"


def _digest(kind: str) -> str:
    return hashlib.sha256(build(matmul(kind), request())).hexdigest()
