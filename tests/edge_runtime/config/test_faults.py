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
        "`device.data`: expected a path in quotes, found 5.",
        "`models[0].source`: expected a table, found 'sensors'.",
        "`models[1].source`: expected the setting `url`, found none. Add it.",
        "`fleet.acknowledge`: expected 'collector' or 'broker', found 'nobody'.",
        "`telemetry.interval_s`: expected a number, found 'often'.",
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
        ("models = 5", "`models`: expected tables in double brackets, [[models]], found 5."),
        ("models = [1]", "`models[0]`: expected a table, found 1."),
        ("[models]\nname = 1", "`models`: expected tables in double brackets, [[models]], found one"),
        ("[[fleet]]\nurl = 1", "`fleet`: expected a table, found a list."),
    ],
)
def test_tables_and_lists_are_not_taken_for_each_other(tmp_path: Path, text: str, expected: str) -> None:
    found = faults(tmp_path, f"{text}\n[device]\nid = 'watch-01'\n")
    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval_s = '60 s'", "a number, found '60 s'. Write it without quotes and without a unit."),
        ("interval_s = true", "a number, found true."),
        ("interval_s = 2026-01-01", "a number, found 2026-01-01."),
        ("interval_s = {a = 'secret'}", "a number, found a table."),
        ("interval_s = '" + "x" * 99 + "'", "a number, found '" + "x" * 59 + "...."),
        ("max_outbox_bytes = 1e9", "a whole number, found 1000000000.0."),
        ("interval_s = -1", "0.1 to 86,400 s, found -1."),
        ("interval_s = 0x" + "f" * 9_999, "a number, found one of hundreds of digits."),
        ("max_outbox_bytes = -5", "1,000,000 to 1,099,511,627,776 bytes, found -5."),
    ],
)
def test_a_wrong_value_is_told_in_the_words_of_a_person_and_not_of_a_program(
    tmp_path: Path, text: str, expected: str
) -> None:
    (told,) = faults(tmp_path, f"[device]\nid = 'watch-01'\n[telemetry]\n{text}\n")
    assert told == f"`telemetry.{text.partition(' ')[0]}`: expected {expected}"


def test_a_number_that_is_no_end_of_digits_is_no_toml(tmp_path: Path) -> None:
    (told,) = faults(tmp_path, f"spare = {'9' * 10_000}\n")
    assert told.startswith("expected TOML, found: ")


def test_who_signs_in_is_not_written_into_an_address_nor_told(tmp_path: Path) -> None:
    text = "[device]\nid = 'watch-01'\n[fleet]\nurl = 'mqtts://agent:secret@fleet'\n"
    (told,) = faults(tmp_path, text)
    assert told.endswith(
        "found 'mqtts://…@fleet'. Write the user into `username`, the password into a file."
    )


def test_a_flood_of_faults_is_cut_off(tmp_path: Path) -> None:
    assert len(faults(tmp_path, "\n".join(f"key{n} = 1" for n in range(500)))) == 50
