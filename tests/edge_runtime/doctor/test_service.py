"""The unit that is installed, beside the one that the configuration asks for."""

import sys
from pathlib import Path

import pytest

from edge_runtime.config import Config, DeviceConfig, ModelConfig, RealtimeConfig, SourceConfig
from edge_runtime.doctor.findings import Device, Finding
from edge_runtime.doctor.service import UNITS, look
from edge_runtime.errors import ConfigError
from edge_runtime.service.configured import unit_of
from edge_runtime.service.unit import NAME

FILE = Path("/etc/edge-runtime/agent.toml")


def config(data: str = "/var/lib/edge-runtime", priority: int = 0) -> Config:
    source = SourceConfig(url="mqtt://127.0.0.1", topic="t")
    realtime = RealtimeConfig(priority=priority) if priority else None
    model = ModelConfig(name="motion", source=source, realtime=realtime)
    return Config(device=DeviceConfig(id="dev", data=Path(data)), models=(model,))


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the unit is; the program is where a service can see it."""
    monkeypatch.setattr(sys, "executable", "/opt/edge-runtime/bin/python")
    (tmp_path / UNITS).mkdir(parents=True)
    return tmp_path / UNITS / NAME


def found(root: Path, asked: Config) -> list[Finding]:
    return list(look(Device(config_file=FILE, config=asked, root=root)))


def test_without_a_unit_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert found(tmp_path, config()) == []


@pytest.mark.parametrize("gpu", [False, True])
def test_the_unit_that_was_written_for_it_is_in_order(tmp_path: Path, unit: Path, gpu: bool) -> None:
    text = unit_of(config(), FILE, "edge", gpu).text()
    unit.write_text(f"# a note\n{text}")
    (told,) = found(tmp_path, config())
    assert (told.state, told.what) == ("ok", f"{unit} is what this configuration asks for.")


def test_one_from_before_a_change_of_the_configuration_is_told_with_the_first_difference(
    tmp_path: Path, unit: Path
) -> None:
    unit.write_text(unit_of(config(), FILE, "edge", False).text())
    (told,) = found(tmp_path, config(priority=10))
    assert told.state == "warning"
    assert told.what.endswith("it lacks RestrictRealtime=no, and it has RestrictRealtime=yes.")
    assert f"edge-runtime service install --config {FILE} --user edge; then" in told.advice

    (told,) = found(tmp_path, config(data="/srv/edge"))
    assert "it lacks ReadWritePaths=/srv/edge, and it has StateDirectory=edge-runtime" in told.what


def test_a_folder_that_a_service_cannot_see_is_told(tmp_path: Path, unit: Path) -> None:
    unit.write_text(unit_of(config(), FILE, "edge", False).text())
    with pytest.raises(ConfigError, match="a service does not see /home"):
        found(tmp_path, config(data="/home/pi/data"))
