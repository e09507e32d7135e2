"""Health of a machine that is made up, of this one, and of one that offers nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.telemetry.health import Health, data_bytes, hottest, zones
from tests.support.faulty_disk import faults


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A board's /proc and /sys."""
    files = {
        "proc/stat": "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n",
        "proc/loadavg": "0.52 0.40 0.30 1/234 5678\n",
        "proc/meminfo": "MemTotal: 2000 kB\nMemFree: 100 kB\nMemAvailable:  500 kB\nHugePages: 0\n",
        "proc/self/statm": "5000 1200 300 1 0 900 0\n",
        "proc/uptime": "350735.47 234388.90\n",
        "sys/class/thermal/thermal_zone0/type": "gpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "61000\n",
        "sys/class/thermal/thermal_zone1/type": "CPU-thermal\n",
        "sys/class/thermal/thermal_zone1/temp": "48250\n",
        "sys/class/thermal/thermal_zone2/type": "off\n",
        "sys/class/thermal/thermal_zone2/temp": "-274000\n",
        "sys/class/thermal/thermal_zone3/type": "PMIC-Die\n",
        "sys/class/thermal/thermal_zone3/temp": "100000\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_a_board_s_measurements(root: Path) -> None:
    health = Health(root, root=root)
    (root / "proc/stat").write_text("cpu  130 0 145 800 125 0 0 0 0 0\n")
    found = health.sample()
    assert found.pop("disk_free_bytes") > 0
    assert found == {
        "cpu_percent": 37.5,  # 75 of 200 ticks since the last look
        "load_1min": 0.52,
        "memory_used_bytes": 1500 * 1024,
        "memory_available_bytes": 500 * 1024,
        "process_resident_bytes": 1200 * os.sysconf("SC_PAGE_SIZE"),
        "uptime_s": 350735.47,
    }
    assert health.temperature() == {"temperature_c": 48.2}
    assert data_bytes("self", root) == 900 * os.sysconf("SC_PAGE_SIZE")


def test_this_machine_has_most_of_them(tmp_path: Path) -> None:
    found = Health(tmp_path).sample()
    expected = {
        "load_1min",
        "memory_used_bytes",
        "memory_available_bytes",
        "process_resident_bytes",
        "disk_free_bytes",
        "uptime_s",
    }
    assert expected <= found.keys()
    assert 1_000_000 < found["process_resident_bytes"] < found["memory_available_bytes"] * 10


@pytest.mark.parametrize("content", [None, "", "nonsense", "cpu x y z\n", "\xff"])
def test_what_is_missing_or_nonsense_is_left_out(
    tmp_path: Path, root: Path, content: str | None
) -> None:
    for path in [*(root / "proc").rglob("*"), *(root / "sys").rglob("temp")]:
        if path.is_file():
            path.unlink() if content is None else path.write_text(content)
    health = Health(tmp_path / "gone", root=root)
    assert (health.sample(), health.temperature()) == ({}, {})


def test_a_sensor_that_is_off_is_left_out_and_the_others_are_told(root: Path) -> None:
    """That of an accelerator in a Jetson that is not in use answers EAGAIN."""
    program = "import sys; from pathlib import Path; from edge_runtime.telemetry.health import Health; "
    program += "root = Path(sys.argv[1]); print(Health(root, root=root).temperature()['temperature_c'])"
    off = faults("read", "EAGAIN", paths=[root / "sys/class/thermal/thermal_zone1/temp"])
    command = [*off, sys.executable, "-c", program, str(root)]

    assert subprocess.check_output(command, text=True) == "61.0\n"


def test_the_folder_of_one_zone_is_that_zone(root: Path) -> None:
    thermal = root / "sys/class/thermal"
    assert list(zones(thermal)) == [(61.0, "gpu-thermal"), (48.25, "CPU-thermal")]
    assert list(zones(thermal / "thermal_zone0")) == [(61.0, "gpu-thermal")]
    (thermal / "thermal_zone0/type").unlink()
    assert list(zones(thermal / "thermal_zone0")) == [(61.0, "thermal_zone0")]
    assert list(zones(thermal / "gone")) == []
    assert (hottest(thermal), hottest(thermal / "gone")) == (61.0, None)
    assert hottest(root / ("x" * 300)) is None
