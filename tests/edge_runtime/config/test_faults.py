"""Several faults are told at once, each with its key."""

from pathlib import Path

import pytest

from edge_runtime import config
from edge_runtime.errors import ConfigError

SHAPES = """
spare = 1
[device]
idd = "watch-01"
data = 5
[fleet]
url = "mqtts://fleet"
acknowledge = "nobody"
[telemetry]
interval_s = "often"
[[models]]
name = "motion"
source = "sensors"
[[models]]
name = "other"
[models.source]
topic = "sensors/other"
"""

VALUES = """
[device]
id = "Watch"
[fleet]
url = "fleet"
password_file = "password"
[telemetry]
interval_s = 0
[[models]]
name = "motion"
run_timeout_s = 1e9
[models.source]
url = "mqtt://127.0.0.1"
topic = "a b"
[[models]]
name = "motion"
[models.source]
url = "mqtt://127.0.0.1"
topic = "b"
"""


def faults(folder: Path, text: str) -> list[str]:
    path = folder / "agent.toml"
    path.write_text(text)
    found = config.read(path)
    assert isinstance(found, list)
    return [str(fault) for fault in found]


def test_every_fault_of_the_shape_is_told(tmp_path: Path) -> None:
    assert faults(tmp_path, SHAPES) == [
        "`spare`: no such setting. Known here: device, models, fleet, telemetry.",
        "`device.idd`: no such setting. Did you mean 'id'?",
        "`device.data`: expected a path, found 5.",
        "`models[0].source`: expected a table, found `str`.",
        "`models[1].source`: missing required field `url`.",
        "`fleet.acknowledge`: expected 'collector' or 'broker', found 'nobody'.",
        "`telemetry.interval_s`: expected `float`, found `str`.",
    ]


def test_every_fault_of_the_values_is_told(tmp_path: Path) -> None:
    assert [fault.split(":")[0] for fault in faults(tmp_path, VALUES)] == [
        "`device.id`",
        "`models[0].run_timeout_s`",
        "`telemetry.interval_s`",
        "`fleet.url`",
        "`fleet.password_file`",
        "`models[0].source.topic`",
        "`models[1].name`",
    ]


def test_an_error_tells_the_first_and_how_many_more(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text(SHAPES)
    with pytest.raises(ConfigError, match=r"`spare`: no such setting.*\(6 more: `edge-runtime config"):
        config.load(tmp_path / "agent.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models = 5", "`models`: expected `array`, found `int`."),
        ("models = [1]", "`models[0]`: expected a table, found `int`."),
        ("[models]\nname = 1", "`models`: expected tables in double brackets, [[models]], found one"),
        ("[[fleet]]\nurl = 1", "`fleet`: expected a table, found `array`."),
    ],
)
def test_tables_and_lists_are_not_taken_for_each_other(tmp_path: Path, text: str, expected: str) -> None:
    found = faults(tmp_path, f"{text}\n[device]\nid = 'watch-01'\n")
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_a_flood_of_faults_is_cut_off(tmp_path: Path) -> None:
    assert len(faults(tmp_path, "\n".join(f"key{n} = 1" for n in range(500)))) == 50
