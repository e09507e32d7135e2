"""What made-up /proc and /sys folders tell, and that a machine without them is none the worse."""

from pathlib import Path

import pytest

from edge_runtime.config import Config, DeviceConfig, TemperatureConfig
from edge_runtime.doctor import hardware
from edge_runtime.doctor.findings import Device, Finding
from tests.support.thermal import Thermal


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_hottest_zone_counts_and_nonsense_does_not(root: Path) -> None:
    for number, (kind, value) in enumerate(
        [("cpu-thermal", "45000"), ("gpu", "83000"), ("odd", "999999")]
    ):
        put(root, f"sys/class/thermal/thermal_zone{number}/temp", value)
        put(root, f"sys/class/thermal/thermal_zone{number}/type", f"{kind}\n")
    put(root, "sys/class/thermal/thermal_zone9/temp", "hot")
    (found,) = hardware.temperature(Device(root=root))
    assert (found.state, found.what) == ("warning", "gpu is at 83 °C: it runs slower to stay alive.")


def test_the_sensor_that_the_models_are_eased_by_is_read_and_compared_with_its_ceiling(
    root: Path,
) -> None:
    thermal = Thermal(root / "thermal")
    asked = TemperatureConfig(ceiling_c=70, sensor=thermal.folder)
    config = Config(device=DeviceConfig(id="dev", temperature=asked))

    def told() -> Finding:
        return next(iter(hardware.temperature(Device(config=config, root=root))))

    assert told().state == "problem"
    assert "tells no temperature here, so the models are never eased." in told().what
    thermal.tell("cpu-thermal", 69_400)
    assert told().what.endswith("is at 69 °C; the models are eased from 70 °C on.")
    thermal.tell("gpu-thermal", 75_000)
    assert (told().state, "is at 75 °C, and from 70 °C on" in told().what) == ("warning", True)


def test_a_sensor_that_does_not_answer_is_told_as_such_and_does_not_keep_the_others_waiting(
    root: Path,
) -> None:
    thermal = Thermal(root / "sys" / "class" / "thermal")
    thermal.hang("cpu-thermal")
    asked = TemperatureConfig(sensor=thermal.folder)
    config = Config(device=DeviceConfig(id="dev", temperature=asked))
    try:
        ceiling, machine = hardware.temperature(Device(config=config, root=root))
    finally:
        thermal.answer("cpu-thermal", 50_000)
    assert (ceiling.state, machine.state) == ("problem", "warning")
    told = f"`device.temperature.sensor`: {thermal.folder} does not answer here: its driver hangs"
    assert ceiling.what.startswith(told)
    assert "dmesg" in ceiling.advice
    assert machine.what == "A thermal zone of this machine does not answer: its driver hangs."


@pytest.mark.parametrize(
    "files",
    [
        {"sys/devices/platform/soc/soc:firmware/get_throttled": "50005"},
        {"sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled": "1"},
        {
            "sys/class/hwmon/hwmon0/name": "cpu_thermal",
            "sys/class/hwmon/hwmon1/name": "rpi_volt",
            "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1",
        },
    ],
    ids=["up to 4", "5", "mainline"],
)
def test_a_weak_supply_of_a_raspberry_pi_is_told(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        put(root, name, f"{text}\n")
    (found,) = hardware.power(Device(root=root))
    assert found.state == "problem"
    assert "power supply that the board's maker names" in found.advice


def test_memory_of_the_machine_and_of_its_groups(root: Path) -> None:
    put(root, "proc/meminfo", "MemTotal:  4000000 kB\nMemAvailable:  3000000 kB\nOdd\n")
    put(root, "proc/self/cgroup", "1:cpu:/old\n0::/user.slice\n")
    group = "sys/fs/cgroup/system.slice/edge-runtime.service"
    put(root, f"{group}/memory.max", f"{512 << 20}\n")
    put(root, f"{group}/memory.current", f"{500 << 20}\n")
    put(root, f"{group}/memory.events", "low 0\noom_kill 3\n")
    put(root, "sys/fs/cgroup/user.slice/memory.max", "max\n")
    found = list(hardware.memory(Device(root=root)))
    assert [each.state for each in found] == ["ok", "problem", "warning"]
    assert found[1].what.startswith("The service, limited to 537 MB, has 13 MB of memory left")
    assert found[2].what == "The service: 3 processes were ended for want of memory."


def test_a_machine_that_tells_nothing_has_no_problem(root: Path) -> None:
    device = Device(root=root)
    looks = (hardware.temperature, hardware.power, hardware.memory)
    assert {each.state for look in looks for each in look(device)} == {"ok"}
