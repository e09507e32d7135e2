"""What runs on a Raspberry Pi or a Jetson's processor, by qemu: see docs/arm64.md for what that proves.

The bundles are made here and asked here; the same program then asks them on each processor.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.boards import board, board_names
from edge_runtime.errors import EngineError
from tests.support import asks_bundles
from tests.support.agent import AgentRig
from tests.support.arm64 import TESTS, Device, install_package, made_root
from tests.support.arm64_bundles import cases
from tests.support.arm64_cpu import CPUS, ORIN, PI4, PI5, Cpu
from tests.support.brokers import Mosquitto
from tests.support.sensor import SensorRig
from tests.support.tiny_bundle import Behaviour, root_bytes, tiny_bundle
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end

# Trees add numbers in the order of the trees, and layers of integers add exactly, on every processor.
EXACT = {
    *("forest-fp32", "regressor-fp32", "rows-int8-static", "rows-int8-dynamic", "series-int8-static"),
}
# Elsewhere sums of floats are in another order, and exp is another's.
ROUNDING = 1e-5
FLOAT16 = 1e-3
# What starves asks for more than there are addresses: qemu passes no limit of memory on (docs/arm64.md).
BAD: tuple[Behaviour, ...] = ("wrong_goldens", "fails", "starves")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles, their inputs, their root, and what they answer here, in `here`."""
    folder = tmp_path_factory.mktemp("arm64")
    (folder / "bundles").mkdir()
    (folder / "bundles" / "root.json").write_bytes(root_bytes())
    for case in cases():
        (folder / "bundles" / f"{case.name}.edge").write_bytes(case.bundle)
        np.save(folder / "bundles" / f"{case.name}.npy", case.inputs)
    subprocess.run([sys.executable, *_asking(folder, "here")], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module", params=CPUS, ids=lambda cpu: cpu.name)
def cpu(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def asked(bundles: Path, package: Path, cpu: Cpu) -> dict[str, Any]:
    """What the golden inputs of each bundle gave on the processor; its answers are in a folder."""
    device = Device(made_root(), package, cpu, bundles)
    return dict(json.loads(device.run("python3.11", *_asking(bundles, cpu.name)).stdout))


@pytest.fixture(params=(PI4, ORIN), ids=lambda cpu: cpu.name)
def device(tmp_path: Path, package: Path, request: pytest.FixtureRequest) -> Device:
    """A device that sees `tmp_path`, with a root file in it. Pi 5 has Orin's instructions."""
    (tmp_path / "root.json").write_bytes(root_bytes())
    return Device(made_root(), package, request.param, tmp_path)


def _asking(folder: Path, answers: str) -> list[str]:
    return [asks_bundles.__file__, str(folder / "bundles"), str(folder / answers)]


def test_the_oldest_processor_of_a_board_that_is_supported_is_the_raspberry_pi_4s() -> None:
    """All others have newer ones. Nano and TX2, Cortex-A57, are refused: their Python is too old."""
    boards = {name for name in board_names() if board(name).arch == "aarch64"}
    supported = {name for name in boards if not board(name).unsupported}

    assert supported == {"pi4", "pi5", "orin-nano", "orin-nx", "agx-orin", "agx-thor"}


def test_instructions_are_the_processors(bundles: Path, package: Path, cpu: Cpu) -> None:
    """The dot product of bytes decides which of ONNX Runtime's integer kernels run."""
    ask = "import ctypes, platform; print(platform.machine(), ctypes.CDLL(None).getauxval(16) >> 20 & 1)"

    done = Device(made_root(), package, cpu, bundles).run("python3.11", "-c", ask)

    assert done.stdout.split() == ["aarch64", {PI4: "0", PI5: "1", ORIN: "1"}[cpu]]


def test_every_variant_gives_its_golden_outputs(asked: dict[str, Any]) -> None:
    assert len(asked) > len(EXACT)
    assert {name: told for name, told in asked.items() if isinstance(told, str)} == {}


def test_forests_and_integer_networks_answer_bit_for_bit_as_here(
    bundles: Path, asked: dict[str, Any], cpu: Cpu
) -> None:
    assert asked.keys() >= EXACT
    for name in sorted(EXACT):
        here, there = _answers(bundles / "here", name), _answers(bundles / cpu.name, name)
        for what, array in here.items():
            assert array.dtype == there[what].dtype
            assert array.tobytes() == there[what].tobytes(), f"{name}: {what}"


def test_all_others_differ_by_rounding_and_no_label_differs(
    bundles: Path, asked: dict[str, Any], cpu: Cpu, capsys: pytest.CaptureFixture[str]
) -> None:
    worst = {}
    for name in sorted(asked.keys() - EXACT):
        here, there = _answers(bundles / "here", name), _answers(bundles / cpu.name, name)
        allowed = FLOAT16 if "fp16" in name else ROUNDING
        for what, array in here.items():
            if array.dtype.kind == "f":
                np.testing.assert_allclose(there[what], array, rtol=0, atol=allowed, err_msg=name)
                worst[name] = max(worst.get(name, 0.0), float(np.abs(there[what] - array).max()))
            else:
                assert array.tolist() == there[what].tolist(), f"{name}: {what}"
    with capsys.disabled():
        print(f"\n{cpu.name} beside this processor: {len(EXACT)} bundles equal, largest difference of")
        print("\n".join(f"  {name:<24}{error:.1e}" for name, error in worst.items()))


def _answers(folder: Path, name: str) -> dict[str, Any]:
    with np.load(folder / f"{name}.npz") as found:
        return dict(found)


def test_a_bundle_is_installed_and_predicts_by_the_commands_of_a_device(
    device: Device, bundles: Path
) -> None:
    for name in ("forest-fp32.edge", "forest-fp32.npy"):
        (device.folder / name).write_bytes((bundles / "bundles" / name).read_bytes())
    trusted = (device.folder / "forest-fp32.edge", "--trust", device.folder / "root.json")

    device.run("edge-runtime", "install", *trusted, "--store", device.folder / "store")
    inputs = device.folder / "forest-fp32.npy"
    predicted = device.run("edge-runtime", "predict", *trusted, "--inputs", inputs)

    assert _status(device) == {"forest": "1.0.0"}
    assert predicted.stdout.splitlines() == _answers(bundles / "here", "forest-fp32")["batch"].tolist()


def test_what_fails_its_trial_is_rejected_and_the_old_version_runs_on(device: Device) -> None:
    _install(device, "1.0.0")
    for number, behaviour in enumerate(BAD, start=1):
        refused = _install(device, f"1.{number}.0", behaviour, check=False)

        assert refused.returncode == EngineError.exit_code, refused.stderr
        assert "Version 1.0.0 goes on running" in refused.stderr
    assert _status(device) == {"tiny": "1.0.0"}


@pytest.mark.parametrize("device", [PI4], ids=[PI4.name], indirect=True)
def test_a_device_killed_at_any_call_of_an_install_runs_on_and_installs_it(device: Device) -> None:
    _install(device, "1.0.0")
    (device.folder / "new.edge").write_bytes(tiny_bundle(version="1.1.0"))
    names = (device.folder / each for each in ("store", "new.edge", "root.json"))
    given = ", ".join(f"Path({str(each)!r})" for each in names)
    code = f"from tests.support.killed_installs import *; main({given})"

    killed = device.run("sh", "-c", f'cd {TESTS.parent} && exec python3.11 -c "{code}"')

    assert int(killed.stdout) > 10
    _install(device, "1.1.0")
    assert _status(device) == {"tiny": "1.1.0"}


def test_an_agent_hears_a_broker_and_goes_on_at_the_very_window_after_a_kill(
    device: Device, tmp_path: Path
) -> None:
    with (
        Mosquitto(tmp_path / "broker", max_queued_messages=0) as broker,
        _agent(device, broker.url) as rig,
        SensorRig(broker.url) as sensor,
    ):
        sensor.send(60)
        wait_for(lambda: len(rig.starts()) > 10, "some predictions")
        os.kill(rig.ready["pid"], signal.SIGKILL)
        wait_for(lambda: not rig.alive, "the killed agent and its worker to end")
        sensor.send(60)
        rig.start()
        wait_for(lambda: len(rig.starts()) >= 59 or not rig.alive, "all predictions")

        assert rig.starts() == list(range(0, 117, 2))
        assert rig.events("samples missing") == []
        os.kill(rig.ready["pid"], signal.SIGTERM)
        wait_for(lambda: not rig.alive, "a clean end")


@contextmanager
def _agent(device: Device, url: str) -> Iterator[AgentRig]:
    """A running agent on the device. What is started here is proot; the agent's own id is in `ready`."""
    rig = AgentRig(device.folder, url)
    rig.program = device.command("edge-runtime")
    try:
        yield rig.start()
    finally:
        if rig.alive and rig.is_ready:
            os.kill(rig.ready["pid"], signal.SIGKILL)
        rig.close()


def _install(
    device: Device, version: str, behaviour: Behaviour = "good", *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    bundle = device.folder / f"tiny-{version}.edge"
    bundle.write_bytes(tiny_bundle(version=version, behaviour=behaviour))
    trusted = (bundle, "--trust", device.folder / "root.json", "--store", device.folder / "store")
    return device.run("edge-runtime", "install", *trusted, check=check)


def _status(device: Device) -> dict[str, str]:
    """The version that each model runs."""
    done = device.run("edge-runtime", "status", "--store", device.folder / "store", "--json")
    models = json.loads(done.stdout)["models"]
    return {name: now["slots"][now["active"]]["version"] for name, now in models.items()}
